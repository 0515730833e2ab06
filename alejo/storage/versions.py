"""What a memory was before each of its changes: kept in the commit that changes it, gone in the one that forgets it."""

from __future__ import annotations

from alejo.storage import audit
from alejo.storage.blobs import withdraw
from alejo.storage.rows import put_memory
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import MEMORIES, VERSIONS
from alejo.types import Memory, Scope, Version

_STEP = 256


def version_key(memory_id: str, number: int) -> bytes:
    """Where a former version is kept."""
    return bytes.fromhex(memory_id) + number.to_bytes(8, "big")


class Versions:
    """The former versions of memories, the last `keep` of each."""

    def __init__(self, store: Store, keep: int) -> None:
        self._store = store
        self._keep = keep

    async def replace(
        self, scope: Scope, writer: Writer, row: Row[Memory], memory: Memory, change: str, at: int
    ) -> None:
        """Puts a changed memory in the place of the one that was read, and notes in the batch what that was.

        `change` is a stable word: "update", "correction", "supersession", "restoration"; `at` is when, in µs.
        """
        writer.expect(MEMORIES, row.key, row.version)
        put_memory(writer, memory)
        withdraw(writer)  # a snapshot has the words there were
        last = await self._store.scan(scope, VERSIONS, row.key, limit=1, reverse=True)
        number = last[0].value.number + 1 if last else 1
        if self._keep:
            former = Version(number, row.value, at, change, audit.actor.get())
            writer.put(VERSIONS, version_key(memory.id, number), former)
        for one in await self._store.scan(scope, VERSIONS, row.key, limit=_STEP):
            if one.value.number <= number - self._keep:
                writer.delete(VERSIONS, one.key)

    async def drop(self, scope: Scope, writer: Writer, memory_id: str) -> None:
        """Deletes in a batch every former version of a memory, which the batch must expect as it was read."""
        after, place = b"", bytes.fromhex(memory_id)
        while rows := await self._store.scan(scope, VERSIONS, place, after=after, limit=_STEP):
            for row in rows:
                writer.delete(VERSIONS, row.key)
            after = rows[-1].key
