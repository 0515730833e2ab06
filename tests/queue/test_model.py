"""The queue against a simple model of it, over random operations and restarts."""

from __future__ import annotations

import contextlib
import functools
import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from alejo.clock import FakeClock
from alejo.errors import Conflict, FailedPrecondition, NotFound
from alejo.ids import Ids
from alejo.queue import Cause, Failure, Job, JobState, Limits, Priority
from alejo.queue.presence import Presence
from alejo.queue.register import Register
from alejo.queue.rows import line_hash, line_key
from alejo.queue.stored import StoredQueue
from alejo.storage.keyring import Keyring
from alejo.storage.store import Store
from alejo.testing.storage import MemoryStorage
from alejo.types import Page, Scope

from ..proofs.size import FULL, size
from .model import Model, Place, Process, Work

KINDS = {"reflect": ("episodic", "semantic"), "learn": ("pairs",), "plain": ()}
USERS = ("ada", "bob", "cy")
SESSIONS = tuple(f"{number:032x}" for number in range(1, 5))
FRACTION = 0.37
CAUSES = (Cause.TRANSIENT, Cause.TRANSIENT, Cause.TRANSIENT, Cause.PERMANENT, Cause.INVALID, Cause.DOWN)

STEPS = {
    "enqueue": 25,
    "late": 2,
    "lease": 24,
    "work": 36,
    "decide": 3,
    "reap": 6,
    "pause": 1,
    "cancel": 0.5,
    "restart": 1.5,
    "wait": 0.2,
    "compare": 0.8,
}


@functools.cache
def ties(place: Place) -> tuple[bytes, bytes]:
    user = Keyring(bytes(32)).prefix(Scope("acme", place[0]))
    return user, line_hash(user, line_key(place[1], place[2]))


class Steady(random.Random):
    """Chance that always falls on the same place between its bounds."""

    def uniform(self, a: float, b: float) -> float:
        return a + FRACTION * (b - a)


class Given(NamedTuple):
    """A job that a process was given, and the model's; None when it was handed to another since."""

    by: int
    job: Job
    work: Work | None


