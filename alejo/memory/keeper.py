"""The keeper: visits users who were active, one after the other, and does with their memories what time asks for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from alejo.clock import Clock
from alejo.errors import AlejoError
from alejo.ids import Ids
from alejo.memory.activity import Activity
from alejo.memory.facts import Facts
from alejo.memory.indexes import Indexes
from alejo.memory.layers import Layers
from alejo.memory.restating import Restating
from alejo.memory.upkeep import Forget, Visit
from alejo.outcomes import Tidied
from alejo.storage.journal import Journal
from alejo.storage.store import Store
from alejo.types import Scope

_SWEEP = 60  # rounds


class Keeper:
    """A task of this process, which ends with it; `visit` is for whoever will not wait."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        indexes: Indexes,
        activity: Activity,
        layers: Callable[[Scope], Awaitable[Layers]],
        idle: float,
        ids: Ids,
        clock: Clock,
        forget: Forget,
        facts: Facts,
    ) -> None:
        self._facts = facts
        self._store = store
        self._journal = journal
        self._indexes = indexes
        self._activity = activity
        self._layers = layers
        self._idle = idle
        self._ids = ids
        self._clock = clock
        self._forget = forget
        self._task: asyncio.Task[None] | None = None
        self._visits = asyncio.Lock()
        self._rounds = 0
        self.visited = 0

    def start(self, seconds: float) -> None:
        """Begins to look around every so many seconds; 0: never."""
        if seconds and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go(seconds))

    async def visit(self, scope: Scope, *, verify: bool = False) -> Tidied:
        """Does for one user what is due; one visit at a time in a process, and for a user in all of them.

        With `verify` the user's index is compared with storage, and made anew if they differ.
        """
        async with self._visits:
            seen = self._activity.take(scope)
            if await self._store.life(scope) is None:
                return Tidied()  # whoever was erased is not written down again
            layers = await self._layers(scope)
            restating = Restating(self._store, self._journal, self._indexes, self._facts, scope)
            visit = Visit(
                self._store,
                self._journal,
                self._indexes,
                layers,
                self._ids,
                self._clock,
                scope,
                restating,
                seen.ended,
            )
            try:
                noted = await visit.run(seen.recalled, self._forget)
            except BaseException:
                self._activity.put_back(scope, seen)
                raise
            if not noted:
                self._activity.put_back(scope, seen)
            elif not visit.done.done:
                self._activity.spoke(scope)
            await self._indexes.tidy(scope)
            self.visited += 1
        differences = await self._indexes.verify(scope) if verify else 0
        return msgspec.structs.replace(visit.done, differences=differences)

    async def _go(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.round()

    async def round(self) -> None:
        """Visits everybody who was active since the last one, each for a bounded time."""
        self._journal.cool(self._idle)
        await self._indexes.cool()
        if self._rounds % _SWEEP == 0:
            await self._indexes.sweep()
        self._rounds += 1
        for scope in self._activity.waiting():
            try:
                await self.visit(scope)
            except AlejoError as error:  # the next round tries again
                structlog.get_logger().warning("memories could not be looked after", why=str(error))
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Ends the task; the commit it is waiting for is on disk or is not, as a whole."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
