"""Where users are: the zone in which the times that they name are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, tzinfo

from alejo.clock import TIME_ZONE, time_zone
from alejo.storage.store import Store
from alejo.storage.tables import SESSIONS
from alejo.types import Preferences, Scope, Session


class Zones:
    """The zones of all users: as a message's label says, or its session's, else as they prefer, else as it is set."""

    def __init__(
        self, store: Store, preferences: Callable[[Scope], Awaitable[Preferences]], default: tzinfo = UTC
    ) -> None:
        self._store = store
        self._preferences = preferences
        self._default = default

    def named(self, session: Session | None, preferences: Preferences) -> str:
        """The name of the zone of a session's user."""
        name = session.metadata.get(TIME_ZONE, "") if session else ""
        name = name or preferences.time_zone
        return name if name and time_zone(name) else str(self._default)

    async def of(self, scope: Scope, session: Session | None = None) -> tzinfo:
        """The zone of a session's user."""
        has_label = session is not None and session.metadata.get(TIME_ZONE)
        preferences = Preferences() if has_label else await self._preferences(scope)
        return time_zone(self.named(session, preferences)) or self._default

    async def of_words(self, scope: Scope, metadata: Mapping[str, str], session_id: str = "") -> tzinfo:
        """The zone of what was said with these labels, in a session if it was in one."""
        row = None
        if session_id and not metadata.get(TIME_ZONE):
            row = await self._store.get(scope, SESSIONS, bytes.fromhex(session_id))
        return labelled(metadata) or await self.of(scope, row.value if row else None)


def labelled(metadata: Mapping[str, str]) -> tzinfo | None:
    """The zone that a message's labels name, if they name one."""
    name = metadata.get(TIME_ZONE, "")
    return time_zone(name) if name else None
