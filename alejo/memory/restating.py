"""What a memory states once it has other words: the facts that were read in the words before are put right.

What the new words say as well is believed again; what they say otherwise is corrected, with a history; what they no
longer say is forgotten, and what it had superseded is believed again. A fact of several memories that is not among
what the new words state waits for whoever made it: words of one of them do not say that it is wrong.
"""

from __future__ import annotations

import contextlib

import msgspec

from alejo.errors import DataLoss, InvalidArgument
from alejo.memory.entities import key
from alejo.memory.facts import Facts
from alejo.memory.indexes import Indexes
from alejo.memory.recall import sound
from alejo.memory.remember import saying
from alejo.memory.stating import Statements
from alejo.storage import audit
from alejo.storage.journal import Journal
from alejo.storage.rows import put_memory
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import MEMORIES
from alejo.types import Fact, FactDraft, Memory, Message, Scope


class Overtaken(msgspec.Struct):
    """A memory that has other words, and the facts that were made of the words before."""

    source: Row[Memory]
    facts: dict[str, Row[Memory]]


class Restating:
    """Puts the facts of one user right, a memory at a time."""

    def __init__(self, store: Store, journal: Journal, indexes: Indexes, facts: Facts, scope: Scope) -> None:
        self._store = store
        self._journal = journal
        self._indexes = indexes
        self._facts = facts
        self._scope = scope

    async def overtaken(self) -> list[Overtaken]:
        """The memories with facts that wait to be put right, none of which waits for something else."""
        index = await self._indexes.get(self._scope)
        found: dict[str, Overtaken] = {}
        for memory_id in sorted(index.stale):
            row = await sound(self._store, self._scope, memory_id)
            if row is None or not row.value.stale or row.value.fact is None:
                continue
            sources = [await sound(self._store, self._scope, each) for each in row.value.sources]
            source = next((each for each in sources if each and each.value.fact is None), None)
            if source is not None and not any(each is not None and each.value.stale for each in sources):
                found.setdefault(source.value.id, Overtaken(source, {})).facts[memory_id] = row
        return list(found.values())

    async def put_right(self, writer: Writer, each: Overtaken, now: int) -> list[str] | None:
        """Adds to a batch what follows from a memory's new words, and returns what is to be forgotten once it is done.

        None where nobody can read the words at the moment, or nothing is to be done.
        """
        said = await self._saying(each.source.value)
        drafts, missing = await self._facts.stated(said)
        waiting = {memory_id for memory_id, row in each.facts.items() if len(row.value.sources) > 1}
        if missing or (not drafts and waiting == each.facts.keys()):
            return None
        writer.expect(MEMORIES, each.source.key, each.source.version)
        statements = self._facts.statements(self._scope, writer)
        left = dict(each.facts)
        for draft in drafts:
            await self._state(writer, statements, _of(draft, each.source.value, said), left, said, now)
        gone = sorted(left.keys() - waiting)
        for memory_id in gone:
            await self._restore(statements, left[memory_id], each.source.value.id, now)
        await statements.write(now)
        return gone

    async def _state(
        self,
        writer: Writer,
        statements: Statements,
        draft: FactDraft,
        left: dict[str, Row[Memory]],
        said: Message,
        now: int,
    ) -> None:
        before = [row for row in left.values() if row.value.fact and _alike(row.value.fact, draft)]
        same = next((row for row in before if row.value.fact and _same(row.value.fact, draft)), None)
        if same is not None:
            del left[same.value.id]
            writer.expect(MEMORIES, same.key, same.version)
            put_memory(writer, msgspec.structs.replace(same.value, stale=False))
            audit.record(writer, "memory.renew", same.value.id, now)
            return
        with contextlib.suppress(InvalidArgument):  # it would correct what begins after its end
            await statements.add(draft, now, said, replaces=before[0].value.id if before else "")
            if before:
                del left[before[0].value.id]

    async def _restore(self, statements: Statements, row: Row[Memory], source: str, now: int) -> None:
        """What a fact had superseded is believed again, unless it was read in the same memory."""
        fact = row.value.fact
        if fact is not None:
            known = (await self._indexes.get(self._scope)).facts
            for each in known.find(entity=fact.subject, relation=fact.relation, superseded=True):
                if each.superseded_by == row.value.id:
                    before = await sound(self._store, self._scope, each.id)
                    if before is not None and source not in before.value.sources:
                        await statements.restore(each, now)

    async def _saying(self, memory: Memory) -> Message:
        """The message a memory came from, in the words that the memory has now."""
        message = None
        if memory.session_id and memory.message_seq:
            with contextlib.suppress(DataLoss):
                message = await self._journal.message(
                    self._scope, memory.session_id, memory.sent_at, memory.message_seq
                )
        return saying(memory, message)


def _of(draft: FactDraft, source: Memory, said: Message) -> FactDraft:
    return msgspec.structs.replace(draft, sent_at=said.sent_at, sources=(source.id,), metadata=said.metadata)


def _alike(fact: Fact, draft: FactDraft) -> bool:
    return (key(fact.subject), fact.relation) == (key(draft.subject), draft.relation)


def _same(fact: Fact, draft: FactDraft) -> bool:
    return (key(fact.object), fact.negated) == (key(draft.object), draft.negated)
