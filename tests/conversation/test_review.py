"""The conscience within a turn: what it stops does not happen, what it changes is changed, and the rest goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.metadata import EntryPoint
from itertools import pairwise
from typing import Any

import pytest

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.conversation.review import SEGMENT, WHOLE
from alejo.hooks import hookimpl
from alejo.roles import Turn, Whole
from alejo.settings import Settings
from alejo.storage.store import SYSTEM
from alejo.storage.tables import AUDIT
from alejo.types import Answer, Ask, CommandSpec, Degraded, Event, Matter, Page, Replacement, Ruling, Verdict

from ..conftest import ADA


class Strict:
    """Goes by single words."""

    broken = False

    async def review(self, matter: Matter) -> Verdict:
        """Stops what is bad, redacts what is secret, asks about what is final."""
        if Strict.broken:
            raise RuntimeError("the conscience broke")
        if matter.pending and matter.text == "Yes":
            return Verdict(text=matter.pending)
        if "bad" in matter.text:
            return Verdict(Ruling.REFUSE, "test.bad", "violence", "it is bad", 0.9, "No.")
        if "final" in matter.text and not matter.confirmed:
            return Verdict(Ruling.ASK, "test.final", "irreversible", "it is final", 0.5, "Really?")
        if "secret" in matter.text:
            return Verdict(Ruling.TRANSFORM, "test.secret", text=matter.text.replace("secret", "[hidden]"))
        return Verdict()


class Burn:
    """A command that cannot be undone."""

    spec = CommandSpec("burn", "burns it", effects=("writes",))
    burnt = 0

    async def run(self, arguments: str, turn: Turn) -> str:
        """Burns it."""
        Burn.burnt += 1
        return "Burnt."


class Parrot:
    """Says what it hears, a word at a time; after "/" it runs the command of that name."""

    heard: list[str] = []

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """Says it."""
        Parrot.heard.append(turn.message.text)
        if turn.message.text.startswith("/"):
            yield await turn.desk.run("burn", turn.message.text)
            return
        for place, word in enumerate(turn.message.text.split("|")):
            yield f" {word}" if place else word


@hookimpl
def alejo_register_conscience(settings: dict[str, Any]) -> Strict:
    """Returns the conscience of these tests."""
    return Strict()


@hookimpl
def alejo_register_commands(settings: dict[str, Any]) -> list[Burn]:
    """Returns their command."""
    return [Burn()]


@hookimpl
def alejo_register_brain(settings: dict[str, Any]) -> Parrot:
    """Returns their brain."""
    return Parrot()


@pytest.fixture
async def judged(settings: Settings, clock: FakeClock) -> AsyncIterator[Assistant]:
    """An assistant with this conscience, brain and command alone."""
    Strict.broken, Burn.burnt, Parrot.heard = False, 0, []
    points = [EntryPoint("judged", __name__, "alejo")]
    async with alejo.open(settings=settings, clock=clock, entry_points=points) as opened:
        yield opened


async def say(assistant: Assistant, text: str, session_id: str = "") -> Answer:
    return await assistant.conversation.chat(ADA, Ask(text, session_id))


async def events(assistant: Assistant, text: str) -> list[Event]:
    return [event async for event in assistant.conversation.stream(ADA, Ask(text))][1:]


async def test_a_refused_request_never_reaches_the_brain(judged: Assistant) -> None:
    """The refusal is the answer, with its rule; the user's message is kept; the audit names the rule."""
    answer = await say(judged, "a bad thing")
    assert (answer.message.text, Parrot.heard) == ("No.", [])
    assert [(each.ruling, each.rule, each.text) for each in answer.verdicts] == [(Ruling.REFUSE, "test.bad", "")]
    messages, _ = await judged.sessions.messages(ADA, answer.session_id, Page())
    assert [message.text for message in messages] == ["a bad thing", "No."]
    entries = [row.value for row in await judged.store.scan(ADA, AUDIT, limit=100)]
    assert ("verdict.refuse", f"{answer.turn_id} test.bad") in [(each.action, each.subject) for each in entries]
    assert await judged.store.scan(SYSTEM, AUDIT, limit=100) == []


