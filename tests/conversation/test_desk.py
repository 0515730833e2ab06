"""What a brain's desk does in its turn: within its user, once, and taken along when something is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import alejo_memory
import pytest

from alejo import Assistant, testing
from alejo.clock import FakeClock
from alejo.errors import InvalidArgument, NotFound
from alejo.hooks import hookimpl
from alejo.ids import Ids
from alejo.memory.forgetting import Forgetting
from alejo.roles import Brain, Turn
from alejo.storage import audit
from alejo.storage.journal import Journal
from alejo.storage.requests import Requests
from alejo.storage.tables import AUDIT, CHANGES, QUOTES
from alejo.storage.versions import Versions
from alejo.types import Ask, FactDraft, MemoryDraft, Message, MessageDraft, Page, Preferences, ReminderState

from ..conftest import ADA, BOB

HOUR = 3_600_000_000
Deed = Callable[[Turn], Awaitable[str]]


class Hands:
    """A brain that does with its desk what a test says; `do` is called with each turn."""

    do: Deed

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """What comes of it."""
        yield await self.do(turn)

    @hookimpl
    def alejo_register_brain(self, settings: dict[str, Any]) -> Brain:
        """Itself."""
        return self


@pytest.fixture(params=[True, False], ids=["here", "on another loop"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Assistant, Hands]]:
    """An assistant whose brain is led by the test, on the server's loop or on one of its own."""
    hands = Hands()
    async with testing.assistant(hands, alejo_memory, trusted=request.param, clock=FakeClock()) as assistant:
        yield assistant, hands


async def say(house: tuple[Assistant, Hands], text: str, do: Deed, session_id: str = "", request_id: str = "") -> Any:
    assistant, hands = house
    hands.do = do
    return await assistant.conversation.chat(ADA, Ask(text, session_id, request_id))


async def silent(turn: Turn) -> str:
    return "Noted."


async def test_a_correction_changes_words_and_facts(house: tuple[Assistant, Hands]) -> None:
    """Other words of a memory are kept with what they were, and what they state takes the place of what was wrong."""
    assistant, _ = house
    await say(house, "I live in Bruges.", silent)

    async def correct(turn: Turn) -> str:
        found = [each for each in await turn.desk.memories() if each.message_id != turn.message.id]
        (wrong,) = [each for each in found if each.text == "I live in Bruges." and each.fact is None]
        return (await turn.desk.correct(wrong.id, "I live in Ghent.")).text

    assert (await say(house, "Ghent, not Bruges", correct)).message.text == "I live in Ghent."
    facts, _ = await assistant.facts.list(ADA, Page(10), relation="lives in")
    assert [(each.fact and each.fact.object, each.stale) for each in facts] == [("Ghent", False)]
    (memory,) = [each for each in (await assistant.memories.list(ADA, Page(10)))[0] if each.text == "I live in Ghent."]
    (before,), _ = await assistant.memories.history(ADA, memory.id, Page(10))
    assert before.memory.text == "I live in Bruges."
    assert "memory.update" in [row.value.action for row in await assistant.store.scan(ADA, AUDIT)]


async def test_a_fact_is_corrected_by_its_object(house: tuple[Assistant, Hands]) -> None:
    """The words of a fact say what is true instead; words that do not are refused by the name of the field."""
    assistant, _ = house
    kept = (await assistant.facts.add(ADA, FactDraft("Ana", "cat", "Mia", text="Ana's cat is Mia."))).memory

    async def correct(turn: Turn) -> str:
        with pytest.raises(InvalidArgument, match="text"):
            await turn.desk.correct(kept.id, "Something else.")
        with pytest.raises(NotFound):
            await turn.desk.correct("0" * 32, "Nothing")
        return (await turn.desk.correct(kept.id, "Ana's cat is Leo.")).text

    assert (await say(house, "Leo, not Mia", correct)).message.text == "Ana's cat is Leo."
    facts, _ = await assistant.facts.list(ADA, Page(10), entity="Ana")
    assert [each.fact and each.fact.object for each in facts] == ["Leo"]


