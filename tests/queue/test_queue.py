"""The stored queue: what a person may decide, what it tells of users, and how it behaves with many jobs."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alejo.clock import FakeClock
from alejo.errors import FailedPrecondition, InvalidArgument, NotFound
from alejo.ids import Ids
from alejo.queue import Cause, Failure, Job, JobState, Limits, Priority
from alejo.queue.presence import Presence
from alejo.queue.reconcile import Reconciler
from alejo.queue.register import Register
from alejo.queue.rows import SIGNS, UNDER_WAY, USERS, line_key
from alejo.queue.steps import failed
from alejo.queue.stored import StoredQueue
from alejo.storage import Delete
from alejo.storage.keyring import DATA_KEYS, Keyring
from alejo.storage.store import SYSTEM, Store
from alejo.storage.tables import AUDIT, SESSIONS
from alejo.testing.storage import MemoryStorage
from alejo.types import Page, Scope, Session, SessionState

from ..conftest import ADA, BOB
from ..proofs.size import size

KINDS = {"reflect": ("episodic", "semantic")}
ONE, TWO = "1" * 32, "2" * 32
BAD = Failure(Cause.TRANSIENT, "timeout", "semantic")
GONE = Failure(Cause.PERMANENT, "unknown_schema", "semantic")


class House:
    """A store in memory and the processes over it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.storage = MemoryStorage()
        self.store = Store(self.storage, Keyring(bytes(32)))
        self.failed: list[Job] = []
        self.queue = self.process()
        self.register = Register(self.store, self.queue.lines)

    def process(self, presence: Presence | None = None) -> StoredQueue:
        store = Store(self.storage, Keyring(bytes(32)))
        ids, chance = Ids(self.clock), random.Random(7)
        return StoredQueue(
            store, ids, self.clock, KINDS, presence=presence, chance=chance, limits=Limits(), failed=self.failed.append
        )

    async def enqueue(self, scope: Scope, session_id: str, to_seq: int) -> Job | None:
        writer = await self.store.writer(scope)
        job = await self.queue.enqueue(writer, scope, session_id, "reflect", to_seq)
        await writer.commit()
        self.clock.advance(1e-3)
        return job

    async def one(self) -> Job:
        (job,) = await self.queue.lease(limit=1)
        self.clock.advance(1e-3)
        return job

    async def ack(self, job: Job) -> None:
        await self.queue.ack(await self.store.writer(job.scope), job, processors=await self.queue.left(job))

    async def states(self, scope: Scope) -> dict[str, JobState]:
        return {job.id: job.state for job in (await self.register.list(scope, Page(100)))[0]}


@pytest.fixture
def house() -> House:
    return House()


async def test_what_failed_is_told(house: House) -> None:
    """Every attempt that counts is told when it failed: also one whose process is gone, none that was given back."""
    await house.enqueue(ADA, ONE, 2)
    await house.queue.release(await house.one())
    await house.queue.retry_later(await house.one(), BAD)
    house.clock.advance(1)
    await house.one()
    house.clock.advance(61)
    assert await house.queue.lease() == []
    house.clock.advance(4)
    await house.queue.dead_letter(await house.one(), GONE)
    causes = [job.attempts[-1].failure.cause for job in house.failed]
    assert causes == [Cause.TRANSIENT, Cause.DEATH, Cause.PERMANENT]
    assert [job.state for job in house.failed] == [JobState.DELAYED, JobState.DELAYED, JobState.DEAD]


async def test_a_dead_letter_is_a_gap(house: House) -> None:
    """What a dead job left out is recorded and passed; requeued, it is exactly that which is done again."""
    await house.enqueue(ADA, ONE, 2)
    job = await house.one()
    await house.queue.advance(await house.store.writer(ADA), "episodic", job)
    await house.queue.dead_letter(job, GONE)
    await house.enqueue(ADA, ONE, 4)
    await house.ack(await house.one())
    marks = await house.register.watermarks(ADA, ONE, "reflect")
    assert {name: mark.seq for name, mark in marks.items()} == {"episodic": 4, "semantic": 4}
    assert [(gap.job_id, gap.from_seq, gap.to_seq) for gap in marks["semantic"].gaps] == [(job.id, 1, 2)]
    assert marks["episodic"].gaps == ()
    (again,), _ = await house.register.requeue(ADA, [job.id])
    assert (again.state, again.attempt, [each.failure.code for each in again.attempts]) == (
        JobState.QUEUED, 0, ["unknown_schema"],
    )  # fmt: skip
    job = await house.one()
    assert await house.queue.left(job) == {"semantic": 1}
    await house.ack(job)
    marks = await house.register.watermarks(ADA, ONE, "reflect")
    assert [(mark.seq, mark.gaps) for mark in marks.values()] == [(4, ()), (4, ())]


