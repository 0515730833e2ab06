"""How much there is to do for all users, and who works on it: read from the signs, and from the word workers leave.

Whoever works on jobs writes down now and then what it did, so that any process can tell of all of them.
"""

from __future__ import annotations

import asyncio
import copy
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from alejo.clock import Clock
from alejo.jobs import LAGS, Depth, Lag, QueueStatus, WorkerStatus
from alejo.metrics import Metrics
from alejo.queue.register import EVERY_KIND
from alejo.queue.rows import HEARD, PAUSED, SIGNS, Sign
from alejo.storage.store import SYSTEM, Store
from alejo.types import JobState

HEARD_SECONDS = 60.0  # within which a worker that lives is heard
SILENT_SECONDS = 300.0  # after which it is not told of any more
_FORGOTTEN = 3_600_000_000  # µs after which its word is thrown away
_PAGE = 1000


class Status:
    """What is known of the queue as a whole; of these kinds in any case. `last` is as it was last looked at."""

    def __init__(self, store: Store, clock: Clock, kinds: Collection[str] = ()) -> None:
        self.last = QueueStatus()
        self._store = store
        self._clock = clock
        self._kinds = kinds
        self._seen: dict[str, WorkerStatus] = {}
        self._gone = _Total()

    async def tell(self, word: WorkerStatus) -> None:
        """Leaves a worker's word, in place of the one before, and throws old ones away."""
        writer = await self._store.writer(SYSTEM)
        for row in await self._store.scan(SYSTEM, HEARD, limit=_PAGE):
            if row.value.heard_at < self._clock.now() - _FORGOTTEN:
                writer.delete(HEARD, row.key)
        writer.put(HEARD, word.name.encode(), word)
        await writer.commit()

    async def leave(self, name: str) -> None:
        """Takes back a worker's word: it ends."""
        writer = await self._store.writer(SYSTEM)
        writer.delete(HEARD, name.encode())
        await writer.commit()

    async def look(self) -> QueueStatus:
        """How things stand now."""
        depths = await self._depths()
        words = [row.value for row in await self._store.scan(SYSTEM, HEARD, limit=_PAGE)]
        self._keep(words)
        since = self._clock.now() - round(SILENT_SECONDS * 1e6)
        heard = tuple(word for word in words if word.heard_at >= since)
        self.last = QueueStatus(depths, heard, _lags(word.lags for word in heard))
        return self.last

    async def _depths(self) -> tuple[Depth, ...]:
        """The lines of each kind by how they stand, as the last sign of each says."""
        lines: dict[bytes, Sign] = {}
        dead: Counter[str] = Counter()
        after = b""
        while rows := await self._store.scan(SYSTEM, SIGNS, after=after, limit=_PAGE):
            for row in rows:
                sign = row.value
                if sign.state is JobState.DEAD:
                    dead[sign.kind] += 1
                elif not (sign.behind and sign.line in lines and lines[sign.line].state is not JobState.QUEUED):
                    lines[sign.line] = sign
            after = rows[-1].key
            await asyncio.sleep(0)  # a long queue must not stop the others
        paused = {row.key.decode(): row.value.at for row in await self._store.scan(SYSTEM, PAUSED, limit=_PAGE)}
        now, states, oldest = self._clock.now(), Counter[tuple[str, JobState]](), dict[str, int]()
        for sign in lines.values():
            state = JobState.QUEUED if sign.state is JobState.DELAYED and sign.at <= now else sign.state
            states[sign.kind, state] += 1
            if state is JobState.QUEUED:
                oldest[sign.kind] = min(oldest.get(sign.kind, now), sign.ready_at)
        kinds = sorted({*self._kinds, *dead, *(kind for kind, _ in states)})
        return tuple(
            Depth(
                states[kind, JobState.QUEUED],
                states[kind, JobState.DELAYED],
                states[kind, JobState.RUNNING],
                dead[kind],
                (now - oldest.get(kind, now)) / 1e6,
                kind,
                paused.get(kind, paused.get(EVERY_KIND, 0)),
            )
            for kind in kinds
        )

    def _keep(self, words: Sequence[WorkerStatus]) -> None:
        """Adds up what workers did that are gone: a counter must not fall."""
        seen = {word.name: word for word in words}
        for name in self._seen.keys() - seen.keys():
            self._gone.add(self._seen[name])
        self._seen = seen

    def _total(self) -> _Total:
        total = copy.deepcopy(self._gone)
        for word in list(self._seen.values()):
            total.add(word)
        return total

    def heard(self) -> int:
        """How many workers were heard within a minute."""
        since = self._clock.now() - round(HEARD_SECONDS * 1e6)
        return sum(word.heard_at >= since for word in self.last.workers)

    def observe(self, metrics: Metrics) -> None:
        """Has metrics tell of it, as it was last looked at."""

        def depths(field: str) -> Mapping[tuple[str, ...], float]:
            return {(depth.kind,): float(getattr(depth, field)) for depth in self.last.depths}

        def states() -> Mapping[tuple[str, ...], float]:
            names = ("queued", "delayed", "running", "dead")
            return {(each.kind, name): float(getattr(each, name)) for each in self.last.depths for name in names}

        def quantiles() -> Mapping[tuple[str, ...], float]:
            lags = [(lag.kind, (("0.5", lag.p50), ("0.99", lag.p99))) for lag in self.last.lags]
            return {(kind, quantile): seconds for kind, both in lags for quantile, seconds in both}

        text = "Sessions whose next job stands so; dead: dead letters."
        metrics.gauges("alejo_jobs", text, ("kind", "state"), states)
        text = "How long the oldest job that is ready waits."
        metrics.gauges("alejo_jobs_oldest_seconds", text, ("kind",), lambda: depths("oldest"))
        metrics.counter("alejo_job_steps", "Steps of jobs.", "step", lambda: self._total().counts)
        text = "From a message to the end of the work on it: half and 99 of 100 jobs took no longer."
        metrics.gauges("alejo_job_lag_seconds", text, ("kind", "quantile"), quantiles)
        metrics.counter("alejo_processor_seconds", "Time in processors.", "processor", lambda: self._total().seconds)
        text = "Batches that failed in a processor."
        metrics.counter("alejo_processor_failures", text, "processor", lambda: self._total().failures)
        metrics.gauge("alejo_workers", "Processes that were heard to work on jobs.", lambda: float(self.heard()))


