"""The commands with their typed arguments, at a desk that keeps lists; and a whole assistant with some of them."""

from __future__ import annotations

from typing import Any

import alejo_brain
import alejo_memory
import pytest

from alejo import testing
from alejo.clock import FakeClock
from alejo.errors import InvalidArgument
from alejo.identity import LOCAL
from alejo.roles import Told
from alejo.testing import message
from alejo.testing.desk import NOW
from alejo.types import Degraded, Evidence, Fact, Hit, Layer, Memory, ModelUse, Page, Role, Ruling, Verdict

HOUR = 3_600_000_000


def fact(relation: str, text: str, **fields: Any) -> Memory:
    stated = Fact("user", relation, "x", confidence=fields.pop("confidence", 1.0), valid_from=fields.pop("since", None))
    return Memory(f"f{text}", Layer.SEMANTIC, "fact", text, NOW, NOW, fact=stated, **fields)


async def test_a_correction_of_the_one_that_is_meant(desk: Any, run: Any) -> None:
    """The wrong words are replaced where they stand, whole words only, whatever their case."""
    desk.add("My sister is called Anika.")
    desk.add("Anikas shop is closed.")
    assert await run("correct", old="anika", new="Annika") == 'I corrected it: "My sister is called Annika."'
    assert [memory.text for memory in desk.kept] == ["My sister is called Annika.", "Anikas shop is closed."]


async def test_an_unclear_correction_asks_back(desk: Any, run: Any) -> None:
    """Where more than one memory may be meant, they are named and stay; what else was said tells which."""
    desk.add("The boiler man comes on Tuesday.")
    desk.add("Choir is on Tuesday.")
    asked = await run("correct", "not tuesday, thursday", old="Tuesday", new="Thursday")
    assert asked.startswith("I corrected nothing yet; which do you mean?")
    assert not any("Thursday" in memory.text for memory in desk.kept)
    await run("correct", "not tuesday, thursday. the boiler man i mean", old="tuesday", new="thursday")
    assert [memory.text for memory in desk.kept] == ["The boiler man comes on thursday.", "Choir is on Tuesday."]


async def test_a_correction_of_nothing(desk: Any, run: Any) -> None:
    """Words that no memory has, or none at all, change nothing."""
    desk.add("Choir is on Tuesday.")
    assert "nothing that says Sunday" in await run("correct", old="Sunday", new="Monday")
    assert "What shall I correct" in await run("correct", new="Monday")
    assert [memory.text for memory in desk.kept] == ["Choir is on Tuesday."]


async def test_lists_of_every_kind(desk: Any, run: Any) -> None:
    """Each kind is listed, or said to be empty; another kind is refused by its name."""
    assert await run("list") == await run("list", kind="memories") == "I remember nothing yet."
    assert "no facts" in await run("list", kind="facts")
    assert "no preferences" in await run("list", kind="preferences")
    assert "nothing to remind" in await run("list", kind="reminders")
    assert "0 messages" in await run("list", kind="sessions")
    desk.kept.append(fact("likes", "I like tea."))
    await desk.prefer({"language": "en", "tone": "dry"})
    await desk.remind("call Mum", NOW + HOUR)
    assert '1) "I like tea." (9 May 2023)' in await run("list", kind="facts")
    assert await run("list", kind="preferences") == "Your preferences: language: en; tone: dry"
    assert '1) "call Mum" (on Tuesday, 9 May 2023 at 15:03)' in await run("list", kind="reminders")
    with pytest.raises(InvalidArgument, match="kind"):
        await run("list", kind="elephants")


async def test_a_preference_is_kept_in_its_form(desk: Any, run: Any) -> None:
    """Languages are kept by their tag, everything else as said, and what comes after is in that language."""
    assert await run("prefer", name="name", value="Teo") == "Noted: your name is Teo from now on."
    assert await run("prefer", name="language", value="German") == "Notiert: deine Sprache ist ab jetzt Deutsch."
    assert (desk.preferences.language, desk.preferences.others) == ("de", {"name": "Teo"})
    assert await run("recall", query="Paris") == "Ich erinnere mich an nichts zu Paris."
    await run("prefer", name="Time zone", value="Europe/Vienna")
    assert desk.preferences.time_zone == "Europe/Vienna"
    await run("prefer", name="time_zone", value="Nueva York")
    assert desk.preferences.time_zone == "America/New_York"
    assert await run("prefer", name="name") == "Notiert: dein Name gilt nicht mehr."
    assert desk.preferences.others == {}
    assert await run("prefer", name="boat", value="red") == "Notiert: boat ist ab jetzt red."


async def test_what_is_known_of_the_user(desk: Any, run: Any) -> None:
    """Facts come in groups, each with how it is known and when; without any it is what was said last."""
    assert "not told me anything" in await run("about_me")
    desk.add("I have a cold.", days_ago=1)
    assert '1) "I have a cold." (8 May 2023)' in await run("about_me")
    desk.kept += [
        fact("lives in", "I live in Ghent.", session_id="s", since=NOW - 400 * 24 * HOUR),
        fact("likes", "I like tea.", sources=("a", "b"), confidence=0.5),
    ]
    assert await run("about_me") == (
        'What I know about you: Home: "I live in Ghent." (you told me on 9 May 2023, since 4 April 2022). '
        'Likes and dislikes: "I like tea." (perhaps; I gathered it from 2 things you said, on 9 May 2023)'
    )


