"""Work for later: jobs that are promised in the same commit as what they are about, and whose effects happen once.

One contract. What hands out jobs may be a broker; their state always lives in the store of the turn, so that a turn and
its job are on disk together or not at all. `alejo.queue.stored` needs nothing but that store.

A job moves along a line, that of its session and kind: at most one is under way, at most one waits and grows with what
is said meanwhile. A processor's effects go into one commit with its watermark, and that commit is refused whole when
the job was handed to somebody else.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from alejo.jobs import Attempt, Cause, Depth, Failure, Job, Lease, Priority
from alejo.queue.steps import Limits
from alejo.storage.store import Writer
from alejo.types import JobState, Scope

__all__ = ["Attempt", "Cause", "Depth", "Failure", "Job", "JobState", "Lease", "Limits", "Priority", "Queue"]


class Queue(Protocol):
    """Takes jobs in and hands them out.

    Who holds a lease that was given to somebody else gets Conflict (LEASE_LOST) from whatever would commit; then
    nothing of the batch is kept.
    """

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
        """Adds to a batch that a session is worked through up to a message; once for a line and batch.

        The job that waits reaches further if there is one, else there is a new one, which is returned; None when that
        was promised before. A new one lingers for so many seconds, in which only `claim` hands it out. Raises
        InvalidArgument; with `bounded`, also ResourceExhausted (QUEUE_FULL). The commit raises Conflict when somebody
        took or changed what waits.
        """
        ...

    async def lease(self, kinds: Collection[str] | None = None, *, limit: int = 10, suspects: bool = True) -> list[Job]:
        """Hands out what is next: up to `limit` jobs of one user and kind, none for the time being, or one suspect.

        Of `kinds` alone if they are given, and of none that is paused. An attempt counts from here on. A suspect is a
        job with which a process ended: whoever must not end with it takes none of these.
        """
        ...

    async def claim(self, scope: Scope, session_id: str, kind: str, *, suspects: bool = True) -> Job | None:
        """Hands out the next job of one line out of turn; None when it has none to be taken now."""
        ...

    async def beat(self, *jobs: Job) -> list[Job]:
        """Extends leases by their whole length; returns the jobs that are still held."""
        ...

    async def left(self, job: Job) -> dict[str, int]:
        """The processors that are not done with a job, and the message each has to begin with."""
        ...

    async def advance(self, writer: Writer, processor: str, *jobs: Job) -> None:
        """Commits the effects of a processor, and that it is done with these jobs of one user.

        Raises FailedPrecondition when it was, or Conflict.
        """
        ...

    async def ack(self, writer: Writer, *jobs: Job, processors: Collection[str] = ()) -> None:
        """Commits that jobs are done, with the effects of these processors if they were not committed before.

        Raises FailedPrecondition while a processor is left, or Conflict.
        """
        ...

    async def retry_later(self, job: Job, failure: Failure) -> Job:
        """Ends an attempt that failed. The job is delayed, or dead when its attempts are used up. Raises Conflict."""
        ...

    async def dead_letter(self, job: Job, failure: Failure) -> Job:
        """Ends a job that will never go well: a gap that watermarks pass and a person decides on. Raises Conflict."""
        ...

    async def release(self, job: Job, *, after: float = 0.0) -> Job:
        """Gives a job back after so many seconds as if it had not been handed out. Raises Conflict."""
        ...

    async def cancel(self, writer: Writer, scope: Scope, session_id: str) -> None:
        """Adds to a batch all it takes to end the jobs of a session that is deleted, and what was known of it.

        The commit raises Conflict when a job was added or handed out meanwhile.
        """
        ...

    async def reap(self) -> int:
        """Ends the attempts of processes that are gone, without waiting for their leases; returns how many."""
        ...

    async def depth(self) -> Depth:
        """How much there is to do."""
        ...

    async def close(self) -> None:
        """Gives back every job that is held."""
        ...
