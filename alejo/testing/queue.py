"""The conformance suite of queues. A queue's own tests run it in a few lines:

    from alejo.testing.queue import Bench, checks

    @pytest.mark.parametrize("check", checks(), ids=str)
    def test_conformance(check: Check) -> None:
        check.run(Bench(open_mine))

`open_mine` is called like `alejo.queue.stored.StoredQueue`: with store, ids, clock and kinds, and by keyword with
limits and chance. Opened again over the same store it is another process that hands out the same jobs.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from alejo.clock import FakeClock
from alejo.errors import AlejoError, Conflict, FailedPrecondition, InvalidArgument, ResourceExhausted
from alejo.ids import Ids
from alejo.queue import Cause, Failure, Job, JobState, Limits, Priority, Queue
from alejo.storage.keyring import Keyring
from alejo.storage.store import Store
from alejo.storage.tables import Table
from alejo.types import Scope

from .conformance import Check, same
from .storage import MemoryStorage

KINDS = {"reflect": ("episodic", "semantic"), "plain": ()}
EFFECTS = Table("effect", str)
ADA, BOB = Scope("acme", "ada"), Scope("acme", "bob")
ONE, TWO = "1" * 32, "2" * 32
BAD = Failure(Cause.TRANSIENT, "bad_day")


class Bench:
    """An empty store, in memory if none is given, a clock that stands still, and the queue under test."""

    def __init__(self, opener: Callable[..., Queue], store: Callable[[], Store] | None = None) -> None:
        self._opener = opener
        self._empty = store or (lambda: Store(MemoryStorage(), Keyring(bytes(32))))
        self.clock = FakeClock()
        self.store: Store
        self._ids = Ids(self.clock)

    def reset(self) -> None:
        """An empty store."""
        self.store = self._empty()

    def open(self, **limits: Any) -> Any:
        """A queue over the store, with limits other than the usual."""
        return self._opener(
            self.store,
            self._ids,
            self.clock,
            KINDS,
            limits=Limits(**limits),
            chance=random.Random(1),  # noqa: S311
        )

    async def enqueue(
        self, queue: Queue, scope: Scope, session_id: str, to_seq: int, kind: str = "reflect", **options: Any
    ) -> Job | None:
        """Enqueues in a commit of its own."""
        writer = await self.store.writer(scope)
        job = await queue.enqueue(writer, scope, session_id, kind, to_seq, **options)
        await writer.commit()
        return job

    async def one(self, queue: Queue, **options: Any) -> Job:
        """The only job that is handed out."""
        jobs = await queue.lease(**options)
        same(len(jobs), 1)
        return jobs[0]

    async def advance(self, queue: Queue, job: Job, processor: str) -> None:
        """Commits a processor's effect."""
        writer = await self.store.writer(job.scope)
        writer.put(EFFECTS, job.effect_key(processor).encode(), processor)
        await queue.advance(writer, processor, job)

    async def ack(self, queue: Queue, job: Job) -> None:
        """Commits all effects that are left, and that the job is done."""
        left = await queue.left(job)
        writer = await self.store.writer(job.scope)
        for processor in left:
            writer.put(EFFECTS, job.effect_key(processor).encode(), processor)
        await queue.ack(writer, job, processors=left)

    async def effects(self, scope: Scope) -> list[str]:
        """The effects that were committed."""
        return [row.key.decode() for row in await self.store.scan(scope, EFFECTS)]

    async def refused(self, kind: type[AlejoError], call: Awaitable[Any], reason: str = "") -> None:
        """Awaits what must raise an error of this kind and reason."""
        try:
            result = await call
        except kind as error:
            same(error.reason, reason or kind.reason)
            return
        raise AssertionError(f"gave {result!r}, wanted {kind.__name__}")


CHECKS: list[Check[Bench]] = []


