"""The lines of an export: JSON, one object a line, each with its `type`; docs/ownership.md describes them.

A line has the fields of the value it stands for, by their names, without those at their default. Times are µs since the
Unix epoch; bytes are base64, or hexadecimal where they are a key; words of enums are small letters. The first line is
the header, the last is the end; a session stands before its messages, a memory before what it was.
"""

from __future__ import annotations

import base64
import enum
import functools
import types
import typing
from typing import Annotated, Any

import msgspec

from alejo.errors import InvalidArgument
from alejo.lessons import WeightsVersion
from alejo.storage.tables import (
    AuditEntry,
    Feedback,
    Liking,
    Origin,
    PairRow,
    RecallCount,
    Remembered,
    SessionTopics,
    TurnRow,
    WeightsInUse,
)
from alejo.types import (
    Correction,
    Impression,
    Memory,
    Message,
    ModelUse,
    Preferences,
    Reminder,
    Session,
    Value,
    Version,
)

FORMAT = 1
MOST_BYTES = 48 << 20  # of one line: eight pictures of 3 MiB, and room


class Header(Value, frozen=True):
    """The first line: what it is, of which version of the format, by which ALEJO, and when it was begun."""

    version: int
    alejo: str
    at: int


class Quote(Value, frozen=True):
    """That an answer quotes a memory or message: its id, the request and the place of the answer, all hexadecimal."""

    subject: str
    request: str
    answer: str


class End(Value, frozen=True):
    """The last line: how many lines there are before it, how many records could not be read, and whether it is of one
    moment or something was written meanwhile."""

    lines: int
    unreadable: int = 0
    changed: bool = False


KINDS: dict[str, type[Value]] = {
    "export": Header,
    "session": Session,
    "message": Message,
    "memory": Memory,
    "version": Version,
    "recall": RecallCount,
    "reminder": Reminder,
    "preferences": Preferences,
    "turn": TurnRow,
    "quote": Quote,
    "topics": SessionTopics,
    "pair": PairRow,
    "feedback": Feedback,
    "weights": WeightsVersion,
    "weights_in_use": WeightsInUse,
    "correction": Correction,
    "impression": Impression,
    "origin": Origin,
    "request": Remembered,
    "audit": AuditEntry,
    "end": End,
}
# What says not itself where it is kept.
_NOT_SAYING = "recall preferences pair feedback weights_in_use correction impression origin request audit"
KEYED = frozenset(_NOT_SAYING.split())
_NAMES = {kind: name for name, kind in KINDS.items()}

_TEXT = msgspec.Meta(max_length=1 << 20)
_ID = msgspec.Meta(pattern="^[0-9a-f]{32}$")
_PERHAPS = msgspec.Meta(pattern="^([0-9a-f]{32})?$")
_HEX = msgspec.Meta(pattern="^([0-9a-f]{2})*$", max_length=128)
_NUMBER = msgspec.Meta(ge=-(1 << 61), le=1 << 61)
# What a string is by its field's name, and by its type's too where that is not enough.
_STRINGS: dict[str | tuple[type, str], msgspec.Meta] = {
    **dict.fromkeys(("id", "sources", "memory_ids", "message_ids"), _ID),
    **dict.fromkeys(("session_id", "message_id", "parent_id", "superseded_by"), _PERHAPS),
    **dict.fromkeys(((Quote, "subject"), (Quote, "request"), (Quote, "answer")), _HEX),
    (Message, "session_id"): _ID,
    (SessionTopics, "session_id"): _ID,
    (SessionTopics, "preferences"): _ID,
    (Liking, "memory_id"): _ID,
    (ModelUse, "memory_id"): _PERHAPS,
    (TurnRow, "id"): _TEXT,
    (TurnRow, "session_id"): _ID,
}


def line(value: Value, key: bytes = b"") -> bytes:
    """The line of a value, with its newline; `key` for those that do not say themselves where they are kept."""
    tree = {"type": _NAMES[type(value)], **({"key": key.hex()} if key else {}), **_tree(value)}
    return msgspec.json.encode(tree) + b"\n"


