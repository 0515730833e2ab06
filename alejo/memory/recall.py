"""Finding memories: the exact BM25 of the Rust core plus recency, weighed as the memory plugin judges."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alejo.errors import DataLoss
from alejo.memory.index import Index
from alejo.storage.store import Row, Store
from alejo.storage.tables import MEMORIES
from alejo.types import EVERYTHING, Evidence, Filter, Hit, Memory, RecallPlan, Scope

_SECOND = 1_000_000


_FIRST = 32
_SLACK = 0.001


# A memory that matched, before it is read from storage: (-score, doc, lexical, recency, coverage). It is a plain tuple
# that sorts as it is, for there are many of them; the shares add up to the score.
Candidate = tuple[float, int, float, float, float]


def rank(index: Index, query: str, wanted: Filter, plan: RecallPlan, now: int, *, most: int, but: str = "") -> Ranking:
    """The best `most` memories that match and may be found, best first, and whether there are more.

    Score = (BM25 + recency) · the kind's weight, where recency is `recency_weight` · the best BM25 of the query ·
    2 ** (-age / half-life). `now` is in µs; `but` is a message whose memories are left out.

    Matches are weighed from the best BM25 down, in growing bites, until none further down could come among the best:
    its score is at most (the last BM25 weighed + the most recency can give) · the largest weight of a kind. Scores
    within a thousandth of the best BM25 count as equal, or the many that say the same would all be weighed.
    """
    bite = most * 2 + _FIRST
    heaviest = max([1.0, *plan.kind_weights.values()])
    while True:
        matches = index.lexical.search(query, bite)
        candidates = _weigh(index, matches, wanted, plan, now, but)
        candidates.sort()
        if len(matches) < bite:
            return candidates[:most], len(candidates) > most
        best = matches[0][1]
        ceiling = (matches[-1][1] + plan.recency_weight * best) * heaviest - _SLACK * best
        if len(candidates) > most and -candidates[most - 1][0] >= ceiling:
            return candidates[:most], True
        bite *= 8


Ranking = tuple[list[Candidate], bool]
Match = tuple[int, float, float]


def _weigh(
    index: Index, matches: Sequence[Match], wanted: Filter, plan: RecallPlan, now: int, but: str
) -> list[Candidate]:
    candidates: list[Candidate] = []
    freshest = plan.recency_weight * matches[0][1] if matches else 0.0
    rate = 1.0 / (plan.recency_half_life * _SECOND)
    everything, weights, entries = wanted == EVERYTHING, plan.kind_weights, index.entries
    for doc, lexical, coverage in matches:
        entry = entries[doc]
        if coverage < plan.min_coverage or (entry.archived if everything else not entry.passes(wanted)):
            continue
        if but and entry.message_id == but:
            continue
        age = now - entry.sent_at
        weight = weights.get(entry.kind, 1.0)
        recency = freshest * weight * (2.0 ** (-age * rate) if age > 0 else 1.0)
        share = lexical * weight
        candidates.append((-share - recency, doc, share, recency, coverage))
    return candidates


async def read(store: Store, scope: Scope, index: Index, query: str, chosen: Sequence[Candidate]) -> list[Hit]:
    """The hits of chosen candidates, each with the evidence for it; one that was deleted meanwhile is left out."""
    hits: list[Hit] = []
    for score, doc, lexical, recency, coverage in chosen:
        entry = index.entries.get(doc)
        row = await sound(store, scope, entry.id) if entry is not None else None
        if row is None:
            continue
        words = ", ".join(term for term, _ in index.lexical.explain(doc, query))
        evidence = (Evidence("lexical", lexical, words), Evidence("recency", recency))
        hits.append(Hit(versioned(row.value, row.version), -score, coverage, evidence))
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
