"""What was learned, from values to messages and back."""

from __future__ import annotations

from collections.abc import Iterable

from alejo.lessons import Entry, LearnerReport, Learnt, Promoted, SessionSum, Total, WeightsVersion
from alejo.types import Metric
from alejo.v1 import learning_pb2 as pb

from . import read, write

_FORMS = {pb.PAIR_FORM_UNSPECIFIED: "plain", pb.PAIR_FORM_PLAIN: "plain", pb.PAIR_FORM_OPENAI: "openai"}


def form(value: pb.PairForm.ValueType) -> str:
    """The form of a pair's line, by its word."""
    return _FORMS[value]


def write_form(word: str) -> pb.PairForm.ValueType:
    """The form by its word. Raises KeyError for another."""
    return {"plain": pb.PAIR_FORM_PLAIN, "openai": pb.PAIR_FORM_OPENAI}[word]


def _write_metrics(metrics: Iterable[Metric]) -> list[pb.Metric]:
    return [pb.Metric(name=each.name, before=each.before, after=each.after, n=each.n) for each in metrics]


def _read_metrics(protos: Iterable[pb.Metric]) -> tuple[Metric, ...]:
    return tuple(Metric(each.name, each.before, each.after, each.n) for each in protos)


def write_learnt(value: Learnt) -> pb.GetLearningResponse:
    """All that was learned."""
    said = value.said
    return pb.GetLearningResponse(
        said=pb.SessionSum(**{name: getattr(said, name) for name in said.__struct_fields__}),
        stages=[
            pb.StageSum(
                stage=name,
                sessions=each.sessions,
                made=each.made,
                failed=each.failed,
                seconds=each.seconds,
                last_at=write.moment(each.last_at),
            )
            for name, each in sorted(value.stages.items())
        ],
        learners=[
            pb.LearnerReport(
                name=name, outcome=each.outcome, at=write.moment(each.at), metrics=_write_metrics(each.metrics)
            )
            for name, each in sorted(value.learners.items())
        ],
        topics=value.topics,
        preferences=value.preferences,
    )


def read_learnt(proto: pb.GetLearningResponse) -> Learnt:
    """All that was learned; the topics of most sessions first."""
    said = proto.said
    topics = sorted(proto.topics.items(), key=lambda each: (-each[1], each[0]))
    return Learnt(
        SessionSum(*(getattr(said, name) for name in SessionSum.__struct_fields__)),
        {
            each.stage: Total(each.sessions, each.made, each.failed, each.seconds, read.moment(each.last_at))
            for each in proto.stages
        },
        {
            each.name: LearnerReport(each.outcome, read.moment(each.at), _read_metrics(each.metrics))
            for each in proto.learners
        },
        dict(topics),
        proto.preferences,
    )


def write_entry(value: Entry) -> pb.LearningLogEntry:
    """A line of the log."""
    return pb.LearningLogEntry(
        session_id=value.session_id,
        stage=value.stage,
        at=write.moment(value.at),
        seconds=value.seconds,
        made=value.made,
        outcome=value.outcome,
        reason=value.reason,
        metrics=_write_metrics(value.metrics),
    )


def read_entry(proto: pb.LearningLogEntry) -> Entry:
    """A line of the log."""
    at, metrics = read.moment(proto.at), _read_metrics(proto.metrics)
    return Entry(proto.session_id, proto.stage, at, proto.seconds, proto.made, proto.outcome, proto.reason, metrics)


def write_promoted(value: Promoted) -> pb.ListWeightsResponse:
    """The weights that were promoted."""
    return pb.ListWeightsResponse(
        own=map(_write_version, value.own),
        in_use=value.in_use,
        shared=map(_write_version, value.shared),
        shared_in_use=value.shared_in_use,
    )


def read_promoted(proto: pb.ListWeightsResponse) -> Promoted:
    """The weights that were promoted."""
    own, shared = (tuple(map(_read_version, several)) for several in (proto.own, proto.shared))
    return Promoted(own, proto.in_use, shared, proto.shared_in_use)


def _write_version(value: WeightsVersion) -> pb.WeightsVersion:
    return pb.WeightsVersion(
        number=value.number,
        weights=value.weights,
        at=write.moment(value.at),
        learner=value.learner,
        metrics=_write_metrics(value.metrics),
    )


def _read_version(proto: pb.WeightsVersion) -> WeightsVersion:
    at, metrics = read.moment(proto.at), _read_metrics(proto.metrics)
    return WeightsVersion(proto.number, dict(proto.weights), at, proto.learner, metrics)
