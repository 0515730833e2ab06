"""Which records are files for people, where they are, and what they look like.

    users/NAME/user.json                                   whose folder it is
    users/NAME/memories/LAYER/2026-11-20 WORDS TAIL.md     a memory; TAIL is the end of its id
    users/NAME/sessions/2026-11-20 TITLE TAIL/session.json
    users/NAME/sessions/2026-11-20 TITLE TAIL/0001 user.md a message, by its number, and 0001-1.png a picture in it

A record is written as files only if they give back exactly it; any other stays in the log, as all other tables do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import msgspec

from alejo.storage.journal import message_key
from alejo.storage.tables import MEMORIES, MESSAGES, SCOPES, SESSIONS
from alejo.types import Image, Layer, Memory, Message, Scope, Session
from alejo.wire.rules import NAME, TEXT, labels

from . import fields
from .names import safe
from .text import Wrong, read, write

Contents = list[tuple[str, bytes]]  # of files, by their paths; the first is the record's own
Reader = Callable[[str], bytes]  # a file of the same folder; raises Wrong

LAYERS = {layer.name.lower(): layer for layer in Layer}
PEOPLE = frozenset({MEMORIES.name, MESSAGES.name, SESSIONS.name, SCOPES.name})
SESSION, USER = "session.json", "user.json"
_ENCODE = msgspec.msgpack.Encoder().encode
_TYPES = {table.name: msgspec.msgpack.Decoder(table.row) for table in (MEMORIES, MESSAGES, SESSIONS, SCOPES)}
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "image/bmp": "bmp"}
_WORDS = 48  # bytes of a memory or title in a name


class Page(NamedTuple):
    """A record as a file tells it: what it is in storage, and what of it the file does not say."""

    table: str
    key: bytes  # beyond tenant and user
    value: Any
    given: dict[str, Any] = {}


def decode(table: str, value: bytes) -> Any:
    """The value of a record for people. Raises msgspec.MsgspecError if it is none."""
    return _TYPES[table].decode(value)


def encode(value: Any) -> bytes:
    """The value as the storage is given it."""
    return _ENCODE(value)


def key_of(value: Any) -> bytes:
    """Where a value of one of the tables for people stands, beyond tenant and user."""
    if isinstance(value, Message):
        return message_key(value.session_id, value.sent_at, value.seq)
    return b"" if isinstance(value, Scope) else bytes.fromhex(value.id)


def place(value: Any, home: str, folder: str, *, whole: bool = False) -> str:
    """Where a value's file belongs: within a user's `home`, or the `folder` of its session.

    With `whole` a memory's name tells its whole identifier.
    """
    if isinstance(value, Memory):
        return f"{home}/memories/{value.layer.name.lower()}/{_named(value.sent_at, value.text, value.id, whole)}.md"
    if isinstance(value, Message):
        return f"{folder}/{value.seq:04} {value.role.name.lower()}.md"
    return f"{folder}/{SESSION}" if isinstance(value, Session) else f"{home}/{USER}"


def session_folder(session: Session, home: str, *, whole: bool = False) -> str:
    """Where a session's files belong, from its first record on. With `whole` the name tells its whole identifier."""
    words = session.title or str(fields.moment(session.created_at))[11:16].replace(":", ".")
    return f"{home}/sessions/{_named(session.created_at, words, session.id, whole)}"


def kept(path: str, before: Any, value: Any) -> str:
    """Where a file that a person named belongs when its record changes: where it is, but for a memory's layer."""
    if isinstance(value, Memory) and value.layer != before.layer and _layer(path):
        return str(PurePosixPath(path).parents[1] / value.layer.name.lower() / PurePosixPath(path).name)
    return path


def _named(at: int, words: str, identifier: str, whole: bool) -> str:
    """The date, the first words and the end of the identifier."""
    day = str(fields.moment(at))[:10]
    first = next((line for line in words.splitlines() if line.strip()), "")
    return " ".join(filter(None, (day, _cut(safe(first)), identifier if whole else identifier[-8:])))


def _cut(name: str) -> str:
    if len(name.encode()) <= _WORDS:
        return name
    whole = name.encode()[:_WORDS].decode(errors="ignore")
    return safe(whole.rpartition(" ")[0] or whole)


def contents(value: Any, path: str) -> Contents:
    """The files of a value whose own is `path`. Raises ValueError if it cannot be written."""
    if isinstance(value, Memory):
        said = fields.write(value, {"text", "version", *(("layer",) if _layer(path) else ())})
        return [(path, write(said, value.text))]
    if isinstance(value, Message):
        return _message(value, path)
    told = {"tenant": value.tenant, "user": value.user} if isinstance(value, Scope) else fields.write(value)
    return [(path, json.dumps(told, indent=2, ensure_ascii=False).encode() + b"\n")]


