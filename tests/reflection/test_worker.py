"""Workers: every processor once over every message, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from alejo.clock import FakeClock, SystemClock
from alejo.errors import Conflict, InvalidArgument, PluginFailed, Unavailable
from alejo.ids import Ids
from alejo.metrics import Metrics
from alejo.queue import Cause, JobState, Limits
from alejo.queue.register import Register
from alejo.queue.status import Status
from alejo.queue.stored import StoredQueue
from alejo.reflection import Effects, Piece, Unfit, Worker
from alejo.reflection.statistics import Statistics
from alejo.storage.journal import message_key
from alejo.storage.keyring import Keyring
from alejo.storage.opener import open_lmdb
from alejo.storage.store import Store, Writer
from alejo.storage.tables import MESSAGES, SESSION_LOGS, SessionLog, Table
from alejo.testing.storage import MemoryStorage
from alejo.types import Message, Page, Role, Scope

from ..conftest import ADA, BOB

ONE, TWO = "1" * 32, "2" * 32
SEEN = Table("seen", tuple[str, str, tuple[int, ...]])


class Notes:
    """A processor that notes which messages it saw. In each call it meets the next fault; a session is always bad."""

    def __init__(self, name: str, *faults: object) -> None:
        self.name = name
        self.faults = list(faults)
        self.calls: list[int] = []
        self.called: asyncio.Queue[int] = asyncio.Queue()

    async def process(self, scope: Scope, pieces: Sequence[Piece]) -> Effects:
        self.calls.append(len(pieces))
        self.called.put_nowait(len(pieces))
        fault = self.faults[0] if self.faults else None
        if not isinstance(fault, str):
            self.faults = self.faults[1:]
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, asyncio.Event):
            await fault.wait()
        if isinstance(fault, str) and any(job.session_id == fault for job, _ in pieces):
            raise InvalidArgument.field("session", "is bad")

        async def effects(writer: Writer) -> None:
            for job, messages in pieces:
                writer.append(SEEN, (self.name, job.session_id, tuple(message.seq for message in messages)))

        return effects


class House:
    """A store in memory with a queue and a worker of two processors."""

    def __init__(self, *processors: Notes, timeout: float = 60.0) -> None:
        self.clock = FakeClock()
        self.storage = MemoryStorage()
        self.store = Store(self.storage, Keyring(bytes(32)))
        self.processors = processors
        names = tuple(processor.name for processor in processors)
        self.kinds = {"reflect": (*names, "statistics")}
        self.queue = self.process()
        self.worker = self.working(self.queue, timeout)
        self.register = Register(self.store, self.queue.lines)

    def process(self) -> StoredQueue:
        return StoredQueue(self.store, Ids(self.clock), self.clock, self.kinds, chance=random.Random(3))

    def working(self, queue: StoredQueue, timeout: float = 60.0) -> Worker:
        processors = {"reflect": [*self.processors, Statistics(self.store)]}
        return Worker(self.store, queue, self.clock, processors, timeout=timeout)

    async def say(self, scope: Scope, session_id: str, first: int, last: int) -> None:
        writer = await self.store.writer(scope)
        for seq in range(first, last + 1):
            role = Role.USER if seq % 2 else Role.ASSISTANT
            message = Message(f"{seq:032x}", session_id, seq, role, "x" * seq, 1000 - seq, 0)
            writer.put(MESSAGES, message_key(session_id, message.sent_at, seq), message)
        await self.queue.enqueue(writer, scope, session_id, "reflect", last)
        await writer.commit()
        self.clock.advance(1e-3)

    async def drain(self) -> None:
        while (depth := await self.queue.depth()).queued + depth.delayed + depth.running:
            if not await self.worker.once():
                self.clock.advance(5)

    async def seen(self, scope: Scope) -> dict[tuple[str, str], list[tuple[int, ...]]]:
        found: dict[tuple[str, str], list[tuple[int, ...]]] = {}
        for row in await self.store.scan(scope, SEEN, limit=1000):
            name, session_id, seqs = row.value
            found.setdefault((name, session_id), []).append(seqs)
        return found


async def test_every_processor_sees_every_message_once() -> None:
    """One that fails is tried again alone; with turns added meanwhile each message is seen once by each processor."""
    house = House(Notes("good"), Notes("bad", Unavailable("Later."), ValueError("?")))
    await house.say(ADA, ONE, 1, 4)
    assert await house.worker.once() == 1
    await house.say(ADA, ONE, 5, 6)
    await house.drain()
    spans = [(1, 2, 3, 4), (5, 6)]
    assert await house.seen(ADA) == {("good", ONE): spans, ("bad", ONE): spans}
    row = await house.store.get(ADA, SESSION_LOGS, bytes.fromhex(ONE))
    assert row
    assert row.value == SessionLog(ONE, 3, 3, 9, 12, 994, 999)
    (first, second), _ = await house.register.list(ADA, Page(9))
    codes = [(each.failure.code, each.failure.processor) for each in first.attempts]
    assert codes == [("UNAVAILABLE", "bad"), ("ValueError", "bad")]
    assert (first.state, second.state, second.attempts) == (JobState.DONE, JobState.DONE, ())


async def test_work_on_a_job_that_is_lost_ends_at_once() -> None:
    """A processor that works on a job which was handed to somebody else is stopped, and nothing of it is committed."""
    hanging = Notes("hanging", asyncio.Event())
    house = House(hanging)
    await house.say(ADA, ONE, 1, 2)
    working = asyncio.ensure_future(house.worker.once())
    await hanging.called.get()
    house.clock.advance(61)
    other = house.process()
    while not (jobs := await other.lease()):
        house.clock.advance(5)
    await house.worker.beat()
    assert await working == 1
    assert house.worker.failures["hanging"] == 0
    assert [job.attempt for job in jobs] == [2]
    assert await house.seen(ADA) == {}


async def test_a_batch_suffers_only_where_it_fails() -> None:
    """Sessions of one user are worked through together; when one of them fails, the others are done all the same."""
    notes = Notes("notes", TWO)
    house = House(notes)
    for session_id in (ONE, TWO, "3" * 32):
        await house.say(ADA, session_id, 1, 2)
    assert await house.worker.once() == 3
    assert notes.calls == [3, 1, 1, 1]
    assert await house.seen(ADA) == {("notes", ONE): [(1, 2)], ("notes", "3" * 32): [(1, 2)]}
    states = {job.session_id: job.state for job in (await house.register.list(ADA, Page(9)))[0]}
    assert states == {ONE: JobState.DONE, TWO: JobState.DEAD, "3" * 32: JobState.DONE}
    marks = await house.register.watermarks(ADA, TWO, "reflect")
    assert {name: len(mark.gaps) for name, mark in marks.items()} == {"notes": 1, "statistics": 0}


@pytest.mark.parametrize(("fault", "cause", "code"), [
    (Unfit("empty"), Cause.INVALID, "empty"),
    (asyncio.Event(), Cause.TRANSIENT, "timeout"),
    (PluginFailed("mind", "memory", "timeout"), Cause.TRANSIENT, "timeout"),
    (InvalidArgument.field("a", "b"), Cause.PERMANENT, "INVALID_FIELD"),
    (KeyError("some words"), Cause.TRANSIENT, "KeyError"),
])  # fmt: skip
async def test_what_failed_is_told_by_cause_and_word(fault: object, cause: Cause, code: str) -> None:
    """A failure stands in the job's history with its cause and a stable word, never with what was said."""
    house = House(Notes("notes", fault), timeout=0.01 if isinstance(fault, asyncio.Event) else 60.0)
    await house.say(ADA, ONE, 1, 2)
    await house.worker.once()
    ((job,), _) = await house.register.list(ADA, Page(9))
    (attempt,) = job.attempts
    assert (attempt.failure.cause, attempt.failure.code, attempt.failure.processor) == (cause, code, "notes")
    assert house.worker.failures == {"notes": 1}


