"""Writes a seeded mix of batches under the recorder, and what each of them was to a file beside.

Arguments: the data folder, the file for the history, "safe" or how the environment is made unsafe, batches, seed.
"compacting" makes the file anew again and again meanwhile, "unsynced" without waiting for the new one to be on disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import lmdb

from alejo.errors import Conflict
from alejo.storage import Append, Delete, Expect, Operation, Put
from alejo.storage.lmdb import LmdbStorage
from alejo.storage.presence import Presence
from alejo.storage.snapshot import Rewrite

UNSAFE: dict[str, dict[str, Any]] = {"nosync": {"sync": False}, "nometasync": {"metasync": False}}
WORKERS = 6
COMPACTIONS = 3  # at least
Row = tuple[str, str, str | None]


def compose(rng: random.Random, worker: int, versions: dict[bytes, int | None]) -> tuple[list[Operation], list[Row]]:
    """A batch, and what it does: table, key and value in hexadecimal. Workers have keys of their own."""
    batch: list[Operation] = []
    done: dict[tuple[str, bytes], bytes | None] = {}
    for _ in range(rng.randint(1, 6)):
        key = b"%d-%02d" % (worker, rng.randrange(40))
        if rng.random() < 0.25:
            if key not in {seen for _, seen in done}:
                batch.append(Expect("t", key, versions.get(key)))
            batch.append(Delete("t", key))
            done["t", key] = None
        else:
            value = rng.randbytes(rng.choice((0, 20, 300, 300, 300, 1500, 9000)))
            batch.append(Put("t", key, value))
            done["t", key] = value
    return batch, [(table, key.hex(), None if value is None else value.hex()) for (table, key), value in done.items()]


async def work(storage: LmdbStorage, worker: int, count: int, seed: int, ack: int, history: list[Any]) -> None:
    """One writer: commits, acknowledges in the record, and now and then meets a conflict."""
    rng = random.Random(seed * 100 + worker)
    versions: dict[bytes, int | None] = {}
    for _ in range(count):
        batch, rows = compose(rng, worker, versions)
        appended: list[tuple[bytes, bytes]] = []

        def seal(key: bytes, appended: list[tuple[bytes, bytes]] = appended) -> bytes:
            appended[:] = [(key, b"row " + key)]
            return b"row " + key

        batch.append(Append("log", b"%d" % worker, seal))
        if rng.random() < 0.1:
            try:
                await storage.commit([*batch, Expect("t", b"never", 1)])
            except Conflict:
                continue
            raise AssertionError("the conflict was not seen")
        sequence = await storage.commit(batch)
        os.write(ack, sequence.to_bytes(8, "big"))
        rows += [("log", key.hex(), value.hex()) for key, value in appended]
        versions.update((bytes.fromhex(key), None if value is None else sequence) for _, key, value in rows)
        history.append((sequence, rows))


async def run(storage: LmdbStorage, path: Path, count: int, seed: int, *, compacting: bool) -> dict[str, Any]:
    """Runs the writers; the history of what was acknowledged, and the storage's own count of its syncs."""
    history: list[Any] = []
    ack = os.open(path.with_suffix(".ack"), os.O_WRONLY | os.O_CREAT)
    writers = asyncio.gather(
        *(work(storage, worker, count // WORKERS, seed, ack, history) for worker in range(WORKERS))
    )
    compactions = 0
    while compacting and not (writers.done() and compactions >= COMPACTIONS):
        await storage.compact()
        compactions += 1
    await writers
    stats = storage.stats() | {"compactions": compactions}
    await storage.close()
    return {"stats": stats, "history": sorted(history)}


def main() -> None:
    """Opens the storage as the arguments say and leaves the history."""
    folder, into, safety, count, seed = sys.argv[1:]
    path = Path(folder)
    if safety == "unsynced":
        Rewrite.finish = Rewrite.close  # type: ignore[method-assign]
    if safety not in UNSAFE:
        storage = LmdbStorage.open(path, map_size=1 << 18, max_size=1 << 26)
    else:
        path.mkdir()
        environment = lmdb.open(folder, map_size=1 << 18, max_spare_txns=1, **UNSAFE[safety])
        storage = LmdbStorage(path, environment, Presence(path), max_size=1 << 26)
    done = run(storage, path, int(count), int(seed), compacting=safety in {"compacting", "unsynced"})
    Path(into).write_text(json.dumps(asyncio.run(done)))


main()
