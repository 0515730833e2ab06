"""Finding memories by words and by meaning, weighed in the Rust core as the memory plugin judges."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from alejo._core import Ranker
from alejo.errors import DataLoss
from alejo.memory.index import Index
from alejo.storage.store import Row, Store
from alejo.storage.tables import MEMORIES
from alejo.types import EVERYTHING, Evidence, Filter, Hit, Memory, RecallPlan, Scope

_SECOND = 1_000_000
_SPARE = 8  # asked for beyond what is wanted, as a filter or a message may take some away
_GROWTH = 16  # large, as the core finds all matches each time
_BY_WORDS = 100  # of these the evidence of all kinds is weighed together
_HELD = 0.6  # of a query's information: what says so much of it is what "forget …" means
_BY_MEANING = 50  # so many more, which need not share a word with the query

# A memory that shares words with the query: (doc, score, lexical, recency, coverage).
Match = tuple[int, float, float, float, float]


class Found(NamedTuple):
    """A memory before it is read from storage. The shares add up to the score."""

    doc: int
    score: float
    coverage: float
    shares: tuple[tuple[str, float], ...]


def rank(
    index: Index, query: str, wanted: Filter, plan: RecallPlan, now: int, *, most: int, but: str = ""
) -> tuple[list[Found], bool]:
    """The best `most` memories that may be found, best first, and whether there are more.

    Those are the memories that cover enough of the query's words, and the nearest in meaning if they are near enough.
    Score = kind's weight · (lexical + the plan's weights · (cosine, recency, whether the one it names said it)), where
    lexical is BM25 relative to the best and recency 2 ** (-age / half-life); what scores below 0 is left out. Beyond
    the first hundred by words the rest follows as their words and age weigh. `now` is in µs; `but` is a message whose
    memories are left out.
    """
    matched, more = match(index, query, wanted, plan, now, most=max(most, _BY_WORDS), but=but)
    meaning, named = index.asked(query)
    first = matched[:_BY_WORDS]
    near = _near(index, meaning, wanted, plan, but) - {doc for doc, *_ in first} if meaning else set[int]()
    found = _weigh(index, first, near, plan, now, meaning, named, most + 1)
    if len(found) <= most and len(matched) > _BY_WORDS:
        best = max(lexical for _, _, lexical, _, _ in first) or 1.0
        for doc, score, lexical, recency, coverage in matched[_BY_WORDS:]:
            if score >= 0 and doc not in near:
                shares = (("lexical", lexical / best), ("recency", recency / best))
                found.append(Found(doc, score / best, coverage, shares))
    return found[:most], more or len(found) > most


def _weigh(
    index: Index,
    matched: Sequence[Match],
    near: set[int],
    plan: RecallPlan,
    now: int,
    meaning: bytes | None,
    named: str,
    limit: int,
) -> list[Found]:
    """The best of those that matched and those that are near, by all evidence."""
    coverage = {doc: covered for doc, _, _, _, covered in matched}
    docs = [*coverage, *sorted(near)]
    if not docs:
        return []
    entries = [index.entries[doc] for doc in docs]
    kinds = plan.kind_weights
    factors = [kinds.get(entry.kind, 1.0) for entry in entries]
    lexical = [each[2] / factor if factor else 0.0 for each, factor in zip(matched, factors, strict=False)]
    evidence = {"lexical": array("f", lexical + [0.0] * len(near))}
    if named:
        evidence["speaker"] = array("f", [entry.speaker.casefold() == named for entry in entries])
    weights = {
        "lexical": 1.0,
        "dense": plan.dense_weight,
        "recency": plan.recency_weight,
        "speaker": plan.speaker_weight,
    }
    selection = Ranker(weights, half_life=plan.recency_half_life).rank(
        array("Q", docs),
        evidence,
        limit=limit,
        factors=array("f", factors),
        ages=array("f", [(now - entry.sent_at) / _SECOND for entry in entries]),
        vectors=index.vectors if meaning else None,
        query=meaning,
    )
    names = selection.evidence
    return [
        Found(doc, score, coverage.get(doc, 0.0), tuple(each for each in zip(names, shares, strict=True) if each[1]))
        for doc, score, shares in selection.chosen
    ]


def _near(index: Index, meaning: bytes, wanted: Filter, plan: RecallPlan, but: str) -> set[int]:
    """The nearest in meaning that may be found."""
    bite = _BY_MEANING + _SPARE
    while True:
        found = [doc for doc, cosine in index.vectors.search(meaning, bite) if cosine >= plan.min_similarity]
        entries = index.entries
        passed = [doc for doc in found if entries[doc].passes(wanted) and not (but and entries[doc].message_id == but)]
        if len(passed) >= _BY_MEANING or len(found) < bite:
            return set(passed[:_BY_MEANING])
        bite *= _GROWTH


def match(
    index: Index, query: str, wanted: Filter, plan: RecallPlan, now: int, *, most: int, but: str = ""
) -> tuple[list[Match], bool]:
    """The best `most` memories that share words with the query, best first, and whether there are more.

    Score = (BM25 + recency) · the kind's weight, where recency is `recency_weight` · the best BM25 of the query ·
    2 ** (-age / half-life); equals by when they were first indexed.

    The core leaves out archived memories and other kinds by itself; what else a filter refuses is taken from the best
    it gives, and more asked for when too few are left.
    """
    weights = index.weights(plan.kind_weights, wanted)
    entries, everything = index.entries, wanted == EVERYTHING
    bite = most + _SPARE
    while True:
        found = index.lexical.rank(
            query,
            bite,
            now=now,
            half_life=plan.recency_half_life * _SECOND,
            recency_weight=plan.recency_weight,
            weights=weights,
            min_coverage=plan.min_coverage,
        )
        passed = found if everything else [each for each in found if entries[each[0]].passes(wanted)]
        if but:
            passed = [each for each in passed if entries[each[0]].message_id != but]
        if len(passed) > most or len(found) < bite:
            return passed[:most], len(passed) > most
        bite *= _GROWTH


def holding(index: Index, query: str, wanted: Filter, now: int, *, most: int) -> tuple[list[str], bool]:
    """The ids of the memories that hold most of a query in their own words, best first, and whether there are more."""
    found, more = match(index, query, wanted, RecallPlan(min_coverage=_HELD), now, most=most)
    own = index.lexical.explain([each[0] for each in found], query, own=True)
    whole = index.lexical.explain([each[0] for each in found], query)
    entries = [index.entries[each[0]].id for each in found]
    return [each for each, words, all_ in zip(entries, own, whole, strict=True) if len(words) == len(all_)], more


async def read(store: Store, scope: Scope, index: Index, query: str, chosen: Sequence[Found]) -> list[Hit]:
    """The hits of chosen candidates, each with the evidence for it; one that was deleted meanwhile is left out."""
    hits: list[Hit] = []
    # Only words of their own: what their neighbours said must not outlive these in what is told of them.
    explained = index.lexical.explain([each.doc for each in chosen], query, own=True)
    for (doc, score, coverage, shares), words in zip(chosen, explained, strict=True):
        entry = index.entries.get(doc)
        row = await sound(store, scope, entry.id) if entry is not None else None
        if row is None:
            continue
        detail = ", ".join(word for word, _ in words)
        strongest = sorted(shares, key=lambda each: -each[1])
        evidence = tuple(Evidence(name, share, detail if name == "lexical" else "") for name, share in strongest)
        hits.append(Hit(versioned(row.value, row.version), score, coverage, evidence))
    return hits


async def sound(store: Store, scope: Scope, memory_id: str) -> Row[Memory] | None:
    """A memory's row; None if it is gone or its record is refused: one altered record must not hide the others."""
    try:
        return await store.get(scope, MEMORIES, bytes.fromhex(memory_id))
    except DataLoss:
        return None


def versioned(memory: Memory, version: int) -> Memory:
    """The memory with the version of its row."""
    return msgspec.structs.replace(memory, version=version)
