"""Finding memories: the exact BM25 of the Rust core plus recency, weighed as the memory plugin judges."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alejo.errors import DataLoss
from alejo.memory.index import Entry, Index
from alejo.storage.store import Row, Store
from alejo.storage.tables import MEMORIES
from alejo.types import Evidence, Filter, Hit, Memory, RecallPlan, Scope

_SECOND = 1_000_000


class Candidate:
    """A memory that matched, before it is read from storage."""

    __slots__ = ("coverage", "doc", "entry", "lexical", "recency", "score")

    def __init__(self, doc: int, entry: Entry, lexical: float, recency: float, coverage: float) -> None:
        self.doc = doc
        self.entry = entry
        self.lexical = lexical
        self.recency = recency
        self.score = lexical + recency
        self.coverage = coverage


def rank(
    index: Index, query: str, wanted: Filter, plan: RecallPlan, now: int, without_message: str = ""
) -> list[Candidate]:
    """Every memory that matches and may be found, best first.

    Score = BM25 · the kind's weight + recency, where recency is `recency_weight` · the best BM25 of the query ·
    2 ** (-age / half-life). `now` is in µs; `without_message` leaves out what was just said.
    """
    matches = index.lexical.search(query, 0)
    if not matches:
        return []
    freshest = plan.recency_weight * matches[0][1]
    rate = 1.0 / (plan.recency_half_life * _SECOND)
    candidates: list[Candidate] = []
    for doc, lexical, coverage in matches:
        entry = index.entries[doc]
        if coverage < plan.min_coverage or not entry.passes(wanted):
            continue
        if without_message and entry.message_id == without_message:
            continue
        age = now - entry.sent_at
        recency = freshest * 2.0 ** (-age * rate) if age > 0 else freshest
        weight = plan.kind_weights.get(entry.kind, 1.0)
        candidates.append(Candidate(doc, entry, lexical * weight, recency * weight, coverage))
    candidates.sort(key=lambda each: -each.score)
    return candidates


async def read(store: Store, scope: Scope, index: Index, query: str, chosen: Sequence[Candidate]) -> list[Hit]:
    """The hits of chosen candidates, each with the evidence for it; one that was deleted meanwhile is left out."""
    hits: list[Hit] = []
    for each in chosen:
        row = await sound(store, scope, each.entry.id)
        if row is None:
            continue
        words = ", ".join(term for term, _ in index.lexical.explain(each.doc, query))
        evidence = (Evidence("lexical", each.lexical, words), Evidence("recency", each.recency))
        hits.append(Hit(versioned(row.value, row.version), each.score, each.coverage, evidence))
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
