"""Values as fields that people read: times as ISO 8601, words where a number stands for one, nothing that is usual."""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Mapping
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from .text import Wrong

V = TypeVar("V", bound=msgspec.Struct)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = frozenset({"valid_from", "valid_to", "stated_to", "until"})
_FAR = 1 << 62  # µs, beyond which no key of a record reaches
_MOMENT = timedelta(microseconds=1)


def write(value: msgspec.Struct, without: Container[str] = ()) -> dict[str, Any]:
    """The fields of a value that are not as they would be anyway."""
    found = {}
    for field in _fields(type(value)):
        given = getattr(value, field.name)
        if field.name not in without and (field.required or given != _default(field)):
            found[field.name] = _written(field, given)
    return found


def read(
    kind: type[V],
    fields: Mapping[str, tuple[int, Any]],
    known: Mapping[str, Any] = {},
    fixed: Mapping[str, Any] = {},
    **otherwise: Any,
) -> V:
    """The value of these fields, each with its line.

    What they do not tell is as `known` or `otherwise`; what is `fixed` they must not tell. Raises Wrong, naming line
    and field.
    """
    wanted = {field.name: field for field in _fields(kind) if field.name not in fixed}
    values = otherwise | dict(known) | dict(fixed)
    for name, (line, given) in fields.items():
        if name not in wanted:
            raise Wrong(line, f"{name} is none of {', '.join(sorted(wanted))}")
        try:
            values[name] = _read(wanted[name], given)
        except (ValueError, TypeError, KeyError, OverflowError) as error:  # msgspec's errors are ValueErrors
            raise Wrong(line, f"{name}: {error}") from None
    for name, field in wanted.items():
        if field.required and name not in values:
            raise Wrong(1, f"{name} is missing")
    return kind(**values)


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _written(field: msgspec.structs.FieldInfo, value: Any) -> Any:
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, bytes):
        return value.hex()
    if _timed(field) and isinstance(value, int):
        return moment(value)
    if isinstance(value, msgspec.Struct):
        return write(value)
    if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        return [write(each) for each in value]
    return msgspec.to_builtins(value)


def _read(field: msgspec.structs.FieldInfo, value: Any) -> Any:
    kind = field.type
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        names = {each.name.lower(): each for each in kind}
        if value not in names:
            raise ValueError(f"is none of {', '.join(names)}")
        return names[value]
    if kind is bytes:
        return bytes.fromhex(value)
    if _timed(field) and isinstance(value, str):
        return instant(value)
    inner = _struct(kind)
    if inner is not None and isinstance(value, dict):
        return _nested(inner, value)
    if inner is not None and isinstance(value, list) and get_origin(kind) is tuple:
        return tuple(_nested(inner, each) for each in value)
    if value == "" and kind is not str:
        raise ValueError("is empty")
    return msgspec.convert(value, kind, strict=False)


def _nested(kind: type[msgspec.Struct], value: Any) -> msgspec.Struct:
    if not isinstance(value, dict):
        raise ValueError("has one that has no fields")
    try:
        return read(kind, {name: (1, each) for name, each in value.items()})
    except Wrong as error:
        raise ValueError(error.reason) from None


def _struct(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a type is, or may be, or is a tuple of."""
    every = (kind, *get_args(kind))
    return next((each for each in every if isinstance(each, type) and issubclass(each, msgspec.Struct)), None)


def _timed(field: msgspec.structs.FieldInfo) -> bool:
    return field.name.endswith("_at") or field.name in _TIMES


def moment(at: int) -> str | int:
    """A time in µs as ISO 8601 in UTC; as it is, outside the years 1 to 9999."""
    try:
        return (EPOCH + at * _MOMENT).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return at  # far away, so it has more than eight digits


def instant(text: str) -> int:
    """A time in µs; one that names no zone is UTC. Raises ValueError."""
    if re.fullmatch(r"-?\d{9,19}", text, re.ASCII) and abs(int(text)) < _FAR:  # eight digits are a day
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no time such as 2026-11-20T18:30:00Z") from None
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH) // _MOMENT
