"""What is forgotten beside answers and contexts that tell it: gone from all of them once the forget has returned."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest

from alejo import Assistant
from alejo.roles import Turn
from alejo.storage import redaction
from alejo.storage.redaction import FORGOTTEN
from alejo.storage.requests import key
from alejo.storage.tables import MESSAGES, QUOTES, TURNS
from alejo.types import Accepted, Ask, Image, Memory, MemoryDraft, Page, Scope

from ..conftest import ADA
from .led import CODE, SECRET, Valve, brain, cut, insist, memories, said, second, state, turns_of_the_loop, within

STEPS = 30
QUESTION = "What is my locker code?"
Act = Callable[[Turn], Awaitable[str]]


async def remember(assistant: Assistant, text: str = CODE, scope: Scope = ADA, *, pinned: bool = False) -> Memory:
    """A memory that comes from no message."""
    return (await assistant.memories.remember(scope, MemoryDraft(text, pinned=pinned))).memories[0]


async def context(assistant: Assistant, session_id: str = "", scope: Scope = ADA) -> str:
    """The text of a context about the code."""
    return (await assistant.memories.context(scope, "locker code", session_id=session_id))[0].text


async def leaks(assistant: Assistant, scope: Scope = ADA) -> list[object]:
    """All that still tells the code: messages, turns, memories, in whatever session."""
    messages = await assistant.store.scan(scope, MESSAGES, limit=10_000)
    turns = await assistant.store.scan(scope, TURNS, limit=10_000)
    kept = await memories(assistant, scope)
    return [each for each in [*messages, *turns, *kept] if SECRET in repr(each)]


async def quote_recalled(turn: Turn) -> str:
    """The words of the best hit."""
    return turn.recalled[0].memory.text


async def quote_context(turn: Turn) -> str:
    """The whole context."""
    return (await turn.desk.context()).text


async def quote_search(turn: Turn) -> str:
    """What the brain looks up by itself."""
    return "; ".join(hit.memory.text for hit in await turn.desk.recall("locker code"))


async def quote_list(turn: Turn) -> str:
    """What the brain lists."""
    return "; ".join(memory.text for memory in await turn.desk.memories())


async def quote_itself(turn: Turn) -> str:
    """The message that is answered."""
    return turn.message.text


# Contexts


async def test_a_context_built_during_a_forget_leaves_no_trace(assistant: Assistant) -> None:
    """Wherever a context is built while its words are being forgotten, the next one is without them."""
    for steps in range(STEPS):
        scope = Scope("acme", f"user{steps}")
        told = await assistant.conversation.chat(scope, Ask(CODE))
        memory = (await memories(assistant, scope))[0]
        forgetting = asyncio.create_task(assistant.memories.forget(scope, [memory.id]))
        await turns_of_the_loop(steps)
        await context(assistant, told.session_id, scope)
        assert await within(forgetting) == (1, 1)
        assert SECRET not in await context(assistant, told.session_id, scope), steps


@pytest.mark.parametrize("place", ["before", "behind"])
async def test_a_context_built_while_a_forget_is_on_its_way(assistant: Assistant, place: str) -> None:
    """A context built while a forget is on its way to the disk is not kept for the next one."""
    valve = Valve(assistant.storage)
    here = second(assistant, valve)
    told = await here.conversation.chat(ADA, Ask(CODE))
    memory = (await memories(here))[0]
    valve.shut(place)
    forgetting = asyncio.create_task(here.memories.forget(ADA, [memory.id]))
    await valve.reached()
    assert (SECRET in await context(here, told.session_id)) == (place == "before")
    valve.open()
    await within(forgetting)
    assert SECRET not in await context(here, told.session_id)


async def test_what_another_process_forgets_is_in_no_context_here(assistant: Assistant) -> None:
    """A session's last messages that this process holds lose what another one forgets; so do its turns."""
    told = await assistant.conversation.chat(ADA, Ask(CODE))
    assert SECRET in await context(assistant, told.session_id)
    memory = (await memories(assistant))[0]
    assert await second(assistant).memories.forget(ADA, [memory.id]) == (1, 1)
    assert SECRET not in await context(assistant, told.session_id)
    again = await assistant.conversation.chat(ADA, Ask(QUESTION, told.session_id))
    assert SECRET not in again.message.text


