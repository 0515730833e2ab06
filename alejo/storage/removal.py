"""Memories that leave in one batch, with all that goes along: what was derived from them, what they were before.

The words of a derived memory are those of its sources, so it goes with any of them. The other way round, a memory that
was derived from another of the very same message takes that one along, as the message loses all its words; what else
was derived from that one stays. The memory of a picture is derived from the message that it came with, and goes when
that loses its words.

A batch that derives writes a mark anew at each source; a removal expects these marks as they were before it looked for
what is derived: so whatever is derived in between makes it a conflict.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from alejo.errors import DataLoss
from alejo.storage import audit
from alejo.storage.rows import remove_memory
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import DERIVED, EXPECTATIONS, MEMORIES, Expectations
from alejo.storage.versions import Versions
from alejo.types import Memory, Scope

_STEP = 256
_ONE = b"\0"


class Removal:
    """What one batch takes out of a user's memories."""

    def __init__(self, store: Store, versions: Versions, scope: Scope, writer: Writer) -> None:
        self._store = store
        self._versions = versions
        self._scope = scope
        self.writer = writer
        self._expected: Expectations | None = None

    async def family(self, rows: Iterable[Row[Memory]], *, whole: bool) -> list[Row[Memory]]:
        """The memories, and behind them those that go with them. `whole`: the messages they came from go too."""
        found = {row.key: row for row in rows}
        above = [row for each in found.values() async for row in self._said_with(each)] if whole else []
        if whole:
            for message_id in {row.value.message_id: None for row in found.values()}:
                if message_id:  # what pictures of it show goes too
                    found.update({row.key: row async for row in self.derived(message_id) if row.key not in found})
        waiting = list(found.values())
        while waiting:
            async for row in self.derived(waiting.pop().value.id):
                if row.key not in found:
                    found[row.key] = row
                    waiting.append(row)
        found.update({row.key: row for row in above if row.key not in found})
        return list(found.values())

    async def derived(self, source: str) -> AsyncIterator[Row[Memory]]:
        """The memories that were derived from one, or from a message; the batch expects that there are no more."""
        place = bytes.fromhex(source)
        mark = await self._store.get(self._scope, DERIVED, place)  # before the others: see above
        self.writer.expect(DERIVED, place, mark.version if mark else None)
        after = place
        while mark and (rows := await self._store.scan(self._scope, DERIVED, place, after=after, limit=_STEP)):
            for row in rows:
                memory = await self._sound(row.key[len(place) :])
                if memory is not None and source in memory.value.sources:
                    yield memory
            after = rows[-1].key

    async def _said_with(self, row: Row[Memory]) -> AsyncIterator[Row[Memory]]:
        for source in row.value.sources if row.value.message_id else ():
            memory = await self._sound(bytes.fromhex(source))
            if memory is not None and memory.value.message_id == row.value.message_id:
                yield memory

    async def _sound(self, place: bytes) -> Row[Memory] | None:
        try:
            return await self._store.get(self._scope, MEMORIES, place)
        except DataLoss:
            return None

    async def drop(self, row: Row[Memory], at: int) -> None:
        """Deletes a memory as it was read, and notes that in the audit."""
        memory = row.value
        self.writer.expect(MEMORIES, row.key, row.version)
        remove_memory(self.writer, memory)
        await self._versions.drop(self._scope, self.writer, memory.id)
        after = b""
        while rows := await self._store.scan(self._scope, DERIVED, row.key, after=after, limit=_STEP):
            for each in rows:
                self.writer.delete(DERIVED, each.key)
            after = rows[-1].key
        await self._unexpect(memory.id)
        audit.record(self.writer, "memory.forget", memory.id, at)

    async def _unexpect(self, memory_id: str) -> None:
        """Takes a memory out of what its user is expected to need."""
        if self._expected is None:
            row = await self._store.get(self._scope, EXPECTATIONS, _ONE)
            self.writer.expect(EXPECTATIONS, _ONE, None if row is None else row.version)
            self._expected = Expectations() if row is None else row.value
        left = self._expected.without({memory_id})
        if left != self._expected:
            self._expected = left
            self.writer.put(EXPECTATIONS, _ONE, left)
