"""The memories of every user, each reached through a scope."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from functools import partial
from typing import Any

import msgspec

from alejo import __version__, paging
from alejo.cache import Cache
from alejo.clock import Clock
from alejo.errors import AlejoError, Conflict, InvalidArgument, NotFound, PluginFailed
from alejo.events import Events
from alejo.ids import raw
from alejo.memory import archive, recall
from alejo.memory.activity import Activity
from alejo.memory.context import DEFAULT_BUDGET, QUOTAS, Material, build
from alejo.memory.entities import SELF
from alejo.memory.forgetting import Asked, Forgetting
from alejo.memory.index import Index
from alejo.memory.indexes import Indexes
from alejo.memory.lines import times
from alejo.memory.pictures import NEAR
from alejo.memory.remember import Item, Remember
from alejo.memory.weights import Weights
from alejo.memory.when import Span, resolve
from alejo.outcomes import Preview
from alejo.plugins import PluginHost
from alejo.storage import audit
from alejo.storage.journal import Journal
from alejo.storage.removal import Removal
from alejo.storage.requests import Requests, digest
from alejo.storage.rows import put_memory
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import MEMORIES, MEMORIES_BY_TIME, TURNS, VERSIONS
from alejo.storage.versions import Versions
from alejo.types import (
    EVERYTHING,
    Appraisal,
    Context,
    Degraded,
    Filter,
    Hit,
    Kept,
    Memory,
    Mention,
    Message,
    Page,
    RecallPlan,
    Scope,
    Session,
    Version,
)
from alejo.zones import Zones, labelled

_TRIES = 8
_STEP = 256
_TOKENS = 16  # of a context, for which a memory is recalled: few memories are shorter
_FEWEST, _MOST = 20, 100
_DRIFT = 0.01  # of its half-life, which recency may be late by in an answer of the cache
_ANSWER = msgspec.msgpack.Decoder(tuple[builtins.list[Hit], str])
_ENCODED = msgspec.msgpack.Decoder(tuple[builtins.list[str], bytes])
Encode = Callable[[builtins.list[Hit], str], bytes]
_Question = tuple[str, str, Filter, str]  # what is asked, as pages are of one walk; the last is what it leaves out
_encode = msgspec.msgpack.Encoder().encode
CHANGEABLE = frozenset({"text", "layer", "kind", "importance", "pinned", "archived", "metadata", "model"})


class Memories:
    """Remember, recall, context, get, list, update, forget."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        requests: Requests,
        indexes: Indexes,
        plugins: PluginHost,
        remembering: Remember,
        versions: Versions,
        activity: Activity,
        cache: Cache,
        clock: Clock,
        events: Events,
        zones: Zones,
        quotas: Mapping[str, float] = QUOTAS,
        weights: Weights | None = None,
    ) -> None:
        self._events = events
        self._store = store
        self._journal = journal
        self._requests = requests
        self._indexes = indexes
        self._plugins = plugins
        self._remember = remembering
        self._versions = versions
        self._activity = activity
        self._cache = cache
        self._clock = clock
        self._quotas = quotas
        self.zones = zones
        self._weights = weights
        self._forgetting = Forgetting(store, journal, requests, versions, cache, clock)

    async def remember(self, scope: Scope, item: Item, *, request_id: str = "", source: Message | None = None) -> Kept:
        """Remembers a thing, or a message said elsewhere. On disk when it returns.

        `source` is the message that a thing comes from; it is redacted when the memory is forgotten.
        """
        result = self._told(await self._remember.many(scope, [(request_id, item)], source))[0]
        if isinstance(result, AlejoError):
            raise result
        return result

    async def remember_many(self, scope: Scope, items: Sequence[tuple[str, Item]]) -> builtins.list[Kept | AlejoError]:
        """Remembers many in one commit where possible; each has its own outcome, in the order given."""
        return self._told(await self._remember.many(scope, items))

    def _told(self, results: builtins.list[Kept | AlejoError]) -> builtins.list[Kept | AlejoError]:
        """Tells observers what was remembered."""
        for result in results:
            if isinstance(result, Kept) and not result.existed:
                for memory in result.memories:
                    self._events.tell("memory_formed", memory.session_id or memory.id, memory)
        return results

    async def recall(
        self, scope: Scope, query: str, page: Page, wanted: Filter = EVERYTHING, *, but: str = ""
    ) -> tuple[builtins.list[Hit], str, builtins.list[Degraded]]:
        """A page of the memories that match, best first; the token of the next page; what was missing.

        `but` is a message that is left out, the one that is being answered, and so is the same question asked before.
        A page also ends at 3 MiB. The pages of one walk are weighed as of its first; each begins behind the last hit of
        the one before, wherever that stands by then.

        The same question is answered from the cache until something of the user's memories changes, in any process:
        the last change is part of the answer's key. Recency is then late by a hundredth of its half-life at most.
        """
        made, answer, degraded = await self._answered(scope, ("recall", query, wanted, but), page, "", _plain)
        hits, token = made or _ANSWER.decode(answer)
        if not page.token:
            self._activity.recalled(scope, [hit.memory.id for hit in hits])
        return hits, token, degraded

    async def recall_encoded(
        self, scope: Scope, query: str, page: Page, wanted: Filter, form: str, encode: Encode
    ) -> tuple[bytes, builtins.list[Degraded]]:
        """What `recall` finds as `encode` makes bytes of the hits and the token; the cache keeps those.

        `form` tells this encoding from any other.
        """

        def noted(hits: builtins.list[Hit], token: str) -> bytes:
            return _encode(([hit.memory.id for hit in hits], encode(hits, token)))

        _, answer, degraded = await self._answered(scope, ("recall", query, wanted, ""), page, form, noted)
        ids, found = _ENCODED.decode(answer)
        if not page.token:
            self._activity.recalled(scope, ids)
        return found, degraded

    async def _answered(
        self, scope: Scope, question: _Question, page: Page, form: str, encode: Encode
    ) -> tuple[tuple[builtins.list[Hit], str] | None, bytes, builtins.list[Degraded]]:
        """A page of a recall if it had to be made, and as bytes; what was missing."""
        _, query, *_ = question
        cursor = paging.cursor(question, page.token)
        now = int.from_bytes(cursor[:8], "big", signed=True) if cursor else self._clock.now()
        plan, degraded = await self.plan(query, scope)
        index = await self._indexes.get(scope)
        blind = await self._indexes.prepare(index, query)
        moment = int(now / (plan.recency_half_life * 1_000_000 * _DRIFT))
        sight = index.embedder.name, len(index.pending), bool(blind)
        spans = await self._spans(scope, index, query, now)
        key = digest((__version__, form, question, page, plan, index.version, moment, sight, spans)).hex()

        made: tuple[builtins.list[Hit], str] | None = None

        async def load() -> bytes:
            nonlocal made
            made = await self._page(scope, index, question, cursor, plan, page.size, now, spans)
            return encode(*made)

        answer = await self._cache["responses"].fetch(scope, key, load)
        return made, answer, degraded + blind

    async def _page(
        self,
        scope: Scope,
        index: Index,
        question: _Question,
        cursor: bytes,
        plan: RecallPlan,
        size: int,
        now: int,
        spans: Sequence[Span],
    ) -> tuple[builtins.list[Hit], str]:
        _, query, wanted, but = question
        start, last = int.from_bytes(cursor[8:12], "big"), cursor[12:].hex()
        asked = index.asked(query)
        rank = partial(
            archive.rank, index, query, wanted, plan, now, most=start + size, but=but, spans=spans, asked=asked
        )
        found, more = await self._indexes.ask(scope, index, rank)
        places = [index.entries[each.doc].id for each in found]
        if last in places:
            start = places.index(last) + 1
        elif start:
            start -= 1  # the last hit is gone, and all behind it moved up
        hits = await recall.read(self._store, scope, index, asked, found[start : start + size])
        shown = paging.fitting([hit.memory.text for hit in hits])
        if shown == len(hits) and not (more or len(found) > start + size):
            return hits, ""
        behind = start + (size if shown == len(hits) else shown)
        mark = bytes.fromhex(places[behind - 1])
        token = paging.token(question, now.to_bytes(8, "big", signed=True) + behind.to_bytes(4, "big") + mark)
        return hits[:shown], token

    async def recall_for(
        self, scope: Scope, query: str, size: int, message_id: str
    ) -> tuple[builtins.list[Hit], builtins.list[Degraded]]:
        """What a turn recalls: like `recall`, without what is just being said. Raises PluginFailed.

        The same question, asked before, is left out: it would crowd out what answers it.
        """
        slot = self._plugins.one("memory")
        if slot is None:
            raise PluginFailed("", "memory", "vacant")
        plan = await self._learned(scope, await self._plugins.call(slot, "plan", query))
        hits, blind = await self._find(scope, query, plan, size, message_id, measure=True)
        self._activity.recalled(scope, [hit.memory.id for hit in hits])
        return hits, blind

    async def plan(self, query: str, scope: Scope | None = None) -> tuple[RecallPlan, builtins.list[Degraded]]:
        """The memory plugin's plan, or the plain one and the reason; with the weights that were learned for a user."""
        slot = self._plugins.one("memory")
        if slot is None:
            return RecallPlan(), [Degraded("memory")]
        try:
            plan: RecallPlan = await self._plugins.call(slot, "plan", query)
            return await self._learned(scope, plan) if scope is not None else plan, []
        except PluginFailed as failure:
            return RecallPlan(), [Degraded("memory", failure.plugin, failure.why)]

    async def _learned(self, scope: Scope, plan: RecallPlan) -> RecallPlan:
        return plan if self._weights is None else await self._weights.applied(scope, plan)

    async def _find(
        self,
        scope: Scope,
        query: str,
        plan: RecallPlan,
        size: int,
        without_message: str = "",
        session: Session | None = None,
        *,
        measure: bool = False,
    ) -> tuple[builtins.list[Hit], builtins.list[Degraded]]:
        index = await self._indexes.get(scope)
        blind = await self._indexes.prepare(index, query)
        now = self._clock.now()
        spans = await self._spans(scope, index, query, now, session)
        asked = index.asked(query)
        rank = partial(
            archive.rank,
            index,
            query,
            EVERYTHING,
            plan,
            now,
            most=size,
            but=without_message,
            spans=spans,
            asked=asked,
        )
        found, _ = await self._indexes.ask(scope, index, rank)
        weights = plan.weights if measure else None
        return await recall.read(self._store, scope, index, asked, found, weights), blind

    async def context(
        self, scope: Scope, query: str, *, session_id: str = "", token_budget: int = 0
    ) -> tuple[Context, builtins.list[Degraded]]:
        """What a brain should know to answer `query`, within a token budget. Raises NotFound for an unknown session."""
        row = await self._journal.session(scope, session_id) if session_id else None
        immediate = await self._journal.recent(scope, row) if row else ()
        given = Material(immediate=immediate, session=row and row.value, appraisal=await self._felt(scope, immediate))
        context, _, degraded = await self.assemble(scope, query, given, token_budget or DEFAULT_BUDGET)
        return context, degraded

    async def assemble(
        self, scope: Scope, query: str, given: Material, budget: int, but: str = ""
    ) -> tuple[Context, builtins.list[Memory], builtins.list[Degraded]]:
        """A context of what is given and what is recalled for `query`, the memories it shows, and what was missing.

        `but` is a message whose memories are left out: the one that is being answered.
        """
        plan, degraded = await self.plan(query, scope)
        most = max(_FEWEST, min(budget // _TOKENS, _MOST))
        hits, blind = await self._find(scope, query, plan, most, but, given.session) if query else ([], [])
        pinned = await self.pinned(scope)
        procedural = await self.procedural(scope)
        context = build(
            msgspec.structs.replace(
                given,
                hits=hits,
                pinned=pinned,
                procedural=[memory for memory in procedural if memory.message_id != but or not but],
                now=self._clock.now(),
                zone=await self.zones.of(scope, given.session),
            ),
            budget,
            self._quotas,
        )
        shown = {item.memory_id for item in context.items}
        self._activity.recalled(scope, [hit.memory.id for hit in hits if hit.memory.id in shown])
        memories = {memory.id: memory for memory in (*pinned, *procedural, *(hit.memory for hit in hits))}
        return context, [memory for each, memory in memories.items() if each in shown], degraded + blind

    async def times(
        self, scope: Scope, memories: Sequence[Memory], session: Session | None = None
    ) -> builtins.list[tuple[Mention, ...]]:
        """What each memory names of time, seen from when and where it was said."""
        here = await self.zones.of(scope, session)
        zones = (labelled(memory.metadata) or here for memory in memories)
        return [times(each.text, each.sent_at, zone) for each, zone in zip(memories, zones, strict=True)]

    async def _spans(
        self, scope: Scope, index: Index, query: str, now: int, session: Session | None = None
    ) -> builtins.list[Span]:
        """The times that a query names where the user is; days of their life by their facts."""

        def named(zone: tzinfo) -> builtins.list[Span]:
            def anchor(name: str) -> Span | None:
                days = (each.fact.object for each in index.facts.find(entity=SELF, relation=name))
                return next((span for day in days for span in resolve(day, now, zone)), None)

            return resolve(query, now, zone, anchor)

        found = named(UTC)
        if not found:  # most name none wherever they are
            return []
        zone = await self.zones.of(scope, session)
        return found if str(zone) == str(UTC) else named(zone)

    def known(self, scope: Scope) -> Collection[str]:
        """The ids of a user's memories as of their last recall in this process; none where there was none lately."""
        return self._indexes.known(scope)

    async def _felt(self, scope: Scope, messages: Sequence[Message]) -> Appraisal | None:
        """What was felt in the last of these messages that was said in a turn."""
        turn = next((message.request_key for message in reversed(messages) if message.request_key), b"")
        row = await self._store.get(scope, TURNS, turn) if turn else None
        return row.value.appraisal if row else None

    async def alike(
        self, scope: Scope, known: int, most: int = NEAR, limit: int = 10
    ) -> builtins.list[tuple[Memory, int]]:
        """The memories of pictures like one, by its perceptual hash, with the bits they differ in, nearest first."""
        index = await self._indexes.get(scope)
        near = dict(index.alike(known, most, limit))
        return [(memory, near[memory.id]) for memory in await self._sound(scope, near)]

    async def pinned(self, scope: Scope) -> builtins.list[Memory]:
        """The user's pinned memories."""
        index: Index = await self._indexes.get(scope)
        return await self._sound(scope, list(index.pinned))

    async def _sound(self, scope: Scope, memory_ids: Iterable[str]) -> builtins.list[Memory]:
        rows = await self._store.many(scope, MEMORIES, [*map(bytes.fromhex, memory_ids)])
        return [recall.versioned(row.value, row.version) for row in rows if row is not None]

    async def get(self, scope: Scope, memory_id: str) -> Memory:
        """One memory. Raises NotFound."""
        row = await self._row(scope, memory_id)
        return recall.versioned(row.value, row.version)

    async def _row(self, scope: Scope, memory_id: str) -> Row[Memory]:
        row = await self._store.get(scope, MEMORIES, raw(memory_id, "memory_id"))
        if row is None:
            raise NotFound("memory", memory_id)
        return row

    async def procedural(self, scope: Scope) -> Sequence[Memory]:
        """How the user wants things done, what was recorded last first; at most as much as a context shows."""
        index = await self._indexes.get(scope)
        return await self._sound(scope, sorted(index.procedural, reverse=True)[:_FEWEST])

    async def list(self, scope: Scope, page: Page, wanted: Filter = EVERYTHING) -> tuple[builtins.list[Memory], str]:
        """A page of the memories a filter lets through, newest first by when they were said; it also ends at 3 MiB."""
        question = ("memories", wanted)
        after = last = paging.cursor(question, page.token)
        passes = (await self._indexes.get(scope)).passing(wanted)
        found: builtins.list[Memory] = []
        room = paging.PAGE_BYTES
        step = max(page.size + 1, _STEP)
        while rows := await self._store.scan(scope, MEMORIES_BY_TIME, after=after, limit=step, reverse=True):
            for row in rows:
                if row.value not in passes:
                    continue
                memory = await recall.sound(self._store, scope, row.value)
                if memory is None:
                    continue
                room -= paging.weight(memory.value.text)
                if found and (len(found) == page.size or room < 0):
                    return found, paging.token(question, last)
                found.append(recall.versioned(memory.value, memory.version))
                last = row.key
            after = rows[-1].key
            await asyncio.sleep(0)  # a long list must not stop the others
        return found, ""

    async def update(
        self, scope: Scope, memory_id: str, changes: Mapping[str, Any], *, etag: str = "", request_id: str = ""
    ) -> Memory:
        """Changes a memory. Raises NotFound, InvalidArgument, or Conflict when `etag` is not its present version."""
        if unknown := sorted(set(changes) - CHANGEABLE):
            raise InvalidArgument.field("update_mask", f"cannot change {', '.join(unknown)}")
        body = digest(("memory.update", memory_id, dict(changes), etag))
        for _ in range(_TRIES):
            row = await self._row(scope, memory_id)  # first, or this very request could pass for somebody else's
            if await self._requests.find(scope, request_id, "memory.update", body) is not None:
                return await self.get(scope, memory_id)
            if etag and etag != format_etag(row.version):
                raise Conflict("The memory was changed since it was read.")
            now = self._clock.now()
            writer = await self._store.writer(scope)
            await self._versions.replace(scope, writer, row, _changed(row.value, changes), "update", now)
            if "text" in changes:
                await self._outdate(scope, writer, row)
            self._requests.add(writer, request_id, "memory.update", body, True)
            audit.record(writer, "memory.update", memory_id, now)
            try:
                return recall.versioned(_changed(row.value, changes), await writer.commit())
            except Conflict:
                continue
        raise Conflict("The memory is being changed by somebody else; try again.")

    async def _outdate(self, scope: Scope, writer: Writer, source: Row[Memory]) -> None:
        """Marks what was derived from a memory as stale: to be made anew by whoever made it, not recalled till then."""
        removal = Removal(self._store, self._versions, scope, writer)
        for row in (await removal.family([source], whole=False))[1:]:
            writer.expect(MEMORIES, row.key, row.version)
            put_memory(writer, msgspec.structs.replace(row.value, stale=True))

    async def forget(
        self,
        scope: Scope,
        memory_ids: Sequence[str] = (),
        *,
        preview: str = "",
        keep_messages: bool = False,
        request_id: str = "",
        asked: Asked | None = None,
    ) -> tuple[int, int]:
        """Forgets memories; returns how many went and how many messages were redacted.

        What was derived from them goes too, as `Removal` has it. The message a memory came from, and answers that
        quoted it, lose their words unless `keep_messages`. The messages that ask for it, `asked`, and what is
        remembered of them lose the words of the memories alone. `preview`, the token of one, stands in the place of
        `memory_ids` and `keep_messages`; raises InvalidArgument for another token, Conflict when what would go has
        changed since.
        """
        return await self._forgetting.forget(
            scope, memory_ids, preview=preview, keep_messages=keep_messages, request_id=request_id, asked=asked
        )

    async def preview(
        self, scope: Scope, query: str, wanted: Filter = EVERYTHING, *, most: int = 1000, keep_messages: bool = False
    ) -> Preview:
        """What forgetting by a query or a filter would take: nothing is changed.

        The memories whose own words hold most of what the query says, best first; without a query, all that the filter
        lets through, newest first. Raises InvalidArgument when there is neither.
        """
        if not query.strip() and wanted == EVERYTHING:
            raise InvalidArgument.field("query", "is required, unless there is a filter")
        if query.strip():
            index = await self._indexes.get(scope)
            ids, more = recall.holding(index, query, wanted, self._clock.now(), most=most)
            held = await self._store.many(scope, MEMORIES, [*map(bytes.fromhex, ids)])
            rows = [row for row in held if row is not None]
        else:
            memories, token = await self.list(scope, Page(most), wanted)
            rows, more = [Row(bytes.fromhex(each.id), each, each.version) for each in memories], bool(token)
        return await self._forgetting.preview(scope, rows, keep_messages=keep_messages, more=more)

    async def history(self, scope: Scope, memory_id: str, page: Page) -> tuple[builtins.list[Version], str]:
        """A page of what a memory was before its changes, newest first; it also ends at 3 MiB. Raises NotFound."""
        question = ("history", memory_id)
        after = paging.cursor(question, page.token)
        row = await self._row(scope, memory_id)
        rows = await self._store.scan(scope, VERSIONS, row.key, after=after, limit=page.size + 1, reverse=True)
        shown = paging.fitting([each.value.memory.text for each in rows[: page.size]])
        found = [each.value for each in rows[:shown]]
        return found, paging.token(question, rows[shown - 1].key) if len(rows) > shown else ""


def _changed(memory: Memory, changes: Mapping[str, Any]) -> Memory:
    """The memory with the changes; new words are not stale."""
    return msgspec.structs.replace(memory, **changes, **({"stale": False} if "text" in changes else {}))


def format_etag(version: int) -> str:
    """A version as clients see it."""
    return f"{version:x}"


def _plain(hits: builtins.list[Hit], token: str) -> bytes:
    return _encode((hits, token))
