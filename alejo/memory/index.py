"""A user's index: what can be found of their memories, in memory, following the change log.

Nothing is searchable across users by construction: an index knows one scope. The Rust core finds by words and by
meaning; beside it the index keeps what filters need, so that only hits are read from storage.
"""

from __future__ import annotations

import math
import re
import sys
import time
import zlib
from collections import Counter
from collections.abc import Collection, Container, Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from typing import NamedTuple

import msgspec

from alejo._core import LexicalIndex, Recall, VectorScan, estimate_tokens, tokens
from alejo.embedding import shipped
from alejo.memory import pictures, signs, vectors
from alejo.memory.embedders import Embedder
from alejo.memory.entities import FactIndex
from alejo.memory.timeline import Stated
from alejo.storage.store import Row
from alejo.types import EVERYTHING, Fact, Filter, Layer, Memory, RecallPlan

_ENTRY = 480  # bytes of an entry with its ids and its places in dictionaries, measured
_LABEL = 110  # bytes of one of its labels
_MOST = (1 << 16) - 1  # what the core counts names and tokens to
_LATEST = (1 << 63) - 1  # a record may hold a later time than the core
_FIELDS = [(1.0, 0.0, True), (1.0, 0.0, False), (0.5, 0.0, False)]  # text, speaker, date; see LexicalIndex
# What a memory hears of its session, as answers stand beside what they answer. Chosen on long conversations: of the
# messages that answer a question, .65 are among the ten best without it and .75 with; longer spans add nothing.
_WINDOW = {-2: 0.25, -1: 0.5, 1: 0.3, 2: 0.15}
_LANGUAGE = "mul"  # each memory its own
_WORDS = re.compile(r"\w+")
_PARTS = 4  # of a dump
_LONG = 5_000_000  # numbers that a question goes through outside the core, about a millisecond
_ALSO = "\x1e"  # before a word of a query and its other names, see LexicalIndex.rank
_ASKED = "question"  # the kind of what only asks
_BEYOND_LATIN = "\u0250"


class Question(NamedTuple):
    """A query as the core takes it: its words without whom it names, their meaning, and who that is, if just one.

    `whole` are all its words with the other names of those in it.
    """

    words: str
    known: str  # of these what the table can read
    meaning: bytes | None
    named: str
    whole: str


class Sort(NamedTuple):
    """What many memories have in common; the core knows each sort by its number. The speaker is casefolded."""

    layer: Layer
    kind: str
    archived: bool
    outdated: bool
    speaker: str

    def passes(self, wanted: Filter) -> bool:
        """Whether a filter lets memories of this sort be found."""
        return (
            (not self.archived or wanted.include_archived)
            and (not self.outdated or wanted.include_superseded or wanted.as_of is not None)
            and (not wanted.kinds or self.kind in wanted.kinds)
            and (not wanted.layers or self.layer in wanted.layers)
            and (not wanted.speaker or self.speaker == wanted.speaker.casefold())
        )


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
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
    labels: tuple[str, ...]  # names and values by turns, in half the room of a dictionary
    fact: Fact | None
    outdated: bool
    superseded_by: str
    recorded_at: int  # of a fact

    @classmethod
    def of(cls, memory: Memory) -> Entry:
        """The entry of a memory."""
        return cls(
            memory.id,
            memory.layer,
            memory.kind,
            memory.sent_at,
            memory.speaker,
            memory.session_id,
            memory.message_id,
            memory.pinned,
            memory.archived,
            tuple(chain.from_iterable(memory.metadata.items())),
            memory.fact,
            memory.outdated,
            memory.superseded_by,
            memory.recorded_at if memory.fact is not None else 0,
        ).shared()

    def shared(self) -> Entry:
        """This entry; what many entries hold alike is kept once."""
        for name in ("kind", "speaker", "session_id"):
            msgspec.structs.force_setattr(self, name, sys.intern(getattr(self, name)))
        if self.labels:
            each = iter(self.labels)
            shared = tuple([part for name, value in zip(each, each, strict=True) for part in (sys.intern(name), value)])
            msgspec.structs.force_setattr(self, "labels", shared)
        return self

    @property
    def metadata(self) -> dict[str, str]:
        """Its labels."""
        return dict(zip(self.labels[::2], self.labels[1::2], strict=True))

    @property
    def sort(self) -> Sort:
        """The sort it is of."""
        return Sort(self.layer, self.kind, self.archived, self.outdated, self.speaker.casefold())

    def passes(self, wanted: Filter) -> bool:
        """Whether a filter lets this memory be found."""
        return (
            self.sort.passes(wanted)
            and (wanted.as_of is None or self._was(wanted.as_of))
            and (not wanted.session_id or self.session_id == wanted.session_id)
            and (wanted.sent_after is None or self.sent_at >= wanted.sent_after)
            and (wanted.sent_before is None or self.sent_at < wanted.sent_before)
            and (not wanted.metadata or wanted.metadata.items() <= self.metadata.items())
        )

    def _was(self, moment: int) -> bool:
        """Whether it was true at a time, or said by then."""
        return self.fact.valid(moment) if self.fact is not None else self.sent_at <= moment


