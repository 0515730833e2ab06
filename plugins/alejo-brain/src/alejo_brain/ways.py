"""How a user wants to be answered: their preferences, and what they said themselves of how answers shall be.

What is not wanted is not done: "never use bullet points"; its opposite is, where there is one: "no long answers".

Both shape what the local brain says; a language model is told them as the user's own words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from alejo.roles import Turn
from alejo.types import Memory

from .asked import plain
from .tongues import tongues

_MODES = {
    "direct": "answer, and no more",
    "reflective": "say back what was said, connect it with what was told before, and ask one open question",
    "exploratory": "offer what is related, and a next step",
}
MODES = tuple(_MODES)
_SHAPES = {"length": ("brief", "long"), "format": ("bullets",), "questions": ("silent",)}
_OPPOSITES = {"brief": "long", "long": "brief"}
_DENIALS = ("silent",)  # shapes whose words deny something themselves


class Ways(msgspec.Struct, frozen=True):
    """The shape of an answer. `silent`: no question is asked of the user; `name` is what they are called.

    `mode` is one of MODES, "" where none is wanted.
    """

    brief: bool = False
    long: bool = False
    bullets: bool = False
    silent: bool = False
    name: str = ""
    mode: str = ""


def ways(turn: Turn, said: Sequence[Memory]) -> Ways:
    """The shape that preferences, and then what was said, newest first, give."""
    others = turn.preferences.others
    preferred = [f"{others[each]} {each}" for each in ("length", "format") if each in others]
    found: dict[str, bool] = {}
    for text in [*preferred, *(memory.text for memory in said)]:
        for shapes in (*_SHAPES.values(), MODES):
            if found.keys().isdisjoint(shapes):
                found |= _wished(text, shapes)
    shape = {each: wanted for each, wanted in found.items() if each not in MODES}
    return Ways(**shape, name=others.get("name", ""), mode=next((each for each in MODES if found.get(each)), ""))


def _wished(text: str, shapes: Sequence[str]) -> dict[str, bool]:
    """Which of shapes that exclude each other a text asks for, and which it refuses; empty where it names none.

    The languages are read together: "keine Bullets" is of two.
    """
    known = [tongue.ways for tongue in tongues().values()]
    asked, refused, opposite = set[str](), set[str](), set[str]()
    for clause in _clauses(plain(text)):
        for shape in shapes:
            for match in [found for each in known if (found := each[shape].search(clause))]:
                between = _denied(clause, match) if shape not in _DENIALS else None
                (asked if between is None else refused).add(shape)
                if between is not None and "," not in between and "\n" not in between and shape in _OPPOSITES:
                    opposite.add(_OPPOSITES[shape])
    wanted = [each for each in shapes if each in (asked or opposite) and each not in refused]
    return dict.fromkeys(refused, False) | dict.fromkeys(wanted[:1], True)


def _clauses(text: str) -> list[str]:
    """The parts of a text over which a denial does not reach."""
    found = [text]
    for tongue in tongues().values():
        found = [clause for each in found for clause in tongue.ways["over"].split(each)]
    return found


def _denied(clause: str, match: re.Match[str]) -> str | None:
    """What stands between a shape and what denies it, before or after; None where nothing does."""
    known = [tongue.ways for tongue in tongues().values()]
    before = [each.end() for words in known for each in words["not"].finditer(clause, 0, match.start())]
    if before:
        return clause[max(before) : match.start()]
    rest = clause[match.end() :]
    return next((found[0] for words in known if (found := words["unwanted"].search(rest))), None)


def told(turn: Turn, said: Sequence[Memory]) -> str:
    """What a model is told of it, in the user's place; empty where nothing is known."""
    others = turn.preferences.others
    lines = [f"{name}: {' '.join(others[name].split())}" for name in (*_SHAPES, "name") if name in others]
    lines += [" ".join(memory.text.split()) for memory in said]
    lines += [f"mode: {turn.mode} ({_MODES[turn.mode]})"] if turn.mode in _MODES else []
    return "\n".join(["How I want to be answered, always:", *(f"- {each}" for each in lines)]) if lines else ""
