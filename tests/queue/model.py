"""The queue as one would write it if there were no disk, no second process and no hurry: lists, and a look at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from alejo.queue import Cause, Failure, JobState, Limits, Priority

S = JobState
Place = tuple[str, str, str]  # user, session, kind


@dataclass
class Work:
    """A job."""

    id: str
    place: Place
    from_seq: int
    to_seq: int
    priority: Priority
    ready_at: int
    state: JobState = S.QUEUED
    attempt: int = 0
    not_before: int = 0
    owner: str = ""
    token: int = 0
    until: int = 0
    history: list[tuple[int, Cause]] = field(default_factory=list)
    gone_through: int = 0  # how much of the history no longer counts

    def failures(self, cause: Cause) -> int:
        return sum(each is cause for _, each in self.history[self.gone_through :])


@dataclass
class Row:
    """A line."""

    reached: int = 0
    waiting: Work | None = None
    reopened: list[Work] = field(default_factory=list)
    current: Work | None = None
    changed: int = 0

    @property
    def jobs(self) -> list[Work]:
        return [each for each in (self.current, *self.reopened, self.waiting) if each]


@dataclass
class Mark:
    """A watermark; `gaps` says from where on each dead letter left something out."""

    seq: int = 0
    gaps: dict[str, int] = field(default_factory=dict)


@dataclass
class Process:
    """One that leases: what it holds (by job, its token and whether it is a suspect) and whom it served when."""

    owner: str
    held: dict[str, tuple[int, bool]] = field(default_factory=dict)
    served: dict[tuple[str, str, int], int] = field(default_factory=dict)


class Model:
    """Every method returns or changes what the real queue should; `now` is in µs.

    `ties` gives a user's and a line's own names, which decide between equals.
    """

    def __init__(
        self,
        kinds: dict[str, tuple[str, ...]],
        limits: Limits,
        fraction: float,
        ties: Callable[[Place], tuple[bytes, bytes]],
    ) -> None:
        self.ties = ties
        self.kinds = kinds
        self.limits = limits
        self.fraction = fraction
        self.rows: dict[Place, Row] = {}
        self.marks: dict[tuple[str, str, str], Mark] = {}
        self.dead: dict[str, Work] = {}
        self.ended: dict[str, tuple[JobState, int]] = {}  # and when
        self.paused: set[str] = set()
        self.gone: set[str] = set()
        self.live: dict[str, Work] = {}

    def enqueue(
        self, place: Place, to_seq: int, priority: Priority, now: int, linger: float, job_id: str
    ) -> Work | None:
        row = self.rows.setdefault(place, Row())
        if to_seq <= row.reached:
            return None
        if row.waiting is None:
            row.waiting = self.live[job_id] = Work(
                job_id, place, row.reached + 1, to_seq, priority, now + round(linger * 1e6)
            )
        else:
            row.waiting.to_seq = to_seq
            row.waiting.priority = max(row.waiting.priority, priority)
        row.reached = to_seq
        row.changed += 1
        return row.waiting

    def ready(self, wanted: set[str], now: int) -> list[Work]:
        """The jobs that could be handed out."""
        if "*" in self.paused:
            return []
        found = []
        for place, row in self.rows.items():
            job = row.current or (row.reopened[0] if row.reopened else row.waiting)
            if job is None or place[2] not in wanted - self.paused or job.state is S.RUNNING:
                continue
            if max(job.ready_at, job.not_before) <= now:
                found.append(job)
        return found

    def first(self, process: Process, ready: list[Work]) -> Work | None:
        """Whose turn it is."""
        ahead = round(self.limits.step * 1e6)
        firsts = []
        for level in {self.level(job) for job in ready}:
            mine = [job for job in ready if self.level(job) == level]
            first = min(mine, key=lambda job: (job.ready_at, self.ties(job.place)[1]))
            turn = max(first.ready_at, process.served.get(level, first.ready_at)) - ahead * first.priority
            firsts.append((turn, self.ties(first.place)[0], level[1], first.priority, first))
        return min(firsts, key=lambda each: each[:4])[4] if firsts else None

    @staticmethod
    def level(job: Work) -> tuple[str, str, int]:
        return job.place[0], job.place[2], job.priority

    def lease(self, process: Process, wanted: set[str], limit: int, now: int, token: int) -> list[Work]:
        if any(suspect for _, suspect in process.held.values()):
            return []
        self.expire(process, now)
        taken: list[Work] = []
        while len(taken) < limit:
            ready = self.ready(wanted, now)
            job = self.first(process, ready)
            if job is None:
                break
            suspect = job.failures(Cause.DEATH) > 0
            if taken and (job.place[0], job.place[2]) != (taken[0].place[0], taken[0].place[2]):
                break
            if suspect and (taken or process.held):
                break
            process.served[self.level(job)] = now
            row = self.rows[job.place]
            if row.current is None:
                row.changed += 1
                if row.reopened:
                    row.reopened.pop(0)
                else:
                    row.waiting = None
                row.current = job
            job.state, job.attempt, job.owner, job.token = S.RUNNING, job.attempt + 1, process.owner, token
            job.until = now + round(self.limits.lease * 1e6)
            taken.append(job)
            if suspect:
                break
        for job in taken:
            process.held[job.id] = job.token, job.failures(Cause.DEATH) > 0
        return taken

    def expire(self, process: Process, now: int) -> None:
        for row in list(self.rows.values()):
            if row.current and row.current.state is S.RUNNING and row.current.until <= now:
                self.fail(process, row.current, Failure(Cause.DEATH, ""), now)

    def reap(self, process: Process, now: int) -> int:
        found = [row.current for row in self.rows.values() if row.current and row.current.state is S.RUNNING]
        found = [job for job in found if job.owner in self.gone]
        for job in found:
            self.fail(process, job, Failure(Cause.DEATH, ""), now)
        self.gone.clear()
        return len(found)

    def left(self, job: Work) -> dict[str, int]:
        found = {}
        for name in self.kinds[job.place[2]]:
            mark = self.marks.setdefault((job.place[0], job.place[1], name), Mark())
            if job.id in mark.gaps:
                found[name] = mark.gaps[job.id]
            elif mark.seq < job.to_seq:
                found[name] = max(job.from_seq, mark.seq + 1)
        return found

    def advance(self, job: Work, processor: str) -> None:
        mark = self.marks.setdefault((job.place[0], job.place[1], processor), Mark())
        mark.seq = max(mark.seq, job.to_seq)
        mark.gaps.pop(job.id, None)

    def ack(self, process: Process, job: Work, now: int) -> None:
        process.served[self.level(job)] = now
        self._end(process, job, S.DONE)
        self.ended[job.id] = S.DONE, now

    def fail(self, process: Process, job: Work, failure: Failure, now: int) -> None:
        limits = self.limits
        process.served[self.level(job)] = now
        if failure.cause is Cause.DOWN:
            job.attempt -= 1
            wait = failure.retry_after
        else:
            job.history.append((job.attempt, failure.cause))
            wait = failure.retry_after + self.fraction * min(limits.most_delay, 2.0 ** (job.attempt - 1))
            failures = job.failures(failure.cause)
            if (
                job.attempt >= limits.attempts
                or failure.cause is Cause.PERMANENT
                or (failure.cause is Cause.INVALID and failures >= limits.invalid)
                or (failure.cause is Cause.DEATH and failures >= limits.deaths)
            ):
                for name, begin in self.left(job).items():
                    mark = self.marks[job.place[0], job.place[1], name]
                    mark.gaps.setdefault(job.id, begin)
                    mark.seq = max(mark.seq, job.to_seq)
                self._end(process, job, S.DEAD)
                self.dead[job.id] = job
                return
        self._let_go(process, job)
        job.state, job.not_before = S.DELAYED, now + round(wait * 1e6)
        job.ready_at, job.owner, job.token = job.not_before, "", 0

    def requeue(self, job: Work, now: int) -> None:
        del self.dead[job.id]
        job.state, job.attempt, job.ready_at = S.QUEUED, 0, now
        job.gone_through = len(job.history)
        row = self.rows[job.place]
        row.reopened.append(job)
        row.changed += 1
        self.live[job.id] = job

    def discard(self, job: Work, now: int) -> None:
        del self.dead[job.id]
        self.ended[job.id] = S.CANCELLED, now
        for name in self.kinds[job.place[2]]:
            self.marks.setdefault((job.place[0], job.place[1], name), Mark()).gaps.pop(job.id, None)

    def cancel(self, user: str, session: str) -> None:
        for place in [place for place in self.rows if place[:2] == (user, session)]:
            for job in self.rows.pop(place).jobs:
                del self.live[job.id]
        self.dead = {each: job for each, job in self.dead.items() if job.place[:2] != (user, session)}
        self.marks = {key: mark for key, mark in self.marks.items() if key[:2] != (user, session)}

    def _end(self, process: Process, job: Work, state: JobState) -> None:
        self._let_go(process, job)
        job.state, job.owner, job.token = state, "", 0
        self.rows[job.place].current = None
        del self.live[job.id]

    def _let_go(self, process: Process, job: Work) -> None:
        if process.held.get(job.id, (0, False))[0] == job.token:
            process.held.pop(job.id, None)
