"""Finding memories by words, by meaning and by what stands beside them, weighed as the memory plugin judges."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC
from functools import partial
from typing import Any, NamedTuple

import msgspec

from alejo._core import EVIDENCE, Recall, told
from alejo.memory import signs
from alejo.memory.index import Index, Question, message_number, question_number
from alejo.memory.vectors import Outside, outside
from alejo.memory.when import Span, resolve
from alejo.storage.rows import time_key
from alejo.storage.store import Row, Store
from alejo.storage.tables import MEMORIES, MEMORIES_BY_TIME
from alejo.types import Evidence, Filter, Hit, Memory, RecallPlan, Scope

_AT_ONCE = 64  # memories of one moment that are looked at
_SECOND = 1_000_000
_DELAY = 7 * 86400.0  # seconds after which half as much is told of what happened, about
CLOSELY = 32  # with all candidates weighed by what stands around them no more is found, and it takes longer
_HELD = 0.6  # of a query's information: what says so much of it is what "forget …" means
_NEAREST = 50  # in meaning, and of a time: as many as the core takes
_BATCH = 100  # by words, that the core weighs at a time
_MARK = zlib.crc32(",".join(EVIDENCE).encode()).to_bytes(4, "big")
_TOLD = 0.05  # of all shares of a hit together: what is smaller is told in sum


class Found(NamedTuple):
    """A memory before it is read from storage. The shares, by `EVIDENCE`, add up to the score."""

    doc: int
    score: float
    coverage: float
    shares: tuple[float, ...]


def rank(
    index: Index,
    query: str,
    wanted: Filter,
    plan: RecallPlan,
    now: int,
    *,
    most: int,
    but: str = "",
    spans: Sequence[Span] | None = None,
    asked: Question | None = None,
    closely: int = CLOSELY,
) -> tuple[list[Found], bool]:
    """The best `most` memories that may be found, best first, and whether there are more.

    Those are the memories that cover enough of the query's words, the nearest in meaning if they are near enough, and
    those of the time that the query names; see `alejo._core.Recall`. `now` is in µs; `but` is a message that asks this:
    its memories are left out, and so is the same question whenever it was asked. Nobody hears them, unless somebody
    else spoke after the same question and may have answered it. `spans` are the times the query names, or those it
    names in UTC; `asked` is the query as the index takes it, if that is known. What stands around the memories is
    weighed for the best `closely`, or for all if that is 0.
    """
    return _rank(index, asked or index.asked(query), query, wanted, plan, now, most, but, spans, closely)


def _rank(
    index: Index,
    asked: Question,
    query: str,
    wanted: Filter,
    plan: RecallPlan,
    now: int,
    most: int,
    but: str = "",
    spans: Sequence[Span] | None = None,
    closely: int = CLOSELY,
) -> tuple[list[Found], bool]:
    session = index.session(wanted.session_id) if wanted.session_id else None
    if wanted.session_id and session is None:
        return [], False
    passing: dict[str, Any] = {
        "classes": index.classes(wanted, plan, asked.named),
        "spans": [(span.start, span.end) for span in (resolve(query, now, UTC) if spans is None else spans)],
        "delay": _DELAY * _SECOND,
        "after": wanted.sent_after,
        "before": wanted.sent_before,
        "session": session,
        "only": index.only(wanted),
        "but": (message_number(but), question_number(query)) if but else (),
    }
    find = partial(
        index.recall.rank,
        asked.words,
        weights=plan.weights,
        now=now,
        half_life=plan.recency_half_life * _SECOND,
        otherwise=query,
        known=asked.known,
        asks_when=signs.asks_when(query),
        asks_name=signs.asks_name(query),
        asks_number=signs.asks_number(query),
        asks_place=signs.asks_place(query),
        min_coverage=plan.min_coverage,
        min_similarity=plan.min_similarity,
        closely=closely,
        **passing,
    )
    if asked.meaning is None or not outside(index.vectors):
        find = partial(find, meaning=asked.meaning)
    else:
        weighed = -(-(most + 1) // _BATCH) * _BATCH + (_BATCH if most >= _BATCH else 0)
        cosines = index.vectors.cosines(asked.meaning, [doc for doc, *_ in find(limit=weighed)])
        cosines += _nearest(index.vectors, index.recall, asked.meaning, passing)
        find = partial(find, cosines=dict(cosines))
    hits = find(limit=most + 1)
    return [Found(*each) for each in hits[:most]], len(hits) > most


def _nearest(vectors: Outside, known: Recall, meaning: bytes, passing: dict[str, Any]) -> list[tuple[int, float]]:
    """The nearest in meaning that may be found, and the nearest of the times that are asked for."""
    narrowing = (passing[each] for each in passing if each not in {"classes", "delay"})
    if None not in passing["classes"] and all(each in (None, (), []) for each in narrowing):
        return vectors.search(meaning, _NEAREST)
    return [each for bits in known.passing(**passing) for each in vectors.among(meaning, _NEAREST, bits)]


def holding(index: Index, query: str, wanted: Filter, now: int, *, most: int) -> tuple[list[str], bool]:
    """The ids of the memories that hold most of a query in their own words, best first, and whether there are more."""
    plan = RecallPlan({"lexical": 1.0}, min_coverage=_HELD)
    found, more = _rank(index, Question(query, "", None, "", query), query, wanted, plan, now, most)
    docs = [each.doc for each in found]
    own = index.lexical.explain(docs, query, own=True)
    whole = index.lexical.explain(docs, query)
    entries = [index.entries[doc].id for doc in docs]
    return [each for each, words, all_ in zip(entries, own, whole, strict=True) if len(words) == len(all_)], more


async def read(
    store: Store,
    scope: Scope,
    index: Index,
    asked: Question,
    chosen: Sequence[Found],
    weights: Mapping[str, float] | None = None,
) -> list[Hit]:
    """The hits of chosen candidates, each with the evidence for it; one that was deleted meanwhile is left out.

    With the `weights` they were chosen by, all evidence is noted as it was measured.
    """
    docs = [each.doc for each in chosen]
    # Only words of their own: what their neighbours said must not outlive these in what is told of them.
    explained = index.lexical.explain(docs, asked.whole, own=True)
    rows = await at_hand(store, scope, index, [index.entries[doc].id for doc in docs])
    units = None if weights is None else [weights.get(name, 0.0) for name in EVIDENCE]
    return [
        Hit(
            versioned(row.value, row.version),
            score,
            coverage,
            evidence(shares, ", ".join([word for word, _ in words])),
            b"" if units is None else measured(shares, units),
        )
        for (_, score, coverage, shares), words, row in zip(chosen, explained, rows, strict=True)
        if row is not None
    ]


async def at_hand(store: Store, scope: Scope, index: Index, ids: Sequence[str]) -> list[Row[Memory] | None]:
    """The rows of memories: those that are at hand, and the others from storage."""
    held = {each: index.held[each] for each in ids if each in index.held}
    missing = [each for each in ids if each not in held]
    found = await store.many(scope, MEMORIES, [*map(bytes.fromhex, missing)]) if missing else []
    read = dict(zip(missing, found, strict=True))
    return [held.get(each) or read.get(each) for each in ids]


def evidence(shares: Sequence[float], words: str) -> tuple[Evidence, ...]:
    """What matters of the shares, the strongest first, and the rest in sum as "other"; together they are the score."""
    return tuple([Evidence(name, share, words if name == "lexical" else "") for name, share in told(shares, _TOLD)])


def measured(shares: Sequence[float], weights: Sequence[float]) -> bytes:
    """The evidence behind shares, both by `EVIDENCE`, behind a mark of these names; 0 where the weight was 0."""
    pairs = zip(shares, weights, strict=True)
    return _MARK + array("f", [share / weight if weight else 0.0 for share, weight in pairs]).tobytes()


def evidence_of(raw: bytes) -> tuple[float, ...] | None:
    """What `measured` noted, by `EVIDENCE`; None where there was other evidence then."""
    return tuple(array("f", raw[len(_MARK) :])) if raw.startswith(_MARK) else None


async def sound(store: Store, scope: Scope, memory_id: str) -> Row[Memory] | None:
    """A memory's row; None if it is gone or its record is refused."""
    return await store.sound(scope, MEMORIES, bytes.fromhex(memory_id))


async def of_moment(store: Store, scope: Scope, sent_at: int) -> AsyncIterator[Row[Memory]]:
    """The memories of all that was said at a moment, in µs, but for records that are refused."""
    moment = after = time_key(sent_at)
    while rows := await store.scan(scope, MEMORIES_BY_TIME, moment, after=after, limit=_AT_ONCE):
        for row in rows:
            memory = await sound(store, scope, row.value)
            if memory is not None:
                yield memory
        if len(rows) < _AT_ONCE:
            break
        after = rows[-1].key


def versioned(memory: Memory, version: int) -> Memory:
    """The memory with the version of its row."""
    return msgspec.structs.replace(memory, version=version)
