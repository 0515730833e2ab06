"""What the brain comes back to: open questions and what is due."""

from __future__ import annotations

import pytest
from alejo_brain import OpenTopics

from alejo.roles import Situation
from alejo.testing import message
from alejo.testing.desk import NOW
from alejo.types import Mention, Session, SessionState

HOUR = 3_600_000_000
SESSION = Session("5" * 32, SessionState.ACTIVE, NOW, NOW)


def situation(said: str, answer: str, **times: tuple[float, float]) -> Situation:
    """A turn, and memories with the hours from now in which what they name begins and ends."""
    named = {
        memory: (Mention("then", NOW + int(start * HOUR), NOW + int(end * HOUR)),)
        for memory, (start, end) in times.items()
    }
    return Situation(SESSION, message(said), message(answer), (), (), None, NOW, named)


async def proposed(given: Situation) -> list[tuple[str, str]]:
    return [(each.about, each.why) for each in await OpenTopics().propose(given)]


@pytest.mark.parametrize(
    ("said", "answer", "why"),
    [
        ("What is my dog called?", "I do not know that yet.", ["unanswered"]),
        ("What is my dog called?", "I remember nothing about that.", ["unanswered"]),
        ("What is my dog called?", "Your dog is called Luna.", []),
        ("My dog is called Luna.", "I don't know dogs.", []),
        ("My dog is called Luna.", "How old is she?", ["asked"]),
        ("My dog is called Luna.", "Noted.", []),
    ],
)
async def test_open_questions(said: str, answer: str, why: list[str]) -> None:
    """A question that got no answer is proposed, and one that the answer asks."""
    assert [each for _, each in await proposed(situation(said, answer))] == why


async def test_what_is_due() -> None:
    """A memory is proposed from a day and a half before its time until that is over, the sooner the more."""
    given = situation("Hi.", "Hello.", now=(-1, 1), soon=(20, 21), late=(40, 41), over=(-3, -2))
    found = {each.reference: each.salience for each in await OpenTopics().propose(given)}
    assert found.keys() == {"now", "soon"}
    assert found["now"] == pytest.approx(0.9)
    assert 0.5 < found["soon"] < found["now"]