async def test_a_plugin_that_is_away_costs_no_attempt() -> None:
    """While what a processor needs is missing the job waits, and its attempts are not used up."""
    house = House(Notes("notes", *(PluginFailed("", "memory", "vacant") for _ in range(20))))
    await house.say(ADA, ONE, 1, 2)
    await house.drain()
    assert await house.seen(ADA) == {("notes", ONE): [(1, 2)]}
    ((job,), _) = await house.register.list(ADA, Page(9))
    assert (job.state, job.attempt, job.attempts) == (JobState.DONE, 1, ())


async def test_who_lost_its_lease_commits_nothing() -> None:
    """A worker that was away too long does what it does for nothing; another does it once."""
    gate = asyncio.Event()
    house = House(Notes("notes", gate))
    await house.say(ADA, ONE, 1, 2)
    late = asyncio.create_task(house.worker.once())
    await house.processors[0].called.get()
    house.clock.advance(61)
    other = house.process()
    await other.lease()
    house.clock.advance(5)
    worker = house.working(other)
    assert await worker.once() == 1
    await house.worker.beat()
    gate.set()
    await late
    assert await house.seen(ADA) == {("notes", ONE): [(1, 2)]}
    ((job,), _) = await house.register.list(ADA, Page(9))
    assert (job.state, job.attempt) == (JobState.DONE, 2)


