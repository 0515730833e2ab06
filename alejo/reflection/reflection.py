"""Reflection as a whole: the queue of what is to be worked through, what works on it here, and what is known of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from alejo.clock import Clock
from alejo.errors import AlejoError
from alejo.ids import Ids
from alejo.queue import Limits
from alejo.queue.presence import Presence
from alejo.queue.promises import REFLECTION, Promises
from alejo.queue.reconcile import Reconciler
from alejo.queue.register import Register
from alejo.queue.stored import StoredQueue
from alejo.reflection.worker import BATCH, CONCURRENCY, LEAST_IDLE, SECONDS, Processing, Worker
from alejo.storage.store import Store

RECONCILE_SECONDS = 60.0
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
    ) -> None:
        self.kinds = {kind: tuple(each.name for each in several) for kind, several in processors.items()}
        self.queue = StoredQueue(store, ids, clock, self.kinds, presence=presence, limits=limits)
        self.register = Register(store, self.queue.lines)
        self.promises = Promises(self.queue)
        self.reconciler = Reconciler(store, self.queue, clock, [REFLECTION] if self.kinds.get(REFLECTION) else [])
        self.worker: Worker | None = None
        self._made = partial(Worker, store, self.queue, clock, processors, batch=batch, timeout=timeout)
        self._concurrency = concurrency
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Works through jobs in this process until `close`."""
        self.worker = self._made()
        self._tasks = [asyncio.create_task(self._work(self.worker)), asyncio.create_task(self._reconcile())]

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
            work, reconciling = self._tasks
            reconciling.cancel()
            await asyncio.wait([work], timeout=CLOSING_SECONDS)
            work.cancel()
            await asyncio.wait([work, reconciling])
            self.worker = None
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

    async def _reconcile(self) -> None:
        while True:
            try:
                await self.reconciler.every()
            except AlejoError as error:
                structlog.get_logger().warning("sessions cannot be compared with jobs now", why=error.reason)
            await asyncio.sleep(RECONCILE_SECONDS)
