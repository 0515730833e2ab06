"""What finding was worth: metrics of ranked lists, their mean with a bootstrap interval, and paired differences.

    recall@k     the share of the gold turns among the first k items
    hit@10       whether any is among the first ten
    mrr          1 ÷ the rank of the first
    ndcg@10      each gold turn counts 1 ÷ log2(1 + its rank), as a share of what the best order would have

A turn that comes twice takes two places and counts once. Intervals hold 95 % of 2,000 draws of as many questions
(percentile bootstrap, Efron 1979), the same draws for all systems, so that differences are paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DEPTHS = (5, 10, 20, 50)
METRICS = (*(f"recall@{depth}" for depth in DEPTHS), "hit@10", "mrr", "ndcg@10")
_DRAWS = 2000
_BOUNDS = (2.5, 97.5)


class Interval(NamedTuple):
    """A mean and where 95 % of the draws lie."""

    value: float
    low: float
    high: float


def measures(items: Sequence[str], gold: frozenset[str]) -> tuple[float, ...]:
    """Every metric of METRICS for one question. An item that is no turn is ""; `gold` is not empty."""
    ranks = sorted(items.index(each) + 1 for each in gold & set(items))
    recalls = [sum(rank <= depth for rank in ranks) / len(gold) for depth in DEPTHS]
    gain = sum(1 / math.log2(1 + rank) for rank in ranks if rank <= 10)
    best = sum(1 / math.log2(1 + rank) for rank in range(1, min(len(gold), 10) + 1))
    return (*recalls, float(bool(ranks) and ranks[0] <= 10), 1 / ranks[0] if ranks else 0.0, gain / best)


def draws(questions: int, seed: int = 1) -> NDArray[np.float64]:
    """How often each question is in each draw, as a share of the draw."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(questions, np.full(questions, 1 / questions), _DRAWS) / questions


def intervals(values: NDArray[np.float64], drawn: NDArray[np.float64]) -> list[Interval]:
    """The interval of each column: a metric, or the difference of two systems in one; the rows are questions."""
    low, high = np.percentile(drawn @ values, _BOUNDS, axis=0)
    means = values.mean(axis=0)
    return [Interval(*map(float, each)) for each in zip(means, low, high, strict=True)]
