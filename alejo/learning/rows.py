"""What learning keeps of its own: a line in a log for every stage of every session, sums of these, and learners."""

from __future__ import annotations

from alejo.storage.tables import Table
from alejo.types import Metric, Value

DONE = "done"


class Entry(Value, frozen=True):
    """That a stage worked through a session: how much it made of it, and how it ended.

    `outcome` is "done", a learner's own word, or "failed" with the stable word why in `reason`.
    """

    session_id: str
    stage: str
    at: int
    seconds: float
    made: int = 0
    outcome: str = DONE
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


class LearnerRow(Value, frozen=True):
    """What a learner knows, and what came of its last lesson.

    `compared` is how many questions the last comparison of weights had, `pooled` the time of the newest one that was
    shared, in µs.
    """

    state: bytes = b""
    outcome: str = ""
    at: int = 0
    metrics: tuple[Metric, ...] = ()
    compared: int = 0
    pooled: int = 0


class Pool(Value, frozen=True):
    """Weights that many users fitted, and how they do against those in use: how often, and mean and spread of the gain.

    `spread` is the sum of squared differences from the mean (Welford 1962).
    """

    weights: dict[str, float] = {}
    fitted: int = 0
    tests: int = 0
    before: float = 0.0
    gain: float = 0.0
    spread: float = 0.0


LOG = Table("learning_log", Entry)  # appended
TOTALS = Table("learning_total", Total)  # name of the stage
SUMS = Table("learning_sum", SessionSum)  # one
LEARNERS = Table("learner", LearnerRow)  # its name
POOLS = Table("weights_pool", Pool)  # one, of those who share
