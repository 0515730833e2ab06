"""Whether weights rank better: the measure, the three parts, the bound, and what many share."""

from __future__ import annotations

import math
import random
from statistics import fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo.learning import ranking
from alejo.learning.feedback import Sample
from alejo.learning.rows import Pool
from alejo.types import Judged

LIKED_LAST = Judged(((1.0, 0.0), (0.5, 0.0), (0.0, 1.0)), (0.0, 0.0, 1.0))


def test_ndcg_is_one_where_the_best_is_first() -> None:
    """Weights that put what was liked first have 1, others less, and what was disliked is best last."""
    assert ranking.ndcg((0.0, 1.0), LIKED_LAST) == 1
    assert ranking.ndcg((1.0, 0.0), LIKED_LAST) == pytest.approx(
        (1 + 1 / math.log2(3) + 2 / 2) / (2 + 1 / math.log2(3) + 1 / 2)
    )
    disliked = Judged(((1.0,), (0.5,)), (-1.0, 0.0))
    assert ranking.ndcg((1.0,), disliked) < ranking.ndcg((-1.0,), disliked) == 1


@given(st.lists(st.binary(min_size=16, max_size=16), unique=True))
def test_every_question_has_one_part(keys: list[bytes]) -> None:
    """The parts hold every question once, and the same one always, whatever the others."""
    samples = [Sample(key, 0, LIKED_LAST) for key in keys]
    whole = ranking.parts(samples)
    assert sorted(each.key for part in whole for each in part) == sorted(keys)
    for sample in samples:
        alone = ranking.parts([sample])
        assert [sample in part for part in alone] == [sample in part for part in whole]


def test_the_bound_is_that_of_student() -> None:
    """The lower end of the interval is what tables of Student's t give: 2.262 for 10 values, 2.093 for 20."""
    for n, quantile in ((10, 2.262), (20, 2.093), (100, 1.984)):
        deviation = 3.0
        low = ranking.low(0.0, deviation**2 * (n - 1), n)
        assert -low * math.sqrt(n) / deviation == pytest.approx(quantile, abs=0.004)
    assert ranking.low(1.0, 0.0, 1) == -math.inf


def test_a_comparison_needs_questions_and_new_ones() -> None:
    """There is none below the least, nor until the gate has grown by a quarter."""
    assert not ranking.due(ranking.LEAST - 1, 0)
    assert ranking.due(ranking.LEAST, 0)
    assert not ranking.due(24, 20)
    assert ranking.due(25, 20)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=40))
def test_a_pool_adds_up_as_it_goes(weights: list[tuple[float, float]]) -> None:
    """Mean and spread of the shared gains are those of all questions together."""
    dice = random.Random(4)
    judged = [Judged(tuple((dice.random(), dice.random()) for _ in range(4)), (1.0, 0.0, -1.0, 0.0)) for _ in weights]
    pool, gains = Pool(), []
    for each, new in zip(judged, weights, strict=True):
        pool = ranking.tested(pool, [each], (1.0, 0.0), new)
        gains.append(ranking.ndcg(new, each) - ranking.ndcg((1.0, 0.0), each))
    assert pool.tests == len(weights)
    assert pool.gain == pytest.approx(fmean(gains))
    assert pool.spread == pytest.approx(variance(gains) * (len(gains) - 1), abs=1e-9)


def test_what_users_fitted_is_averaged_by_their_questions() -> None:
    """One who judged three times as many questions counts three times as much, and what is old fades."""
    pool = ranking.merged(Pool(), {"dense": 1.0}, 30, most=1000)
    pool = ranking.merged(pool, {"dense": 5.0}, 10, most=1000)
    assert (pool.weights, pool.fitted) == ({"dense": 2.0}, 40)
    pool = ranking.merged(pool, {"dense": 4.0}, 10, most=10)
    assert pool.weights == {"dense": 3.0}
