"""What the built-in memory wants looked at: facts that contradict what was just said."""

from __future__ import annotations

from collections.abc import Sequence

from alejo.roles import Situation
from alejo.types import Candidate, Cardinality, Fact


class Contradictions:
    """Proposes recalled facts that cannot be true beside what the user states."""

    name = "contradictions"
    wants = ()

    async def propose(self, situation: Situation) -> Sequence[Candidate]:
        """Each such fact by its memory; the surer both are, the more."""
        found = []
        for hit in situation.recalled:
            known = hit.memory.fact
            for stated in [memory.fact for memory in situation.memories if memory.id != hit.memory.id]:
                if known is not None and stated is not None and _contradict(stated, known):
                    salience = 0.5 + 0.5 * min(stated.confidence, known.confidence)
                    found.append(Candidate("memory", hit.memory.id, salience, "contradicts"))
                    break
        return found


def _contradict(one: Fact, other: Fact) -> bool:
    """Whether two facts exclude each other: one denies the other, or there can be one object and they name two."""
    if (one.subject.casefold(), one.relation) != (other.subject.casefold(), other.relation):
        return False
    same = one.object.casefold() == other.object.casefold()
    if one.negated != other.negated:
        return same
    return not same and not one.negated and Cardinality.MANY not in (one.cardinality, other.cardinality)
