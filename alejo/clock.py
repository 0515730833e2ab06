"""The time, as a value that is handed in: the system's, or one a test moves; and the zones it is told in."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# When the call under way must have ended, in seconds of the event loop's clock; set by the server for its length.
deadline: ContextVar[float] = ContextVar("alejo_deadline", default=math.inf)
TIME_ZONE = "time_zone"  # the label of a session or message that names the zone it is in
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAP_SECONDS = 30.0  # the machine's clock may be set while one waits for it


class Clock(Protocol):
    """Two times: `now` for records, `monotonic` for measuring; and a way to wait for a moment."""

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    async def until(self, moment: int) -> None:
        """Waits until `now` is a moment, or beyond."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()

    async def until(self, moment: int) -> None:
        """Waits until `now` is a moment, or beyond."""
        while (left := moment - self.now()) > 0:  # noqa: ASYNC110 - it is the time that is waited for
            await asyncio.sleep(min(left / 1_000_000, _NAP_SECONDS))


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        self._now = now
        self._monotonic = 0.0
        self._waiting: list[tuple[int, asyncio.Event, asyncio.AbstractEventLoop]] = []

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        return self._monotonic

    async def until(self, moment: int) -> None:
        """Waits until the clock is moved so far."""
        if moment <= self._now:
            return
        waiting = moment, asyncio.Event(), asyncio.get_running_loop()
        self._waiting.append(waiting)
        try:
            await waiting[1].wait()
        finally:
            self._waiting.remove(waiting)

    def advance(self, seconds: float) -> None:
        """Moves both times forward, from whatever thread. Raises ValueError on a negative step."""
        if seconds < 0:
            raise ValueError("a clock does not go back")
        self._now += round(seconds * 1_000_000)
        self._monotonic += seconds
        for moment, reached, loop in list(self._waiting):
            if moment <= self._now:
                with contextlib.suppress(RuntimeError):  # its loop has ended meanwhile
                    loop.call_soon_threadsafe(reached.set)


def local(moment: int, zone: tzinfo) -> datetime | None:
    """A moment in µs as a time of a zone; None for one that no calendar holds."""
    try:
        return (_EPOCH + timedelta(microseconds=moment)).astimezone(zone)
    except OverflowError:
        return None


def time_zone(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name, such as "Europe/Vienna"; None if there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):  # OSError: a folder of zones is none
        return None