async def test_why_names_all_that_had_a_part(desk: Any, run: Any) -> None:
    """The memories of the last answer with their evidence in words, the command, the ruling, the model and the gaps."""
    assert "not answered anything" in await run("why")
    used = Hit(desk.add("My locker is number 38."), 2.0, 1.0, (Evidence("lexical", 1.5), Evidence("recency", 0.2)))
    other = Hit(desk.add("The pool is closed."), 1.0, 0.2)
    desk.told = Told(
        message("What is my locker?"),
        message('You told me: "My locker is number 38."', role=Role.ASSISTANT),
        (used, other),
        degraded=(Degraded("emotion"),),
        commands=("recall",),
        verdicts=(Verdict(Ruling.TRANSFORM, "secrets.1", "secrets", "it names a secret"),),
        model=ModelUse("parrot", "configured"),
    )
    said = await run("why")
    assert '"My locker is number 38." (8 May 2023, it shares words with what you asked, it is recent)' in said
    assert "one more memory" in said
    for part in ("recall", "transform, as it names a secret (secrets.1)", "the model parrot (configured)", "emotion"):
        assert part in said


async def test_a_summary_has_what_was_said_asked_and_decided(desk: Any, run: Any) -> None:
    """The user's own sentences are told by what they are, without commands and without what the assistant said."""
    assert "Nothing has been said" in await run("summarize")
    desk.earlier = [
        message("The flat in Lisbon costs 1150. What would the deposit be?", id="1"),
        message("I remember nothing about that.", id="2", role=Role.ASSISTANT),
        message("We will sign on Friday.", id="3"),
        message("remind me tomorrow of the keys", id="4"),
    ]
    assert await run("summarize") == (
        'So far, in 4 messages: You told me: "The flat in Lisbon costs 1150.". '
        'You asked: "What would the deposit be?". Decided: "We will sign on Friday.".'
    )


async def test_a_reminder_is_made_where_the_user_is(desk: Any, run: Any) -> None:
    """The time is that of the user's wall, told back whole, and a rule with it."""
    vienna = {"zone": "Europe/Vienna"}
    said = await run("remind", "remind me", vienna, text="call Mum", when="tomorrow at 9")
    assert said == 'I will remind you on Wednesday, 10 May 2023 at 09:00: "call Mum"'
    said = await run("remind", "remind me", vienna, text="bins", when="every Monday at 8")
    assert said == 'I will remind you on Monday, 15 May 2023 at 08:00, then again every Monday: "bins"'
    first, second = desk.agenda
    assert (first.due - NOW, second.recurrence) == (16 * HOUR + 57 * 60_000_000, "FREQ=WEEKLY;BYDAY=MO")


async def test_what_a_reminder_lacks_is_asked_for(desk: Any, run: Any) -> None:
    """Without words, without a time, with one that is not understood or over, none is made."""
    for given in ({}, {"text": "tea"}, {"text": "tea", "when": "whenever"}, {"text": "tea", "when": "2020-01-01"}):
        assert await run("remind", **given)
    assert desk.agenda == []


async def test_dismissing_takes_the_one_that_is_meant(desk: Any, run: Any) -> None:
    """By number, by words, or the only one; where it is unclear they are listed and stay."""
    assert "nothing to remind" in await run("dismiss")
    for number, text in enumerate(("call Mum", "call Dad", "buy stamps")):
        await desk.remind(text, NOW + HOUR * (1 + number))
    assert (await run("dismiss", which="call")).startswith('Which one? Say its number or words: 1) "call Mum"')
    assert await run("dismiss", which="stamps") == 'I will not remind you of "buy stamps".'
    assert await run("dismiss", which="2") == 'I will not remind you of "call Dad".'
    assert await run("dismiss") == 'I will not remind you of "call Mum".'


async def test_a_sum_is_told_with_what_was_asked(run: Any) -> None:
    """An exact value stands behind "=", a rounded one behind "≈", and what has none is refused with the reason."""
    assert await run("calculate", expression="15% of 80") == "15% of 80 = 12"
    assert await run("calculate", expression="1/3") == "1/3 ≈ 0.333333333333"
    assert await run("calculate", expression="1/0") == "I cannot calculate 1/0: nothing can be divided by zero."


async def test_answers_are_in_the_users_language(run: Any) -> None:
    """Without a preference it is that of the message."""
    assert (await run("remind", "erinnere mich an die Bohrmaschine", text="x")).startswith("Wann soll ich dich")
    assert (await run("remind", "recuérdame regar las plantas por favor", text="x")).startswith("¿Cuándo debo")


async def test_commands_in_an_assistant() -> None:
    """In a whole assistant a reminder is made from its message, explained, and goes when what was said is forgotten."""
    clock = FakeClock(NOW)
    async with testing.assistant(alejo_brain, alejo_memory, trusted=True, clock=clock) as assistant:
        first = await assistant.chat('/remind {"text": "water the plants", "when": "tomorrow at 9"}')
        assert first.message.text == 'I will remind you on Wednesday, 10 May 2023 at 09:00: "water the plants"'
        (made,), _ = await assistant.reminders.list(LOCAL, Page())
        assert made.message_id == first.user_message.id
        why = await assistant.chat("/why", session_id=first.session_id)
        assert "I ran remind" in why.message.text
        clock.advance(24 * 3600)
        assert [each.text for each in await assistant.reminders.due(LOCAL)] == ["water the plants"]
        gone = await assistant.chat("/dismiss plants", session_id=first.session_id)
        assert gone.message.text == 'I will not remind you of "water the plants".'
        assert await assistant.reminders.due(LOCAL) == []
