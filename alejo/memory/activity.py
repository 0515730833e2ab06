"""Who was active, and which memories were recalled: noted in memory, for the keeper to write down all together.

A process that is killed loses the recalls since the keeper came by, never more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

import msgspec

from alejo.types import Scope

_COUNTED = 5  # of a recall's hits: what stands further down was hardly looked at
_USERS = 100_000
_MEMORIES = 1_000  # of one user, between two visits


class Seen(msgspec.Struct):
    """What a user did: how often each memory was recalled, and the sessions that ended."""

    recalled: Counter[str] = msgspec.field(default_factory=Counter)
    ended: set[str] = msgspec.field(default_factory=set)


class Activity:
    """What users did since the keeper came by."""

    def __init__(self) -> None:
        self._seen: dict[Scope, Seen] = {}

    def spoke(self, scope: Scope) -> Seen:
        """Notes that a user was active. Beyond some 100,000 users nothing is noted until the keeper came by."""
        seen = self._seen.get(scope)
        if seen is None:
            seen = Seen()
            if len(self._seen) < _USERS:
                self._seen[scope] = seen
        return seen

    def recalled(self, scope: Scope, ids: Iterable[str]) -> None:
        """Notes that these memories were recalled, the best of them."""
        counts = self.spoke(scope).recalled
        for each in islice(ids, _COUNTED):
            if each in counts or len(counts) < _MEMORIES:
                counts[each] += 1

    def ended(self, scope: Scope, session_id: str) -> None:
        """Notes that a session was completed or archived."""
        self.spoke(scope).ended.add(session_id)

    def waiting(self) -> list[Scope]:
        """The users who were active, the longest waiting first."""
        return list(self._seen)

    def take(self, scope: Scope) -> Seen:
        """What a user did, who counts as visited."""
        return self._seen.pop(scope, None) or Seen()

    def put_back(self, scope: Scope, seen: Seen) -> None:
        """Takes back what could not be written down."""
        again = self.spoke(scope)
        again.recalled.update(seen.recalled)
        again.ended |= seen.ended
