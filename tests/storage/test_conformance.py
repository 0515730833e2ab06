"""The conformance suite, on every backend, and on broken ones so that the suite itself is proven."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from alejo.storage import Append, Batch, Delete, Expect, Operation, Put, Record
from alejo.storage.opener import open_files, open_lmdb
from alejo.testing.storage import Check, MemoryStorage, Subject, checks


@pytest.mark.parametrize("check", checks("core", "durable", "many-process"), ids=str)
def test_lmdb(check: Check, tmp_path: Path) -> None:
    """The lmdb: backend holds every level."""
    check.run(Subject(open_lmdb, f"lmdb:{tmp_path}"))


@pytest.mark.parametrize("check", checks("core", "durable", "many-process"), ids=str)
def test_files(check: Check, tmp_path: Path) -> None:
    """The files: backend holds every level."""
    check.run(Subject(open_files, f"files:{tmp_path}"))


@pytest.mark.parametrize("check", checks("core"), ids=str)
def test_memory(check: Check) -> None:
    """The fake in memory holds the core level."""
    check.run(Subject(MemoryStorage, ""))


def test_levels() -> None:
    """Every check states its fact, has a name of its own, and an unknown level is refused."""
    every = checks("core", "durable", "many-process")
    assert len({check.name for check in every}) == len(every) >= 25
    assert all(check.fact.endswith(".") for check in every)
    with pytest.raises(ValueError, match="sealed"):
        checks("core", "sealed")


class KeepsHalves(MemoryStorage):
    """Applies operations as it goes, so that a refused batch leaves its beginning."""

    async def commit(self, batch: Batch) -> int:
        self._check()
        for place, operation in enumerate(batch):
            self._apply(self._rows, operation, self._sequence + 1, place)
        self._sequence += 1
        return self._sequence


class ExpectsTooEarly(MemoryStorage):
    """Looks at Expect before the rest of the batch."""

    async def commit(self, batch: Batch) -> int:
        return await super().commit(sorted(batch, key=lambda operation: not isinstance(operation, Expect)))


class ExpectsTooLate(MemoryStorage):
    """Looks at Expect after the rest of the batch."""

    async def commit(self, batch: Batch) -> int:
        return await super().commit(sorted(batch, key=lambda operation: isinstance(operation, Expect)))


class IgnoresAbsence(MemoryStorage):
    """Takes Expect(None) for "no matter"."""

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        if not isinstance(operation, Expect) or operation.version is not None:
            super()._apply(rows, operation, sequence, place)


class NeverConflicts(MemoryStorage):
    """Ignores Expect."""

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        if not isinstance(operation, Expect):
            super()._apply(rows, operation, sequence, place)


class CountsPerRecord(MemoryStorage):
    """Gives a record's own count as its version."""

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        super()._apply(rows, operation, 1 if isinstance(operation, Put) else sequence, place)


class NeverCounts(MemoryStorage):
    """Stays at one sequence number."""

    async def commit(self, batch: Batch) -> int:
        await super().commit(batch)
        self._sequence = 0
        return 1


class ForgetsPlaces(MemoryStorage):
    """Numbers appended rows from nought, not by their place in the batch."""

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        super()._apply(rows, operation, sequence, 0)


class SealsPrefixes(MemoryStorage):
    """Seals an appended row for its prefix, not its key."""

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        if isinstance(operation, Append):
            seal, prefix = operation.seal, operation.prefix
            operation = Append(operation.table, prefix, lambda key: seal(prefix))
        super()._apply(rows, operation, sequence, place)


class RefusesToDeleteNothing(MemoryStorage):
    """Raises when there is nothing to delete."""

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        if isinstance(operation, Delete) and operation.table.encode() + b"\0" + operation.key not in rows:
            raise KeyError(operation.key)
        super()._apply(rows, operation, sequence, place)


class DropsDeletes(MemoryStorage):
    """Does not delete."""

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        if not isinstance(operation, Delete):
            super()._apply(rows, operation, sequence, place)


class MixesTables(MemoryStorage):
    """Puts names and keys together without anything between."""

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        super()._apply(rows, operation, sequence, place)
        for key in list(rows):
            table, _, rest = key.partition(b"\0")
            if rest:
                rows[table[:1] + b"\0" + table[1:] + rest] = rows[key]


class Scans(MemoryStorage):
    """A backend whose scan is `broken`."""

    def broken(self, rows: list[Record], prefix: bytes, after: bytes, limit: int, *, reverse: bool) -> list[Record]:
        raise NotImplementedError

    async def scan(
        self, table: str, prefix: bytes, *, after: bytes = b"", limit: int = 100, reverse: bool = False
    ) -> list[Record]:
        return self.broken(await super().scan(table, b"", limit=1 << 30), prefix, after, limit, reverse=reverse)


