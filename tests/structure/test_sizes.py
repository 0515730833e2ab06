"""Files and functions stay small enough to be read at one go."""

from __future__ import annotations

import ast
from itertools import chain
from pathlib import Path

import pytest

from .imports import ROOT, sources

LONGEST_FILE = 700
LONGEST_REFERENCE = 1000  # of a binary, which has one stub however many parts it has: it is looked up, not read
LONG_FILE = 450  # nine of ten files of alejo are shorter
LONG_FUNCTION = 35  # and nine of ten functions


def written() -> list[Path]:
    """Every hand-written file of code."""
    folders = ("alejo", "core_rs", "plugins", "benchmarks", "examples", "scripts", "tests")
    files = chain.from_iterable((ROOT / folder).rglob("*") for folder in folders)
    return [file for file in files if file.suffix in {".py", ".pyi", ".rs", ".sh"} and "_pb2" not in file.name]


def code() -> dict[str, str]:
    """The modules of alejo and of the built-in plugins."""
    packages = [ROOT / "alejo", *(ROOT / "plugins").glob("*/src/*/")]
    return {name: text for package in packages for name, text in sources(package).items()}


def functions(source: str) -> list[int]:
    """How many lines each function of a module takes, from its `def` to its end."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes]


def ninetieth(lengths: list[int]) -> int:
    """The length that nine of ten do not exceed."""
    return sorted(lengths)[(len(lengths) - 1) * 9 // 10]


@pytest.mark.parametrize("file", written(), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_is_too_long(file: Path) -> None:
    """No hand-written file exceeds 700 lines, and no reference 1000."""
    assert len(file.read_text().splitlines()) <= (LONGEST_REFERENCE if file.suffix == ".pyi" else LONGEST_FILE)


def test_most_files_are_short() -> None:
    """Nine of ten modules have at most 450 lines."""
    assert ninetieth([len(source.splitlines()) for source in code().values()]) <= LONG_FILE


def test_most_functions_are_short() -> None:
    """Nine of ten functions have at most 35 lines."""
    assert ninetieth(list(chain.from_iterable(map(functions, code().values())))) <= LONG_FUNCTION


def test_the_measure_measures() -> None:
    """A function's length counts its body, and the ninetieth of ten numbers is the ninth."""
    assert functions("def f():\n    pass\n\nclass A:\n    async def g(self):\n        '''a\n        b'''\n") == [2, 3]
    assert ninetieth([1, 2, 3, 4, 5, 6, 7, 8, 36, 100]) == 36
