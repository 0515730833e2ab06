"""Reflection as a whole: the queue of what is to be worked through, what works on it here, and what is known of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from alejo.clock import Clock
from alejo.errors import AlejoError
from alejo.ids import Ids
from alejo.jobs import Job
from alejo.queue import Limits
from alejo.queue.presence import Presence
from alejo.queue.promises import REFLECTION, Promises
from alejo.queue.reconcile import Reconciler
from alejo.queue.register import Register
from alejo.queue.status import Status
from alejo.queue.stored import StoredQueue
from alejo.reflection.worker import BATCH, CONCURRENCY, LEAST_IDLE, SECONDS, Processing, Worker
from alejo.storage.store import Store

RECONCILE_SECONDS = 60.0
REPORT_SECONDS = 5.0  # between two looks whether there is news of the work
QUIET_SECONDS = 30.0  # without news, until it is told again that somebody is at work
CLOSING_SECONDS = 1.0  # that what is under way may take at the end
_LEAST_REST, _MOST_REST = 1.0, 60.0  # seconds after a fault before work goes on


class Reflection:
    """The rooms of reflection over one store. `processors` are fixed from the start; `kinds` are their names.

    `worker` is the one of this process, None while it only makes promises. `concurrency` is how many batches it works
    through at a time.
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
        failed: Callable[[Job], None] | None = None,
    ) -> None:
        self.kinds = {kind: tuple(each.name for each in several) for kind, several in processors.items()}
        self.queue = StoredQueue(store, ids, clock, self.kinds, presence=presence, limits=limits)
        self.register = Register(store, self.queue.lines)
        self.status = Status(store, clock, self.kinds)
        self.promises = Promises(self.queue, self.register)
        self.reconciler = Reconciler(store, self.queue, clock, [REFLECTION] if self.kinds.get(REFLECTION) else [])
        self.worker: Worker | None = None
        self._made = partial(Worker, store, self.queue, clock, processors, batch=batch, timeout=timeout, failed=failed)
        self._clock = clock
        self._concurrency = concurrency
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Works through jobs in this process until `close`."""
        self.worker = self._made()
        chores = (self._work(self.worker), self._reconcile(), self._report(self.worker))
        self._tasks = [asyncio.create_task(chore) for chore in chores]

    async def settled(self) -> None:
        """Returns once no job is left, whoever works on them."""
        while True:
            depth = await self.queue.depth()
            if not depth.queued + depth.delayed + depth.running:
                return
            await asyncio.sleep(LEAST_IDLE)

    async def close(self) -> None:
        """Ends the work: what does not end within a second is given back."""
        if self.worker is not None:
            self.worker.stop()
            work, *chores = self._tasks
            for chore in chores:
                chore.cancel()
            await asyncio.wait([work], timeout=CLOSING_SECONDS)
            work.cancel()
            await asyncio.wait(self._tasks)
            self.worker = None
            with contextlib.suppress(AlejoError):
                await self.status.leave(self.queue.owner)
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
                await self.reconciler.every()
            except AlejoError as error:
                structlog.get_logger().warning("sessions cannot be compared with jobs now", why=error.reason)
            await asyncio.sleep(RECONCILE_SECONDS)
