"""Facts: added, corrected, restored, listed, and what stands around an entity.

A fact is a memory that states something: it is kept, found, forgotten and exported as any other. What it does to those
that it contradicts is in `timeline`, who is meant by a name in `entities`.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from alejo import paging
from alejo.clock import Clock
from alejo.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound, PluginFailed
from alejo.ids import Ids, raw
from alejo.memory.indexes import Indexes
from alejo.memory.recall import sound, versioned
from alejo.memory.stating import Statements
from alejo.memory.timeline import Stated
from alejo.plugins import PluginHost
from alejo.storage import audit
from alejo.storage.requests import Requests, digest
from alejo.storage.rows import time_key
from alejo.storage.store import Store, Writer
from alejo.storage.tables import MEMORIES
from alejo.storage.versions import Versions
from alejo.types import Degraded, Fact, FactChange, FactDraft, Memory, Message, Neighbourhood, Page, Scope
from alejo.zones import Zones

_TRIES = 8
_Step = Callable[[Statements], Awaitable[tuple[str, bool]]]


class Facts:
    """The facts of every user, each reached through a scope."""

    def __init__(
        self,
        store: Store,
        indexes: Indexes,
        requests: Requests,
        plugins: PluginHost,
        versions: Versions,
        ids: Ids,
        clock: Clock,
        zones: Zones,
    ) -> None:
        self._store = store
        self._versions = versions
        self._indexes = indexes
        self._requests = requests
        self._plugins = plugins
        self._ids = ids
        self._clock = clock
        self._zones = zones

    async def add(self, scope: Scope, draft: FactDraft, *, request_id: str = "") -> FactChange:
        """Adds a fact, closing what it contradicts. On disk when it returns. Raises InvalidArgument, NotFound."""

        async def step(statements: Statements) -> tuple[str, bool]:
            return await statements.add(await self._complete(draft), self._clock.now())

        return await self._change(scope, "fact.add", request_id, (draft,), step, draft.sources)

    async def correct(self, scope: Scope, memory_id: str, draft: FactDraft, *, request_id: str = "") -> FactChange:
        """Puts a fact in the place of one that was never true; what the draft leaves open is as in that one.

        Raises NotFound, InvalidArgument, or FailedPrecondition if that one is not believed.
        """
        raw(memory_id, "memory_id")

        async def step(statements: Statements) -> tuple[str, bool]:
            stated = await statements.get(memory_id)
            if not stated.held:
                raise FailedPrecondition("The fact is not believed; correct what took its place.")
            whole = msgspec.structs.replace(
                draft,
                subject=draft.subject or stated.fact.subject,
                relation=draft.relation or stated.fact.relation,
            )
            return await statements.add(await self._complete(whole), self._clock.now(), replaces=memory_id)

        return await self._change(scope, "fact.correct", request_id, (memory_id, draft), step, draft.sources)

    async def restore(self, scope: Scope, memory_id: str, *, request_id: str = "") -> FactChange:
        """Takes back what superseded a fact: all is as it was before that.

        Raises NotFound, or FailedPrecondition if nothing superseded it.
        """
        raw(memory_id, "memory_id")

        async def step(statements: Statements) -> tuple[str, bool]:
            stated = await statements.get(memory_id)
            if not stated.superseded_by:
                raise FailedPrecondition("Nothing superseded the fact, so there is nothing to restore.")
            await statements.restore(stated, self._clock.now())
            return memory_id, False

        return await self._change(scope, "fact.restore", request_id, (memory_id,), step)

    async def _change(
        self,
        scope: Scope,
        kind: str,
        request_id: str,
        body: Sequence[object],
        step: _Step,
        sources: Sequence[str] = (),
    ) -> FactChange:
        """Does a step in a commit of its own, once for each request id."""
        summary = digest((kind, *body))
        request_id = request_id or self._ids.new()
        for _ in range(_TRIES):
            done = await self._requests.find(scope, request_id, kind, summary)
            if done is not None:
                return await self._again(scope, request_id, done[0], done[1])
            writer = await self._store.writer(scope)
            for place, source in enumerate(sources):
                row = await self._store.get(scope, MEMORIES, raw(source, f"fact.sources[{place}]"))
                if row is None:
                    raise NotFound("memory", source)
                writer.expect(MEMORIES, row.key, row.version)
            statements = self.statements(scope, writer)
            memory_id, existed = await step(statements)
            written = await statements.write(self._clock.now())
            others = [each for each in written if each != memory_id]
            self._requests.add(writer, request_id, kind, summary, (memory_id, others))
            audit.record(writer, kind, memory_id, self._clock.now())
            try:
                await writer.commit()
            except Conflict:
                continue
            change = await self._again(scope, request_id, memory_id, others)
            return msgspec.structs.replace(change, existed=existed)
        raise Conflict("The facts are being changed by somebody else; try again.")

    async def _again(self, scope: Scope, request_id: str, memory_id: str, others: Sequence[str]) -> FactChange:
        rows = [await sound(self._store, scope, each) for each in (memory_id, *others)]
        if rows[0] is None:
            raise NotFound("fact", memory_id)
        memory, *changed = [versioned(row.value, row.version) for row in rows if row is not None]
        return FactChange(request_id, memory, tuple(changed), True)

    async def _complete(self, draft: FactDraft) -> FactDraft:
        """The draft as the memory plugin writes its relation and text, where it can."""
        slot = self._plugins.offering("memory", "complete_fact")
        if slot is None:
            return draft
        try:
            completed: FactDraft = await self._plugins.call(slot, "complete_fact", draft)
        except (PluginFailed, InvalidArgument):
            return draft
        return completed

    def statements(self, scope: Scope, writer: Writer) -> Statements:
        """The facts of a batch under way."""
        return Statements(self._store, self._indexes, self._versions, self._ids, self._zones, scope, writer)

    async def stated(self, message: Message) -> tuple[Sequence[FactDraft], builtins.list[Degraded]]:
        """What a message states, as the memory plugin reads it, and what was missing."""
        slot = self._plugins.offering("memory", "facts")
        if slot is None:
            return (), []
        try:
            return await self._plugins.call(slot, "facts", message), []
        except PluginFailed as failure:
            return (), [Degraded("memory", failure.plugin, failure.why)]
        except InvalidArgument:
            return (), [Degraded("memory", slot.plugin, "rejected")]

    async def list(
        self,
        scope: Scope,
        page: Page,
        *,
        entity: str = "",
        relation: str = "",
        as_of: int | None = None,
        known_at: int | None = None,
        superseded: bool = False,
    ) -> tuple[builtins.list[Memory], str]:
        """A page of the facts as `FactIndex.find` has them, those that began last first; it also ends at 3 MiB.

        With `known_at` each is as it was known then.
        """
        question = ("facts", entity, relation, as_of, known_at, superseded)
        before = paging.cursor(question, page.token)
        index = (await self._indexes.get(scope)).facts
        found = index.find(entity=entity, relation=relation, as_of=as_of, known_at=known_at, superseded=superseded)
        memories: builtins.list[Memory] = []
        last, room = b"", paging.PAGE_BYTES
        for stated in found:
            place = _place(stated)
            memory = None if before and place >= before else await self._memory(scope, stated)
            if memory is None:
                continue
            room -= paging.weight(memory.text)
            if memories and (len(memories) == page.size or room < 0):
                return memories, paging.token(question, last)
            memories.append(memory)
            last = place
        return memories, ""

    async def neighbourhood(
        self, scope: Scope, entity: str, *, depth: int = 1, most: int = 50, as_of: int | None = None
    ) -> Neighbourhood:
        """What is at most `depth` facts away from an entity, by at most so many facts that hold, or held as of then."""
        around = (await self._indexes.get(scope)).facts.around(entity, depth, most, as_of)
        memories = [await self._memory(scope, stated) for stated in around.facts]
        return Neighbourhood(tuple(around.entities), tuple(each for each in memories if each is not None), around.more)

    async def _memory(self, scope: Scope, stated: Stated) -> Memory | None:
        """The memory of a fact, as it is stated."""
        row = await sound(self._store, scope, stated.id)
        if row is None:
            return None
        memory = msgspec.structs.replace(row.value, fact=stated.fact, superseded_by=stated.superseded_by)
        return versioned(memory, row.version)


def _place(stated: Stated) -> bytes:
    """Where a fact is in a list, falling: when it began, then its id."""
    fact: Fact = stated.fact
    begin = bytes(8) if fact.valid_from is None else time_key(fact.valid_from)
    return begin + bytes.fromhex(stated.id)
