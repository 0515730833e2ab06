"""The jobs of a user while they change: looked at again and again, as whoever changes them may be another process."""

from __future__ import annotations

from alejo.clock import Clock
from alejo.errors import NotFound
from alejo.jobs import Job
from alejo.queue.register import Register
from alejo.types import Scope

LEAST_SECONDS = 0.25
_SHARE = 20  # a look may take a twentieth of the time
_RECENT = 10_000_000  # µs: a job that is younger may have come and gone between two looks


class Watch:
    """Tells with every look what changed since the one before; with the first, all that is not over.

    `seconds` is how long to wait until the next.
    """

    def __init__(self, register: Register, clock: Clock, scope: Scope, *, session_id: str = "", kind: str = "") -> None:
        self.seconds = LEAST_SECONDS
        self._register = register
        self._clock = clock
        self._scope = scope
        self._wanted = (session_id, kind)
        self._known: dict[str, Job] = {}
        self._over: set[str] | None = None  # the recent ones that ended and need not be told again

    async def look(self) -> list[Job | str]:
        """The jobs that changed, as they stand now, and the identifiers of those that are gone."""
        began = self._clock.monotonic()
        found = {job.id: job for job in await self._register.standing(self._scope) if self._wants(job)}
        recent = {job.id: job for job in await self._register.ended(self._scope, self._clock.now() - _RECENT)}
        changes: list[Job | str] = [job for job in found.values() if _told(job) != _told(self._known.get(job.id))]
        over = set(recent) if self._over is None else self._over
        passed = recent.keys() - over - found.keys() - self._known.keys()
        changes += [recent[job_id] for job_id in passed if self._wants(recent[job_id])]
        ended = self._known.keys() - found.keys()
        for job_id in ended:
            try:
                changes.append(await self._register.get(self._scope, job_id))
            except NotFound:
                changes.append(job_id)
        self._known, self._over = found, recent.keys() | ended
        self.seconds = max(LEAST_SECONDS, _SHARE * (self._clock.monotonic() - began))
        return changes

    def _wants(self, job: Job) -> bool:
        session_id, kind = self._wanted
        return session_id in ("", job.session_id) and kind in ("", job.kind)


def _told(job: Job | None) -> object:
    """What of a job is worth telling when it changes."""
    return job and (job.state, job.attempt, job.to_seq, job.priority, job.not_before, len(job.attempts))
