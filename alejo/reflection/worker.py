"""Works through jobs: every processor of a kind at the same time, each with its own time limit, outcome and commit.

What a processor made is kept with its watermark in one commit, so that a failure of another one costs only that. A
batch that fails is tried again job by job, so that one bad session does not take others of its user along.
"""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import structlog

from alejo.clock import Clock
from alejo.errors import AlejoError, Conflict, ModelFailed, PluginFailed, ResourceExhausted, Status, Unavailable
from alejo.jobs import LAGS, ProcessorStatus, WorkerStatus
from alejo.queue import Cause, Failure, Job, Queue
from alejo.storage.store import Store, Writer
from alejo.storage.tables import MESSAGES
from alejo.types import Message, Scope

BATCH = 10
CONCURRENCY = 3
SECONDS = 300.0  # for one batch in one processor
BEAT_SECONDS = 15.0
REAP_SECONDS = 5.0
LEAST_IDLE, MOST_IDLE = 0.02, 0.5  # seconds between looks at an empty queue
DOWN_SECONDS = 30.0
_TRIES = 8
_PAGE = 100

# Errors that the same job would meet again.
_PERMANENT = frozenset(
    {Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.FAILED_PRECONDITION, Status.DATA_LOSS, Status.UNIMPLEMENTED}
)
# Why a language model gave no answer; see docs/errors.md. What is not here is transient.
_OF_MODELS = dict.fromkeys(("rate_limited", "unavailable", "resting", "budget", "rejected"), Cause.DOWN) | {
    "invalid": Cause.INVALID,
    "refused": Cause.INVALID,
}
# Why a plugin could not be asked at all; see docs/errors.md.
_ABSENT = frozenset({"vacant", "quarantined", "disabled"})

Effects = Callable[[Writer], Awaitable[None]]


class Piece(NamedTuple):
    """A job and those of its messages that a processor has not seen, by their number."""

    job: Job
    messages: Sequence[Message]


class Processing(Protocol):
    """A processor: makes something of what was said."""

    name: str

    async def process(self, scope: Scope, pieces: Sequence[Piece]) -> Effects:
        """What adds the outcome for these sessions of one user to a batch; called again when the batch conflicts.

        Raises Unfit when the outcome cannot be right, AlejoError or anything else when there is none.
        """
        ...


class Unfit(Exception):
    """What a processor was given by a plugin or model cannot be right. `code` is a stable word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Later(Exception):
    """What a processor began elsewhere is not done yet: it is to be called again in so many seconds.

    That is no attempt that failed. What the processor needs to go on with, it has committed itself.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _Batch:
    """Jobs under way: what each processor has left of them, which are not done yet, what failed, and if all is done."""

    __slots__ = ("ended", "failures", "jobs", "left", "open")

    def __init__(self, jobs: Sequence[Job], left: Mapping[str, Mapping[str, int]]) -> None:
        self.jobs = jobs
        self.left = left
        self.open: set[str] = set()
        self.failures: dict[str, Failure] = {}
        self.ended = False

    def is_last(self, processor: str, jobs: Sequence[Job]) -> bool:
        """Whether all is done once this processor is, with all jobs of the batch."""
        return self.open == {processor} and not self.failures and len(jobs) == len(self.jobs)


