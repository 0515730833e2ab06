"""A user's index: what can be found of their memories, in memory, following the change log.

Nothing is searchable across users by construction: an index knows one scope. The Rust core finds by words and weighs
by kind and age; beside it the index keeps what filters need, so that only hits are read from storage.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Container, Mapping

import msgspec

from alejo._core import LexicalIndex
from alejo.errors import DataLoss
from alejo.storage.store import Store
from alejo.storage.tables import CHANGES, MEMORIES
from alejo.types import EVERYTHING, Filter, Layer, Memory, Scope

_STEP = 1000
_USERS = 1024
_LATEST = (1 << 63) - 1  # a record may hold a later time than the core
_FIELDS = [(1.0, 0.0, True), (1.0, 0.0, False), (0.5, 0.0, False)]  # text, speaker, date; see LexicalIndex
# What a memory hears of its session, as answers stand beside what they answer. Chosen on long conversations: of the
# messages that answer a question, .65 are among the ten best without it and .75 with; longer spans add nothing.
_WINDOW = {-2: 0.25, -1: 0.5, 1: 0.3, 2: 0.15}


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What the index knows of a memory besides its words."""

    id: str
    layer: Layer
    kind: str
    sent_at: int
    speaker: str
    session_id: str
    message_id: str
    pinned: bool
    archived: bool
    metadata: dict[str, str]

    def passes(self, wanted: Filter) -> bool:
        """Whether a filter lets this memory be found."""
        return (
            _admits(wanted, self.kind, archived=self.archived)
            and (not wanted.layers or self.layer in wanted.layers)
            and (not wanted.session_id or self.session_id == wanted.session_id)
            and (wanted.sent_after is None or self.sent_at >= wanted.sent_after)
            and (wanted.sent_before is None or self.sent_at < wanted.sent_before)
            and (not wanted.speaker or self.speaker.casefold() == wanted.speaker.casefold())
            and (not wanted.metadata or wanted.metadata.items() <= self.metadata.items())
        )


def _admits(wanted: Filter, kind: str, *, archived: bool) -> bool:
    return (not archived or wanted.include_archived) and (not wanted.kinds or kind in wanted.kinds)


class Index:
    """One user's memories, searchable."""

    def __init__(self) -> None:
        self.lexical = LexicalIndex(_FIELDS, window=_WINDOW)
        self.entries: dict[int, Entry] = {}
        self.pinned: dict[str, int] = {}
        self.archived: set[str] = set()
        self._docs: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._next = 0
        self._classes: dict[tuple[str, bool], int] = {}  # (kind, archived) as the Rust core knows it

    def passing(self, wanted: Filter) -> Container[str]:
        """The ids of all memories a filter lets through."""
        if wanted == EVERYTHING and not self.archived:
            return self._docs
        return {entry.id for entry in self.entries.values() if entry.passes(wanted)}

    def weights(self, kinds: Mapping[str, float], wanted: Filter) -> list[float | None]:
        """What the memories of each class weigh, 1 unless `kinds` says; None for classes that a filter leaves out."""
        return [
            kinds.get(kind, 1.0) if _admits(wanted, kind, archived=archived) else None
            for kind, archived in self._classes
        ]

    def put(self, memory: Memory) -> None:
        """Makes a memory findable, new or changed."""
        doc = self._docs.get(memory.id)
        if doc is None:
            doc = self._docs[memory.id] = self._next
            self._next += 1
        self.entries[doc] = Entry(
            memory.id,
            memory.layer,
            memory.kind,
            memory.sent_at,
            memory.speaker,
            memory.session_id,
            memory.message_id,
            memory.pinned,
            memory.archived,
            memory.metadata,
        )
        self._unmark(memory.id)
        if memory.archived:
            self.archived.add(memory.id)
        elif memory.pinned:
            self.pinned[memory.id] = doc
        texts = [memory.text, memory.speaker, _date_words(memory.sent_at)]
        kind = self._classes.setdefault((memory.kind, memory.archived), len(self._classes))
        session = self._sessions.setdefault(memory.session_id, len(self._sessions)) if memory.message_id else None
        self.lexical.upsert(doc, texts, kind, min(memory.sent_at, _LATEST), session)

    def remove(self, memory_id: str) -> None:
        """Makes a memory unfindable, there or not."""
        doc = self._docs.pop(memory_id, None)
        if doc is not None:
            del self.entries[doc]
            self._unmark(memory_id)
            self.lexical.remove(doc)

    def _unmark(self, memory_id: str) -> None:
        self.pinned.pop(memory_id, None)
        self.archived.discard(memory_id)


def _date_words(sent_at: int) -> str:
    return time.strftime("%d %B %Y", time.gmtime(sent_at // 1_000_000))


class _Seat:
    """An index and how far it has followed the change log."""

    def __init__(self) -> None:
        self.index = Index()
        self.lock = asyncio.Lock()
        self.after: bytes | None = None


class Indexes:
    """The indexes of the users who spoke last; others are dropped and come back when they speak."""

    def __init__(self, store: Store, users: int = _USERS) -> None:
        self._store = store
        self._users = users
        self._seats: OrderedDict[Scope, _Seat] = OrderedDict()

    async def get(self, scope: Scope) -> Index:
        """The user's index, up to date with every commit before this call, of any process."""
        seat = self._seats.get(scope)
        if seat is None:
            seat = self._seats[scope] = _Seat()
            if len(self._seats) > self._users:
                self._seats.popitem(last=False)
        else:
            self._seats.move_to_end(scope)
        async with seat.lock:
            if seat.after is None:
                await self._load(scope, seat)
            else:
                await self._follow(scope, seat)
        return seat.index

    async def _load(self, scope: Scope, seat: _Seat) -> None:
        # The log's end is noted before the memories are read: a change in between is met again, which does no harm.
        last = await self._store.scan(scope, CHANGES, limit=1, reverse=True)
        after, more = b"", True
        while more:
            # One altered record is refused where it is asked for; it must not hide all the others.
            rows, after = await self._store.salvage(scope, MEMORIES, after=after, limit=_STEP)
            for row in rows:
                seat.index.put(row.value)
            more = bool(after)
            await asyncio.sleep(0)  # a large user must not stop the others
        seat.after = last[0].key if last else b""

    async def _follow(self, scope: Scope, seat: _Seat) -> None:
        while rows := await self._store.scan(scope, CHANGES, after=seat.after or b"", limit=_STEP):
            # What is read is the memory as it is now, so one look at it does for all its changes.
            for memory_id, op in {row.value.memory_id: row.value.op for row in rows}.items():
                memory = None
                if op == "put":
                    with contextlib.suppress(DataLoss):
                        memory = await self._store.get(scope, MEMORIES, bytes.fromhex(memory_id))
                if memory is None:
                    seat.index.remove(memory_id)
                else:
                    seat.index.put(memory.value)
            seat.after = rows[-1].key
            if len(rows) < _STEP:
                return
            await asyncio.sleep(0)  # nor must one that was busy elsewhere