def fact(body: Callable[[Bench], Awaitable[None]]) -> None:
    async def fresh(bench: Bench) -> None:
        bench.reset()
        await body(bench)

    CHECKS.append(Check("queue", body.__name__, (body.__doc__ or "").strip(), fresh))


@fact
async def a_job_is_handed_out_once(bench: Bench) -> None:
    """What was enqueued is leased once, to whichever process asks first, with its attempt counted."""
    queue, other = bench.open(), bench.open()
    made = await bench.enqueue(queue, ADA, ONE, 4)
    job = await bench.one(other)
    same((job.id, job.from_seq, job.to_seq, job.attempt), (made and made.id, 1, 4, 1))
    same(await queue.lease(), [])
    same(await other.lease(), [])


@fact
async def nothing_without_its_commit(bench: Bench) -> None:
    """A batch that is not kept promises nothing."""
    queue = bench.open()
    writer = await bench.store.writer(ADA)
    await queue.enqueue(writer, ADA, ONE, "reflect", 1)
    writer.expect(EFFECTS, b"absent", 7)
    await bench.refused(Conflict, writer.commit())
    same(await queue.lease(), [])


@fact
async def what_waits_reaches_further(bench: Bench) -> None:
    """Later turns make the job that waits reach further; once it is taken they go to one successor, which waits."""
    queue = bench.open()
    first = await bench.enqueue(queue, ADA, ONE, 2)
    grown = await bench.enqueue(queue, ADA, ONE, 4, priority=Priority.HIGH)
    same((grown and grown.id, grown and grown.to_seq), (first and first.id, 4))
    same(await bench.enqueue(queue, ADA, ONE, 4), None)
    job = await bench.one(queue)
    same((job.to_seq, job.priority), (4, Priority.HIGH))
    for seq in (6, 8):
        await bench.enqueue(queue, ADA, ONE, seq)
    same(await queue.lease(), [])
    await bench.ack(queue, job)
    after = await bench.one(queue)
    same((after.from_seq, after.to_seq), (5, 8))
    await bench.ack(queue, after)
    same(await queue.lease(), [])


@fact
async def a_turn_loses_to_a_lease(bench: Bench) -> None:
    """A turn that was about to add to a job which is taken meanwhile is refused, and its next try gets a successor."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 2)
    writer = await bench.store.writer(ADA)
    await queue.enqueue(writer, ADA, ONE, "reflect", 4)
    await bench.one(queue)
    await bench.refused(Conflict, writer.commit())
    again = await bench.enqueue(queue, ADA, ONE, 4)
    same((again and again.from_seq, again and again.to_seq), (3, 4))


@fact
async def processors_are_done_one_by_one(bench: Bench) -> None:
    """Each processor's effects are kept with its watermark; a retry has only those to do that failed."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 2)
    job = await bench.one(queue)
    same(await queue.left(job), {"episodic": 1, "semantic": 1})
    await bench.advance(queue, job, "episodic")
    await bench.refused(FailedPrecondition, bench.advance(queue, job, "episodic"))
    await bench.refused(FailedPrecondition, queue.ack(await bench.store.writer(ADA), job))
    await queue.retry_later(job, BAD)
    await bench.enqueue(queue, ADA, ONE, 4)
    bench.clock.advance(2)
    job = await bench.one(queue)
    same((job.to_seq, await queue.left(job)), (2, {"semantic": 1}))
    await bench.ack(queue, job)
    job = await bench.one(queue)
    same(await queue.left(job), {"episodic": 3, "semantic": 3})
    await bench.ack(queue, job)
    wanted = sorted(f"{ONE}:{name}:{span}" for name in KINDS["reflect"] for span in ("1-2", "3-4"))
    same(await bench.effects(ADA), wanted)


