"""Makes the n-th write or sync of the data file fail, for many n (on a full disk the next ones too). Runs preloaded.

Arguments: the data folder, the name of the error (ENOSPC or EIO), how many places. Prints JSON.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

from alejo.errors import StorageFull, Unavailable
from alejo.storage import Delete, Put
from alejo.storage.lmdb import LmdbStorage


async def commit(storage: LmdbStorage, key: bytes, kept: dict[bytes, int], outcome: Counter[str]) -> None:
    """One batch of two tables; remembers it if it was acknowledged."""
    try:
        kept[key] = await storage.commit([Put("t", key, random.randbytes(3000)), Put("u", key, b"")])
        outcome["kept"] += 1
    except (StorageFull, Unavailable) as error:
        outcome[type(error).__name__] += 1


async def check(storage: LmdbStorage, kept: dict[bytes, int]) -> None:
    """What was acknowledged is there, what was refused is not, in both tables."""
    for table in ("t", "u"):
        rows = {record.key: record.version for record in await storage.scan(table, b"", limit=1 << 30)}
        assert rows == kept, f"differs in {set(rows.items()) ^ set(kept.items())}"


async def main(path: Path, name: str, places: int) -> None:
    """Fails one place after the other, opening again where that is asked for."""
    faults = os.open(path.with_suffix(".faults"), os.O_WRONLY | os.O_CREAT)
    kept: dict[bytes, int] = {}
    outcome: Counter[str] = Counter()
    storage = LmdbStorage.open(path, map_size=1 << 24, max_size=1 << 25)
    for place in range(1, places + 1):
        os.write(faults, f"{place} {6 if name == 'ENOSPC' else 1} {getattr(errno, name)}\0".encode())
        for step in range(3):
            keys = [b"%03d-%d-%d" % (place, step, number) for number in range(4)]
            await asyncio.gather(*(commit(storage, key, kept, outcome) for key in keys))
        os.write(faults, b"0 0 0\0")
        try:
            await check(storage, kept)
            outcome["read on"] += 1
        except Unavailable:  # LMDB itself refuses all when its meta page could not be written
            outcome["read nothing"] += 1
        try:
            await storage.commit([Delete("t", b"nothing")])
            outcome["went on"] += 1
        except Unavailable:
            outcome["stopped"] += 1
            await storage.close()
            storage = LmdbStorage.open(path, map_size=1 << 24, max_size=1 << 25)
        await check(storage, kept)
        await commit(storage, b"after %03d" % place, kept, Counter())
        assert b"after %03d" % place in kept
    await storage.close()
    print(json.dumps(outcome))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
