"""What passes between the server of a data folder and its workers, over a Unix socket: frames of MessagePack.

    worker → server   Hello, then Commit
    server → worker   Welcome, Committed and Refused, Leave

Every value in a batch is sealed as it will be stored, but for what is appended: its key is known in the commit alone,
so it is sealed for the way, with the same user's key, and the server seals it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from alejo.errors import Conflict, StorageFull, Unavailable

from . import Append, Batch, Delete, Expect, Operation, Put
from .store import Sealing, Store

MOST_BYTES = 64 << 20
_PUT, _DELETE, _EXPECT, _APPEND = range(4)
_HEAD = 4

Told = tuple[int, str, bytes, bytes | int | None]  # what to do, the table, the key or its beginning, value or version


class Hello(msgspec.Struct, frozen=True, tag=1, array_like=True):
    """Who comes: the owner of leases, and its process."""

    owner: str
    pid: int


class Commit(msgspec.Struct, frozen=True, tag=2, array_like=True):
    """A batch to be committed; its answer bears the same number."""

    number: int
    operations: list[Told]


class Welcome(msgspec.Struct, frozen=True, tag=3, array_like=True):
    """Commits are taken from now on."""


class Committed(msgspec.Struct, frozen=True, tag=4, array_like=True):
    """A batch is on disk, under this sequence number."""

    number: int
    sequence: int


class Refused(msgspec.Struct, frozen=True, tag=5, array_like=True):
    """Nothing of a batch is kept. `why` is a word of `REFUSALS`."""

    number: int
    why: str


class Leave(msgspec.Struct, frozen=True, tag=6, array_like=True):
    """The records are to be made anew: close them, and come again."""


FromWorker = Hello | Commit
FromServer = Welcome | Committed | Refused | Leave
T = TypeVar("T")

# How what a commit raises is told, and becomes an error again.
REFUSALS: dict[str, type[Exception]] = {
    "conflict": Conflict,
    "full": StorageFull,
    "unavailable": Unavailable,
    "unfit": ValueError,
}
_SAID = {
    "conflict": "The record changed since it was read.",
    "full": "There is no room for writes; reads and deletes still work.",
    "unavailable": "The storage of the server cannot be written to now.",
    "unfit": "The batch is none.",
}
_ENCODER = msgspec.msgpack.Encoder()


def refusal(error: Exception) -> str:
    """The word for what a commit raised."""
    return next((word for word, kind in REFUSALS.items() if isinstance(error, kind)), "unavailable")


def refused(why: str) -> Exception:
    """The error that a word stands for."""
    return REFUSALS.get(why, Unavailable)(_SAID.get(why, _SAID["unavailable"]))


def packed(frame: FromWorker | FromServer) -> bytes:
    """A frame with its length before it. Raises ValueError when it is too large."""
    body = _ENCODER.encode(frame)
    if len(body) > MOST_BYTES:
        raise ValueError(f"a frame has at most {MOST_BYTES} bytes, not {len(body)}")
    return len(body).to_bytes(_HEAD, "big") + body


async def receive(reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[T]) -> T:
    """The next frame. Raises EOFError at the end, OSError, ValueError for what is none."""
    size = int.from_bytes(await reader.readexactly(_HEAD), "big")
    if size > MOST_BYTES:
        raise ValueError(f"a frame has at most {MOST_BYTES} bytes, not {size}")
    return decoder.decode(await reader.readexactly(size))


def departing(batch: Batch) -> list[Told]:
    """A batch for the way. Raises TypeError for an append that cannot travel."""
    return [_departing(operation) for operation in batch]


def _departing(operation: Operation) -> Told:
    match operation:
        case Put(table, key, value):
            return _PUT, table, key, value
        case Delete(table, key):
            return _DELETE, table, key, None
        case Expect(table, key, version):
            return _EXPECT, table, key, version
        case Append(table, prefix, Sealing() as sealing):
            return _APPEND, table, prefix, sealing.departing()
    raise TypeError("only what a store appends can travel")


async def arrived(store: Store, operations: Iterable[Told]) -> list[Operation]:
    """The batch that came. Raises DataLoss, or ValueError for what is none."""
    return [await _arrived(store, *told) for told in operations]


async def _arrived(store: Store, kind: int, table: str, key: bytes, value: bytes | int | None) -> Operation:
    if kind == _PUT and isinstance(value, bytes):
        return Put(table, key, value)
    if kind == _DELETE:
        return Delete(table, key)
    if kind == _EXPECT and not isinstance(value, bytes):
        return Expect(table, key, value)
    if kind == _APPEND and isinstance(value, bytes):
        return Append(table, key, await store.arrived(table, key, value))
    raise ValueError("the batch is none")
