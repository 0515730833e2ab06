"""Jobs and what is known of their queue, both ways: from values to messages, and back."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration

from alejo.jobs import (
    Attempt,
    Cause,
    Depth,
    Failure,
    Gap,
    Job,
    Lag,
    Priority,
    ProcessorStatus,
    Progress,
    QueueStatus,
    ReflectionLag,
    WorkerStatus,
)
from alejo.types import JobState, Scope
from alejo.v1 import jobs_pb2 as pb
from alejo.wire import read, write

_STATES: dict[int, JobState] = {int(state): state for state in JobState}
_CAUSES: dict[int, Cause] = {int(cause): cause for cause in Cause}
_PRIORITIES: dict[int, Priority] = {priority + 1: priority for priority in Priority}
_NOBODY = Scope("", "")  # a client's jobs are the caller's, whoever that is


def states(numbers: Iterable[int]) -> tuple[JobState, ...]:
    """The states of a filter."""
    return tuple(_STATES[number] for number in numbers)


def write_job(value: Job, *, history: bool = True) -> pb.Job:
    """A job, with the history of its attempts or without it."""
    return pb.Job(
        id=value.id,
        session_id=value.session_id,
        kind=value.kind,
        from_seq=value.from_seq,
        to_seq=value.to_seq,
        state=value.state,  # type: ignore[arg-type]  # the numbers agree, a test holds it
        priority=value.priority + 1,  # type: ignore[arg-type]
        attempt=value.attempt,
        created_at=write.moment(value.created_at),
        began_at=write.perhaps(value.began_at or None),
        not_before=write.perhaps(value.not_before if value.state is JobState.DELAYED else None),
        ended_at=write.perhaps(value.ended_at or None),
        attempts=[_write_attempt(one) for one in value.attempts] if history else (),
    )


def _write_attempt(value: Attempt) -> pb.Attempt:
    return pb.Attempt(
        number=value.number,
        began_at=write.moment(value.began_at),
        ended_at=write.moment(value.ended_at),
        worker=value.owner,
        cause=value.failure.cause,  # type: ignore[arg-type]
        code=value.failure.code,
        processor=value.failure.processor,
    )


def read_job(proto: pb.Job) -> Job:
    """A job as a client knows it: without its user, and without its lease."""
    created_at = read.moment(proto.created_at)
    not_before = read.perhaps(proto, "not_before") or 0
    return Job(
        proto.id,
        _NOBODY,
        proto.session_id,
        proto.kind,
        proto.from_seq,
        proto.to_seq,
        created_at,
        not_before or created_at,
        _PRIORITIES.get(proto.priority, Priority.NORMAL),
        _STATES.get(proto.state, JobState.QUEUED),
        proto.attempt,
        not_before,
        read.perhaps(proto, "began_at") or 0,
        read.perhaps(proto, "ended_at") or 0,
        None,
        tuple(_read_attempt(one) for one in proto.attempts),
    )


def _read_attempt(proto: pb.Attempt) -> Attempt:
    return Attempt(
        proto.number,
        read.moment(proto.began_at),
        read.moment(proto.ended_at),
        proto.worker,
        Failure(_CAUSES.get(proto.cause, Cause.TRANSIENT), proto.code, proto.processor),
    )


def write_watched(change: Job | str) -> pb.WatchJobsResponse:
    """A job that changed, or the identifier of one that is gone."""
    return (
        pb.WatchJobsResponse(removed=change) if isinstance(change, str) else pb.WatchJobsResponse(job=write_job(change))
    )


def write_lag(value: ReflectionLag) -> pb.GetReflectionLagResponse:
    """How far the work on a session is."""
    return pb.GetReflectionLagResponse(
        messages=value.messages,
        message_count=value.message_count,
        processors=[
            pb.Progress(
                processor=one.processor,
                seq=one.seq,
                at=write.perhaps(one.at or None),
                gaps=[pb.Gap(job_id=gap.job_id, from_seq=gap.from_seq, to_seq=gap.to_seq) for gap in one.gaps],
            )
            for one in value.processors
        ],
        jobs=[write_job(one, history=False) for one in value.jobs],
    )


def read_lag(proto: pb.GetReflectionLagResponse) -> ReflectionLag:
    """How far the work on a session is."""
    return ReflectionLag(
        proto.messages,
        proto.message_count,
        tuple(
            Progress(
                one.processor,
                one.seq,
                read.perhaps(one, "at") or 0,
                tuple(Gap(gap.job_id, gap.from_seq, gap.to_seq) for gap in one.gaps),
            )
            for one in proto.processors
        ),
        tuple(read_job(one) for one in proto.jobs),
    )


def write_status(value: QueueStatus) -> pb.GetQueueStatusResponse:
    """How much there is to do, and who works on it."""
    return pb.GetQueueStatusResponse(
        depths=[
            pb.Depth(
                kind=one.kind,
                queued=one.queued,
                delayed=one.delayed,
                running=one.running,
                dead=one.dead,
                oldest=_duration(one.oldest),
                paused_at=write.perhaps(one.paused_at or None),
            )
            for one in value.depths
        ],
        workers=[
            pb.WorkerStatus(
                name=one.name,
                began_at=write.moment(one.began_at),
                heard_at=write.moment(one.heard_at),
                counts=one.counts,
                processors=[
                    pb.ProcessorStatus(name=each.name, seconds=each.seconds, failures=each.failures)
                    for each in one.processors
                ],
            )
            for one in value.workers
        ],
        lags=[
            pb.Lag(kind=one.kind, jobs=one.jobs, p50=_duration(one.p50), p99=_duration(one.p99)) for one in value.lags
        ],
    )


def read_status(proto: pb.GetQueueStatusResponse) -> QueueStatus:
    """How much there is to do, and who works on it."""
    return QueueStatus(
        tuple(
            Depth(
                one.queued,
                one.delayed,
                one.running,
                one.dead,
                _seconds(one.oldest),
                one.kind,
                read.perhaps(one, "paused_at") or 0,
            )
            for one in proto.depths
        ),
        tuple(
            WorkerStatus(
                one.name,
                read.moment(one.began_at),
                read.moment(one.heard_at),
                dict(one.counts),
                tuple(ProcessorStatus(each.name, each.seconds, each.failures) for each in one.processors),
            )
            for one in proto.workers
        ),
        tuple(Lag(one.kind, one.jobs, _seconds(one.p50), _seconds(one.p99)) for one in proto.lags),
    )


def _duration(seconds: float) -> Duration:
    made = Duration()
    made.FromMicroseconds(round(seconds * 1e6))
    return made


def _seconds(proto: Duration) -> float:
    return proto.seconds + proto.nanos / 1e9
