"""What many jobs, bad jobs and jobs that fail together do to the others."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from alejo.client import Client
from alejo.clock import FakeClock
from alejo.errors import InvalidArgument, Unavailable
from alejo.ids import Ids
from alejo.jobs import Cause, Job
from alejo.queue.promises import REFLECTION
from alejo.queue.register import Register
from alejo.queue.stored import StoredQueue
from alejo.reflection import Effects, Piece, Worker
from alejo.storage.keyring import Keyring
from alejo.storage.store import Store, Writer
from alejo.testing.storage import MemoryStorage
from alejo.types import Ask, JobState, Page, Scope

from .house import SECONDS, House
from .size import size

USERS = [Scope("acme", f"user {number}") for number in range(10)]
POISON = size(3, 10)
GOOD = POISON * 200


async def test_many_jobs_of_one_user_delay_anothers_first_by_one(tmp_path: Path) -> None:
    """Over the server and its worker: however many jobs somebody has, another's first begins after one of them."""
    house = House(tmp_path, reflection_batch="1", reflection_concurrency="1", reflection_linger_seconds="0")
    try:
        await house.start()
        async with house.client("ada") as ada, house.client("bob") as bob:
            await ada.pause_jobs(REFLECTION)
            for _ in range(size(64, 10_000) // 8):
                await asyncio.gather(*(ada.chat(Ask("Hello")) for _ in range(8)))
            await bob.chat(Ask("Hello"))
            await ada.resume_jobs(REFLECTION)
            done = None
            async for change in bob.watch_jobs():
                if isinstance(change, Job) and change.state is JobState.DONE:
                    done = change
                    break
            assert done is not None
            before, token = [], "begin"
            while token:
                jobs, token = await ada.jobs(Page(1000, token.removeprefix("begin")))
                before += [job for job in jobs if 0 < job.began_at < done.began_at]
            assert len(before) <= 1
    finally:
        await house.close()


MORTAL = """
    import os, signal
    from alejo.hooks import hookimpl
    from alejo.types import Findings

    class Mortal:
        name = "mortal"
        wants = ()

        async def reflect(self, work):
            if any("poison" in said.message.text for said in work.messages):
                os.kill(os.getpid(), signal.SIGKILL)
            return Findings()

    @hookimpl
    def alejo_register_reflectors():
        return [Mortal()]
"""


async def test_a_processor_that_kills_its_worker_is_put_away(tmp_path: Path) -> None:
    """A job with which the worker ended three times is a dead letter; the server and everybody's other jobs go on."""
    house = House(tmp_path, reflection_batch="1")
    house.plugin("mortal", MORTAL)
    try:
        await house.start()
        async with house.client("ada") as ada, house.client("bob") as bob:
            bad = (await ada.chat(Ask("A poison pill."))).session_id
            good = [(await one.chat(Ask("Good morning."))).session_id for one in (ada, bob, bob)]
            ended = {(await ended_job(one, session)).state for one, session in zip((ada, bob, bob), good, strict=True)}
            assert ended == {JobState.DONE}
            dead = await ada.job((await ended_job(ada, bad)).id)
            assert dead.state is JobState.DEAD
            assert [each.failure.cause for each in dead.attempts] == [Cause.DEATH] * 3
            assert (await ended_job(bob, (await bob.chat(Ask("Good night."))).session_id)).state is JobState.DONE
            await house.stop()
    finally:
        await house.close()


async def ended_job(client: Client, session_id: str) -> Job:
    """A session's job of reflection once it is done, or dead."""
    async with asyncio.timeout(2 * SECONDS):
        while True:
            jobs, _ = await client.jobs(session_id=session_id, kind=REFLECTION)
            if jobs and all(job.state in (JobState.DONE, JobState.DEAD) for job in jobs):
                return jobs[-1]
            await asyncio.sleep(0.05)


class Trial:
    """A queue, a worker and a processor that counts how often it is given the jobs of each session."""

    name = "trial"

    def __init__(self, bad: dict[str, Exception]) -> None:
        self.bad = bad
        self.given: Counter[str] = Counter()
        self.calls = 0
        self.clock = FakeClock()
        self.store = Store(MemoryStorage(), Keyring(bytes(32)))
        kinds = {REFLECTION: (self.name,)}
        self.queue = StoredQueue(self.store, Ids(self.clock), self.clock, kinds, chance=random.Random(5))
        self.register = Register(self.store, self.queue.lines)
        self.worker = Worker(self.store, self.queue, self.clock, {REFLECTION: [self]})

    async def process(self, scope: Scope, pieces: Sequence[Piece]) -> Effects:
        self.calls += 1
        self.given.update(job.session_id for job, _ in pieces)
        for job, _ in pieces:
            if job.session_id in self.bad:
                raise self.bad[job.session_id]

        async def effects(writer: Writer) -> None:
            return

        return effects

    async def promise(self, sessions: Sequence[str]) -> None:
        """A job for each of these sessions, which belong to the users in turn."""
        for place, session_id in enumerate(sessions):
            scope = USERS[place % len(USERS)]
            writer = await self.store.writer(scope)
            await self.queue.enqueue(writer, scope, session_id, REFLECTION, 2)
            await writer.commit()

    async def drain(self) -> None:
        while (depth := await self.queue.depth()).queued + depth.delayed + depth.running:
            if not await self.worker.once():
                self.clock.advance(5)

    async def dead(self) -> list[Job]:
        pages = [(await self.register.list(user, Page(1000), states=[JobState.DEAD]))[0] for user in USERS]
        return [job for page in pages for job in page]


@pytest.mark.parametrize(
    ("error", "history"),
    [(InvalidArgument("no"), [Cause.PERMANENT]), (Unavailable("later"), [Cause.TRANSIENT] * 8)],
)
async def test_poison_costs_the_others_little(error: Exception, history: list[Cause]) -> None:
    """Jobs that always fail have less than a twentieth of the others' work done again, and end with their history."""
    sessions = [f"{number:032x}" for number in range(GOOD + POISON)]
    chance = random.Random(7)
    poison = set(chance.sample(sessions, POISON))
    trial = Trial(dict.fromkeys(poison, error))
    await trial.promise(sessions)
    await trial.drain()
    again = sum(count - 1 for session, count in trial.given.items() if session not in poison)
    assert 0 < again < GOOD / 20
    dead = await trial.dead()
    assert {job.session_id for job in dead} == poison
    assert [[each.failure.cause for each in job.attempts] for job in dead] == [history] * POISON
    assert len(trial.given) == GOOD + POISON


async def test_what_fails_together_does_not_come_back_together() -> None:
    """Of many jobs that fail together, told the same time to wait, no tenth of the spread sees three tenths."""
    count = size(200, 1000)
    sessions = [f"{number:032x}" for number in range(count)]
    trial = Trial(dict.fromkeys(sessions, Unavailable("later")))
    await trial.promise(sessions)
    while len({session for session, times in trial.given.items() if times}) < count:
        await trial.worker.once()
    rows = [job for user in USERS for job in (await trial.register.list(user, Page(1000)))[0]]
    assert {job.state for job in rows} == {JobState.DELAYED}
    told = trial.bad[sessions[0]].retry_after  # type: ignore[attr-defined]
    waits = sorted((job.not_before - trial.clock.now()) / 1e6 - told for job in rows)
    assert -0.1 < waits[0] <= waits[-1] <= 1
    assert max(sum(begin <= wait < begin + 0.1 for wait in waits) for begin in waits) < 0.3 * count
    trial.bad.clear()
    await trial.drain()
    assert await trial.dead() == []
