"""JobsService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from alejo.queue.promises import REFLECTION
from alejo.queue.register import EVERY_KIND
from alejo.queue.watch import Watch
from alejo.v1 import jobs_pb2 as pb
from alejo.wire import jobs, read, write

if TYPE_CHECKING:
    from alejo.clock import Clock
    from alejo.reflection import Reflection

    from .call import Call

_LOOK_SECONDS = 5.0
_SHARE = 50  # looking may take a fiftieth of the time


class JobsCalls:
    """The jobs of users, and the queue of all, over the wire."""

    def __init__(self, reflection: Reflection, clock: Clock) -> None:
        self._register = reflection.register
        self._status = reflection.status
        self._clock = clock

    async def list_jobs(self, call: Call, request: pb.ListJobsRequest) -> pb.ListJobsResponse:
        """The user's jobs."""
        found, token = await self._register.list(
            call.scope,
            read.page(request),
            states=jobs.states(request.states),
            session_id=request.session_id,
            kind=request.kind,
        )
        return pb.ListJobsResponse(jobs=[jobs.write_job(one, history=False) for one in found], next_page_token=token)

    async def get_job(self, call: Call, request: pb.GetJobRequest) -> pb.GetJobResponse:
        """One job."""
        return pb.GetJobResponse(job=jobs.write_job(await self._register.get(call.scope, request.job_id)))

    async def watch_jobs(self, call: Call, request: pb.WatchJobsRequest) -> AsyncGenerator[pb.WatchJobsResponse, None]:
        """The jobs that are not over, then every change."""
        call.farewell = lambda: pb.WatchJobsResponse(draining=write.draining(()))
        watch = Watch(self._register, self._clock, call.scope, session_id=request.session_id, kind=request.kind)
        is_current = False
        while True:
            for change in await watch.look():
                yield jobs.write_watched(change)
            if not is_current:
                yield pb.WatchJobsResponse(current=True)
                is_current = True
            if call.closing is not None:
                raise call.closing
            call.idle = True
            await asyncio.sleep(watch.seconds)
            call.idle = False
            await call.confirm()

    async def requeue_jobs(self, call: Call, request: pb.RequeueJobsRequest) -> pb.RequeueJobsResponse:
        """Gives dead letters another chance."""
        found, more = await self._register.requeue(
            call.scope, request.job_ids, session_id=request.session_id, kind=request.kind
        )
        return pb.RequeueJobsResponse(jobs=[jobs.write_job(one, history=False) for one in found], more=more)

    async def discard_jobs(self, call: Call, request: pb.DiscardJobsRequest) -> pb.DiscardJobsResponse:
        """Gives dead letters up."""
        found, more = await self._register.discard(
            call.scope, request.job_ids, session_id=request.session_id, kind=request.kind
        )
        return pb.DiscardJobsResponse(jobs=[jobs.write_job(one, history=False) for one in found], more=more)

    async def get_reflection_lag(self, call: Call, request: pb.GetReflectionLagRequest) -> pb.GetReflectionLagResponse:
        """How far the work on a session is."""
        return jobs.write_lag(await self._register.lag(call.scope, request.session_id, request.kind or REFLECTION))

    async def pause_jobs(self, call: Call, request: pb.PauseJobsRequest) -> pb.PauseJobsResponse:
        """Has no job of a kind begin."""
        await self._register.pause(request.kind or EVERY_KIND)
        return pb.PauseJobsResponse()

    async def resume_jobs(self, call: Call, request: pb.ResumeJobsRequest) -> pb.ResumeJobsResponse:
        """Ends a pause."""
        await self._register.resume(request.kind or EVERY_KIND)
        return pb.ResumeJobsResponse()

    async def get_queue_status(self, call: Call, request: pb.GetQueueStatusRequest) -> pb.GetQueueStatusResponse:
        """How much there is to do."""
        return jobs.write_status(await self._status.look())
