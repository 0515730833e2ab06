"""What the brain answers, with commands, memories, pictures and missing roles."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from alejo_brain.mind import NO_MEMORY, NOT_KEPT
from alejo_brain.tongues import english

from alejo.types import Appraisal, Degraded, Emotion, Image, Percept

NOTHING = english().says["nothing"][0]
HARD = Appraisal(-0.8, 0.6, (Emotion("sadness", 0.8, ("sad",)),))
SEEN = Percept(640, 480, "JPEG", summary="A 640 by 480 JPEG picture, mostly green.")


async def test_a_question_is_answered_with_words_source_and_date(desk: Any, say: Any) -> None:
    """The answer says it in a word, and quotes what the user said, and when."""
    desk.add("My dog is called Luna.", days_ago=366)
    assert await say("What is my dog called?") == 'Luna. You told me on 8 May 2022: "My dog is called Luna."'


async def test_what_hurts_is_told_when_it_is_asked_for(desk: Any, say: Any) -> None:
    """A sad question is answered as any other: to say that nothing is known would be a lie."""
    desk.add("My cat died at home.", days_ago=366)
    assert (await say("Did my cat die at home?", appraisal=HARD)).endswith('"My cat died at home."')


async def test_a_speaker_is_named(desk: Any, say: Any) -> None:
    """A memory of somebody's words names them."""
    desk.add("I moved here from Sweden.", speaker="Caroline", days_ago=1)
    answer = await say("Where did Caroline move from, Sweden?")
    assert answer.endswith('Sweden. Caroline said yesterday, 8 May 2023: "I moved here from Sweden."')


async def test_today_is_said_with_its_date(desk: Any, say: Any) -> None:
    """What was told on the same day says so, and the date as well."""
    desk.add("My dog is called Luna.", days_ago=0.1)
    assert (await say("what is my dog called")).startswith("Luna. You told me today, 9 May 2023: ")


async def test_a_quote_is_whole_and_unchanged(desk: Any, say: Any) -> None:
    """Quotes, line breaks and blanks inside a memory stay as they are, so that the host can find them."""
    text = 'Luna said  "woof"\nand ran\u2026 ' + "x" * 2000
    desk.add(text)
    assert f'"{text}"' in await say("What did Luna say?")


@pytest.mark.parametrize("question", ["What is my cat called?", "Who won the match?", "How old am I?"])
async def test_knowing_nothing_is_one_sentence_with_abilities(desk: Any, say: Any, question: str) -> None:
    """Where nothing relevant is remembered, one sentence says so and what the brain can do."""
    desk.add("My dog is called Luna.")
    desk.add("I live in Bonn.")
    answer = await say(question)
    assert answer == NOTHING
    assert answer.count(".") == 1


async def test_earlier_questions_are_no_answers(desk: Any, say: Any) -> None:
    """A remembered question is not quoted as an answer to itself."""
    desk.add("What is my dog called?", kind="question")
    assert await say("What is my dog called?") == NOTHING


async def test_a_statement_is_noted_in_a_word(say: Any) -> None:
    """A statement with nothing related is acknowledged, no more."""
    assert await say("My dog is called Luna.") == "Noted."


async def test_a_statement_beside_a_question_is_noted(say: Any) -> None:
    """Who tells something and asks something gets both answered."""
    assert await say("I ran a marathon. How about you?") == f"Noted. {NOTHING}"


async def test_a_related_memory_is_mentioned(desk: Any, say: Any) -> None:
    """A statement close to an earlier one is connected with it."""
    desk.add("Luna loves the park.")
    assert await say("Luna is in the park") == 'Noted; you told me yesterday, 8 May 2023: "Luna loves the park."'


async def test_saying_the_same_again_is_noticed(desk: Any, say: Any) -> None:
    """The same words again are acknowledged with the date of the first time."""
    desk.add("My dog is called Luna.", days_ago=3)
    assert await say("my dog is called Luna") == "Noted; you told me the same on 6 May 2023."


async def test_a_strong_feeling_is_answered_first(say: Any) -> None:
    """Sympathy comes before the acknowledgement, and only for a strong feeling."""
    assert await say("I am so sad.", appraisal=HARD) == "I am sorry to hear that. I am here and I listen."
    assert await say("I am here.", appraisal=Appraisal(-0.2, 0.1, HARD.emotions)) == "Noted."
    assert await say("Well.", appraisal=Appraisal(0.8, 0.1, HARD.emotions)) == "Noted."


@pytest.mark.parametrize(
    ("text", "answer"), [("Thanks!", "You are welcome."), ("bye", "Goodbye."), ("ok", "All right.")]
)
async def test_courtesies_are_returned(say: Any, text: str, answer: str) -> None:
    """Thanks and farewells get their due."""
    assert await say(text) == answer


async def test_a_missing_memory_is_said_honestly(say: Any) -> None:
    """With memory degraded, a question and a statement each say so in one sentence."""
    missing = (Degraded("memory", "memory", "timeout"),)
    assert await say("What is my dog called?", degraded=missing) == NO_MEMORY
    assert await say("My dog is called Luna.", degraded=missing) == NOT_KEPT


async def test_a_picture_is_mentioned(desk: Any, say: Any) -> None:
    """What vision saw is said, before the answer to the words."""
    picture = (Image(b"x"),)
    assert await say("", images=picture, percepts=(SEEN,)) == "I see a 640 by 480 JPEG picture, mostly green."
    answer = await say("Look at Luna", images=picture, percepts=(SEEN,))
    assert answer == "I see a 640 by 480 JPEG picture, mostly green. Noted."
    assert await say("What is this?", images=picture, percepts=(SEEN,)) == (
        "I see a 640 by 480 JPEG picture, mostly green."
    )


async def test_what_a_picture_says_is_read_out(say: Any) -> None:
    """The first lines that are written in a picture are quoted, as far as they fit a sentence."""
    text = "\n".join(["HORNBACH Baumarkt", *(f"Screws of length {number} and some more words" for number in range(20))])
    answer = await say("", images=(Image(b"x"),), percepts=(msgspec.structs.replace(SEEN, text=text),))
    assert 'It says: "HORNBACH Baumarkt · Screws of length 0 and some more words · ' in answer
    assert answer.endswith('…"')
    assert len(answer) < 320


async def test_an_unseen_picture_is_admitted(say: Any) -> None:
    """A refused picture and missing eyes are each one sentence."""
    picture = (Image(b"x"),)
    refused = (Degraded("vision", "vision", "rejected"),)
    assert await say("", images=picture, degraded=refused) == "A picture could not be read."
    assert await say("", images=picture, degraded=(Degraded("vision"),)) == "I cannot see pictures at the moment."


async def test_pieces_join_to_the_answer(desk: Any, say: Any) -> None:
    """The answer streams sentence by sentence, what it quotes at once, and the pieces are the whole."""
    desk.add("I have a dog.")
    desk.add("I have a dog and a cat.")
    pieces = await say("Do I have a dog?").pieces()
    assert pieces[0] == "Yes. "
    assert len(pieces) == 2
    assert "".join(pieces) == await say("Do I have a dog?")


@pytest.mark.parametrize(
    "text",
    ["help", "list memories", "recall Luna", "What is my dog called?", "forget about dogs", "Hello", "what time is it"],
)
async def test_answers_are_single_lines(desk: Any, say: Any, text: str) -> None:
    """Every kind of answer is one line when the memories are."""
    desk.add("My dog is called Luna.")
    desk.add("Luna is a dog of two.")
    answer = await say(text)
    assert answer
    assert "\n" not in answer
