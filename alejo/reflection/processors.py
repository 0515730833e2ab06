"""The processors of plugins: each asks one reflector, and writes what it found as memories beside their sources.

What was found is written in the commit of the processor's watermark, so once. A memory made of messages has what was
kept of them as its sources: it goes with any of them. If one of those has changed since it was read, nothing is
written, and the messages are worked through again.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from alejo.clock import Clock
from alejo.errors import Conflict, InvalidArgument, PluginFailed
from alejo.ids import Ids
from alejo.memory import Facts
from alejo.memory.entities import SELF
from alejo.memory.indexes import Indexes
from alejo.memory.recall import sound
from alejo.memory.stating import Statements
from alejo.models import LanguageModels, Wish, at_hand
from alejo.plugins import PluginHost, Slot
from alejo.reflection.fitness import check, sources_of
from alejo.reflection.hearing import Hearing, in_order
from alejo.reflection.worker import Effects, Piece
from alejo.roles import Work
from alejo.storage import audit
from alejo.storage.rows import put_memory
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import EPISODES, MEMORIES, SESSIONS, VERSIONS, LastEpisode
from alejo.types import (
    Cardinality,
    Episode,
    EpisodeDraft,
    FactDraft,
    Findings,
    Layer,
    Memory,
    Preferences,
    ProcedureDraft,
    Said,
    Scope,
)
from alejo.zones import Zones

EPISODE = "episode"  # the kind of memory
TITLE = "title"  # the label of its title
_SECONDS = 240.0  # for one call, within the time a worker gives a batch
_MODEL_SECONDS = 200.0  # of it for language models
_STEP = 64  # messages of one call
_EARLIER, _CONTEXT = 12, 4  # messages before the last episode's, for those that want it, and for the others
_SESSIONS = 256  # whose last episode's messages are kept at hand
_FACTS = 50


class _Making(NamedTuple):
    """An episode that is to be written: the id of its memory, and its row, if it is there."""

    id: str
    draft: EpisodeDraft
    row: Row[Memory] | None


class Reflecting:
    """The processor of one reflector, by its name."""

    def __init__(
        self,
        name: str,
        store: Store,
        indexes: Indexes,
        facts: Facts,
        plugins: PluginHost,
        preferences: Callable[[Scope], Awaitable[Preferences]],
        ids: Ids,
        clock: Clock,
        zones: Zones,
        models: LanguageModels | None = None,
    ) -> None:
        self.name = name
        self._models = models
        self._store = store
        self._indexes = indexes
        self._facts = facts
        self._plugins = plugins
        self._preferences = preferences
        self._ids = ids
        self._clock = clock
        self._zones = zones
        self._heard: OrderedDict[tuple[Scope, str], Mapping[str, Said]] = OrderedDict()

    async def process(self, scope: Scope, pieces: Sequence[Piece]) -> Effects:
        """See Processing. Raises Unfit for findings that cannot be right, PluginFailed."""
        found = [await self._reflect(scope, piece) for piece in pieces if piece.messages]

        async def effects(writer: Writer) -> None:
            statements = self._facts.statements(scope, writer)
            for each in found:
                if each is not None:
                    await each.put(writer, statements)
            await statements.write(self._clock.now())

        return effects

    def _slot(self) -> Slot:
        for slot in self._plugins.every("reflector"):
            if slot.object.name == self.name:
                return slot
        raise PluginFailed("", "reflector", "vacant")

    async def _reflect(self, scope: Scope, piece: Piece) -> _Outcome | None:
        """What a reflector makes of a session's messages, some at a time; None if the session is gone."""
        slot = self._slot()
        wants = frozenset(slot.object.wants)
        place = bytes.fromhex(piece.job.session_id)
        row = await self._store.get(scope, SESSIONS, place)
        if row is None:
            return None
        zone = await self._zones.of(scope, row.value)
        hearing = Hearing(self._store, scope, row.value, zone, wants)
        outcome = _Outcome(self._store, self._ids, self._clock, scope, hearing, place + self.name.encode())
        if "episode" in wants:
            await outcome.begin()
        messages = in_order(piece.messages)
        most = _EARLIER + 2 * len(outcome.last.sources if outcome.last else ()) if "episode" in wants else _CONTEXT
        heard = self._heard.pop((scope, row.value.id), {}) if outcome.sound else {}
        earlier = [heard.get(each.id) or await hearing.said(each) for each in await hearing.before(messages[0], most)]
        for start in range(0, len(messages), _STEP):
            said = [await hearing.said(message) for message in messages[start : start + _STEP]]
            preferences = await self._preferences(scope)
            work = Work(
                row.value,
                tuple(said),
                tuple(earlier),
                outcome.last,
                outcome.told,
                await self._known(scope, said) if "facts" in wants else (),
                preferences,
                None
                if self._models is None
                else at_hand(self._models, scope, Wish(preferences.model), seconds=_MODEL_SECONDS),
            )
            findings: Findings = await self._plugins.call(slot, "reflect", work, timeout=_SECONDS)
            check(findings, work)
            outcome.take(findings, (*earlier, *said))
            earlier = [*earlier, *said][-most - _STEP :]
        if outcome.last is not None:
            of_it = frozenset(outcome.last.sources)
            self._heard[scope, row.value.id] = {each.message.id: each for each in earlier if each.message.id in of_it}
            if len(self._heard) > _SESSIONS:
                self._heard.popitem(last=False)
        return outcome

    async def _known(self, scope: Scope, messages: Sequence[Said]) -> tuple[Memory, ...]:
        """The facts that are believed of whoever speaks, those that began last first."""
        index = (await self._indexes.get(scope)).facts
        names = {said.message.speaker or SELF for said in messages}
        found = {each.id: None for name in sorted(names) for each in index.find(entity=name)[:_FACTS]}
        rows = [await sound(self._store, scope, each) for each in found]
        return tuple(row.value for row in rows if row is not None)


