"""Sentences about memories: who said it, when, and the words themselves, unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from alejo.types import Memory

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """A time of ALEJO as a datetime, UTC; times beyond the calendar become its nearest end."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return (datetime.max if microseconds > 0 else datetime.min).replace(tzinfo=UTC)


@lru_cache(maxsize=512)  # the same few, as what is found was mostly said on few days
def day(when: date) -> str:
    """A date as people write it: 8 May 2023."""
    return f"{when.day} {when:%B} {when.year}"


def when(memory: Memory, now: int) -> str:
    """When something was said, always with the date: "today, 8 May 2023", "on 7 May 2022"."""
    said, today = moment(memory.sent_at).date(), moment(now).date()
    if said == today:
        return f"today, {day(said)}"
    if (today - said).days == 1:
        return f"yesterday, {day(said)}"
    return f"on {day(said)}"


def source(memory: Memory, now: int) -> str:
    """Who said it and when: "You told me on 8 May 2023", "Caroline said on 8 May 2023"."""
    told = "You showed me" if memory.kind == "percept" else "You told me"
    who = f"{memory.speaker} said" if memory.speaker else told
    return f"{who} {when(memory, now)}"


def quoted(memory: Memory) -> str:
    """The memory's words, whole and unchanged: the host finds quotes by them when something is forgotten."""
    return f'"{memory.text}"'


def sentence(memory: Memory, now: int) -> str:
    """A memory with its source and date."""
    return f"{source(memory, now)}: {quoted(memory)}"


def dated(memory: Memory) -> str:
    """A memory in a list: its words, who said them, and the date in brackets."""
    who = f"{memory.speaker}, " if memory.speaker else ""
    return f"{quoted(memory)} ({who}{day(moment(memory.sent_at).date())})"


def numbered(items: Sequence[str]) -> str:
    """A list on a single line."""
    return "; ".join(f"{place}) {item}" for place, item in enumerate(items, 1))
