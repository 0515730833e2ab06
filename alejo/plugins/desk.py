"""What the host hands to a plugin that runs on another loop, a turn's desk and the language models: their methods still
run on the server's.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar, cast

import msgspec

from alejo.completions import ModelEvent, ModelRequest
from alejo.errors import FailedPrecondition
from alejo.roles import Desk, Models, Told
from alejo.types import Context, Hit, Memory, MemoryDraft, Mention, Message, Preferences, Reminder, Session

T = TypeVar("T")


class Bridge:
    """Carries calls over to the server's loop and their results back, until the plugin's call is over."""

    def __init__(self, home: asyncio.AbstractEventLoop) -> None:
        self._home = home
        self._context = contextvars.copy_context()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_open = True

    def close(self) -> None:
        """Ends it for the plugin: what still runs is cancelled, what comes later is refused."""
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


class RemoteDesk(Bridge):
    """A turn's desk."""

    def __init__(self, desk: Desk, home: asyncio.AbstractEventLoop) -> None:
        super().__init__(home)
        self._desk = desk

    async def context(self, token_budget: int = 0) -> Context:
        """What a model should know to answer."""
        return await self._cross(lambda: self._desk.context(token_budget))

    async def recall(self, query: str, limit: int = 10) -> Sequence[Hit]:
        """Memories that match, best first."""
        return await self._cross(lambda: self._desk.recall(query, limit))

    async def memories(self, limit: int = 20) -> Sequence[Memory]:
        """The newest memories, newest first."""
        return await self._cross(lambda: self._desk.memories(limit))

    async def times(self, memories: Sequence[Memory]) -> Sequence[tuple[Mention, ...]]:
        """What each memory names of time."""
        return await self._cross(lambda: self._desk.times(memories))

    async def remember(self, draft: MemoryDraft) -> Memory:
        """Remembers something; it is on disk when this returns."""
        return await self._cross(lambda: self._desk.remember(draft))

    async def forget(self, memory_ids: Sequence[str]) -> int:
        """Forgets memories; returns how many were there."""
        return await self._cross(lambda: self._desk.forget(memory_ids))

    async def correct(self, memory_id: str, text: str) -> Memory:
        """Gives a memory other words, as it was wrong."""
        return await self._cross(lambda: self._desk.correct(memory_id, text))

    async def prefer(self, changes: dict[str, str]) -> Preferences:
        """Changes what the user prefers."""
        return await self._cross(lambda: self._desk.prefer(changes))

    async def said(self, limit: int = 50) -> Sequence[Message]:
        """The last messages of this session before this one, newest last."""
        return await self._cross(lambda: self._desk.said(limit))

    async def facts(self, limit: int = 50) -> Sequence[Memory]:
        """Facts that hold about the user now."""
        return await self._cross(lambda: self._desk.facts(limit))

    async def stated(self, about: str = "", limit: int = 200, as_of: int | None = None) -> Sequence[Memory]:
        """All facts about the user or another, or those that were true at a time."""
        return await self._cross(lambda: self._desk.stated(about, limit, as_of))

    async def ways(self, limit: int = 20) -> Sequence[Memory]:
        """How the user wants to be answered."""
        return await self._cross(lambda: self._desk.ways(limit))

    async def last(self) -> Told | None:
        """The last turn of this session that is over."""
        return await self._cross(self._desk.last)

    async def sessions(self, limit: int = 20) -> Sequence[Session]:
        """The user's sessions, the newest first, without titles and labels."""
        return await self._cross(lambda: self._desk.sessions(limit))

    async def remind(self, text: str, due: int, *, recurrence: str = "") -> Reminder:
        """Makes a reminder; it is on disk when this returns."""
        return await self._cross(lambda: self._desk.remind(text, due, recurrence=recurrence))

    async def reminders(self) -> Sequence[Reminder]:
        """The user's reminders that are pending."""
        return await self._cross(self._desk.reminders)

    async def dismiss(self, reminder_id: str) -> bool:
        """Takes a reminder back; whether it was pending."""
        return await self._cross(lambda: self._desk.dismiss(reminder_id))

    async def run(self, command: str, arguments: str) -> str:
        """Runs a command by name and returns what it says."""
        return await self._cross(lambda: self._desk.run(command, arguments))


class RemoteModels(Bridge):
    """The language models of a piece of work."""

    def __init__(self, models: Models, home: asyncio.AbstractEventLoop) -> None:
        super().__init__(home)
        self.name = models.name
        self._models = models
        self._open: set[AsyncGenerator[ModelEvent, None]] = set()

    async def complete(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer, piece by piece."""
        events = cast("AsyncGenerator[ModelEvent, None]", self._models.complete(request))
        self._open.add(events)

        async def step() -> ModelEvent | None:
            return await anext(events, None)

        while (event := await self._cross(step)) is not None:
            yield event
        self._open.discard(events)

    async def value(self, request: ModelRequest, kind: type[T]) -> T:
        """The answer as an object."""
        return await self._cross(lambda: self._models.value(request, kind))

    def close(self) -> None:
        """Ends it, answers that nobody reads to their end too."""
        super().close()
        for events in self._open:
            self._closing = self._home.create_task(self._end(events, list(self._tasks)))

    async def _end(self, events: AsyncGenerator[ModelEvent, None], steps: Sequence[asyncio.Task[Any]]) -> None:
        await asyncio.gather(*steps, return_exceptions=True)  # one that is in the middle cannot be closed
        await events.aclose()


def has_desk(arguments: Sequence[Any]) -> bool:
    """Whether a call hands a desk or models to the plugin, so that errors in it may be the host's own."""
    return any(_handed(argument) for argument in arguments)


def carry(arguments: Sequence[Any], home: asyncio.AbstractEventLoop) -> tuple[list[Any], list[Bridge]]:
    """The arguments with every desk and models replaced by what works from another loop, and those, to be closed."""
    bridges: list[Bridge] = []
    carried: list[Any] = []

    def across(value: Any) -> Bridge:
        bridge = RemoteDesk(value, home) if _is_desk(value) else RemoteModels(value, home)
        bridges.append(bridge)
        return bridge

    for argument in arguments:
        if handed := _handed(argument):
            bridged = {name: across(value) for name, value in handed.items()}
            carried.append(msgspec.structs.replace(argument, **bridged))
        elif _is_desk(argument):
            carried.append(across(argument))
        else:
            carried.append(argument)
    return carried, bridges


def _handed(argument: object) -> dict[str, Any]:
    """What of the host's own stands in the fields of a value, such as a turn."""
    if not isinstance(argument, msgspec.Struct):
        return {}
    found = {name: getattr(argument, name, None) for name in ("desk", "models")}
    return {name: value for name, value in found.items() if value is not None}


def _is_desk(argument: object) -> bool:
    return not isinstance(argument, (str, msgspec.Struct)) and all(
        hasattr(argument, name) for name in ("recall", "memories", "remember", "forget", "run")
    )
