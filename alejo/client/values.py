"""What a server sends as values of `alejo.types`, and back, by the names their fields share.

A client is no hot path: one walk over the fields serves every message. A few names differ between the wire and the
library; `_READ` and `_WRITE` hold them.
"""

from __future__ import annotations

import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from google.protobuf.message import Message as Proto
from google.protobuf.timestamp_pb2 import Timestamp

from alejo.types import Image, Memory, Message, Value

T = TypeVar("T", bound=Value)


def read(proto: Proto, kind: type[T]) -> T:
    """The value of a message. Fields the wire does not carry keep their defaults."""
    values: dict[str, Any] = {}
    for name, convert in _fields(kind):
        special = _READ.get((kind, name))
        if special is not None:
            values[name] = special(proto)
        elif name in proto.DESCRIPTOR.fields_by_name:
            optional = proto.DESCRIPTOR.fields_by_name[name].has_presence
            if optional and not proto.HasField(name):
                continue
            values[name] = convert(getattr(proto, name))
    return kind(**{**_ABSENT.get(kind, {}), **values})


def write(value: Value, proto: Proto) -> None:
    """Fills the message with what the value says. None and empty fields are left out."""
    for name in type(value).__struct_fields__:
        item = getattr(value, name)
        if name == "images":
            for image in item:
                write(image, proto.parts.add().image)  # type: ignore[attr-defined]
        elif item is None or item in ("", ()) or name not in proto.DESCRIPTOR.fields_by_name:
            continue
        elif name.startswith("sent_"):
            getattr(proto, name).FromMicroseconds(item)
        elif isinstance(item, dict):
            getattr(proto, name).update(item)
        elif isinstance(item, tuple):
            getattr(proto, name).extend(item)
        else:
            setattr(proto, name, item)


@functools.cache
def _fields(kind: type[Value]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((name, _converter(hints[name])) for name in kind.__struct_fields__)


def _converter(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, types.UnionType):
        hint = next(option for option in typing.get_args(hint) if option is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        of = _converter(typing.get_args(hint)[0])
        return lambda items: tuple(of(item) for item in items)
    if typing.get_origin(hint) is dict:
        return dict
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return functools.partial(_read, kind=hint)
    if isinstance(hint, type) and issubclass(hint, enum.IntEnum):
        return hint
    return _scalar


def _read(proto: Proto, kind: type[Any]) -> Any:
    return read(proto, kind)


def _scalar(item: Any) -> Any:
    return item.ToMicroseconds() if isinstance(item, Timestamp) else item


def _images(proto: Any) -> tuple[Image, ...]:
    return tuple(read(part.image, Image) for part in proto.parts if part.HasField("image"))


_READ: Mapping[tuple[type[Value], str], Callable[[Any], Any]] = {
    (Message, "images"): _images,
    (Memory, "version"): lambda proto: int(proto.etag) if proto.etag.isdigit() else 0,
}
# A time the server left out, where the value must have one.
_ABSENT: Mapping[type[Value], dict[str, Any]] = {
    Message: {"sent_at": 0, "recorded_at": 0},
    Memory: {"sent_at": 0, "recorded_at": 0},
}