class Drive:
    """Two processes over one store, and the model beside them; every step does the same to both and compares."""

    def __init__(self, chance: random.Random, folder: Path) -> None:
        self.chance = chance
        self.folder = folder
        self.clock = FakeClock()
        self.limits = Limits(ended=7_200.0)
        self.model = Model(KINDS, self.limits, FRACTION, ties)
        self.storage = MemoryStorage()
        self.ids = Ids(self.clock)
        self.queues: list[StoredQueue] = []
        self.processes: list[Process] = []
        self.presences: list[Presence] = []
        self.handles: list[tuple[int, Job]] = []  # what each process was given, also when it is not its own any more
        self.seen: Counter[str] = Counter()
        for _ in range(2):
            self.start()

    def start(self, place: int = -1) -> None:
        presence = Presence(self.folder, "boot")
        store = Store(self.storage, Keyring(bytes(32)))
        queue = StoredQueue(store, self.ids, self.clock, KINDS, presence=presence, limits=self.limits, chance=Steady())
        if place < 0:
            self.queues.append(queue)
            self.processes.append(Process(queue.owner))
            self.presences.append(presence)
        else:
            self.queues[place], self.processes[place], self.presences[place] = queue, Process(queue.owner), presence
        self.store = store
        self.register = Register(store, queue.lines)

    def same(self, job: Job | None, work: Work | None) -> None:
        if job is None or work is None:
            assert job is None, job
            assert work is None, work
            return
        shown = (job.id, job.scope.user, job.session_id, job.kind, job.from_seq, job.to_seq)
        assert shown == (work.id, *work.place, work.from_seq, work.to_seq)
        told = (job.state, job.priority, job.attempt, job.ready_at, [(a.number, a.failure.cause) for a in job.attempts])
        assert told == (work.state, work.priority, work.attempt, work.ready_at, work.history[-32:]), (job, work)
        if work.state is JobState.RUNNING:
            assert job.lease
            assert (job.lease.owner, job.lease.token, job.lease.until) == (work.owner, work.token, work.until)
        else:
            assert job.lease is None

    def place(self) -> Place:
        return self.chance.choice(USERS), self.chance.choice(SESSIONS), self.chance.choice(list(KINDS))

    async def enqueue(self, *, late: bool = False) -> None:
        place, priority = self.place(), self.chance.choice(list(Priority))
        linger = self.chance.choice((0.0, 0.0, 0.5, 3.0))
        if late and (first := self.model.first(self.processes[0], self.model.ready(set(KINDS), self.clock.now()))):
            place = first.place
        user, session, kind = place
        row = self.model.rows.get(place)
        before = row.changed if row else 0
        to_seq = max(1, (row.reached if row else 0) + self.chance.randint(-1, 3))
        scope = Scope("acme", user)
        writer = await self.store.writer(scope)
        queue = self.chance.choice(self.queues)
        job = await queue.enqueue(writer, scope, session, kind, to_seq, priority=priority, linger=linger)
        made = self.clock.now()
        if late:
            for _ in range(4):
                self.clock.advance(1e-3)
                await self.lease()
            row = self.model.rows.get(place)
            if job is not None and (row.changed if row else 0) != before:
                self.seen["late"] += 1
                with pytest.raises(Conflict):
                    await writer.commit()
                return
        await writer.commit()
        self.same(job, self.model.enqueue(place, to_seq, priority, made, linger, job.id if job else ""))

    async def lease(self) -> None:
        which = self.chance.randrange(2)
        wanted = set(self.chance.sample(list(KINDS), self.chance.choice((1, 2, 3, 3, 3))))
        limit = self.chance.choice((1, 1, 2, 5))
        jobs = await self.queues[which].lease(wanted, limit=limit)
        token = jobs[0].lease.token if jobs and jobs[0].lease else 0
        most = len(jobs) or limit  # what another process did with somebody else's line may cut a batch short
        works = self.model.lease(self.processes[which], wanted, most, self.clock.now(), token)
        assert [job.id for job in jobs] == [work.id for work in works], (jobs, works)
        for job, work in zip(jobs, works, strict=True):
            self.same(job, work)
            self.handles.append((which, job))
        self.seen[f"leased {min(len(jobs), 2)}"] += 1
        self.seen["suspect"] += any(job.failures(Cause.DEATH) for job in jobs)

    def given(self) -> Given:
        by, job = self.handles.pop(self.chance.randrange(len(self.handles)))
        work = self.model.live.get(job.id)
        return Given(by, job, work if work and job.lease and work.token == job.lease.token else None)

    def lost(self, given: Given, error: BaseException | None) -> None:
        """The process was told that the job is another's."""
        assert given.work is None
        assert error is None or getattr(error, "reason", "") == "LEASE_LOST"
        self.seen["lost"] += 1
        held, lease = self.processes[given.by].held, given.job.lease
        if lease and held.get(given.job.id, (0, False))[0] == lease.token:
            del held[given.job.id]

    async def advance(self, given: Given) -> None:
        name = self.chance.choice([*KINDS[given.job.kind], "episodic"])
        done = given.work is None or name not in self.model.left(given.work)
        writer = await self.store.writer(given.job.scope)
        with pytest.raises((FailedPrecondition, Conflict)) if done else contextlib.nullcontext() as refused:
            await self.queues[given.by].advance(writer, name, given.job)
        if refused and refused.type is Conflict:
            self.lost(given, refused.value)
        elif given.work:
            self.handles.append((given.by, given.job))
            if not done:
                self.model.advance(given.work, name)

    async def ack(self, given: Given, *, whole: bool) -> None:
        queue = self.queues[given.by]
        names = await queue.left(given.job) if whole else {}
        left = given.work is None or set(self.model.left(given.work)) - set(names)
        writer = await self.store.writer(given.job.scope)
        with pytest.raises((FailedPrecondition, Conflict)) if left else contextlib.nullcontext() as refused:
            await queue.ack(writer, given.job, processors=names)
        if refused and refused.type is Conflict:
            self.lost(given, refused.value)
        elif given.work and left:
            self.handles.append((given.by, given.job))
        elif given.work:
            for name in names:
                self.model.advance(given.work, name)
            self.model.ack(self.processes[given.by], given.work, self.clock.now())
            self.seen["acked"] += 1

    async def fail(self, given: Given, failure: Failure) -> None:
        queue = self.queues[given.by]
        with contextlib.nullcontext() if given.work else pytest.raises(Conflict) as refused:
            if failure.cause is Cause.DOWN and not failure.retry_after:
                after = await queue.release(given.job)
            elif failure.cause is Cause.PERMANENT:
                after = await queue.dead_letter(given.job, failure)
            else:
                after = await queue.retry_later(given.job, failure)
        if refused:
            self.lost(given, refused.value)
        elif given.work:
            self.model.fail(self.processes[given.by], given.work, failure, self.clock.now())
            self.same(after, given.work)

    async def beat(self, given: Given) -> None:
        kept = await self.queues[given.by].beat(given.job)
        assert len(kept) == (given.work is not None)
        if given.work:
            given.work.until = self.clock.now() + round(self.limits.lease * 1e6)
            self.same(kept[0], given.work)
            self.handles.append((given.by, kept[0]))
        else:
            self.lost(given, None)

    async def work(self) -> None:
        if not self.handles:
            return
        given = self.given()
        roll = self.chance.random()
        if roll < 0.25:
            await self.advance(given)
        elif roll < 0.6:
            await self.ack(given, whole=roll < 0.4)
        elif roll < 0.9:
            await self.fail(given, Failure(self.chance.choice(CAUSES), "why", "", self.chance.choice((0.0, 0.0, 7.0))))
        else:
            await self.beat(given)

    async def restart(self) -> None:
        which = self.chance.randrange(2)
        if self.chance.random() < 0.5:
            await self.queues[which].close()
            for owner, job in self.handles:
                work = self.model.live.get(job.id)
                if owner == which and work and job.lease and work.token == job.lease.token:
                    self.model.fail(self.processes[which], work, Failure(Cause.DOWN, ""), self.clock.now())
        else:
            self.presences[which].close()  # as the end of a process would
        self.model.gone.add(self.processes[which].owner)
        self.handles = [each for each in self.handles if each[0] != which]
        self.start(which)
        self.seen["restarts"] += 1

    async def reap(self) -> None:
        which = self.chance.randrange(2)
        ended = await self.queues[which].reap()
        assert ended == self.model.reap(self.processes[which], self.clock.now())
        self.seen["reaped"] += ended

    async def decide(self) -> None:
        if not self.model.dead:
            return
        job = self.chance.choice(list(self.model.dead.values()))
        scope, again = Scope("acme", job.place[0]), self.chance.random() < 0.7
        decide = self.register.requeue if again else self.register.discard
        if self.chance.random() < 0.8:
            await decide(scope, [job.id])
            works = [job]
        else:
            works = sorted((each for each in self.model.dead.values() if each.place == job.place), key=lambda w: w.id)
            await decide(scope, session_id=job.place[1], kind=job.place[2])
        for work in works:
            if again:
                self.model.requeue(work, self.clock.now())
            else:
                self.model.discard(work, self.clock.now())
        self.seen["requeued" if again else "discarded"] += len(works)

    async def pause(self) -> None:
        kind = self.chance.choice([*KINDS, "*"])
        if kind in self.model.paused:
            self.model.paused.remove(kind)
            await self.register.resume(kind)
        elif self.chance.random() < 0.3:
            self.model.paused.add(kind)
            await self.register.pause(kind)

    async def cancel(self) -> None:
        user, session, _ = self.place()
        writer = await self.store.writer(Scope("acme", user))
        await self.chance.choice(self.queues).cancel(writer, Scope("acme", user), session)
        await writer.commit()
        self.model.cancel(user, session)

    async def compare(self) -> None:
        which = self.chance.randrange(2)
        queue = self.queues[which]
        await queue.sweep()
        depth = await queue.depth()
        now = self.clock.now()
        self.model.expire(self.processes[which], now)
        heads = [row.jobs[0] for row in self.model.rows.values() if row.jobs]
        waits = [job for job in heads if job.state is not JobState.RUNNING and job.not_before <= now]
        running = [job for job in heads if job.state is JobState.RUNNING]
        assert (depth.queued, depth.delayed, depth.running, depth.dead) == (
            len(waits),
            len(heads) - len(waits) - len(running),
            len(running),
            len(self.model.dead),
        )
        assert depth.oldest == pytest.approx(max((now - job.ready_at for job in waits), default=0) / 1e6)
        for user in USERS:
            scope, jobs, token = Scope("acme", user), list[Job](), ""
            live = (JobState.QUEUED, JobState.RUNNING, JobState.DELAYED, JobState.DEAD)
            while True:
                more, token = await self.register.list(scope, Page(7, token), states=live)
                jobs += more
                if not token:
                    break
            works = sorted(
                (job for job in (*self.model.live.values(), *self.model.dead.values()) if job.place[0] == user),
                key=lambda job: job.id,
            )
            assert [job.id for job in jobs] == [work.id for work in works]
            for job, work in zip(jobs, works, strict=True):
                self.same(job, work)
            for session in SESSIONS:
                for kind, names in KINDS.items():
                    marks = await self.register.watermarks(scope, session, kind)
                    told = {
                        name: (mark.seq, {gap.job_id: gap.from_seq for gap in mark.gaps})
                        for name, mark in marks.items()
                    }
                    wanted = {name: self.model.marks.get((user, session, name)) for name in names}
                    assert told == {name: (mark.seq, mark.gaps) if mark else (0, {}) for name, mark in wanted.items()}
        for job_id, (state, at) in list(self.model.ended.items())[-3:]:
            found = [each.state for user in USERS if (each := await self.find(user, job_id))]
            assert found == [state] or now - at >= self.limits.ended * 1e6

    async def find(self, user: str, job_id: str) -> Job | None:
        try:
            return await self.register.get(Scope("acme", user), job_id)
        except NotFound:
            return None

    async def wait(self) -> None:
        self.clock.advance(70.0)

    async def late(self) -> None:
        await self.enqueue(late=True)

    async def step(self) -> None:
        self.clock.advance(self.chance.choice((1e-5, 1e-3, 0.1, 1.0, 5.0)) * (1 + self.chance.random()))
        (name,) = self.chance.choices(list(STEPS), list(STEPS.values()))
        await getattr(self, name)()


@pytest.mark.parametrize("seed", range(3) if FULL else [1])
async def test_the_queue_is_as_the_model(seed: int, tmp_path: Path) -> None:
    """Over random operations and restarts of two processes, the queue never differs from a simple model of it."""
    drive = Drive(random.Random(seed), tmp_path / "processes")
    operations = size(5_000, 200_000)
    for number in range(operations):
        try:
            await drive.step()
        except BaseException:
            print(f"at operation {number} of seed {seed}")
            raise
    await drive.compare()
    happened = ("late", "leased 2", "suspect", "lost", "acked", "restarts", "reaped", "requeued", "discarded")
    assert [name for name in happened if not drive.seen[name]] == []
    for presence in drive.presences:
        presence.close()