class _Total:
    """What workers did, added up: steps of jobs, and seconds and failures by processor."""

    def __init__(self) -> None:
        self.counts: defaultdict[str, float] = defaultdict(float)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.failures: defaultdict[str, float] = defaultdict(float)

    def add(self, word: WorkerStatus) -> None:
        for step, count in word.counts.items():
            self.counts[step] += count
        for processor in word.processors:
            self.seconds[processor.name] += processor.seconds
            self.failures[processor.name] += processor.failures


def _lags(words: Iterable[Mapping[str, Sequence[int]]]) -> tuple[Lag, ...]:
    counts: dict[str, list[int]] = {}
    for word in words:
        for kind, more in word.items():
            mine = counts.setdefault(kind, [0] * (len(LAGS) + 1))
            mine[:] = [one + other for one, other in zip(mine, more, strict=True)]
    return tuple(
        Lag(kind, sum(each), _quantile(each, 0.5), _quantile(each, 0.99)) for kind, each in sorted(counts.items())
    )


def _quantile(counts: Sequence[int], part: float) -> float:
    """The longest lag that a part of the jobs did not exceed; of those beyond the last bound, twice that."""
    wanted, found = part * sum(counts), 0
    for bound, count in zip((*LAGS, 2 * LAGS[-1]), counts, strict=True):
        found += count
        if found >= wanted:
            return bound if found else 0.0
    return 0.0
