"""Reflection as a whole: the queue of what is to be worked through, what works on it here, and what is known of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import structlog

from alejo.clock import Clock
from alejo.errors import AlejoError
from alejo.ids import Ids
from alejo.jobs import Cause, Job, QueueStatus
from alejo.queue import Limits
from alejo.queue.presence import Presence
from alejo.queue.promises import REFLECTION, Promises
from alejo.queue.reconcile import Reconciler
from alejo.queue.register import Register
from alejo.queue.status import Status
from alejo.queue.stored import StoredQueue
from alejo.reflection.worker import BATCH, CONCURRENCY, LEAST_IDLE, SECONDS, Processing, Worker
from alejo.storage.relayed import tidy
from alejo.storage.store import Store
from alejo.types import Degraded, JobState, Scope

RECONCILE_SECONDS = 60.0
REPORT_SECONDS = 5.0  # between two looks whether there is news of the work
QUIET_SECONDS = 30.0  # without news, until it is told again that somebody is at work
WATCH_SECONDS = 5.0
_SHARE = 50  # looking may take a fiftieth of the time
CLOSING_SECONDS = 1.0  # that what is under way may take at the end
_LEAST_REST, _MOST_REST = 1.0, 60.0  # seconds after a fault before work goes on


class Patience(NamedTuple):
    """How long reflection may take, in seconds, before turns are asked to help.

    `heard`: that no worker was heard; `late`: that a job waited; `lent`: what a turn gives then. With `synchronous` a
    turn waits until it was reflected on, `at_once` at most.
    """

    heard: float = 60.0
    late: float = 600.0
    lent: float = 0.3
    synchronous: bool = False
    at_once: float = 20.0


class Reflection:
    """The rooms of reflection over one store. `processors` are fixed from the start; `kinds` are their names.

    `worker` is the one of this process, None while it only makes promises. `concurrency` is how many batches it works
    through at a time. `failed` is told of every job of which an attempt failed. `linger` is for how many seconds what
    was said waits for more. `trouble` says why turns have to help, "" if they have not.
    """

    def __init__(
        self,
        store: Store,
        ids: Ids,
        clock: Clock,
        processors: Mapping[str, Sequence[Processing]],
        *,
        presence: Presence | None = None,
        limits: Limits | None = None,
        batch: int = BATCH,
        timeout: float = SECONDS,
        concurrency: int = CONCURRENCY,
        patience: Patience | None = None,
        failed: Callable[[Job], None] | None = None,
        linger: float = 0.0,
    ) -> None:
        self.kinds = {kind: tuple(each.name for each in several) for kind, several in processors.items()}
        self.queue = StoredQueue(store, ids, clock, self.kinds, presence=presence, limits=limits, failed=failed)
        self.register = Register(store, self.queue.lines)
        self.status = Status(store, clock, self.kinds)
        self.promises = Promises(self.queue, self.register, linger)
        self.reconciler = Reconciler(store, self.queue, clock, [REFLECTION] if self.kinds.get(REFLECTION) else [])
        self.worker: Worker | None = None
        self._made = partial(Worker, store, self.queue, clock, processors, batch=batch, timeout=timeout)
        self._concurrency = concurrency
        self._patience = patience or Patience()
        self._host = self._made()
        self.trouble = ""
        self._listeners: list[Callable[[], None]] = []
        self._began = clock.now()
        self._clock = clock
        self._store = store
        self._presence = presence
        self._tasks: list[asyncio.Task[None]] = []
        self._working: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Works through jobs in this process until `close`."""
        self.worker = self._made()
        self._working = asyncio.create_task(self._work(self.worker))
        chores = (self._reconcile(), self._report(self.worker))
        self._tasks += [asyncio.create_task(chore) for chore in chores]

    def watch(self) -> None:
        """Looks from now on whether what was said is worked through in time."""
        self._tasks.append(asyncio.create_task(self._watch()))

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls the listener whenever turns have to help from now on, or no longer."""
        self._listeners.append(listener)

    async def look(self) -> None:
        """Looks how things stand, and whether turns have to help."""
        before, self.trouble = self.trouble, self._judge(await self.status.look())
        if self.trouble != before:
            for listener in self._listeners:
                listener()

    async def lend(self) -> Sequence[Degraded]:
        """In a turn, while nobody works or the work is late: does a little of it here, and says so."""
        if not self.trouble:
            return ()
        with contextlib.suppress(TimeoutError, AlejoError):
            async with asyncio.timeout(self._patience.lent):
                await self._host.once(limit=1, suspects=False)
        return (Degraded("reflection", "", self.trouble),)

    async def keep_up(self, scope: Scope, session_id: str) -> None:
        """In synchronous mode: has what was said in a session worked through before this returns, if it can be."""
        if not self._patience.synchronous or not self.kinds.get(REFLECTION):
            return
        with contextlib.suppress(TimeoutError, AlejoError):  # it is promised, and stays so
            async with asyncio.timeout(self._patience.at_once):
                while (await self.register.lag(scope, session_id, REFLECTION)).messages:
                    job = await self.queue.claim(scope, session_id, REFLECTION, suspects=False)
                    if job is not None:
                        await self._host.work([job])
                    elif await self._is_put_off(scope, session_id):
                        return
                    else:
                        await asyncio.sleep(LEAST_IDLE)  # somebody else is at it

    async def settled(self) -> None:
        """Returns once no job is left, whoever works on them."""
        while True:
            await self.queue.sweep()  # others may be at work
            depth = await self.queue.depth()
            if not depth.queued + depth.delayed + depth.running:
                return
            await asyncio.sleep(LEAST_IDLE)

    async def close(self) -> None:
        """Ends the work: what does not end within a second is given back."""
        for task in self._tasks:
            task.cancel()
        if self.worker is not None and self._working is not None:
            self.worker.stop()
            await asyncio.wait([self._working], timeout=CLOSING_SECONDS)
            self._working.cancel()
            await asyncio.wait([self._working])
            self.worker = None
            with contextlib.suppress(AlejoError):
                await self.status.leave(self.queue.owner)
        if self._tasks:
            await asyncio.wait(self._tasks)
        with contextlib.suppress(AlejoError):  # whoever comes next finds that this process is gone
            await self.queue.close()

    async def _work(self, worker: Worker) -> None:
        """Keeps a worker at work: a fault of ours in it is told, and must not be the end of all work."""
        rest = _LEAST_REST
        while True:
            try:
                return await worker.run(self._concurrency)
            except Exception as error:  # noqa: BLE001  # the loop of the worker, which ends in a report
                structlog.get_logger().error("reflection stopped and goes on", error=type(error).__name__, rest=rest)
                await asyncio.sleep(rest)
                rest = min(2 * rest, _MOST_REST)

    async def _is_put_off(self, scope: Scope, session_id: str) -> bool:
        standing = await self.queue.lines.standing(scope, self.queue.lines.key(session_id, REFLECTION))
        job = standing.job
        return job is None or job.state is JobState.DELAYED or job.failures(Cause.DEATH) > 0

    async def _watch(self) -> None:
        while True:
            began = self._clock.monotonic()
            try:
                await self.look()
            except AlejoError as error:
                structlog.get_logger().warning("the queue cannot be looked at now", why=error.reason)
            await asyncio.sleep(max(WATCH_SECONDS, _SHARE * (self._clock.monotonic() - began)))

    def _judge(self, status: QueueStatus) -> str:
        """Why work is lent: "unattended" if no worker was heard, "late" if a job waits too long; else nothing."""
        waiting = [depth for depth in status.depths if depth.queued + depth.running and not depth.paused_at]
        since = max([self._began, *(worker.heard_at for worker in status.workers)])
        if waiting and self._clock.now() - since > self._patience.heard * 1e6:
            return "unattended"
        return "late" if any(depth.oldest > self._patience.late for depth in waiting) else ""

    async def _report(self, worker: Worker) -> None:
        """Leaves word of what a worker did, soon when there is news, and else that it is there."""
        began, told, news = self._clock.now(), 0, None
        while True:
            word = worker.word(self.queue.owner, began, self.queue.counts)
            done = (word.counts, word.processors)
            if done != news or word.heard_at - told >= QUIET_SECONDS * 1e6:
                try:
                    await self.status.tell(word)
                    news, told = done, word.heard_at
                except AlejoError as error:
                    structlog.get_logger().warning("a worker cannot leave word now", why=error.reason)
            await asyncio.sleep(REPORT_SECONDS)

    async def _reconcile(self) -> None:
        while True:
            try:
                await tidy(self._store, self._presence.owners() if self._presence else ())
                await self.reconciler.every()
            except AlejoError as error:
                structlog.get_logger().warning("sessions cannot be compared with jobs now", why=error.reason)
            await asyncio.sleep(RECONCILE_SECONDS)
