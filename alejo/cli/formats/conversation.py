"""What every format gives, and how it refuses."""

from __future__ import annotations

from alejo.errors import InvalidArgument
from alejo.types import MessageDraft, Value


class Conversation(Value, frozen=True):
    """A session to import: `parent` is the origin of the session it continues; drafts name no session yet."""

    origin: str
    title: str = ""
    parent: str = ""
    metadata: dict[str, str] = {}
    messages: tuple[MessageDraft, ...] = ()


def wrong(place: str, what: str) -> InvalidArgument:
    """The error of a file, naming the line or field."""
    return InvalidArgument(f"{place}: {what}", [(place, what)], reason="FILE_REFUSED")
