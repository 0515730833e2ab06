"""Makes the n-th write, sync or rename in a folder of files fail, for many n (on a full disk the next ones too).

Runs preloaded. Arguments: the folder, the name of the error (ENOSPC or EIO), how many places. Prints JSON.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sys
from collections import Counter
from pathlib import Path

import msgspec

from alejo.errors import StorageFull, Unavailable
from alejo.storage import Delete, Operation, Put
from alejo.storage.files import FilesStorage
from alejo.types import Layer, Memory, Scope

PREFIX = bytes(range(32))
ENCODE = msgspec.msgpack.Encoder().encode


def batch(key: bytes) -> list[Operation]:
    """A row of the log, and a memory in a file."""
    identifier = key.ljust(16, b".")
    memory = Memory(identifier.hex(), Layer.SEMANTIC, "note", f"tea {key.decode()}", 1, 1)
    return [Put("u", key, b""), Put("memory", PREFIX + identifier, ENCODE(memory))]


async def commit(storage: FilesStorage, key: bytes, kept: dict[bytes, int], outcome: Counter[str]) -> None:
    """One batch; remembers it if it was acknowledged."""
    try:
        kept[key] = await storage.commit(batch(key))
        outcome["kept"] += 1
    except (StorageFull, Unavailable) as error:
        outcome[type(error).__name__] += 1


async def check(storage: FilesStorage, kept: dict[bytes, int]) -> None:
    """What was acknowledged is there, what was refused is not, in both tables."""
    rows = {record.key: record.version for record in await storage.scan("u", b"", limit=1 << 30)}
    assert rows == kept, f"differs in {set(rows.items()) ^ set(kept.items())}"
    files = {record.key: record.version for record in await storage.scan("memory", b"", limit=1 << 30)}
    assert files == {PREFIX + key.ljust(16, b"."): version for key, version in kept.items()}


async def main(root: Path, name: str, places: int) -> None:
    """Fails one place after the other, opening again where that is asked for."""
    faults = os.open(root.with_suffix(".faults"), os.O_WRONLY | os.O_CREAT)
    kept: dict[bytes, int] = {}
    outcome: Counter[str] = Counter()
    storage = FilesStorage.open(root)
    await storage.commit([Put("scope", PREFIX, ENCODE(Scope("local", "me")))])
    for place in range(1, places + 1):
        os.write(faults, f"{place} {6 if name == 'ENOSPC' else 1} {getattr(errno, name)}\0".encode())
        for step in range(2):
            keys = [b"%03d-%d-%d" % (place, step, number) for number in range(2)]
            await asyncio.gather(*(commit(storage, key, kept, outcome) for key in keys))
        os.write(faults, b"0 0 0\0")
        await check(storage, kept)
        try:
            await storage.commit([Delete("t", b"nothing")])
            outcome["went on"] += 1
        except Unavailable:
            outcome["stopped"] += 1
            await storage.close()
            storage = FilesStorage.open(root)
        await check(storage, kept)
        await commit(storage, b"after %03d" % place, kept, Counter())
        assert b"after %03d" % place in kept
    await storage.close()
    storage = FilesStorage.open(root)
    await check(storage, kept)
    assert len(os.listdir(root / "users/me/memories/semantic")) == len(kept)
    await storage.close()
    print(json.dumps(outcome))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
