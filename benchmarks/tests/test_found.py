"""Metrics against values worked out by hand, and intervals that hold what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from alejo_bench import found


def test_metrics_of_a_list_are_those_worked_out_by_hand() -> None:
    """Gold turns at ranks 2 and 6, a third not found: shares, reciprocal rank and gain follow."""
    items = ["a", "gold-1", "", "b", "c", "gold-2", "d"]
    measured = dict(zip(found.METRICS, found.measures(items, frozenset({"gold-1", "gold-2", "gold-3"})), strict=True))
    assert measured["recall@5"] == pytest.approx(1 / 3)
    assert measured["recall@10"] == measured["recall@50"] == pytest.approx(2 / 3)
    assert measured["hit@10"] == 1.0
    assert measured["mrr"] == 0.5
    gain = 1 / math.log2(3) + 1 / math.log2(7)
    assert measured["ndcg@10"] == pytest.approx(gain / (1 + 1 / math.log2(3) + 1 / math.log2(4)))


def test_a_turn_counts_once_and_takes_its_places() -> None:
    """A gold turn that comes twice is one, and pushes what stands behind it out of the first five."""
    twice = found.measures(["x", "x", "x", "x", "x", "y"], frozenset({"x", "y"}))
    assert twice[0] == 0.5
    assert twice[1] == 1.0


def test_nothing_found_is_nothing() -> None:
    """An answer without a gold turn scores 0 in every metric, an empty one too."""
    assert set(found.measures(["a", ""], frozenset({"b"}))) == {0.0}
    assert set(found.measures([], frozenset({"b"}))) == {0.0}


def test_an_interval_is_that_of_the_mean() -> None:
    """Of 400 throws of a coin the interval is some ±4.9 points around the mean, and none for a constant."""
    values = np.array([[float(number % 2), 1.0] for number in range(400)])
    coin, constant = found.intervals(values, found.draws(400))
    assert coin.value == 0.5
    assert coin.high - coin.low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.1)
    assert constant == pytest.approx((1.0, 1.0, 1.0))


def test_draws_are_the_same_each_time() -> None:
    """What is drawn depends on nothing but the number of questions, so systems are compared on the same draws."""
    assert np.array_equal(found.draws(30), found.draws(30))
    assert found.draws(30).sum(axis=1) == pytest.approx(1.0)