@fact
async def an_effect_is_kept_once(bench: Bench) -> None:
    """Of two commits of the same processor at once, both by who holds the job, one is refused whole."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 2)
    job = await bench.one(queue)
    writers = [await bench.store.writer(ADA) for _ in range(2)]
    for number, writer in enumerate(writers):
        writer.put(EFFECTS, b"%d" % number, "")
    calls = (queue.advance(writer, "episodic", job) for writer in writers)
    results = await asyncio.gather(*calls, return_exceptions=True)
    same(len([each for each in results if each is None]), 1)
    same(len(await bench.effects(ADA)), 1)


@fact
async def a_late_owner_is_fenced(bench: Bench) -> None:
    """When a lease has ended the job goes to another, with a greater token; its former owner commits nothing more."""
    queue, other = bench.open(), bench.open()
    await bench.enqueue(queue, ADA, ONE, 2)
    late = await bench.one(queue)
    bench.clock.advance(59)
    same(await other.lease(), [])
    bench.clock.advance(2)
    await other.lease()
    bench.clock.advance(1)
    job = await bench.one(other)
    same(job.lease is not None and late.lease is not None and job.lease.token > late.lease.token, True)
    same((job.id, job.attempt, job.failures(Cause.DEATH)), (late.id, 2, 1))
    await bench.refused(Conflict, bench.advance(queue, late, "episodic"), "LEASE_LOST")
    await bench.refused(Conflict, bench.ack(queue, late), "LEASE_LOST")
    await bench.refused(Conflict, queue.retry_later(late, BAD), "LEASE_LOST")
    same(await queue.beat(late), [])
    same(await bench.effects(ADA), [])
    await bench.ack(other, job)
    same(len(await bench.effects(ADA)), 2)


@fact
async def a_heartbeat_keeps_the_lease(bench: Bench) -> None:
    """A lease that is extended in time does not end."""
    queue, other = bench.open(), bench.open()
    await bench.enqueue(queue, ADA, ONE, 2)
    job = await bench.one(queue)
    for _ in range(4):
        bench.clock.advance(40)
        (job,) = await queue.beat(job)
        same(await other.lease(), [])
    await bench.ack(queue, job)


@fact
async def retries_wait(bench: Bench) -> None:
    """A failed job comes back after a random part of 1, 2, 4 … seconds and dies of its eighth failure."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 2)
    for attempt in range(1, 9):
        job = await bench.one(queue)
        after = await queue.retry_later(job, BAD)
        same(after.attempt, attempt)
        if attempt < 8:
            wait = (after.not_before - bench.clock.now()) / 1e6
            same(0 <= wait <= min(2 ** (attempt - 1), 300), True)
            if wait > 0.01:
                bench.clock.advance(wait - 0.01)
                same(await queue.lease(), [])
            bench.clock.advance(0.02 if wait > 0.01 else 0.02 + wait)
    same((after.state, [each.number for each in after.attempts]), (JobState.DEAD, [1, 2, 3, 4, 5, 6, 7, 8]))
    same((await queue.depth()).dead, 1)
    bench.clock.advance(1e6)
    same(await queue.lease(), [])


@fact
async def a_delay_is_honoured(bench: Bench) -> None:
    """A failure that says when to come back is not tried before."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 2)
    await queue.retry_later(await bench.one(queue), Failure(Cause.TRANSIENT, "slow_down", retry_after=500))
    bench.clock.advance(499)
    same(await queue.lease(), [])
    bench.clock.advance(2)
    await bench.one(queue)


@fact
async def causes_differ(bench: Bench) -> None:
    """What is permanent dies at once, what cannot be right the second time; what only had to wait does not count."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 1)
    same((await queue.retry_later(await bench.one(queue), Failure(Cause.PERMANENT, "unknown"))).state, JobState.DEAD)
    await bench.enqueue(queue, ADA, TWO, 1)
    await queue.retry_later(await bench.one(queue), Failure(Cause.INVALID, "empty"))
    bench.clock.advance(2)
    same((await queue.retry_later(await bench.one(queue), Failure(Cause.INVALID, "empty"))).state, JobState.DEAD)
    await bench.enqueue(queue, BOB, ONE, 1)
    for _ in range(20):
        job = await bench.one(queue)
        same(job.attempt, 1)
        after = await queue.retry_later(job, Failure(Cause.DOWN, "model_down", retry_after=30))
        same((after.state, after.attempt, after.attempts), (JobState.DELAYED, 0, ()))
        bench.clock.advance(31)


