"""Answers that quote messages, answers among them: what is forgotten goes from all of them, wherever the two meet."""

from __future__ import annotations

import asyncio

import pytest

from alejo import Assistant
from alejo.roles import Turn
from alejo.storage.redaction import FORGOTTEN
from alejo.storage.tables import QUOTED, QUOTES
from alejo.types import Answer, Ask, Memory, Message

from ..conftest import ADA
from .led import CODE, SECRET, Led, Valve, brain, cut, memories, said, second, state, turns_of_the_loop, within
from .test_forgetting import QUESTION, leaks, quote_context, quote_itself, quote_recalled, remember

STEPS = 30
GREETING = "Good morning"


async def tell(assistant: Assistant) -> tuple[Memory, Answer]:
    """A memory that comes from no message, and an answer that quotes it."""
    lead = brain(assistant)
    memory = await remember(assistant)
    lead.act = quote_recalled
    lead.gate.set()
    answer = await assistant.conversation.chat(ADA, Ask(QUESTION))
    assert SECRET in answer.message.text
    return memory, answer


async def greet(assistant: Assistant, session_id: str) -> Message:
    """An answer that quotes the session's last messages, and them alone."""
    brain(assistant).act = quote_context
    answer = await assistant.conversation.chat(ADA, Ask(GREETING, session_id))
    assert answer.recalled == ()
    return answer.message


class Thought:
    """A brain that has read its context and waits before it says it."""

    def __init__(self, lead: Led) -> None:
        self.handed, self.ready = asyncio.Event(), asyncio.Event()
        lead.act = self._think
        lead.gate.set()

    async def _think(self, turn: Turn) -> str:
        words = await quote_context(turn)
        self.handed.set()
        await self.ready.wait()
        return words


# What goes


async def test_an_answer_that_repeats_an_answer(led: Assistant) -> None:
    """An answer that repeats an answer that quotes loses its words with it, and so does one that repeats that one."""
    memory, told = await tell(led)
    for _ in range(3):
        assert SECRET in (await greet(led, told.session_id)).text
    assert await led.memories.forget(ADA, [memory.id]) == (1, 4)
    assert await said(led, told.session_id) == [QUESTION, "", *[GREETING, ""] * 3]
    assert await leaks(led) == []
    assert await led.store.scan(ADA, QUOTED, bytes.fromhex(memory.id)) == []


async def test_a_deleted_session_is_gone_from_what_repeats_its_quotes(led: Assistant) -> None:
    """An answer of another session that repeats an answer that quotes a deleted session loses its words too."""
    lead = brain(led)
    lead.says("fine")
    gone = await led.conversation.chat(ADA, Ask(CODE))
    lead.act = quote_recalled
    told = await led.conversation.chat(ADA, Ask(QUESTION))
    assert SECRET in (await greet(led, told.session_id)).text
    await led.sessions.delete(ADA, gone.session_id)
    assert await said(led, told.session_id) == [QUESTION, "", GREETING, ""]
    assert await leaks(led) == []


async def test_what_a_context_writes_beside_words_hides_no_quote(led: Assistant) -> None:
    """An answer that repeats a memory as a context shows it, on one line and with dates, loses it like any quote."""
    memory = await remember(led, f"Yesterday I chose\nthe {SECRET}", pinned=True)
    lead = brain(led)
    lead.act = quote_context
    lead.gate.set()
    told = await led.conversation.chat(ADA, Ask(GREETING))
    assert "] I chose the" in told.message.text
    assert await led.memories.forget(ADA, [memory.id]) == (1, 1)
    assert await leaks(led) == []


