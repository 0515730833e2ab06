"""What every format gives, and how it refuses."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from alejo.errors import InvalidArgument
from alejo.types import MemoryDraft, MessageDraft, Value

_MOST_LABELS, _KEY, _VALUE = 32, 64, 1024  # what a memory's labels may be


class Conversation(Value, frozen=True):
    """A session to import: `parent` is the origin of the session it continues; drafts name no session yet.

    `memories` come beside it; without messages they may come alone, with no origin. `left_out` says what of the file
    cannot be carried over.
    """

    origin: str
    title: str = ""
    parent: str = ""
    metadata: dict[str, str] = {}
    messages: tuple[MessageDraft, ...] = ()
    memories: tuple[MemoryDraft, ...] = ()
    left_out: tuple[str, ...] = ()


def wrong(place: str, what: str) -> InvalidArgument:
    """The error of a file, naming the line or field."""
    return InvalidArgument(f"{place}: {what}", [(place, what)], reason="FILE_REFUSED")


def iso(value: Any, place: str) -> int | None:
    """A time of ISO 8601 in µs; without an offset it is UTC. None for none."""
    if value is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise wrong(place, f"is {value!r}, not a time of ISO 8601") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(microseconds=1)


def labels(values: Mapping[str, Any]) -> dict[str, str]:
    """Labels as a memory may have them: anything but a text becomes JSON, and what is too long or too much is cut."""
    told = [
        (key[:_KEY], each if isinstance(each, str) else json.dumps(each, ensure_ascii=False))
        for key, each in values.items()
    ]
    return {key: each[:_VALUE] for key, each in told[:_MOST_LABELS] if key}
