"""The exit codes."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import alejo
from alejo import errors
from alejo.cli import exits

SOURCE = Path(alejo.__file__).parent


def leaves(kind: type[errors.AlejoError]) -> list[type[errors.AlejoError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]


def test_every_error_ends_with_a_code_that_is_told() -> None:
    """Each class of error has an exit code of the table, and a wrong key and a missing server their own."""
    for kind in leaves(errors.AlejoError):
        made = kind.__new__(kind)
        made.exit_code = 1  # type: ignore[attr-defined]
        assert exits.Exit(exits.code(made)) in exits.MEANINGS
    assert exits.code(errors.Unauthenticated("x")) == 77
    assert exits.code(errors.Unavailable("x")) == 69
    assert exits.code(errors.StorageFull("x")) == 74
    assert exits.code(errors.StartupError("x", exit_code=75)) == 75


def test_every_code_has_a_meaning() -> None:
    """The table says what each code means, once, in a sentence."""
    assert list(exits.MEANINGS) == sorted(exits.Exit)
    assert all(meaning.endswith(".") for meaning in exits.MEANINGS.values())
    assert len(set(exits.MEANINGS.values())) == len(exits.MEANINGS)
    assert exits.table().splitlines()[0] == "  0  All went well."


def codes(path: Path) -> set[int]:
    """The exit codes a module's StartupErrors are made with, names resolved in the module itself."""
    found = set()
    module = ".".join(["alejo", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "exit_code":
            scope = vars(importlib.import_module(module))
            found.add(int(eval(ast.unparse(node.value), dict(scope))))  # noqa: S307 - our own source
    return found


def test_every_code_in_the_source_is_in_the_table() -> None:
    """No module ends the process with a number that the table does not have."""
    used = {code for path in SOURCE.rglob("*.py") if "v1" not in path.parts for code in codes(path)}
    assert {69, 75, 78} <= used
    assert used <= {code.value for code in exits.Exit}
