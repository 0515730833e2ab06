"""What learning keeps of its own: a line in a log for every stage of every session, sums of these, and learners."""

from __future__ import annotations

from alejo.lessons import Entry, SessionSum, Total
from alejo.storage.tables import Table
from alejo.types import Metric, Value


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
