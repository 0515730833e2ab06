"""Reflection in an assistant: every turn is promised and worked through, and a session takes along what was made."""

from __future__ import annotations

import alejo
from alejo.queue.promises import LEARNING, REFLECTION
from alejo.queue.rows import LINES, LIVE, SIGNS, WATERMARKS
from alejo.reflection import Worker
from alejo.reflection.statistics import Statistics
from alejo.settings import Settings, read
from alejo.storage.store import SYSTEM
from alejo.storage.tables import SESSION_LOGS
from alejo.types import Page, SessionState

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
        processors = {REFLECTION: [Statistics(assistant.store)]}
        worker = Worker(assistant.store, assistant.reflection.queue, assistant.clock, processors, batch=1)
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