class _State(msgspec.Struct, array_like=True):
    """An index without what the core dumps of it and what follows from the entries."""

    version: bytes
    next: int
    entries: dict[int, Entry]
    sessions: list[str]
    sorts: list[Sort]
    pending: list[int]


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(_State).decode


class Index:
    """One user's memories, searchable."""

    def __init__(self, embedder: Embedder, kind: str = "scan") -> None:
        self.embedder = embedder
        self.kind = kind  # of what keeps the vectors
        self.pending: dict[int, None] = {}  # memories whose vectors are to be made, in order
        self.lexical = LexicalIndex(_FIELDS, window=_WINDOW, language=_LANGUAGE)
        self.vectors = vectors.empty(kind, embedder.dimensions)
        self.recall = Recall(self.lexical, self._scan(), shipped())
        self._speakers: Counter[str] = Counter()  # how many memories are by each
        self._names: dict[str, set[str]] = {}  # by each word of their names
        self.entries: dict[int, Entry] = {}
        self.pinned: dict[str, int] = {}
        self.procedural: set[str] = set()  # how the user wants things done
        self.hidden: set[str] = set()  # what is archived or outdated
        self.stale: set[str] = set()  # what was derived from something that has other words since
        self.pictures: dict[str, int] = {}  # the perceptual hashes of those that are remembered
        self.facts = FactIndex()
        self.version = b""  # the last change it has followed
        self.held: dict[str, Row[Memory]] = {}  # memories as they are by that change
        self._docs: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._next = 0
        self._sorts: dict[Sort, int] = {}  # each with its number

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes. Counts through all terms and entries."""
        labels = sum(len(entry.labels) for entry in self.entries.values()) // 2
        core = self.lexical.nbytes + self.vectors.nbytes + self.recall.nbytes
        return core + _ENTRY * len(self.entries) + _LABEL * labels

    def dump(self) -> list[bytes]:
        """Everything it holds, for `load`. It must not change meanwhile."""
        columns = list(self._sessions), list(self._sorts), list(self.pending)
        state = _State(self.version, self._next, self.entries, *columns)
        return [_ENCODE(state), self.lexical.dump(), self.vectors.dump(), self.recall.dump()]

    @classmethod
    def load(cls, embedder: Embedder, dumped: Sequence[bytes], kind: str = "scan", *, same: bool = True) -> Index:
        """The index that was dumped; if not with the `same` model and kind, all its vectors are to be made.

        Raises DamagedIndex, or ValueError, for what none was dumped to.
        """
        if len(dumped) != _PARTS:
            raise ValueError("an index has four parts")
        state = _DECODE(dumped[0])
        index = cls(embedder, kind)
        index.lexical = LexicalIndex.load(dumped[1], _FIELDS, window=_WINDOW, language=_LANGUAGE)
        if same:
            index.vectors = vectors.load(kind, dumped[2])
        index.pending = dict.fromkeys(state.pending if same else state.entries)
        index.recall = Recall.load(dumped[3], index.lexical, index._scan(), shipped())
        index.version, index._next, index.entries = state.version, state.next, state.entries
        index._sessions = {sys.intern(name): number for number, name in enumerate(state.sessions, 1)}
        index._sorts = {sort: number for number, sort in enumerate(state.sorts)}
        speakers: Counter[str] = Counter()
        for doc, entry in state.entries.items():
            entry.shared()
            index._docs[entry.id] = doc
            index._mark(doc, entry)
            speakers[entry.speaker] += 1
        for speaker, count in speakers.items():
            index._hear(speaker.casefold(), count)
        return index

    def _scan(self) -> VectorScan:
        """The vectors, if the core can read them; else none."""
        return self.vectors if isinstance(self.vectors, VectorScan) else VectorScan(self.embedder.dimensions)

    @property
    def model(self) -> str:
        """Which vectors it has, and in what."""
        return vectors.model(self.embedder.name, self.kind)

    @property
    def long(self) -> bool:
        """Whether a question may take so long that others should not wait for it."""
        return vectors.outside(self.vectors) and len(self.vectors) * self.embedder.dimensions > _LONG

    @property
    def ids(self) -> Collection[str]:
        """The ids of all memories it knows."""
        return self._docs

    def names(self) -> set[str]:
        """Who speaks in the memories, and what their facts name."""
        return {entry.speaker for entry in self.entries.values() if entry.speaker} | self.facts.names()

    def agrees(self, memory: Memory) -> bool:
        """Whether it knows a memory as it is stored: what filters ask for, and every word of it."""
        doc = self._docs.get(memory.id)
        if doc is None or self.entries[doc] != Entry.of(memory):
            return False
        (words,) = self.lexical.explain([doc], memory.text, own=True)
        return len(words) == len(set(tokens(memory.text, _LANGUAGE)))

    def near(self, memory_id: str, text: str, limit: int) -> list[tuple[str, float]]:
        """The memories nearest to one in meaning, with their cosines; none if it cannot be told what it means."""
        meaning = self._meaning(text, _WORDS.findall(text))
        if meaning is None:
            return []
        found = [(self.entries[doc].id, cosine) for doc, cosine in self.vectors.search(meaning, limit + 1)]
        return [each for each in found if each[0] != memory_id][:limit]

    def alike(self, known: int, most: int, limit: int) -> list[tuple[str, int]]:
        """The memories of pictures whose hashes differ from one in at most so many bits, with these, nearest first.

        Of those that are equally near the newest comes first.
        """
        far = ((pictures.distance(known, other), each) for each, other in self.pictures.items())
        near = sorted(((bits, each) for bits, each in far if bits <= most), key=lambda one: one[1], reverse=True)
        return [(each, bits) for bits, each in sorted(near, key=lambda one: one[0])[:limit]]

    def passing(self, wanted: Filter) -> Container[str]:
        """The ids of all memories a filter lets through."""
        if wanted == EVERYTHING and not self.hidden:
            return self._docs
        return {entry.id for entry in self.entries.values() if entry.passes(wanted)}

    def classes(self, wanted: Filter, plan: RecallPlan, named: str) -> list[tuple[float, float] | None]:
        """By sort: how much its speaker is whom the query is about, and the logarithm of its kind's weight.

        None for sorts that the filter leaves out, and those of a kind that weighs nothing.
        """
        speakers = {speaker.casefold(): about for speaker, about in plan.speakers.items()}
        if named:
            speakers[named] = 1.0
        kinds = {kind: math.log(weight) for kind, weight in plan.kind_weights.items() if weight > 0}
        nothing = plan.kind_weights.keys() - kinds.keys()
        return [
            (speakers.get(sort.speaker, 0.0), kinds.get(sort.kind, 0.0))
            if sort.passes(wanted) and sort.kind not in nothing
            else None
            for sort in self._sorts
        ]

    def session(self, session_id: str) -> int | None:
        """The number of a session; None if no memory is of it."""
        return self._sessions.get(session_id)

    def only(self, wanted: Filter) -> list[int] | None:
        """The numbers of the memories a filter lets through, where the core cannot tell by itself; else None."""
        if not wanted.metadata and wanted.as_of is None:
            return None
        return [doc for doc, entry in self.entries.items() if entry.passes(wanted)]

    def asked(self, query: str) -> Question:
        """A query as the core takes it."""
        rest, named, also = self._apart(query)
        words, known = " ".join(rest), _known(rest)
        meaning = self.embedder.embed(words, known)
        return Question(words + also, known, meaning, named.pop() if len(named) == 1 else "", query + also)

    def plain(self, query: str) -> str:
        """A query without the names in it: what mentions a person is seldom what the person said."""
        return " ".join(self._apart(query)[0])

    def _apart(self, query: str) -> tuple[list[str], set[str], str]:
        """A query's words but for who speaks, those, and the other names of what else is named."""
        named: set[str] = set()
        words = _WORDS.findall(query)
        dropped = set()
        also = []
        for place, word in enumerate(words):
            if names := self._names.get(word.casefold()):
                named |= names
                dropped.add(place)
        for place, others, role in self.facts.others(words):
            speakers = set().union(*(self._names.get(word, ()) for name in others for word in name.split()))
            named |= speakers
            if speakers and not role:
                dropped.add(place)
            elif place not in dropped:
                also.append(f"{_ALSO}{words[place]} {' '.join(others)}")
        return [word for place, word in enumerate(words) if place not in dropped], named, "".join(also)

    def _meaning(self, text: str, words: Iterable[str]) -> bytes | None:
        """The vector of a text, if one can be told."""
        return self.embedder.embed(text, _known(words))

    def embed(self, doc: int, text: str, vector: bytes | None = None) -> None:
        """Takes the vector of a memory that was pending; that of the embedder itself, if none is given."""
        self.pending.pop(doc, None)
        meaning = vector or self._meaning(text, _WORDS.findall(text))
        if meaning is not None and doc in self.entries:
            self.vectors.upsert(doc, meaning)

    def turn(self, embedder: Embedder) -> None:
        """Goes by another embedder, whose vectors are all to be made."""
        self.embedder = embedder
        self.vectors = vectors.empty(self.kind, embedder.dimensions)
        self.recall = Recall.load(self.recall.dump(), self.lexical, self._scan(), shipped())
        self.pending = dict.fromkeys(self.entries)

    def hold(self, rows: Iterable[Row[Memory]]) -> None:
        """Has these memories at hand, and no others, each until it changes."""
        self.held = {row.value.id: row for row in rows if row.value.id in self._docs}

    def put(self, memory: Memory) -> bool:
        """Makes a memory findable; whether it is new."""
        self.held.pop(memory.id, None)
        doc = self._docs.get(memory.id)
        new = doc is None
        if doc is None:
            doc = self._docs[memory.id] = self._next
            self._next += 1
        else:
            self._hear(self.entries[doc].speaker.casefold(), -1)
        entry = self.entries[doc] = Entry.of(memory)
        self._unmark(memory.id)
        self._mark(doc, entry)
        texts = [memory.text, memory.speaker, _date_words(memory.sent_at)]
        sort = self._sorts.setdefault(entry.sort, len(self._sorts))
        session = self._sessions.setdefault(entry.session_id, len(self._sessions) + 1) if entry.session_id else 0
        said = memory.message_id and memory.fact is None  # a fact is not said beside what it was taken from
        self.lexical.upsert(doc, texts, sort, min(memory.sent_at, _LATEST), session if said else None)
        known = _known(_WORDS.findall(memory.text))
        self.recall.upsert(
            doc,
            known,
            asks=signs.asks(memory.text),
            dated=signs.dated(memory.text),
            numbered=signs.numbered(memory.text),
            placed=signs.placed(memory.text),
            names=min(signs.names(memory.text), _MOST),
            tokens=min(estimate_tokens(memory.text), _MOST),
            importance=memory.importance,
            speaker=zlib.crc32(memory.speaker.casefold().encode()),
            session=session,
            message=message_number(memory.message_id),
            question=question_number(memory.text) if memory.kind == _ASKED else 0,
        )
        meaning = self.embedder.embed(memory.text, known)
        if meaning is not None:
            self.pending.pop(doc, None)
            self.vectors.upsert(doc, meaning)
        else:
            self.vectors.remove(doc)
            if self.embedder.later:
                self.pending[doc] = None
        self._hear(memory.speaker.casefold())
        return new

    def remove(self, memory_id: str) -> None:
        """Makes a memory unfindable, there or not."""
        self.held.pop(memory_id, None)
        doc = self._docs.pop(memory_id, None)
        if doc is not None:
            self._hear(self.entries.pop(doc).speaker.casefold(), -1)
            self._unmark(memory_id)
            self.lexical.remove(doc)
            self.vectors.remove(doc)
            self.pending.pop(doc, None)
            self.recall.remove(doc)

    def _hear(self, speaker: str, more: int = 1) -> None:
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

    def _mark(self, doc: int, entry: Entry) -> None:
        if entry.outdated and not entry.superseded_by:
            self.stale.add(entry.id)
        if entry.archived or entry.outdated:
            self.hidden.add(entry.id)
        elif entry.pinned:
            self.pinned[entry.id] = doc
        elif entry.layer is Layer.PROCEDURAL:
            self.procedural.add(entry.id)
        if entry.kind == pictures.PERCEPT and (known := pictures.hash_of(entry.kind, entry.metadata)) is not None:
            self.pictures[entry.id] = known
        if entry.fact is not None:
            self.facts.put(Stated(entry.id, entry.fact, entry.superseded_by), entry.recorded_at)

    def _unmark(self, memory_id: str) -> None:
        self.pinned.pop(memory_id, None)
        self.procedural.discard(memory_id)
        self.hidden.discard(memory_id)
        self.stale.discard(memory_id)
        self.pictures.pop(memory_id, None)
        self.facts.remove(memory_id)


def message_number(message_id: str) -> int:
    """A message as the core knows it; 0 for none."""
    return _number(message_id) if message_id else 0


def question_number(text: str) -> int:
    """The same for every question of these words."""
    return _number(f"? {' '.join(text.split())}")


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _known(words: Iterable[str]) -> str:
    """The words of scripts that the table, which is of English, would not take for each other."""
    return " ".join(word for word in words if word[0].isalpha() and word[0] < _BEYOND_LATIN)


def _date_words(sent_at: int) -> str:
    return time.strftime("%d %B %Y", time.gmtime(sent_at // 1_000_000))
