"""What is known of jobs, and what a person may decide about them. Every decision stands in the audit."""

from __future__ import annotations

import builtins
from collections.abc import Collection
from heapq import merge
from itertools import islice
from typing import Any

from alejo import paging
from alejo.errors import Conflict, InvalidArgument, NotFound
from alejo.ids import raw
from alejo.jobs import Job, JobState
from alejo.queue.lines import Lines
from alejo.queue.rows import (
    DEAD_LETTERS,
    ENDED,
    LIVE,
    PAUSED,
    WATERMARKS,
    Paused,
    Watermark,
    mark_key,
)
from alejo.storage import audit
from alejo.storage.store import SYSTEM, Row, Store
from alejo.storage.tables import SESSIONS, Table
from alejo.types import Page, Scope

_TRIES = 8
_STEP = 256
_LIVE = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.DELAYED})
EVERY_KIND = "*"


class Register:
    """The jobs of a queue, each reached through a scope: list, get, requeue, discard; and pause and resume for all."""

    def __init__(self, store: Store, lines: Lines) -> None:
        self._store = store
        self._lines = lines
        self._clock = lines.clock

    async def get(self, scope: Scope, job_id: str) -> Job:
        """A job, with its attempts. What is done or cancelled is told for a day. Raises NotFound."""
        place = raw(job_id, "job_id")
        for _ in range(2):  # it may be on its way from one table to the other
            live = await self._store.get(scope, LIVE, place)
            for job in (await self._lines.standing(scope, live.value)).jobs if live else ():
                if job.id == job_id:
                    return job
            for table in (DEAD_LETTERS, ENDED):
                row = await self._store.get(scope, table, place)
                if row is not None:
                    return row.value
        raise NotFound("job", job_id)

    async def list(
        self, scope: Scope, page: Page, *, states: Collection[JobState] = (), session_id: str = "", kind: str = ""
    ) -> tuple[list[Job], str]:
        """A page of a user's jobs, oldest first by when they were made, and the token of the next."""
        question = ("jobs", sorted(states), session_id, kind)
        after = paging.cursor(question, page.token)
        wanted = frozenset(states) or frozenset(JobState)
        found: list[Job] = []
        while True:
            ids = await self._ids(scope, wanted, after)
            for place in ids:
                after = place
                try:
                    job = await self.get(scope, place.hex())
                except NotFound:
                    continue
                if job.state in wanted and session_id in ("", job.session_id) and kind in ("", job.kind):
                    if len(found) == page.size:
                        return found, paging.token(question, bytes.fromhex(found[-1].id))
                    found.append(job)
            if len(ids) < _STEP:
                return found, ""

    async def watermarks(self, scope: Scope, session_id: str, kind: str) -> dict[str, Watermark]:
        """How far each processor of a kind is with a session."""
        self._lines.key(session_id, kind)
        rows = {
            name: await self._store.get(scope, WATERMARKS, mark_key(session_id, name))
            for name in self._lines.kinds[kind]
        }
        return {name: row.value if row else Watermark() for name, row in rows.items()}

    async def lag(self, scope: Scope, session_id: str, kind: str) -> int:
        """How many messages of a session the slowest processor of a kind is behind. Raises NotFound."""
        row = await self._store.get(scope, SESSIONS, raw(session_id, "session_id"))
        if row is None:
            raise NotFound("session", session_id)
        marks = await self.watermarks(scope, session_id, kind)
        return max((row.value.message_count - mark.seq for mark in marks.values()), default=0)

    async def requeue(
        self, scope: Scope, job_ids: Collection[str] = (), *, session_id: str = "", kind: str = ""
    ) -> builtins.list[Job]:
        """Gives dead letters another chance: these, or all of a session or kind, or all of the user.

        Exactly what each left out is opened again; its history stays, its attempts begin anew. Raises NotFound.
        """
        return [
            await self._decide(scope, row, reopen=True) for row in await self._dead(scope, job_ids, session_id, kind)
        ]

    async def discard(
        self, scope: Scope, job_ids: Collection[str] = (), *, session_id: str = "", kind: str = ""
    ) -> builtins.list[Job]:
        """Gives dead letters up, chosen as by `requeue`: what they left out stays left out. Raises NotFound."""
        return [
            await self._decide(scope, row, reopen=False) for row in await self._dead(scope, job_ids, session_id, kind)
        ]

    async def pause(self, kind: str = EVERY_KIND) -> None:
        """Hands out no job of a kind, or none at all, in whatever process. Raises InvalidArgument."""
        await self._switch(kind, paused=True)

    async def resume(self, kind: str = EVERY_KIND) -> None:
        """Ends a pause of the same kind. Raises InvalidArgument."""
        await self._switch(kind, paused=False)

    async def paused(self) -> dict[str, int]:
        """The kinds that are paused, and since when."""
        return {row.key.decode(): row.value.at for row in await self._store.scan(SYSTEM, PAUSED, limit=1000)}

    async def _switch(self, kind: str, *, paused: bool) -> None:
        if kind not in (EVERY_KIND, *self._lines.kinds):
            raise InvalidArgument.field("kind", f"must be one of {', '.join(sorted(self._lines.kinds))}")
        writer = await self._store.writer(SYSTEM)
        if paused:
            writer.put(PAUSED, kind.encode(), Paused(self._clock.now()))
        else:
            writer.delete(PAUSED, kind.encode())
        audit.record(writer, "jobs.pause" if paused else "jobs.resume", kind, self._clock.now())
        await writer.commit()

    async def _decide(self, scope: Scope, row: Row[Job], *, reopen: bool) -> Job:
        job = row.value
        for _ in range(_TRIES):
            writer = await self._store.writer(scope)
            standing = await self._lines.standing(scope, self._lines.key(job.session_id, job.kind)) if reopen else None
            await self._lines.bury(writer, row, reopened=standing)
            audit.record(writer, "job.requeue" if reopen else "job.discard", job.id, self._clock.now())
            try:
                await writer.commit()
            except Conflict:
                again = await self._store.get(scope, DEAD_LETTERS, row.key)
                if again is None or again.version != row.version:
                    break
                continue
            return await self.get(scope, job.id)
        raise Conflict("The job is being changed by somebody else; try again.")

    async def _dead(
        self, scope: Scope, job_ids: Collection[str], session_id: str, kind: str
    ) -> builtins.list[Row[Job]]:
        rows: builtins.list[Row[Job]] = []
        for place, job_id in enumerate(job_ids):
            row = await self._store.get(scope, DEAD_LETTERS, raw(job_id, f"job_ids[{place}]"))
            if row is None:
                raise NotFound("dead letter", job_id)
            rows.append(row)
        if not job_ids:
            rows = await self._lines.dead(scope)
        return [row for row in rows if session_id in ("", row.value.session_id) and kind in ("", row.value.kind)]

    async def _ids(self, scope: Scope, wanted: frozenset[JobState], after: bytes) -> builtins.list[bytes]:
        """The next identifiers that may be of jobs in these states."""
        tables: builtins.list[Table[Any]] = [LIVE] if wanted & _LIVE else []
        tables += [DEAD_LETTERS] if JobState.DEAD in wanted else []
        tables += [ENDED] if wanted & {JobState.DONE, JobState.CANCELLED} else []
        pages = [await self._store.scan(scope, table, after=after, limit=_STEP) for table in tables]
        return builtins.list(islice(dict.fromkeys(merge(*([row.key for row in page] for page in pages))), _STEP))
