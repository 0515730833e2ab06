"""Learning as a whole: its stages, what they have made, and what a user says of what was recalled."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from functools import partial

from alejo.clock import Clock
from alejo.errors import FailedPrecondition, InvalidArgument
from alejo.lessons import Entry, LearnerReport, Learnt, Promoted, SessionSum
from alejo.memory.indexes import Indexes
from alejo.memory.weights import Weights
from alejo.paging import cursor, token
from alejo.plugins import WORLD, PluginHost, cleared
from alejo.reflection import Piece, Processing
from alejo.storage import audit
from alejo.storage.requests import Requests
from alejo.storage.store import Store, Writer
from alejo.storage.tables import TOPICS, WeightsInUse
from alejo.types import Message, Page, Role, Scope

from .feedback import Likings
from .learners import Learners
from .pairs import FORMS, Pairs, Reword, line, reworded
from .personal import remover
from .rows import LEARNERS, LOG, POOLS, SUMS, TOTALS, Pool
from .stages import Made, Stage
from .topics import Topics

_ONE = b"\0"
_MOST = 1_000  # sessions whose topics are counted, the newest
_TOLD = 20  # topics


class Learning:
    """The rooms of learning over one store. `processors` are those of a session that ended; fixed from the start."""

    def __init__(
        self,
        store: Store,
        indexes: Indexes,
        plugins: PluginHost,
        requests: Requests,
        weights: Weights,
        clock: Clock,
        *,
        personal: bool = True,
    ) -> None:
        """Without `personal` learners are given no personal data."""
        self.weights = weights
        self.likings = Likings(store, requests, clock)
        self.pairs = Pairs(store)
        self._store = store
        self._indexes = indexes
        self._clock = clock
        remove = None if personal else self._remover
        learners = Learners(store, plugins, weights, self.pairs, self.likings, clock, remove)
        self._plugins = plugins
        names = dict.fromkeys(slot.object.name for slot in plugins.every("learner"))
        works = {"topics": Topics(store).learn, "pairs": self.pairs.learn, "log": self._sum} | {
            f"learner.{name}": partial(learners.learn, name) for name in names
        }
        self.processors: Sequence[Processing] = [Stage(store, clock, name, work) for name, work in works.items()]

    async def export(self, scope: Scope, form: str, *, personal: bool = True) -> AsyncGenerator[bytes, None]:
        """The pairs as lines of JSON; without `personal`, personal data and secrets are replaced.

        It is in the user's audit. Raises InvalidArgument for an unknown form, PluginFailed where a conscience cannot
        say what is secret.
        """
        if form not in FORMS:
            raise InvalidArgument.field("form", f"is none of {', '.join(FORMS)}")
        writer = await self._store.writer(scope)
        audit.record(writer, "learning.export", form, self._clock.now())
        await writer.commit()
        replace = None if personal else await self._remover(scope)
        async for pair in self.pairs.read(scope):
            yield line(pair if replace is None else await reworded(pair, replace), form)

    async def _remover(self, scope: Scope) -> Reword:
        index = await self._indexes.get(scope)
        remove = remover(index.names())

        async def removed(text: str) -> str:
            return await cleared(self._plugins, remove(text), WORLD)

        return removed

    async def statistics(self, scope: Scope) -> Learnt:
        """What was learned so far."""
        said = await self._store.get(scope, SUMS, _ONE)
        stages = await self._store.scan(scope, TOTALS, limit=_MOST)
        learners = await self._store.scan(scope, LEARNERS, limit=_MOST)
        topics: Counter[str] = Counter()
        preferences = 0
        for row in await self._store.scan(scope, TOPICS, limit=_MOST, reverse=True):
            topics.update(each.text.casefold() for each in row.value.topics)
            preferences += len(row.value.preferences)
        return Learnt(
            said.value if said else SessionSum(),
            {row.key.decode(): row.value for row in stages},
            {row.key.decode(): LearnerReport(row.value.outcome, row.value.at, row.value.metrics) for row in learners},
            dict(topics.most_common(_TOLD)),
            preferences,
        )

    async def promoted(self, scope: Scope) -> Promoted:
        """The weights that recall uses, and what could be used instead."""
        pool = self.weights.pool(scope)
        own = tuple(await self.weights.versions(scope)), (await self.weights.in_use(scope)).number
        if pool is None:
            return Promoted(*own)
        shared = tuple(await self.weights.versions(pool)), (await self.weights.in_use(pool)).number
        return Promoted(*own, *shared)

    async def roll_back_shared(self, scope: Scope, number: int | None = None, *, request_id: str = "") -> WeightsInUse:
        """Goes back to a version of the weights that a user shares with others, the one before by default; 0 is none.

        Raises NotFound, Conflict, or FailedPrecondition where nothing is shared.
        """
        pool = self.weights.pool(scope)
        if pool is None:
            raise FailedPrecondition("Nothing is shared: the setting learning.shared is off.")

        async def anew(writer: Writer) -> None:
            row = await self._store.get(pool, POOLS, _ONE)
            if row is not None:
                writer.expect(POOLS, _ONE, row.version)
                writer.put(POOLS, _ONE, Pool(row.value.weights, row.value.fitted))

        return await self.weights.roll_back(pool, number, request_id=request_id, beside=anew)

    async def log(self, scope: Scope, page: Page) -> tuple[list[Entry], str]:
        """A page of the log, newest first, and the token of the next."""
        after = cursor(("learning.log",), page.token)
        rows = await self._store.scan(scope, LOG, after=after, limit=page.size + 1, reverse=True)
        found = [row.value for row in rows[: page.size]]
        return found, token(("learning.log",), rows[page.size - 1].key) if len(rows) > page.size else ""

    async def _sum(self, scope: Scope, pieces: Sequence[Piece]) -> Made:
        """The work of the stage that counts what was said."""

        async def effects(writer: Writer) -> None:
            row = await self._store.get(scope, SUMS, _ONE)
            total = row.value if row else SessionSum()
            for piece in pieces:
                total = _counted(total, piece.messages)
            writer.expect(SUMS, _ONE, row.version if row else None)
            writer.put(SUMS, _ONE, total)

        return Made(effects, {piece.job.session_id: len(piece.messages) for piece in pieces})


def _counted(total: SessionSum, messages: Sequence[Message]) -> SessionSum:
    asked = [len(each.text) for each in messages if each.role is Role.USER]
    answered = [len(each.text) for each in messages if each.role is not Role.USER]
    return SessionSum(
        total.sessions + 1,
        total.asked + len(asked),
        total.answered + len(answered),
        total.asked_characters + sum(asked),
        total.answered_characters + sum(answered),
    )
