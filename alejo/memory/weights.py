"""Which weights recall uses: those learned for the user, else for those who share, else as the memory plugin has them.

What was promoted stays as a version, so that one can go back. Nothing but weights is shared, so that nobody's words can
be seen through them.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec

from alejo.clock import Clock
from alejo.errors import Conflict, NotFound
from alejo.lessons import WeightsVersion
from alejo.storage import audit
from alejo.storage.requests import Requests, digest
from alejo.storage.store import Store, Writer
from alejo.storage.tables import WEIGHTS, WEIGHTS_IN_USE, WeightsInUse
from alejo.types import Metric, RecallPlan, Scope

_ONE = b"\0"
_TRIES = 8
_MOST = 1000  # versions that are kept in view; a promotion needs feedback that takes longer to give
_SHIPPED = WeightsInUse(0, {}, 0)
# What a plan chooses by the words of each query; nothing that is learned overrides that.
OF_THE_QUERY = frozenset({"recency", "kind"})


class Weights:
    """The learned weights of every user. `sharing` are the tenants whose users share with all others of them.

    Of any other tenant the users share among themselves; with `shared` off nobody does.
    """

    def __init__(
        self, store: Store, requests: Requests, clock: Clock, *, shared: bool = True, sharing: Collection[str] = ()
    ) -> None:
        self._store = store
        self._requests = requests
        self._clock = clock
        self._shared = shared
        self._sharing = frozenset(sharing)

    def pool(self, scope: Scope) -> Scope | None:
        """Whose weights are used by those who have none of their own; None where nothing is shared."""
        return Scope("" if scope.tenant in self._sharing else scope.tenant, "") if self._shared else None

    async def in_use(self, scope: Scope) -> WeightsInUse:
        """The user's own weights; version 0 for one who has none."""
        row = await self._store.get(scope, WEIGHTS_IN_USE, _ONE)
        return _SHIPPED if row is None else row.value

    async def learned(self, scope: Scope) -> Mapping[str, float]:
        """The weights that were learned, for the user or else those they share with; empty if there are none."""
        own = await self._store.get(scope, WEIGHTS_IN_USE, _ONE)
        if own is not None and own.value.number:
            return own.value.weights
        pool = self.pool(scope)
        row = await self._store.get(pool, WEIGHTS_IN_USE, _ONE) if pool is not None else None
        return row.value.weights if row is not None else {}

    async def applied(self, scope: Scope, plan: RecallPlan) -> RecallPlan:
        """The plan with the weights that were learned, of the evidence that it weighs."""
        learned = await self.learned(scope)
        return msgspec.structs.replace(plan, weights=weighed(plan.weights, learned)) if learned else plan

    async def versions(self, scope: Scope) -> builtins.list[WeightsVersion]:
        """What was promoted, newest first."""
        rows = await self._store.scan(scope, WEIGHTS, limit=_MOST, reverse=True)
        return [row.value for row in rows]

    async def rolled_back(self, scope: Scope) -> int:
        """Since when the user has gone back behind the newest version, in µs; 0 where they have not."""
        used, last = await self.in_use(scope), await self._store.scan(scope, WEIGHTS, limit=1, reverse=True)
        return used.since if last and used.number < last[0].value.number else 0

    async def promote(
        self, writer: Writer, scope: Scope, weights: Mapping[str, float], learner: str, metrics: tuple[Metric, ...]
    ) -> int:
        """Adds to a batch that these are used from now on, as a new version; returns its number."""
        last = await self._store.scan(scope, WEIGHTS, limit=1, reverse=True)
        used = await self._store.get(scope, WEIGHTS_IN_USE, _ONE)
        number, now = (last[0].value.number if last else 0) + 1, self._clock.now()
        writer.expect(WEIGHTS_IN_USE, _ONE, used.version if used else None)
        writer.put(WEIGHTS, number.to_bytes(8, "big"), WeightsVersion(number, dict(weights), now, learner, metrics))
        writer.put(WEIGHTS_IN_USE, _ONE, WeightsInUse(number, dict(weights), now))
        audit.record(writer, "weights.promote", str(number), now)
        return number

    async def roll_back(
        self,
        scope: Scope,
        number: int | None = None,
        *,
        request_id: str = "",
        beside: Callable[[Writer], Awaitable[None]] | None = None,
    ) -> WeightsInUse:
        """Goes back to a version, to the one before by default; 0 is none. Raises NotFound, Conflict.

        What was liked before this does not speak for a promotion any more. `beside` adds to the batch.
        """
        body = digest(("weights.rollback", number))
        for _ in range(_TRIES):
            row = await self._store.get(scope, WEIGHTS_IN_USE, _ONE)
            used = _SHIPPED if row is None else row.value
            if await self._requests.find(scope, request_id, "weights.rollback", body) is not None:
                return used
            wanted = max(used.number - 1, 0) if number is None else number
            version = await self._store.get(scope, WEIGHTS, wanted.to_bytes(8, "big")) if wanted else None
            if wanted and version is None:
                raise NotFound("weights", str(wanted))
            now = self._clock.now()
            used = WeightsInUse(wanted, version.value.weights if version else {}, now)
            writer = await self._store.writer(scope)
            writer.expect(WEIGHTS_IN_USE, _ONE, row.version if row else None)
            writer.put(WEIGHTS_IN_USE, _ONE, used)
            self._requests.add(writer, request_id, "weights.rollback", body, True)
            audit.record(writer, "weights.rollback", str(wanted), now)
            if beside is not None:
                await beside(writer)
            try:
                await writer.commit()
            except Conflict:
                continue
            return used
        raise Conflict("The weights are being changed by somebody else; try again.")


def weighed(weights: Mapping[str, float], learned: Mapping[str, float]) -> dict[str, float]:
    """The weights, with those that were learned in their place; what a query chooses stays."""
    return {name: weight if name in OF_THE_QUERY else learned.get(name, weight) for name, weight in weights.items()}
