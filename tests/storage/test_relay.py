"""The relay: what workers send is committed once, wherever the line is cut, and by nobody's leave but the user's."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from alejo.errors import Conflict, StartupError, Unavailable
from alejo.storage import Batch, Record, Storage
from alejo.storage.frames import Commit, packed
from alejo.storage.keyring import Keyring
from alejo.storage.relay import Relay
from alejo.storage.relayed import RELAYED, Relayed, admitted, tidy
from alejo.storage.store import SYSTEM, Store
from alejo.storage.tables import Table
from alejo.testing.storage import MemoryStorage

from ..conftest import ADA
from ..proofs.size import size

LOG = Table("log", int)
ONE = Table("one", int)


class Faulty:
    """A storage that loses its callers: before it commits, after it, or before while it commits later all the same."""

    def __init__(self, storage: Storage, chance: random.Random) -> None:
        self.faults = ["none"]
        self.cut = lambda: None
        self.late: list[asyncio.Task[int]] = []
        self._storage = storage
        self._chance = chance

    async def commit(self, batch: Batch) -> int:
        fault = self._chance.choice(self.faults)
        if fault == "before":
            self.cut()
            raise Unavailable("The server ends.")
        if fault == "late":
            self.cut()
            for _ in range(self._chance.randrange(6)):
                await asyncio.sleep(0)
        sequence = await self._storage.commit(batch)
        if fault == "after":
            self.cut()
        return sequence

    async def get(self, table: str, key: bytes) -> Record | None:
        return await self._storage.get(table, key)

    async def many(self, table: str, keys: Sequence[bytes]) -> list[Record | None]:
        return await self._storage.many(table, keys)

    async def scan(self, table: str, prefix: bytes, **options: object) -> list[Record]:
        return await self._storage.scan(table, prefix, **options)  # type: ignore[arg-type]

    async def close(self) -> None:
        return


class House:
    """A server and a worker over one storage. `store` is the worker's, `server` the server's."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.path = path / "relay"
        self.storage = MemoryStorage()
        self.faulty = Faulty(self.storage, chance)
        self.server = Store(self.storage, Keyring(bytes(32)))
        self.relay = Relay(self.faulty, self.server)
        self.worker = Relayed(self.path, "boot:worker").over(Faulty(self.storage, chance))  # which outlives it
        self.store = Store(self.worker, Keyring(bytes(32)))

    async def open(self) -> None:
        await self.relay.open(self.path)
        await self.worker.join(self.store)
        self.faulty.cut = self.cut

    def cut(self) -> None:
        for guest in self.relay.guests:
            guest._writer.transport.abort()

    async def write(self, number: int) -> int:
        writer = await self.store.writer(ADA)
        writer.append(LOG, number)
        return await writer.commit()

    async def log(self) -> list[int]:
        return [row.value for row in await self.server.scan(ADA, LOG, limit=1 << 20)]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    one = House(tmp_path, random.Random(seed))
    await one.open()
    yield one
    await one.relay.close()
    await one.worker.close()


async def test_what_a_worker_sends_is_committed(house: House) -> None:
    """Rows and what is appended are read by everybody as the worker wrote them, and a conflict is one to the worker."""
    writer = await house.store.writer(ADA)
    writer.put(ONE, b"1", 7)
    writer.append(LOG, 8)
    sequence = await writer.commit()
    row = await house.server.get(ADA, ONE, b"1")
    assert row == (b"1", 7, sequence)
    assert await house.log() == [8]
    writer.expect(ONE, b"1", sequence - 1)
    writer.put(ONE, b"1", 9)
    with pytest.raises(Conflict):
        await writer.commit()
    assert house.worker.relayed == house.relay.commits == 2  # and the key of the user
    assert [guest.owner for guest in house.relay.guests] == ["boot:worker"]


