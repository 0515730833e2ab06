"""What is written in a session while it is deleted: refused, or deleted with it; nothing of it stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from alejo import Assistant
from alejo.errors import AlejoError, NotFound
from alejo.roles import Turn
from alejo.storage import tables
from alejo.storage.redaction import FORGOTTEN
from alejo.storage.tables import (
    MEMORIES,
    MEMORIES_BY_TIME,
    MESSAGES,
    QUOTED,
    QUOTES,
    SESSIONS,
    TURNS,
    Table,
)
from alejo.types import Ask, MemoryDraft, MessageDraft, Page, Scope, SessionState

from ..conftest import ADA
from .led import CODE, SECRET, Valve, brain, cut, insist, memories, said, second, state, turns_of_the_loop, within

STEPS = 30
TABLES = [each for each in vars(tables).values() if isinstance(each, Table)]
OWN: list[Table[object]] = [SESSIONS, MESSAGES, MEMORIES, MEMORIES_BY_TIME, TURNS, QUOTES, QUOTED]  # type: ignore[list-item]
Write = Callable[[Assistant, str], Awaitable[object]]


async def rows(assistant: Assistant, *wanted: Table[object], scope: Scope = ADA) -> list[object]:
    """Every row a user has in some tables."""
    found: list[object] = []
    for table in wanted:
        found += await assistant.store.scan(scope, table, limit=10_000)
    return found


async def left(assistant: Assistant, scope: Scope = ADA) -> list[object]:
    """What a deleted session left behind: its rows, and rows of any table that tell what was said in it."""
    whole = await rows(assistant, *OWN, scope=scope)
    return whole + [row for row in await rows(assistant, *TABLES, scope=scope) if SECRET in repr(row)]


async def memory(assistant: Assistant, session_id: str) -> object:
    """Remembers a thing of the session."""
    return await assistant.memories.remember(ADA, MemoryDraft(CODE, session_id=session_id), request_id="w")


async def message(assistant: Assistant, session_id: str) -> object:
    """Adds a message to the session."""
    return await assistant.memories.remember(ADA, MessageDraft(session_id, CODE), request_id="w")


async def many(assistant: Assistant, session_id: str) -> object:
    """Adds several things to the session in one commit."""
    items: list[MemoryDraft | MessageDraft] = [MemoryDraft(CODE, session_id=session_id), MessageDraft(session_id, CODE)]
    outcomes = await assistant.memories.remember_many(ADA, [("", item) for item in items])
    assert not any(isinstance(each, AlejoError) and not isinstance(each, NotFound) for each in outcomes)
    return outcomes


async def turn(assistant: Assistant, session_id: str) -> object:
    """Says something in the session."""
    return await insist(assistant, Ask(CODE, session_id, "w"))


async def update(assistant: Assistant, session_id: str) -> object:
    """Names the session."""
    return await assistant.sessions.update(ADA, session_id, title=SECRET, request_id="w")


WRITES = {"memory": memory, "message": message, "many": many, "turn": turn, "update": update}


async def settle(*calls: Awaitable[object]) -> None:
    """Waits for calls, each of which may find that the session is gone."""
    for outcome in await within(asyncio.gather(*calls, return_exceptions=True)):
        if isinstance(outcome, BaseException) and not isinstance(outcome, NotFound):
            raise outcome


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_at_any_step_of_a_delete(led: Assistant, write: Write) -> None:
    """Wherever a write meets the delete of its session, in this process or another one, nothing of it stays."""
    brain(led).gate.set()
    for steps in range(0, STEPS, 2):
        session, _ = await led.sessions.create(ADA)
        writer = second(led) if steps % 4 else led
        deleting = asyncio.create_task(led.sessions.delete(ADA, session.id))
        await turns_of_the_loop(steps)
        await settle(write(writer, session.id), deleting)
        assert await left(led) == [], steps
        with pytest.raises(NotFound):
            await led.sessions.get(ADA, session.id)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_reaches_the_disk_behind_a_delete(led: Assistant, write: Write) -> None:
    """What is on its way to the disk when its session is deleted is refused."""
    valve = Valve(led.storage)
    brain(led).gate.set()
    session, _ = await led.sessions.create(ADA)
    valve.shut("before")
    writing: asyncio.Future[object] = asyncio.ensure_future(write(second(led, valve), session.id))
    await valve.reached()
    await led.sessions.delete(ADA, session.id)
    valve.open()
    await settle(writing)
    assert await left(led) == []


@pytest.mark.parametrize("commits", [0, 1, 2])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_reaches_the_disk_amid_a_delete(led: Assistant, write: Write, commits: int) -> None:
    """What is written between the commits of a delete, or before its first, goes with the session."""
    valve = Valve(led.storage)
    brain(led).says("fine")
    told = await led.conversation.chat(ADA, Ask(CODE))
    valve.shut("before", after=commits)
    deleting = asyncio.create_task(second(led, valve).sessions.delete(ADA, told.session_id))
    await valve.reached()
    await settle(write(led, told.session_id))
    valve.open()
    await within(deleting)
    assert await left(led) == []


async def test_a_turn_that_is_answered_in_a_deleted_session(led: Assistant) -> None:
    """A turn whose session is deleted while it is answered is NOT_FOUND; neither it nor what it remembers stays."""
    lead = brain(led)

    async def keep(turn: Turn) -> str:
        await turn.desk.remember(MemoryDraft(CODE))
        return CODE

    lead.act = keep
    ask = Ask("Good morning", (await led.sessions.create(ADA))[0].id, "r")
    task = asyncio.create_task(led.conversation.chat(ADA, ask))
    await within(lead.begun.wait())
    await led.sessions.delete(ADA, ask.session_id)
    lead.gate.set()
    with pytest.raises(NotFound):
        await within(task)
    assert await left(led) == []
    with pytest.raises(NotFound):
        await led.conversation.chat(ADA, ask)
    assert await left(led) == []


async def test_an_answer_reaches_the_disk_behind_a_delete(led: Assistant) -> None:
    """An answer that is on its way to the disk when its session is deleted is NOT_FOUND and leaves nothing."""
    valve, lead = Valve(led.storage), brain(led)
    session, _ = await led.sessions.create(ADA)
    here = second(led, valve)
    task = asyncio.create_task(here.conversation.chat(ADA, Ask(CODE, session.id, "r")))
    await within(lead.begun.wait())
    valve.shut("before")
    lead.gate.set()
    await valve.reached()
    await led.sessions.delete(ADA, session.id)
    valve.open()
    with pytest.raises(NotFound):
        await within(task)
    await here.conversation.close()
    assert await left(led) == []


async def test_a_cut_turn_of_a_deleted_session(led: Assistant) -> None:
    """A turn that was cut, or is cut while its session is deleted, does not come back as a row."""
    lead = brain(led)
    session, _ = await led.sessions.create(ADA)
    task = asyncio.create_task(led.conversation.chat(ADA, Ask(CODE, session.id, "r")))
    await within(lead.begun.wait())
    task.cancel()
    await settle(led.sessions.delete(ADA, session.id))
    await cut(task)
    await led.conversation.close()
    assert await state(led, "r") == ""
    assert await left(led) == []


@pytest.mark.parametrize("place", ["thought of", "on the way"])
async def test_an_answer_elsewhere_that_quotes_a_deleted_session(led: Assistant, place: str) -> None:
    """What an answer of another session quotes of a session deleted meanwhile is gone from it once both are done."""
    valve, lead = Valve(led.storage), brain(led)
    here = second(led, valve)
    lead.says("fine")
    told = await led.conversation.chat(ADA, Ask(CODE))
    lead.gate.clear()
    lead.begun.clear()
    task = asyncio.create_task(here.conversation.chat(ADA, Ask("What is my locker code?")))
    await within(lead.begun.wait())
    if place == "on the way":
        valve.shut("before")
        lead.says(CODE)
        await valve.reached()
    await led.sessions.delete(ADA, told.session_id)
    lead.says(CODE)
    valve.open()
    answer = await within(task)
    assert SECRET not in repr(await rows(led, *TABLES))
    assert (await said(led, answer.session_id))[1] == FORGOTTEN


async def test_an_answer_elsewhere_reaches_the_disk_before_a_delete(led: Assistant) -> None:
    """A quote that is committed after a delete has looked for quotes, and before it is on disk, is taken out."""
    valve, lead = Valve(led.storage), brain(led)
    lead.says("fine")
    told = await led.conversation.chat(ADA, Ask(CODE))
    valve.shut("before")
    deleting = asyncio.create_task(second(led, valve).sessions.delete(ADA, told.session_id))
    await valve.reached()
    lead.says(CODE)
    answer = await led.conversation.chat(ADA, Ask("What is my locker code?"))
    assert SECRET in answer.message.text
    valve.open()
    assert await within(deleting) == (2, 1)
    assert SECRET not in repr(await rows(led, *TABLES))


# What a deleted session leaves


async def test_nothing_of_a_deleted_session_stays(led: Assistant) -> None:
    """No row of any table tells what was said, felt, named, quoted or remembered in a session that was deleted."""
    lead = brain(led)
    session, _ = await led.sessions.create(
        ADA, request_id="c", title=SECRET, metadata={"who": SECRET}, origin=f"import:{SECRET}"
    )
    lead.says(CODE)
    await led.conversation.chat(
        ADA, Ask(f"I love my {SECRET}, I am so happy.", session.id, "r", metadata={"a": SECRET})
    )
    await led.conversation.chat(ADA, Ask("What do I love?", session.id, "s"))
    await led.sessions.update(ADA, session.id, title=f"{SECRET}!", request_id="u")
    await led.memories.remember(ADA, MemoryDraft(CODE, session_id=session.id, origin="m"), request_id="m")
    await led.memories.remember(ADA, MessageDraft(session.id, CODE, origin="n"), request_id="n")
    lead.gate.clear()
    lead.begun.clear()
    task = asyncio.create_task(led.conversation.chat(ADA, Ask(CODE, session.id, "interrupted")))
    await within(lead.begun.wait())
    await cut(task)
    await led.conversation.close()
    assert await state(led, "interrupted") == "interrupted"
    await led.sessions.delete(ADA, session.id, request_id="d")
    assert await left(led) == []
    assert await memories(led) == []


async def test_requests_of_a_deleted_session_are_not_found(led: Assistant) -> None:
    """Sent again, the calls that made, named and spoke in a session that was deleted are NOT_FOUND."""
    brain(led).gate.set()
    session, _ = await led.sessions.create(ADA, request_id="c", title=SECRET)
    ask = Ask(CODE, session.id, "r")
    await led.conversation.chat(ADA, ask)
    await led.sessions.update(ADA, session.id, title=f"{SECRET}!", state=SessionState.PAUSED, request_id="u")
    assert await led.sessions.delete(ADA, session.id, request_id="d") == (2, 1)
    with pytest.raises(NotFound):
        await led.sessions.create(ADA, request_id="c", title=SECRET)
    with pytest.raises(NotFound):
        await led.sessions.update(ADA, session.id, title=f"{SECRET}!", state=SessionState.PAUSED, request_id="u")
    with pytest.raises(NotFound):
        await led.conversation.chat(ADA, ask)
    assert await led.sessions.delete(ADA, session.id, request_id="d") == (2, 1)
    assert await left(led) == []


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_two_deletes_at_once(led: Assistant, elsewhere: bool) -> None:
    """A delete sent twice at once, also to two processes, has one result; without a request id one does not find it."""
    brain(led).says("fine")
    holders = (led, second(led) if elsewhere else led)
    for text in ("", CODE):
        session, _ = await led.sessions.create(ADA)
        if text:
            await led.conversation.chat(ADA, Ask(text, session.id))
        calls = (each.sessions.delete(ADA, session.id, request_id=f"d{text}") for each in holders)
        outcomes = await within(asyncio.gather(*calls))
        assert outcomes[0] == outcomes[1]
        assert outcomes[0] == await led.sessions.delete(ADA, session.id, request_id=f"d{text}")
        assert await left(led) == []
    session, _ = await led.sessions.create(ADA)
    calls = (each.sessions.delete(ADA, session.id) for each in holders)
    outcomes = await within(asyncio.gather(*calls, return_exceptions=True))
    assert sorted(type(each).__name__ for each in outcomes) == ["NotFound", "tuple"]


async def test_a_delete_done_by_another_call_of_the_same_request(bare: Assistant) -> None:
    """Who finds the session gone because the same request was faster gets that request's result, not NOT_FOUND."""
    valve = Valve(bare.storage)
    session, _ = await bare.sessions.create(ADA)
    await bare.memories.remember(ADA, MessageDraft(session.id, CODE))
    valve.shut_reads("session")
    late = asyncio.create_task(second(bare, valve).sessions.delete(ADA, session.id, request_id="d"))
    await valve.reached()
    assert await bare.sessions.delete(ADA, session.id, request_id="d") == (1, 0)
    valve.open()
    assert await within(late) == (1, 0)


async def test_a_session_is_imported_anew_with_its_memories(bare: Assistant) -> None:
    """After a delete an import of the same session brings its memories and messages back, once."""
    for _ in range(2):
        session, existed = await bare.sessions.create(ADA, origin="s")
        assert not existed
        for again in (False, True):
            kept = await bare.memories.remember(ADA, MemoryDraft("A thing", session_id=session.id, origin="m"))
            assert (len(kept.memories), kept.existed) == (1, again)
            spoken = await bare.memories.remember(ADA, MessageDraft(session.id, "Said", origin="n"))
            assert spoken.existed == again
            assert spoken.message is not None
        assert await said(bare, session.id) == ["Said"]
        assert len(await memories(bare)) == 1
        await bare.sessions.delete(ADA, session.id)
    assert (await bare.memories.recall(ADA, "thing", Page()))[0] == []
