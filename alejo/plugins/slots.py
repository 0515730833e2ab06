"""What the host knows of one plugin, and the objects it registered."""

from __future__ import annotations

import dataclasses
from typing import Any

from alejo.settings import Setting
from alejo.types import CommandSpec, PluginStatus

from .discovery import Candidate
from .lane import Lane
from .shapes import NAMED
from .states import Standing


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One object that a plugin registered for a role.

    `spec` is a command's, `name` a language model's, `lacks` what it could do besides, each read once when it was
    registered.
    """

    plugin: str
    distribution: str
    role: str
    object: Any
    trusted: bool
    entry: Plugin = dataclasses.field(repr=False)
    spec: CommandSpec | None = None
    name: str = ""
    lacks: tuple[str, ...] = ()

    @property
    def names(self) -> list[tuple[str, str]]:
        """What of it there can be only one of: the name of most, a storage's schemes."""
        if self.spec is not None:
            return [("command", self.spec.name)]
        if self.role in NAMED:
            return [(self.role, self.object.name)]
        if self.name:
            return [("language model", self.name)]
        return [("storage", scheme) for scheme in self.object] if self.role == "storage" else []


class Plugin:
    """One plugin as it was loaded; loaded again, it is another. Seconds are of the wall clock."""

    def __init__(self, candidate: Candidate, standing: Standing) -> None:
        self.candidate = candidate
        self.standing = standing
        self.slots: list[Slot] = []
        self.settings: list[Setting] = []
        self.load_seconds = 0.0
        self.import_seconds = 0.0
        self.call_seconds = 0.0
        self.longest_call_seconds = 0.0
        self.stall_seconds = 0.0
        self.stuck_threads = 0
        self.lane: Lane | None = None
        self.running = 0  # calls on its lane
        self.is_leaving = False  # another took its place; what runs may end

    def took(self, seconds: float) -> None:
        """Counts how long a call took."""
        self.call_seconds += seconds
        self.longest_call_seconds = max(self.longest_call_seconds, seconds)

    def status(self) -> PluginStatus:
        """The truth about it."""
        standing, candidate = self.standing, self.candidate
        return PluginStatus(
            candidate.name,
            candidate.distribution,
            candidate.version,
            standing.state,
            reason=standing.reason,
            hint=standing.hint,
            roles=tuple(dict.fromkeys(slot.role for slot in self.slots)),
            load_seconds=self.load_seconds,
            trusted=any(slot.trusted for slot in self.slots) if self.slots else candidate.trusted,
            calls=standing.calls,
            failures=standing.failures,
            stuck_threads=self.stuck_threads,
            import_seconds=self.import_seconds,
            call_seconds=self.call_seconds,
            longest_call_seconds=self.longest_call_seconds,
            stall_seconds=self.stall_seconds,
            lacks=tuple(dict.fromkeys(each for slot in self.slots for each in slot.lacks)),
        )
