"""Awaiting a trusted plugin on the server's own loop, with a deadline that costs nothing until the plugin waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Overdue(Exception):
    """The deadline passed."""


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """What the awaitable gives. Raises Overdue after `seconds`.

    Most calls end without ever waiting. Those need no timer, which would cost more than all else here; so the first
    step is taken before one is set.
    """
    steps = awaitable.__await__()
    try:
        first = next(steps)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what an awaitable's last step carries is its value
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await _Rest(steps, first)
    except BaseException as error:
        # Where both the deadline and the caller ended it, the caller's cancellation must not be lost.
        if limit.expired() and not isinstance(error, asyncio.CancelledError):
            raise Overdue from error
        raise


class _Rest(Generic[T]):
    """An awaitable that was already run up to its first wait."""

    __slots__ = ("_signal", "_steps")

    def __init__(self, steps: Generator[Any, Any, T], signal: Any) -> None:
        self._steps = steps
        self._signal = signal

    def __await__(self) -> Generator[Any, Any, T]:
        # What `yield from` does, but that it cannot begin in the middle.
        steps, signal = self._steps, self._signal
        while True:
            try:
                sent = yield signal
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001  it is handed on into the plugin, where it belongs
                thrown: BaseException | None = error
            else:
                thrown = None
            try:
                signal = steps.send(sent) if thrown is None else steps.throw(thrown)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