async def test_preferences_change_as_they_are_said(house: tuple[Assistant, Hands]) -> None:
    """Fields are set by their names, all else goes among the others beside what is there, and "" takes one back."""
    assistant, _ = house
    await assistant.profiles.update(ADA, {"others": {"tone": "dry", "name": "Teo"}})

    async def prefer(turn: Turn) -> str:
        with pytest.raises(InvalidArgument):
            await turn.desk.prefer({"time_zone": "Mars/Base"})
        with pytest.raises(InvalidArgument):
            await turn.desk.prefer({"context_tokens": "many"})
        await turn.desk.prefer({"time_zone": "Europe/Vienna", "mode": "direct", "context_tokens": "512", "tone": ""})
        return "Done."

    await say(house, "prefer", prefer)
    after = await assistant.profiles.get(ADA)
    assert (after.time_zone, after.context_tokens) == ("Europe/Vienna", 512)
    assert after.others == {"name": "Teo", "mode": "direct"}
    assert await assistant.profiles.get(BOB) == Preferences()


async def test_what_was_said_is_told_and_taken_along(house: tuple[Assistant, Hands]) -> None:
    """The session's messages come in order, without this one; a sentence of one that is quoted goes when it goes."""
    assistant, _ = house
    first = await say(house, "My dentist is called Doctor Banerjee. It rained all day.", silent)
    await say(house, "Elsewhere.", silent)

    async def quote(turn: Turn) -> str:
        said = await turn.desk.said()
        assert [each.text for each in said] == [first.user_message.text, "Noted."]
        assert [each.text for each in await turn.desk.said(1)] == ["Noted."]
        return "You said: My dentist is called Doctor Banerjee."

    answer = await say(house, "what did I say?", quote, first.session_id)
    assert len(await assistant.store.scan(ADA, QUOTES, bytes.fromhex(first.user_message.id))) == 1
    memories, _ = await assistant.memories.list(ADA, Page(20))
    gone = [each.id for each in memories if each.message_id == first.user_message.id]
    await assistant.memories.forget(ADA, gone)
    messages, _ = await assistant.sessions.messages(ADA, first.session_id, Page(20))
    assert [each.text for each in messages if each.id == answer.message.id] == [""]


async def test_what_was_said_is_the_same_in_memory_and_on_disk(house: tuple[Assistant, Hands]) -> None:
    """However much of a session is at hand and however much is asked for, and where messages are long."""
    assistant, _ = house
    told: list[tuple[Message, int, list[str]]] = []

    async def listen(turn: Turn) -> str:
        said = [(limit, await turn.desk.said(limit)) for limit in (1, 4, 12, 15, 16, 40)]
        told.extend((turn.message, limit, [each.id for each in messages]) for limit, messages in said)
        return f"Noted: {turn.message.text[:20]}"

    session_id = ""
    for number in range(12):
        text = f"{number}: {'It rained. ' * (900 if number in (4, 5, 6, 7) else 1)}"
        session_id = (await say(house, text, listen, session_id)).session_id
    journal = Journal(assistant.store, Ids(assistant.clock), assistant.clock)
    for message, limit, ids in told:
        assert ids == [each.id for each in await journal.before(ADA, message, limit)]


async def test_what_another_process_redacted_is_told_no_more(house: tuple[Assistant, Hands]) -> None:
    """Words that are at hand here are not told once another process, with rooms of its own, has redacted them."""
    assistant, _ = house
    store, clock = assistant.store, assistant.clock
    journal, requests, versions = Journal(store, Ids(clock), clock), Requests(store, clock), Versions(store, 10)
    elsewhere = Forgetting(store, journal, requests, versions, assistant.cache, clock)
    first = await say(house, "My dentist is called Doctor Banerjee.", silent)
    memories, _ = await assistant.memories.list(ADA, Page(20))
    gone = [each.id for each in memories if each.message_id == first.user_message.id]
    told: list[list[str]] = []

    async def listen(turn: Turn) -> str:
        told.append([each.text for each in await turn.desk.said()])
        await elsewhere.forget(ADA, gone)
        told.append([each.text for each in await turn.desk.said()])
        return "Well."

    await say(house, "And?", listen, first.session_id)
    assert told == [["My dentist is called Doctor Banerjee.", "Noted."], ["", "Noted."]]


async def test_facts_hold_now_and_of_the_user(house: tuple[Assistant, Hands]) -> None:
    """The facts are those about the user that hold, none that is over and none of anybody else's."""
    assistant, _ = house
    await assistant.facts.add(ADA, FactDraft("user", "works as", "bus driver", valid_to=5))
    await assistant.facts.add(ADA, FactDraft("user", "likes", "tea"))
    await assistant.facts.add(BOB, FactDraft("user", "likes", "gin"))

    async def facts(turn: Turn) -> str:
        return ", ".join(each.fact.object for each in await turn.desk.facts() if each.fact)

    assert (await say(house, "and?", facts)).message.text == "tea"


