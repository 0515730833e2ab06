"""Making the file anew: what was deleted is in none of its bytes, and nothing else is lost, whoever writes or kills."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alejo.errors import FailedPrecondition
from alejo.storage import Delete, Put
from alejo.storage.lmdb import NEW, LmdbStorage

from ..proofs.size import size

SECONDS = 30.0
KILLS = size(4, 100)
OWN = bytes(32)


def opened(path: Path) -> LmdbStorage:
    return LmdbStorage.open(path, map_size=1 << 20, max_size=1 << 28)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[LmdbStorage]:
    """An empty storage."""
    one = opened(tmp_path / "records")
    yield one
    await one.close()


async def everything(storage: LmdbStorage) -> dict[bytes, bytes]:
    """All records of the one table."""
    found: dict[bytes, bytes] = {}
    after = b""
    while rows := await storage.scan("t", OWN, after=after):
        found |= {row.key: row.value for row in rows}
        after = rows[-1].key
    return found


def held(folder: Path, value: bytes) -> list[str]:
    """The files below a folder that hold the bytes."""
    return [path.name for path in folder.rglob("*") if path.is_file() and value in path.read_bytes()]


async def test_what_was_deleted_is_in_no_file(storage: LmdbStorage, tmp_path: Path) -> None:
    """Of small and large records that were deleted or replaced no byte is left, and all others are as they were."""
    chance = random.Random(3)
    values = {
        OWN + number.to_bytes(4, "big"): chance.randbytes(size) for number, size in enumerate([40, 300, 9000] * 100)
    }
    for key, value in values.items():
        await storage.commit([Put("t", key, value)])
    gone = chance.sample(sorted(values), 60)
    for key in gone[:30]:
        await storage.commit([Delete("t", key)])
    for key in gone[30:]:
        await storage.commit([Put("t", key, b"other")])
    assert any(held(tmp_path, values[key]) for key in gone), "they were gone before, which proves nothing"
    sequence = await storage.commit([Delete("t", OWN + b"nothing")])
    before, after = await storage.compact()
    assert after < before
    assert [key for key in gone if held(tmp_path, values[key])] == []
    kept = {key: value for key, value in values.items() if key not in gone}
    assert await everything(storage) == kept | dict.fromkeys(gone[30:], b"other")
    assert await storage.commit([Put("t", OWN + b"more", b"")]) == sequence + 1


async def test_others_go_on(storage: LmdbStorage) -> None:
    """What is written and deleted while the file is made anew is as its writers left it, and can be read all along."""
    chance = random.Random(5)
    model = {OWN + number.to_bytes(4, "big"): b"x" * 200 for number in range(4000)}
    await storage.commit([Put("t", key, value) for key, value in model.items()])
    keys = sorted(model)

    async def write() -> None:
        for _ in range(60):
            key = chance.choice(keys) + bytes([chance.randrange(2)])
            if chance.random() < 0.3 and key[:-1] in model:
                del model[key[:-1]]
                await storage.commit([Delete("t", key[:-1])])
            else:
                model[key] = chance.randbytes(50)
                await storage.commit([Put("t", key, model[key])])
                record = await storage.get("t", key)
                assert record is not None

    writer = asyncio.create_task(write())
    while not writer.done():
        await storage.compact()
    await writer
    assert await everything(storage) == model
    await storage.compact()
    assert await everything(storage) == model


async def test_it_knows_since_when(storage: LmdbStorage) -> None:
    """A file tells since when it holds what was deleted, and no longer once it is made anew."""
    await storage.commit([Put("t", OWN, b"a")])
    assert storage.residue() is None
    await storage.commit([Delete("t", OWN + b"nothing")])
    assert storage.residue() is None
    await storage.commit([Delete("t", OWN)])
    since = storage.residue()
    assert since
    assert storage.stats()["records"] == 0
    await storage.commit([Put("t", OWN, b"a")])
    await storage.commit([Delete("t", OWN)])
    assert storage.residue() == since
    await storage.compact()
    assert storage.residue() is None


HOLDER = """
import sys
from pathlib import Path
from alejo.storage.lmdb import LmdbStorage
storage = LmdbStorage.open(Path(sys.argv[1]), map_size=1 << 20, max_size=1 << 28)
print("open", flush=True)
sys.stdin.read()
"""


async def test_it_is_refused_beside_another_process(storage: LmdbStorage, tmp_path: Path) -> None:
    """While another process has the file open nothing is done; when that one has ended it is."""
    await storage.commit([Put("t", OWN, b"a")])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(tmp_path / "records"), stdin=-1, stdout=-1
    )
    assert process.stdin
    assert process.stdout
    await process.stdout.readline()
    for _ in range(2):
        with pytest.raises(FailedPrecondition) as refused:
            await storage.compact()
        assert refused.value.reason == "RECORDS_IN_USE"
    process.stdin.close()
    await process.wait()
    await storage.compact()
    assert await everything(storage) == {OWN: b"a"}


CHURN = """
import asyncio, sys
from pathlib import Path
from alejo.storage import Delete, Put
from alejo.storage.lmdb import LmdbStorage

async def main():
    storage = LmdbStorage.open(Path(sys.argv[1]), map_size=1 << 20, max_size=1 << 28)
    async def compact():
        while True:
            await storage.compact()
    compacting = asyncio.create_task(compact())
    for number in range(int(sys.argv[2]), 1 << 30):
        key = bytes(32) + number.to_bytes(4, "big")
        await storage.commit([Put("t", key, key * 20), Delete("t", bytes(32) + (number - 50).to_bytes(4, "big"))])
        print(number, flush=True)
        if compacting.done():
            compacting.result()

asyncio.run(main())
"""


async def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    """Killed at any moment of making the file anew, a process leaves all that was acknowledged and nothing half."""
    chance = random.Random(11)
    folder = tmp_path / "records"
    number = 1000
    for _ in range(KILLS):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHURN, str(folder), str(number + 1), stdout=-1
        )
        assert process.stdout
        wanted = number + chance.randrange(5, 80)
        async with asyncio.timeout(SECONDS):
            while number < wanted:
                number = int(await process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            async for line in process.stdout:
                number = int(line)
            await process.wait()
        storage = opened(folder)
        found = await everything(storage)
        last = max(int.from_bytes(key[32:], "big") for key in found)
        assert last in {number, number + 1}, "an acknowledged record is gone"
        assert sorted(found) == [OWN + each.to_bytes(4, "big") for each in range(max(1001, last - 49), last + 1)]
        assert all(value == key * 20 for key, value in found.items())
        number = last
        await storage.compact()
        await storage.close()
        assert list(folder.glob(f"{NEW}*")) == []
