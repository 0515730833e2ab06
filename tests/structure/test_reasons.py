"""The table of reasons is what the code says: no reason without a row, no row without an error that gives it."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping

import pytest

from alejo import errors
from alejo.errors import AlejoError
from alejo.reasons import REASONS, Retry

from .imports import ROOT, sources

CLASSES = {name: one for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, AlejoError)}
# These hand on a reason that was given elsewhere: by another process, or by whoever makes the error.
HANDED_ON = {"alejo.errors", "alejo.wire.status"}


def told(tree: Mapping[str, str]) -> Iterator[tuple[str, str, type[AlejoError]]]:
    """Where each error of a tree of modules is made, with its reason and its class. Raises AssertionError."""
    modules = {name.removesuffix(".__init__"): ast.parse(source) for name, source in tree.items()}
    words = {name: value for module in modules.values() for name, value in _constants(module)}
    for name, module in modules.items():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef) and name != "alejo.errors":
                bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                assert not bases & set(CLASSES), f"{name}:{node.lineno} {node.name} belongs into alejo/errors.py"
            if isinstance(node, ast.Call) and name not in HANDED_ON and (kind := _class(node.func)):
                yield f"{name}:{node.lineno}", _reason(node, kind, words, f"{name}:{node.lineno}"), kind


def _constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(word))):
                yield name, word


def _class(made: ast.expr) -> type[AlejoError] | None:
    """The class of errors that is called: X(…), errors.X(…) or X.field(…)."""
    if isinstance(made, ast.Attribute) and made.attr == "field":
        made = made.value
    return CLASSES.get(ast.unparse(made).rpartition(".")[2]) if isinstance(made, ast.Name | ast.Attribute) else None


def _reason(call: ast.Call, kind: type[AlejoError], words: Mapping[str, str], place: str) -> str:
    given = next((one.value for one in call.keywords if one.arg == "reason"), None)
    match given:
        case None:
            return kind.reason
        case ast.Constant(value=str(word)):
            return word
        case ast.Name(id=name) if name in words:
            return words[name]
    raise AssertionError(f"{place} gives a reason that can only be known when it runs: {ast.unparse(given)}")


@pytest.fixture(scope="module")
def everywhere() -> list[tuple[str, str, type[AlejoError]]]:
    """Every error that alejo and its plugins make."""
    folders = [ROOT / "alejo", *(ROOT / "plugins").glob("*/src/*/")]
    return [each for folder in folders for each in told(sources(folder))]


def test_every_reason_has_its_row(everywhere: list[tuple[str, str, type[AlejoError]]]) -> None:
    """Each error in the code has a row in alejo/reasons.py that names its status."""
    assert len(everywhere) > 50
    missing = [f"{place} says {reason}" for place, reason, _ in everywhere if reason not in REASONS]
    assert missing == []
    other = [
        f"{place}: {reason} is {kind.status.name} here and {REASONS[reason].status.name} in the table"
        for place, reason, kind in everywhere
        if kind.status != REASONS[reason].status
    ]
    assert other == []


def test_every_row_is_said_by_somebody(everywhere: list[tuple[str, str, type[AlejoError]]]) -> None:
    """No row tells of a reason that nothing gives, and who says it is one of the four."""
    assert sorted(set(REASONS) - {reason for _, reason, _ in everywhere}) == []
    assert {reason.said_by for reason in REASONS.values()} == {"server", "client", "plugin", "command"}
    assert [name for name, one in REASONS.items() if not (one.meaning.endswith(".") and one.advice.endswith("."))] == []


def test_what_is_sent_again_by_itself_is_what_the_table_says() -> None:
    """The service config retries the statuses of the reasons that say so, and none of another."""
    config = json.loads((ROOT / "alejo" / "service_config.json").read_text())
    codes = {code for one in config["methodConfig"] for code in one["retryPolicy"]["retryableStatusCodes"]}
    assert codes == {one.status.name for one in REASONS.values() if one.retry is Retry.ITSELF}
    others = {one.status.name for one in REASONS.values() if one.retry is not Retry.ITSELF}
    assert not codes & others


def test_every_word_of_a_plugin_that_could_not_answer_is_told() -> None:
    """docs/errors.md and the comment of Degraded name the same words, and the code says no other."""
    page, proto = ((ROOT / name).read_text() for name in ("docs/errors.md", "proto/alejo/v1/types.proto"))
    told = set(re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE))
    comment = re.search(r"Why, as a stable word: (.*)\n\s+string reason", proto)
    assert comment
    assert told == set(re.findall(r'"(\w+)"', comment[1]))
    said = set()
    for source in sources(ROOT / "alejo").values():
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(func=ast.Name(id="PluginFailed" | "Degraded"), args=[_, _, ast.Constant(value=word)]):
                    said.add(word)
                case ast.Call(
                    func=ast.Name(id="Outcome"), keywords=[ast.keyword(arg="why", value=ast.Constant(value=word))]
                ):
                    said.add(word)
    assert {"vacant", "timeout", "quarantined"} <= said <= told


@pytest.mark.parametrize(("source", "found"), [
    ("Unavailable('Later.', reason='NAPPING')", "NAPPING"),
    ("raise errors.InvalidArgument.field('a', 'b')", "INVALID_FIELD"),
    ("WORD = 'NAPPING'\nfuture.set_exception(Conflict('x', reason=WORD))", "NAPPING"),
])  # fmt: skip
def test_errors_are_found_as_they_are_written(source: str, found: str) -> None:
    """An error is seen however it is spelled."""
    assert [reason for _, reason, _ in told({"alejo.sample": source})] == [found]


@pytest.mark.parametrize("source", ["Unavailable('x', reason=pick())", "class Nap(Unavailable):\n    reason = 'NAP'"])
def test_what_cannot_be_read_is_refused(source: str) -> None:
    """A reason that is made at run time, or in a class of its own elsewhere, would escape the table."""
    with pytest.raises(AssertionError, match=r"alejo\.sample:1"):
        list(told({"alejo.sample": source}))