@fact
async def poison_dies_alone(bench: Bench) -> None:
    """A job whose process ends with it is tried three times, after the first time only by itself."""
    queue = bench.open()
    for session, scope in ((ONE, ADA), (ONE, BOB), (TWO, BOB)):
        await bench.enqueue(queue, scope, session, 1)
        bench.clock.advance(0.001)
    poison, bystander = [await bench.one(queue, limit=1) for _ in range(2)]
    for deaths in (1, 2):
        queue = bench.open()  # the process is another
        bench.clock.advance(61)
        held = await queue.lease()
        bench.clock.advance(5)
        same(poison.id in {job.id for job in await queue.lease(suspects=False)}, False)
        same(await queue.claim(ADA, ONE, poison.kind, suspects=False), None)
        while poison.id not in {job.id for job in held}:
            for job in held:
                await bench.ack(queue, job)
            held = await queue.lease()
        same([(job.id, job.failures(Cause.DEATH)) for job in held], [(poison.id, deaths)])
        same(await queue.lease(), [])
    queue = bench.open()
    bench.clock.advance(61)
    same(await queue.lease(), [])
    same((await queue.depth()).dead, 1)
    same(len(await bench.effects(BOB)), 4)
    same(f"{bystander.session_id}:episodic:1-1" in await bench.effects(BOB), True)


@fact
async def users_take_turns(bench: Bench) -> None:
    """Whoever has many jobs delays another's first by one."""
    queue = bench.open()
    for number in range(50):
        await bench.enqueue(queue, ADA, f"{number:032x}", 1)
        bench.clock.advance(0.001)
    await bench.enqueue(queue, BOB, ONE, 1)
    bench.clock.advance(0.001)
    users = []
    for _ in range(4):
        users += [job.scope.user for job in await queue.lease(limit=1)]
        bench.clock.advance(0.001)
    same(users, ["ada", "bob", "ada", "ada"])


@fact
async def a_batch_is_one_users(bench: Bench) -> None:
    """Several jobs are handed out together only of one user and kind, and not while another waits."""
    queue = bench.open()
    for number in range(5):
        await bench.enqueue(queue, ADA, f"{number:032x}", 1)
        bench.clock.advance(0.001)
    await bench.enqueue(queue, BOB, ONE, 1)
    bench.clock.advance(0.001)
    batches = []
    for _ in range(3):
        batches.append([job.scope.user for job in await queue.lease(limit=3)])
        bench.clock.advance(0.001)
    same(batches, [["ada"], ["bob"], ["ada"] * 3])


@fact
async def priority_ages(bench: Bench) -> None:
    """The higher priority goes first, until the lower has waited ten seconds longer for each step."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 1, priority=Priority.LOW)
    bench.clock.advance(19)
    await bench.enqueue(queue, BOB, ONE, 1, priority=Priority.HIGH)
    bench.clock.advance(2)
    await bench.enqueue(queue, BOB, TWO, 1, priority=Priority.HIGH)
    first, second, third = [await bench.one(queue, limit=1) for _ in range(3)]
    same([first.scope.user, second.scope.user, third.scope.user], ["bob", "ada", "bob"])


@fact
async def a_job_that_lingers_gathers(bench: Bench) -> None:
    """A job that lingers is handed out when its time is over, with all that came meanwhile; claimed, at once."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 2, linger=3.0)
    await bench.enqueue(queue, BOB, ONE, 2, linger=3.0)
    bench.clock.advance(2.0)
    await bench.enqueue(queue, ADA, ONE, 4, linger=3.0)
    same(await queue.lease(), [])
    claimed = await queue.claim(BOB, ONE, "reflect")
    same(claimed and claimed.to_seq, 2)
    bench.clock.advance(1.0)
    job = await bench.one(queue)
    same((job.scope, job.from_seq, job.to_seq), (ADA, 1, 4))
    await bench.enqueue(queue, ADA, ONE, 6, linger=3.0)
    await bench.ack(queue, job)
    same(await queue.lease(), [])
    bench.clock.advance(3.0)
    same((await bench.one(queue)).to_seq, 6)


