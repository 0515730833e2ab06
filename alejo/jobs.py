"""What a job for later is: the values that the queue, the wire and plugins speak of. Times are microseconds, UTC.

A job promises that what was said in a session, from one message to another, is worked through. It holds identifiers and
numbers, never a word of what was said.
"""

from __future__ import annotations

import enum

from alejo.types import JobState, Scope, Value


class Priority(enum.IntEnum):
    """Who goes first. Ten seconds of waiting weigh as much as one step."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


class Cause(enum.IntEnum):
    """Why an attempt failed, which decides what follows."""

    TRANSIENT = 1  # may go well the next time
    PERMANENT = 2  # will never go well
    INVALID = 3  # the outcome cannot be right, such as none where there must be one
    DOWN = 4  # something the job depends on is down; the attempt does not count
    DEATH = 5  # the process that ran it ended, or was not heard in time


class Failure(Value, frozen=True):
    """What went wrong: its cause, a stable word, the processor it went wrong in, and when to come back (seconds)."""

    cause: Cause
    code: str
    processor: str = ""
    retry_after: float = 0.0


class Attempt(Value, frozen=True):
    """An attempt that failed, for the history of a job."""

    number: int
    began_at: int
    ended_at: int
    owner: str
    failure: Failure


class Lease(Value, frozen=True):
    """The right to run a job: whose it is, the fencing token, and until when.

    The token is the number of the commit that gave it, so a later one is greater. `until` is in µs since the epoch,
    `ticks` the same moment in µs of the monotonic clock of the boot that begins the owner's name.
    """

    owner: str
    token: int
    until: int
    ticks: int


class Job(Value, frozen=True):
    """The messages `from_seq` to `to_seq` of a session, to be worked through by the processors of a kind.

    `attempt` counts the one under way; it is raised before it runs. `ready_at` is when it last could have begun.
    """

    id: str
    scope: Scope
    session_id: str
    kind: str
    from_seq: int
    to_seq: int
    created_at: int
    ready_at: int
    priority: Priority = Priority.NORMAL
    state: JobState = JobState.QUEUED
    attempt: int = 0
    not_before: int = 0
    began_at: int = 0
    ended_at: int = 0
    lease: Lease | None = None
    attempts: tuple[Attempt, ...] = ()

    def effect_key(self, processor: str) -> str:
        """What an effect of this processor is known by, however often the job is tried."""
        return f"{self.session_id}:{processor}:{self.from_seq}-{self.to_seq}"

    def failures(self, cause: Cause) -> int:
        """How many attempts failed for this cause since the job was last put in the queue."""
        count, number = 0, self.attempt + 1
        for attempt in reversed(self.attempts):
            if attempt.number >= number:
                break  # numbers rise until a job is put in the queue again
            count, number = count + (attempt.failure.cause is cause), attempt.number
        return count


class Gap(Value, frozen=True):
    """Messages that a processor left out: a dead letter's."""

    job_id: str
    from_seq: int
    to_seq: int


class Progress(Value, frozen=True):
    """How far a processor is with a session, but for what it left out. `at` is when it last got on, 0 if never."""

    processor: str
    seq: int = 0
    at: int = 0
    gaps: tuple[Gap, ...] = ()


class ReflectionLag(Value, frozen=True):
    """How many messages of a session the slowest processor is behind, each of them, and the jobs that are not over."""

    messages: int
    message_count: int
    processors: tuple[Progress, ...] = ()
    jobs: tuple[Job, ...] = ()


class Depth(Value, frozen=True):
    """How many lines stand in each state, dead letters, and for how long the oldest that is ready waits, in seconds.

    Of one kind, or of all where none is named. `paused_at` is since when it is paused, 0 if it is not.
    """

    queued: int
    delayed: int
    running: int
    dead: int
    oldest: float
    kind: str = ""
    paused_at: int = 0


class ProcessorStatus(Value, frozen=True):
    """What a processor cost: seconds of the wall clock, and batches that failed in it."""

    name: str
    seconds: float = 0.0
    failures: int = 0


class WorkerStatus(Value, frozen=True):
    """A process that works on jobs, as it last told at `heard_at`; its numbers are from `began_at` on.

    `counts` are what the queue counts, by what happened. `lags` are by kind: how many jobs took how long from the first
    of their messages to their end; see `LAGS`.
    """

    name: str
    began_at: int
    heard_at: int
    counts: dict[str, int] = {}
    processors: tuple[ProcessorStatus, ...] = ()
    lags: dict[str, tuple[int, ...]] = {}


class Lag(Value, frozen=True):
    """How long it took from a message to the end of the work on it: half and 99 of 100 of the jobs, in seconds."""

    kind: str
    jobs: int
    p50: float
    p99: float


class QueueStatus(Value, frozen=True):
    """How much there is to do for all users, by kind, and who was heard working on it."""

    depths: tuple[Depth, ...] = ()
    workers: tuple[WorkerStatus, ...] = ()
    lags: tuple[Lag, ...] = ()


# The longest lag of each count, in seconds, but of the last, which has the rest.
LAGS = tuple(0.01 * 2**power for power in range(19))