class Worker:
    """Takes jobs and works through them; `processors` are those of each kind.

    `seconds` and `failures` count by processor, `lags` by kind how long jobs took from their first message on; see
    `LAGS`.
    """

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        processors: Mapping[str, Sequence[Processing]],
        *,
        batch: int = BATCH,
        timeout: float = SECONDS,
    ) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.failures: Counter[str] = Counter()
        self.lags: dict[str, list[int]] = {kind: [0] * (len(LAGS) + 1) for kind in processors}
        self._store = store
        self._queue = queue
        self._clock = clock
        self._processors = processors
        self._batch = batch
        self._timeout = timeout
        self._held: dict[str, Job] = {}
        self._lost: set[str] = set()
        self._limits: set[tuple[frozenset[str], asyncio.Timeout]] = set()  # of the processors at work, and their jobs
        self._stopping = asyncio.Event()
        self._log = structlog.get_logger()

    async def run(self, workers: int = CONCURRENCY) -> None:
        """Works, so many batches at a time, until `stop`; what is under way then is done first."""
        async with asyncio.TaskGroup() as group:
            chores = [
                group.create_task(self._every(BEAT_SECONDS, self.beat)),
                group.create_task(self._every(REAP_SECONDS, self.tend)),
            ]
            await asyncio.gather(*(group.create_task(self._work()) for _ in range(workers)))
            for chore in chores:
                chore.cancel()

    def stop(self) -> None:
        """Takes nothing new."""
        self._stopping.set()

    async def once(self, *, limit: int | None = None, suspects: bool = True) -> int:
        """Works through what the queue hands out next, at most `limit` jobs; returns how many that was."""
        jobs = await self._queue.lease(list(self._processors), limit=limit or self._batch, suspects=suspects)
        if jobs:
            await self.work(jobs)
        return len(jobs)

    async def work(self, jobs: Sequence[Job]) -> None:
        """Works through jobs of one user and kind that are leased. Cancelled, it gives back what is not done."""
        self._held.update((job.id, job) for job in jobs)
        try:
            await self._run(jobs)
        except asyncio.CancelledError:
            for job in jobs:
                with contextlib.suppress(AlejoError):
                    await self._queue.release(job)
            raise
        finally:
            for job in jobs:
                self._held.pop(job.id, None)
                self._lost.discard(job.id)

    async def beat(self) -> None:
        """Extends the leases of what is under way; what is not held any more is worked on no longer."""
        jobs = list(self._held.values())
        kept = {job.id for job in await self._queue.beat(*jobs)}
        self._lose({job.id for job in jobs} - kept)

    def _lose(self, lost: Collection[str]) -> None:
        self._lost.update(self._held.keys() & lost)
        for ids, limit in self._limits:
            if not ids.isdisjoint(lost) and not limit.expired():
                limit.reschedule(0)

    async def tend(self) -> None:
        """Ends the attempts of processes that are gone, and forgets what others have done."""
        await self._queue.reap()
        await self._queue.depth()

    def word(self, name: str, began_at: int, counts: Mapping[str, int]) -> WorkerStatus:
        """What this worker says of itself; `counts` are those of its queue."""
        names = [each.name for several in self._processors.values() for each in several]
        costs = tuple(ProcessorStatus(each, self.seconds[each], self.failures[each]) for each in names)
        lags = {kind: tuple(each) for kind, each in self.lags.items()}
        return WorkerStatus(name, began_at, self._clock.now(), dict(counts), costs, lags)

    async def _work(self) -> None:
        idle = LEAST_IDLE
        while not self._stopping.is_set():
            try:
                done = await self.once()
            except AlejoError as error:  # such as a full disk: later is another day
                self._log.warning("jobs cannot be worked through now", why=error.reason)
                done = 0
            idle = LEAST_IDLE if done else min(2 * idle, MOST_IDLE)
            if not done:
                await self._pause(idle)

    async def _every(self, seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await chore()
            except AlejoError as error:
                self._log.warning("the queue cannot be tended now", why=error.reason)
            await asyncio.sleep(seconds)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _run(self, jobs: Sequence[Job]) -> None:
        """Runs every processor on a batch, then ends each job as it turned out."""
        batch = _Batch(jobs, {job.id: await self._queue.left(job) for job in jobs})
        processors = self._processors[jobs[0].kind]
        batch.open = {each.name for each in processors if any(each.name in left for left in batch.left.values())}

        async def through(processor: Processing) -> None:
            mine = [job for job in jobs if processor.name in batch.left[job.id]]
            # What failed before goes by itself: in a batch it would have all the others done twice, time and again.
            several = [[job for job in mine if not job.attempts], *([job] for job in mine if job.attempts)]
            for some in filter(None, several):
                for job_id, failure in (await self._process(processor, some, batch)).items():
                    batch.failures.setdefault(job_id, failure)
            batch.open.discard(processor.name)

        await asyncio.gather(*(through(processor) for processor in processors))
        failures = batch.failures
        done = [job for job in jobs if job.id not in failures and job.id not in self._lost and not batch.ended]
        if done:
            with contextlib.suppress(Conflict):
                await self._ack(done)
        for job in jobs:
            if job.id in failures and job.id not in self._lost:
                with contextlib.suppress(Conflict):  # it is another's by now
                    await self._queue.retry_later(job, failures[job.id])

    async def _ack(self, jobs: Sequence[Job]) -> None:
        """Ends jobs in one commit, or each in its own when one of them is another's by now."""
        writer = await self._store.writer(jobs[0].scope, begin=False)
        try:
            await self._queue.ack(writer, *jobs)
        except Conflict:
            if len(jobs) == 1:
                raise
            for job in jobs:
                with contextlib.suppress(Conflict):
                    await self._ack([job])
            return
        for job in jobs:
            if not job.attempts or job.attempts[-1].number < job.attempt:  # what was requeued waited for a person
                lag = (self._clock.now() - job.created_at) / 1e6
                self.lags[job.kind][bisect_left(LAGS, lag)] += 1

    async def _process(self, processor: Processing, jobs: Sequence[Job], batch: _Batch) -> dict[str, Failure]:
        """Runs a processor on a batch, and where that fails, on each job of it; returns what failed, by job."""
        began = self._clock.monotonic()
        try:
            effects = await self._effects(processor, jobs, batch)
            await self._commit(processor, jobs, effects, batch)
        except Exception as error:  # noqa: BLE001  # whatever it is ends in the job's history
            if isinstance(error, Conflict) and error.reason == "LEASE_LOST" and len(jobs) == 1:
                self._lose({jobs[0].id})
            kept = [job for job in jobs if job.id not in self._lost]
            self.failures[processor.name] += len(kept) == len(jobs) and not isinstance(error, Later)
            if len(jobs) == 1:
                return {job.id: self._failure(processor, job, error) for job in kept}
        else:
            return {}
        finally:
            self.seconds[processor.name] += self._clock.monotonic() - began
        failures: dict[str, Failure] = {}
        for job in kept:
            failures |= await self._process(processor, [job], batch)
        return failures

    async def _effects(self, processor: Processing, jobs: Sequence[Job], batch: _Batch) -> Effects:
        """What a processor makes of jobs. Raises TimeoutError, also when one of them is lost, and what it raises."""
        async with asyncio.timeout(self._timeout) as limit:
            place = frozenset(job.id for job in jobs), limit
            self._limits.add(place)
            try:
                pieces = [Piece(job, await self._messages(job, batch.left[job.id][processor.name])) for job in jobs]
                return await processor.process(jobs[0].scope, pieces)
            finally:
                self._limits.discard(place)

    async def _commit(self, processor: Processing, jobs: Sequence[Job], effects: Effects, batch: _Batch) -> None:
        """Commits what a processor made; the last one of a batch in which all went well ends the jobs with it."""
        for _ in range(_TRIES):
            writer = await self._store.writer(jobs[0].scope, begin=False)
            await effects(writer)
            try:
                if batch.is_last(processor.name, jobs) and not self._lost:
                    await self._queue.ack(writer, *jobs, processors=(processor.name,))
                    batch.ended = True
                    return None
                return await self._queue.advance(writer, processor.name, *jobs)
            except Conflict as error:
                if error.reason == "LEASE_LOST":
                    raise
        raise Conflict("What a processor made is being changed by somebody else.")

    async def _messages(self, job: Job, begin: int) -> list[Message]:
        """The messages `begin` to `to_seq`; fewer if some were deleted. The last of a session are found first."""
        found: list[Message] = []
        session, after = bytes.fromhex(job.session_id), b""
        while len(found) <= job.to_seq - begin:
            rows = await self._store.scan(job.scope, MESSAGES, session, after=after, limit=_PAGE, reverse=True)
            found += [row.value for row in rows if begin <= row.value.seq <= job.to_seq]
            if len(rows) < _PAGE:
                break
            after = rows[-1].key
        return sorted(found, key=lambda message: message.seq)

    def _failure(self, processor: Processing, job: Job, error: Exception) -> Failure:
        cause, code, seconds = _judge(error)
        self._log.warning("a processor failed", processor=processor.name, job=job.id, cause=cause.name, code=code)
        return Failure(cause, code, processor.name, seconds)


def _judge(error: Exception) -> tuple[Cause, str, float]:
    """What an error means for the job: the cause, a stable word, and when to come back, in seconds."""
    match error:
        case Unfit():
            return Cause.INVALID, error.code, 0.0
        case Later():
            return Cause.DOWN, "later", error.seconds
        case TimeoutError():
            return Cause.TRANSIENT, "timeout", 0.0
        case ModelFailed(why=why):
            cause = _OF_MODELS.get(why, Cause.TRANSIENT)
            return cause, f"model_{why}", (error.retry_after or DOWN_SECONDS) if cause is Cause.DOWN else 0.0
        case PluginFailed(why=why) if why in _ABSENT:
            return Cause.DOWN, why, DOWN_SECONDS
        case PluginFailed(why=why):
            return Cause.TRANSIENT, why, 0.0
        case Unavailable() | ResourceExhausted():
            return Cause.TRANSIENT, error.reason, error.retry_after
        case AlejoError(status=status) if status in _PERMANENT:
            return Cause.PERMANENT, error.reason, 0.0
        case AlejoError():
            return Cause.TRANSIENT, error.reason, 0.0
    return Cause.TRANSIENT, type(error).__name__, 0.0