def read(data: bytes, place: str) -> tuple[str, bytes, Any]:
    """The type, key and value of a line. Raises InvalidArgument naming `place` and the field."""
    try:
        name = msgspec.json.decode(data, type=_Typed).type
        kind = KINDS.get(name)
        if kind is None:
            raise wrong(place, f"type: {name!r} is none of {', '.join(KINDS)}")
        found = msgspec.json.decode(data, type=_twin(kind, keyed=name in KEYED, tag=True))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise wrong(place, str(error) or "is nested too deeply") from None
    return name, bytes.fromhex(getattr(found, "key", "")), _value(found, kind)


def wrong(place: str, what: str) -> InvalidArgument:
    """The error of a line."""
    return InvalidArgument(f"{place}: {what}", [(place, what)], reason="FILE_REFUSED")


class _Typed(msgspec.Struct):
    type: str


def _tree(value: Any) -> Any:
    """What JSON knows of a value."""
    if isinstance(value, Value):
        pairs = ((name, default, getattr(value, name)) for name, _, default in _fields(type(value)))
        return {name: _tree(each) for name, default, each in pairs if default is msgspec.NODEFAULT or each != default}
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, tuple):
        return [_tree(each) for each in value]
    return value


@functools.cache
def _fields(kind: type[Value]) -> tuple[tuple[str, Any, Any], ...]:
    """Name, type and default of each field."""
    found = []
    for field in msgspec.structs.fields(kind):
        made = field.default_factory
        default = field.default if made is msgspec.NODEFAULT else made()
        found.append((field.name, field.type, default))
    return tuple(found)


@functools.cache
def _twin(kind: type[Value], *, keyed: bool = False, tag: bool = False) -> type[msgspec.Struct]:
    """A type that reads objects where `kind` reads arrays, and knows what its strings and numbers may be."""
    own: list[Any] = [("type", str)] if tag else []
    own += [("key", Annotated[str, _HEX])] if keyed else []
    for name, annotation, default in _fields(kind):
        read_as = _read_as(annotation, _STRINGS.get((kind, name)) or _STRINGS.get(name) or _TEXT)
        own.append((name, read_as) if default is msgspec.NODEFAULT else (name, read_as, msgspec.field(default=default)))
    return msgspec.defstruct(kind.__name__, own, kw_only=True, forbid_unknown_fields=True)


def _read_as(annotation: Any, strings: msgspec.Meta) -> Any:
    if annotation is str:
        return Annotated[str, strings]
    if annotation is int:
        return Annotated[int, _NUMBER]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _words(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return _twin(annotation)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return tuple[_read_as(inner[0], strings), ...]  # type: ignore[misc]  # a computed type
    if origin in {types.UnionType, typing.Union}:
        return typing.Union[tuple(_read_as(each, strings) for each in inner)]  # noqa: UP007 - of a computed tuple
    if origin is dict:
        return dict[Annotated[str, _TEXT], _read_as(inner[1], _TEXT)]  # type: ignore[misc]  # a computed type
    return annotation


@functools.cache
def _words(kind: type[enum.Enum]) -> type[enum.Enum]:
    return enum.Enum(kind.__name__, {each.name: each.name.lower() for each in kind})  # type: ignore[return-value]


def _value(found: Any, kind: Any) -> Any:
    """The value that a twin was read for."""
    if isinstance(found, msgspec.Struct):
        made = next(each for each in (kind, *typing.get_args(kind)) if isinstance(each, type))  # the first of X | None
        return made(*(_value(getattr(found, name), annotation) for name, annotation, _ in _fields(made)))
    if isinstance(found, enum.Enum) and not isinstance(found, enum.IntEnum):
        return kind[found.name]
    if isinstance(found, tuple):
        return tuple(_value(each, typing.get_args(kind)[0]) for each in found)
    return found
