"""What a question is answered with: plain words, dates, lists, yes and no, and nothing where nothing was told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import msgspec
import pytest
from alejo_brain.answering import MARGIN, SURE, reply
from alejo_brain.asked import read
from alejo_brain.dating import dated
from alejo_brain.extracting import found as extracted
from alejo_brain.extracting import sentences
from hypothesis import given
from hypothesis import strategies as st

from alejo.roles import Whole
from alejo.testing import ListDesk, turn
from alejo.types import Evidence, Hit, Layer, Memory, Mention


@pytest.mark.parametrize(
    ("told", "question", "answer"),
    [
        ("My dog is called Luna.", "What is my dog called?", "Luna"),
        ("I parked the car behind the old mill.", "Where did I park the car?", "the old mill"),
        ("I keep 3 goats behind the house.", "How many goats do I keep?", "3"),
        ("We own a red rowing boat. [photo: a photo of a lake]", "What kind of boat do we own?", "rowing boat"),
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
    ("told", "kept"),
    [
        ("I bought it [photo: the receipt from 2023]", ("I bought it", "the receipt from 2023")),
        ("I bought it last year [2022].", ("I bought it last year.",)),
        ("I bought it   [photo: a boat] and sold it.", ("I bought it", "a boat", "and sold it.")),
    ],
)
def test_captions_are_read_and_what_times_mean_is_not(told: str, kept: tuple[str, ...]) -> None:
    """A year in a picture's caption is a part of it; one that says what "last year" meant is not."""
    assert sentences(told) == kept


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("I signed the lease yesterday.", "5 May 2023"),
        ("I signed the lease last Tuesday.", "Tuesday, 2 May 2023"),
        ("I signed the lease last week.", "The week before 6 May 2023"),
        ("I signed the lease in March.", "March 2023"),
        ("I sign the lease this weekend.", "The weekend of 6 May 2023"),
        ("I signed the lease last summer.", "The summer of 2022"),
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


async def test_a_short_name_is_of_whom_it_begins(desk: Any) -> None:
    """ "Mel" is Melanie where nobody is called just that; where it may be two, it is nobody."""
    hits = (told("Ben", "I sold my boat.", 5.0 + MARGIN * 1.1), told("Melanie", "I like the sea.", 5.0))
    question = turn("When did Mel sell the boat?", desk, recalled=hits)
    assert (await reply(question)).about == "Melanie"
    for other in ("Mel", "Melissa"):
        several = (*hits, told(other, "I paint.", 1.0))
        found = await reply(msgspec.structs.replace(question, recalled=several))
        assert found.about == ("Mel" if other == "Mel" else "")


@pytest.mark.parametrize(
    ("said", "question"),
    [
        (
            "It was a strange week at the fair and nobody knew why the lamps went out. It rained.",
            "What was the fair like?",
        ),
        ("My dog is called Luna. It rained.", "What is my dog called?"),
    ],
)
async def test_words_that_are_not_sure_are_said_with_their_sentence(desk: Any, said: str, question: str) -> None:
    """A part of a sentence is said alone only where it is likelier than all else by a share."""
    desk.add(said)
    hits = await desk.recall(question)
    best = extracted(read(question), hits, None)[0]
    found = await reply(turn(question, desk, recalled=tuple(hits)))
    words = best.text if best.share >= SURE else best.sentence
    assert found.said.casefold() == read(question).tongue.turned(words, "user").casefold()


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


async def test_how_often_is_counted_by_days(desk: Any, say: Any) -> None:
    """Each day that tells of it counts once, what denies it not; who says how often is believed."""
    for days, text in ((9, "I went to the dentist."), (5, "The dentist again."), (2, "I was not at the dentist.")):
        desk.add(text, days_ago=days)
    question = "How many times have I been to the dentist?"
    assert (await say(question)).startswith(
        'At least two times: 1) "I went to the dentist." (30 April 2023); 2) "The dentist again." (4 May 2023).'
    )
    desk.add("I have been to the dentist four times.")
    assert not (await say(question)).startswith("At least")


async def test_a_list_says_how_many_there_are_at_least(desk: Any, say: Any) -> None:
    """A list counts what it names, and dates each."""
    desk.add("One of my instruments is the clarinet.", days_ago=2)
    desk.add("One of my instruments is the violin.", days_ago=1)
    said = await say("What are my instruments?")
    assert said.startswith("At least two: ")
    assert '(7 May 2023); 2) "' in said or '(8 May 2023); 2) "' in said


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


