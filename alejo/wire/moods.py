"""What is told of how a user feels, from values to messages and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from alejo.types import Mood, Point, Reason, Relationship, Tone, Trigger
from alejo.v1 import emotion_pb2 as pb
from alejo.v1 import types_pb2

from . import read, write


def _write_why(reasons: Iterable[Reason]) -> list[types_pb2.Evidence]:
    return [types_pb2.Evidence(name=each.name, share=each.share, detail=each.detail) for each in reasons]


def _read_why(protos: Iterable[types_pb2.Evidence]) -> tuple[Reason, ...]:
    return tuple(Reason(each.name, each.share, each.detail) for each in protos)


def _since(time: int) -> Any:
    return write.moment(time) if time else None


def _read_since(proto: Any, field: str) -> int:
    return read.perhaps(proto, field) or 0


def write_mood(value: Mood) -> pb.Mood:
    """A mood."""
    return pb.Mood(
        valence=value.valence,
        arousal=value.arousal,
        usual_valence=value.usual_valence,
        usual_arousal=value.usual_arousal,
        feelings=[types_pb2.Emotion(name=name, strength=strength) for name, strength in value.feelings.items()],
        since=_since(value.since),
        appraisals=value.appraisals,
        why=_write_why(value.why),
    )


def read_mood(proto: pb.Mood) -> Mood:
    """A mood."""
    return Mood(
        proto.valence,
        proto.arousal,
        proto.usual_valence,
        proto.usual_arousal,
        {each.name: each.strength for each in proto.feelings},
        _read_since(proto, "since"),
        proto.appraisals,
        _read_why(proto.why),
    )


def write_tone(value: Tone) -> pb.Tone:
    """A tone."""
    return pb.Tone(**{name: getattr(value, name) for name in Tone.__struct_fields__})


def read_tone(proto: pb.Tone) -> Tone:
    """A tone."""
    return Tone(proto.warmth, proto.formality, proto.brevity, proto.energy, proto.guidance)


def write_triggers(values: Iterable[Trigger]) -> list[pb.Trigger]:
    """Triggers."""
    return [
        pb.Trigger(
            topic=each.topic,
            valence=each.valence,
            count=each.count,
            last_at=write.moment(each.last_at),
            why=_write_why(each.why),
        )
        for each in values
    ]


def read_triggers(protos: Iterable[pb.Trigger]) -> tuple[Trigger, ...]:
    """Triggers."""
    return tuple(
        Trigger(each.topic, each.valence, each.count, read.moment(each.last_at), _read_why(each.why)) for each in protos
    )


def write_relationship(value: Relationship) -> pb.Relationship:
    """A relationship."""
    return pb.Relationship(
        trust=value.trust,
        familiarity=value.familiarity,
        topics=value.topics,
        first_at=_since(value.first_at),
        last_at=_since(value.last_at),
        turns=value.turns,
        why=_write_why(value.why),
    )


def read_relationship(proto: pb.Relationship) -> Relationship:
    """A relationship; its topics, which no map keeps in order, by how often they were named."""
    topics = sorted(proto.topics.items(), key=lambda each: (-each[1], each[0]))
    return Relationship(
        proto.trust,
        proto.familiarity,
        dict(topics),
        _read_since(proto, "first_at"),
        _read_since(proto, "last_at"),
        proto.turns,
        _read_why(proto.why),
    )


def write_trajectory(values: Sequence[Point]) -> list[pb.TrajectoryPoint]:
    """A trajectory."""
    return [
        pb.TrajectoryPoint(
            session_id=each.session_id,
            first_at=write.moment(each.first_at),
            last_at=write.moment(each.last_at),
            turns=each.turns,
            valence=each.valence,
            arousal=each.arousal,
        )
        for each in values
    ]


def read_trajectory(protos: Iterable[pb.TrajectoryPoint]) -> tuple[Point, ...]:
    """A trajectory."""
    return tuple(
        Point(
            each.session_id,
            read.moment(each.first_at),
            read.moment(each.last_at),
            each.turns,
            each.valence,
            each.arousal,
        )
        for each in protos
    )
