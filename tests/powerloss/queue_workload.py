"""Turns and the work on them under the recorder: each commit, of whichever side, is told as the rows it wrote.

Arguments: the data folder, the file for the history, how many turns, a seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alejo.clock import SystemClock
from alejo.errors import Conflict
from alejo.ids import Ids
from alejo.queue import Cause, Failure, Limits
from alejo.queue.stored import StoredQueue
from alejo.storage import Append, Batch, Delete, Operation, Put, Record
from alejo.storage.keyring import Keyring
from alejo.storage.lmdb import LmdbStorage
from alejo.storage.store import Store
from alejo.storage.tables import Table
from alejo.types import Scope

KINDS = {"reflection": ("episodic", "semantic")}
TURNS = Table("turns", int)
EFFECTS = Table("effects", str)
WRITERS, WORKERS = 4, 2


class Told:
    """Notes what every acknowledged commit wrote; a row more in each tells which state an image is of."""

    def __init__(self, storage: LmdbStorage, ack: int) -> None:
        self.history: list[Any] = []
        self._storage = storage
        self._ack = ack

    async def commit(self, batch: Batch) -> int:
        rows: list[tuple[str, str, str | None]] = []
        sequence = await self._storage.commit([self._noted(each, rows) for each in (*batch, _LAST)])
        os.write(self._ack, sequence.to_bytes(8, "big"))
        self.history.append((sequence, rows))
        return sequence

    def _noted(self, operation: Operation, rows: list[tuple[str, str, str | None]]) -> Operation:
        if isinstance(operation, Put):
            rows.append((operation.table, operation.key.hex(), operation.value.hex()))
        elif isinstance(operation, Delete):
            rows.append((operation.table, operation.key.hex(), None))
        elif isinstance(operation, Append):
            table, given = operation.table, operation.seal

            def seal(key: bytes) -> bytes:
                value = given(key)
                rows.append((table, key.hex(), value.hex()))
                return value

            return Append(table, operation.prefix, seal)
        return operation

    async def get(self, table: str, key: bytes) -> Record | None:
        return await self._storage.get(table, key)

    async def many(self, table: str, keys: Sequence[bytes]) -> list[Record | None]:
        return await self._storage.many(table, keys)

    async def scan(self, table: str, prefix: bytes, **options: Any) -> list[Record]:
        return await self._storage.scan(table, prefix, **options)

    async def close(self) -> None:
        await self._storage.close()


_LAST = Append("log", b"last", lambda key: b"")


async def talk(store: Store, queue: StoredQueue, number: int, count: int) -> None:
    """Turns in one session of a user of its own, each with its promise in one commit."""
    scope, session = Scope("power", str(number)), f"{number + 1:032x}"
    seq = 1
    while seq <= count:
        writer = await store.writer(scope)
        writer.put(TURNS, seq.to_bytes(8, "big"), seq)
        await queue.enqueue(writer, scope, session, "reflection", seq)
        with contextlib.suppress(Conflict):  # what waited was taken: the turn is told again
            await writer.commit()
            seq += 1


async def work(store: Store, queue: StoredQueue, chance: random.Random, done: asyncio.Event) -> None:
    """Jobs, processor by processor; now and then an attempt fails."""
    while not done.is_set() or (await queue.depth()).queued:
        for job in await queue.lease():
            for name in await queue.left(job):
                writer = await store.writer(job.scope)
                writer.append(EFFECTS, job.effect_key(name))
                await queue.advance(writer, name, job)
            if chance.random() < 0.2:
                await queue.retry_later(job, Failure(Cause.TRANSIENT, "unlucky"))
            else:
                await queue.ack(await store.writer(job.scope), job)
        await asyncio.sleep(0)


async def run(path: Path, count: int, seed: int) -> dict[str, Any]:
    """Talks and works until all turns are told and nothing is ready."""
    lmdb = LmdbStorage.open(path, map_size=1 << 18, max_size=1 << 26)
    told = Told(lmdb, os.open(path.with_suffix(".ack"), os.O_WRONLY | os.O_CREAT))
    store, clock, done = Store(told, Keyring(bytes(32))), SystemClock(), asyncio.Event()
    limits = Limits(least_delay=0.001, most_delay=0.01)
    queues = [StoredQueue(store, Ids(clock), clock, KINDS, limits=limits) for _ in range(1 + WORKERS)]
    workers = [
        asyncio.create_task(work(store, queue, random.Random(seed + number), done))
        for number, queue in enumerate(queues[1:])
    ]
    await asyncio.gather(*(talk(store, queues[0], number, count // WRITERS) for number in range(WRITERS)))
    done.set()
    await asyncio.gather(*workers)
    stats = lmdb.stats()
    await store.close()
    return {"stats": stats, "history": sorted(told.history)}


def main() -> None:
    """Leaves the history."""
    folder, into, count, seed = sys.argv[1:]
    Path(into).write_text(json.dumps(asyncio.run(run(Path(folder), int(count), int(seed)))))


if __name__ == "__main__":
    main()
