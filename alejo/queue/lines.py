"""How a line stands, and each step it may take, as rows of a batch that is all or nothing.

What makes steps safe: the line's row is expected as it was read by whoever adds to it or takes from it, and the row of
the job under way by whoever runs that job. The version of the latter is the fencing token: a job that is taken again
has another, so whatever its former owner still commits is refused whole.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from alejo.clock import Clock
from alejo.errors import FailedPrecondition, InvalidArgument, Unavailable
from alejo.ids import Ids
from alejo.jobs import Cause, Failure, Gap, Job, Lease, Priority
from alejo.queue.rows import (
    BEATS,
    DEAD_LETTERS,
    ENDED,
    LINES,
    LIVE,
    SIGNS,
    UNDER_WAY,
    USERS,
    WATERMARKS,
    Beat,
    Line,
    Sign,
    Watermark,
    Way,
    line_hash,
    line_key,
    mark_key,
)
from alejo.queue.steps import Limits, failed, step
from alejo.storage.store import SYSTEM, Row, Store, Vault, Writer
from alejo.types import JobState, Scope

_ENCODER = msgspec.msgpack.Encoder()
_WAYS = msgspec.msgpack.Decoder(Way)
_PAGE = 1000
_PRUNED = 4  # ended jobs looked at with every one that ends


class Standing(NamedTuple):
    """How a line stands: its row, and the job under way with its lease as it was last extended."""

    scope: Scope
    key: bytes
    line: Line
    version: int | None
    job: Job | None
    token: int | None

    @property
    def next(self) -> Job | None:
        """The job that is under way or would be taken next."""
        return self.job or self.line.next

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The live jobs, in the order they will be done."""
        return tuple(job for job in (self.job, *self.line.reopened, self.line.waiting) if job is not None)


