"""What belongs to a user, as a whole: taken out as lines anybody can read, and brought in again."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from alejo.clock import Clock
from alejo.storage.store import Store
from alejo.types import Scope

from .erasure import Erasures, Standing
from .export import Export
from .intake import Intake

__all__ = ["Erasures", "Ownership", "Standing"]


class Ownership:
    """Exports and imports of users."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def export(self, scope: Scope) -> AsyncGenerator[bytes, None]:
        """Everything about a user, a line of JSON each with its newline; see `Export`. Nothing of it is sealed."""
        return Export(self._store, self._clock, scope).lines()

    def intake(self, scope: Scope) -> Intake:
        """What takes an export's bytes in for a user."""
        return Intake(self._store, self._clock, scope)
