"""A user's index: what can be found of their memories, in memory, following the change log.

Nothing is searchable across users by construction: an index knows one scope. The Rust core finds by words and by
meaning; beside it the index keeps what filters need, so that only hits are read from storage.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter, OrderedDict
from collections.abc import Container, Iterable, Mapping
from hashlib import blake2b

import msgspec

from alejo import __version__
from alejo._core import LexicalIndex, StaticEmbedder, VectorScan
from alejo.cache import Cache, Namespace, Vault
from alejo.embedding import shipped
from alejo.errors import DataLoss
from alejo.storage.store import Store
from alejo.storage.tables import CHANGES, MEMORIES
from alejo.types import EVERYTHING, Fact, Filter, Layer, Memory, Scope

_STEP = 250  # what is indexed at a time, some 25 ms
_USERS = 1024
_MEMORIES = 1_000_000  # of all these users together; each takes some 1.3 KB
_LATEST = (1 << 63) - 1  # a record may hold a later time than the core
_FIELDS = [(1.0, 0.0, True), (1.0, 0.0, False), (0.5, 0.0, False)]  # text, speaker, date; see LexicalIndex
# What a memory hears of its session, as answers stand beside what they answer. Chosen on long conversations: of the
# messages that answer a question, .65 are among the ten best without it and .75 with; longer spans add nothing.
_WINDOW = {-2: 0.25, -1: 0.5, 1: 0.3, 2: 0.15}
_WORDS = re.compile(r"\w+")
_BEYOND_LATIN = "\u0250"


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
    fact: Fact | None
    superseded: bool

    def passes(self, wanted: Filter) -> bool:
        """Whether a filter lets this memory be found."""
        return (
            _admits(wanted, self.kind, archived=self.archived, superseded=self.superseded)
            and (wanted.as_of is None or self._was(wanted.as_of))
            and (not wanted.layers or self.layer in wanted.layers)
            and (not wanted.session_id or self.session_id == wanted.session_id)
            and (wanted.sent_after is None or self.sent_at >= wanted.sent_after)
            and (wanted.sent_before is None or self.sent_at < wanted.sent_before)
            and (not wanted.speaker or self.speaker.casefold() == wanted.speaker.casefold())
            and (not wanted.metadata or wanted.metadata.items() <= self.metadata.items())
        )

    def _was(self, moment: int) -> bool:
        """Whether it was true at a time, or said by then."""
        return self.fact.valid(moment) if self.fact is not None else self.sent_at <= moment


def _admits(wanted: Filter, kind: str, *, archived: bool, superseded: bool) -> bool:
    return (
        (not archived or wanted.include_archived)
        and (not superseded or wanted.include_superseded or wanted.as_of is not None)
        and (not wanted.kinds or kind in wanted.kinds)
    )


class Embedder:
    """The table that ships with the package, for one user: what it made is kept with what else is cached of theirs."""

    def __init__(self, table: StaticEmbedder, kept: Namespace) -> None:
        self.dimensions = table.dimensions
        self.vault: Vault | None = None  # until the user has a data key
        self._table = table
        self._kept = kept

    def embed(self, text: str) -> bytes:
        """The vector of a text."""
        if self.vault is None:
            return self._table.embed(text)
        key = blake2b(f"{__version__} {text}".encode(), digest_size=16).hexdigest()
        return self._kept.at_once(self.vault, key, self._table.embed, text)


class Index:
    """One user's memories, searchable."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.lexical = LexicalIndex(_FIELDS, window=_WINDOW)
        self.vectors = VectorScan(embedder.dimensions, exact=False)  # a fifth of the memory, and no worse to find by
        self._speakers: Counter[str] = Counter()  # how many memories are by each
        self._names: dict[str, set[str]] = {}  # by each word of their names
        self.entries: dict[int, Entry] = {}
        self.pinned: dict[str, int] = {}
        self.hidden: set[str] = set()  # what is archived or superseded
        self.version = b""  # the last change it has followed
        self._docs: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._next = 0
        self._classes: dict[tuple[str, bool, bool], int] = {}  # (kind, archived, superseded) as the core knows it

    def passing(self, wanted: Filter) -> Container[str]:
        """The ids of all memories a filter lets through."""
        if wanted == EVERYTHING and not self.hidden:
            return self._docs
        return {entry.id for entry in self.entries.values() if entry.passes(wanted)}

    def weights(self, kinds: Mapping[str, float], wanted: Filter) -> list[float | None]:
        """What the memories of each class weigh, 1 unless `kinds` says; None for classes that a filter leaves out."""
        return [
            kinds.get(kind, 1.0) if _admits(wanted, kind, archived=archived, superseded=superseded) else None
            for kind, archived, superseded in self._classes
        ]

    def asked(self, query: str) -> tuple[bytes | None, str]:
        """What a query means, if that can be told, and who it names if it names just one speaker.

        Names are left out of the meaning: what mentions a person is seldom what the person said.
        """
        named: set[str] = set()
        rest = []
        for word in _WORDS.findall(query):
            if names := self._names.get(word.casefold()):
                named |= names
            else:
                rest.append(word)
        return self._meaning(rest), named.pop() if len(named) == 1 else ""

    def _meaning(self, words: Iterable[str]) -> bytes | None:
        """The vector of words; None if the table, which is of English, would take any of them for any other."""
        known = " ".join(word for word in words if word[0].isalpha() and word[0] < _BEYOND_LATIN)
        return self._embedder.embed(known) if known else None

    def put(self, memory: Memory) -> None:
        """Makes a memory findable, new or changed."""
        doc = self._docs.get(memory.id)
        if doc is None:
            doc = self._docs[memory.id] = self._next
            self._next += 1
        else:
            self._hear(self.entries[doc].speaker.casefold(), -1)
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
            memory.fact,
            bool(memory.superseded_by),
        )
        self._unmark(memory.id)
        if memory.archived or memory.superseded_by:
            self.hidden.add(memory.id)
        elif memory.pinned:
            self.pinned[memory.id] = doc
        texts = [memory.text, memory.speaker, _date_words(memory.sent_at)]
        kind = (memory.kind, memory.archived, bool(memory.superseded_by))
        number = self._classes.setdefault(kind, len(self._classes))
        said = memory.message_id and memory.fact is None  # a fact is not said beside what it was taken from
        session = self._sessions.setdefault(memory.session_id, len(self._sessions)) if said else None
        self.lexical.upsert(doc, texts, number, min(memory.sent_at, _LATEST), session)
        meaning = self._meaning(_WORDS.findall(memory.text))
        if meaning is None:
            self.vectors.remove(doc)
        else:
            self.vectors.upsert(doc, meaning)
        self._hear(memory.speaker.casefold(), 1)

    def remove(self, memory_id: str) -> None:
        """Makes a memory unfindable, there or not."""
        doc = self._docs.pop(memory_id, None)
        if doc is not None:
            self._hear(self.entries.pop(doc).speaker.casefold(), -1)
            self._unmark(memory_id)
            self.lexical.remove(doc)
            self.vectors.remove(doc)

    def _hear(self, speaker: str, more: int) -> None:
        """Counts the memories of a speaker."""
        self._speakers[speaker] += more
        heard = self._speakers[speaker] > 0
        if not heard:
            del self._speakers[speaker]
        for word in _WORDS.findall(speaker):
            names = self._names.setdefault(word, set())
            (names.add if heard else names.discard)(speaker)
            if not names:
                del self._names[word]

    def _unmark(self, memory_id: str) -> None:
        self.pinned.pop(memory_id, None)
        self.hidden.discard(memory_id)


