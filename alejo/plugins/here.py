"""Awaiting a trusted plugin on the server's own loop, with a deadline that costs nothing until the plugin waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from alejo.begun import Rest

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
            return await Rest(steps, first)
    except BaseException as error:
        # Where both the deadline and the caller ended it, the caller's cancellation must not be lost.
        if limit.expired() and not isinstance(error, asyncio.CancelledError):
            raise Overdue from error
        raise