async def test_a_job_is_told_with_its_history(house: House) -> None:
    """Every attempt that failed is told with when, whose, why and in which processor it was."""
    made = await house.enqueue(ADA, ONE, 2)
    assert made
    job = await house.one()
    await house.queue.retry_later(job, BAD)
    told = await house.register.get(ADA, made.id)
    assert told.state is JobState.DELAYED
    (attempt,) = told.attempts
    assert (attempt.number, attempt.owner, attempt.failure) == (1, house.queue.owner, BAD)
    assert attempt.began_at < attempt.ended_at
    with pytest.raises(NotFound):
        await house.register.get(BOB, made.id)
    with pytest.raises(InvalidArgument):
        await house.register.get(ADA, "it")


async def test_jobs_are_listed(house: House) -> None:
    """Jobs of every state are listed oldest first, by page, by state and by session, each user's own."""
    for number in range(7):
        await house.enqueue(ADA, f"{number:032x}", 1)
    done, dead = await house.one(), await house.one()
    await house.ack(done)
    await house.queue.dead_letter(dead, GONE)
    await house.enqueue(BOB, ONE, 1)
    every, token = await house.register.list(ADA, Page(4))
    more, end = await house.register.list(ADA, Page(4, token))
    assert [job.session_id for job in (*every, *more)] == [f"{number:032x}" for number in range(7)]
    assert end == ""
    states = {job.state for job in (*every, *more)}
    assert states == {JobState.QUEUED, JobState.DONE, JobState.DEAD}
    assert [job.id for job in (await house.register.list(ADA, Page(9), states=[JobState.DEAD]))[0]] == [dead.id]
    assert len((await house.register.list(ADA, Page(9), session_id=f"{3:032x}"))[0]) == 1
    with pytest.raises(InvalidArgument):
        await house.register.list(BOB, Page(4, token), kind="reflect")


async def test_decisions_about_dead_letters(house: House) -> None:
    """Dead letters are requeued and discarded one by one, by session or all, and the audit says so; others never."""
    jobs = []
    for session, scope in ((ONE, ADA), (TWO, ADA), ("3" * 32, ADA), (ONE, BOB)):
        await house.enqueue(scope, session, 1)
        jobs.append(await house.one())
        await house.queue.dead_letter(jobs[-1], GONE)
    live = await house.enqueue(ADA, "4" * 32, 1)
    assert live
    assert await house.register.requeue(ADA, [live.id]) == ([live], False)
    with pytest.raises(FailedPrecondition, match="is queued, not dead"):
        await house.register.discard(ADA, [live.id])
    with pytest.raises(NotFound):
        await house.register.discard(ADA, [jobs[3].id])
    for _ in range(2):
        (gone,), _ = await house.register.discard(ADA, [jobs[0].id])
        assert gone.state is JobState.CANCELLED
    with pytest.raises(FailedPrecondition, match="is cancelled, not dead"):
        await house.register.requeue(ADA, [jobs[0].id])
    await house.register.requeue(ADA, session_id=TWO)
    await house.register.requeue(ADA)
    states = await house.states(ADA)
    assert [states[job.id] for job in jobs[:3]] == [JobState.CANCELLED, JobState.QUEUED, JobState.QUEUED]
    assert (await house.register.watermarks(ADA, ONE, "reflect"))["semantic"].gaps == ()
    assert (await house.states(BOB))[jobs[3].id] is JobState.DEAD
    await house.queue.sweep()  # what another process decided is seen in a minute at the latest
    assert (await house.queue.depth()).dead == 1
    entries = [(row.value.action, row.value.subject) for row in await house.store.scan(ADA, AUDIT)]
    assert entries == [("job.discard", jobs[0].id), ("job.requeue", jobs[1].id), ("job.requeue", jobs[2].id)]


async def test_a_pause_holds_everywhere(house: House) -> None:
    """While a kind is paused no process hands out its jobs; what is under way goes on."""
    other = house.process()
    await house.enqueue(ADA, ONE, 1)
    await house.enqueue(ADA, TWO, 1)
    job = await house.one()
    await house.register.pause("reflect")
    await house.register.pause()
    assert await other.lease() == []
    await house.ack(job)
    await house.register.resume("reflect")
    assert (await other.lease(), list(await house.register.paused())) == ([], ["*"])
    await house.register.resume()
    assert len(await other.lease()) == 1
    with pytest.raises(InvalidArgument):
        await house.register.pause("dreams")
    actions = [row.value.action for row in await house.store.scan(SYSTEM, AUDIT)]
    assert actions == ["jobs.pause", "jobs.pause", "jobs.resume", "jobs.resume"]


