"""What recall found as bytes, without an object for each of its hundred parts: those are most of what a message costs.

The encoding is that of Protocol Buffers (protobuf.dev/programming-guides/encoding): a field is a tag and its value, and
the fields of a message may stand in any order, so that encoded messages are put together as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

from alejo.types import Degraded, Evidence, Hit
from alejo.v1 import memory_pb2, types_pb2

from .write import degraded, memory

_HITS, _TOKEN = 1, 2  # of RecallResponse
_EVIDENCE = 4  # of Hit
_NAME, _SHARE, _DETAIL = 1, b"\x11", 3  # of Evidence; a share is a tag (field 2, 64 bits) and its bytes
_RECALLED = 1  # of RecallStreamResponse
_DOUBLE = struct.Struct("<d").pack


class Encoded:
    """A message that is encoded."""

    __slots__ = ("_encoded",)

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded

    def SerializeToString(self) -> bytes:  # noqa: N802  as messages have it
        """Its bytes."""
        return self._encoded


def recalled(hits: Iterable[Hit], token: str) -> bytes:
    """A RecallResponse of these."""
    fields = [_field(_HITS, _hit(one)) for one in hits]
    if token:
        fields.append(_field(_TOKEN, token.encode()))
    return b"".join(fields)


def answer(found: bytes, missing: Iterable[Degraded]) -> Encoded:
    """A RecallResponse with what was missing."""
    return Encoded(_with(found, missing))


def frame(found: bytes, missing: Iterable[Degraded]) -> Encoded:
    """The same as a frame of a stream."""
    return Encoded(_field(_RECALLED, _with(found, missing)))


def _with(found: bytes, missing: Iterable[Degraded]) -> bytes:
    told = degraded(missing)
    return found + memory_pb2.RecallResponse(degraded=told).SerializeToString() if told else found


def _hit(value: Hit) -> bytes:
    made = types_pb2.Hit(score=value.score, coverage=value.coverage)
    memory(value.memory, made.memory)
    return made.SerializeToString() + b"".join([_evidence(one) for one in value.evidence])


def _evidence(value: Evidence) -> bytes:
    body = _named(value.name) + _DOUBLE(value.share)
    return _field(_EVIDENCE, body + _field(_DETAIL, value.detail.encode()) if value.detail else body)


@lru_cache(256)
def _named(name: str) -> bytes:
    return _field(_NAME, name.encode()) + _SHARE


def _field(number: int, value: bytes) -> bytes:
    """A field that is bytes, text or a message."""
    size = len(value)
    if size < 128:
        return bytes((number << 3 | 2, size)) + value
    length = bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes((number << 3 | 2,)) + length + value