@fact
async def kinds_are_apart(bench: Bench) -> None:
    """Jobs of a kind are handed out to whom asks for it; jobs of one session and different kinds run at once."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 1)
    await bench.enqueue(queue, ADA, ONE, 1, "plain")
    plain = await bench.one(queue, kinds=["plain"])
    same((plain.kind, await queue.left(plain)), ("plain", {}))
    same(await queue.lease(["plain"]), [])
    same((await bench.one(queue)).kind, "reflect")


@fact
async def close_gives_back(bench: Bench) -> None:
    """A queue that is closed gives its jobs back at once, and their attempts do not count."""
    queue, other = bench.open(), bench.open()
    await bench.enqueue(queue, ADA, ONE, 1)
    await bench.one(queue)
    await queue.close()
    same((await bench.one(other)).attempt, 1)


@fact
async def wrong_requests_are_refused(bench: Bench) -> None:
    """An unknown kind, a session that is none and a message before the first are refused, and promise nothing."""
    queue = bench.open()
    await bench.refused(InvalidArgument, bench.enqueue(queue, ADA, ONE, 1, "dream"))
    await bench.refused(InvalidArgument, bench.enqueue(queue, ADA, "here", 1))
    await bench.refused(InvalidArgument, bench.enqueue(queue, ADA, ONE, 0))
    same(await queue.lease(), [])


@fact
async def what_is_asked_for_is_bounded(bench: Bench) -> None:
    """Beyond a user's or everybody's limit a job that is asked for is refused, a turn's is taken."""
    queue = bench.open(user_jobs=2, jobs=4)
    await bench.enqueue(queue, ADA, ONE, 1, bounded=True)
    await bench.enqueue(queue, ADA, TWO, 1, bounded=True)
    await bench.refused(ResourceExhausted, bench.enqueue(queue, ADA, "3" * 32, 1, bounded=True), "QUEUE_FULL")
    await bench.enqueue(queue, ADA, TWO, 2, bounded=True)
    await bench.enqueue(queue, ADA, "3" * 32, 1)
    await bench.enqueue(queue, BOB, ONE, 1, bounded=True)
    await bench.refused(ResourceExhausted, bench.enqueue(queue, BOB, TWO, 1, bounded=True), "QUEUE_FULL")
    await bench.ack(queue, (await queue.lease(limit=1))[0])
    await bench.enqueue(queue, BOB, TWO, 1, bounded=True)


@fact
async def a_session_takes_its_jobs_along(bench: Bench) -> None:
    """A session that is deleted ends its jobs: nothing is handed out, and who works on one commits nothing."""
    queue = bench.open()
    await bench.enqueue(queue, ADA, ONE, 1)
    job = await bench.one(queue)
    await bench.enqueue(queue, ADA, ONE, 2)
    await bench.enqueue(queue, ADA, TWO, 1)
    writer = await bench.store.writer(ADA)
    await queue.cancel(writer, ADA, ONE)
    await writer.commit()
    await bench.refused(Conflict, bench.ack(queue, job), "LEASE_LOST")
    same((await bench.one(queue)).session_id, TWO)
    same(await bench.effects(ADA), [])
    same((await queue.depth()).queued, 0)


def checks() -> list[Check[Bench]]:
    """Every check."""
    return list(CHECKS)
