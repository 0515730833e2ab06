"""Turns that are cut, sent twice, or answered by two processes: one answer, which stands once it is on disk."""

from __future__ import annotations

import asyncio

import pytest

from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import AlreadyExists, DataLoss, FailedPrecondition
from alejo.storage import Put, impressions
from alejo.types import Accepted, Ask, MemoryDraft, PluginState

from ..conftest import ADA
from .led import Valve, brain, cut, insist, memories, said, second, state, turns_of_the_loop, within

HELLO = ["Hello", "Go on, Hello"]
STEPS = 40


async def cut_everywhere(assistant: Assistant, *, asked: bool) -> None:
    """Cuts a turn 0, 1, 2 … steps of the loop after it is sent, or its brain is asked, and sends it again at once."""
    led = brain(assistant)
    led.gate.set()
    for steps in range(STEPS):
        session, _ = await assistant.sessions.create(ADA)
        ask = Ask("Hello", session.id, f"r{steps}")
        led.begun.clear()
        task = asyncio.create_task(assistant.conversation.chat(ADA, ask))
        if asked:
            await within(led.begun.wait())
        await turns_of_the_loop(steps)
        await cut(task)
        answer = await insist(assistant, ask)
        assert await said(assistant, session.id) == HELLO, steps
        assert answer.message.text == HELLO[1]
        await assistant.conversation.close()
        assert await state(assistant, ask.request_id) == "done", steps


async def test_a_turn_cut_at_any_step_of_its_first_commit_is_answered_once(lone: Assistant) -> None:
    """Wherever a call ends before the brain is asked, sent again at once it leaves one question and one answer."""
    await cut_everywhere(lone, asked=False)


async def test_a_turn_cut_at_any_step_of_its_last_commit_is_answered_once(lone: Assistant) -> None:
    """Wherever a call ends once the brain is asked, sent again at once it leaves one question and one answer."""
    await cut_everywhere(lone, asked=True)


async def test_a_turn_that_is_looked_up_beside_its_commit_is_answered_once(led: Assistant) -> None:
    """So it is with a memory and an emotion plugin, which work while the message is on its way to the disk."""
    await cut_everywhere(led, asked=False)


async def test_a_turn_that_is_cut_is_felt_once(led: Assistant) -> None:
    """Wherever a turn was cut and sent again, what it left of feeling counts once."""
    await cut_everywhere(led, asked=True)
    found = (await impressions.standing(led.store, ADA)).emotions
    assert found.counts["turns"] == STEPS


async def test_an_answer_on_disk_stands_though_its_caller_left(lone: Assistant) -> None:
    """A call that ends when its answer is on disk but not acknowledged unmakes nothing; the answer is told again."""
    valve = Valve(lone.storage)
    here, led = second(lone, valve), brain(lone)
    session, _ = await lone.sessions.create(ADA)
    ask = Ask("Hello", session.id, "r")
    task = asyncio.create_task(here.conversation.chat(ADA, ask))
    await within(led.begun.wait())
    valve.shut("behind")
    led.gate.set()
    await valve.reached()
    assert await state(lone, "r") == "done"
    await cut(task)
    valve.open()
    await here.conversation.close()
    assert await state(lone, "r") == "done"
    again = await here.conversation.chat(ADA, ask)
    assert (again.replayed, led.asked) == (True, 1)
    assert await said(lone, session.id) == HELLO


@pytest.mark.parametrize("place", ["before", "behind"])
async def test_a_turn_sent_again_while_its_answer_is_on_the_way(lone: Assistant, place: str) -> None:
    """Sent again while the answer of a call that ended is on its way to the disk, a turn tells that one answer."""
    valve = Valve(lone.storage)
    here, led = second(lone, valve), brain(lone)
    session, _ = await lone.sessions.create(ADA)
    ask = Ask("Hello", session.id, "r")
    task = asyncio.create_task(here.conversation.chat(ADA, ask))
    await within(led.begun.wait())
    valve.shut(place)
    led.gate.set()
    await valve.reached()
    await cut(task)
    again = asyncio.create_task(insist(here, ask))
    await turns_of_the_loop(STEPS)
    valve.open()
    answer = await within(again)
    await here.conversation.close()
    assert await said(lone, session.id) == HELLO
    assert await state(lone, "r") == "done"
    assert (await here.conversation.chat(ADA, ask)).message == answer.message


async def test_two_processes_give_one_answer(lone: Assistant) -> None:
    """A turn that two processes answer has one answer, which both of them tell."""
    other, led = second(lone), brain(lone)
    session, _ = await lone.sessions.create(ADA)
    ask = Ask("Hello", session.id, "r")
    one = asyncio.create_task(lone.conversation.chat(ADA, ask))
    await within(led.begun.wait())
    led.begun.clear()
    two = asyncio.create_task(other.conversation.chat(ADA, ask))
    await within(led.begun.wait())
    led.gate.set()
    answers = await within(asyncio.gather(one, two))
    assert led.asked == 2
    assert await said(lone, session.id) == HELLO
    assert answers[0].message == answers[1].message
    assert sorted(answer.replayed for answer in answers) == [False, True]


