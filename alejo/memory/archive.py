"""The archive: what left the hot layers is found when it is asked for, and when these have nothing good to offer."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alejo._core import EVIDENCE
from alejo.memory import recall
from alejo.memory.index import Index, Question
from alejo.memory.recall import Found
from alejo.memory.when import Span
from alejo.types import Filter, RecallPlan

_LOOKED_AT = 3  # hits, of which one has to be good
_COVERED = 0.5  # of what the query says
_SIMILAR = 0.6  # cosine
_DENSE = EVIDENCE.index("dense")


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
) -> tuple[list[Found], bool]:
    """What `recall.rank` finds; with the archive, if none of the best three that are in the hot layers is good.

    A good one covers half of what the query says, by the rarity of its words, or means much the same.
    """
    asked = asked or index.asked(query)
    found, more = recall.rank(index, query, wanted, plan, now, most=most, but=but, spans=spans, asked=asked)
    if wanted.include_archived or not index.hidden or any(_good(each, plan) for each in found[:_LOOKED_AT]):
        return found, more
    everything = msgspec.structs.replace(wanted, include_archived=True)
    return recall.rank(index, query, everything, plan, now, most=most, but=but, spans=spans, asked=asked)


def _good(found: Found, plan: RecallPlan) -> bool:
    weight = plan.weights.get("dense", 0.0)
    return found.coverage >= _COVERED or (weight > 0 and found.shares[_DENSE] >= _SIMILAR * weight)