# Answers that quote


QUOTING = {
    "recalled": quote_recalled,
    "context": quote_context,
    "looked up": quote_search,
    "listed": quote_list,
}


@pytest.mark.parametrize("act", QUOTING.values(), ids=QUOTING)
async def test_forgetting_takes_every_kind_of_quote(led: Assistant, act: Act) -> None:
    """However a brain came by a memory, the answer that quotes it loses its words with the memory."""
    lead = brain(led)
    lead.act = act
    lead.gate.set()
    memory = await remember(led)
    answer = await led.conversation.chat(ADA, Ask(QUESTION, request_id="r"))
    assert SECRET in answer.message.text
    assert await led.memories.forget(ADA, [memory.id]) == (1, 1)
    assert await said(led, answer.session_id) == [QUESTION, ""]
    assert await leaks(led) == []
    assert SECRET not in repr(await led.conversation.chat(ADA, Ask(QUESTION, request_id="r")))


async def test_an_answer_that_quotes_its_own_question(led: Assistant) -> None:
    """An answer that repeats the message it answers loses its words with that message."""
    lead = brain(led)
    lead.act = quote_itself
    lead.gate.set()
    answer = await led.conversation.chat(ADA, Ask(CODE))
    assert SECRET in answer.message.text
    memory = (await memories(led))[0]
    assert await led.memories.forget(ADA, [memory.id]) == (1, 2)
    assert await said(led, answer.session_id) == ["", ""]
    assert await leaks(led) == []


async def test_an_answer_that_quotes_what_is_pinned(led: Assistant) -> None:
    """An answer that quotes a pinned memory out of its context loses its words with that memory."""
    lead = brain(led)
    lead.act = quote_context
    lead.gate.set()
    memory = await remember(led, pinned=True)
    answer = await led.conversation.chat(ADA, Ask("Good morning"))
    assert answer.recalled == ()
    assert SECRET in answer.message.text
    assert await led.memories.forget(ADA, [memory.id]) == (1, 1)
    assert await leaks(led) == []


async def test_an_answer_that_quotes_what_was_said_before(led: Assistant) -> None:
    """An answer that quotes one of the session's last messages loses its words with that message."""
    lead = brain(led)
    lead.says("fine")
    told = await led.conversation.chat(ADA, Ask(CODE))
    lead.act = quote_context
    answer = await led.conversation.chat(ADA, Ask("Good morning", told.session_id))
    assert SECRET in answer.message.text
    memory = next(memory for memory in await memories(led) if SECRET in memory.text)
    assert await led.memories.forget(ADA, [memory.id]) == (1, 2)
    assert await said(led, told.session_id) == ["", "Go fine", "Good morning", ""]
    assert await leaks(led) == []


