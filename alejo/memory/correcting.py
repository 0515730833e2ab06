"""Correcting a memory: its words are replaced, and with them at once what was read in them."""

from __future__ import annotations

import msgspec

from alejo.clock import Clock
from alejo.errors import Conflict, InvalidArgument
from alejo.memory.facts import Facts
from alejo.memory.indexes import Indexes
from alejo.memory.memories import Memories
from alejo.memory.recall import sound
from alejo.memory.remember import saying
from alejo.memory.restating import Overtaken, Restating
from alejo.storage.journal import Journal
from alejo.storage.store import Store
from alejo.types import FactDraft, Memory, Scope

TEXT = 32_768  # characters
_TRIES = 8


class Correcting:
    """Puts memories right that are wrong. What the keeper would do for their facts later is done now."""

    def __init__(
        self, store: Store, journal: Journal, indexes: Indexes, memories: Memories, facts: Facts, clock: Clock
    ) -> None:
        self._store = store
        self._journal = journal
        self._indexes = indexes
        self._memories = memories
        self._facts = facts
        self._clock = clock

    async def correct(self, scope: Scope, memory_id: str, text: str, request_id: str = "") -> Memory:
        """The memory with other words, on disk, once for each request id; of a fact it is the object that is corrected.

        Raises NotFound, InvalidArgument when there are no words, or those of a fact have no object.
        """
        if not text.strip():
            raise InvalidArgument.field("text", "is required")
        if len(text) > TEXT:
            raise InvalidArgument.field("text", f"must have at most {TEXT:,} characters")
        memory = await self._memories.get(scope, memory_id)
        if memory.fact is not None:
            draft = await self._object(memory, text)
            return (await self._facts.correct(scope, memory_id, draft, request_id=request_id)).memory
        corrected = await self._memories.update(scope, memory_id, {"text": text}, request_id=request_id)
        await self._restate(scope, memory_id)
        return corrected

    async def _restate(self, scope: Scope, memory_id: str) -> None:
        restating = Restating(self._store, self._journal, self._indexes, self._facts, scope)
        for _ in range(_TRIES):
            row = await sound(self._store, scope, memory_id)
            if row is None:
                return
            overtaken = (each for each in await restating.overtaken() if each.source.key == row.key)
            writer = await self._store.writer(scope)
            gone = await restating.put_right(writer, next(overtaken, Overtaken(row, {})), self._clock.now())
            if gone is None:
                return
            try:
                await writer.commit()
            except Conflict:
                continue
            if gone:
                await self._memories.forget(scope, gone, keep_messages=True)
            return

    async def _object(self, memory: Memory, text: str) -> FactDraft:
        """What the new words of a fact state: as they are read, else with what stands where its object stood."""
        fact = memory.fact
        assert fact is not None  # noqa: S101  the caller has looked
        stated, _ = await self._facts.stated(saying(msgspec.structs.replace(memory, text=text), None))
        for draft in stated:
            if (draft.subject, draft.relation) == (fact.subject, fact.relation):
                return msgspec.structs.replace(draft, text=text, sources=memory.sources, sent_at=memory.sent_at)
        before, found, behind = memory.text.partition(fact.object)
        whole = len(text) > len(before) + len(behind) and text.startswith(before) and text.endswith(behind)
        if not found or not whole:
            raise InvalidArgument.field("text", "does not say what is true instead")
        instead = text[len(before) : len(text) - len(behind)]
        return FactDraft(
            fact.subject, fact.relation, instead, text=text, sources=memory.sources, sent_at=memory.sent_at
        )
