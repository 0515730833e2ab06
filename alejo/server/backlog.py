"""How long calls wait before they begin, and which are refused while that is too long.

gRPC takes calls in one by one, each after several turns of the event loop; under load they wait within gRPC, unseen,
and those beyond some thousand end as CANCELLED. So while calls come, a small one of the server's own goes the same way,
through its Unix socket: how long it took to begin is what others wait now. While that exceeds `limits.queue_seconds`, a
share of the calls is refused before anything is done for them. The share is found as a TCP sender finds its rate, by
multiplicative decrease and additive increase (Chiu and Jain, 1989), from the second late probe in a row on: as in CoDel
(RFC 8289), a queue that soon empties again is no overload.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_PULSE = 0.05
_LESS = 0.7
_MORE = 0.03
_MUCH_MORE = 0.15  # when there is hardly a queue
# A refusal costs the server about a sixth of a turn: admitting less than half it would at last do nothing but refuse.
_LEAST = 0.5
_WINDOW = 1.0
_MOST_CALLERS = 10_000
RETRY_SECONDS = 1.0

Send = Callable[[int], None]


class Backlog:
    """Says which calls may begin. `send` sends the probe of a number; without, all may.

    `began` is called when a probe begins, and `ended` when it is over, which may be without.
    """

    def __init__(self, most: float) -> None:
        self.share = 1.0
        self.delay = 0.0
        self.refused = 0
        self.send: Send | None = None
        self._most = most
        self._late = 0
        self._credit = 0.0
        self._sent = 0.0
        self._number = 0
        self._arrived = False
        self._told = False
        self._callers: dict[str, int] = {}
        self._total = 0
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def admits(self, address: Callable[[], str]) -> bool:
        """Whether the call that came now, from an address that is only asked for under load, may begin."""
        self._arrived = True
        if self._timer is None and self.send is not None:
            self._timer = asyncio.get_running_loop().call_later(_PULSE, self._pulse)
        if self.share >= 1.0 or self._modest(address()):
            return True
        self._credit += self.share
        if self._credit < 1.0:
            self.refused += 1
            return False
        self._credit -= 1.0
        return True

    def _modest(self, address: str) -> bool:
        """Whether an address makes less than half as many calls as the average: the load is not of its making."""
        now = time.monotonic()
        if now > self._until or len(self._callers) > _MOST_CALLERS:
            self._until = now + _WINDOW
            self._callers.clear()
            self._total = 0
        mine = self._callers[address] = self._callers.get(address, 0) + 1
        self._total += 1
        return mine * len(self._callers) * 2 < self._total

    def _pulse(self) -> None:
        self._timer = None
        if self.send is None:
            return
        now = time.monotonic()
        if self._sent:
            if now - self._sent > self._most and not self._told:  # however long it takes, it is one late probe
                self._told = True
                self.seen(now - self._sent)
        elif self._arrived or self.share < 1.0:
            self._arrived = self._told = False
            self._sent = now
            self._number += 1
            self.send(self._number)
        else:
            return
        self._timer = asyncio.get_running_loop().call_later(_PULSE, self._pulse)

    def began(self) -> None:
        """The probe has begun."""
        delay, self._sent = time.monotonic() - self._sent if self._sent else 0.0, 0.0
        if self._told:
            self.delay = delay
        elif delay:
            self.seen(delay)

    def ended(self, number: int) -> None:
        """A probe is over. Where more wait than gRPC keeps, it may have refused this one too: then it was late."""
        if number == self._number and self._sent:
            waited, self._sent = time.monotonic() - self._sent, 0.0
            if not self._told:
                self.seen(max(waited, 2 * self._most))

    def seen(self, delay: float) -> None:
        """Learns how long a call waited, in seconds."""
        self.delay = delay
        if delay <= self._most:
            self._late = 0
            self.share = min(1.0, self.share + (_MORE if delay > self._most / 8 else _MUCH_MORE))
            return
        self._late += 1
        if self._late > 1 or self.share < 1.0:
            self.share = max(_LEAST, self.share * _LESS)

    def stop(self) -> None:
        """Sends no more probes and refuses nothing."""
        self.send = None
        self.share = 1.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
