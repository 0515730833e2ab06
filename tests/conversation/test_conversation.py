"""Turns: durable, answered once per request id, interrupted without loss, degraded rather than failed."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import AlreadyExists, FailedPrecondition, NotFound, PluginFailed
from alejo.hooks import hookimpl
from alejo.roles import Turn
from alejo.settings import Settings, read
from alejo.storage.requests import key
from alejo.storage.tables import TURNS
from alejo.types import Accepted, Answer, Ask, Degraded, Image, Page, SessionState

from ..conftest import ADA, BOB


def png() -> bytes:
    """A picture of one red pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PNG = png()


class Script:
    """A brain a test leads: it says "Go", waits for the gate, says "on", and fails when told to."""

    gate = asyncio.Event()
    begun = asyncio.Event()
    asked = 0
    broken = False

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """Says what the script says."""
        Script.asked += 1
        Script.begun.set()
        yield "Go "
        if Script.broken:
            raise RuntimeError("the brain broke")
        await Script.gate.wait()
        yield f"on, {turn.message.text}"


@hookimpl
def alejo_register_brain(settings: dict[str, Any]) -> Script:
    """Returns the brain of these tests."""
    return Script()


@pytest.fixture
async def led(settings: Settings, clock: FakeClock) -> AsyncIterator[Assistant]:
    """An assistant with the led brain alone."""
    Script.gate, Script.begun, Script.asked, Script.broken = asyncio.Event(), asyncio.Event(), 0, False
    entry_points = [EntryPoint("led", __name__, "alejo")]
    async with alejo.open(settings=settings, clock=clock, entry_points=entry_points) as opened:
        yield opened


async def state(assistant: Assistant, request_id: str) -> str:
    """The state of a turn on disk."""
    row = await assistant.store.get(ADA, TURNS, key(request_id))
    return "" if row is None else row.value.state


async def texts(assistant: Assistant, session_id: str) -> list[str]:
    """What was said in a session."""
    return [message.text for message in (await assistant.sessions.messages(ADA, session_id, Page()))[0]]


async def test_a_turn_is_accepted_then_told_then_acknowledged(led: Assistant) -> None:
    """The frames come in order, the message is on disk with Accepted, the answer with the last frame."""
    Script.gate.set()
    events = [event async for event in led.conversation.stream(ADA, Ask("Hello", request_id="r"))]
    assert [type(event) for event in events] == [Accepted, str, str, Answer]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.message.text == "Go on, Hello"
    assert await texts(led, answer.session_id) == ["Hello", "Go on, Hello"]
    assert (answer.user_message.seq, answer.message.seq) == (1, 2)
    assert await state(led, "r") == "done"


async def test_the_same_request_is_answered_once(led: Assistant) -> None:
    """Sent again, a turn gives the stored answer without asking the brain; another body is ALREADY_EXISTS."""
    Script.gate.set()
    first = await led.conversation.chat(ADA, Ask("Hello", request_id="r"))
    again = await led.conversation.chat(ADA, Ask("Hello", request_id="r"))
    assert (again.replayed, again.message, again.user_message) == (True, first.message, first.user_message)
    assert Script.asked == 1
    with pytest.raises(AlreadyExists):
        await led.conversation.chat(ADA, Ask("Other", request_id="r"))


async def test_the_same_request_attaches_while_it_is_answered(led: Assistant) -> None:
    """Sent again while it is being answered, a turn waits for the one answer; another body is refused at once."""
    first = asyncio.create_task(led.conversation.chat(ADA, Ask("Hello", request_id="r")))
    await asyncio.wait_for(Script.begun.wait(), 5)
    second = asyncio.create_task(led.conversation.chat(ADA, Ask("Hello", request_id="r")))
    with pytest.raises(AlreadyExists):
        await led.conversation.chat(ADA, Ask("Other", request_id="r"))
    Script.gate.set()
    answers = await asyncio.gather(first, second)
    assert answers[0].message == answers[1].message
    assert [answer.replayed for answer in answers] == [False, True]
    assert Script.asked == 1


async def test_an_interrupted_turn_keeps_the_message_and_goes_on(led: Assistant) -> None:
    """A turn closed while it is answered keeps the user's message alone; sent again it goes on under that message."""
    async with aclosing(led.conversation.stream(ADA, Ask("Hello", request_id="r"))) as stream:
        accepted = await anext(stream)
        assert await anext(stream) == "Go "
    await led.conversation.close()
    assert isinstance(accepted, Accepted)
    assert await state(led, "r") == "interrupted"
    assert await texts(led, accepted.session_id) == ["Hello"]
    Script.gate.set()
    answer = await led.conversation.chat(ADA, Ask("Hello", request_id="r"))
    assert answer.user_message == accepted.user_message
    assert await texts(led, accepted.session_id) == ["Hello", "Go on, Hello"]


