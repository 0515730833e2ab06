"""Awaiting with a deadline that begins at the first wait."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from alejo.plugins.here import Overdue, within


async def test_a_value_comes_through() -> None:
    """What does not wait, what waits once and what waits often all give their value."""

    async def after(waits: int) -> int:
        for _ in range(waits):
            await asyncio.sleep(0)
        return waits

    assert [await within(5, after(waits)) for waits in (0, 1, 5)] == [0, 1, 5]


@pytest.mark.parametrize("waits", [0, 1, 3])
async def test_an_error_comes_through(waits: int) -> None:
    """What is raised before or after a wait is raised here."""

    async def after() -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
        raise ValueError("it")

    with pytest.raises(ValueError, match="it"):
        await within(5, after())


async def test_an_error_reaches_the_inside() -> None:
    """An error of what is awaited can be caught where it is awaited, and waiting goes on."""

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError

    async def catches() -> str:
        try:
            await asyncio.gather(fails())
        except ValueError:
            await asyncio.sleep(0)
            return "caught"
        return "missed"

    assert await within(5, catches()) == "caught"


async def test_what_waits_too_long_is_overdue() -> None:
    """The deadline cancels what is inside, so that it can clean up, and says Overdue."""
    cleaned = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    with pytest.raises(Overdue):
        await within(0.05, forever())
    assert cleaned.is_set()


async def test_cancelling_goes_inside() -> None:
    """The caller's cancellation reaches the inside and comes back as itself."""
    inside, cancelled = asyncio.Event(), asyncio.Event()

    async def forever() -> None:
        inside.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.create_task(within(60, forever()))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


async def test_an_inner_timeout_is_not_the_outer() -> None:
    """A TimeoutError from inside is an error like any other."""

    async def impatient() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await within(60, impatient())


async def test_pieces_come_through() -> None:
    """An async generator is read to its end, with and without waiting between the pieces."""

    async def pieces() -> object:
        yield 1
        await asyncio.sleep(0)
        yield 2

    source = pieces()
    assert [await within(5, anext(source)), await within(5, anext(source))] == [1, 2]
    with pytest.raises(StopAsyncIteration):
        await within(5, anext(source))


async def test_the_inside_is_part_of_the_task() -> None:
    """What is awaited runs in the caller's task and context, in its first step and later."""
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(1)

    async def look() -> list[object]:
        first = (variable.get(), asyncio.current_task())
        await asyncio.sleep(0)
        return [first, (variable.get(), asyncio.current_task())]

    assert await within(5, look()) == [(1, asyncio.current_task())] * 2
