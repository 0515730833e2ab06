"""Rings for those who listen when a reminder of theirs falls due.

One task of the process waits for the first that is due of all users who listen, and looks every five seconds whether
another process has made one that is earlier. A ring says only that something may be due: who hears it looks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import structlog

from alejo.clock import Clock
from alejo.errors import AlejoError
from alejo.types import Scope

LOOK = 5_000_000  # µs
_OVERLAP = 60_000_000  # µs: what was due may have reached the disk late


class Bell:
    """`next_due` tells when the first reminder of a user falls due after a moment, or fell."""

    def __init__(self, next_due: Callable[[Scope, int], Awaitable[int | None]], clock: Clock) -> None:
        self._next_due = next_due
        self._clock = clock
        self._rings: dict[Scope, list[Callable[[], None]]] = {}
        self._next: dict[Scope, int] = {}  # when to look at a user again
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def listening(self, scope: Scope, ring: Callable[[], None]) -> Iterator[None]:
        """Calls `ring` whenever something of this user's may be due, and at once."""
        self._rings.setdefault(scope, []).append(ring)
        self.look(scope)
        ring()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            self._rings[scope].remove(ring)
            if not self._rings[scope]:
                del self._rings[scope]
                self._next.pop(scope, None)
            if not self._rings and self._task is not None:
                self._task.cancel()
                self._task = None

    def look(self, scope: Scope) -> None:
        """Looks at a user's reminders anew, as they have changed."""
        if scope in self._rings:
            self._next[scope] = 0
            self._stirred.set()

    async def close(self) -> None:
        """Rings no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def _run(self) -> None:
        while True:
            self._stirred.clear()
            now = self._clock.now()
            for scope in [scope for scope, moment in self._next.items() if moment <= now]:
                await self._look(scope, now)
            until = asyncio.ensure_future(self._clock.until(min(self._next.values(), default=now + LOOK)))
            stirred = asyncio.ensure_future(self._stirred.wait())
            try:
                await asyncio.wait({until, stirred}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                until.cancel()
                stirred.cancel()

    async def _look(self, scope: Scope, now: int) -> None:
        self._next[scope] = again = now + LOOK
        try:
            fell = await self._next_due(scope, now - _OVERLAP)
            coming = await self._next_due(scope, now)
        except AlejoError as error:  # the store cannot be read at the moment
            structlog.get_logger().warning("reminders could not be read", why=error.reason)
            fell, coming = None, None
        if self._next.get(scope) == again and coming is not None:  # else it has changed meanwhile
            self._next[scope] = min(again, coming)
        if fell is not None and fell <= now:
            for ring in list(self._rings.get(scope, ())):
                ring()
