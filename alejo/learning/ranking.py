"""Whether other weights rank better: by how recalled memories were liked, on questions that nobody fitted to.

Every judged question belongs for good to one of three parts. A learner sees the first and proposes weights; the second,
the gate, decides; on the third the gain is told. So no question speaks twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from alejo.learning.feedback import Sample
from alejo.learning.rows import Pool
from alejo.types import Judged

TOP = 10
LEAST = 20  # questions of the gate, for its mean to tell anything
_GROWN = 1.25  # times as many as at the last comparison, before there is another: who looks often finds by chance
_NORMAL = 1.959964  # of the normal distribution, beyond which on either side a fortieth is


class Parts(NamedTuple):
    """Judged questions by what they are for."""

    fit: list[Sample]
    gate: list[Sample]
    report: list[Sample]


class Gain(NamedTuple):
    """Mean NDCG@10 before and after, and the lower bound of the mean difference's 95 % interval; of `n` questions."""

    before: float
    after: float
    low: float
    n: int


def parts(samples: Sequence[Sample]) -> Parts:
    """Half of the questions to fit to, a quarter each for the gate and the report: by their keys, which are hashes."""
    found = Parts([], [], [])
    for sample in samples:
        found[max(sample.key[0] % 4 - 1, 0)].append(sample)
    return found


def ndcg(weights: Sequence[float], judged: Judged, top: int = TOP) -> float:
    """How well weights order what was judged, 0 to 1.

    Normalised discounted cumulative gain (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques",
    2002): what was liked gains 2, what was disliked 0, what nobody judged 1.
    """
    scores = [sum(map(float.__mul__, weights, row)) for row in judged.evidence]
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    best = _discounted(sorted((liking + 1 for liking in judged.liking), reverse=True)[:top])
    return _discounted([judged.liking[place] + 1 for place in order[:top]]) / best if best else 1.0


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def compare(judged: Sequence[Judged], before: Sequence[float], after: Sequence[float]) -> Gain:
    """What weights gain over others, question by question."""
    old = [ndcg(before, each) for each in judged]
    new = [ndcg(after, each) for each in judged]
    if len(judged) < 2:
        return Gain(fmean(old or [0.0]), fmean(new or [0.0]), -math.inf, len(judged))
    gains = [two - one for one, two in zip(old, new, strict=True)]
    return Gain(fmean(old), fmean(new), low(fmean(gains), stdev(gains) ** 2 * (len(gains) - 1), len(gains)), len(gains))


def low(mean: float, spread: float, n: int) -> float:
    """The lower end of the 95 % interval of a mean by Student's t; `spread` is the sum of squared differences."""
    if n < 2:
        return -math.inf
    # Student's quantile from the normal one (Abramowitz and Stegun 26.7.5), right to a hundredth from 8 on.
    z, freedom = _NORMAL, n - 1
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return mean - t * math.sqrt(spread / freedom / n)


def due(gate: int, compared: int) -> bool:
    """Whether the gate has enough questions, and enough new ones since the last comparison."""
    return gate >= LEAST and gate >= _GROWN * compared


def vector(weights: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """Weights as a column for each name."""
    return [float(weights.get(name, 0.0)) for name in names]


def merged(pool: Pool, proposed: Mapping[str, float], fitted: int, most: int) -> Pool:
    """A pool that learned of weights that one user fitted to so many questions, each user's counted by these.

    Federated averaging (McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data",
    2017). What was fitted long ago fades: beyond `most` questions the oldest count for nothing.
    """
    share = fitted / (min(pool.fitted, most) + fitted)
    weights = {name: (1 - share) * pool.weights.get(name, weight) + share * weight for name, weight in proposed.items()}
    return Pool(weights, pool.fitted + fitted, pool.tests, pool.before, pool.gain, pool.spread)


def tested(pool: Pool, judged: Sequence[Judged], before: Sequence[float], after: Sequence[float]) -> Pool:
    """A pool whose weights were tried on questions it had not seen."""
    tests, base, gain, spread = pool.tests, pool.before, pool.gain, pool.spread
    for each in judged:
        old = ndcg(before, each)
        new = ndcg(after, each) - old
        tests += 1
        base += (old - base) / tests
        step = new - gain
        gain += step / tests
        spread += step * (new - gain)
    return Pool(pool.weights, pool.fitted, tests, base, gain, spread)
