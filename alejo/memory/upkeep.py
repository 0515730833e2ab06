"""What becomes of a user's memories with time, in one visit: weighed, merged, summarised, archived, as the layers say.

A visit is a row of small commits. Each expects the user's row of upkeep as it was read and writes it anew, so of two
processes that visit one user at once only one gets anything done; and each expects the memories it changes. A conflict
ends the visit: what is left is done by the next.

Nothing is deleted but by `forget_archived_days`. What leaves the hot layers is archived, and named as its source by a
summary.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from alejo import _core
from alejo.clock import Clock
from alejo.errors import Conflict, DataLoss
from alejo.ids import Ids
from alejo.memory.index import Entry, Index
from alejo.memory.indexes import Indexes
from alejo.memory.layers import DAY, SUMMARY, Layers, Signals
from alejo.memory.pictures import PERCEPT
from alejo.memory.restating import Restating
from alejo.memory.summary import summarise
from alejo.outcomes import Tidied
from alejo.storage import audit
from alejo.storage.blobs import withdraw
from alejo.storage.journal import Journal
from alejo.storage.rows import put_memory
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import MEMORIES, RECALLS, SESSIONS, TURNS, UPKEEP, RecallCount, Upkeep
from alejo.types import Layer, Memory, Scope, SessionState

_KEY = b"\0"
_STEP = 128  # memories looked at for one commit
_STEPS = 32  # commits of a visit
_LOOKED_AT = 5_000  # entries at a time, some ms
_SETTLED = 5_000  # ms after which no process records a memory under an earlier id
_SAME = 0.99  # cosine from which on two texts may be the same words
_NEAREST = 8
_WORTH = 0.05  # of importance, for which a memory is written anew
_FEW = 10  # memories, below which everything is new
_ENDED = frozenset({SessionState.COMPLETED, SessionState.ARCHIVED})


class Forget(Protocol):
    """Forgets memories of a user."""

    async def __call__(self, scope: Scope, memory_ids: Sequence[str], *, keep_messages: bool) -> object:
        """Forgets them; what they were told in may stay."""
        ...


class Visit:
    """One visit to one user."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        indexes: Indexes,
        layers: Layers,
        ids: Ids,
        clock: Clock,
        scope: Scope,
        restating: Restating,
        ended: Iterable[str] = (),
    ) -> None:
        self._restating = restating
        self._store = store
        self._journal = journal
        self._indexes = indexes
        self._layers = layers
        self._ids = ids
        self._clock = clock
        self._scope = scope
        self._row: Row[Upkeep] | None = None
        self._steps = _STEPS
        self._touched = set(ended)  # sessions that may have too much in the working layer
        self.done = Tidied()

    async def run(self, recalled: Counter[str], forget: Forget) -> bool:
        """Does what is due; False if somebody else was at it, and then `recalled` was not written down."""
        self._row = await self._store.get(self._scope, UPKEEP, _KEY)
        try:
            await self._note(recalled)
        except Conflict:
            self.done = msgspec.structs.replace(self.done, done=False)
            return False
        try:
            done = await self._weigh() and await self._renew() and await self._restate(forget) and await self._leave()
            done = done and await self._age() and await self._expire(forget)
        except Conflict:
            done = False
        self.done = msgspec.structs.replace(self.done, done=done)
        return True

    def _count(self, **more: int) -> None:
        counts = {name: getattr(self.done, name) + count for name, count in more.items()}
        self.done = msgspec.structs.replace(self.done, **counts)

    @property
    def _upkeep(self) -> Upkeep:
        return self._row.value if self._row is not None else Upkeep()

    async def _commit(self, writer: Writer, done: Upkeep) -> None:
        done = msgspec.structs.replace(done, at=self._clock.now())
        writer.expect(UPKEEP, _KEY, self._row.version if self._row is not None else None)
        writer.put(UPKEEP, _KEY, done)
        self._row = Row(_KEY, done, await writer.commit())
        await asyncio.sleep(0)

    async def _note(self, recalled: Counter[str]) -> None:
        writer = await self._store.writer(self._scope, begin=False)
        for memory_id, count in recalled.items():
            place = bytes.fromhex(memory_id)
            row = await self._sound(place)
            if row is not None:
                before = await self._store.get(self._scope, RECALLS, place)
                total = count + (before.value.count if before is not None else 0)
                writer.put(RECALLS, place, RecallCount(total, self._clock.now()))
                writer.expect(MEMORIES, place, row.version)  # what is forgotten meanwhile leaves no count behind
        if recalled:
            await self._commit(writer, self._upkeep)

    async def _rows(self, after: bytes, until: int) -> tuple[list[Row[Memory]], bytes]:
        """The memories recorded after one and before a moment in ms, and the last of them that was looked at."""
        rows, more = await self._store.salvage(self._scope, MEMORIES, after=after, limit=_STEP)
        rows = [row for row in rows if _recorded(row.key) < until]
        if not rows:
            return [], more if more and _recorded(more) < until else b""
        return rows, rows[-1].key

    async def _weigh(self) -> bool:
        """New memories: how much they matter by how they were said, and whether they were said before."""
        until = self._clock.now() // 1000 - _SETTLED
        while True:
            rows, last = await self._rows(self._upkeep.weighed, until)
            if not last:
                return True
            if not self._spend():
                return False
            index = await self._indexes.get(self._scope)
            writer = await self._store.writer(self._scope, begin=False)
            changed: dict[bytes, Memory] = {}
            read = {row.key: row for row in rows}
            for row in rows:
                memory = changed.get(row.key, row.value)
                if memory.layer is Layer.WORKING and memory.session_id:
                    self._touched.add(memory.session_id)
                if memory.message_id and memory.fact is None and not memory.archived:
                    await self._weigh_one(index, memory, row, changed, read)
                    await asyncio.sleep(0)  # it takes up to a millisecond, which nobody else shall wait for
                self._count(weighed=1)
            for place, memory in changed.items():
                writer.expect(MEMORIES, place, read[place].version)
                put_memory(writer, memory)
            await self._commit(writer, msgspec.structs.replace(self._upkeep, weighed=last))

    async def _weigh_one(
        self,
        index: Index,
        memory: Memory,
        row: Row[Memory],
        changed: dict[bytes, Memory],
        read: dict[bytes, Row[Memory]],
    ) -> None:
        near = index.near(memory.id, memory.text, _NEAREST)
        same: list[tuple[bytes, Memory]] = []
        if self._layers.merge and memory.kind != "question":
            for other, cosine in near:
                if cosine >= _SAME and other < memory.id:
                    found = await self._same(memory, bytes.fromhex(other), changed, read)
                    same += [found] if found is not None else []
        closest = max((cosine for _, cosine in near), default=0.0)
        new = max(0.0, 1.0 - closest) if near and len(index.entries) >= _FEW else 0.0
        times = memory.repetitions + sum(other.repetitions for _, other in same)
        emotion, surprise = await self._turn(memory)
        signals = Signals(emotion, max(new, surprise), times, memory.kind == "note")
        importance = self._layers.importance(memory.importance, signals)
        for place, earlier in same:
            importance = max(importance, earlier.importance)
            changed[place] = msgspec.structs.replace(earlier, archived=True)
            self._count(merged=1)
        sources = (*memory.sources, *(other.id for _, other in same))
        if same or abs(importance - memory.importance) >= _WORTH:
            changed[row.key] = msgspec.structs.replace(
                memory,
                importance=importance,
                repetitions=times,
                sources=tuple(dict.fromkeys(sources)),
                model=memory.model or next((other.model for _, other in same if other.model), ""),
            )

    async def _same(
        self, memory: Memory, place: bytes, changed: dict[bytes, Memory], read: dict[bytes, Row[Memory]]
    ) -> tuple[bytes, Memory] | None:
        """An earlier memory, if it says the same words by the same speaker and may go."""
        row = read.get(place)
        if row is None:
            row = await self._sound(place)
            if row is None:
                return None
            read[place] = row
        other = changed.get(place, row.value)
        alike = (
            other.kind == memory.kind != PERCEPT  # pictures of which the same is told are not the same
            and other.speaker.casefold() == memory.speaker.casefold()
            and not (other.pinned or other.archived or other.outdated or other.fact is not None)
            and _core.tokens(other.text, "") == _core.tokens(memory.text, "")
        )
        return (place, other) if alike else None

    async def _turn(self, memory: Memory) -> tuple[float, float]:
        """How strong what was felt in its turn was, and how surprising what came."""
        try:
            message = await self._journal.message(self._scope, memory.session_id, memory.sent_at, memory.message_seq)
            turn = await self._store.get(self._scope, TURNS, message.request_key) if message is not None else None
        except DataLoss:
            return 0.0, 0.0
        if turn is None:
            return 0.0, 0.0
        appraisal, workspace = turn.value.appraisal, turn.value.workspace
        felt = max(abs(appraisal.valence), appraisal.arousal) if appraisal is not None else 0.0
        return felt, workspace.surprise if workspace is not None else 0.0

    async def _renew(self) -> bool:
        """What is stale and was made here: summaries are made anew, what was merged stands for itself again."""
        index = await self._indexes.get(self._scope)
        for memory_id in sorted(index.stale):
            row = await self._sound(bytes.fromhex(memory_id))
            if row is None or not row.value.stale or row.value.fact is not None:
                continue
            memory = row.value
            found = [each for each in [await self._sound(bytes.fromhex(one)) for one in memory.sources] if each]
            if any(each.value.stale for each in found):
                continue  # its turn comes when these have had theirs
            if memory.kind == SUMMARY:
                text = await asyncio.to_thread(
                    summarise, _told([each.value for each in found]), self._layers.summary_characters
                )
                renewed = msgspec.structs.replace(memory, text=text, stale=False) if text else None
            else:
                renewed = _apart(memory, [each.value for each in found])
            if renewed is None:
                continue
            if not self._spend():
                return False
            writer = await self._store.writer(self._scope, begin=False)
            for each in (row, *found):
                writer.expect(MEMORIES, each.key, each.version)
            put_memory(writer, renewed)
            withdraw(writer)  # a snapshot has the words there were
            audit.record(writer, "memory.renew", memory.id, self._clock.now())
            await self._commit(writer, self._upkeep)
        return True

    async def _restate(self, forget: Forget) -> bool:
        """Facts that were read in words which are others now."""
        for each in await self._restating.overtaken():
            if not self._spend():
                return False
            writer = await self._store.writer(self._scope, begin=False)
            gone = await self._restating.put_right(writer, each, self._clock.now())
            if gone is not None:
                await self._commit(writer, self._upkeep)
            if gone:
                await forget(self._scope, gone, keep_messages=True)
        return True

    async def _leave(self) -> bool:
        """What leaves the working layer: beyond its size in a session, and all of a session that has ended."""
        for session, working in (await self._working()).items():
            row = await self._store.get(self._scope, SESSIONS, bytes.fromhex(session))
            ended = row is None or row.value.state in _ENDED
            leaving = working if ended else working[: -self._layers.working_items]
            for start in range(0, len(leaving), _STEP):
                if not self._spend():
                    return False
                places = [bytes.fromhex(entry.id) for entry in leaving[start : start + _STEP]]
                rows = [each for each in [await self._sound(place) for place in places] if each is not None]
                await self._retire(rows, self._upkeep, promote=True)
        return True

    async def _working(self) -> dict[str, list[Entry]]:
        """What is in the working layer of the sessions that may have too much of it, in order."""
        found: dict[str, list[Entry]] = {}
        index = await self._indexes.get(self._scope) if self._touched else None
        for number, entry in enumerate(list(index.entries.values()) if index is not None else ()):
            if entry.layer is Layer.WORKING and entry.session_id in self._touched and not entry.archived:
                found.setdefault(entry.session_id, []).append(entry)
            if number % _LOOKED_AT == 0:
                await asyncio.sleep(0)
        for working in found.values():
            working.sort(key=lambda entry: (entry.sent_at, entry.id))
        return found

    async def _age(self) -> bool:
        """What happened long ago and was never recalled."""
        until = (self._clock.now() - round(self._layers.episodic_days * DAY)) // 1000
        while True:
            rows, last = await self._rows(self._upkeep.aged, until)
            if not last:
                return True
            if not self._spend():
                return False
            await self._retire(rows, msgspec.structs.replace(self._upkeep, aged=last), promote=False)

    async def _retire(self, rows: Sequence[Row[Memory]], done: Upkeep, *, promote: bool) -> None:
        """Archives what does not last, with a summary for each session; what lasts is promoted, if it has to leave."""
        writer = await self._store.writer(self._scope, begin=False)
        gone: defaultdict[str, list[Memory]] = defaultdict(list)
        for row in rows:
            memory = row.value
            if memory.archived or memory.outdated:
                continue
            count = await self._store.get(self._scope, RECALLS, row.key)
            await asyncio.sleep(0)
            lasts = self._layers.lasts(memory, count.value.count if count is not None else 0)
            if lasts and not promote:
                continue
            changed = {"layer": Layer.EPISODIC} if lasts else {"archived": True}
            self._count(promoted=lasts, archived=not lasts)
            writer.expect(MEMORIES, row.key, row.version)
            put_memory(writer, msgspec.structs.replace(memory, **changed))
            if not lasts:
                audit.record(writer, "memory.archive", memory.id, self._clock.now())
                gone[memory.session_id].append(memory)
        for session, memories in gone.items():
            await self._summarise(writer, session, memories)
        await self._commit(writer, done)

    async def _summarise(self, writer: Writer, session: str, memories: list[Memory]) -> None:
        told = _told(memories)
        text = await asyncio.to_thread(summarise, told, self._layers.summary_characters) if len(told) > 1 else ""
        if not text:
            return
        now = self._clock.now()
        summary = Memory(
            self._ids.new(),
            Layer.EPISODIC,
            SUMMARY,
            text,
            told[-1].sent_at,
            now,
            session_id=session,
            importance=max(each.importance for each in told),
            sources=tuple(each.id for each in told),
        )
        put_memory(writer, summary)
        audit.record(writer, "memory.summarise", summary.id, now)
        self._count(summaries=1)

    async def _expire(self, forget: Forget) -> bool:
        """Forgets what has long been archived, if the policy says so."""
        if not self._layers.forget_archived_days:
            return True
        until = (self._clock.now() - round(self._layers.forget_archived_days * DAY)) // 1000
        while True:
            rows, last = await self._rows(self._upkeep.expired, until)
            if not last:
                return True
            if not self._spend():
                return False
            gone = [row.value.id for row in rows if row.value.archived and not row.value.pinned]
            if gone:
                await forget(self._scope, gone, keep_messages=True)
                self._count(forgotten=len(gone))
            writer = await self._store.writer(self._scope, begin=False)
            await self._commit(writer, msgspec.structs.replace(self._upkeep, expired=last))

    async def _sound(self, place: bytes) -> Row[Memory] | None:
        try:
            return await self._store.get(self._scope, MEMORIES, place)
        except DataLoss:
            return None

    def _spend(self) -> bool:
        self._steps -= 1
        return self._steps >= 0


def _told(memories: Sequence[Memory]) -> list[Memory]:
    """What a summary tells of: no questions, in the order of time."""
    told = (each for each in memories if each.kind != "question")
    return sorted(told, key=lambda each: (each.sent_at, each.id))


def _apart(memory: Memory, sources: Sequence[Memory]) -> Memory | None:
    """A memory that stood for earlier ones of its words, without those that have other words by now."""
    if memory.repetitions < 2 or not memory.message_id:
        return None
    same = [each for each in sources if _core.tokens(each.text, "") == _core.tokens(memory.text, "")]
    times = 1 + sum(each.repetitions for each in same)
    return msgspec.structs.replace(memory, sources=tuple(each.id for each in same), repetitions=times, stale=False)


def _recorded(place: bytes) -> int:
    """When a memory was recorded, in ms: its id is a UUIDv7 (RFC 9562)."""
    return int.from_bytes(place[:6], "big")
