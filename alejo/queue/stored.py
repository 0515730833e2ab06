"""The queue that needs nothing but the store: signs in storage say what wants attention, and every process reads them.

A process follows the signs as indexes follow a user's changes. That gives it an order in memory, from which it picks;
whether a pick holds is decided by the rows of the line, in the commit that leases it. So processes need not agree, and
whatever one has in memory may be lost.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import msgspec

from alejo.clock import Clock
from alejo.errors import Conflict, FailedPrecondition, InvalidArgument, ResourceExhausted
from alejo.ids import Ids
from alejo.jobs import Cause, Depth, Failure, Job, Priority
from alejo.queue.lines import Lines, Standing, leased, token_of
from alejo.queue.order import LOOK_AGAIN, Entry, Order
from alejo.queue.presence import Presence
from alejo.queue.rows import LIVE, PAUSED, SIGNS, line_key
from alejo.queue.steps import Limits
from alejo.storage.store import SYSTEM, Store, Writer
from alejo.types import JobState, Scope

_TRIES = 8
_PAGE = 1000
_SWEEP = 60.0  # seconds between two looks at which signs are still there


class StoredQueue:
    """See Queue. `kinds` names the processors of every kind of job; a processor belongs to one kind.

    `presence` makes this process known by a file lock; without one only time ends its leases. `counts` counts what
    happened: "leased", "done", "delayed", "dead", "expired", "released", "mended". `failed` is told of every job of
    which an attempt failed that counts.
    """

    def __init__(
        self,
        store: Store,
        ids: Ids,
        clock: Clock,
        kinds: Mapping[str, tuple[str, ...]],
        *,
        presence: Presence | None = None,
        limits: Limits | None = None,
        chance: random.Random | None = None,
        failed: Callable[[Job], None] | None = None,
    ) -> None:
        names = [name for each in kinds.values() for name in each]
        if len(set(names)) < len(names):
            raise ValueError("a processor belongs to one kind of job")
        self.limits = limits or Limits()
        self.lines = Lines(store, ids, clock, kinds, self.limits, chance or random.Random())  # noqa: S311  # jitter
        self.counts: Counter[str] = Counter()
        self.owner = presence.owner if presence else f":{secrets.token_hex(8)}"
        self._failed = failed
        self._store = store
        self._clock = clock
        self._presence = presence
        self._boot = self.owner.partition(":")[0]
        self._order = Order(round(self.limits.step * 1e6))
        self._seen = b""
        self._swept = clock.monotonic()
        self._held: dict[str, Job] = {}
        self._leasing = asyncio.Lock()

    async def enqueue(
        self,
        writer: Writer,
        scope: Scope,
        session_id: str,
        kind: str,
        to_seq: int,
        *,
        priority: Priority = Priority.NORMAL,
        bounded: bool = False,
        linger: float = 0.0,
    ) -> Job | None:
        """See Queue."""
        if to_seq < 1:
            raise InvalidArgument.field("to_seq", "must be at least 1")
        standing = await self.lines.standing(scope, self.lines.key(session_id, kind))
        reached = standing.line.reached
        if to_seq <= reached:
            return None
        if bounded and standing.line.waiting is None:
            await self._check_room(scope)
        job = self.lines.new(scope, session_id, kind, reached + 1, to_seq, priority, linger=linger)
        return await self.lines.promise(writer, standing, job)

    async def lease(self, kinds: Collection[str] | None = None, *, limit: int = 10, suspects: bool = True) -> list[Job]:
        """See Queue."""
        async with self._leasing:
            if any(job.failures(Cause.DEATH) for job in self._held.values()):
                return []  # nothing runs beside a suspect
            await self._look()
            wanted = set(self.lines.kinds if kinds is None else kinds) - await self._paused()
            conflicts = 0
            while conflicts < _TRIES:
                picked = self._order.pick(wanted, limit, self._clock.now())
                if not picked:
                    break
                before = [(entry, entry.stamp) for entry in picked]
                if picked[0].suspect and (not suspects or self._held) and await self._ready(picked[0]):
                    self._again(before)
                    break  # its turn comes elsewhere, or when nothing else runs here that could go down with it
                try:
                    jobs = await self._take(picked)
                except BaseException as error:
                    self._again(before)
                    if not isinstance(error, Conflict):
                        raise
                    conflicts += 1  # a turn added to what waits, or another process was first
                    await self._look()
                    continue
                if jobs:
                    return jobs
                self._again(before)
            return []

    async def claim(self, scope: Scope, session_id: str, kind: str, *, suspects: bool = True) -> Job | None:
        """See Queue."""
        _, line = await self.lines.hashes(scope, self.lines.key(session_id, kind))
        async with self._leasing:
            for _ in range(_TRIES):
                await self._follow()
                entry = self._order.lines.get(line)
                if entry is None or not await self._ready(entry) or (entry.suspect and not suspects):
                    return None
                self._order.arm(entry, self._clock.now() + LOOK_AGAIN)  # out of its turn
                try:
                    taken = await self._take([entry])
                except Conflict:
                    continue
                return taken[0] if taken else None
        return None

    async def beat(self, *jobs: Job) -> list[Job]:
        """See Queue."""
        kept: list[Job] = []
        for job in jobs:
            writer = await self._store.writer(job.scope, begin=False)
            extended = self.lines.extend(writer, job)
            try:
                await self._commit(writer, [job])
            except Conflict:
                continue
            self._held[job.id] = extended
            kept.append(extended)
        return kept

    async def left(self, job: Job) -> dict[str, int]:
        """See Queue."""
        return await self.lines.left(job)

    async def advance(self, writer: Writer, processor: str, *jobs: Job) -> None:
        """See Queue."""
        for job in jobs:
            await self.lines.advance(writer, job, processor)
        await self._commit(writer, jobs)

    async def ack(self, writer: Writer, *jobs: Job, processors: Collection[str] = ()) -> None:
        """See Queue."""
        for job in jobs:
            for processor in processors:
                await self.lines.advance(writer, job, processor)
            if left := set(await self.lines.left(job)) - set(processors):
                raise FailedPrecondition(f"The job waits for {', '.join(sorted(left))}.")
            await self.lines.finish(writer, job)
        await self._commit(writer, jobs)
        for job in jobs:
            await self._ended(job, "done")

    async def retry_later(self, job: Job, failure: Failure) -> Job:
        """See Queue."""
        return await self._fail(job, failure)

    async def dead_letter(self, job: Job, failure: Failure) -> Job:
        """See Queue."""
        return await self._fail(job, msgspec.structs.replace(failure, cause=Cause.PERMANENT))

    async def release(self, job: Job, *, after: float = 0.0) -> Job:
        """See Queue."""
        return await self._fail(job, Failure(Cause.DOWN, "released", retry_after=after))

    async def cancel(self, writer: Writer, scope: Scope, session_id: str) -> None:
        """See Queue."""
        await self._follow()
        system = await self._store.beside(writer, SYSTEM)
        for kind in self.lines.kinds:
            key = self.lines.key(session_id, kind)
            _, line = await self.lines.hashes(scope, key)
            entry = self._order.lines.get(line)
            for sign in sorted(entry.keys) if entry else ():
                system.delete(SIGNS, sign)
            await self.lines.cancel(writer, await self.lines.standing(scope, key), session_id, kind)

    async def reap(self) -> int:
        """See Queue."""
        if self._presence is None or not (gone := self._presence.gone()):
            return 0
        async with self._leasing:
            await self._follow()
            ended = 0
            for entry in self._order.owned(gone):
                standing = await self._standing(entry)
                job = standing.job if standing else None
                if job is not None and job.lease is not None and job.lease.owner in gone:
                    ended += await self._expire(job)
            self._presence.bury(gone)
            return ended

    async def mend(self, scope: Scope, session_id: str, kind: str, to_seq: int) -> bool:
        """Sees to it that a session is or will be worked through up to a message; whether something was missing."""
        writer = await self._store.writer(scope, begin=False)
        await self._follow()
        key = self.lines.key(session_id, kind)
        standing = await self.lines.standing(scope, key)
        reached = standing.line.reached
        if reached < to_seq:
            await self.enqueue(writer, scope, session_id, kind, to_seq)
        elif standing.next is not None:
            if (await self.lines.hashes(scope, key))[1] in self._order.lines:
                return False
            await self.lines.sign(writer, standing.next)
        elif (begin := await self.lines.begin(scope, session_id, kind)) <= reached:
            job = self.lines.new(scope, session_id, kind, begin, reached)
            await self.lines.reopen(writer, standing, job)
        else:
            return False
        try:
            await writer.commit()
        except Conflict:
            return False  # somebody is at it
        self.counts["mended"] += 1
        return True

    async def depth(self) -> Depth:
        """See Queue."""
        async with self._leasing:
            await self._look()
        if self._clock.monotonic() - self._swept >= _SWEEP:
            await self.sweep()
        now = self._clock.now()
        signs = [entry.sign for entry in self._order.lines.values()]
        states = Counter(self._state(sign.state, sign.at, now) for sign in signs)
        ready = [sign.ready_at for sign in signs if self._state(sign.state, sign.at, now) is JobState.QUEUED]
        oldest = max(0, now - min(ready, default=now)) / 1e6
        queued, delayed, running = (states[each] for each in (JobState.QUEUED, JobState.DELAYED, JobState.RUNNING))
        return Depth(queued, delayed, running, len(self._order.dead), oldest)

    async def sweep(self) -> None:
        """Forgets lines and dead letters whose signs another process removed."""
        await self._follow()
        last, there, after = self._seen, set[bytes](), b""
        while rows := await self._store.scan(SYSTEM, SIGNS, after=after, limit=_PAGE):
            there.update(row.key for row in rows)
            after = rows[-1].key
            await asyncio.sleep(0)
        for entry in list(self._order.lines.values()):
            entry.keys = {key for key in entry.keys if key in there or key > last}
            if not entry.keys:
                self._order.drop(entry)
        self._order.dead = {job: key for job, key in self._order.dead.items() if key in there or key > last}
        self._swept = self._clock.monotonic()

    async def close(self) -> None:
        """See Queue."""
        for job in list(self._held.values()):
            try:
                await self.release(job)
            except Conflict:
                continue
        if self._presence:
            self._presence.bury({self.owner})  # nothing is left to be ended by others
            self._presence.close()

    async def _check_room(self, scope: Scope) -> None:
        live = await self._store.scan(scope, LIVE, limit=self.limits.user_jobs)
        if len(live) == self.limits.user_jobs:
            raise ResourceExhausted(
                f"The user has {len(live)} jobs in the queue, as many as may be.", subject="jobs", reason="QUEUE_FULL"
            )
        await self._follow()
        if len(self._order.lines) >= self.limits.jobs:
            await self.sweep()
        if len(self._order.lines) >= self.limits.jobs:
            raise ResourceExhausted("The queue is full.", retry_after=10.0, subject="jobs", reason="QUEUE_FULL")

    async def _follow(self) -> None:
        """Reads the signs that came since the last time."""
        while rows := await self._store.scan(SYSTEM, SIGNS, after=self._seen, limit=_PAGE):
            for row in rows:
                self._order.see(row.key, row.value)
            self._seen = rows[-1].key
            if len(rows) < _PAGE:
                break
            await asyncio.sleep(0)  # a long queue must not stop the others

    def _again(self, picked: list[tuple[Entry, int]]) -> None:
        """Puts back what was picked, but for lines of which something else is known by now."""
        self._order.refund()
        for entry, stamp in picked:
            if entry.stamp == stamp:
                self._order.ready(entry)

    async def _look(self) -> None:
        """Follows the signs, and looks after the lines whose lease should have ended."""
        while True:
            await self._follow()
            now = self._clock.now()
            ended = self._order.ripen(now)
            if not ended:
                return
            for entry in ended:
                self._order.arm(entry, now + LOOK_AGAIN)  # whatever comes of it
            for entry in ended:
                standing = await self._standing(entry)
                job = standing.job if standing else None
                if standing is None:
                    continue
                if job is None or job.lease is None:
                    self._order.ready(entry)
                elif (remaining := self.lines.remaining(job.lease, self._boot)) > 0:
                    self._order.arm(entry, now + min(remaining, LOOK_AGAIN))
                else:
                    await self._expire(job)

    async def _standing(self, entry: Entry) -> Standing | None:
        """How an entry's line stands; None when it is empty or its user gone, and then its signs go."""
        keys = set(entry.keys)
        place = await self.lines.follow(entry.sign)
        standing = await self.lines.standing(*place) if place else None
        if standing is not None and standing.next is not None:
            return standing
        if entry.keys <= keys:
            self._order.drop(entry)
        writer = await self._store.writer(SYSTEM)
        for key in keys:
            writer.delete(SIGNS, key)
        await writer.commit()
        return None

    async def _take(self, picked: list[Entry]) -> list[Job]:
        """Leases the jobs of these lines, all of one user; or none of them, as one was not to be had."""
        standings = [await self._ready(entry) for entry in picked]
        if None in standings:
            return []
        writer = await self._store.writer(SYSTEM)
        taken: list[Job] = []
        for standing, keys in filter(None, standings):
            own = await self._store.beside(writer, standing.scope)
            taken.append(await self.lines.take(own, standing, self.owner))
            for key in keys:
                writer.delete(SIGNS, key)
        token = await writer.commit()
        for entry, found in zip(picked, standings, strict=True):
            entry.keys -= found[1] if found else set()
        jobs = [leased(job, token) for job in taken]
        self._held.update((job.id, job) for job in jobs)
        self.counts["leased"] += len(jobs)
        return jobs

    async def _ready(self, entry: Entry) -> tuple[Standing, set[bytes]] | None:
        """How a line stands, if its next job may be taken, and the signs it had then."""
        now, keys = self._clock.now(), set(entry.keys)
        standing = await self._standing(entry)
        if standing is None:
            return None
        job = standing.job
        if job is not None and (job.state is not JobState.DELAYED or job.not_before > now):
            self._order.arm(entry, now + LOOK_AGAIN if job.lease else job.not_before)
            return None
        return standing, keys

    async def _fail(self, job: Job, failure: Failure) -> Job:
        writer = await self._store.writer(job.scope, begin=False)
        for _ in range(_TRIES):
            after = await self.lines.fail(writer, job, failure)
            try:
                await self._commit(writer, [job])
            except Conflict as error:
                if error.reason == "LEASE_LOST":
                    raise
                continue  # one of its processors got on meanwhile
            await self._ended(job, "released" if failure.cause is Cause.DOWN else after.state.name.lower())
            if self._failed is not None and failure.cause is not Cause.DOWN:
                self._failed(after)
            return after
        raise Conflict("The job is being changed by somebody else; try again.")

    async def _expire(self, job: Job) -> bool:
        """Ends the attempt of a process that is gone or late; False when somebody else did, or it came back."""
        try:
            await self._fail(job, Failure(Cause.DEATH, "lease_expired"))
        except Conflict:
            return False
        self.counts["expired"] += 1
        return True

    async def _commit(self, writer: Writer, jobs: Collection[Job]) -> None:
        """Commits; a conflict that means that one of these jobs is not held any more says so."""
        try:
            await writer.commit()
        except Conflict:
            for job in jobs:
                standing = await self.lines.standing(job.scope, line_key(job.session_id, job.kind))
                if standing.token != token_of(job):
                    self._let_go(job)
                    raise Conflict("The job was handed to somebody else.", reason="LEASE_LOST") from None
            raise

    async def _ended(self, job: Job, what: str) -> None:
        """Forgets a job that is not under way any more; what else its line has is looked at again."""
        self._let_go(job)
        self.counts[what] += 1
        user, line = await self.lines.hashes(job.scope, line_key(job.session_id, job.kind))
        self._order.serve(user, job.kind, job.priority, self._clock.now())
        entry = self._order.lines.get(line)
        if entry is None:
            return
        own = token_of(job).to_bytes(8, "big")
        entry.keys = {key for key in entry.keys if not key.startswith(own)}
        if not entry.keys:
            self._order.drop(entry)
        elif entry.newest.startswith(own):
            self._order.arm(entry, 0)

    def _let_go(self, job: Job) -> None:
        held = self._held.get(job.id)
        if held is not None and token_of(held) == token_of(job):
            del self._held[job.id]

    async def _paused(self) -> set[str]:
        rows = await self._store.scan(SYSTEM, PAUSED, limit=_PAGE)
        kinds = {row.key.decode() for row in rows}
        return set(self.lines.kinds) if "*" in kinds else kinds

    @staticmethod
    def _state(state: JobState, at: int, now: int) -> JobState:
        """A delay that is over is none."""
        return JobState.QUEUED if state is JobState.DELAYED and at <= now else state
