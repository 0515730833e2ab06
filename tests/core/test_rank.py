"""Ranking, as Python sees it."""

from __future__ import annotations

from array import array
from concurrent.futures import ThreadPoolExecutor

import pytest

from alejo._core import InvalidValue, Ranker, VectorScan

IDS = array("Q", [10, 11, 12, 13])


def floats(*numbers: float) -> array[float]:
    """A column."""
    return array("f", numbers)


def test_shares_explain_the_score() -> None:
    """The best comes first, and what each kind of evidence added sums up to its score."""
    ranker = Ranker({"lexical": 0.5, "importance": 0.25, "entity": 1.0}, half_life=60)
    selection = ranker.rank(IDS, {"lexical": floats(1, 4, 2, 0), "importance": floats(1, 0, 0.5, 0)}, limit=3)
    assert selection.evidence == ("lexical", "importance")
    assert selection.chosen == [(11, 0.5, (0.5, 0.0)), (10, 0.375, (0.125, 0.25)), (12, 0.375, (0.25, 0.125))]
    assert selection.left_out == [(13, "limit", None)]


def test_age_is_evidence() -> None:
    """Recency halves with each half-life, and a vector to ask with is evidence of meaning."""
    ranker = Ranker({"recency": 1.0, "dense": 2.0}, half_life=60)
    selection = ranker.rank(
        IDS,
        {},
        ages=floats(0, 60, 120, -5),
        vectors=floats(0, 1, 1, 0, 0, 1, 0, 1),
        query=floats(2, 0).tobytes(),
    )
    assert selection.evidence == ("dense", "recency")
    assert [(each, shares) for each, _, shares in selection.chosen] == [
        (11, (2.0, 0.5)),
        (10, (0.0, 1.0)),
        (13, (0.0, 1.0)),
        (12, (0.0, 0.25)),
    ]


def test_what_says_the_same_is_chosen_once() -> None:
    """Equal hashes, near vectors and newer versions leave the lesser one out, and tell for whom."""
    ranker = Ranker({"importance": 1.0}, duplicate=0.9)
    evidence = {"importance": floats(1, 0.5, 0.4, 0.3)}
    hashed = ranker.rank(IDS, evidence, hashes=array("Q", [1, 2, 1, 3]))
    assert hashed.left_out == [(12, "duplicate", 10)]
    near = array("b", [100, 0, 99, 3, 0, 50, -70, 0])
    assert ranker.rank(IDS, evidence, vectors=near).left_out == [(11, "duplicate", 10)]
    newer = ranker.rank(IDS, evidence, superseded=[(10, 13), (11, 99)])
    assert newer.left_out == [(10, "superseded", 13)]


def test_diversity_prefers_what_is_new() -> None:
    """Vectors may come from a scan; one it has not is like no other."""
    scan = VectorScan(2)
    for number, vector in ((10, floats(1, 0)), (11, floats(1, 0.1)), (12, floats(0, 1))):
        scan.upsert(number, vector)
    ranker = Ranker({"importance": 1.0}, diversity=0.5)
    selection = ranker.rank(IDS, {"importance": floats(1, 0.9, 0.5, 0.4)}, vectors=scan)
    assert [each for each, _, _ in selection.chosen] == [10, 12, 13, 11]


def test_the_budget_is_spent_best() -> None:
    """Two that fit together are better than the best one alone."""
    ranker = Ranker({"importance": 1.0})
    evidence = {"importance": floats(0.9, 0.6, 0.5, 0.1)}
    selection = ranker.rank(IDS, evidence, tokens=array("I", [90, 50, 50, 1000]), budget=100)
    assert [each for each, _, _ in selection.chosen] == [11, 12]
    assert (selection.tokens, selection.bound) == (100, 1.0)
    assert sorted(selection.left_out) == [(10, "budget", None), (13, "budget", None)]
    large = ranker.rank(IDS, evidence, tokens=array("I", [90_000, 50_000, 50_000, 1_000]), budget=100_000)
    assert 0.5 <= large.bound <= 1


def test_what_has_no_meaning_is_refused() -> None:
    """Unknown names, columns cut short, and evidence out of its range."""
    ranker = Ranker({"importance": 1.0})
    for weights in ({"mood": 1.0}, {"dense": float("nan")}, {"dense": 101.0}):
        with pytest.raises(InvalidValue):
            Ranker(weights)
    with pytest.raises(InvalidValue):
        Ranker({}, half_life=0)
    with pytest.raises(InvalidValue):
        Ranker({}, diversity=1.1)
    with pytest.raises(InvalidValue):
        ranker.rank(IDS, {"importance": floats(1)})
    with pytest.raises(InvalidValue):
        ranker.rank(IDS, {"importance": floats(1, 2, 3, 4)})
    with pytest.raises(InvalidValue):
        ranker.rank(IDS, {"mood": floats(1, 1, 1, 1)})
    with pytest.raises(InvalidValue):
        ranker.rank(IDS, {}, vectors=floats(1, 2, 3))
    with pytest.raises(InvalidValue):
        ranker.rank(IDS, {}, superseded=[(10, 11), (11, 10)])
    with pytest.raises(OverflowError):
        ranker.rank(IDS, {}, budget=-1)
    assert ranker.rank(array("Q"), {"importance": floats()}, vectors=floats(), tokens=array("I")).chosen == []


def test_many_threads_rank_at_once() -> None:
    """Ranking lets go of the interpreter over vectors, and the same is chosen every time."""
    ids = array("Q", range(300))
    numbers = array("f", (float((place * 7919) % 101 - 50) for place in range(300 * 64)))
    worth = array("f", ((place * 31 % 300) / 300 for place in range(300)))
    ranker = Ranker({"importance": 1.0}, diversity=0.4)

    def work(_: int) -> list[int]:
        return [each for each, _, _ in ranker.rank(ids, {"importance": worth}, vectors=numbers, limit=20).chosen]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(40)))
    assert len(found[0]) == 20
    assert all(each == found[0] for each in found)