async def test_what_asks_to_forget_is_quoted(lone: Assistant) -> None:
    """An answer that quotes a message that asks to forget loses the words that message loses, and keeps the others."""
    lead, ready = brain(lone), asyncio.Event()
    memory = await remember(lone, SECRET)

    async def act(turn: Turn) -> str:
        if turn.message.text == GREETING:
            return await quote_context(turn)
        await ready.wait()
        await turn.desk.forget([memory.id])
        return "done"

    lead.act = act
    lead.gate.set()
    session, _ = await lone.sessions.create(ADA)
    asking = asyncio.create_task(lone.conversation.chat(ADA, Ask(f"Forget the {SECRET} of mine", session.id)))
    await within(lead.begun.wait())
    for _ in range(2):
        assert SECRET in (await lone.conversation.chat(ADA, Ask(GREETING, session.id))).message.text
    ready.set()
    await within(asking)
    assert await leaks(lone) == []
    asked, _, first, _, again, _ = await said(lone, session.id)
    assert asked == f"Forget the {FORGOTTEN} of mine"
    assert first.startswith("Go ")
    assert first.endswith(f"User: {asked}")
    assert asked in again


async def test_what_was_not_handed_out_is_not_noted(led: Assistant) -> None:
    """A brain that asks for no context, or for one with less room, quotes nothing of what was said before."""
    lead = brain(led)
    lead.says("fine")
    first = await led.conversation.chat(ADA, Ask("Good day"))
    lead.says("Good day, Go fine")
    await led.conversation.chat(ADA, Ask(GREETING, first.session_id))

    async def narrow(turn: Turn) -> str:
        assert (await turn.desk.context(1)).items == ()
        return "Good day, Go fine"

    lead.act = narrow
    await led.conversation.chat(ADA, Ask(GREETING, first.session_id))
    assert await led.store.scan(ADA, QUOTES) == []
    assert await led.store.scan(ADA, QUOTED) == []


async def test_a_deleted_session_leaves_no_note_of_its_quotes(led: Assistant) -> None:
    """What is noted of quotes within a session goes with the session, also of messages that nothing was kept of."""
    lead = brain(led)
    lead.act = quote_itself
    lead.gate.set()
    told = await led.conversation.chat(ADA, Ask(GREETING))
    for _ in range(2):
        await greet(led, told.session_id)
    assert await led.store.scan(ADA, QUOTES) != []
    await led.sessions.delete(ADA, told.session_id)
    assert await led.store.scan(ADA, QUOTES) == []
    assert await led.store.scan(ADA, QUOTED) == []


# Races


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("turns", [1, 5])
@pytest.mark.parametrize("subject", ["message", "answer"])
async def test_a_message_is_forgotten_while_it_is_thought_of(
    led: Assistant, subject: str, turns: int, elsewhere: bool
) -> None:
    """What is forgotten of the session's last messages, its oldest too, while a brain has them is not on disk after."""
    lead = brain(led)
    if subject == "answer":
        memory, told = await tell(led)
        lead.says("fine")
    else:
        lead.says("fine")
        told = await led.conversation.chat(ADA, Ask(CODE))
        memory = next(memory for memory in await memories(led) if SECRET in memory.text)
    for number in range(1, turns):
        await led.conversation.chat(ADA, Ask("Yes" * number, told.session_id))
    thought = Thought(lead)
    task = asyncio.create_task(led.conversation.chat(ADA, Ask(GREETING, told.session_id, "r")))
    await within(thought.handed.wait())
    await (second(led) if elsewhere else led).memories.forget(ADA, [memory.id])
    thought.ready.set()
    assert SECRET in (await within(task)).message.text
    assert await leaks(led) == []
    assert await state(led, "r") == "done"


async def test_a_message_is_forgotten_at_any_step_of_the_last_commit(led: Assistant) -> None:
    """Wherever a forget meets the commit of an answer that repeats an answer, the words go; so in two processes."""
    for steps in range(STEPS):
        memory, told = await tell(led)
        other = second(led) if steps % 2 else led
        thought = Thought(brain(led))
        task = asyncio.create_task(led.conversation.chat(ADA, Ask(GREETING, told.session_id)))
        await within(thought.handed.wait())
        await led.sessions.update(ADA, told.session_id, title="written meanwhile")
        thought.ready.set()
        await turns_of_the_loop(steps)
        await other.memories.forget(ADA, [memory.id])
        await within(task)
        assert await leaks(led) == [], steps


