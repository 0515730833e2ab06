"""What a message asks for in a turn: a command to run, a question back where that is unsure, or none of both.

A question back names the reading, and is not kept anywhere: whether the last answer was one follows from the message
before it, which is read again. So any process can take the yes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from alejo.roles import Turn
from alejo.types import CommandSpec, Role

from .grammar import Tokens
from .interpreting import SURE, Reading, interpret
from .languages import languages, ready
from .values import encoded, worded

_ANSWER = 60  # characters of the longest message that may be a yes or a no
_SLASH = re.compile(r"/([A-Za-z][\w-]*)(?:\s(.*))?", re.DOTALL)
_FIRST = re.compile(r"([A-Za-z]\w*)(?:\s(.*))?", re.DOTALL)
# "Weather was lovely" tells something of the weather; "weather Bonn" wants the command.
_TELLING = frozenset(
    "is was are were has had have can will would and or of in on that makes ist war sind hat es era fue".split()  # noqa: SIM905  words read better in a row
)
_LET_BE = {
    "en": "All right, I leave it.",
    "de": "Gut, ich lasse es.",
    "es": "De acuerdo, lo dejo.",
    "hi": "ठीक है, रहने देता हूँ।",
}


class Call(msgspec.Struct, frozen=True):
    """A command's name and its arguments, as a desk takes them."""

    name: str
    arguments: str


async def hear(turn: Turn) -> Call | str | None:
    """The command that is to be run, or what is to be said instead: a question, or that nothing is done."""
    await ready()
    text = turn.message.text
    heard = called(text, turn.commands)
    if heard is not None or len(text) > _ANSWER:
        return heard
    agreed = _agreed(text)
    if agreed is None:
        return None
    before = await turn.desk.said(2)
    if [message.role for message in before] != [Role.USER, Role.ASSISTANT]:
        return None
    reading = interpret(before[0].text, turn.commands)
    if reading is None or reading.confidence >= SURE or question(reading) != before[1].text:
        return None
    return _call(reading, turn.commands) if agreed else _LET_BE[reading.language]


def called(text: str, specs: Sequence[CommandSpec]) -> Call | str | None:
    """The command that a message is, or the question that asks back about it."""
    offered = {spec.name: spec for spec in specs}
    slash = _SLASH.fullmatch(text.strip())
    if slash is not None:
        name, words = slash[1].lower(), (slash[2] or "").strip()
        return Call(name, worded(offered[name], words) if name in offered else words)
    reading = interpret(text, specs)
    if reading is not None:
        return _call(reading, specs) if reading.confidence >= SURE else question(reading)
    first = _FIRST.fullmatch(text.strip())
    if first is not None and first[1].lower() in offered.keys() - languages()["en"].known:
        name, words = first[1].lower(), (first[2] or "").strip()
        if words.split(" ", 1)[0].lower() not in _TELLING:
            return Call(name, worded(offered[name], words))
    return None


def question(reading: Reading) -> str:
    """What is asked back: whether the reading is meant."""
    asked = languages()[reading.language].ask
    words = ", ".join(str(value) for value in reading.arguments.values() if value != "")
    return asked.get(reading.command, asked["other"]).format_map(
        {"text": words, "command": reading.command, **reading.arguments}
    )


def _call(reading: Reading, specs: Sequence[CommandSpec]) -> Call:
    spec = next(spec for spec in specs if spec.name == reading.command)
    return Call(spec.name, encoded(spec, reading.arguments))


def _agreed(text: str) -> bool | None:
    """Whether a message says yes or no and nothing else."""
    for language in languages().values():
        tokens = Tokens(text, 0, len(text))
        first = next((place for place, word in enumerate(tokens.words) if word[0].isalnum()), -1)
        if first >= 0 and language.no.match(tokens, first) is not None:
            return False
        if first >= 0 and language.yes.match(tokens, first) is not None:
            return True
    return None
