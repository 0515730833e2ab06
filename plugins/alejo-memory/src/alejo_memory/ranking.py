"""Learns how recall should weigh evidence for one user, from how recalled memories were liked.

Of two memories recalled for one question the one that was liked better should score higher: the logistic loss of the
difference of their scores (RankNet: Burges et al., "Learning to Rank using Gradient Descent", 2005), each question
counting the same, with a ridge towards the weights in use that fades as questions come in. It goes on from what it
found in the last lesson, by gradient descent (Adam: Kingma and Ba, 2015).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from operator import mul
from statistics import pstdev

import msgspec

from alejo.roles import Lesson
from alejo.types import Judged, Learned, Metric

LEAST = 20  # questions, before anything is proposed
_NEWEST = 384  # questions that are fitted to
_STEPS = 60
_RATE = 0.1  # at first; it falls to nothing
_RIDGE = 8.0  # so many questions' worth of holding on to the weights in use
_CERTAIN = 30.0  # beyond this a sigmoid is 0 or 1
_MOST = 100.0


class Pull(msgspec.Struct, frozen=True):
    """That one memory should score higher than another: the distance of their scores, of their evidence, its share."""

    margin: float
    evidence: tuple[float, ...]
    counts: float


class Ranking:
    """The ranking learner."""

    name = "ranking"
    wants = ("judged",)

    async def learn(self, lesson: Lesson) -> Learned:
        """Weights that rank what was liked higher, once there are enough questions."""
        judged = lesson.judged[-_NEWEST:]
        if len(judged) < LEAST:
            return Learned(lesson.state, "waiting")
        return await asyncio.to_thread(proposal, lesson, judged)


def proposal(lesson: Lesson, judged: Sequence[Judged]) -> Learned:
    """What is learned of a lesson by so many of its questions."""
    names = lesson.evidence
    base = [lesson.weights.get(name, 0.0) for name in names]
    scale = spread(judged, base)
    pulls = [pull for each in judged for pull in pulls_of(each, base, scale)]
    begun = _begun(lesson, scale)
    change = fit(pulls, begun, _RIDGE / len(judged))
    weights = {
        name: max(-_MOST, min(_MOST, weight + moved / unit)) if unit else weight
        for name, weight, moved, unit in zip(names, base, change, scale, strict=True)
    }
    still = [0.0] * len(names)
    told = Metric("fit loss", loss(pulls, still), loss(pulls, change), len(judged))
    changed = {name: weights[name] for name, unit in zip(names, scale, strict=True) if unit}
    return Learned(msgspec.msgpack.encode(changed), "proposed", changed, (told,))


def _begun(lesson: Lesson, scale: Sequence[float]) -> list[float]:
    """Where the last lesson ended, as a change of the weights in use."""
    try:
        last = msgspec.msgpack.decode(lesson.state, type=dict[str, float]) if lesson.state else {}
    except msgspec.MsgspecError:
        last = {}  # of another version of this
    now = [lesson.weights.get(name, 0.0) for name in lesson.evidence]
    return [
        (last.get(name, weight) - weight) * unit for name, weight, unit in zip(lesson.evidence, now, scale, strict=True)
    ]


def spread(judged: Sequence[Judged], base: Sequence[float]) -> list[float]:
    """By how much each evidence differs between memories; 0 for what has no weight, and so was not measured."""
    columns = zip(*(row for each in judged for row in each.evidence), strict=True)
    return [pstdev(column) if weight else 0.0 for column, weight in zip(columns, base, strict=True)]


def pulls_of(judged: Judged, base: Sequence[float], scale: Sequence[float]) -> list[Pull]:
    """Which memories of a question should change places, or keep them; together they count 1."""
    rows, liking = judged.evidence, judged.liking
    scores = [sum(map(mul, base, row)) for row in rows]
    places = range(len(rows))
    pairs = [(one, two) for one in places for two in places if liking[one] > liking[two]]
    whole = sum(liking[one] - liking[two] for one, two in pairs)
    return [
        Pull(
            scores[one] - scores[two],
            tuple((a - b) / unit if unit else 0.0 for a, b, unit in zip(rows[one], rows[two], scale, strict=True)),
            (liking[one] - liking[two]) / whole,
        )
        for one, two in pairs
    ]


def fit(pulls: Sequence[Pull], begun: Sequence[float], ridge: float) -> list[float]:
    """The change of weights, in units of their evidence's spread, under which the pulls are satisfied best."""
    change = list(begun)
    first, second = [0.0] * len(change), [0.0] * len(change)
    whole = sum(pull.counts for pull in pulls) or 1.0
    for step in range(1, _STEPS + 1):
        rate = _RATE * (1 - (step - 1) / _STEPS)
        slope = [ridge * moved for moved in change]
        for pull in pulls:
            missing = pull.counts / whole * _sigmoid(-pull.margin - sum(map(mul, change, pull.evidence)))
            slope = [already - missing * each for already, each in zip(slope, pull.evidence, strict=True)]
        first = [0.9 * mean + 0.1 * each for mean, each in zip(first, slope, strict=True)]
        second = [0.99 * mean + 0.01 * each * each for mean, each in zip(second, slope, strict=True)]
        for place, (mean, square) in enumerate(zip(first, second, strict=True)):
            change[place] -= rate * (mean / (1 - 0.9**step)) / (math.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return change


def loss(pulls: Sequence[Pull], change: Sequence[float]) -> float:
    """The mean logistic loss of the pulls after a change."""
    whole = sum(pull.counts for pull in pulls) or 1.0
    margins = ((pull.counts, pull.margin + sum(map(mul, change, pull.evidence))) for pull in pulls)
    return sum(counts * _softplus(-margin) for counts, margin in margins) / whole


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-_CERTAIN, min(_CERTAIN, value))))


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
