"""Request ids: the same id with the same body has one effect, however often it is sent.

Kept for seven days; old ones leave little by little, a sample with every new one that makes a session.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
from typing import Any

import msgspec

from alejo.clock import Clock
from alejo.errors import AlreadyExists
from alejo.storage.store import Store, Writer
from alejo.storage.tables import REQUESTS, TURNS, Remembered, Table
from alejo.types import Scope

RETENTION = 7 * 86400 * 1_000_000
_SAMPLE = 32


@functools.lru_cache(maxsize=1024)  # a turn asks for the same one some eight times
def key(request_id: str) -> bytes:
    """Where a request id is kept."""
    return hashlib.sha256(request_id.encode()).digest()[:16]


def digest(body: object) -> bytes:
    """What tells one body from another: 16 bytes over its encoding, in which maps have one order."""
    return hashlib.blake2b(msgspec.msgpack.encode(body, order="deterministic"), digest_size=16).digest()


class Requests:
    """The answers that request ids stand for."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def find(self, scope: Scope, request_id: str, kind: str, body: bytes) -> Any | None:
        """The answer this request had, or None. Raises AlreadyExists when the id stood for something else."""
        if not request_id:
            return None
        row = await self._store.get(scope, REQUESTS, key(request_id))
        if row is None:
            return None
        if row.value.kind != kind or row.value.body != body:
            raise AlreadyExists("This request id was used before for something else.")
        return msgspec.msgpack.decode(row.value.answer)

    def add(
        self, writer: Writer, request_id: str, kind: str, body: bytes, answer: object, *, fresh: bool = False
    ) -> None:
        """Keeps an answer (anything msgpack can encode) in the batch that has the effect.

        The commit raises Conflict when the same id was faster; `find` then knows its answer. A `fresh` id was made
        here just now, so nobody was.
        """
        if request_id:
            place = key(request_id)
            if not fresh:
                writer.expect(REQUESTS, place, None)
            row = Remembered(body, kind, msgspec.msgpack.encode(answer), self._clock.now())
            writer.put(REQUESTS, place, row)

    async def prune(self, scope: Scope, writer: Writer) -> None:
        """Deletes a few expired ids in this batch: those of a random stretch of the keys, so all get their turn."""
        oldest = self._clock.now() - RETENTION
        tables: tuple[Table[Any], ...] = (REQUESTS, TURNS)
        for table in tables:
            start = secrets.token_bytes(16)
            for row in (await self._store.salvage(scope, table, after=start, limit=_SAMPLE))[0]:
                if row.value.at < oldest:
                    writer.delete(table, row.key)
