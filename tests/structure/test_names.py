"""Names say what a thing is, and the public ones are those that are meant to be."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re

import pytest

from .imports import ROOT, sources

JOB_TITLES = re.compile(r"(Manager|Handler|Helper|Utils?|Service|Processor|Engine|Factory|Wrapper)$")
RUST_TYPE = re.compile(r"^\s*(?:pub(?:\(\w+\))? )?(?:struct|enum|trait|type) (\w+)", re.MULTILINE)


def classes(source: str) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]


def packages() -> list[str]:
    """Every module of alejo that lists its public names."""
    tree = sources(ROOT / "alejo")
    return [name.removesuffix(".__init__") for name, text in tree.items() if re.search(r"^__all__\b", text, re.M)]


def test_no_class_is_called_by_a_job_title() -> None:
    """No class of alejo or its plugins ends in Manager, Handler, Helper and the like."""
    folders = [ROOT / "alejo", *(ROOT / "plugins").glob("*/src/*/"), *(ROOT / "benchmarks").glob("src/*/")]
    named = [f"{module}.{name}" for f in folders for module, text in sources(f).items() for name in classes(text)]
    assert len(named) > 50
    assert [name for name in named if JOB_TITLES.search(name)] == []


def test_no_rust_type_is_called_by_a_job_title() -> None:
    """No type of the Rust core ends in Manager, Handler, Helper and the like."""
    named = [name for file in (ROOT / "core_rs" / "src").rglob("*.rs") for name in RUST_TYPE.findall(file.read_text())]
    assert named
    assert [name for name in named if JOB_TITLES.search(name)] == []


def test_a_job_title_is_seen() -> None:
    """The check finds a nested class and a Rust type by their ends, and leaves other names alone."""
    found = classes("def f():\n    class SessionManager: pass\nclass Managers: pass\n")
    found += RUST_TYPE.findall("    pub(crate) struct CacheHandler<T> {\nfn f() {}\n")
    assert [name for name in found if JOB_TITLES.search(name)] == ["SessionManager", "CacheHandler"]


def test_alejo_has_a_door() -> None:
    """The package itself lists its public names."""
    assert "alejo" in packages()


@pytest.mark.parametrize("name", packages())
def test_public_names_are_sorted_and_true(name: str) -> None:
    """`__all__` is sorted (constants, classes, others), names nothing twice, and every name of it is there."""
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(set(module.__all__), key=lambda n: (not n.isupper(), n[0].islower(), n))
    assert [missing for missing in module.__all__ if not hasattr(module, missing)] == []


@pytest.mark.parametrize("name", packages())
def test_no_public_name_is_also_a_module(name: str) -> None:
    """What a package offers is called like none of its modules, which would take its place once it is imported."""
    module = importlib.import_module(name)
    within = {one.name for one in pkgutil.iter_modules(getattr(module, "__path__", ()))}
    clashes = within.intersection(module.__all__)
    assert [one for one in clashes if not inspect.ismodule(getattr(module, one))] == []
    assert all(one not in getattr(module, "_PLACES", {}) for one in clashes)


def test_the_door_of_alejo_is_complete() -> None:
    """Every public name that `alejo/__init__.py` binds is listed in its `__all__`."""
    module = ast.parse((ROOT / "alejo" / "__init__.py").read_text())
    bound = set()
    for node in [*module.body, *(inner for top in module.body if isinstance(top, ast.If) for inner in top.body)]:
        match node:
            case ast.ImportFrom(module=str(origin), names=names) if origin.split(".")[0] == "alejo":
                bound |= {name.asname or name.name for name in names}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                bound.add(name)
    public = {name for name in bound if not name.startswith("_")}
    assert public
    assert public <= set(importlib.import_module("alejo").__all__)