async def test_a_cancelled_call_interrupts_the_turn(led: Assistant) -> None:
    """A cancelled chat leaves the message and the word "interrupted"."""
    task = asyncio.create_task(led.conversation.chat(ADA, Ask("Hello", request_id="r")))
    await asyncio.wait_for(Script.begun.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await led.conversation.close()
    assert await state(led, "r") == "interrupted"


async def test_a_failing_brain_fails_the_turn_and_loses_nothing(led: Assistant) -> None:
    """A brain that raises gives PluginFailed and the state "failed"; the same request succeeds later."""
    Script.broken = True
    with pytest.raises(PluginFailed):
        await led.conversation.chat(ADA, Ask("Hello", request_id="r"))
    assert await state(led, "r") == "failed"
    Script.broken = False
    Script.gate.set()
    answer = await led.conversation.chat(ADA, Ask("Hello", request_id="r"))
    assert await texts(led, answer.session_id) == ["Hello", "Go on, Hello"]


async def test_no_brain_is_said_plainly(bare: Assistant) -> None:
    """Without a brain a turn fails as vacant; the message is kept."""
    session, _ = await bare.sessions.create(ADA)
    with pytest.raises(PluginFailed) as caught:
        await bare.conversation.chat(ADA, Ask("Hello", session.id))
    assert caught.value.why == "vacant"
    assert await texts(bare, session.id) == ["Hello"]


async def test_missing_roles_degrade(led: Assistant) -> None:
    """Vacant emotion, memory and vision are named in the answer, which is given all the same."""
    Script.gate.set()
    answer = await led.conversation.chat(ADA, Ask("Hello", images=(Image(PNG),)))
    assert set(answer.degraded) == {Degraded("emotion"), Degraded("memory"), Degraded("vision")}


async def test_sessions_are_checked_first(led: Assistant) -> None:
    """An unknown or foreign session is NOT_FOUND, an ended one FAILED_PRECONDITION, and nothing is written."""
    session, _ = await led.sessions.create(ADA)
    for wrong in [Ask("Hello", "0" * 32), Ask("Hello", session.id)]:
        with pytest.raises(NotFound):
            await led.conversation.chat(BOB, wrong)
    await led.sessions.update(ADA, session.id, state=SessionState.COMPLETED)
    with pytest.raises(FailedPrecondition):
        await led.conversation.chat(ADA, Ask("Hello", session.id, "r"))
    assert await state(led, "r") == ""
    assert await texts(led, session.id) == []


async def test_turns_of_one_session_at_once(led: Assistant) -> None:
    """Twenty turns at once in one session leave forty messages numbered without gaps."""
    Script.gate.set()
    session, _ = await led.sessions.create(ADA)
    await asyncio.gather(*(led.conversation.chat(ADA, Ask(f"Hello {n}", session.id)) for n in range(20)))
    messages, _ = await led.sessions.messages(ADA, session.id, Page())
    assert sorted(message.seq for message in messages) == list(range(1, 41))


async def test_what_was_accepted_is_recalled_though_nobody_answered(settings: Settings, clock: FakeClock) -> None:
    """A message whose turn was interrupted can be recalled by the next one."""
    installed = [each for each in entry_points(group="alejo") if each.name == "memory"]
    Script.gate, Script.begun, Script.asked, Script.broken = asyncio.Event(), asyncio.Event(), 0, False
    led_too = [*installed, EntryPoint("led", __name__, "alejo")]
    async with alejo.open(settings=settings, clock=clock, entry_points=led_too) as assistant:
        async with aclosing(assistant.conversation.stream(ADA, Ask("My dog is called Luna."))) as stream:
            assert isinstance(await anext(stream), Accepted)
        hits, _, _ = await assistant.memories.recall(ADA, "what is my dog called", Page())
        assert "My dog is called Luna." in [hit.memory.text for hit in hits]


async def test_pictures_are_seen(environment: dict[str, str], clock: FakeClock) -> None:
    """A picture's percept is in the answer; one that is no picture is degraded as rejected, not lost."""
    patient = read({**environment, "ALEJO_PLUGIN_VISION_SECONDS": "600"}, {"plugins.call_seconds": 600.0})
    async with alejo.open(settings=patient, clock=clock) as assistant:
        seen = await assistant.conversation.chat(ADA, Ask("Look at this", images=(Image(PNG),)))
        assert [(percept.width, percept.height, percept.format) for percept in seen.percepts] == [(1, 1, "png")]
        refused = await assistant.conversation.chat(ADA, Ask("And this", images=(Image(b"not a picture"),)))
        assert [(each.role, each.reason) for each in refused.degraded] == [("vision", "rejected")]


async def test_forgetting_in_words_takes_the_words(assistant: Assistant) -> None:
    """After "forget that …" the words are in no message, neither the user's, nor the answer's, nor the command's."""
    told = await assistant.conversation.chat(ADA, Ask("My locker code is heron."))
    gone = await assistant.conversation.chat(ADA, Ask("Forget that my locker code is heron", told.session_id))
    assert gone.commands == ("forget",)
    assert "heron" not in repr((await assistant.sessions.messages(ADA, told.session_id, Page()))[0])
    again = await assistant.conversation.chat(ADA, Ask("What is my locker code?", told.session_id))
    assert "heron" not in repr(again)


async def test_a_command_has_one_effect_though_its_turn_is_cut(assistant: Assistant) -> None:
    """A turn cut after its command remembered something remembers it once when it is sent again."""
    ask = Ask("Remember that my locker code is heron.", request_id="r")
    async with aclosing(assistant.conversation.stream(ADA, ask)) as stream:
        assert isinstance(await anext(stream), Accepted)
        assert "heron" in str(await anext(stream))
    await assistant.conversation.close()
    assert await state(assistant, "r") == "interrupted"
    await assistant.conversation.chat(ADA, ask)
    memories, _ = await assistant.memories.list(ADA, Page())
    assert len(memories) == 1


@pytest.mark.parametrize(
    ("told", "request_", "question", "word"),
    [
        (
            "The quokka Zarathustra stole my sandwich.",
            "Erase everything about Zarathustra, the quokka",
            "Say yes",
            "zarathustra",
        ),
        ("My sister Eva is ill.", "Erase everything about Eva", "Say yes", "eva"),
        ("My sister Eva is ill.", "Delete Eva.", "Do you want me to forget what I know about Eva?", "eva"),
    ],
)
async def test_what_asked_to_forget_loses_the_words_too(
    assistant: Assistant, told: str, request_: str, question: str, word: str
) -> None:
    """Where it was confirmed first, the request keeps nothing of what is gone, and its dialogue is no candidate."""
    session_id = (await assistant.chat(told, scope=ADA)).session_id
    asked = await assistant.chat(request_, session_id=session_id, scope=ADA)
    assert question in asked.message.text
    gone = await assistant.chat("yes", session_id=session_id, scope=ADA)
    assert gone.commands == ("forget",)
    assert "Which" not in gone.message.text
    messages, _ = await assistant.sessions.messages(ADA, session_id, Page(50))
    assert not any(word in message.text.casefold() for message in messages), messages
    memories, _ = await assistant.memories.list(ADA, Page(50))
    assert not any(word in memory.text.casefold() for memory in memories)


async def test_a_yes_forgets_all_that_has_the_name(assistant: Assistant) -> None:
    """The question names whom all is forgotten of, so nobody is asked which of it; what does not say the name stays."""
    session_id = (await assistant.chat("My dog is called Luna.", scope=ADA)).session_id
    for text in ("Luna loves cheese.", "My boat is red.", "forget Luna", "yes"):
        answer = await assistant.chat(text, session_id=session_id, scope=ADA)
    assert answer.commands == ("forget",)
    assert "Luna loves cheese" in answer.message.text
    memories, _ = await assistant.memories.list(ADA, Page(50))
    assert [memory.text for memory in memories] == ["My boat is red."]


async def test_a_request_may_tell_something_else_of_it(assistant: Assistant) -> None:
    """A fact that the same message states does not keep what it asks from being done."""
    session_id = (await assistant.chat("Luna was at the vet in Bremen.", scope=ADA)).session_id
    text = "My cat is called Luna. Please forget that Luna was at the vet in Bremen."
    assert (await assistant.chat(text, session_id=session_id, scope=ADA)).commands == ("forget",)
    memories, _ = await assistant.memories.list(ADA, Page(50))
    assert "bremen" not in repr(memories).casefold()


async def test_what_was_said_before_a_request_stays(assistant: Assistant) -> None:
    """A short request behind a question of the brain is no yes to it; what it shares with others stays there."""
    await assistant.profiles.update(ADA, {"others": {"mode": "reflective"}})
    session_id = (await assistant.chat("Der Urlaub in Kroatien war teuer.", scope=ADA)).session_id
    sister = "Meine Schwester Eva wohnt in Kroatien und arbeitet als \u00c4rztin."
    await assistant.chat(sister, session_id=session_id, scope=ADA)
    await assistant.chat("Erinnere mich morgen um 9 an den Termin in Kroatien.", session_id=session_id, scope=ADA)
    answer = await assistant.chat("Vergiss den Urlaub.", session_id=session_id, scope=ADA)
    assert answer.commands == ("forget",)
    texts = {memory.text for memory in (await assistant.memories.list(ADA, Page(50)))[0]}
    assert sister in texts
    messages, _ = await assistant.sessions.messages(ADA, session_id, Page(50))
    assert sum("Termin in Kroatien" in message.text for message in messages) == 2


async def test_a_name_is_no_part_of_other_words(assistant: Assistant) -> None:
    """A yes to forgetting Mark takes neither marks nor what is marked."""
    session_id = (await assistant.chat("My cousin Mark lives in Leeds.", scope=ADA)).session_id
    for text in (
        "Mark likes rain.",
        "My exam marks came back: all A.",
        "The bills are marked as paid.",
        "Forget Mark.",
    ):
        await assistant.chat(text, session_id=session_id, scope=ADA)
    assert (await assistant.chat("yes", session_id=session_id, scope=ADA)).commands == ("forget",)
    texts = {memory.text for memory in (await assistant.memories.list(ADA, Page(50)))[0]}
    assert {"My exam marks came back: all A.", "The bills are marked as paid."} <= texts
    assert not any("Mark" in text for text in texts)


@pytest.mark.parametrize("text", ["Vergiss Oma nicht.", "Vergiss bitte Oma nicht.", "Vergiss die Milch nicht."])
async def test_what_is_not_to_be_forgotten_is_kept(assistant: Assistant, text: str) -> None:
    """German says "not" last."""
    session_id = (await assistant.chat("Die Milch ist im K\u00fchlschrank.", scope=ADA)).session_id
    assert (await assistant.chat(text, session_id=session_id, scope=ADA)).commands != ("forget",)
    texts = {memory.text for memory in (await assistant.memories.list(ADA, Page(50)))[0]}
    assert any(text.removesuffix(".") in each or "Milch ist" in each for each in texts)
    assert "Die Milch ist im K\u00fchlschrank." in texts


async def test_what_was_asked_in_vain_before_loses_the_name_too(assistant: Assistant) -> None:
    """A request that was answered "no" first, and the question about it, do not keep the name; nor does a mood."""
    session_id = (await assistant.chat("Mein Hund hei\u00dft Luna.", scope=ADA)).session_id
    for text in ("vergiss Luna", "nein", "Mein Boot ist rot.", "vergiss Luna", "ja"):
        answer = await assistant.chat(text, session_id=session_id, scope=ADA)
    assert answer.commands == ("forget",)
    assert answer.message.text.startswith("Ich habe vergessen: ")
    messages, _ = await assistant.sessions.messages(ADA, session_id, Page(50))
    assert not any("luna" in message.text.casefold() for message in messages), messages
    assert any(message.text == "Mein Boot ist rot." for message in messages)
    assert "luna" not in repr(await assistant.moods.tell(ADA)).casefold()


async def test_what_is_remembered_of_a_request_to_forget_loses_the_words(assistant: Assistant) -> None:
    """What else the message said is still known."""
    told = await assistant.chat("My sister Eva is ill.", scope=ADA)
    request_ = "I moved to Ghent last week, so forget about Eva."
    gone = await assistant.chat(request_, session_id=told.session_id, scope=ADA)
    assert gone.commands == ("forget",)
    memories, _ = await assistant.memories.list(ADA, Page(50))
    assert any("I moved to Ghent last week" in memory.text for memory in memories), memories
    assert "eva" not in repr(memories).casefold()
    hits = await assistant.recall("Eva", scope=ADA)
    assert "eva" not in repr(hits).casefold()


async def test_forgetting_what_was_remembered_by_command(assistant: Assistant) -> None:
    """The message "remember that …" loses its words too when the memory it made is forgotten."""
    told = await assistant.conversation.chat(ADA, Ask("Remember that my locker code is heron."))
    hits, _, _ = await assistant.memories.recall(ADA, "locker code", Page())
    assert [hit.memory.message_id for hit in hits] == [told.user_message.id]
    await assistant.memories.forget(ADA, [hits[0].memory.id])
    assert "heron" not in repr((await assistant.sessions.messages(ADA, told.session_id, Page()))[0])


async def test_a_question_asked_again_and_again_is_still_answered(assistant: Assistant) -> None:
    """However often a question was asked in the same words, what answers it is recalled."""
    told = await assistant.conversation.chat(ADA, Ask("My locker code is heron."))
    for _ in range(12):
        asked = await assistant.conversation.chat(ADA, Ask("What is my locker code?", told.session_id))
        assert "heron" in asked.message.text