async def test_the_brain_hears_a_redacted_request(judged: Assistant) -> None:
    """What is on disk is what the user said."""
    answer = await say(judged, "my secret")
    assert Parrot.heard == ["my [hidden]"]
    assert answer.user_message.text == "my secret"


async def test_an_answer_is_judged_before_it_is_given(judged: Assistant) -> None:
    """Sentence by sentence, however it comes in."""
    said = await events(judged, "One.|Two|is|fine.|Three")
    assert [event for event in said if isinstance(event, str)] == ["One. ", "Two is fine. ", "Three"]


async def test_a_whole_piece_is_judged_at_once(judged: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sentences it has, as nothing that follows can change what it says; one of any length is cut."""
    whole = "You said it. You meant it. " + "word " * 80

    async def respond(_: Parrot, turn: Turn) -> AsyncIterator[str]:
        yield "Fine. "
        yield Whole(whole)
        yield Whole("word " * WHOLE)

    monkeypatch.setattr(Parrot, "respond", respond)
    said = [event for event in await events(judged, "Hello") if isinstance(event, str)]
    assert said[:2] == ["Fine. ", whole]
    assert max(map(len, said[2:])) <= SEGMENT
    assert "".join(said) == f"Fine. {whole}{'word ' * WHOLE}"


async def test_what_is_quoted_is_not_what_the_brain_says(assistant: Assistant) -> None:
    """A quote of several sentences is judged as one: of an answer's own words the second would be withheld."""
    told = "Mum called me. My sister was diagnosed with diabetes."
    first = await say(assistant, told)
    answer = await say(assistant, "What was my sister diagnosed with?", first.session_id)
    assert f'"{told}"' in answer.message.text
    assert not answer.verdicts


async def test_a_stopped_answer_is_replaced(judged: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The replacement is the whole answer, on disk too; the brain is not read any further."""

    async def respond(_: Parrot, turn: Turn) -> AsyncIterator[str]:
        yield "Fine. This is "
        yield "bad. More."
        raise AssertionError

    monkeypatch.setattr(Parrot, "respond", respond)
    said = await events(judged, "Hello")
    assert said[:2] == ["Fine. ", Replacement("No.")]
    assert len(said) == 3
    assert isinstance(said[2], Answer)
    assert said[2].message.text == "No."


async def test_what_cannot_be_undone_is_done_after_a_yes(judged: Assistant) -> None:
    """Asked about, it does not happen; a yes in the next turn means it; any other word does not."""
    first = await say(judged, "/burn the final one")
    assert (first.message.text, Burn.burnt) == ("Really?", 0)
    other = await say(judged, "Maybe", first.session_id)
    assert Burn.burnt == 0
    assert (await say(judged, "Yes", other.session_id)).message.text == "Yes"
    again = await say(judged, "/burn the final one", other.session_id)
    done = await say(judged, "Yes", again.session_id)
    assert (done.message.text, Burn.burnt, Parrot.heard[-1]) == ("Burnt.", 1, "/burn the final one")


async def test_a_broken_conscience_is_named_and_harms_nothing(judged: Assistant) -> None:
    """The turn is answered, and says what was missing, once."""
    Strict.broken = True
    answer = await say(judged, "a bad thing")
    assert answer.message.text == "a bad thing"
    assert [each for each in answer.degraded if each.role == "conscience"] == [
        Degraded("conscience", "judged", "failed")
    ]


async def test_a_long_sentence_is_cut_between_words(judged: Assistant) -> None:
    """No segment is longer than 200 characters, no number in groups is cut, nothing is lost."""
    long = "word 4242 4242 4242 " * 40
    said = [event for event in await events(judged, long) if isinstance(event, str)]
    assert "".join(said) == long
    assert max(map(len, said)) <= SEGMENT
    assert not any(before.rstrip()[-1].isdigit() and after[0].isdigit() for before, after in pairwise(said))