def _date_words(sent_at: int) -> str:
    return time.strftime("%d %B %Y", time.gmtime(sent_at // 1_000_000))


class _Seat:
    """An index and how far it has followed the change log."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.index = Index(embedder)
        self.lock = asyncio.Lock()
        self.loaded = False
        self.counted = 0  # of its memories


class Indexes:
    """The indexes of the users who spoke last; others are dropped and come back when they speak.

    So many users are kept, and fewer if they have too many memories together; whoever speaks is, however many.
    """

    def __init__(self, store: Store, cache: Cache, users: int = _USERS, memories: int = _MEMORIES) -> None:
        self._store = store
        self._users = users
        self._memories = memories
        self._held = 0
        self._table = shipped()
        self._kept = cache["embeddings"]
        self._seats: OrderedDict[Scope, _Seat] = OrderedDict()

    async def get(self, scope: Scope) -> Index:
        """The user's index, up to date with every commit before this call, of any process."""
        seat = self._seats.get(scope)
        if seat is None:
            seat = self._seats[scope] = _Seat(Embedder(self._table, self._kept))
        else:
            self._seats.move_to_end(scope)
        async with seat.lock:
            if seat.embedder.vault is None:
                seat.embedder.vault = await self._store.vault(scope)
            if not seat.loaded:
                await self._load(scope, seat)
            else:
                await self._follow(scope, seat)
        if self._seats.get(scope) is seat:
            self._held += len(seat.index.entries) - seat.counted
            seat.counted = len(seat.index.entries)
        while len(self._seats) > 1 and (len(self._seats) > self._users or self._held > self._memories):
            self._held -= self._seats.popitem(last=False)[1].counted
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
        seat.index.version = last[0].key if last else b""
        seat.loaded = True

    async def _follow(self, scope: Scope, seat: _Seat) -> None:
        while rows := await self._store.scan(scope, CHANGES, after=seat.index.version, limit=_STEP):
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
            seat.index.version = rows[-1].key
            if len(rows) < _STEP:
                return
            await asyncio.sleep(0)  # nor must one that was busy elsewhere
