"""How often a caller may: each user of a key has a rate of calls and one of items sent over a stream.

A call above the rate is refused with when to come again. Items of a stream are not: they are taken up no faster, and
gRPC's flow control lets their sender feel it. The local user, who needs no key, has no rate: who talks with an
assistant of their own, or imports into it, takes nothing from anybody.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alejo._core import DamagedIndex, Decision, InvalidValue, Limiter, SharedLimiter
from alejo.errors import ResourceExhausted, StartupError

from .limits import Limits
from .peers import Peer

if TYPE_CHECKING:
    from alejo.identity import Principal

_IDLE_SECONDS = 60.0
SUBJECT = "requests of this caller"


class _Rate:
    """One quota of all callers; without a rate it allows everything."""

    def __init__(self, number: int, name: str, rate: float, burst: int, table: str) -> None:
        """`number` tells the rates of one table apart."""
        self.number = number
        self.rate = rate
        self.burst = burst
        quotas = [(rate, burst)] * (number + 1)
        self.limiter: Limiter | SharedLimiter | None = None
        try:
            if rate:
                self.limiter = SharedLimiter(table, *quotas) if table else Limiter(*quotas)
        except InvalidValue as error:
            raise StartupError(f"{name}: {error}.", hint="alejo config show", exit_code=78) from None
        except (OSError, DamagedIndex) as error:
            raise StartupError(f"limits.table: {table}: {error}.", hint=f"ls -l {table}", exit_code=74) from None

    def decide(self, name: str, cost: int = 1) -> Decision | None:
        """What a caller of this name is told; None if there is no rate for it."""
        return self.limiter.decide(name, cost, self.number) if name and self.limiter is not None else None


class Rates:
    """The rates of one gate."""

    def __init__(self, limits: Limits) -> None:
        """Raises StartupError for a rate that makes no sense."""
        rate, burst, table = limits.requests_per_second, limits.burst, limits.table
        self._calls = _Rate(0, "limits.requests_per_second", rate, burst, table)
        self._items = _Rate(1, "limits.items_per_second", limits.items_per_second, limits.items_burst, table)
        self._timer: asyncio.TimerHandle | None = None

    @staticmethod
    def name(principal: Principal, peer: Peer) -> str:
        """Whose requests are counted together; empty for those that are not counted."""
        if principal.key_id:
            return f"{principal.key_id}/{principal.scope.user}"
        return peer.address if peer.kind == "network" else ""

    def ask(self, name: str) -> None:
        """Counts a call. Raises ResourceExhausted if it comes too soon."""
        rate = self._calls
        told = rate.decide(name)
        if told is None:
            return
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._tidy)
        if not told.allowed:
            raise ResourceExhausted(
                f"There were more than {rate.burst:,} {SUBJECT} at once, or {rate.rate:,g} a second for longer.",
                retry_after=told.retry_after,
                subject=SUBJECT,
            )

    def take(self, name: str, frames: int, *, items: bool) -> tuple[int, float]:
        """Counts frames of a stream, as items or as calls: how many of them at a time, after how many seconds."""
        rate = self._items if items else self._calls
        told = rate.decide(name, min(frames, rate.burst))
        return (frames, 0.0) if told is None else (min(frames, rate.burst), told.retry_after)

    def _tidy(self) -> None:
        """Takes the memory of idle callers back, until there is none."""
        limiters = [rate.limiter for rate in (self._calls, self._items) if isinstance(rate.limiter, Limiter)]
        for limiter in limiters:
            limiter.reclaim()
        again = any(len(limiter) for limiter in limiters)
        self._timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._tidy) if again else None

    def stop(self) -> None:
        """Ends the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
