"""Finding memories: the Rust core weighs as the memory plugin judges, and what a filter lets through is read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alejo.errors import DataLoss
from alejo.memory.index import Index
from alejo.storage.store import Row, Store
from alejo.storage.tables import MEMORIES
from alejo.types import EVERYTHING, Evidence, Filter, Hit, Memory, RecallPlan, Scope

_SECOND = 1_000_000
_SPARE = 8  # asked for beyond what is wanted, as a filter or a message may take some away
_GROWTH = 16  # large, as the core finds all matches each time

# A memory that matched, before it is read from storage: (doc, score, lexical, recency, coverage). The shares add up to
# the score.
Candidate = tuple[int, float, float, float, float]
Ranking = tuple[list[Candidate], bool]


def rank(index: Index, query: str, wanted: Filter, plan: RecallPlan, now: int, *, most: int, but: str = "") -> Ranking:
    """The best `most` memories that match and may be found, best first, and whether there are more.

    Score = (BM25 + recency) · the kind's weight, where recency is `recency_weight` · the best BM25 of the query ·
    2 ** (-age / half-life); equals by when they were first indexed. `now` is in µs; `but` is a message whose memories
    are left out.

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


async def read(store: Store, scope: Scope, index: Index, query: str, chosen: Sequence[Candidate]) -> list[Hit]:
    """The hits of chosen candidates, each with the evidence for it; one that was deleted meanwhile is left out."""
    hits: list[Hit] = []
    explained = index.lexical.explain([doc for doc, *_ in chosen], query)
    for (doc, score, lexical, recency, coverage), words in zip(chosen, explained, strict=True):
        entry = index.entries.get(doc)
        row = await sound(store, scope, entry.id) if entry is not None else None
        if row is None:
            continue
        detail = ", ".join(word for word, _ in words)
        evidence = (Evidence("lexical", lexical, detail), Evidence("recency", recency))
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