async def test_whatever_is_cut_is_done_once(house: House) -> None:
    """With the line cut before, while and after the server commits, every batch is there once, under its number."""
    await house.write(0)
    house.faulty.faults = ["none", "none", "before", "late", "after"]
    sequences = [0]
    for begin in range(1, size(200, 2_000), 8):
        sequences += await asyncio.gather(*(house.write(number) for number in range(begin, begin + 8)))
        if house.worker.own % 3 == 0 and not house.relay.guests:
            await house.worker._connect()
    assert sorted(await house.log()) == list(range(len(sequences)))
    assert len(set(sequences)) == len(sequences)
    assert house.worker.own
    assert house.worker.relayed


async def test_a_batch_that_conflicts_once_the_line_is_cut_never_comes_true(house: House) -> None:
    """What was refused here after the line was cut is not committed by the server later."""
    row = await house.store.writer(ADA)
    row.put(ONE, b"1", 1)
    version = await row.commit()
    house.faulty.faults = ["late"]
    for number in range(size(30, 300)):
        if not house.relay.guests:
            await house.worker._connect()
        writer = await house.store.writer(ADA)
        writer.expect(ONE, b"1", version)
        writer.put(ONE, b"1", number)
        writer.append(LOG, number)
        sent = asyncio.ensure_future(writer.commit())
        other = await house.server.writer(ADA)
        other.put(ONE, b"1", -number)
        last = await other.commit()
        try:
            version = await sent
        except Conflict:
            version = last
        found = await house.server.get(ADA, ONE, b"1")
        assert found
        assert (found.value, found.version) in ((number, version), (-number, last))
        version = found.version
    kept = await house.log()
    assert len(set(kept)) == len(kept)


async def test_without_a_server_a_worker_commits_by_itself(house: House) -> None:
    """When the server goes the worker goes on, and takes away what it needed for sending once it ends."""
    await house.write(1)
    await house.relay.close()
    await house.write(2)
    assert await house.log() == [1, 2]
    assert house.worker.own
    assert len(await house.server.scan(SYSTEM, RELAYED)) == 1
    await house.worker.close()
    assert await house.server.scan(SYSTEM, RELAYED) == []


async def test_rows_of_killed_workers_are_taken_away(house: House) -> None:
    """What a killed worker needed for sending is removed by the next one, and that of the living is not."""
    await house.write(1)
    await tidy(house.server, {"boot:worker"})
    assert len(await house.server.scan(SYSTEM, RELAYED)) == 1
    await tidy(house.server, {"boot:other"})
    assert await house.server.scan(SYSTEM, RELAYED) == []


async def test_workers_let_go_of_the_records(house: House) -> None:
    """A worker that is asked to leave hears it; none is admitted until the block ends."""
    leaving = asyncio.ensure_future(house.worker.asked_to_leave.wait())

    async def leave() -> None:
        await leaving
        await house.worker.close()

    left = asyncio.ensure_future(leave())
    async with house.relay.cleared():
        assert left.done() or house.relay.guests == []
        waiting = asyncio.ensure_future(admitted(house.path))
        await asyncio.sleep(0)
        assert not waiting.done()
    await asyncio.gather(left, waiting)


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\1\xc1", packed(Commit(1, [])), b"\xff" * 64])
async def test_what_is_no_worker_is_sent_away(house: House, sent: bytes) -> None:
    """Whoever does not speak as a worker does is hung up on, and the others notice nothing."""
    reader, writer = await asyncio.open_unix_connection(house.path)
    writer.write(sent)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await house.write(1)
    assert house.relay.commits


async def test_only_this_user_may_enter(house: House, tmp_path: Path) -> None:
    """The socket is the user's own, and a file in its place is left alone."""
    assert house.path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StartupError, match="in the place"):
        await Relay(house.storage, house.server).open(tmp_path / "file")


async def test_what_cannot_be_opened_is_refused(house: House) -> None:
    """An append that was sealed with another key is not taken, and nothing of its batch is kept."""
    stranger = Relayed(house.path, "boot:stranger").over(house.storage)
    store = Store(MemoryStorage(), Keyring(bytes(range(32))))
    await stranger.join(store)
    writer = await store.writer(ADA)
    writer.append(LOG, 1)
    with pytest.raises(Unavailable):
        await stranger.commit(writer.batch)
    assert await house.log() == []