async def test_more_quotes_than_one_step_takes(led: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that was quoted more often than one step reads loses every quote."""
    monkeypatch.setattr(redaction, "_STEP", 4)
    brain(led).says(CODE)
    memory = await remember(led)
    session, _ = await led.sessions.create(ADA)
    asks = [Ask(QUESTION, session.id if number % 2 else "", f"r{number}") for number in range(13)]
    await within(asyncio.gather(*(led.conversation.chat(ADA, ask) for ask in asks)))
    assert len(await led.store.scan(ADA, QUOTES, bytes.fromhex(memory.id))) == 13
    assert await led.memories.forget(ADA, [memory.id]) == (1, 13)
    assert await leaks(led) == []
    assert await led.store.scan(ADA, QUOTES, bytes.fromhex(memory.id)) == []


# Answers under way


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("act", [quote_recalled, quote_context])
async def test_a_forget_while_an_answer_is_thought_of(led: Assistant, elsewhere: bool, act: Act) -> None:
    """A memory that is forgotten, here or by another process, while a brain has it is not in the answer on disk."""
    lead, handed, thought = brain(led), asyncio.Event(), asyncio.Event()
    memory = await remember(led)

    async def think(turn: Turn) -> str:
        words = await act(turn)
        handed.set()
        await thought.wait()
        return words

    lead.act = think
    lead.gate.set()
    task = asyncio.create_task(led.conversation.chat(ADA, Ask(QUESTION, request_id="r")))
    await within(handed.wait())
    await (second(led) if elsewhere else led).memories.forget(ADA, [memory.id])
    thought.set()
    answer = await within(task)
    assert (await said(led, answer.session_id))[1] == FORGOTTEN
    assert await leaks(led) == []
    assert SECRET not in repr(await led.conversation.chat(ADA, Ask(QUESTION, request_id="r")))


async def test_a_forget_at_any_step_of_the_last_commit(led: Assistant) -> None:
    """Wherever a forget meets the commit of an answer that quotes it, the words go and the turn stays done."""
    lead = brain(led)
    for steps in range(STEPS):
        scope = Scope("acme", f"user{steps}")
        lead.gate.clear()
        lead.begun.clear()
        task = asyncio.create_task(led.conversation.chat(scope, Ask(CODE, request_id="r")))
        await within(lead.begun.wait())
        memory = (await memories(led, scope))[0]
        lead.says(CODE)
        await turns_of_the_loop(steps)
        await led.memories.forget(scope, [memory.id])
        await within(task)
        assert await state(led, "r", scope) == "done", steps
        assert await leaks(led, scope) == [], steps


@pytest.mark.parametrize("own_session", [False, True])
async def test_an_answer_reaches_the_disk_before_a_forget(led: Assistant, own_session: bool) -> None:
    """An answer that is committed after a forget has looked for quotes, and before it is on disk, loses its quote."""
    valve, lead = Valve(led.storage), brain(led)
    other = second(led, valve)
    if own_session:
        ask = Ask(CODE, request_id="r")
    else:
        await remember(led)
        ask = Ask(QUESTION, request_id="r")
    task = asyncio.create_task(led.conversation.chat(ADA, ask))
    await within(lead.begun.wait())
    memory = next(memory for memory in await memories(led) if SECRET in memory.text)
    valve.shut("before")
    forgetting = asyncio.create_task(other.memories.forget(ADA, [memory.id]))
    await valve.reached()
    lead.says(CODE)
    answer = await within(task)
    assert (await said(led, answer.session_id))[1] == f"Go {CODE}"
    assert await state(led, "r") == "done"
    valve.open()
    assert await within(forgetting) == (1, 2 if own_session else 1)
    assert (await said(led, answer.session_id))[1] == ""
    assert await leaks(led) == []
    assert await state(led, "r") == "done"


@pytest.mark.parametrize("own_session", [False, True])
async def test_a_forget_reaches_the_disk_before_an_answer(led: Assistant, own_session: bool) -> None:
    """An answer that is on its way to the disk while its words are forgotten arrives without them; its turn is done."""
    valve, lead = Valve(led.storage), brain(led)
    here = second(led, valve)
    if own_session:
        ask = Ask(CODE, request_id="r")
    else:
        await remember(led)
        ask = Ask(QUESTION, request_id="r")
    task = asyncio.create_task(here.conversation.chat(ADA, ask))
    await within(lead.begun.wait())
    memory = next(memory for memory in await memories(led) if SECRET in memory.text)
    valve.shut("before")
    lead.says(CODE)
    await valve.reached()
    await led.memories.forget(ADA, [memory.id])
    valve.open()
    answer = await within(task)
    assert (await said(led, answer.session_id))[1] == FORGOTTEN
    assert await leaks(led) == []
    assert await state(led, "r") == "done"


async def test_a_forget_while_a_turn_is_answered_takes_what_was_felt(led: Assistant) -> None:
    """What a turn felt in a message and recalled by it goes with its words, though the turn ends later."""
    lead = brain(led)
    ask = Ask("I am so happy about my dog Luna, I love her.", request_id="r")
    task = asyncio.create_task(led.conversation.chat(ADA, ask))
    await within(lead.begun.wait())
    memory = (await memories(led))[0]
    await led.memories.forget(ADA, [memory.id])
    lead.says("fine")
    answer = await within(task)
    row = await led.store.get(ADA, TURNS, key("r"))
    assert row is not None
    assert (row.value.state, row.value.appraisal, row.value.recalled) == ("done", None, ())
    assert answer.appraisal is None
    again = await led.conversation.chat(ADA, ask)
    assert "Luna" not in repr(again)
    assert (again.appraisal, again.recalled) == (None, ())


async def test_a_turn_is_cut_while_a_forget_is_on_its_way(led: Assistant) -> None:
    """A forget that read a turn before it was interrupted leaves it interrupted."""
    valve, lead = Valve(led.storage), brain(led)
    task = asyncio.create_task(led.conversation.chat(ADA, Ask(CODE, request_id="r")))
    await within(lead.begun.wait())
    memory = (await memories(led))[0]
    valve.shut("before")
    forgetting = asyncio.create_task(second(led, valve).memories.forget(ADA, [memory.id]))
    await valve.reached()
    await cut(task)
    await led.conversation.close()
    valve.open()
    assert await within(forgetting) == (1, 1)
    assert await state(led, "r") == "interrupted"
    assert await leaks(led) == []


async def test_a_forget_while_a_cut_turn_is_noted(led: Assistant) -> None:
    """The note that a turn was interrupted brings back nothing that was forgotten while it was on its way."""
    valve, lead = Valve(led.storage), brain(led)
    here = second(led, valve)
    task = asyncio.create_task(here.conversation.chat(ADA, Ask(CODE, request_id="r")))
    await within(lead.begun.wait())
    memory = (await memories(led))[0]
    valve.shut("before")
    await cut(task)
    await valve.reached()
    assert await led.memories.forget(ADA, [memory.id]) == (1, 1)
    valve.open()
    await here.conversation.close()
    assert await state(led, "r") == "interrupted"
    assert await leaks(led) == []


# Forgets that are cut


@pytest.mark.parametrize("request_id", ["", "f"])
async def test_a_forget_cut_behind_an_answer(led: Assistant, request_id: str) -> None:
    """A forget that ends unacknowledged while an answer that quotes overtakes it is not made; sent again it is."""
    valve, lead = Valve(led.storage), brain(led)
    other = second(led, valve)
    memory = await remember(led)
    task = asyncio.create_task(led.conversation.chat(ADA, Ask(QUESTION)))
    await within(lead.begun.wait())
    valve.shut("before")
    forgetting = asyncio.create_task(other.memories.forget(ADA, [memory.id], request_id=request_id))
    await valve.reached()
    lead.says(CODE)
    await within(task)
    await cut(forgetting)
    valve.open()
    await valve.still()
    assert memory.id in {each.id for each in await memories(led)}
    assert await other.memories.forget(ADA, [memory.id], request_id=request_id) == (1, 1)
    assert await leaks(led) == []


@pytest.mark.parametrize("place", ["before", "behind"])
async def test_a_forget_cut_before_an_answer(led: Assistant, place: str) -> None:
    """A forget that ends unacknowledged, and reaches the disk before an answer that quotes, leaves no words."""
    valve, lead = Valve(led.storage), brain(led)
    memory = await remember(led)
    task = asyncio.create_task(led.conversation.chat(ADA, Ask(QUESTION)))
    await within(lead.begun.wait())
    valve.shut(place)
    forgetting = asyncio.create_task(second(led, valve).memories.forget(ADA, [memory.id]))
    await valve.reached()
    await cut(forgetting)
    valve.open()
    await valve.still()
    lead.says(CODE)
    await within(task)
    assert await leaks(led) == []


async def test_a_forget_that_many_answers_overtake(led: Assistant) -> None:
    """However many answers that quote are committed before it, a forget gets its turn and takes all of them."""
    valve, lead = Valve(led.storage), brain(led)
    memory = await remember(led)
    lead.says(CODE)
    valve.shut("before")
    forgetting = asyncio.create_task(second(led, valve).memories.forget(ADA, [memory.id]))
    for _ in range(12):
        await valve.reached()
        await led.conversation.chat(ADA, Ask(QUESTION))
        valve.open()
        valve.shut("before")
    await valve.reached()
    valve.open()
    assert await within(forgetting) == (1, 12)
    assert await leaks(led) == []


async def test_forgetting_in_words_cut_at_any_step(assistant: Assistant) -> None:
    """Wherever a turn that says "forget that …" is cut, sent again it leaves the words nowhere."""
    for steps in range(0, 2 * STEPS, 2):
        scope = Scope("acme", f"user{steps}")
        told = await assistant.conversation.chat(scope, Ask(CODE))
        ask = Ask(f"Forget that my locker code is {SECRET}", told.session_id, "f")
        task = asyncio.create_task(assistant.conversation.chat(scope, ask))
        await turns_of_the_loop(steps)
        await cut(task)
        await insist(assistant, ask, scope)
        assert await leaks(assistant, scope) == [], steps
        assert len(await said(assistant, told.session_id, scope)) == 4


async def test_forgetting_in_words_cut_when_it_is_done(assistant: Assistant) -> None:
    """A turn that is cut when it has forgotten leaves the words not even in the message that asked for it."""
    told = await assistant.conversation.chat(ADA, Ask(CODE))
    ask = Ask(f"Forget that my locker code is {SECRET}", told.session_id, "f")
    async with aclosing(assistant.conversation.stream(ADA, ask)) as stream:
        assert isinstance(await anext(stream), Accepted)
        assert isinstance(await anext(stream), str)
    await assistant.conversation.close()
    assert await leaks(assistant) == []
    assert (await said(assistant, told.session_id))[2] == f"Forget that {FORGOTTEN}"
    answer = await assistant.conversation.chat(ADA, ask)
    assert SECRET not in repr(answer)
    assert await leaks(assistant) == []


# What exactly goes


async def forget_all(turn: Turn) -> str:
    """Forgets all there is."""
    await turn.desk.forget([memory.id for memory in await turn.desk.memories()])
    return "done"


async def test_a_redacted_message_keeps_nothing(led: Assistant) -> None:
    """The pictures and labels of a message go with its words, also when its own turn forgets it and other things."""
    lead = brain(led)
    lead.act = forget_all
    lead.gate.set()
    await remember(led, "the gate")
    picture = Image(b"x", caption="Luna")
    answer = await led.conversation.chat(
        ADA, Ask("I love the gate and Luna.", images=(picture,), metadata={"a": "Luna"})
    )
    messages, _ = await led.sessions.messages(ADA, answer.session_id, Page())
    assert "Luna" not in repr(messages)
    assert messages[0].redacted
    assert messages[1].text == "Go done"


async def test_forgetting_a_memory_without_a_word(led: Assistant) -> None:
    """A memory of punctuation alone is forgotten without a mark in the answer."""
    lead = brain(led)
    lead.act = forget_all
    lead.gate.set()
    await remember(led, "!")
    answer = await led.conversation.chat(ADA, Ask("Good morning"))
    assert (await said(led, answer.session_id))[1] == "Go done"


async def test_a_message_of_two_memories_counts_once(led: Assistant) -> None:
    """Forgetting two memories of one message counts that message as redacted once."""
    lead = brain(led)

    async def keep(turn: Turn) -> str:
        await turn.desk.remember(MemoryDraft(f"The code {SECRET}"))
        return "fine"

    lead.act = keep
    lead.gate.set()
    answer = await led.conversation.chat(ADA, Ask(CODE))
    kept = await memories(led)
    assert len(kept) == 2
    assert await led.memories.forget(ADA, [memory.id for memory in kept]) == (2, 1)
    messages, _ = await led.sessions.messages(ADA, answer.session_id, Page())
    assert [message.redacted for message in messages] == [True, False]