async def test_signs_name_nobody(house: House) -> None:
    """What stands beside all users' rows tells no tenant, user or session, and goes when the user's key is gone."""
    await house.enqueue(ADA, ONE, 1)
    await house.enqueue(BOB, ONE, 1)
    rows = [*await house.store.scan(SYSTEM, SIGNS), *await house.store.scan(SYSTEM, USERS)]
    assert len(rows) == 4
    for row in rows:
        for name in (b"acme", b"ada", b"bob", bytes.fromhex(ONE), ONE.encode()):
            assert name not in row.key
            assert name not in repr(row.value).encode()
    vault = await house.store.vault(ADA)
    assert vault
    keys = await house.storage.scan(DATA_KEYS, bytes.fromhex(vault.name))
    await house.storage.commit([Delete(DATA_KEYS, record.key) for record in keys])
    queue = house.process()
    assert [job.scope for job in await queue.lease()] == [BOB]
    assert len(await house.store.scan(SYSTEM, SIGNS)) == 1
    await Reconciler(Store(house.storage, Keyring(bytes(32))), queue, house.clock, KINDS).every()
    assert len(await house.store.scan(SYSTEM, USERS)) == 1


async def test_only_an_owner_that_is_gone_is_not_waited_for(house: House, tmp_path: Path) -> None:
    """When a process ended its jobs go to another at once; those of one that lives have their time."""
    mine, yours = (Presence(tmp_path / "processes", "boot") for _ in range(2))
    house.queue = house.process(mine)
    other = house.process(yours)
    await house.enqueue(ADA, ONE, 1)
    await house.one()
    await house.enqueue(BOB, ONE, 1)
    assert len(await other.lease()) == 1
    assert await other.reap() == 0
    mine.close()
    assert await other.reap() == 1
    house.clock.advance(2)
    assert await other.lease() == []  # it may have ended its process: not while another runs here
    assert other.counts["expired"] == 1
    yours.close()
    third = house.process(Presence(tmp_path / "processes", "boot"))
    assert await third.reap() == 1
    assert len(list((tmp_path / "processes").iterdir())) == 1
    await third.close()


async def test_what_waits_behind_does_not_prolong_a_lease(house: House) -> None:
    """A turn that comes just before a lease ends puts off nothing: it ends in its time."""
    other = house.process()
    await house.enqueue(ADA, ONE, 1)
    await house.one()
    assert await other.lease() == []
    house.clock.advance(59.5)
    await house.enqueue(ADA, ONE, 2)
    assert await other.lease() == []
    house.clock.advance(0.6)
    await other.lease()
    assert other.counts["expired"] == 1


async def test_a_lease_is_not_ended_by_a_clock_that_is_set(house: House, tmp_path: Path) -> None:
    """Who shares the owner's boot goes by the clock that nobody sets; others by the time of day."""
    near, far = Presence(tmp_path / "near", "boot"), Presence(tmp_path / "far", "another boot")
    house.queue = house.process(near)
    await house.enqueue(ADA, ONE, 1)
    await house.one()
    house.clock._now += 3_600_000_000  # an hour, of which the other clock knows nothing
    assert await house.process(Presence(tmp_path / "near", "boot")).lease() == []
    assert (await house.store.get(ADA, UNDER_WAY, line_key(ONE, "reflect"))).value.state is JobState.RUNNING
    assert await house.process(far).lease() == []
    assert (await house.store.get(ADA, UNDER_WAY, line_key(ONE, "reflect"))).value.state is JobState.DELAYED


async def test_what_nobody_was_promised_is_found(house: House) -> None:
    """Turns without a job, lines without a sign and processors that are behind are mended once, when it is quiet."""
    writer = await house.store.writer(ADA)
    now = house.clock.now()
    for session_id, count in ((ONE, 4), (TWO, 2), ("3" * 32, 0), ("4" * 32, 2)):
        session = Session(session_id, SessionState.ACTIVE, now, now, message_count=count)
        writer.put(SESSIONS, bytes.fromhex(session_id), session)
    await writer.commit()
    await house.enqueue(ADA, TWO, 2)
    await house.enqueue(ADA, "4" * 32, 2)
    reconciler = Reconciler(house.store, house.queue, house.clock, KINDS)
    assert await reconciler.every() == 0  # they may be in a turn
    assert [(await house.register.lag(ADA, session, "reflect")).messages for session in (ONE, "3" * 32)] == [4, 0]
    house.clock.advance(61)
    assert await reconciler.every() == 1
    system = await house.store.writer(SYSTEM)
    for row in await house.store.scan(SYSTEM, SIGNS):
        system.delete(SIGNS, row.key)
    await system.commit()
    house.queue = house.process()
    assert await house.queue.lease() == []
    assert await Reconciler(house.store, house.queue, house.clock, KINDS).every() == 3
    jobs = [await house.one() for _ in range(3)]
    assert sorted((job.session_id, job.to_seq) for job in jobs) == [(ONE, 4), (TWO, 2), ("4" * 32, 2)]
    await house.queue.dead_letter(jobs[0], GONE)  # a gap is not behind
    for job in jobs[1:]:
        await house.ack(job)
    assert (await house.register.lag(ADA, ONE, "reflect")).messages == 0
    assert await Reconciler(house.store, house.queue, house.clock, KINDS).every() == 0


