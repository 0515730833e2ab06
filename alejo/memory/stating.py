"""What is stated becomes facts in a batch, together with what that does to the facts there are."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import tzinfo

import msgspec

from alejo.clock import local
from alejo.errors import InvalidArgument, NotFound
from alejo.ids import Ids
from alejo.memory.entities import FactIndex, normal
from alejo.memory.indexes import Indexes
from alejo.memory.recall import sound
from alejo.memory.timeline import Stated, Timeline
from alejo.memory.when import Span, resolve
from alejo.storage.rows import put_memory
from alejo.storage.store import Store, Writer
from alejo.storage.tables import FACTS
from alejo.storage.versions import Versions
from alejo.types import Cardinality, Fact, FactDraft, Layer, Memory, Message, Scope, Standing
from alejo.zones import Zones

_GUARD = b"\0"
_IMPORTANCE = 0.6
_LONGEST = {"subject": 256, "relation": 64, "object": 1024}


class Statements:
    """The facts of one user as a batch will leave them. `write` puts what changed in the batch, once, at its end.

    A batch that changes facts writes the user's row of FACTS anew, and expects it as it was before the index was read:
    so of two that know nothing of each other one is a conflict.
    """

    def __init__(
        self, store: Store, indexes: Indexes, versions: Versions, ids: Ids, zones: Zones, scope: Scope, writer: Writer
    ) -> None:
        self._store = store
        self._versions = versions
        self._indexes = indexes
        self._ids = ids
        self._zones = zones
        self._scope = scope
        self._writer = writer
        self._known: FactIndex | None = None  # until something is stated
        self._guard: int | None = None
        self._changed: dict[str, Stated] = {}
        self._made: dict[str, Memory] = {}

    async def _index(self) -> FactIndex:
        if self._known is None:
            guard = await self._store.get(self._scope, FACTS, _GUARD)  # before the index, which is then as new or newer
            self._guard = guard.version if guard else None
            self._known = (await self._indexes.get(self._scope)).facts
        return self._known

    async def get(self, memory_id: str) -> Stated:
        """A fact as the batch leaves it. Raises NotFound."""
        stated = self._changed.get(memory_id) or (await self._index()).get(memory_id)
        if stated is None:
            raise NotFound("fact", memory_id)
        return stated

    async def derive(self, drafts: Sequence[FactDraft], message: Message, sources: Sequence[Memory]) -> list[str]:
        """Adds what a message states, of which these memories were made; returns the ids of what was not known."""
        made = []
        for draft in drafts:
            of_it = msgspec.structs.replace(
                draft,
                sent_at=message.sent_at,
                sources=tuple(memory.id for memory in sources),
                metadata=message.metadata,
            )
            with contextlib.suppress(InvalidArgument):  # it would correct what begins after its end
                memory_id, existed = await self.add(of_it, message.recorded_at, message)
                made += [] if existed else [memory_id]
        return made

    async def add(
        self,
        draft: FactDraft,
        now: int,
        message: Message | None = None,
        *,
        replaces: str = "",
        layer: Layer = Layer.SEMANTIC,
    ) -> tuple[str, bool]:
        """Adds a fact, or puts it in the place of one that is there.

        Returns the id of the memory that says so, and whether it did before. Raises InvalidArgument, NotFound.
        """
        index = await self._index()
        if draft.since or draft.until:
            draft = _dated(
                draft,
                now,
                await self._zones.of_words(self._scope, draft.metadata, message.session_id if message else ""),
            )
        fact = state(draft, now)
        if draft.since and fact.stated_to is None:
            fact = self._present(index, draft, fact, now)
        if draft.corrects and not replaces:
            replaces = self._timeline(index, [fact]).contradicted(fact) or self._only(index, fact)
        old = await self.get(replaces) if replaces else None
        if old is not None:
            fact = state(draft, now, old.fact)
        timeline = self._timeline(index, [fact, old.fact] if old else [fact])
        new = Stated(self._ids.new(), fact)
        made = timeline.correct(replaces, new) if old else timeline.add(new)
        if made == new.id:
            self._made[new.id] = _memory(new.id, draft, fact, now, message, layer)
        self._take(timeline, now)
        return made, made != new.id

    def _only(self, index: FactIndex, fact: Fact) -> str:
        """What is believed of a subject and relation at that time, by its id, if that is one thing, and another."""
        known = [self._changed.get(each.id, each) for each in index.line([fact]).values()]
        then = [each for each in known if each.held and each.overlaps(Stated("", fact))]
        held = [each for each in then if not each.superseded_by and not each.fact.negated]
        return held[0].id if len(held) == 1 and held[0].fact.object.casefold() != fact.object.casefold() else ""

    def _present(self, index: FactIndex, draft: FactDraft, fact: Fact, now: int) -> Fact:
        """The fact, which is so now: where another was said to have begun after it, it begins when it was said."""
        said = msgspec.structs.replace(fact, valid_from=now if draft.sent_at is None else draft.sent_at)
        rival = self._timeline(index, [fact]).contradicted(said)
        known = self._changed.get(rival) or index.get(rival)
        return said if known and known.begin > Stated("", fact).begin else fact

    async def restore(self, stated: Stated, now: int) -> None:
        """Takes back what superseded a fact that is there."""
        timeline = self._timeline(await self._index(), [stated.fact])
        timeline.restore(stated.id)
        self._take(timeline, now)

    def _timeline(self, index: FactIndex, facts: Sequence[Fact]) -> Timeline:
        # What this batch changed elsewhere comes along; it has nothing to do with these.
        return Timeline((index.line(facts) | self._changed).values(), index.root)

    def _take(self, timeline: Timeline, now: int) -> None:
        self._changed |= {each.id: each for each in timeline.changes(now)}

    async def write(self, now: int) -> dict[str, Memory]:
        """Puts all that is new or changed in the batch; returns it by its ids, the new ones first."""
        found: dict[str, Memory] = {}
        for each in sorted(self._changed.values(), key=lambda one: one.id not in self._made):
            memory = self._made.get(each.id)
            if memory is None:
                row = await sound(self._store, self._scope, each.id)
                if row is None:
                    continue  # forgotten a moment ago, or its record is refused: there is nothing to change
                memory = msgspec.structs.replace(row.value, fact=each.fact, superseded_by=each.superseded_by)
                await self._versions.replace(self._scope, self._writer, row, memory, _change(row.value, memory), now)
            else:
                memory = msgspec.structs.replace(memory, fact=each.fact, superseded_by=each.superseded_by)
                put_memory(self._writer, memory)
            found[each.id] = memory
        if found:
            self._writer.expect(FACTS, _GUARD, self._guard)
            self._writer.put(FACTS, _GUARD, now)
        return found


def _change(before: Memory, after: Memory) -> str:
    """What happened to a fact, as its history has it."""
    if before.fact and after.fact and before.fact.standing != after.fact.standing:
        return "restoration" if after.fact.standing is Standing.HELD else "correction"
    return "supersession" if after.superseded_by else "restoration"


def _dated(draft: FactDraft, now: int, zone: tzinfo) -> FactDraft:
    """The draft with the beginning that its words tell, if that is not yet to come, and with their end.

    They are the days of the calendar where it was said, as days of UTC, so that they are the same days everywhere.
    """
    said = now if draft.sent_at is None else draft.sent_at
    there = _day(said, zone)  # as of the calendar; what it has begun by now begins no later than now
    begin, end = draft.valid_from, draft.valid_to
    ends = [span.end for span in _named(draft.until, said, zone)]
    if end is None:
        end = max((each for each in ends if each > there), default=None)
    elif end == said:  # it is over, and was so no later than it was said
        end = max((min(each, said) for each in ends if each < there), default=end)
    else:
        end = max((each for each in ends if each < end), default=end)
    if begin is None:
        starts = (min(span.start, said) for span in _named(draft.since, said, zone) if span.start <= there)
        begin = next((each for each in starts if end is None or each < end), None)
    return msgspec.structs.replace(draft, valid_from=begin, valid_to=end)


def _named(words: str, said: int, zone: tzinfo) -> Sequence[Span]:
    """The times that words name; a year or a month by itself is one as well: "2015", "March"."""
    tries = (resolve(f"{ahead}{words}", said, zone) for ahead in ("", "in ", "en ")) if words else ()
    return [
        span._replace(start=_day(span.start, zone), end=_day(span.end, zone)) for span in next(filter(None, tries), ())
    ]


def _day(at: int, zone: tzinfo) -> int:
    """A time of the wall somewhere as the same of UTC."""
    there = local(at, zone)
    offset = there.utcoffset() if there else None
    return at + round(offset.total_seconds() * 1e6) if offset else at


def state(draft: FactDraft, now: int, old: Fact | None = None) -> Fact:
    """The fact of a draft; what it leaves open is as in the one whose place it takes. Raises InvalidArgument."""
    names = {name: normal(getattr(draft, name)) for name in ("subject", "relation", "object")}
    if old is not None:
        names |= {name: getattr(old, name) for name in ("subject", "relation") if not names[name]}
    for name, value in names.items():
        if not 1 <= len(value) <= _LONGEST[name]:
            raise InvalidArgument.field(f"fact.{name}", f"must have 1 to {_LONGEST[name]:,} characters")
    cardinality = draft.cardinality
    if cardinality is None:
        cardinality = old.cardinality if old and old.relation == names["relation"] else Cardinality.MANY
    end = old.stated_to if draft.valid_to is None and old else draft.valid_to
    said = now if draft.sent_at is None else draft.sent_at
    begin = draft.valid_from
    if begin is None:
        over = end is not None and end <= said
        begin = old.valid_from if old else None if over or cardinality is Cardinality.FIXED else said
    if begin is not None and end is not None and end <= begin:
        raise InvalidArgument.field("fact.valid_to", "must be after valid_from")
    if not 0 <= draft.confidence <= 1:
        raise InvalidArgument.field("fact.confidence", "must be from 0 to 1")
    return Fact(
        names["subject"],
        names["relation"],
        names["object"],
        begin,
        end,
        draft.confidence,
        draft.negated,
        cardinality,
        stated_to=end,
        object_kind=draft.object_kind or (old.object_kind if old else ""),
    )


def _memory(memory_id: str, draft: FactDraft, fact: Fact, now: int, message: Message | None, layer: Layer) -> Memory:
    """The memory of a fact. One with a source goes when its source does, so forgetting it leaves the message alone."""
    said = f"{fact.subject} {fact.relation} {fact.object}"
    return Memory(
        memory_id,
        layer,
        draft.kind,
        draft.text or (f"Not so: {said}" if fact.negated else said),
        now if draft.sent_at is None else draft.sent_at,
        now,
        message.speaker if message else "",
        message.session_id if message else "",
        message.id if message else "",
        _IMPORTANCE if draft.importance is None else draft.importance,
        metadata=draft.metadata,
        message_seq=message.seq if message and not draft.sources else 0,
        sources=draft.sources,
    )