def _message(message: Message, path: str) -> Contents:
    said = fields.write(message, {"text", "images", "session_id"})
    found: Contents = []
    stem = PurePosixPath(path).name.partition(" ")[0]
    for number, image in enumerate(message.images, 1):
        name = f"{stem}-{number}.{_ENDINGS.get(image.media_type, 'image')}"
        told = {"file": name, "media_type": image.media_type, "caption": image.caption}
        said.setdefault("images", []).append({key: text for key, text in told.items() if text})
        found.append((str(PurePosixPath(path).with_name(name)), image.data))
    return [(path, write(said, message.text)), *found]


def parse(path: str, content: bytes, known: Mapping[str, Any], reader: Reader, session_id: str) -> Page | None:
    """The record that a file within a user's folder tells, or None if it is no record's. Raises Wrong.

    `known` is what of it is known beside the file, `reader` gives the pictures, `session_id` is that of its folder.
    """
    parts = path.split("/")[2:]
    if parts[0] == "memories" and path.endswith(".md"):
        return _read_memory(path, content, known)
    if parts[0] == "sessions" and len(parts) == 3 and parts[2] == SESSION:
        session = fields.read(Session, _json(content))
        return Page(SESSIONS.name, _raw(session.id), session)
    if parts[0] == "sessions" and len(parts) == 3 and path.endswith(".md"):
        return _read_message(content, reader, session_id)
    return None


def parse_user(content: bytes) -> Scope:
    """Whose folder it is. Raises Wrong."""
    scope = fields.read(Scope, _json(content))
    if not (1 <= len(scope.user) <= 128 and 1 <= len(scope.tenant) <= 128):
        raise Wrong(1, "tenant and user must have 1 to 128 characters")
    return scope


def _read_memory(path: str, content: bytes, known: Mapping[str, Any]) -> Page:
    said, text = read(content)
    if not text.strip():
        raise Wrong(content.count(b"\n") or 1, "has no text")
    if len(text) > TEXT:
        raise Wrong(1, f"has more than {TEXT:,} characters")
    layer = _layer(path)
    if layer:
        said.pop("layer", None)  # the folder tells it, also of a file that was moved here
    given = {name: value for name, value in known.items() if name not in said}
    memory = fields.read(Memory, said, given, {"text": text, "version": 0}, layer=layer or Layer.EPISODIC)
    found: list[tuple[str, str]] = []
    labels(memory.metadata, "metadata", found)
    if found:
        raise Wrong(said["metadata"][0], ": ".join(found[0]))
    if not 0 <= memory.importance <= 1:
        raise Wrong(said["importance"][0], "importance is from 0 to 1")
    for name, text in (("speaker", memory.speaker), ("kind", memory.kind)):
        if len(text) > NAME:
            raise Wrong(said[name][0], f"{name} has more than {NAME} characters")
    for identifier in filter(None, (memory.session_id, memory.message_id, memory.superseded_by, *memory.sources)):
        _raw(identifier)
    return Page(MEMORIES.name, _raw(memory.id), memory, {name: given[name] for name in sorted(given)})


def _layer(path: str) -> Layer | None:
    """The layer that a memory's folder tells."""
    parts = path.split("/")
    return LAYERS.get(parts[3]) if len(parts) == 5 else None


def _read_message(content: bytes, reader: Reader, session_id: str) -> Page:
    said, text = read(content)
    line, listed = said.pop("images", (1, []))
    images = []
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise Wrong(line, "images is not a list of pictures")
    for each in listed:
        try:
            name, media_type, caption = str(each["file"]), str(each.get("media_type", "")), str(each.get("caption", ""))
        except KeyError:
            raise Wrong(line, "a picture has no file") from None
        if "/" in name or name.startswith("."):
            raise Wrong(line, f"the picture {name[:40]!r} is not beside the message")
        images.append(Image(reader(name), media_type, caption))
    message = fields.read(Message, said, {}, {"text": text, "session_id": session_id, "images": tuple(images)})
    _raw(message.id)
    if not 1 <= message.seq < 1 << 32:
        raise Wrong(1, "seq counts from 1")
    return Page(MESSAGES.name, key_of(message), message)


def _json(content: bytes) -> dict[str, tuple[int, Any]]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise Wrong(getattr(error, "lineno", 1), f"is not valid JSON: {getattr(error, 'msg', 'not UTF-8')}") from None
    if not isinstance(found, dict):
        raise Wrong(1, "is not a JSON object")
    lines = content.decode().split("\n")

    def line(name: str) -> int:
        return next((number for number, text in enumerate(lines, 1) if json.dumps(name) in text), 1)

    return {name: (line(name), value) for name, value in found.items()}


def _raw(identifier: str) -> bytes:
    try:
        found = bytes.fromhex(identifier)
    except ValueError:
        found = b""
    if len(found) != 16 or found.hex() != identifier:
        raise Wrong(1, f"{identifier[:40]!r} is not an identifier")
    return found