@pytest.mark.parametrize("held", ["commit", "session", "message"])
async def test_an_answer_that_repeats_reaches_the_disk_before_a_forget(led: Assistant, held: str) -> None:
    """An answer that is committed while a forget reads what it takes away, or after it has, loses what it repeats."""
    valve = Valve(led.storage)
    memory, told = await tell(led)
    if held == "commit":
        valve.shut("before")
    else:
        valve.shut_reads(held)
    forgetting = asyncio.create_task(second(led, valve).memories.forget(ADA, [memory.id]))
    await valve.reached()
    assert SECRET in (await greet(led, told.session_id)).text
    valve.open()
    assert await within(forgetting) == (1, 2)
    assert await leaks(led) == []


@pytest.mark.parametrize("held", ["commit", "session", "message"])
async def test_an_answer_that_repeats_reaches_the_disk_before_a_delete(led: Assistant, held: str) -> None:
    """An answer elsewhere that repeats a quote loses it, though it is committed while the delete reads or after."""
    valve, lead = Valve(led.storage), brain(led)
    lead.says("fine")
    gone = await led.conversation.chat(ADA, Ask(CODE))
    lead.act = quote_recalled
    told = await led.conversation.chat(ADA, Ask(QUESTION))
    if held == "commit":
        valve.shut("before")
    else:
        valve.shut_reads(held)
    deleting = asyncio.create_task(second(led, valve).sessions.delete(ADA, gone.session_id))
    await valve.reached()
    assert SECRET in (await greet(led, told.session_id)).text
    valve.open()
    await within(deleting)
    assert await leaks(led) == []


@pytest.mark.parametrize("subject", ["message", "answer"])
async def test_a_forget_reaches_the_disk_before_an_answer_that_repeats(led: Assistant, subject: str) -> None:
    """An answer that is on its way to the disk while what it repeats is forgotten arrives without it."""
    valve, lead = Valve(led.storage), brain(led)
    if subject == "answer":
        memory, told = await tell(led)
    else:
        lead.says("fine")
        told = await led.conversation.chat(ADA, Ask(CODE))
        memory = next(memory for memory in await memories(led) if SECRET in memory.text)
    thought = Thought(lead)
    task = asyncio.create_task(second(led, valve).conversation.chat(ADA, Ask(GREETING, told.session_id)))
    await within(thought.handed.wait())
    valve.shut("before")
    thought.ready.set()
    await valve.reached()
    await led.memories.forget(ADA, [memory.id])
    valve.open()
    await within(task)
    assert FORGOTTEN in (await said(led, told.session_id))[3]
    assert await leaks(led) == []


async def test_a_turn_goes_on_while_its_own_forget_is_on_the_way(lone: Assistant) -> None:
    """A turn cut while its forget is on its way to the disk, and sent again, repeats nothing of what that forgets."""
    valve, lead, ready = Valve(lone.storage), brain(lone), asyncio.Event()
    memory = await remember(lone, SECRET)

    async def forget(turn: Turn) -> str:
        await turn.desk.forget([memory.id])
        return "done"

    async def wonder(turn: Turn) -> str:
        await ready.wait()
        return f"what {SECRET}?"

    lead.act = forget
    ask = Ask(f"Forget the {SECRET} of mine", (await lone.sessions.create(ADA))[0].id, "r")
    task = asyncio.create_task(second(lone, valve).conversation.chat(ADA, ask))
    await within(lead.begun.wait())
    valve.shut("before")
    lead.gate.set()
    await valve.reached()
    await cut(task)
    lead.begun.clear()
    lead.act = wonder
    again = asyncio.create_task(lone.conversation.chat(ADA, ask))
    await within(lead.begun.wait())
    valve.open()
    await valve.still()
    ready.set()
    await within(again)
    assert await said(lone, ask.session_id) == [f"Forget the {FORGOTTEN} of mine", f"Go what {FORGOTTEN}?"]
    assert await leaks(lone) == []