async def test_many_jobs_of_one_user_delay_another_by_one(house: House) -> None:
    """However many jobs somebody has, another's first is handed out after one of them at most."""
    count = size(300, 10_000)
    writer = await house.store.writer(ADA)
    for number in range(count):
        await house.queue.enqueue(writer, ADA, f"{number:032x}", "reflect", 1, priority=Priority.NORMAL)
        if number % 100 == 99:
            await writer.commit()
    job = await house.one()
    await house.enqueue(BOB, ONE, 1)
    await house.ack(job)
    assert [job.scope, *[(await house.one()).scope for _ in range(2)]] == [ADA, BOB, ADA]


@pytest.mark.parametrize("attempt", [4, 5, 6])
def test_retries_spread(attempt: int) -> None:
    """Of a thousand jobs that fail together no second sees twice the mean come back, and the spread is even."""
    chance, limits = random.Random(attempt), Limits()
    job = Job("j", ADA, ONE, "reflect", 1, 1, 0, 0, state=JobState.RUNNING, attempt=attempt)
    span = 2 ** (attempt - 1)
    waits = sorted(failed(job, BAD, 0, limits, chance).not_before / 1e6 for _ in range(1000))
    assert 0 <= waits[0] <= waits[-1] <= span
    assert max(sum(begin <= wait < begin + 1 for wait in waits) for begin in waits) <= 2 * 1000 / span
    # Kolmogorov and Smirnov: an even spread stays within 1.63/√n of the diagonal in 99 of 100 cases.
    assert max(abs(wait / span - place / 1000) for place, wait in enumerate(waits)) < 1.63 / 1000**0.5


async def test_the_schedule_survives_a_restart(house: House) -> None:
    """What failed together comes back after a restart, each job not before its time and none forgotten."""
    due = {}
    for number in range(60):
        await house.enqueue(ADA, f"{number:032x}", 1)
    for _ in range(60):
        job = await house.one()
        due[job.id] = (await house.queue.retry_later(job, Failure(Cause.TRANSIENT, "down", "", 5.0))).not_before
    house.queue = house.process()
    for moment in sorted(due.values()):
        house.clock.advance(max(0, moment - 1 - house.clock.now()) / 1e6)
        assert all(due[job.id] <= house.clock.now() for job in await house.queue.lease())
        house.clock.advance(2e-6)
        for job in await house.queue.lease():
            assert due.pop(job.id) <= house.clock.now()
    assert due == {}


async def test_poison_ends_in_the_dead_letters(house: House) -> None:
    """Ten jobs that end their process are tried three times each and kept with why; all others are done."""
    poison = {f"{number:032x}" for number in range(0, 100, 10)}
    for number in range(100):
        await house.enqueue(ADA if number % 2 else BOB, f"{number:032x}", 1)
    done, tried, ended = set(), 0, 0
    while (depth := await house.queue.depth()).queued + depth.delayed + depth.running:
        jobs = await house.queue.lease()
        tried += len(jobs)
        if any(job.session_id in poison for job in jobs):
            house.queue = house.process()  # it took the process with it, and all that was under way
            house.clock.advance(61)
            ended += 1
            continue
        for job in jobs:
            await house.ack(job)
            done.add(job.session_id)
        house.clock.advance(0.5)
    dead = [
        job for scope in (ADA, BOB) for job in (await house.register.list(scope, Page(20), states=[JobState.DEAD]))[0]
    ]
    assert {job.session_id for job in dead} == poison
    assert {tuple(each.failure.cause for each in job.attempts) for job in dead} == {(Cause.DEATH,) * 3}
    assert len(done) == 90
    assert ended <= 30
    assert tried <= 100 + 3 * 10 + 10 * 9  # once each, the poison three times, and whom it took along once more


@pytest.fixture
async def presence(tmp_path: Path) -> AsyncIterator[Presence]:
    one = Presence(tmp_path / "processes")
    yield one
    one.close()


def test_presence(presence: Presence, tmp_path: Path) -> None:
    """Who is there is never taken for gone; who closed is, until somebody removes what it left."""
    other = Presence(tmp_path / "processes")
    assert presence.owner != other.owner
    assert presence.gone() == other.gone() == set()
    other.close()
    other.close()
    assert presence.gone() == {other.owner}
    presence.bury({other.owner, "never:was"})
    assert presence.gone() == set()