@pytest.mark.parametrize(
    ("second", "whole"), [("I keep two goats in the barn.", [0, 1]), ('I keep a 5" goat.', [0, 0, 0])]
)
async def test_quotes_are_given_at_once(desk: Any, say: Any, second: str, whole: list[int]) -> None:
    """Behind the answer's own words; one by one where a mark in one would make the next no quote."""
    desk.add("I keep 3 goats behind the house.")
    desk.add(second)
    pieces = await say("How many goats do I keep?").pieces()
    assert [isinstance(piece, Whole) for piece in pieces] == whole
    assert "".join(pieces).count("You told me") == 2


@pytest.mark.parametrize(
    ("told", "question", "answer"),
    [
        (("I work at Bosch.", "I don't work at Bosch any more."), "Do I work at Bosch?", "No. "),
        (("I do not like green tea.", "I like green tea."), "Do I like green tea?", "Yes. "),
        (("I used to smoke.",), "Do I smoke?", "You told me "),
        (("I was married to Ben from 2010 to 2018.",), "Am I married?", "You told me "),
        (("I was married to Ben from 2010 to 2018.",), "Was I married?", "Yes. "),
        (("If it rains the party is cancelled.",), "Is the party cancelled?", "You told me "),
        (("Ich bin nicht verheiratet.", "Ich bin verheiratet."), "Bin ich verheiratet?", "Ja. "),
    ],
)
async def test_yes_and_no_are_what_was_last_claimed(
    desk: Any, say: Any, told: Sequence[str], question: str, answer: str
) -> None:
    """What was so once, may be so, or was said by somebody else, is quoted and not said to be so."""
    for days, text in enumerate(told):
        desk.add(text, days_ago=9 - days)
    assert (await say(question)).startswith(answer)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("I am not allergic to nuts.", "I am allergic to nuts."),
        ("If it rains the party is cancelled.", "The party is cancelled."),
        ("Paul thinks the moon is made of cheese.", "The moon is made of cheese."),
        ("I used to like green tea.", "I like green tea."),
    ],
)
async def test_what_claims_something_else_was_not_told_before(desk: Any, say: Any, before: str, now: str) -> None:
    """A message is only said to be like another where both deny, doubt or tell of the past alike."""
    desk.add(before)
    assert await say(now) == "Noted."


@pytest.mark.parametrize(
    ("told", "question", "answer"),
    [
        ("The train to Graz leaves at 7:15.", "When does the train to Graz leave?", "At 7:15. "),
        ("The tea is at five.", "When is the tea?", "At five. "),
        ("Das Treffen beginnt um 14 Uhr.", "Wann beginnt das Treffen?", "Um 14 Uhr. "),
        ("La cena es a las ocho y media.", "\u00bfCu\u00e1ndo es la cena?", "A las ocho y media. "),
        ("I was at two parties in Graz.", "When was I at parties in Graz?", "8 May 2023. "),
    ],
)
async def test_what_has_an_hour_is_told_by_it(desk: Any, say: Any, told: str, question: str, answer: str) -> None:
    """The day on which it was said is not when it takes place."""
    desk.add(told)
    assert (await say(question)).startswith(answer)


def test_an_hour_is_told_beside_its_day() -> None:
    """Whether the words of the day hold it or stand before it."""
    at = 1_683_504_000_000_000  # 8 May 2023
    for text, words, answer in (
        ("The concert starts at 8 pm on Friday.", "at 8 pm on Friday", "Friday, 12 May 2023, at 8 pm"),
        ("My exam is tomorrow at 10.", "tomorrow", "9 May 2023, at 10"),
        ("My exam is tomorrow.", "tomorrow", "9 May 2023"),
    ):
        start = at + (4 if "Friday" in words else 1) * 86_400_000_000
        mention = Mention(words, start, start + 86_400_000_000, answer.partition(", at")[0])
        hit = told("m", text, 1.0)
        hit = msgspec.structs.replace(hit, memory=msgspec.structs.replace(hit.memory, sent_at=at))
        found = dated(read("When is it?"), [hit], [[mention]], UTC)
        assert found is not None
        assert found.text == answer
