"""What a message asks for in a turn: a command to run, a question back where that is unsure, or none of both.

A question back names the reading, and is not kept anywhere: whether the last answer was one follows from the message
before it, which is read again. So any process can take the yes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from alejo.roles import Turn
from alejo.types import CommandSpec, Role

from .commands.days import day, moment
from .commands.lexicon import Unread
from .commands.memories import having
from .commands.replies import Locale
from .intent import KNOWN, intents
from .interpreting import SURE, Reading, interpret
from .languages import agreed, language_of
from .telling import told_then
from .values import Times, encoded, iso, placed, worded

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


def _ready() -> None:
    """Reads weights and English, if that was not done yet."""
    intents()
    language_of("en")


async def hear(turn: Turn) -> Call | str | None:
    """The command that is to be run, or what is to be said instead.

    That is a question back, that nothing is done, or what was told in a time that is asked for: no words find that.
    """
    if not intents.cache_info().currsize:
        await asyncio.to_thread(_ready)
    then = await told_then(turn)
    if then is not None:
        return then
    text = turn.message.text
    locale = Locale(turn)
    times = _times(locale.now.replace(tzinfo=locale.zone))
    heard = called(text, turn.commands, times)
    if isinstance(heard, str) and await _is_groundless(interpret(text, turn.commands, times), turn):
        return None
    if heard is not None:
        return heard
    is_yes = agreed(text)
    if is_yes is None:
        return None
    before = await turn.desk.said(2)
    if [message.role for message in before] != [Role.USER, Role.ASSISTANT]:
        return None
    reading = interpret(before[0].text, turn.commands, times)
    if reading is None or reading.confidence >= SURE or question(reading) != before[1].text:
        return None
    return _call(reading, turn.commands) if is_yes else _LET_BE[reading.language]


async def _is_groundless(reading: Reading | None, turn: Turn) -> bool:
    """Whether a reading corrects what was never told: talk that only has the form of a correction."""
    if reading is None or reading.command != "correct" or "old" not in reading.arguments:
        return False
    return not await having(reading.arguments["old"], reading.arguments.get("new", ""), turn)


def called(text: str, specs: Sequence[CommandSpec], times: Times = iso) -> Call | str | None:
    """The command that a message is, or the question that asks back about it."""
    offered = {spec.name: spec for spec in specs}
    slash = _SLASH.fullmatch(text.strip())
    if slash is not None:
        name, words = slash[1].lower(), (slash[2] or "").strip()
        return Call(name, worded(offered[name], words, times) if name in offered else words)
    reading = interpret(text, specs, times)
    if reading is not None:
        return _call(reading, specs) if reading.confidence >= SURE else question(reading)
    first = _FIRST.fullmatch(text.strip())
    if first is not None and first[1].lower() in offered.keys() - KNOWN:
        name, words = first[1].lower(), (first[2] or "").strip()
        if words.split(" ", 1)[0].lower() not in _TELLING:
            return Call(name, worded(offered[name], words, times))
    return None


def question(reading: Reading) -> str:
    """What is asked back: whether the reading is meant."""
    asked = language_of(reading.language).ask
    words = ", ".join(str(value) for value in reading.arguments.values() if value != "")
    slots = {"command": reading.command, **(reading.arguments or {"text": reading.command})}
    try:
        return asked[reading.command].format_map(slots)
    except KeyError:  # a plugin's command, or one of which not all was said
        return asked["other"].format_map(slots | {"text": words or reading.command})


def _call(reading: Reading, specs: Sequence[CommandSpec]) -> Call:
    spec = next(spec for spec in specs if spec.name == reading.command)
    return Call(spec.name, encoded(spec, reading.arguments))


def _times(now: datetime) -> Times:
    """What reads times as people say them, seen from a time where the user is."""
    wall = now.replace(tzinfo=None)

    def read(words: str, form: str) -> str:
        try:
            return iso(words, form, now)
        except ValueError:
            pass
        try:
            if form == "date":
                return day(words, wall).isoformat()
            at = placed(moment(words, wall).at, now).isoformat()
        except Unread:
            raise ValueError(words) from None
        return at.partition("T")[2] if form == "time" else at

    return read
