"""Sentences about memories: who said it, when, and the words themselves, unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alejo.roles import Turn
from alejo.types import Memory

from .tongues import Tongue, english

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name, None if there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None


def here(turn: Turn) -> tzinfo:
    """The time zone a turn's user is in; UTC where nobody knows."""
    return zone(turn.zone) or UTC


def moment(microseconds: int, place: tzinfo) -> datetime:
    """A time of ALEJO as a datetime where somebody is; times beyond the calendar become its nearest end."""
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).astimezone(place)
    except OverflowError:
        return (datetime.max if microseconds > 0 else datetime.min).replace(tzinfo=place)


@lru_cache(maxsize=512)  # the same few, as what is found was mostly said on few days
def day(when: date, tongue: Tongue | None = None) -> str:
    """A date as people write it: 8 May 2023."""
    dates = (tongue or english()).dates
    return dates["day"].format(day=when.day, month=dates["months"].split()[when.month - 1], year=when.year)


def month(memory: Memory, place: tzinfo, tongue: Tongue | None = None) -> str:
    """In which month something was said: May 2023."""
    said = moment(memory.sent_at, place)
    return f"{(tongue or english()).dates['months'].split()[said.month - 1]} {said.year}"


def when(memory: Memory, now: int, place: tzinfo, tongue: Tongue | None = None) -> str:
    """When something was said, always with the date: "today, 8 May 2023", "on 7 May 2022"."""
    said, today = moment(memory.sent_at, place).date(), moment(now, place).date()
    name = {0: "today", 1: "yesterday"}.get((today - said).days, "on")
    return (tongue or english()).says[name][0].format(day=day(said, tongue))


def quoted(memory: Memory) -> str:
    """The memory's words, whole and unchanged: the host finds quotes by them when something is forgotten."""
    return f'"{memory.text}"'


def sentence(memory: Memory, now: int, place: tzinfo, tongue: Tongue | None = None) -> str:
    """A memory with its source and date: "You told me on 8 May 2023: …", "Caroline said on 8 May 2023: …"."""
    told = "showed" if memory.kind == "percept" else "you"
    pattern = (tongue or english()).says["they" if memory.speaker else told][0]
    return pattern.format(name=memory.speaker, when=when(memory, now, place, tongue), quote=quoted(memory))


def dated(memory: Memory, place: tzinfo, tongue: Tongue | None = None) -> str:
    """A memory in a list: its words, who said them, and the date in brackets."""
    who = f"{memory.speaker}, " if memory.speaker else ""
    return f"{quoted(memory)} ({who}{day(moment(memory.sent_at, place).date(), tongue)})"


def numbered(items: Sequence[str]) -> str:
    """A list on a single line."""
    return "; ".join(f"{place}) {item}" for place, item in enumerate(items, 1))
