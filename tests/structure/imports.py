"""Reads what a tree of Python files imports, from their syntax, so that nothing has to run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OTHERS = {"alejo.__version__", "alejo._core"}  # imported like modules, and none: a constant and the binary


@dataclass(frozen=True)
class Import:
    """One import: who, where, what (the module as far as it is a module of the tree), and whether only for types."""

    importer: str
    line: int
    target: str
    type_only: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.target}"


def sources(folder: Path) -> dict[str, str]:
    """The hand-written modules below a package's folder, by dotted name; packages end in `.__init__`."""
    return {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts): path.read_text()
        for path in sorted(folder.rglob("*.py"))
        if "_pb2" not in path.name
    }


def imports(tree: Mapping[str, str]) -> list[Import]:
    """Every import of every module: at any depth, relative or not, and those by `import_module("...")`."""
    known = {name.removesuffix(".__init__") for name in tree} | OTHERS
    return [found for name, source in tree.items() for found in _of_module(name, ast.parse(source), known)]


def _of_module(name: str, module: ast.Module, known: set[str]) -> Iterator[Import]:
    importer = name.removesuffix(".__init__")
    package = importer if name.endswith(".__init__") else importer.rpartition(".")[0]
    for node, type_only in _walk(module, type_only=False):
        for target in _targets(node, package, known):
            yield Import(importer, node.lineno, target, type_only)


def _walk(node: ast.AST, *, type_only: bool) -> Iterator[tuple[ast.stmt | ast.expr, bool]]:
    for child in ast.iter_child_nodes(node):
        inside = type_only
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            inside = inside or child in node.body
        if isinstance(child, ast.Import | ast.ImportFrom | ast.Call):
            yield child, inside
        yield from _walk(child, type_only=inside)


def _targets(node: ast.AST, package: str, known: set[str]) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (name.name for name in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            parts = package.split(".")
            base = parts[: len(parts) - level + 1] if level else []
            origin = ".".join([*base, *([module] if module else [])])
            for name in names:
                full = f"{origin}.{name.name}"
                yield full if full in known or not origin.startswith("alejo") else origin
        case ast.Call(func=function, args=[ast.Constant(value=str(target)), *_]):
            if ast.unparse(function).endswith(("import_module", "__import__")):
                yield f"{package}{target}" if target.startswith(".") else target


def rings(found: list[Import]) -> list[str]:
    """The first ring of modules that import each other when they run, or nothing."""
    graph: dict[str, set[str]] = {}
    for one in found:
        if not one.type_only and one.target != one.importer:
            graph.setdefault(one.importer, set()).add(one.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def environment(tree: Mapping[str, str]) -> list[str]:
    """Where a module reads the environment."""
    names = {"environ", "environb", "getenv", "getenvb"}
    return [
        f"{name.removesuffix('.__init__')}:{node.lineno}"
        for name, source in tree.items()
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {one.name for one in node.names})
    ]
