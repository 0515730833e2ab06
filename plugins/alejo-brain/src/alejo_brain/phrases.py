"""Sentences about memories: who said it, when, and the words themselves, unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from alejo.types import Memory

from .tongues import Tongue, english

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """A time of ALEJO as a datetime, UTC; times beyond the calendar become its nearest end."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return (datetime.max if microseconds > 0 else datetime.min).replace(tzinfo=UTC)


@lru_cache(maxsize=512)  # the same few, as what is found was mostly said on few days
def day(when: date, tongue: Tongue | None = None) -> str:
    """A date as people write it: 8 May 2023."""
    dates = (tongue or english()).dates
    return dates["day"].format(day=when.day, month=dates["months"].split()[when.month - 1], year=when.year)


def month(memory: Memory, tongue: Tongue | None = None) -> str:
    """In which month something was said: May 2023."""
    said = moment(memory.sent_at)
    return f"{(tongue or english()).dates['months'].split()[said.month - 1]} {said.year}"


def when(memory: Memory, now: int, tongue: Tongue | None = None) -> str:
    """When something was said, always with the date: "today, 8 May 2023", "on 7 May 2022"."""
    said, today = moment(memory.sent_at).date(), moment(now).date()
    name = {0: "today", 1: "yesterday"}.get((today - said).days, "on")
    return (tongue or english()).says[name][0].format(day=day(said, tongue))


def quoted(memory: Memory) -> str:
    """The memory's words, whole and unchanged: the host finds quotes by them when something is forgotten."""
    return f'"{memory.text}"'


def sentence(memory: Memory, now: int, tongue: Tongue | None = None) -> str:
    """A memory with its source and date: "You told me on 8 May 2023: …", "Caroline said on 8 May 2023: …"."""
    told = "showed" if memory.kind == "percept" else "you"
    pattern = (tongue or english()).says["they" if memory.speaker else told][0]
    return pattern.format(name=memory.speaker, when=when(memory, now, tongue), quote=quoted(memory))


def dated(memory: Memory, tongue: Tongue | None = None) -> str:
    """A memory in a list: its words, who said them, and the date in brackets."""
    who = f"{memory.speaker}, " if memory.speaker else ""
    return f"{quoted(memory)} ({who}{day(moment(memory.sent_at).date(), tongue)})"


def numbered(items: Sequence[str]) -> str:
    """A list on a single line."""
    return "; ".join(f"{place}) {item}" for place, item in enumerate(items, 1))
