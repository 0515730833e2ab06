"""How the brain speaks: modes, questions, repetition, and what is not brought up."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from alejo_brain import Mind
from alejo_brain.commands import COMMANDS
from alejo_brain.dialogue import MODES
from alejo_brain.tongues import tongues
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo.testing import ListDesk, message, turn
from alejo.types import Appraisal, Emotion, Preferences, Role, Tone

SAD = Appraisal(-0.8, 0.6, (Emotion("sadness", 0.8, ("sad",)),))
GLAD = Appraisal(0.8, 0.6, (Emotion("joy", 0.8, ("glad",)),))


async def answer(desk: ListDesk, text: str, **fields: Any) -> str:
    """What is said to a message at a desk, which then knows both."""
    made = turn(text, desk, recalled=tuple(await desk.recall(text)), **fields)
    said = "".join([piece async for piece in Mind().respond(made)])
    desk.earlier += [message(text, id=f"u{len(desk.earlier)}"), message(said, role=Role.ASSISTANT, id="a")]
    return said


async def test_the_direct_mode_asks_nothing_and_says_nothing_back() -> None:
    """Without a preference a statement is noted, and a question answered, and that is all."""
    desk = ListDesk()
    assert await answer(desk, "I feel stuck at work.") == "Noted."
    assert "?" not in await answer(desk, "Where am I stuck?")


async def test_the_reflective_mode_says_back_connects_and_asks() -> None:
    """What was said is said back in the second person, set beside when it first came up, and one question is asked."""
    desk = ListDesk()
    first = desk.add("My work at the harbour bores me.", days_ago=60)
    desk.kept = [msgspec.structs.replace(first, session_id="s0")]
    said = await answer(desk, "My work bores me.", mode="reflective")
    assert said == (
        "You say: your work bores you."
        ' You first told me of that in March 2023: "My work at the harbour bores me."'
        " What does that mean to you?"
    )


async def test_the_reflective_mode_fits_its_question_to_the_feeling() -> None:
    """What is asked of a sad message is not what is asked of a glad one."""
    sad = await answer(ListDesk(), "My plan fell through.", mode="reflective", appraisal=SAD)
    glad = await answer(ListDesk(), "My plan worked out.", mode="reflective", appraisal=GLAD)
    assert sad.endswith("What weighs most on you in this?")
    assert glad.endswith("What made it so good?")


async def test_the_exploratory_mode_offers_what_is_related_and_a_next_step() -> None:
    """Beside the answer there are two or three memories more, and what could be done next."""
    desk = ListDesk()
    for text in ("Luna is my dog.", "Luna likes the lake.", "Luna is afraid of thunder.", "Luna ate a sock."):
        desk.add(text)
    said = await answer(desk, "Who is my dog Luna?", mode="exploratory")
    assert "Beside that: 1) " in said
    assert "2) " in said
    assert said.endswith("Ask me what I remember about Luna for more.")


@pytest.mark.parametrize("mode", MODES)
async def test_a_mode_is_preferred_by_command(mode: str) -> None:
    """The command takes it with its slash, as one text, and the answer names it."""
    desk = ListDesk(*COMMANDS)
    assert mode in await answer(desk, f"/prefer mode {mode}")
    assert desk.preferences.others == {"mode": mode}


async def test_who_leaves_questions_unanswered_is_asked_none() -> None:
    """After two questions that were not taken up there is none, until one is answered again."""
    desk, texts = ListDesk(), ("I bought a boat.", "Whatever.", "Rain again.", "Nice.")
    ends = [(await answer(desk, text, mode="reflective"))[-1] for text in texts]
    assert ends[:2] == ["?", "?"]
    assert ends[2] != "?"


async def test_who_writes_little_is_not_mirrored() -> None:
    """Short messages and a terse tone get short answers."""
    desk = ListDesk()
    terse = Tone(brevity=0.9)
    assert "You say" not in await answer(desk, "I sold my boat to Karl.", mode="reflective", tone=terse)
    assert "You say" in await answer(ListDesk(), "I sold my boat to Karl.", mode="reflective")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ["I sold my boat.", "What is my cat called?", "Thanks!", "Hallo, ich bin da.", ""])
async def test_no_sentence_comes_three_times_in_a_row(text: str, mode: str) -> None:
    """Whoever says the same again and again hears something else by the third time."""
    desk = ListDesk()
    said = [await answer(desk, text, mode=mode) for _ in range(6)]
    assert all(len(set(said[place : place + 3])) > 1 for place in range(4)), said


PAINFUL = "I want to kill myself"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("text", "appraisal"), [(PAINFUL, None), ("I feel like I want it all to end", SAD)])
async def test_a_heavy_message_is_not_answered_with_a_painful_memory(
    text: str, appraisal: Appraisal | None, mode: str
) -> None:
    """What hurts is met with presence: nothing is noted, and nothing painful is quoted."""
    desk = ListDesk()
    desk.add(PAINFUL)
    said = await answer(desk, text, appraisal=appraisal, mode="direct")
    assert "Noted" not in said
    assert "told me" not in said
    unhappy = await answer(desk, "I want to talk about how I feel", mode=mode)
    assert PAINFUL not in unhappy


@pytest.mark.parametrize(
    ("language", "text", "told", "answer_"),
    [
        ("de", "Wo wohne ich?", "Ich wohne in Bonn.", 'Bonn. Du hast mir gestern, am 8. Mai 2023, gesagt: "'),
        ("es", "\u00bfD\u00f3nde vivo?", "Vivo en Bilbao.", 'Bilbao. Me dijiste ayer, 8 de mayo de 2023: "'),
    ],
)
async def test_languages_are_answered_in(language: str, text: str, told: str, answer_: str) -> None:
    """The language is that of the message, or the one the user prefers."""
    desk = ListDesk()
    desk.add(told)
    assert (await answer(desk, text)).startswith(answer_)
    preferred = Preferences(language=f"{language}-XX")
    assert await answer(ListDesk(), "Hm.", preferences=preferred) == tongues()[language].says["noted"][0]


async def test_a_word_of_several_languages_is_of_the_one_spoken_before() -> None:
    """ "no" is answered in English behind English and in Spanish behind Spanish; more words say it themselves."""
    for told, language in (("My boat is at the harbour.", "en"), ("Mi barco est\u00e1 en el puerto.", "es")):
        desk = ListDesk()
        await answer(desk, told)
        assert await answer(desk, "no") == tongues()[language].says["yes"][0]
        assert await answer(desk, "Mein Boot liegt im Hafen.") == tongues()["de"].says["noted"][0]


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", "today, 9 May 2023"), ("America/Los_Angeles", "yesterday, 8 May 2023")]
)
async def test_days_are_those_of_where_the_user_is(zone: str, day: str) -> None:
    """What was said this morning in London was said yesterday in Los Angeles; so are the days that it names."""
    desk = ListDesk()
    desk.add("My dog Luna is ill.", days_ago=0.5)  # 02:03 UTC
    assert f'You told me {day}: "My dog Luna is ill."' in await answer(desk, "Who is Luna?", zone=zone)
    zoned = ListDesk()
    zoned.add("We moved to Ghent.", days_ago=0.5)
    told = day.partition(", ")[2]
    assert (await answer(zoned, "When did we move to Ghent?", zone=zone)).startswith(f"{told}. ")


def test_every_language_says_the_same_things() -> None:
    """Each language has each sentence, three where they come again, with the same places to fill."""
    ours = tongues()["en"].says
    for tongue in tongues().values():
        assert tongue.says.keys() == ours.keys()
        assert all(len(said) == len(ours[name]) and len(said) in (1, 3) for name, said in tongue.says.items())
        assert all(("{" in said) == ("{" in ours[name][0]) for name, each in tongue.says.items() for said in each)


WORDS = st.lists(
    st.sampled_from(["what", "when", "is", "my", "boat", "I", "you", "lake", "Luna", "how", "!", ".", "?", "\uff1f"]),
    min_size=1,
    max_size=9,
).map(" ".join)


@settings(max_examples=60)
@given(WORDS, st.lists(WORDS, max_size=3), st.sampled_from(["", "direct", "exploratory", "odd"]))
async def test_a_question_is_not_mirrored_unless_wanted(text: str, kept: list[str], mode: str) -> None:
    """Only the reflective mode says back what was said, or asks; the words of memories stand in quotes alone."""
    desk = ListDesk()
    for each in kept:
        desk.add(each.replace("?", "."))
    said = await answer(desk, text, mode=mode)
    own = "".join(said.split('"')[::2])
    assert "You ask" not in own
    assert "You say" not in own
    assert "?" not in own


@settings(max_examples=60)
@given(WORDS, st.lists(WORDS, max_size=3))
async def test_at_most_one_question_is_asked(text: str, kept: list[str]) -> None:
    """The reflective mode ends in one open question, and asks no other."""
    desk = ListDesk()
    for each in kept:
        desk.add(each.replace("?", ".").replace("\uff1f", "."))
    said = await answer(desk, text, mode="reflective")
    assert "".join(said.split('"')[::2]).count("?") <= 1
