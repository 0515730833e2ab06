"""What a question is answered with: plain words, dates, lists, yes and no, and nothing where nothing was told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from alejo_brain.answering import MARGIN, reply
from alejo_brain.asked import read
from hypothesis import given
from hypothesis import strategies as st

from alejo.testing import ListDesk, turn
from alejo.types import Evidence, Hit, Layer, Memory


@pytest.mark.parametrize(
    ("told", "question", "answer"),
    [
        ("My dog is called Luna.", "What is my dog called?", "Luna"),
        ("I parked the car behind the old mill.", "Where did I park the car?", "the old mill"),
        ("I keep 3 goats behind the house.", "How many goats do I keep?", "3"),
        ("The surgery took about four hours. It went well.", "How long did the surgery take?", "our hours"),
    ],
)
async def test_the_words_that_answer_are_said(desk: Any, say: Any, told: str, question: str, answer: str) -> None:
    """A few plain words come first, then the quote they are from."""
    desk.add(told, days_ago=1)
    said, _, quote = (await say(question)).partition(". You told me yesterday, 8 May 2023: ")
    assert answer in said
    assert quote == f'"{told}"'


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("I signed the lease yesterday.", "5 May 2023"),
        ("I signed the lease last Tuesday.", "Tuesday, 2 May 2023"),
        ("I signed the lease last week.", "The week before 6 May 2023"),
        ("I signed the lease in March.", "March 2023"),
        ("I signed the lease!", "6 May 2023"),
    ],
)
async def test_when_is_answered_with_a_date(desk: Any, say: Any, told: str, answer: str) -> None:
    """Dates are seen from when something was said, not from when it is asked."""
    desk.add(told, days_ago=3)
    assert (await say("When did I sign the lease?")).startswith(f"{answer}. You told me on 6 May 2023: ")


@pytest.mark.parametrize(
    ("told", "answer"), [("I own a boat.", "Yes"), ("I don't own a boat.", "No"), ("I paint my boat.", "")]
)
async def test_yes_and_no_are_said_where_a_sentence_says_so(desk: Any, told: str, answer: str) -> None:
    """A sentence with all of what is asked affirms or denies it; one with a part of it is only quoted."""
    desk.add(told)
    question = "Do I own a boat?"
    found = await reply(turn(question, desk, recalled=tuple(await desk.recall(question))))
    assert found.said == answer


async def test_users_are_spoken_to(desk: Any, say: Any) -> None:
    """What the user said of themselves is said in the second person; the quote stays as it is."""
    desk.add("My aunt Petra gave me the blue vase.")
    answer = await say("Who gave me the blue vase?")
    said, _, quote = answer.partition(" You told me")
    assert "my" not in said.casefold().split()
    assert '"My aunt Petra gave me the blue vase."' in quote


def told(name: str, text: str, score: float) -> Hit:
    memory = Memory(f"{name}-{text}", Layer.EPISODIC, "statement", text, 0, 0, name, "s")
    return Hit(memory, score + 2.0 * (name == "Ann"), 1.0, (Evidence("speaker", 2.0 * (name == "Ann")),))


@pytest.mark.parametrize(("lead", "knows"), [(0.0, True), (MARGIN * 0.9, True), (MARGIN * 1.1, False)])
async def test_what_another_said_is_not_told_of_who_is_asked_about(desk: Any, lead: float, knows: bool) -> None:
    """Where somebody else's words fit better by a margin, nothing is known of the one named, and theirs are shown."""
    hits = (told("Ann", "I like the sea.", 5.0), told("Ben", "I sold my boat.", 5.0 + lead))
    question = "When did Ann sell the boat?"
    found = await reply(turn(question, desk, recalled=tuple(sorted(hits, key=lambda hit: -hit.score))))
    assert found.knows is knows
    assert found.about == ("" if knows else "Ann")
    assert knows or [hit.memory.speaker for hit in found.hits] == ["Ben"]


async def test_a_memory_without_a_word_answers_nothing(desk: Any, say: Any) -> None:
    """Marks alone are no sentence, and stand in nobody's way."""
    desk.add("**!!")
    desk.add("My dog is called Luna.")
    assert "Luna" in await say("What is my dog called?")


async def test_an_unknown_of_somebody_is_said_plainly(desk: Any, say: Any) -> None:
    """The answer says of whom nothing is known, and quotes whom it is known of."""
    desk.add("I adopted a puppy named Shadow.", speaker="Maria")
    desk.add("Nice weather.", speaker="John")
    answer = await say("When did John adopt a puppy named Shadow?")
    assert answer == (
        'I know nothing of that about John. Maria said yesterday, 8 May 2023: "I adopted a puppy named Shadow."'
    )


async def test_a_list_is_made_of_several_memories(desk: Any) -> None:
    """Who asks for several gets the words of several memories, and each is quoted."""
    for text in ("One of my instruments is the clarinet.", "One of my instruments is the violin."):
        desk.add(text)
    question = "What are my instruments?"
    found = await reply(turn(question, desk, recalled=tuple(await desk.recall(question))))
    assert read(question).several
    assert {"clarinet", "violin"} <= {word.strip(",.") for word in found.said.casefold().split()}
    assert len(found.hits) >= 2


words = st.lists(
    st.sampled_from(
        ["what", "when", "where", "who", "is my", "Ann", "boat", "?", ".", "I", "3", "\u65e5", "yesterday"]
    ),
    max_size=14,
).map(" ".join)


@given(st.one_of(words, st.text(max_size=60)), st.lists(st.one_of(words, st.text(max_size=80)), max_size=4))
async def test_any_question_is_answered_of_what_was_told(question: str, texts: list[str]) -> None:
    """Whatever is asked and told: what is quoted was told, and an answer without quotes says nothing."""
    desk = ListDesk()
    for number, text in enumerate(texts):
        desk.add(text, speaker="Ann" if number % 2 else "")
    found = await reply(turn(question, desk, recalled=tuple(await desk.recall(question))))
    assert {hit.memory.text for hit in found.hits} <= set(texts)
    assert found.hits or not found.said
    assert msgspec.json.decode(msgspec.json.encode(found.said)) == found.said
