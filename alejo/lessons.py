"""What learning tells: sums and figures of sessions that ended. Times are microseconds since the Unix epoch, UTC."""

from __future__ import annotations

from alejo.types import Metric, Value


class Entry(Value, frozen=True):
    """That a stage worked through a session: how much it made of it, and how it ended.

    `outcome` is "done", a learner's own word, or "failed" with the stable word why in `reason`.
    """

    session_id: str
    stage: str
    at: int
    seconds: float
    made: int = 0
    outcome: str = "done"
    reason: str = ""
    metrics: tuple[Metric, ...] = ()


class Total(Value, frozen=True):
    """What a stage did for a user so far. `last_at` is in µs."""

    sessions: int = 0
    made: int = 0
    failed: int = 0
    seconds: float = 0.0
    last_at: int = 0


class SessionSum(Value, frozen=True):
    """What was said in sessions that ended: messages and characters of the user and of the assistant."""

    sessions: int = 0
    asked: int = 0
    answered: int = 0
    asked_characters: int = 0
    answered_characters: int = 0


class LearnerReport(Value, frozen=True):
    """What came of a learner's last lesson."""

    outcome: str
    at: int
    metrics: tuple[Metric, ...] = ()


class Learnt(Value, frozen=True):
    """What was learned of a user: sums, what each stage and learner did, and the topics of most sessions."""

    said: SessionSum
    stages: dict[str, Total]
    learners: dict[str, LearnerReport]
    topics: dict[str, int]
    preferences: int


class WeightsVersion(Value, frozen=True):
    """Weights of recall that were promoted, counted from 1: who proposed them, and what they gained."""

    number: int
    weights: dict[str, float]
    at: int
    learner: str = ""
    metrics: tuple[Metric, ...] = ()


class Promoted(Value, frozen=True):
    """The weights of recall that were promoted, newest first, and which is used: a user's own, and those shared."""

    own: tuple[WeightsVersion, ...]
    in_use: int
    shared: tuple[WeightsVersion, ...] = ()
    shared_in_use: int = 0
