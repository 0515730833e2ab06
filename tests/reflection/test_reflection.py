"""Reflection in an assistant: every turn is promised and worked through, and a session takes along what was made."""

from __future__ import annotations

import asyncio

import pytest

import alejo
from alejo.app import Part, open_assistant
from alejo.clock import FakeClock
from alejo.errors import StartupError
from alejo.jobs import WorkerStatus
from alejo.queue.promises import LEARNING, REFLECTION
from alejo.queue.rows import LINES, LIVE, SIGNS, WATERMARKS
from alejo.reflection import Worker
from alejo.settings import Settings, read
from alejo.storage.store import SYSTEM
from alejo.storage.tables import SESSION_LOGS
from alejo.types import Degraded, Page, SessionState

from ..conftest import ADA, BOB


async def test_every_turn_is_worked_through(settings: Settings) -> None:
    """What was said in turns, of whoever, is worked through to the last message without anybody asking for it."""
    async with alejo.open(settings=settings) as assistant:
        told = {}
        for scope in (ADA, BOB):
            answer = await assistant.chat("One.", scope=scope)
            await assistant.chat("Two.", session_id=answer.session_id, scope=scope)
            told[scope] = answer.session_id
        await assistant.reflection.settled()
        for scope, session_id in told.items():
            row = await assistant.store.get(scope, SESSION_LOGS, bytes.fromhex(session_id))
            assert row
            assert (row.value.asked, row.value.asked_characters, row.value.answered) == (2, 8, 2)
            assert (await assistant.reflection.register.lag(scope, session_id, REFLECTION)).messages == 0
    assert list(settings.data_path.joinpath("workers").iterdir()) == []


async def test_a_deleted_session_takes_its_jobs_along(environment: dict[str, str]) -> None:
    """Of a deleted session no job, sign or watermark is left, whether something of it was worked through or not."""
    async with alejo.open(settings=read(environment, {"reflection.workers": 0})) as assistant:
        first, second = (await assistant.chat("One.", scope=ADA), await assistant.chat("Two.", scope=ADA))
        queue, processors = assistant.reflection.queue, assistant.processors()
        worker = Worker(assistant.store, queue, assistant.clock, {REFLECTION: processors[REFLECTION]}, batch=1)
        assert await worker.once() == 1
        for answer in (first, second):
            await assistant.sessions.delete(ADA, answer.session_id)
        for table in (LINES, LIVE, WATERMARKS, SESSION_LOGS):
            assert await assistant.store.scan(ADA, table) == []
        assert await assistant.store.scan(SYSTEM, SIGNS) == []


async def test_the_end_of_a_session_promises_what_is_learned(environment: dict[str, str]) -> None:
    """The end of a session promises once that it is learned from; archiving it later promises nothing more."""
    async with alejo.open(settings=read(environment, {"reflection.workers": 0})) as assistant:
        answer = await assistant.chat("One.", scope=ADA)
        for state in (SessionState.COMPLETED, SessionState.ARCHIVED):
            await assistant.sessions.update(ADA, answer.session_id, state=state)
        (job,), _ = await assistant.reflection.register.list(ADA, Page(9), kind=LEARNING)
        assert (job.from_seq, job.to_seq) == (1, 2)


async def test_a_turn_can_wait_until_it_is_reflected_on(environment: dict[str, str]) -> None:
    """In synchronous mode nothing of a session is left to do when its answer is given, worker or none."""
    for workers in (0, 1):
        settings = read(environment, {"reflection.workers": workers, "reflection.mode": "synchronous"})
        async with alejo.open(settings=settings) as assistant:
            answer = await assistant.chat("One.", scope=ADA)
            for number in range(3):
                assert (await assistant.reflection.register.lag(ADA, answer.session_id, REFLECTION)).messages == 0
                await assistant.chat(f"Number {number}.", session_id=answer.session_id, scope=ADA)
            row = await assistant.store.get(ADA, SESSION_LOGS, bytes.fromhex(answer.session_id))
            assert row
            assert row.value.asked == 4


async def test_a_server_gathers_what_is_said(environment: dict[str, str], clock: FakeClock) -> None:
    """What is said in a session within 0.3 s is one job of a server; a library has it done at once."""
    for part, scope, seconds in ((Part.SERVER, ADA, 0.3), (Part.WHOLE, BOB, 0.0)):
        settings = read(environment, {"reflection.workers": 0})
        async with open_assistant(settings=settings, part=part, clock=clock) as assistant:
            answer = await assistant.chat("One.", scope=scope)
            await assistant.chat("Two.", session_id=answer.session_id, scope=scope)
            (job,), _ = await assistant.reflection.register.list(scope, Page(9), session_id=answer.session_id)
            assert (job.from_seq, job.to_seq, job.ready_at - job.created_at) == (1, 4, seconds * 1e6)


async def test_turns_help_while_nobody_works(environment: dict[str, str], clock: FakeClock) -> None:
    """When no worker was heard for a minute each turn works through one job, and its answer says so."""
    async with alejo.open(settings=read(environment, {"reflection.workers": 0}), clock=clock) as assistant:
        reflection = assistant.reflection
        first = [await assistant.chat("One.", scope=scope) for scope in (ADA, BOB)]
        assert not [each for answer in first for each in answer.degraded if each.role == "reflection"]
        told: list[str] = []
        reflection.on_change(lambda: told.append(reflection.trouble))
        await reflection.look()
        assert await reflection.lend() == ()
        clock.advance(61)
        await reflection.look()
        answer = await assistant.chat("Two.", scope=ADA)
        assert Degraded("reflection", "", "unattended") in answer.degraded
        depth = await reflection.queue.depth()
        assert depth.queued == 2  # that of this turn, and one of the two
        await reflection.status.tell(WorkerStatus("somebody", 0, clock.now()))
        await reflection.look()
        assert await reflection.lend() == ()
        clock.advance(601)
        await reflection.status.tell(WorkerStatus("somebody", 0, clock.now()))
        await reflection.look()
        answer = await assistant.chat("Three.", scope=BOB)
        assert Degraded("reflection", "", "late") in answer.degraded
        assert told == ["unattended", "", "late"]


def test_a_mode_that_is_none_is_refused(environment: dict[str, str]) -> None:
    """A mode of reflection that does not exist is named at the start."""

    async def opened() -> None:
        async with alejo.open(settings=read(environment, {"reflection.mode": "eager"})):
            pass

    with pytest.raises(StartupError, match="background or synchronous, not eager"):
        asyncio.run(opened())