@pytest.mark.parametrize("in_session", [True, False])
async def test_two_processes_receive_one_message(lone: Assistant, in_session: bool) -> None:
    """A turn that reaches two processes at once is one question with one answer in one session."""
    valve, led = Valve(lone.storage), brain(lone)
    other = second(lone, valve)
    led.gate.set()
    session_id = (await lone.sessions.create(ADA))[0].id if in_session else ""
    ask = Ask("Hello", session_id, "r")
    valve.shut("before")
    late = asyncio.create_task(insist(other, ask))
    await valve.reached()
    first = await lone.conversation.chat(ADA, ask)
    valve.open()
    answer = await within(late)
    assert (answer.replayed, answer.message) == (True, first.message)
    assert await said(lone, first.session_id) == HELLO
    assert led.asked == 1


async def test_an_interruption_here_leaves_the_answer_given_there(lone: Assistant) -> None:
    """A call that ends after another process has answered the turn does not call the turn interrupted."""
    other, led = second(lone), brain(lone)
    session, _ = await lone.sessions.create(ADA)
    ask = Ask("Hello", session.id, "r")
    stream = lone.conversation.stream(ADA, ask)
    assert isinstance(await anext(stream), Accepted)
    assert await anext(stream) == "Go "
    led.gate.set()
    await other.conversation.chat(ADA, ask)
    await stream.aclose()
    await lone.conversation.close()
    assert await state(lone, "r") == "done"
    assert (await lone.conversation.chat(ADA, ask)).replayed


async def test_another_body_is_refused_while_the_first_is_written(lone: Assistant) -> None:
    """While a turn's message is on its way to the disk, its request id with another message is ALREADY_EXISTS."""
    valve = Valve(lone.storage)
    here, led = second(lone, valve), brain(lone)
    led.gate.set()
    await lone.store.writer(ADA)
    valve.shut("before")
    first = asyncio.create_task(here.conversation.chat(ADA, Ask("Hello", request_id="r")))
    await valve.reached()
    with pytest.raises(AlreadyExists):
        await within(here.conversation.chat(ADA, Ask("Other", request_id="r")))
    with pytest.raises(AlreadyExists):
        await within(here.conversation.chat(ADA, Ask("Hello", request_id="r", metadata={"a": "1"})))
    same = asyncio.create_task(here.conversation.chat(ADA, Ask("Hello", request_id="r")))
    await turns_of_the_loop(STEPS)
    valve.open()
    answers = await within(asyncio.gather(first, same))
    assert [answer.replayed for answer in answers] == [False, True]
    assert answers[0].message == answers[1].message
    assert led.asked == 1


async def test_an_answer_is_said_after_its_question(lone: Assistant, clock: FakeClock) -> None:
    """A question from a clock that runs ahead is listed before its answer all the same."""
    brain(lone).gate.set()
    session, _ = await lone.sessions.create(ADA)
    await lone.conversation.chat(ADA, Ask("Hello", session.id, sent_at=clock.now() + 2_000_000))
    assert await said(lone, session.id) == HELLO


async def test_an_altered_memory_does_not_hide_a_turn(assistant: Assistant) -> None:
    """A turn that recalled a memory whose record was altered since is told again without that memory."""
    kept = await assistant.memories.remember(ADA, MemoryDraft("My bicycle is red."))
    ask = Ask("What colour is my bicycle?", request_id="r")
    first = await assistant.conversation.chat(ADA, ask)
    assert [hit.memory.id for hit in first.recalled] == [kept.memories[0].id]
    place = assistant.folder.keyring.prefix(ADA) + bytes.fromhex(kept.memories[0].id)
    record = await assistant.storage.get("memory", place)
    assert record is not None
    await assistant.storage.commit([Put("memory", place, record.value[:-1] + bytes([record.value[-1] ^ 1]))])
    with pytest.raises(DataLoss):
        await assistant.memories.get(ADA, kept.memories[0].id)
    again = await assistant.conversation.chat(ADA, ask)
    assert (again.replayed, again.message, again.recalled) == (True, first.message, ())


async def test_what_was_forgotten_is_not_remembered_by_a_turn_that_goes_on(assistant: Assistant) -> None:
    """A turn cut after it remembered what was forgotten since says so when it goes on; no plugin is blamed."""
    ask = Ask("Remember that my bicycle is red.", request_id="r")
    stream = assistant.conversation.stream(ADA, ask)
    assert isinstance(await anext(stream), Accepted)
    assert "red" in str(await anext(stream))
    await stream.aclose()
    await assistant.conversation.close()
    kept = await memories(assistant)
    await assistant.memories.forget(ADA, [memory.id for memory in kept], keep_messages=True)
    with pytest.raises(FailedPrecondition, match="has been forgotten since"):
        await assistant.conversation.chat(ADA, ask)
    assert await memories(assistant) == []
    assert {(each.state, each.failures) for each in assistant.plugins.statuses()} == {(PluginState.ACTIVE, 0)}
