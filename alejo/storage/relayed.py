"""A worker's storage: it reads the records itself, and has the folder's server commit while there is one.

Every batch that is sent bears a row of its own, expected as it was and written anew. When the server is cut off before
it answers, the same batch is committed here: then one of the two is on disk, and the row says which.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import cast

import msgspec

from alejo.errors import AlejoError, Conflict

from . import Batch, Delete, Expect, Put, Record, Storage
from .frames import (
    Commit,
    Committed,
    FromServer,
    Hello,
    Leave,
    Refused,
    Welcome,
    departing,
    packed,
    receive,
    refused,
)
from .store import SYSTEM, Store
from .tables import Table

RELAYED = Table("relayed", bool)  # owner ‖ "#" ‖ place, in the system scope
PLACES = 64
LOOK_SECONDS = 0.5  # between two looks for a server


def place_key(owner: str, number: int) -> bytes:
    """Where a worker keeps one of its rows."""
    return f"{owner}#{number}".encode()


async def tidy(store: Store, owners: Collection[str]) -> None:
    """Removes the rows of all workers but these, which are at work."""
    rows = await store.scan(SYSTEM, RELAYED, limit=PLACES * 64)
    writer = await store.writer(SYSTEM)
    for row in rows:
        if row.key.rpartition(b"#")[0].decode() not in owners:
            writer.delete(RELAYED, row.key)
    if writer.batch:
        await writer.commit()


async def admitted(path: Path) -> None:
    """Returns once the server at `path` takes workers, or when there is none."""
    with contextlib.suppress(OSError, EOFError):
        reader, writer = await asyncio.open_unix_connection(path)
        with contextlib.closing(writer):
            writer.write(packed(Hello("", os.getpid())))
            await receive(reader, msgspec.msgpack.Decoder(FromServer))


class _Cut(Exception):
    """The server went before it answered."""


class _Place:
    """A row that tells whether a batch was committed: `version` is as it was when it was last written."""

    def __init__(self, row: Put) -> None:
        self.row = row
        self.version: int | None = None

    def with_row(self, batch: Batch) -> Batch:
        return [*batch, Expect(self.row.table, self.row.key, self.version), self.row]


class Relayed:
    """The storage of one worker, by its owner's name, over the records at hand. `asked_to_leave` is set by a server.

    `relayed` counts the batches that the server committed, `own` those that were committed here.
    """

    def __init__(self, path: Path, owner: str) -> None:
        self.asked_to_leave = asyncio.Event()
        self.relayed = self.own = 0
        self._storage: Storage
        self._path = path
        self._owner = owner
        self._places: asyncio.LifoQueue[_Place] = asyncio.LifoQueue()
        self._made = 0
        self._store: Store
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._number = 0
        self._sending: set[asyncio.Task[int]] = set()
        self._keeping: asyncio.Task[None] | None = None
        self._decoder = msgspec.msgpack.Decoder(FromServer)

    def over(self, storage: Storage) -> Relayed:
        """Stands over the records at hand."""
        self._storage = storage
        return self

    async def join(self, store: Store) -> None:
        """Looks for the server from now on."""
        self._store = store
        for _ in range(PLACES):
            await self._add_place()
        with contextlib.suppress(OSError, EOFError):
            await self._connect()
        self._keeping = asyncio.create_task(self._keep())

    async def _add_place(self) -> None:
        writer = await self._store.writer(SYSTEM)
        self._made += 1
        writer.put(RELAYED, place_key(self._owner, self._made), True)
        self._places.put_nowait(_Place(cast("Put", writer.batch[0])))

    async def commit(self, batch: Batch) -> int:
        """See Storage. A cancelled caller stops waiting; the batch is committed all the same."""
        if self._writer is None:
            self.own += 1
            return await self._storage.commit(batch)
        task = asyncio.get_running_loop().create_task(self._relay(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return await asyncio.shield(task)

    async def get(self, table: str, key: bytes) -> Record | None:
        """See Storage."""
        return await self._storage.get(table, key)

    async def many(self, table: str, keys: Sequence[bytes]) -> list[Record | None]:
        """See Storage."""
        return await self._storage.many(table, keys)

    async def scan(
        self, table: str, prefix: bytes, *, after: bytes = b"", limit: int = 100, reverse: bool = False
    ) -> list[Record]:
        """See Storage."""
        return await self._storage.scan(table, prefix, after=after, limit=limit, reverse=reverse)

    async def close(self) -> None:
        """See Storage."""
        if self._sending:
            await asyncio.wait(self._sending)
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._take_leave()
        await self._storage.close()
        await self._hang_up()  # which tells the server that the records are closed

    async def _take_leave(self) -> None:
        """Takes this worker's rows away."""
        places = [self._places.get_nowait() for _ in range(self._places.qsize())]
        rows = [Delete(each.row.table, each.row.key) for each in places if each.version is not None]
        if rows:
            with contextlib.suppress(AlejoError):  # then they are left to the others
                await self._storage.commit(rows)

    async def _relay(self, batch: Batch) -> int:
        place = await self._places.get()
        whole = place.with_row(batch)
        known = True
        try:
            try:
                place.version = sequence = await self._ask(whole)
                self.relayed += 1
            except _Cut:
                known = False
                place.version = sequence = await self._once_more(place, whole)
                known = True
            return sequence
        finally:
            if known:
                self._places.put_nowait(place)
            else:  # its row may yet be written
                await self._add_place()

    async def _once_more(self, place: _Place, whole: Batch) -> int:
        """Commits what the server may have committed, or finds that it did. Raises what the commit does."""
        self.own += 1
        try:
            return await self._storage.commit(whole)
        except Conflict as conflict:
            try:
                await self._storage.commit(place.with_row([]))  # from here on the other one cannot be
            except Conflict:
                row = await self._storage.get(place.row.table, place.row.key)
                if row is not None:
                    return row.version
            raise conflict from None

    async def _ask(self, batch: Batch) -> int:
        """Has the server commit a batch. Raises what that raised, or _Cut when nobody knows."""
        told = departing(batch)
        if self._writer is None:
            raise _Cut
        self._number += 1
        number = self._number
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            self._writer.write(packed(Commit(number, told)))
            with contextlib.suppress(OSError):
                await self._writer.drain()
            return await answer
        finally:
            del self._answers[number]

    async def _keep(self) -> None:
        """Keeps the line to the server."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._writer is None:
                with contextlib.suppress(OSError, EOFError):
                    await self._connect()

    async def _connect(self) -> None:
        """Raises OSError or EOFError when no server is there."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        writer.write(packed(Hello(self._owner, os.getpid())))
        if not isinstance(await receive(reader, self._decoder), Welcome):
            writer.close()
            return
        self._writer = writer
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                frame = await receive(reader, self._decoder)
                if isinstance(frame, Leave):
                    self.asked_to_leave.set()
                elif isinstance(frame, Committed | Refused):
                    self._settle(frame)
        except (EOFError, OSError):
            pass
        finally:
            await self._hang_up()

    def _settle(self, frame: Committed | Refused) -> None:
        answer = self._answers.get(frame.number)
        if answer is None or answer.done():
            return
        if isinstance(frame, Committed):
            answer.set_result(frame.sequence)
        else:
            answer.set_exception(refused(frame.why))

    async def _hang_up(self) -> None:
        writer, self._writer = self._writer, None
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(_Cut())
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
