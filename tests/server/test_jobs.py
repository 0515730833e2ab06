"""Jobs over the wire, with the real queue and a real worker behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from alejo.client import Client, connect
from alejo.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from alejo.identity import LOCAL
from alejo.jobs import Cause, Failure, Job
from alejo.queue.promises import REFLECTION
from alejo.storage.store import SYSTEM
from alejo.storage.tables import AUDIT
from alejo.types import Ask, JobState, Page
from alejo.v1 import jobs_pb2 as pb

from .house import House, house, refused, within

SERVICE = "alejo.v1.JobsService"
GONE = Failure(Cause.PERMANENT, "unknown_schema", "statistics")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """A server where nothing works on jobs but the test."""
    async with house(tmp_path, parrot=False, plugins=None, reflection__workers=0) as one:
        yield one


@pytest.fixture
async def client(home: House) -> AsyncIterator[Client]:
    async with connect(f"127.0.0.1:{home.server.port}") as connected:
        yield connected


async def died(home: House, client: Client, text: str = "Hello") -> tuple[str, Job]:
    """A session whose reflection failed for good."""
    answer = await client.chat(Ask(text))
    (job,) = await home.assistant.reflection.queue.lease()
    return answer.session_id, await home.assistant.reflection.queue.dead_letter(job, GONE)


async def test_a_job_is_told_from_the_turn_to_its_end(home: House, client: Client) -> None:
    """The answer says that its reflection is queued; list, get, lag and the same answer again say how it goes on."""
    answer = await client.chat(Ask("Hello", request_id="one"))
    assert answer.reflection is JobState.QUEUED
    (job,), token = await client.jobs()
    assert (job.session_id, job.kind, job.from_seq, job.to_seq, job.state, job.attempt, token) == (
        answer.session_id, REFLECTION, 1, 2, JobState.QUEUED, 0, "",
    )  # fmt: skip
    lag = await client.reflection_lag(answer.session_id)
    assert (lag.messages, lag.message_count, lag.jobs) == (2, 2, (job,))
    assert {one.seq for one in lag.processors} == {0}
    queue, register = home.assistant.reflection.queue, home.assistant.reflection.register
    for number in (1, 2):
        (held,) = await queue.lease()
        assert (await client.job(job.id)).state is JobState.RUNNING
        failed = Failure(Cause.DOWN, "released") if number == 1 else Failure(Cause.TRANSIENT, "timeout", "statistics")
        await queue.retry_later(held, failed)
    told = await client.job(job.id)
    assert (told.state, told.attempt) == (JobState.DELAYED, 1)
    assert told.not_before > told.began_at > 0
    assert [(each.number, each.failure.code, each.failure.cause, each.failure.processor) for each in told.attempts] == [
        (1, "timeout", Cause.TRANSIENT, "statistics")
    ]
    assert told.attempts[0].owner == queue.owner
    assert (await client.chat(Ask("Hello", request_id="one"))).reflection is JobState.DELAYED
    assert (await client.jobs(states=[JobState.QUEUED])) == ([], "")
    assert await register.reached(LOCAL, answer.session_id, REFLECTION, 9) is None
    with pytest.raises(NotFound):
        await client.job("0" * 32)
    with pytest.raises(NotFound):
        await client.reflection_lag("0" * 32)


async def test_dead_letters_are_decided_on(home: House, client: Client) -> None:
    """One, those of a session or all are requeued or discarded, twice to the same end, and the audit names each."""
    dead = [await died(home, client) for _ in range(4)]
    assert [job.state for job in (await client.jobs(states=[JobState.DEAD]))[0]] == [JobState.DEAD] * 4
    lag = await client.reflection_lag(dead[0][0])
    assert lag.messages == 0
    assert {gap.job_id for one in lag.processors for gap in one.gaps} == {dead[0][1].id}
    for _ in range(2):
        assert [job.state for job in await client.requeue_jobs([dead[0][1].id])] == [JobState.QUEUED]
        assert [job.state for job in await client.discard_jobs([dead[1][1].id])] == [JobState.CANCELLED]
    assert [job.id for job in await client.requeue_jobs(session_id=dead[2][0])] == [dead[2][1].id]
    assert [job.id for job in await client.discard_jobs(kind=REFLECTION)] == [dead[3][1].id]
    assert await client.requeue_jobs(everything=True) == []
    assert len((await client.job(dead[0][1].id)).attempts) == 1
    with pytest.raises(FailedPrecondition) as wrong:
        await client.requeue_jobs([dead[1][1].id])
    assert wrong.value.reason == "JOB_NOT_DEAD"
    entries = [row.value.action for row in await home.assistant.store.scan(LOCAL, AUDIT, limit=1000)]
    assert (entries.count("job.requeue"), entries.count("job.discard")) == (2, 2)


async def test_what_is_to_be_decided_on_must_be_said(home: House) -> None:
    """A request that names no dead letters, or names them in two ways, decides on none."""
    requeue = home.unary(f"{SERVICE}/RequeueJobs", pb.RequeueJobsResponse)
    for request, field in (
        (pb.RequeueJobsRequest(), "job_ids"),
        (pb.RequeueJobsRequest(job_ids=["0" * 32], all=True), "all"),
        (pb.RequeueJobsRequest(job_ids=["0" * 32], kind="reflection"), "kind"),
        (pb.RequeueJobsRequest(all=True, session_id="0" * 32), "session_id"),
        (pb.RequeueJobsRequest(job_ids=["x"]), "job_ids[0]"),
        (pb.RequeueJobsRequest(job_ids=["0" * 32] * 1001), "job_ids"),
    ):
        refusal = await refused(requeue(request))
        assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
        assert [one.field for one in refusal.details["BadRequest"].field_violations] == [field]


async def test_many_dead_letters_are_decided_on_at_once(home: House, client: Client) -> None:
    """More than are decided on in one call are all requeued, those of one session in their order."""
    count = 1003
    reflection = home.assistant.reflection
    session_id = (await client.chat(Ask("Hello"))).session_id
    writer = await home.assistant.store.writer(LOCAL)
    (job,) = await reflection.queue.lease()
    await reflection.queue.dead_letter(job, GONE)
    for number in range(count - 1):
        await reflection.queue.enqueue(writer, LOCAL, f"{number + 1:032x}", REFLECTION, 2)
    await writer.commit()
    while jobs := await reflection.queue.lease(limit=100):
        await asyncio.gather(*(reflection.queue.dead_letter(job, GONE) for job in jobs))
    assert len(await client.requeue_jobs(everything=True)) == count
    assert (await client.reflection_lag(session_id)).processors[0].gaps != ()
    assert (await client.queue_status()).depths[-1].queued == count


async def test_a_watch_tells_every_change(home: House, client: Client) -> None:
    """First what there is, then every state a job comes to, whoever changes it, and that it is gone."""
    session_id, dead = await died(home, client)
    seen: list[tuple[str, object]] = []
    more = asyncio.Event()

    async def watch() -> None:
        async for change in client.watch_jobs(kind=REFLECTION):
            seen.append((change.id, change.state) if isinstance(change, Job) else (change, "gone"))
            more.set()

    async def until(*wanted: tuple[str, object]) -> None:
        async with asyncio.timeout(30):
            while seen[-len(wanted) :] != list(wanted):
                more.clear()
                await more.wait()

    watching = asyncio.create_task(watch())
    await until((dead.id, JobState.DEAD))
    await client.requeue_jobs([dead.id])
    await until((dead.id, JobState.QUEUED))
    (held,) = await home.assistant.reflection.queue.lease()
    await until((dead.id, JobState.RUNNING))
    await home.assistant.reflection.queue.release(held, after=1000)
    await until((dead.id, JobState.DELAYED))
    await home.assistant.sessions.delete(LOCAL, session_id)
    await until((dead.id, "gone"))
    other, _ = await died(home, client, "Another")
    (job,) = (await client.jobs(session_id=other))[0]
    await until((job.id, JobState.DEAD))
    await client.discard_jobs(everything=True)
    await until((job.id, JobState.CANCELLED))
    await home.server.drain(1.0)
    with pytest.raises(Unavailable) as ended:
        await within(watching)
    assert ended.value.reason == "DRAINING"


async def test_a_kind_is_paused_for_everybody(home: House, client: Client) -> None:
    """While a kind, or all, is paused nothing of it is handed out; the status tells since when, the audit by whom."""
    await client.chat(Ask("Hello"))
    queue = home.assistant.reflection.queue
    for kind in (REFLECTION, ""):
        await client.pause_jobs(kind)
        depth = next(one for one in (await client.queue_status()).depths if one.kind == REFLECTION)
        assert depth.paused_at > 0
        assert await queue.lease() == []
        await client.resume_jobs(kind)
    depth = next(one for one in (await client.queue_status()).depths if one.kind == REFLECTION)
    assert (depth.queued, depth.running, depth.paused_at) == (1, 0, 0)
    assert len(await queue.lease()) == 1
    with pytest.raises(InvalidArgument):
        await client.pause_jobs("cooking")
    entries = [row.value for row in await home.assistant.store.scan(SYSTEM, AUDIT, limit=1000)]
    actions = [entry.action for entry in entries if entry.action.startswith("jobs.")]
    assert actions == ["jobs.pause", "jobs.resume"] * 2


async def test_the_status_tells_who_works(tmp_path: Path) -> None:
    """A worker that did something is heard, with what it did and how long it took; lists have pages."""
    async with (
        house(tmp_path, parrot=False, plugins=None) as home,
        connect(f"127.0.0.1:{home.server.port}") as client,
    ):
        for _ in range(3):
            await client.chat(Ask("Hello"))
        await within(home.assistant.reflection.settled())
        (first, second), token = await client.jobs(Page(2), states=[JobState.DONE])
        (third,), end = await client.jobs(Page(2, token), states=[JobState.DONE])
        assert (sorted({first.id, second.id, third.id}), end) == ([first.id, second.id, third.id], "")
        reflection = home.assistant.reflection
        assert reflection.worker is not None
        await reflection.status.tell(reflection.worker.word(reflection.queue.owner, 1, reflection.queue.counts))
        status = await client.queue_status()
        (worker,) = status.workers
        assert (worker.name, worker.began_at, worker.counts["done"]) == (reflection.queue.owner, 1, 3)
        assert "statistics" in {one.name for one in worker.processors}
        lag = next(one for one in status.lags if one.kind == REFLECTION)
        assert lag.jobs == 3
        assert 0 < lag.p50 <= lag.p99
