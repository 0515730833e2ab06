"""Which recalled facts are told to contradict what was said."""

from __future__ import annotations

import pytest
from alejo_memory import Contradictions

from alejo.roles import Situation
from alejo.types import Cardinality, Fact, Hit, Layer, Memory, Message, Role, Session, SessionState

ONE, MANY = Cardinality.ONE, Cardinality.MANY
SESSION = Session("5" * 32, SessionState.ACTIVE, 1, 1)
MESSAGE = Message("6" * 32, SESSION.id, 1, Role.USER, "x", 1, 1)


def lives(place: str, cardinality: Cardinality = ONE, *, negated: bool = False) -> Fact:
    return Fact("user", "lives in", place, confidence=0.8, cardinality=cardinality, negated=negated)


def remembered(number: int, fact: Fact | None) -> Memory:
    return Memory(f"{number:032x}", Layer.SEMANTIC, "fact", "x", 1, 1, fact=fact)


@pytest.mark.parametrize(
    ("stated", "known", "contradicts"),
    [
        (lives("Oslo"), lives("Rome"), True),
        (lives("Oslo"), lives("oslo"), False),
        (lives("Oslo", MANY), lives("Rome", MANY), False),
        (lives("Oslo", negated=True), lives("Oslo"), True),
        (lives("Oslo", negated=True), lives("Rome"), False),
        (lives("Oslo"), Fact("Ann", "lives in", "Rome", cardinality=ONE), False),
        (lives("Oslo"), None, False),
        (None, lives("Rome"), False),
    ],
)
async def test_contradictions(stated: Fact | None, known: Fact | None, *, contradicts: bool) -> None:
    """A fact is proposed by its memory if it excludes one that was stated; the surer both are, the more."""
    hit = Hit(remembered(1, known), 1.0, 1.0)
    situation = Situation(SESSION, MESSAGE, MESSAGE, (hit,), (remembered(2, stated),), None, 1)
    found = [(each.reference, each.salience, each.why) for each in await Contradictions().propose(situation)]
    assert found == ([(hit.memory.id, 0.9, "contradicts")] if contradicts else [])
