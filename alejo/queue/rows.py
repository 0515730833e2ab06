"""The rows of the queue. A line is what stands in a row behind each other: the jobs of one session and kind.

Of the user's own: the line (jobs that wait), the job of it that is under way, its heartbeat, one watermark for each
processor, dead letters, and what has ended. Beside them, for all users, stand signs of when a line wants attention.
A sign names nobody: its user is a hash, and what leads to the line is sealed with that user's key.
"""

from __future__ import annotations

from hashlib import blake2b

from alejo.ids import raw
from alejo.jobs import Gap, Job, Priority, WorkerStatus
from alejo.storage.tables import Table
from alejo.types import JobState, Value


class Line(Value, frozen=True):
    """The jobs of a line that wait. `reached` is the last message that any job of it was for.

    `waiting` grows with what is said until it is taken; `reopened` are dead letters that get another chance, first.
    """

    reached: int = 0
    waiting: Job | None = None
    reopened: tuple[Job, ...] = ()

    @property
    def next(self) -> Job | None:
        """The job to be taken next."""
        return self.reopened[0] if self.reopened else self.waiting


class Beat(Value, frozen=True):
    """How far a lease, known by its token, was extended; see `Lease` for the two times."""

    token: int
    until: int
    ticks: int


class Watermark(Value, frozen=True):
    """How far a processor is with a session, but for the gaps. `at` is when it last got on, in µs."""

    seq: int = 0
    gaps: tuple[Gap, ...] = ()
    at: int = 0


class Sign(Value, frozen=True):
    """How a line stands and when it wants attention: to be taken, or when its lease ends. Or that a job of it is dead.

    `line` stands for the line, `user` for its user, both hashes; `way` is the sealed way to it. `ready_at` is as in
    `Job`; `suspect` says that a process ended with the job, `behind` that another is before it.
    """

    line: bytes
    user: bytes
    way: bytes
    kind: str
    state: JobState
    at: int
    ready_at: int
    priority: Priority = Priority.NORMAL
    suspect: bool = False
    owner: str = ""
    job_id: str = ""
    behind: bool = False


class Way(Value, frozen=True):
    """What a sign's `way` opens to."""

    tenant: str
    user: str
    session_id: str
    kind: str


class Paused(Value, frozen=True):
    """That jobs of a kind are not handed out, and since when."""

    at: int


LINES = Table("job_line", Line)  # session id (16) ‖ kind
UNDER_WAY = Table("job_under_way", Job)  # session id (16) ‖ kind
BEATS = Table("job_beat", Beat)  # session id (16) ‖ kind
WATERMARKS = Table("watermark", Watermark)  # session id (16) ‖ processor
LIVE = Table("job_live", bytes)  # job id (16) → key of its line
DEAD_LETTERS = Table("dead_letter", Job)  # job id (16)
ENDED = Table("job_ended", Job)  # job id (16)
SIGNS = Table("job_sign", Sign)  # appended, in the system scope
PAUSED = Table("job_paused", Paused)  # kind, in the system scope
HEARD = Table("job_worker", WorkerStatus)  # name of the process, in the system scope
USERS = Table("job_user", bytes)  # the user's hash (32), in the system scope → their scope, sealed by their own key


def line_key(session_id: str, kind: str) -> bytes:
    """Where a line is kept. Raises InvalidArgument for a session id that is none."""
    return raw(session_id, "session_id") + kind.encode()


def mark_key(session_id: str, processor: str) -> bytes:
    """Where a watermark is kept."""
    return bytes.fromhex(session_id) + processor.encode()


def line_hash(user: bytes, key: bytes) -> bytes:
    """What stands for a user's line among all users'."""
    return blake2b(user + key, digest_size=16).digest()
