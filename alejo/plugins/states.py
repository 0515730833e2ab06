"""How a plugin stands: its states as one table, and the circuit that rests a plugin which keeps failing."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType

from alejo.clock import Clock
from alejo.types import PluginState

RECOVERY = 10  # so many calls must succeed in a row before the failures behind them no longer count


class Refusal(Exception):
    """Why a plugin is not loaded: one sentence, and what helps."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class Event(enum.Enum):
    """What can happen to a plugin."""

    LOADED = "loaded"
    REFUSED = "refused"
    SUCCEEDED = "the trial call succeeds"
    RECOVERED = f"{RECOVERY} calls succeed in a row"
    FAILED = "a call fails or blocks"
    TRIPPED = "too many failures, or a stuck loop"


TRANSITIONS: Mapping[tuple[PluginState, Event], PluginState] = MappingProxyType(
    {
        (PluginState.DISCOVERED, Event.LOADED): PluginState.ACTIVE,
        (PluginState.DISCOVERED, Event.REFUSED): PluginState.REJECTED,
        (PluginState.ACTIVE, Event.FAILED): PluginState.DEGRADED,
        (PluginState.ACTIVE, Event.TRIPPED): PluginState.QUARANTINED,
        (PluginState.DEGRADED, Event.RECOVERED): PluginState.ACTIVE,
        (PluginState.DEGRADED, Event.FAILED): PluginState.DEGRADED,
        (PluginState.DEGRADED, Event.TRIPPED): PluginState.QUARANTINED,
        (PluginState.QUARANTINED, Event.SUCCEEDED): PluginState.DEGRADED,
        (PluginState.QUARANTINED, Event.TRIPPED): PluginState.QUARANTINED,
    }
)


def diagram() -> str:
    """The table as a Mermaid state diagram, as docs/plugins.md shows it."""
    lines = ["stateDiagram-v2", "    [*] --> discovered"]
    for (before, event), after in TRANSITIONS.items():
        lines.append(f"    {before.name.lower()} --> {after.name.lower()}: {event.value}")
    return "\n".join(lines)


class Standing:
    """One plugin's state and counts. Touched on the server's loop alone; `changed` hears of every change."""

    def __init__(self, clock: Clock, limit: int, rest: float, changed: Callable[[], None]) -> None:
        self._clock = clock
        self._limit = limit
        self._rest = rest
        self._changed = changed
        self._rested_at = 0.0
        self._in_trial = False
        self.state = PluginState.DISCOVERED
        self.reason = ""
        self.hint = ""
        self.calls = 0
        self.failures = 0
        self.streak = 0  # of failures
        self._good = 0  # calls in a row that succeeded since it was last at fault

    def step(self, event: Event, reason: str = "", hint: str = "") -> None:
        """Takes a step of the table. Raises KeyError when the table has no such step."""
        self.state = TRANSITIONS[self.state, event]
        self.reason, self.hint = reason, hint
        self._changed()

    def admit(self) -> bool:
        """Whether a quarantined plugin has rested and may have one trial call, which is then under way."""
        if self._in_trial or self._clock.monotonic() < self._rested_at:
            return False
        self._in_trial = True
        return True

    def succeeded(self, *, trial: bool) -> None:
        """A call came back. An earlier call that comes back during quarantine proves nothing about the plugin now."""
        self._in_trial = self._in_trial and not trial
        if self.state is PluginState.QUARANTINED and not trial:
            return
        self.streak = 0
        self._good += 1
        if self.state is PluginState.QUARANTINED:
            self.step(Event.SUCCEEDED, "It was quarantined, and its trial call succeeded.")
        elif self.state is PluginState.DEGRADED and self._good >= RECOVERY:
            self.step(Event.RECOVERED)

    def failed(self, reason: str, *, trial: bool) -> None:
        """A call raised or ran out of time; `reason` is a clause such as "timeout after 5 s"."""
        is_trial = trial and self._in_trial  # a trial that hung was judged already when its loop was replaced
        self._in_trial = self._in_trial and not trial
        self.failures += 1
        self.streak += 1
        self._good = 0
        if is_trial:
            self.trip(f"The trial call failed: {reason}.")
        elif self.state is PluginState.QUARANTINED:
            return
        elif self.streak >= self._limit:
            self.trip(f"{self.streak} calls failed in a row, the last one: {reason}.")
        else:
            self.step(Event.FAILED, f"A call failed: {reason}.")

    def released(self, *, trial: bool) -> None:
        """A call was given up by its caller: nothing is known about the plugin."""
        self._in_trial = self._in_trial and not trial

    def blocked(self, reason: str) -> None:
        """The plugin's loop does not answer, though no deadline has passed yet."""
        self._good = 0
        if self.state is not PluginState.QUARANTINED:
            self.step(Event.FAILED, reason)

    def trip(self, reason: str) -> None:
        """Quarantines the plugin from now on for the rest time."""
        self._in_trial = False
        self._good = 0
        self._rested_at = self._clock.monotonic() + self._rest
        hint = f"It is tried again with the first call after {self._rest:g} s; see the log for where it failed."
        self.step(Event.TRIPPED, reason, hint)
