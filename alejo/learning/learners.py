"""A stage for each learner: it is given its lesson, and what it proposes is tried before it is used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from alejo._core import EVIDENCE
from alejo.clock import Clock
from alejo.errors import Conflict, NotFound, PluginFailed
from alejo.memory.weights import OF_THE_QUERY, Weights, weighed
from alejo.plugins import PluginHost, Slot, cleared, stands
from alejo.reflection import Later, Piece
from alejo.roles import Lesson
from alejo.storage.store import Store, Writer
from alejo.storage.tables import SESSIONS
from alejo.types import Judged, Learned, Metric, Pair, RecallPlan, Scope, Session

from . import ranking
from .feedback import Likings, Sample
from .pairs import Pairs, Reword, reworded
from .rows import LEARNERS, POOLS, LearnerRow, Pool
from .stages import Made

SECONDS = 240.0  # for one lesson, within the time of a processor
PAIRS = 2_000
SAMPLES = 1_024
_TRIES = 8
_ONE = b"\0"
_METRIC = "ndcg@10"
_FITTED = tuple(name for name in EVIDENCE if name not in OF_THE_QUERY)
_COLUMNS = [EVIDENCE.index(name) for name in _FITTED]

Change = Callable[[Writer], Awaitable[None]]


class Verdict(NamedTuple):
    """What became of proposed weights: a stable word, the figures, the questions compared and shared, what to write."""

    outcome: str
    metrics: tuple[Metric, ...]
    row: LearnerRow
    changes: tuple[Change, ...]


class Learners:
    """Gives lessons to the learners there are."""

    def __init__(
        self,
        store: Store,
        plugins: PluginHost,
        weights: Weights,
        pairs: Pairs,
        likings: Likings,
        clock: Clock,
        remover: Callable[[Scope], Awaitable[Reword]] | None = None,
    ) -> None:
        """`remover` makes what takes personal data out of the texts that learners are given."""
        self._remover = remover
        self._store = store
        self._plugins = plugins
        self._weights = weights
        self._pairs = pairs
        self._likings = likings
        self._clock = clock

    async def learn(self, name: str, scope: Scope, pieces: Sequence[Piece]) -> Made:
        """The stage's work. Raises Later when the learner follows what it began elsewhere, PluginFailed."""
        slot = self._slot(name)
        key = name.encode()
        known = await self._store.get(scope, LEARNERS, key)
        row = known.value if known else LearnerRow()
        samples = await self._samples(scope, pieces, slot)
        pairs = await self._newest(scope, slot) if "pairs" in slot.object.wants else ()
        base = (await self._weights.applied(scope, await self._plan())).weights
        parts = ranking.parts(samples)
        learned = Learned()
        for piece in pieces:
            lesson = Lesson(
                await self._session(scope, piece.job.session_id),
                row.state,
                self._clock.now(),
                pairs,
                tuple(_columns(each.judged) for each in parts.fit),
                _FITTED,
                {each: base.get(each, 0.0) for each in _FITTED},
            )
            learned = await self._plugins.call(slot, "learn", lesson, timeout=SECONDS)
            row = msgspec.structs.replace(row, state=learned.state)
            if learned.again is not None:
                await self._keep(scope, key, row, learned)
                raise Later(learned.again)
        verdict = Verdict(learned.outcome, learned.metrics, row, ())
        if learned.weights:
            verdict = await self._judge(scope, name, learned, row, parts, base)
        kept = msgspec.structs.replace(
            verdict.row, outcome=verdict.outcome, at=self._clock.now(), metrics=verdict.metrics
        )

        async def effects(writer: Writer) -> None:
            now = await self._store.get(scope, LEARNERS, key)
            writer.expect(LEARNERS, key, now.version if now else None)
            writer.put(LEARNERS, key, kept)
            for change in verdict.changes:
                await change(writer)

        return Made(effects, {}, verdict.outcome, verdict.metrics)

    def _slot(self, name: str) -> Slot:
        for slot in self._plugins.every("learner"):
            if slot.object.name == name:
                return slot
        raise PluginFailed("", "learner", "vacant")

    async def _session(self, scope: Scope, session_id: str) -> Session:
        row = await self._store.get(scope, SESSIONS, bytes.fromhex(session_id))
        if row is None:
            raise NotFound("session", session_id)
        return row.value

    async def _samples(self, scope: Scope, pieces: Sequence[Piece], slot: Slot) -> list[Sample]:
        if "judged" not in slot.object.wants:
            return []
        await self._likings.look(scope, pieces)
        since = await self._weights.rolled_back(scope)
        return await self._likings.samples(scope, since=since, most=SAMPLES)

    async def _newest(self, scope: Scope, slot: Slot) -> tuple[Pair, ...]:
        found: list[Pair] = []
        async for pair in self._pairs.read(scope, newest=True):
            found.append(pair)
            if len(found) == PAIRS:
                break
        if self._remover is not None:
            remove = await self._remover(scope)
            found = [await reworded(each, remove) for each in found]
        clear = partial(cleared, self._plugins, destination=stands(slot.object))
        return tuple([await reworded(each, clear) for each in reversed(found)])

    async def _plan(self) -> RecallPlan:
        slot = self._plugins.one("memory")
        plan: RecallPlan = RecallPlan() if slot is None else await self._plugins.call(slot, "plan", "")
        return plan

    async def _keep(self, scope: Scope, key: bytes, row: LearnerRow, learned: Learned) -> None:
        """Keeps what a learner needs to go on, before it is called again."""
        kept = msgspec.structs.replace(row, outcome=learned.outcome, at=self._clock.now(), metrics=learned.metrics)
        for _ in range(_TRIES):
            known = await self._store.get(scope, LEARNERS, key)
            writer = await self._store.writer(scope, begin=False)
            writer.expect(LEARNERS, key, known.version if known else None)
            writer.put(LEARNERS, key, kept)
            try:
                await writer.commit()
            except Conflict:
                continue
            return
        raise Conflict("What a learner knows is being changed by somebody else.")

    async def _judge(
        self,
        scope: Scope,
        name: str,
        learned: Learned,
        row: LearnerRow,
        parts: ranking.Parts,
        base: Mapping[str, float],
    ) -> Verdict:
        """Tries proposed weights on the questions of the gate, for the user and for those they share with."""
        proposed = weighed(base, learned.weights)
        old, new = ranking.vector(base, EVIDENCE), ranking.vector(proposed, EVIDENCE)
        gate = [each.judged for each in parts.gate]
        told = ranking.compare([each.judged for each in parts.report], old, new)
        metrics = (Metric(_METRIC, told.before, told.after, told.n), *learned.metrics)
        changes: list[Change] = []
        outcome = "waiting"
        if ranking.due(len(gate), row.compared):
            gain = ranking.compare(gate, old, new)
            outcome = "promoted" if gain.low > 0 else "kept"
            metrics = (Metric("gate ndcg@10", gain.before, gain.after, gain.n), *metrics)
            row = msgspec.structs.replace(row, compared=len(gate))
            if gain.low > 0:
                wanted = {each: proposed[each] for each in proposed if each not in OF_THE_QUERY}

                async def promote(writer: Writer) -> None:
                    await self._weights.promote(writer, scope, wanted, name, metrics)

                changes.append(promote)
        pool = self._weights.pool(scope)
        if pool is not None:
            row, change = await self._share(pool, name, learned.weights, row, parts)
            changes += [change] if change is not None else []
        return Verdict(outcome, metrics, row, tuple(changes))

    async def _share(
        self, pool: Scope, name: str, proposed: Mapping[str, float], row: LearnerRow, parts: ranking.Parts
    ) -> tuple[LearnerRow, Change | None]:
        """Tries the shared weights on what is new of the gate, then lets them learn: only weights are shared."""
        fresh = [each for each in parts.gate if each.at > row.pooled]
        fitted = sum(each.at > row.pooled for each in parts.fit)
        last = max((each.at for each in (*parts.gate, *parts.fit)), default=0)
        if not fitted or last <= row.pooled:
            return row, None
        shipped = (await self._plan()).weights

        async def change(writer: Writer) -> None:
            own = await self._store.beside(writer, pool)
            known = await self._store.get(pool, POOLS, _ONE)
            before = weighed(shipped, await self._used(pool))
            shared = known.value if known else Pool()
            old = ranking.vector(before, EVIDENCE)
            if shared.weights:
                new = ranking.vector(weighed(shipped, shared.weights), EVIDENCE)
                shared = ranking.tested(shared, [each.judged for each in fresh], old, new)
            if shared.tests >= ranking.LEAST and ranking.low(shared.gain, shared.spread, shared.tests) > 0:
                metric = Metric(_METRIC, shared.before, shared.before + shared.gain, shared.tests)
                await self._weights.promote(own, pool, shared.weights, name, (metric,))
                shared = Pool(shared.weights, shared.fitted)
            own.expect(POOLS, _ONE, known.version if known else None)
            own.put(POOLS, _ONE, ranking.merged(shared, proposed, fitted, SAMPLES))

        return msgspec.structs.replace(row, pooled=last), change

    async def _used(self, pool: Scope) -> Mapping[str, float]:
        return (await self._weights.in_use(pool)).weights


def _columns(judged: Judged) -> Judged:
    """What a learner sees of the evidence: all but what a query chooses the weights of."""
    return Judged(tuple(tuple(row[column] for column in _COLUMNS) for row in judged.evidence), judged.liking)
