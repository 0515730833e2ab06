"""The steps a job may take, and when one that failed is tried again."""

from __future__ import annotations

import random

import msgspec

from alejo.errors import FailedPrecondition
from alejo.jobs import Attempt, Cause, Failure, Job
from alejo.types import JobState, Value

HISTORY = 32  # attempts that a job keeps

S = JobState
STEPS: dict[JobState, frozenset[JobState]] = {
    S.QUEUED: frozenset({S.RUNNING, S.CANCELLED}),
    S.RUNNING: frozenset({S.DONE, S.DELAYED, S.DEAD, S.CANCELLED}),
    S.DELAYED: frozenset({S.RUNNING, S.CANCELLED}),
    S.DEAD: frozenset({S.QUEUED, S.CANCELLED}),
    S.DONE: frozenset(),
    S.CANCELLED: frozenset(),
}


class Limits(Value, frozen=True):
    """What the queue allows, with its defaults; times in seconds.

    `invalid` and `deaths` are attempts that may fail for that cause; `user_jobs` and `jobs` bound what is asked for,
    never a turn.
    """

    lease: float = 60.0
    attempts: int = 8
    invalid: int = 2
    deaths: int = 3
    least_delay: float = 1.0
    most_delay: float = 300.0
    step: float = 10.0
    user_jobs: int = 1_000
    jobs: int = 100_000
    ended: float = 86_400.0


def step(job: Job, state: JobState, **changes: object) -> Job:
    """The job in another state. Raises FailedPrecondition when the table has no such step."""
    if state not in STEPS[job.state]:
        raise FailedPrecondition(f"A job that is {job.state.name.lower()} cannot become {state.name.lower()}.")
    return msgspec.structs.replace(job, state=state, **changes)


def delay(attempt: int, limits: Limits, chance: random.Random) -> float:
    """Seconds before the next attempt: "full jitter" of M. Brooker, Exponential Backoff And Jitter (AWS, 2015)."""
    return chance.uniform(0.0, min(limits.most_delay, limits.least_delay * 2 ** (attempt - 1)))


def failed(job: Job, failure: Failure, now: int, limits: Limits, chance: random.Random) -> Job:
    """The job after an attempt that failed at `now`: delayed, or dead when it was the last of its kind."""
    if failure.cause is Cause.DOWN:
        attempt, attempts, wait = job.attempt - 1, job.attempts, failure.retry_after
    else:
        attempt, owner = job.attempt, job.lease.owner if job.lease else ""
        attempts = (*job.attempts, Attempt(attempt, job.began_at, now, owner, failure))[-HISTORY:]
        # Added, or all that were told the same time to wait would come back together.
        wait = failure.retry_after + delay(attempt, limits, chance)
    after = msgspec.structs.replace(job, lease=None, attempt=attempt, attempts=attempts)
    most = {Cause.DOWN: limits.attempts, Cause.PERMANENT: 1, Cause.INVALID: limits.invalid, Cause.DEATH: limits.deaths}
    if attempt >= limits.attempts or after.failures(failure.cause) >= most.get(failure.cause, limits.attempts):
        return step(after, S.DEAD, ended_at=now)
    moment = now + round(wait * 1e6)
    return step(after, S.DELAYED, not_before=moment, ready_at=moment)
