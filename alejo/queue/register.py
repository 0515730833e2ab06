"""What is known of jobs, and what a person may decide about them. Every decision stands in the audit."""

from __future__ import annotations

import asyncio
import builtins
from collections import defaultdict
from collections.abc import Collection
from heapq import merge
from itertools import islice
from typing import Any

from alejo import paging
from alejo.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from alejo.ids import raw
from alejo.jobs import Job, Progress, ReflectionLag
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
from alejo.types import JobState, Page, Scope

_TRIES = 8
_STEP = 256
_AT_ONCE = 64
MOST = 1000  # dead letters that are decided on at a time
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

    async def standing(self, scope: Scope) -> builtins.list[Job]:
        """Every job of a user that waits, runs or is dead."""
        found: builtins.list[Job] = []
        after = b""
        while rows := await self._store.scan(scope, LIVE, after=after, limit=_STEP):
            for key in dict.fromkeys(row.value for row in rows):
                found += (await self._lines.standing(scope, key)).jobs
            after = rows[-1].key
            await asyncio.sleep(0)  # many jobs must not stop the others
        found += [row.value for row in await self._lines.dead(scope)]
        return builtins.list({job.id: job for job in found}.values())

    async def ended(self, scope: Scope, since: int) -> builtins.list[Job]:
        """The jobs of a user that were made since then, in µs, and are done or cancelled."""
        found: builtins.list[Job] = []
        after = (since // 1000).to_bytes(6, "big")  # as an identifier begins
        while rows := await self._store.scan(scope, ENDED, after=after, limit=_STEP):
            found += [row.value for row in rows]
            after = rows[-1].key
        return found

    async def watermarks(self, scope: Scope, session_id: str, kind: str) -> dict[str, Watermark]:
        """How far each processor of a kind is with a session."""
        self._lines.key(session_id, kind)
        rows = {
            name: await self._store.get(scope, WATERMARKS, mark_key(session_id, name))
            for name in self._lines.kinds[kind]
        }
        return {name: row.value if row else Watermark() for name, row in rows.items()}

    async def lag(self, scope: Scope, session_id: str, kind: str) -> ReflectionLag:
        """How far the work of a kind on a session is. Raises NotFound, InvalidArgument."""
        row = await self._store.get(scope, SESSIONS, raw(session_id, "session_id"))
        if row is None:
            raise NotFound("session", session_id)
        marks = await self.watermarks(scope, session_id, kind)
        line = await self._lines.standing(scope, self._lines.key(session_id, kind))
        dead = [row.value for row in await self._dead(scope, session_id=session_id, kind=kind)]
        count = row.value.message_count
        return ReflectionLag(
            max((count - mark.seq for mark in marks.values()), default=0),
            count,
            tuple(Progress(name, mark.seq, mark.at, mark.gaps) for name, mark in marks.items()),
            tuple(sorted((*dead, *line.jobs), key=lambda job: job.from_seq)),
        )

    async def reached(self, scope: Scope, session_id: str, kind: str, seq: int) -> JobState | None:
        """How it stands with the work of a kind on a message; None if nothing works on it. Raises InvalidArgument."""
        marks = (await self.watermarks(scope, session_id, kind)).values()
        if not marks:
            return None
        if any(gap.from_seq <= seq <= gap.to_seq for mark in marks for gap in mark.gaps):
            return JobState.DEAD
        if all(mark.seq >= seq for mark in marks):
            return JobState.DONE
        jobs = (await self._lines.standing(scope, self._lines.key(session_id, kind))).jobs
        return next((job.state for job in jobs if job.from_seq <= seq <= job.to_seq), None)

    async def requeue(
        self, scope: Scope, job_ids: Collection[str] = (), *, session_id: str = "", kind: str = ""
    ) -> tuple[builtins.list[Job], bool]:
        """Gives dead letters another chance: these, or 1,000 of a session or kind or of the user; and are there more?

        Exactly what each left out is opened again; its history stays, its attempts begin anew. One that is in the queue
        already stays as it is. Raises NotFound, and FailedPrecondition for what is neither.
        """
        return await self._decide(scope, job_ids, session_id, kind, reopen=True)

    async def discard(
        self, scope: Scope, job_ids: Collection[str] = (), *, session_id: str = "", kind: str = ""
    ) -> tuple[builtins.list[Job], bool]:
        """Gives dead letters up, chosen as by `requeue`: what they left out stays left out.

        One that was given up already stays so. Raises NotFound, and FailedPrecondition for what is neither.
        """
        return await self._decide(scope, job_ids, session_id, kind, reopen=False)

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

    async def _decide(
        self, scope: Scope, job_ids: Collection[str], session_id: str, kind: str, *, reopen: bool
    ) -> tuple[builtins.list[Job], bool]:
        decided: builtins.list[Job] = []
        if job_ids:
            rows = await self._named(scope, job_ids, decided, reopen=reopen)
        else:
            rows = await self._dead(scope, session_id=session_id, kind=kind)
        # Those of one line change the same rows, so they go one after the other; lines share the syncs of the disk.
        lines: defaultdict[tuple[str, str], builtins.list[Row[Job]]] = defaultdict(builtins.list)
        for row in rows[:MOST]:
            lines[row.value.session_id, row.value.kind].append(row)
        room = asyncio.Semaphore(_AT_ONCE)

        async def each(line: builtins.list[Row[Job]]) -> builtins.list[Job]:
            async with room:
                return [await self._decide_one(scope, row, reopen=reopen) for row in line]

        for jobs in await asyncio.gather(*map(each, lines.values())):
            decided += jobs
        return decided, len(rows) > MOST

    async def _named(
        self, scope: Scope, job_ids: Collection[str], decided: builtins.list[Job], *, reopen: bool
    ) -> builtins.list[Row[Job]]:
        """The dead letters among these; those of which the same was decided before are added to `decided`."""
        rows: builtins.list[Row[Job]] = []
        for place, job_id in enumerate(dict.fromkeys(job_ids)):
            row = await self._store.get(scope, DEAD_LETTERS, raw(job_id, f"job_ids[{place}]"))
            if row is not None:
                rows.append(row)
                continue
            job = await self.get(scope, job_id)
            if job.state not in (_LIVE if reopen else {JobState.CANCELLED}):
                told = f"The job {job_id} is {job.state.name.lower()}, not dead."
                raise FailedPrecondition(told, reason="JOB_NOT_DEAD")
            decided.append(job)
        return rows

    async def _decide_one(self, scope: Scope, row: Row[Job], *, reopen: bool) -> Job:
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

    async def _dead(self, scope: Scope, *, session_id: str, kind: str) -> builtins.list[Row[Job]]:
        rows = await self._lines.dead(scope)
        return [row for row in rows if session_id in ("", row.value.session_id) and kind in ("", row.value.kind)]

    async def _ids(self, scope: Scope, wanted: frozenset[JobState], after: bytes) -> builtins.list[bytes]:
        """The next identifiers that may be of jobs in these states."""
        tables: builtins.list[Table[Any]] = [LIVE] if wanted & _LIVE else []
        tables += [DEAD_LETTERS] if JobState.DEAD in wanted else []
        tables += [ENDED] if wanted & {JobState.DONE, JobState.CANCELLED} else []
        pages = [await self._store.scan(scope, table, after=after, limit=_STEP) for table in tables]
        return builtins.list(islice(dict.fromkeys(merge(*([row.key for row in page] for page in pages))), _STEP))