class Lines:
    """Reads lines and adds their steps to batches. `kinds` names the processors of every kind of job."""

    def __init__(
        self,
        store: Store,
        ids: Ids,
        clock: Clock,
        kinds: Mapping[str, tuple[str, ...]],
        limits: Limits,
        chance: random.Random,
    ) -> None:
        self.store = store
        self.clock = clock
        self.kinds = kinds
        self.limits = limits
        self._ids = ids
        self._chance = chance

    def key(self, session_id: str, kind: str) -> bytes:
        """Where a line is kept. Raises InvalidArgument for a kind or session id that is none."""
        if kind not in self.kinds:
            raise InvalidArgument.field("kind", f"must be one of {', '.join(sorted(self.kinds))}")
        return line_key(session_id, kind)

    def processors(self, job: Job) -> tuple[str, ...]:
        """The processors of a job; none for a kind that is not known any more."""
        return self.kinds.get(job.kind, ())

    async def standing(self, scope: Scope, key: bytes) -> Standing:
        """How a line stands."""
        row = await self.store.get(scope, LINES, key)
        line, version = (row.value, row.version) if row else (Line(), None)
        under_way = await self.store.get(scope, UNDER_WAY, key)
        if under_way is None:
            return Standing(scope, key, line, version, None, None)
        job, token = under_way.value, under_way.version
        if job.lease is not None:
            beat = await self.store.get(scope, BEATS, key)
            extended = beat.value if beat and beat.value.token == token else job.lease
            lease = Lease(job.lease.owner, token, extended.until, extended.ticks)
            job = msgspec.structs.replace(job, lease=lease)
        return Standing(scope, key, line, version, job, token)

    def remaining(self, lease: Lease, boot: str) -> int:
        """For how many µs a lease lasts: by the clock that nobody sets, where it is the owner's as well."""
        if boot and lease.owner.startswith(f"{boot}:"):
            return lease.ticks - round(self.clock.monotonic() * 1e6)
        return lease.until - self.clock.now()

    # What is added to a batch. Nothing here commits.

    async def promise(self, writer: Writer, standing: Standing, job: Job) -> Job:
        """Has the line reach the end of a job: by the one that waits, or else by this new one."""
        line, waiting = standing.line, standing.line.waiting
        if waiting is None:
            await self._introduce(writer, job.scope)
            writer.put(LIVE, bytes.fromhex(job.id), standing.key)
            made = job
        else:
            priority = max(waiting.priority, job.priority)
            made = msgspec.structs.replace(waiting, to_seq=job.to_seq, priority=priority)
        if not line.reopened and (waiting is None or made.priority > waiting.priority):
            await self.sign(writer, made, behind=standing.job is not None)
        writer.expect(LINES, standing.key, standing.version)
        writer.put(LINES, standing.key, Line(max(line.reached, job.to_seq), made, line.reopened))
        return made

    def new(
        self,
        scope: Scope,
        session_id: str,
        kind: str,
        from_seq: int,
        to_seq: int,
        priority: Priority = Priority.NORMAL,
        *,
        linger: float = 0.0,
    ) -> Job:
        """A new job, which could begin in `linger` seconds."""
        now = self.clock.now()
        ready = now + round(linger * 1e6)
        return Job(self._ids.new(), scope, session_id, kind, from_seq, to_seq, now, ready, priority)

    async def reopen(self, writer: Writer, standing: Standing, job: Job) -> None:
        """Puts a job of earlier messages in front of those that wait."""
        line = standing.line
        writer.expect(LINES, standing.key, standing.version)
        writer.put(LINES, standing.key, Line(line.reached, line.waiting, (*line.reopened, job)))
        writer.put(LIVE, bytes.fromhex(job.id), standing.key)
        await self._introduce(writer, job.scope)
        if not line.reopened:
            await self.sign(writer, job, behind=standing.job is not None)

    async def take(self, writer: Writer, standing: Standing, owner: str) -> Job:
        """Leases the job that is next; its token is the number of the commit."""
        now, line, seconds = self.clock.now(), standing.line, self.limits.lease
        if standing.job is not None:
            before = standing.job
        elif line.reopened:
            before, line = line.reopened[0], Line(line.reached, line.waiting, line.reopened[1:])
        elif line.waiting is not None:
            before, line = line.waiting, Line(line.reached)
        else:
            raise FailedPrecondition("The line is empty.")
        if line is not standing.line:
            writer.expect(LINES, standing.key, standing.version)
            writer.put(LINES, standing.key, line)
        ticks = round((self.clock.monotonic() + seconds) * 1e6)
        lease = Lease(owner, 0, now + round(seconds * 1e6), ticks)
        job = step(before, JobState.RUNNING, attempt=before.attempt + 1, began_at=now, lease=lease)
        writer.expect(UNDER_WAY, standing.key, standing.token)
        writer.put(UNDER_WAY, standing.key, job)
        await self.sign(writer, job)
        return job

    def extend(self, writer: Writer, job: Job) -> Job:
        """Extends a lease by its whole length from now."""
        lease, key, seconds = _lease_of(job), line_key(job.session_id, job.kind), self.limits.lease
        until = self.clock.now() + round(seconds * 1e6)
        ticks = round((self.clock.monotonic() + seconds) * 1e6)
        writer.expect(UNDER_WAY, key, lease.token)
        writer.put(BEATS, key, Beat(lease.token, until, ticks))
        return msgspec.structs.replace(job, lease=Lease(lease.owner, lease.token, until, ticks))

    async def left(self, job: Job) -> dict[str, int]:
        """The processors that are not done with a job, and the message each has to begin with."""
        found = {name: _begin((await self._mark(job, name)).value, job) for name in self.processors(job)}
        return {name: begin for name, begin in found.items() if begin}

    async def begin(self, scope: Scope, session_id: str, kind: str) -> int:
        """The first message of a session that a processor of this kind neither worked through nor left out."""
        marks = [await self.store.get(scope, WATERMARKS, mark_key(session_id, name)) for name in self.kinds[kind]]
        return min((mark.value.seq + 1 if mark else 1 for mark in marks), default=1 << 62)

    async def advance(self, writer: Writer, job: Job, processor: str) -> None:
        """Has a processor be done with a job. Raises FailedPrecondition if it is already, or none of its kind."""
        mark = await self._mark(job, processor)
        if processor not in self.processors(job) or not _begin(mark.value, job):
            raise FailedPrecondition(f"The processor {processor} is done with this job.")
        gaps = tuple(gap for gap in mark.value.gaps if gap.job_id != job.id)
        self._fence(writer, job)
        self._put_mark(writer, job, mark, Watermark(max(mark.value.seq, job.to_seq), gaps, self.clock.now()))

    async def finish(self, writer: Writer, job: Job) -> None:
        """Ends a job that is done."""
        await self._end(writer, step(job, JobState.DONE, ended_at=self.clock.now(), lease=None), job)

    async def fail(self, writer: Writer, job: Job, failure: Failure) -> Job:
        """Ends an attempt: the job is delayed, or dead, and then a gap for every processor that is not done with it."""
        after = failed(job, failure, self.clock.now(), self.limits, self._chance)
        if after.state is JobState.DEAD:
            for name in await self.left(job):
                mark = await self._mark(job, name)
                if not any(gap.job_id == job.id for gap in mark.value.gaps):
                    gap = Gap(job.id, max(job.from_seq, mark.value.seq + 1), job.to_seq)
                    passed = Watermark(max(mark.value.seq, job.to_seq), (*mark.value.gaps, gap), self.clock.now())
                    self._put_mark(writer, job, mark, passed)
            await self._end(writer, after, job)
            return after
        self._fence(writer, job)
        key = line_key(job.session_id, job.kind)
        writer.put(UNDER_WAY, key, after)
        writer.delete(BEATS, key)
        await self.unsign(writer, job, token_of(job))
        await self.sign(writer, after)
        return after

    async def bury(self, writer: Writer, row: Row[Job], *, reopened: Standing | None = None) -> None:
        """Ends a dead letter: for good, and its gaps with it, or by putting it in the queue again."""
        job, now = row.value, self.clock.now()
        writer.expect(DEAD_LETTERS, row.key, row.version)
        writer.delete(DEAD_LETTERS, row.key)
        await self.unsign(writer, job, row.version)
        if reopened is not None:
            await self.reopen(writer, reopened, step(job, JobState.QUEUED, attempt=0, ready_at=now, ended_at=0))
            return
        for name in self.processors(job):
            mark = await self._mark(job, name)
            gaps = tuple(gap for gap in mark.value.gaps if gap.job_id != job.id)
            if gaps != mark.value.gaps:
                self._put_mark(writer, job, mark, Watermark(mark.value.seq, gaps, mark.value.at))
        writer.put(ENDED, row.key, step(job, JobState.CANCELLED, ended_at=now))

    async def cancel(self, writer: Writer, standing: Standing, session_id: str, kind: str) -> None:
        """Removes a line with all its jobs, also the dead ones, and its watermarks."""
        writer.expect(LINES, standing.key, standing.version)
        writer.expect(UNDER_WAY, standing.key, standing.token)
        for table in (LINES, UNDER_WAY, BEATS):
            writer.delete(table, standing.key)
        for job in standing.jobs:
            writer.delete(LIVE, bytes.fromhex(job.id))
        for row in await self.dead(standing.scope):
            if (row.value.session_id, row.value.kind) == (session_id, kind):
                writer.expect(DEAD_LETTERS, row.key, row.version)
                writer.delete(DEAD_LETTERS, row.key)
                await self.unsign(writer, row.value, row.version)
        for name in self.kinds[kind]:
            writer.delete(WATERMARKS, mark_key(session_id, name))

    async def dead(self, scope: Scope) -> list[Row[Job]]:
        """Every dead letter of a user, oldest first."""
        rows: list[Row[Job]] = []
        while page := await self.store.scan(scope, DEAD_LETTERS, after=rows[-1].key if rows else b"", limit=_PAGE):
            rows += page
        return rows

    async def sign(self, writer: Writer, job: Job, *, behind: bool = False) -> None:
        """Adds the sign of how a job now stands; `behind` says that another of its line is under way."""
        vault = await self._vault(job.scope)
        user, line = await self.hashes(job.scope, line_key(job.session_id, job.kind))
        way = Way(job.scope.tenant, job.scope.user, job.session_id, job.kind)
        owner, at = (job.lease.owner, job.lease.until) if job.lease else ("", max(job.ready_at, job.not_before))
        sealed = vault.seal("way", line.hex(), _ENCODER.encode(way))
        suspect = job.failures(Cause.DEATH) > 0
        sign = Sign(
            line, user, sealed, job.kind, job.state, at, job.ready_at, job.priority, suspect, owner, job.id, behind
        )
        (await self.store.beside(writer, SYSTEM)).append(SIGNS, sign)

    async def follow(self, sign: Sign) -> tuple[Scope, bytes] | None:
        """The line that a sign leads to; None when its user is gone."""
        vault = await self.store.vault_of(sign.user.hex())
        plain = vault.open("way", sign.line.hex(), sign.way) if vault else None
        if plain is None:
            return None
        way = _WAYS.decode(plain)
        return Scope(way.tenant, way.user), line_key(way.session_id, way.kind)

    async def hashes(self, scope: Scope, key: bytes) -> tuple[bytes, bytes]:
        """What stands for a user and for a line of theirs in signs."""
        user = bytes.fromhex((await self._vault(scope)).name)
        return user, line_hash(user, key)

    async def _vault(self, scope: Scope) -> Vault:
        vault = await self.store.vault(scope)
        if vault is None:
            raise Unavailable("The user's records are being erased.")
        return vault

    async def _introduce(self, writer: Writer, scope: Scope) -> None:
        """Notes that a user has jobs, for those who look after all of them."""
        vault = await self._vault(scope)
        sealed = vault.seal("user", vault.name, _ENCODER.encode(scope))
        (await self.store.beside(writer, SYSTEM)).put(USERS, bytes.fromhex(vault.name), sealed)

    async def _end(self, writer: Writer, after: Job, job: Job) -> None:
        key, place = line_key(job.session_id, job.kind), bytes.fromhex(job.id)
        self._fence(writer, job)
        writer.delete(UNDER_WAY, key)
        writer.delete(BEATS, key)
        writer.delete(LIVE, place)
        await self.unsign(writer, job, token_of(job))
        if after.state is JobState.DEAD:
            writer.put(DEAD_LETTERS, place, after)
            await self.sign(writer, after)
        else:
            writer.put(ENDED, place, after)
            await self._prune(writer, job.scope)
        row = await self.store.get(job.scope, LINES, key)
        waiting = row.value.next if row else None
        if waiting is not None:
            await self.sign(writer, waiting)

    async def _prune(self, writer: Writer, scope: Scope) -> None:
        oldest = self.clock.now() - round(self.limits.ended * 1e6)
        for row in await self.store.scan(scope, ENDED, limit=_PRUNED):
            if row.value.ended_at < oldest:
                writer.delete(ENDED, row.key)

    async def unsign(self, writer: Writer, job: Job, commit: int) -> None:
        """Removes the sign that a commit made of a job."""
        system = await self.store.beside(writer, SYSTEM)
        for row in await self.store.scan(SYSTEM, SIGNS, commit.to_bytes(8, "big"), limit=_PAGE):
            if row.value.job_id == job.id:
                system.delete(SIGNS, row.key)

    def _fence(self, writer: Writer, job: Job) -> None:
        writer.expect(UNDER_WAY, line_key(job.session_id, job.kind), token_of(job))

    async def _mark(self, job: Job, processor: str) -> Row[Watermark]:
        key = mark_key(job.session_id, processor)
        return await self.store.get(job.scope, WATERMARKS, key) or Row(key, Watermark(), 0)

    def _put_mark(self, writer: Writer, job: Job, before: Row[Watermark], after: Watermark) -> None:
        writer.expect(WATERMARKS, before.key, before.version or None)
        writer.put(WATERMARKS, before.key, after)


def leased(job: Job, token: int) -> Job:
    """The job under its fencing token, which is known when its lease is committed."""
    return msgspec.structs.replace(job, lease=msgspec.structs.replace(_lease_of(job), token=token))


def token_of(job: Job) -> int:
    """The fencing token of a job. Raises FailedPrecondition when it is not leased."""
    return _lease_of(job).token


def _lease_of(job: Job) -> Lease:
    if job.lease is None:
        raise FailedPrecondition("The job is not leased.")
    return job.lease


def _begin(mark: Watermark, job: Job) -> int:
    """The message with which a processor has to begin a job, or 0 when it is done with it."""
    for gap in mark.gaps:
        if gap.job_id == job.id:
            return gap.from_seq
    return max(job.from_seq, mark.seq + 1) if mark.seq < job.to_seq else 0