async def test_facts_that_were_are_stated_too_of_whoever_is_named(house: tuple[Assistant, Hands]) -> None:
    """What is over is among what was stated, by whose it is, and what of another user is not."""
    assistant, _ = house
    await assistant.facts.add(ADA, FactDraft("user", "works as", "bus driver", valid_to=5))
    await assistant.facts.add(ADA, FactDraft("Ana", "likes", "tea"))
    await assistant.facts.add(BOB, FactDraft("Ana", "likes", "gin"))

    async def stated(turn: Turn) -> str:
        found = [*await turn.desk.stated(), *await turn.desk.stated("Ana")]
        return ", ".join(each.fact.object for each in found if each.fact)

    assert (await say(house, "and?", stated)).message.text == "bus driver, tea"


async def test_facts_that_were_true_at_a_time_are_stated_as_of_it(house: tuple[Assistant, Hands]) -> None:
    """What lasts longer stands back for an exception while that lasts, and what was corrected was never so."""
    assistant, _ = house
    await assistant.facts.add(ADA, FactDraft("user", "lives in", "Oslo", valid_from=10))
    await assistant.facts.add(ADA, FactDraft("user", "lives in", "Paris", valid_from=20, valid_to=30))
    wrong = await assistant.facts.add(ADA, FactDraft("user", "works as", "baker", valid_from=10))
    await assistant.facts.correct(ADA, wrong.memory.id, FactDraft("user", "works as", "cook"))

    async def stated(turn: Turn) -> str:
        found = [await turn.desk.stated(as_of=moment) for moment in (25, 35)]
        return "; ".join(", ".join(sorted(each.fact.object for each in then if each.fact)) for then in found)

    assert (await say(house, "and?", stated)).message.text == "Paris, cook; Oslo, cook"


async def test_ways_are_those_the_user_said_here(house: tuple[Assistant, Hands]) -> None:
    """How to answer is what the user said to the assistant: not what was brought in, nor what another said."""
    assistant, _ = house
    elsewhere, _ = await assistant.sessions.create(ADA, origin="elsewhere")
    for draft in (
        MessageDraft(elsewhere.id, "Always answer in French."),
        MessageDraft(elsewhere.id, "Never use tables.", speaker="Eve"),
    ):
        await assistant.memories.remember(ADA, draft)

    async def noted(turn: Turn) -> str:
        return "Noted."

    async def ways(turn: Turn) -> str:
        return " | ".join(each.text for each in await turn.desk.ways())

    await say(house, "Always answer in bullet points.", noted)
    assistant.reflection.start()
    await assistant.reflection.settled()
    assert (await say(house, "and?", ways)).message.text == "Always answer in bullet points."


async def test_the_last_turn_is_told(house: tuple[Assistant, Hands]) -> None:
    """What the session's last answer rests on is told, with what was recalled; before the first there is none."""
    assistant, _ = house
    await assistant.memories.remember(ADA, MemoryDraft("My locker is number 38."))

    async def none(turn: Turn) -> str:
        assert await turn.desk.last() is None
        return "Number 38."

    first = await say(house, "What is my locker?", none)

    async def last(turn: Turn) -> str:
        told = await turn.desk.last()
        assert told is not None
        assert (told.question.text, told.answer.text) == ("What is my locker?", "Number 38.")
        assert told.recalled[0].evidence
        return told.recalled[0].memory.text

    assert (await say(house, "why?", last, first.session_id)).message.text == "My locker is number 38."


async def test_sessions_come_without_words(house: tuple[Assistant, Hands]) -> None:
    """The user's sessions are told without what would stay behind in an answer when one is deleted."""
    assistant, _ = house
    made, _ = await assistant.sessions.create(ADA, title="secret", metadata={"a": "b"})

    async def sessions(turn: Turn) -> str:
        found = await turn.desk.sessions()
        assert {each.id for each in found} == {made.id, turn.session.id}
        return "".join(each.title for each in found) + str([each.metadata for each in found])

    assert (await say(house, "sessions?", sessions)).message.text == "[{}, {}]"


