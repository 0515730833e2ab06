"""Leaves a model alone that fails again and again, or that said for how long it wants to be left alone."""

from __future__ import annotations

from alejo.clock import Clock


class Breaker:
    """Of one model. After `failures` in a row it rests for `rest` seconds; then one request at a time tries it."""

    def __init__(self, clock: Clock, failures: int, rest: float) -> None:
        self._clock = clock
        self._limit = failures
        self._rest = rest
        self._failed = 0
        self._until = 0.0
        self._trying = False

    @property
    def resting(self) -> float:
        """For how many seconds more it is left alone."""
        return max(0.0, self._until - self._clock.monotonic())

    def admit(self) -> bool:
        """Whether it may be asked now."""
        if self.resting or self._trying:
            return False
        self._trying = self._failed >= self._limit
        return True

    def succeeded(self) -> None:
        """It answered."""
        self._failed, self._trying, self._until = 0, False, 0.0

    def failed(self, retry_after: float | None = None) -> None:
        """It did not. `retry_after` is for how many seconds it said that it wants to be left alone."""
        self._failed += 1
        self._trying = False
        rest = max(retry_after or 0.0, self._rest if self._failed >= self._limit else 0.0)
        if rest:
            self._until = self._clock.monotonic() + rest

    def released(self) -> None:
        """It was asked, and it is not known how it would have ended."""
        self._trying = False
