"""All records, in memory, in the order of their keys."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from alejo.storage import Record
from alejo.storage.keys import PREFIXES, successor


class Rows:
    """Records by stored key: the table's name, NUL, and the key."""

    def __init__(self) -> None:
        self._records: dict[bytes, Record] = {}
        self._keys: list[bytes] = []  # in order, but for those of `_new`
        self._new: list[bytes] = []

    def __len__(self) -> int:
        return len(self._records)

    def get(self, stored: bytes) -> Record | None:
        """One record, or None."""
        return self._records.get(stored)

    def put(self, stored: bytes, record: Record) -> None:
        """Keeps a record, new or not."""
        if stored not in self._records:
            self._new.append(stored)
        self._records[stored] = record

    def remove(self, stored: bytes) -> None:
        """Removes a record, there or not."""
        if self._records.pop(stored, None) is not None:
            self._sort()
            del self._keys[bisect_left(self._keys, stored)]

    def scan(self, table: str, prefix: bytes, after: bytes, limit: int, *, reverse: bool) -> list[Record]:
        """See Storage."""
        self._sort()
        name = PREFIXES[table]
        start, end = bisect_left(self._keys, name + prefix), bisect_left(self._keys, successor(name + prefix))
        if after and reverse:
            end = min(end, bisect_left(self._keys, name + after))
        elif after:
            start = max(start, bisect_right(self._keys, name + after))
        if reverse:
            return [self._records[key] for key in self._keys[max(start, end - limit) : end][::-1]]
        return [self._records[key] for key in self._keys[start : min(end, start + limit)]]

    def all(self) -> Iterator[tuple[bytes, Record]]:
        """Every record under its stored key."""
        yield from self._records.items()

    def _sort(self) -> None:
        if len(self._new) > 100:  # merging runs is linear
            self._keys += self._new
            self._keys.sort()
        else:
            for key in self._new:
                insort(self._keys, key)
        self._new.clear()
