"""What was told in a time that a question names, in three languages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from alejo_brain.telling import told_then

from alejo.testing import ListDesk, message, turn
from alejo.types import Cardinality, Degraded, Fact


@pytest.fixture
def day(desk: Any) -> ListDesk:
    """A desk with what was told on 8 and 9 May 2023."""
    desk.add("My dog Rex is a beagle.", days_ago=3, message_id="a")
    desk.add("I bought a red bike.", days_ago=1, message_id="b")
    desk.add("Where are my keys?", kind="question", days_ago=1, message_id="c")
    desk.add("I sold the car.", days_ago=0.2, message_id="d")
    desk.add("Today I saw a heron.", days_ago=0.1, message_id="e")
    return desk


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What did I say yesterday?", 'You told me: 1) "I bought a red bike." (8 May 2023).'),
        ("what did I tell you on Monday", 'You told me: 1) "I bought a red bike." (8 May 2023).'),
        ("What did we talk about yesterday?", 'You told me: 1) "I bought a red bike." (8 May 2023).'),
        (
            "What did I tell you today?",
            'You told me: 1) "I sold the car." (9 May 2023); 2) "Today I saw a heron." (9 May 2023).',
        ),
        (
            "Was habe ich dir heute erzählt?",
            'Du hast mir gesagt: 1) "I sold the car." (9. Mai 2023); 2) "Today I saw a heron." (9. Mai 2023).',
        ),
        ("Weißt du noch, was ich gestern gesagt habe?", 'Du hast mir gesagt: 1) "I bought a red bike." (8. Mai 2023).'),
        ("¿Qué te conté ayer?", 'Me dijiste: 1) "I bought a red bike." (8 de mayo de 2023).'),
        ("What did I tell you in 2021?", "You told me nothing in 2021."),
        ("Was habe ich dir am 3. Mai erzählt?", "Du hast mir am 3. Mai nichts erzählt."),
        ("¿Qué te he dicho anteayer?", "No me contaste nada anteayer."),
    ],
)
async def test_a_day_is_told_as_a_dated_list(day: ListDesk, say: Any, question: str, answer: str) -> None:
    """What was told then is listed, newest last, or plainly nothing was, in the language of the question."""
    assert await say(question) == answer


@pytest.mark.parametrize(
    "question",
    [
        "What did I tell you?",
        "What did I tell you about my dog yesterday?",
        "What did I tell you about Monday?",
        "What did I buy yesterday?",
        "Was habe ich dir gestern über Rex erzählt?",
        "¿Qué te conté de Rex ayer?",
        "I wonder what I said yesterday.",
    ],
)
async def test_what_names_more_than_a_time_is_searched_for(day: ListDesk, question: str) -> None:
    """A question with another content is answered by that."""
    assert await told_then(turn(question, day)) is None


async def test_at_most_five_are_listed(desk: Any, say: Any) -> None:
    """The last five are told, and how many were before."""
    for number in range(7):
        desk.add(f"I planted tree {number}.", days_ago=0.3 - number / 100, message_id=f"t{number}")
    answer = await say("What did I tell you today?")
    assert answer.startswith('You told me: 1) "I planted tree 2." (9 May 2023); 2) ')
    assert answer.endswith('5) "I planted tree 6." (9 May 2023); and 2 more before.')


async def test_only_what_the_user_said_was_told(desk: Any, say: Any) -> None:
    """Not what others said, what was made of messages, a courtesy, what came from elsewhere, or the question itself."""
    for number, polite in enumerate(("Thanks!", "Guten Morgen!", "Muchas gracias.")):
        desk.add(polite, days_ago=0.1, message_id=f"p{number}")
    desk.add("We sailed.", speaker="Ana", days_ago=0.1, message_id="b")
    desk.add("An imported note.", days_ago=0.1)
    desk.add("What did I tell you today", days_ago=0, message_id="now")
    stated = desk.add("The user lives in Ghent.", kind="fact", days_ago=0.1, message_id="c")
    fact = Fact("user", "lives in", "Ghent", cardinality=Cardinality.ONE)
    desk.kept[-1] = msgspec.structs.replace(stated, fact=fact)
    assert await say("What did I tell you today") == "You told me nothing today."


async def test_nothing_is_said_of_what_cannot_be_seen(desk: Any, say: Any) -> None:
    """Without a memory, or where more was told since than a desk gives, it is not said that nothing was told."""
    missing = (Degraded("memory", "unavailable"),)
    assert "not available" in await say("What did I tell you today?", degraded=missing)
    for number in range(200):
        desk.add(f"I planted tree {number}.", days_ago=0.3, message_id=f"t{number}")
    asked = turn("What did I tell you last year?", desk, message=message("What did I tell you last year?", id="now"))
    assert await told_then(asked) is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Wann habe ich dir von Rex erzählt?", 'Du hast mir am 6. Mai 2023 gesagt: "My dog Rex is a beagle."'),
        ("¿Cuándo te conté de Rex?", 'Me dijiste el 6 de mayo de 2023: "My dog Rex is a beagle."'),
    ],
)
async def test_when_it_was_told_is_said_in_the_language_of_the_question(
    day: ListDesk, say: Any, question: str, answer: str
) -> None:
    """What is quoted is led in by words of that language."""
    assert await say(question) == answer