class BoundsByIncrement(Scans):
    """Ends a prefix scan at the prefix with its last byte raised, which 0xff cannot be."""

    def broken(self, rows: list[Record], prefix: bytes, after: bytes, limit: int, *, reverse: bool) -> list[Record]:
        end = prefix[:-1] + bytes([min(prefix[-1] + 1, 255)]) if prefix else b"\xff" * 401
        found = [row for row in rows if prefix <= row.key < end]
        found = [row for row in found if not after or (row.key < after if reverse else row.key > after)]
        return (found[::-1] if reverse else found)[:limit]


class IncludesAfter(Scans):
    """Begins with the record named by `after`."""

    def broken(self, rows: list[Record], prefix: bytes, after: bytes, limit: int, *, reverse: bool) -> list[Record]:
        found = [row for row in rows if row.key.startswith(prefix)]
        found = [row for row in found if not after or (row.key <= after if reverse else row.key >= after)]
        return (found[::-1] if reverse else found)[:limit]


class ReversesThePage(Scans):
    """Takes the first records and turns them round, instead of the last."""

    def broken(self, rows: list[Record], prefix: bytes, after: bytes, limit: int, *, reverse: bool) -> list[Record]:
        found = [row for row in rows if row.key.startswith(prefix)]
        found = [row for row in found if not after or (row.key < after if reverse else row.key > after)][:limit]
        return found[::-1] if reverse else found


class NeedsAfterToExist(Scans):
    """Finds nothing beyond a key that is not there."""

    def broken(self, rows: list[Record], prefix: bytes, after: bytes, limit: int, *, reverse: bool) -> list[Record]:
        found = [row for row in rows if row.key.startswith(prefix)]
        if after and after not in {row.key for row in rows}:
            return []
        found = [row for row in found if not after or (row.key < after if reverse else row.key > after)]
        return (found[::-1] if reverse else found)[:limit]


class IgnoresLimits(Scans):
    """Gives everything."""

    def broken(self, rows: list[Record], prefix: bytes, after: bytes, limit: int, *, reverse: bool) -> list[Record]:
        found = [row for row in rows if row.key.startswith(prefix)]
        found = [row for row in found if not after or (row.key < after if reverse else row.key > after)]
        return found[::-1] if reverse else found


class SortsAsText(Scans):
    """Compares keys as text of one byte a letter, without case."""

    def broken(self, rows: list[Record], prefix: bytes, after: bytes, limit: int, *, reverse: bool) -> list[Record]:
        found = [row for row in rows if row.key.startswith(prefix)]
        found = [row for row in found if not after or (row.key < after if reverse else row.key > after)]
        return sorted(found, key=lambda row: row.key.decode("latin-1").lower(), reverse=reverse)[:limit]


class SeesManyMoments(MemoryStorage):
    """Reads a scan's records one by one while commits go on."""

    async def commit(self, batch: Batch) -> int:
        await asyncio.sleep(0)
        return await super().commit(batch)

    async def scan(
        self, table: str, prefix: bytes, *, after: bytes = b"", limit: int = 100, reverse: bool = False
    ) -> list[Record]:
        found = []
        for row in await super().scan(table, prefix, after=after, limit=limit, reverse=reverse):
            await asyncio.sleep(0)
            found.append(await self.get(table, row.key) or row)
        return found


class DropsCancelled(MemoryStorage):
    """Keeps half a batch of a task that is cancelled while it waits."""

    async def commit(self, batch: Batch) -> int:
        if len(batch) == 2:
            await super().commit(batch[:1])
            await asyncio.sleep(0)
        return await super().commit(batch)


class NeverCloses(MemoryStorage):
    """Goes on after close."""

    async def close(self) -> None:
        return


class RefusesLateCommits(MemoryStorage):
    """Forgets on close what it had accepted."""

    async def commit(self, batch: Batch) -> int:
        await asyncio.sleep(0)
        return await super().commit(batch)


class TakesAnyKey(MemoryStorage):
    """Keeps records under keys that no other backend could keep."""

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        if isinstance(operation, Put):
            key = operation.table.encode() + b"\0" + operation.key
            rows[key] = Record(operation.key, operation.value, sequence)
        else:
            super()._apply(rows, operation, sequence, place)


BROKEN = [
    value
    for value in list(globals().values())
    if isinstance(value, type) and issubclass(value, MemoryStorage) and value not in {MemoryStorage, Scans}
]


@pytest.mark.parametrize("backend", BROKEN)
def test_a_broken_backend_fails(backend: type[MemoryStorage]) -> None:
    """Each of these mistakes is found by at least one check of the core level."""
    failed = []
    for check in checks("core"):
        try:
            check.run(Subject(backend, ""))
        except Exception:  # noqa: BLE001  # whatever it raised, the check did not pass
            failed.append(check.name)
    assert failed
    assert len(failed) < len(checks("core")), "the mistake is so gross that it proves nothing"