async def test_reminders_are_made_listed_and_dismissed(house: tuple[Assistant, Hands]) -> None:
    """A reminder is made from the turn's message in the user's zone, listed while it is pending, and taken back."""
    assistant, _ = house
    await assistant.profiles.update(ADA, {"time_zone": "Europe/Vienna"})

    async def remind(turn: Turn) -> str:
        assert turn.zone == "Europe/Vienna"
        made = await turn.desk.remind("bread", turn.now + HOUR, recurrence="FREQ=DAILY")
        assert (made.message_id, made.time_zone) == (turn.message.id, "Europe/Vienna")
        assert [each.id for each in await turn.desk.reminders()] == [made.id]
        assert await turn.desk.dismiss(made.id)
        assert not await turn.desk.dismiss(made.id)
        return ", ".join(each.text for each in await turn.desk.reminders())

    assert (await say(house, "remind me", remind)).message.text == ""
    (kept,), _ = await assistant.reminders.list(ADA, Page(10))
    assert kept.state is ReminderState.DISMISSED


async def test_a_turn_that_goes_on_does_nothing_twice(house: tuple[Assistant, Hands]) -> None:
    """When a turn failed behind its deeds, its second try finds them done, whatever the time is by then."""
    assistant, _ = house
    kept = (await assistant.memories.remember(ADA, MemoryDraft("blue paint"))).memories[0]
    fails = True

    async def deeds(turn: Turn) -> str:
        await turn.desk.remind("tablets", turn.now + HOUR)
        await turn.desk.remind("tablets", turn.now + 2 * HOUR)
        await turn.desk.prefer({"tone": "dry"})
        await turn.desk.correct(kept.id, "red paint")
        if fails:
            raise RuntimeError("it broke")
        return "Done."

    with pytest.raises(Exception, match="brain"):
        await say(house, "do it", deeds, request_id="once")
    changes = len(await assistant.store.scan(ADA, CHANGES))
    reminders, _ = await assistant.reminders.list(ADA, Page(10))
    await assistant.profiles.update(ADA, {"others": {"tone": "warm"}})
    fails = False
    assert isinstance(assistant.clock, FakeClock)
    assistant.clock.advance(60)
    await say(house, "do it", deeds, request_id="once")
    assert (await assistant.reminders.list(ADA, Page(10)))[0] == reminders
    assert len(await assistant.store.scan(ADA, CHANGES)) == changes
    assert (await assistant.profiles.get(ADA)).others == {"tone": "warm"}


async def test_nobody_knows_a_question_by_standing_beside_it(house: tuple[Assistant, Hands]) -> None:
    """What was said around a question covers none of it, in a context, at the desk or in the turn, asked again too."""
    await say(house, "My cousin keeps the violin in the attic.", silent)
    told = await say(house, "The kettle is leaking again.", silent)
    await say(house, "The tram was crowded today.", silent, told.session_id)

    async def look(turn: Turn) -> str:
        hits = [*turn.recalled, *await turn.desk.recall(turn.message.text)]
        covered = {(hit.memory.text, hit.coverage > 0) for hit in hits}
        heard = {
            (item.text.rpartition(": ")[2], any(share.name.startswith("lexical") for share in item.evidence))
            for item in (await turn.desk.context()).items
            if item.memory_id
        }
        return "\n".join(sorted({text for text, is_so in covered | heard if is_so}))

    for request_id in ("first", "again", "once more"):
        question = "Where does my cousin keep the violin?"
        answer = await say(house, question, look, told.session_id, request_id)
        assert answer.message.text == "My cousin keeps the violin in the attic."
        assert {hit.memory.text for hit in answer.recalled if hit.coverage} == {
            "My cousin keeps the violin in the attic."
        }


async def test_what_is_done_is_in_the_audit(house: tuple[Assistant, Hands]) -> None:
    """Everything that a desk changes is noted, with its turn's key."""
    assistant, _ = house

    async def deeds(turn: Turn) -> str:
        await turn.desk.dismiss((await turn.desk.remind("tablets", turn.now + HOUR)).id)
        await turn.desk.prefer({"tone": "dry"})
        return "Done."

    audit.actor.set("phone")
    await say(house, "do it", deeds)
    noted = {row.value.action: row.value.actor for row in await assistant.store.scan(ADA, AUDIT, limit=100)}
    assert {"reminder.create", "reminder.dismiss", "preferences.update"} <= set(noted)
    assert noted["reminder.create"] == noted["preferences.update"] == "phone"
