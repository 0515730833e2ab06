"""The conformance suite of storage backends, and the smallest backend that passes its core.

A backend's own tests run it in a few lines; it declares its levels ("core", "durable", "many-process"):

    from alejo.testing.storage import Check, Subject, checks

    @pytest.mark.parametrize("check", checks("core", "durable"), ids=str)
    def test_conformance(check: Check, tmp_path: Path) -> None:
        check.run(Subject(open_mine, f"mine:{tmp_path}"))

`open_mine` takes the argument and opens the storage. "durable" and "many-process" open it in child processes too, so
there it must be a function that can be imported by its module and name.
"""

from __future__ import annotations

from collections.abc import Sequence

from alejo.errors import Conflict, Unavailable
from alejo.storage import Append, Batch, Delete, Operation, Put, Record
from alejo.storage.keys import PREFIXES, check_key

from . import storage_core, storage_shared
from .conformance import CHECKS, Check, Subject

__all__ = ["Check", "MemoryStorage", "Subject", "checks"]

LEVELS = {"core": storage_core, "durable": storage_shared, "many-process": storage_shared}


class MemoryStorage:
    """A backend that forgets: everything is in memory, nothing survives it."""

    def __init__(self, argument: str = "") -> None:
        self._rows: dict[bytes, Record] = {}
        self._sequence = 0
        self._closed = False

    async def commit(self, batch: Batch) -> int:
        """See Storage."""
        self._check()
        rows, sequence = dict(self._rows), self._sequence + 1
        for place, operation in enumerate(batch):
            self._apply(rows, operation, sequence, place)
        self._rows, self._sequence = rows, sequence
        return sequence

    async def get(self, table: str, key: bytes) -> Record | None:
        """See Storage."""
        self._check()
        return self._rows.get(PREFIXES[table] + key)

    async def many(self, table: str, keys: Sequence[bytes]) -> list[Record | None]:
        """See Storage."""
        self._check()
        return [self._rows.get(PREFIXES[table] + key) for key in keys]

    async def scan(
        self, table: str, prefix: bytes, *, after: bytes = b"", limit: int = 100, reverse: bool = False
    ) -> list[Record]:
        """See Storage."""
        self._check()
        begin = PREFIXES[table] + prefix
        found = sorted(row for key, row in self._rows.items() if key.startswith(begin))
        if after:
            found = [row for row in found if (row.key < after if reverse else row.key > after)]
        return (found[::-1] if reverse else found)[: max(limit, 0)]

    async def close(self) -> None:
        """See Storage."""
        self._closed = True

    def _check(self) -> None:
        if self._closed:
            raise Unavailable("The storage is closed.")

    def _apply(self, rows: dict[bytes, Record], operation: Operation, sequence: int, place: int) -> None:
        table = PREFIXES[operation.table]
        if isinstance(operation, Append):
            key = check_key(operation.prefix + sequence.to_bytes(8, "big") + place.to_bytes(2, "big"))
            rows[table + key] = Record(key, operation.seal(key), sequence)
            return
        key = check_key(operation.key)
        if isinstance(operation, Put):
            rows[table + key] = Record(key, operation.value, sequence)
        elif isinstance(operation, Delete):
            rows.pop(table + key, None)
        else:
            row = rows.get(table + key)
            if (row and row.version) != operation.version:
                raise Conflict("The record changed since it was read.")


def checks(*levels: str) -> list[Check[Subject]]:
    """The checks of these levels: "core", "durable", "many-process"."""
    if unknown := set(levels) - set(LEVELS):
        raise ValueError(f"no such level: {', '.join(sorted(unknown))}")
    return [check for check in CHECKS if check.level in levels]