async def test_a_heartbeat_keeps_a_long_job() -> None:
    """What takes longer than a lease is kept by heartbeats, and done once."""
    gate = asyncio.Event()
    house = House(Notes("notes", gate))
    await house.say(ADA, ONE, 1, 2)
    slow = asyncio.create_task(house.worker.once())
    await house.processors[0].called.get()
    other = house.process()
    for _ in range(5):
        house.clock.advance(40)
        await house.worker.beat()
        assert await other.lease() == []
    gate.set()
    assert await slow == 1
    assert await house.seen(ADA) == {("notes", ONE): [(1, 2)]}


async def test_workers_run_until_they_are_stopped() -> None:
    """Running workers take what comes, of all users; told to stop they finish what is under way and end."""
    gate = asyncio.Event()
    house = House(Notes("notes", None, gate))
    await house.say(ADA, ONE, 1, 2)
    running = asyncio.create_task(house.worker.run(2))
    await house.processors[0].called.get()
    await house.say(BOB, ONE, 1, 2)
    await house.processors[0].called.get()
    house.worker.stop()
    assert not running.done()
    gate.set()
    await running
    assert await house.seen(ADA) == await house.seen(BOB) == {("notes", ONE): [(1, 2)]}
    assert (await house.queue.depth()).running == 0


async def test_many_workers_do_everything_once(tmp_path: Path) -> None:
    """Two processes' workers, three each, over the same records while turns are told: each message is seen once."""
    clock, chance = SystemClock(), random.Random(5)
    store = Store(open_lmdb(f"lmdb:{tmp_path / 'records'}", map_size=1 << 24), Keyring(bytes(32)))
    kinds = {"reflect": ("one", "two")}
    limits = Limits(attempts=1000, least_delay=0.001, most_delay=0.01)
    workers, queues = [], []
    for _ in range(2):
        faults = [[chance.choice((None, Unavailable("Later.", retry_after=0))) for _ in range(20)] for _ in range(2)]
        processors = [Notes(name, *some) for name, some in zip(kinds["reflect"], faults, strict=True)]
        queues.append(StoredQueue(store, Ids(clock), clock, kinds, limits=limits))
        workers.append(Worker(store, queues[-1], clock, {"reflect": processors}, batch=4))
    running = [asyncio.create_task(worker.run(3)) for worker in workers]

    async def tell(scope: Scope, session_id: str) -> None:
        seq = 0
        while seq < 12:
            writer = await store.writer(scope)
            message = Message(f"{seq + 1:032x}", session_id, seq + 1, Role.USER, "x", seq, 0)
            writer.put(MESSAGES, message_key(session_id, seq, seq + 1), message)
            await queues[0].enqueue(writer, scope, session_id, "reflect", seq + 1)
            with contextlib.suppress(Conflict):  # what waited was taken
                await writer.commit()
                seq += 1

    await asyncio.gather(*(tell(scope, session) for scope in (ADA, BOB) for session in (ONE, TWO)))
    while (depth := await queues[1].depth()).queued + depth.delayed + depth.running:
        await queues[1].sweep()
        await asyncio.sleep(0)  # the workers' turn
    for worker in workers:
        worker.stop()
    await asyncio.gather(*running)
    for scope in (ADA, BOB):
        rows = [row.value for row in await store.scan(scope, SEEN, limit=1000)]
        for place in itertools.product(kinds["reflect"], (ONE, TWO)):
            assert [seq for *at, seqs in rows if tuple(at) == place for seq in seqs] == list(range(1, 13))
    await store.close()


async def test_metrics_tell_the_queue() -> None:
    """How much there is to do, dead letters and what processors cost stand in the metrics."""
    house = House(Notes("notes", InvalidArgument.field("a", "b")))
    metrics, status = Metrics(), Status(house.store, house.clock, ["reflect"])
    status.observe(metrics)
    await house.say(ADA, ONE, 1, 2)
    await house.worker.once()
    await house.say(ADA, TWO, 1, 2)
    house.clock.advance(7)
    await status.tell(house.worker.word("one", 0, house.queue.counts))
    await status.look()
    told = {(one.name, *one.labels.values()): one.value for family in metrics.collect() for one in family.samples}
    states = {state: told["alejo_jobs", "reflect", state] for state in ("queued", "delayed", "running", "dead")}
    assert states == {"queued": 1, "delayed": 0, "running": 0, "dead": 1}
    assert told["alejo_jobs_oldest_seconds", "reflect"] == pytest.approx(7, abs=0.1)
    assert told["alejo_processor_failures_total", "notes"] == told["alejo_job_steps_total", "dead"] == 1
    assert told["alejo_workers",] == 1
    await status.leave("one")
    assert (await status.look()).workers == ()
    left = {(one.name, *one.labels.values()): one.value for family in metrics.collect() for one in family.samples}
    counters = {name: value for name, value in told.items() if name[0].endswith("_total")}
    assert {name: left[name] for name in counters} == counters
