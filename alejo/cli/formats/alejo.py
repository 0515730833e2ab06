"""Our own format: JSON lines. A session's line comes before its messages and before the sessions that continue it.

    {"type": "session", "id": "s1", "title": "A walk", "parent": "", "metadata": {}}
    {"type": "message", "session": "s1", "id": "m1", "role": "user", "speaker": "", "text": "Hello", "sent_at":
     "2024-05-01T09:30:00Z", "metadata": {}}

Needed are `type`, a session's `id`, a message's `session` and `text`. Ids are compared over all files ever imported:
a second item by the same id is the same item. A message without an id is known by its place in the session and its
content. `role` is user (default), assistant, system or tool; a time without an offset is UTC.
"""

from __future__ import annotations

import datetime
import hashlib
from typing import Literal

import msgspec

from alejo.types import MessageDraft, Role

from .conversation import Conversation, wrong


class SessionLine(msgspec.Struct, tag="session", forbid_unknown_fields=True):
    """A session."""

    id: str
    title: str = ""
    parent: str = ""
    metadata: dict[str, str] = {}


class MessageLine(msgspec.Struct, tag="message", forbid_unknown_fields=True):
    """A message of a session."""

    session: str
    text: str
    id: str = ""
    role: Literal["user", "assistant", "system", "tool"] = "user"
    speaker: str = ""
    sent_at: datetime.datetime | None = None
    metadata: dict[str, str] = {}


def parse(text: str, name: str) -> list[Conversation]:
    """The sessions of the lines. Raises InvalidArgument naming the line."""
    decoder = msgspec.json.Decoder(SessionLine | MessageLine)
    sessions: dict[str, SessionLine] = {}
    messages: dict[str, dict[str, MessageDraft]] = {}
    # Not splitlines: U+2028 and its like may stand inside a JSON string.
    for number, raw in enumerate(text.split("\n"), 1):
        if not raw.strip():
            continue
        place = f"{name}, line {number}"
        try:
            line = decoder.decode(raw)
        except msgspec.DecodeError as error:
            raise wrong(place, str(error)) from None
        if isinstance(line, SessionLine):
            _add_session(line, sessions, place)
            messages[line.id] = {}
        else:
            _add_message(line, messages, place)
    return [_conversation(line, messages[line.id]) for line in sessions.values()]


def _add_session(line: SessionLine, sessions: dict[str, SessionLine], place: str) -> None:
    if not line.id:
        raise wrong(place, "id: is empty")
    if line.id in sessions:
        raise wrong(place, f"id: the session {line.id!r} is there already")
    if line.parent and line.parent not in sessions:
        raise wrong(place, f"parent: no session {line.parent!r} comes before it")
    sessions[line.id] = line


def _add_message(line: MessageLine, messages: dict[str, dict[str, MessageDraft]], place: str) -> None:
    if line.session not in messages:
        raise wrong(place, f"session: no session {line.session!r} comes before it")
    own = messages[line.session]
    sent_at = _microseconds(line.sent_at)
    content = repr((len(own), line.role, line.speaker, line.text, sent_at)).encode()
    origin = _origin(line.session, line.id or "#" + hashlib.sha256(content).hexdigest()[:32])
    if origin in own:
        raise wrong(place, f"id: the message {line.id!r} is there already")
    own[origin] = MessageDraft(
        "",
        line.text,
        Role[line.role.upper()],
        line.speaker,
        sent_at=sent_at,
        metadata=line.metadata,
        origin=origin,
    )


def _conversation(line: SessionLine, messages: dict[str, MessageDraft]) -> Conversation:
    return Conversation(
        _origin(line.id),
        line.title,
        _origin(line.parent) if line.parent else "",
        line.metadata,
        tuple(messages.values()),
    )


def _origin(*parts: str) -> str:
    """At most 256 characters, and no two lists of parts the same: a separator within a part is doubled."""
    origin = "alejo:" + ":".join(part.replace(":", "::") for part in parts)
    return origin if len(origin) <= 200 else "alejo:#" + hashlib.sha256(origin.encode()).hexdigest()


def _microseconds(moment: datetime.datetime | None) -> int | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(microseconds=1)
