"""A turn's desk for a plugin that runs on another loop: its methods still run on the server's."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import msgspec

from alejo.errors import FailedPrecondition
from alejo.roles import Desk, Turn
from alejo.types import Context, Hit, Memory, MemoryDraft

T = TypeVar("T")


class RemoteDesk:
    """Carries each call over to the server's loop and its result back, until the turn is over."""

    def __init__(self, desk: Desk, home: asyncio.AbstractEventLoop) -> None:
        self._desk = desk
        self._home = home
        self._context = contextvars.copy_context()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_open = True

    async def context(self, token_budget: int = 0) -> Context:
        """What a model should know to answer."""
        return await self._cross(lambda: self._desk.context(token_budget))

    async def recall(self, query: str, limit: int = 10) -> Sequence[Hit]:
        """Memories that match, best first."""
        return await self._cross(lambda: self._desk.recall(query, limit))

    async def memories(self, limit: int = 20) -> Sequence[Memory]:
        """The newest memories, newest first."""
        return await self._cross(lambda: self._desk.memories(limit))

    async def remember(self, draft: MemoryDraft) -> Memory:
        """Remembers something; it is on disk when this returns."""
        return await self._cross(lambda: self._desk.remember(draft))

    async def forget(self, memory_ids: Sequence[str]) -> int:
        """Forgets memories; returns how many were there."""
        return await self._cross(lambda: self._desk.forget(memory_ids))

    async def run(self, command: str, arguments: str) -> str:
        """Runs a command by name and returns what it says."""
        return await self._cross(lambda: self._desk.run(command, arguments))

    def close(self) -> None:
        """Ends the turn for the plugin: what still runs is cancelled, what comes later is refused."""
        self._is_open = False
        for task in self._tasks:
            task.cancel()

    async def _cross(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._home.call_soon_threadsafe(self._start, make, outcome, context=self._context.copy())
        return await asyncio.wrap_future(outcome)

    def _start(self, make: Callable[[], Coroutine[Any, Any, T]], outcome: concurrent.futures.Future[T]) -> None:
        if not self._is_open:
            outcome.set_exception(FailedPrecondition("The turn is over.", reason="TURN_OVER"))
            return
        task = self._home.create_task(make())
        self._tasks.add(task)

        def finish(task: asyncio.Task[T]) -> None:
            self._tasks.discard(task)
            # The plugin may have given up on the outcome in this very moment.
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                if task.cancelled():
                    outcome.set_exception(FailedPrecondition("The turn is over.", reason="TURN_OVER"))
                elif (error := task.exception()) is not None:
                    outcome.set_exception(error)
                else:
                    outcome.set_result(task.result())

        def give_up(outcome: concurrent.futures.Future[T]) -> None:
            if outcome.cancelled():
                with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                    self._home.call_soon_threadsafe(task.cancel)

        task.add_done_callback(finish)
        outcome.add_done_callback(give_up)


def has_desk(arguments: Sequence[Any]) -> bool:
    """Whether a call hands a desk to the plugin, so that errors in it may be the host's own."""
    return any(isinstance(argument, Turn) for argument in arguments)


def carry(arguments: Sequence[Any], home: asyncio.AbstractEventLoop) -> tuple[list[Any], list[RemoteDesk]]:
    """The arguments with every desk replaced by one that works from another loop, and those desks, to be closed."""
    desks: list[RemoteDesk] = []
    carried: list[Any] = []
    for argument in arguments:
        if isinstance(argument, Turn):
            desks.append(RemoteDesk(argument.desk, home))
            carried.append(msgspec.structs.replace(argument, desk=desks[-1]))
        elif _is_desk(argument):
            desks.append(RemoteDesk(argument, home))
            carried.append(desks[-1])
        else:
            carried.append(argument)
    return carried, desks


def _is_desk(argument: object) -> bool:
    return not isinstance(argument, (str, msgspec.Struct)) and all(
        hasattr(argument, name) for name in ("recall", "memories", "remember", "forget", "run")
    )