class _Outcome:
    """What is to be written of one session."""

    def __init__(self, store: Store, ids: Ids, clock: Clock, scope: Scope, hearing: Hearing, place: bytes) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock
        self._scope = scope
        self._hearing = hearing
        self._place = place
        self._before: int | None = None  # the version of the row that tells of the last episode
        self._row: Row[Memory] | None = None  # of the last episode, as it was read
        self._episodes: dict[str, _Making] = {}
        self._facts: list[FactDraft] = []
        self._procedures: list[ProcedureDraft] = []
        self._said: dict[str, Said] = {}
        self.last: Episode | None = None
        self.told = 0  # the number of the last message that an episode was made of

    @property
    def sound(self) -> bool:
        """Whether there is a last episode, and none of its sources has other words by now."""
        return self._row is not None and not self._row.value.stale

    async def begin(self) -> None:
        """Reads the last episode. One that was forgotten, or changed by its user, is gone on with no more."""
        state = await self._store.get(self._scope, EPISODES, self._place)
        if state is None:
            return
        self._before, self.told = state.version, state.value.told
        row = await sound(self._store, self._scope, state.value.memory_id) if state.value.memory_id else None
        if row is None or await self._store.scan(self._scope, VERSIONS, row.key, limit=1):
            return
        self._row = row
        title = row.value.metadata.get(TITLE, "")
        self.last = Episode(row.value.id, title, row.value.text, state.value.sources)

    def take(self, findings: Findings, said: Sequence[Said]) -> None:
        """Takes what was found in these messages."""
        self._said |= {each.message.id: each for each in said}
        for draft in findings.episodes:
            self.told = max(self.told, *(self._said[each].message.seq for each in draft.sources))
            memory_id = draft.replaces or self._ids.new()
            row = self._row if self._row is not None and self._row.value.id == memory_id else None
            self._episodes[memory_id] = _Making(memory_id, draft, row)
            self.last = Episode(memory_id, draft.title, draft.summary, draft.sources) if draft.open else None
        self._facts += findings.facts
        self._procedures += findings.procedures

    async def put(self, writer: Writer, statements: Statements) -> None:
        """Adds it all to a batch. Raises Conflict if a source is no longer what it was."""
        now = self._clock.now()
        rows = await self._sources(writer)
        for making in self._episodes.values():
            self._put_episode(writer, making, now)
        if self._episodes:
            last = LastEpisode(self.last.id, self.last.sources) if self.last else LastEpisode()
            last = msgspec.structs.replace(last, told=self.told)
            writer.expect(EPISODES, self._place, self._before)
            writer.put(EPISODES, self._place, last)
        for fact in self._facts:
            await self._state(statements, fact, now)
        for procedure in self._procedures:
            if await self._state(statements, _fact(procedure), now, Layer.PROCEDURAL):
                self._retire(writer, [rows[each] for each in self._kept_of(procedure.sources)])

    async def _sources(self, writer: Writer) -> Mapping[str, Row[Memory]]:
        """What was kept of the messages that something was made of, as it is now.

        What the last episode was made of needs no look: were one of it gone or changed, so would be the episode, whose
        row the batch expects as it was read.
        """
        episodes = [each.draft for each in self._episodes.values()]
        wanted = {
            each: None for of in sources_of(episodes, self._facts, self._procedures) for each in self._kept_of(of)
        }
        if self._row is not None and self._episodes:
            writer.expect(MEMORIES, self._row.key, self._row.version)
            if self.sound:
                wanted = {each: None for each in wanted if each not in self._row.value.sources}
        found: dict[str, Row[Memory]] = {}
        for memory_id in wanted:
            row = await self._store.get(self._scope, MEMORIES, bytes.fromhex(memory_id))
            if row is None or row.value.text != self._hearing.words[memory_id]:
                raise Conflict("What was said has changed since it was read.")
            writer.expect(MEMORIES, row.key, row.version)
            found[memory_id] = row
        return found

    def _kept_of(self, messages: Sequence[str]) -> list[str]:
        """The ids of what was kept of messages."""
        return [memory_id for each in messages for memory_id in self._said[each].memories]

    def _put_episode(self, writer: Writer, making: _Making, now: int) -> None:
        draft, before = making.draft, making.row.value if making.row is not None else None
        first = min((self._said[each].message for each in draft.sources), key=lambda message: message.sent_at)
        memory = Memory(
            making.id,
            Layer.EPISODIC,
            EPISODE,
            draft.summary,
            before.sent_at if before else first.sent_at,
            before.recorded_at if before else now,
            session_id=first.session_id,
            importance=draft.importance,
            pinned=before.pinned if before else False,
            archived=before.archived if before else False,
            metadata={TITLE: draft.title},
            sources=tuple(self._kept_of(draft.sources)),
        )
        if before is None:
            writer.expect(MEMORIES, bytes.fromhex(making.id), None)
        put_memory(writer, memory, before.sources if before else ())
        audit.record(writer, "memory.reflect", making.id, now)

    async def _state(self, statements: Statements, draft: FactDraft, now: int, layer: Layer = Layer.SEMANTIC) -> bool:
        """Adds a fact to the batch; whether it was not known."""
        message = self._said[draft.sources[-1]].message
        whole = msgspec.structs.replace(
            draft,
            sent_at=message.sent_at,
            sources=tuple(self._kept_of(draft.sources)),
            metadata=message.metadata | draft.metadata,
        )
        with contextlib.suppress(InvalidArgument):  # it would correct what begins after its end
            _, existed = await statements.add(whole, now, message, layer=layer)
            return not existed
        return False

    @staticmethod
    def _retire(writer: Writer, sources: Collection[Row[Memory]]) -> None:
        """Takes what a procedure was made of out of the procedures: what supersedes the one supersedes the other."""
        for row in sources:
            if row.value.layer is Layer.PROCEDURAL and not row.value.pinned:
                put_memory(writer, msgspec.structs.replace(row.value, layer=Layer.EPISODIC))


def _fact(draft: ProcedureDraft) -> FactDraft:
    """A procedure as a fact of its subject, so that what is said later of its topic and context supersedes it."""
    relation = draft.topic or draft.kind
    return FactDraft(
        draft.subject,
        f"{relation} when {draft.context}" if draft.context else relation,
        draft.text,
        confidence=draft.confidence,
        negated=draft.negated and not draft.topic,  # of a topic it is the next way, which supersedes the one before
        cardinality=Cardinality.ONE if draft.topic else Cardinality.MANY,
        object_kind="value",
        text=draft.text,
        kind=draft.kind,
        sources=draft.sources,
        metadata={"context": draft.context} if draft.context else {},
    )
