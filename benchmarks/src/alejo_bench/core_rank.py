"""From 200 candidates of 384 dimensions to 20, in CPU time, rounds interleaved.

rank_us  one call: dense (by the query), lexical, importance and recency (by age) fused, maximal marginal relevance,
         the tokens of what is taken packed into a budget, each choice with its shares

The vectors lie around 40 topics. Case `f32` has them as floats, `int8` a byte a number. The peers do the same steps,
the usual way; that they take the same ones in the same order, before packing, is checked first. They pack greedily,
ours exactly. numpy has no better way for bytes.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import operator
import random
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import click

from alejo import __version__
from alejo._core import Ranker

from .report import Row, row

COUNT, DIMENSIONS, TAKEN, BUDGET = 200, 384, 20, 600
WEIGHTS = {"dense": 0.5, "lexical": 0.3, "importance": 0.1, "recency": 0.1}
DIVERSITY, HALF_LIFE = 0.3, 30.0

Vector = Sequence[float]
Work = Callable[[], list[int]]


class Given:
    """The candidates, as lists."""

    def __init__(self) -> None:
        chance = random.Random(3)
        topics = [[chance.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(40)]
        around = [[number + chance.gauss(0, 0.8) for number in chance.choice(topics)] for _ in range(COUNT)]
        self.vectors = [_unit(vector) for vector in around]
        self.query = _unit([number + chance.gauss(0, 1) for number in topics[0]])
        self.lexical = [max(0.0, chance.gauss(2, 4)) for _ in range(COUNT)]
        self.importance = [chance.random() for _ in range(COUNT)]
        self.ages = [chance.expovariate(1 / 40) for _ in range(COUNT)]
        self.tokens = [chance.randrange(10, 80) for _ in range(COUNT)]


def _unit(vector: Vector) -> list[float]:
    length = math.sqrt(sum(number * number for number in vector))
    return [number / length for number in vector]


def _ours(given: Given, budget: int | None, *, as_bytes: bool) -> Work:
    ranker = Ranker(WEIGHTS, diversity=DIVERSITY, half_life=HALF_LIFE)
    flat = [number for vector in given.vectors for number in vector]
    most = max(map(abs, flat))
    vectors = array("b", (round(number / most * 127) for number in flat)) if as_bytes else array("f", flat)
    ids, query, ages = array("Q", range(COUNT)), array("f", given.query), array("f", given.ages)
    evidence = {"lexical": array("f", given.lexical), "importance": array("f", given.importance)}
    tokens = array("I", given.tokens)

    def work() -> list[int]:
        chosen = ranker.rank(
            ids, evidence, limit=TAKEN, budget=budget, ages=ages, vectors=vectors, query=query, tokens=tokens
        ).chosen
        return [each for each, _, _ in chosen]

    return work


def _packed(taken: list[int], relevance: Vector, tokens: Sequence[int], budget: int | None) -> list[int]:
    """Those of the most relevance for their tokens, as long as they fit, in the order taken."""
    if budget is None:
        return taken
    left, chosen = budget, set()
    for each in sorted(taken, key=lambda each: -relevance[each] / tokens[each]):
        if tokens[each] <= left:
            left -= tokens[each]
            chosen.add(each)
    return [each for each in taken if each in chosen]


def _numpy(given: Given, budget: int | None) -> Work:
    np = importlib.import_module("numpy")
    vectors, query = np.array(given.vectors, "f4"), np.array(given.query, "f4")
    lexical, importance, ages = (np.array(each, "f4") for each in (given.lexical, given.importance, given.ages))

    def work() -> list[int]:
        shares = (
            WEIGHTS["dense"] * (vectors @ query),
            WEIGHTS["lexical"] / lexical.max() * lexical,
            WEIGHTS["importance"] * importance,
            WEIGHTS["recency"] * np.exp2(-ages / HALF_LIFE),
        )
        relevance = shares[0] + shares[1] + shares[2] + shares[3]
        worth = (1 - DIVERSITY) * (relevance / relevance.max())
        nearest = np.zeros(COUNT, "f4")
        taken = []
        for _ in range(TAKEN):
            each = int(np.argmax(worth - DIVERSITY * nearest))
            taken.append(each)
            worth[each] = -np.inf
            np.maximum(nearest, vectors @ vectors[each], out=nearest)
        chosen = _packed(taken, relevance, given.tokens, budget)
        [[float(share[each]) for share in shares] for each in chosen]
        return chosen

    return work


def _python(given: Given, budget: int | None) -> Work:
    def dot(one: Vector, other: Vector) -> float:
        return math.fsum(map(operator.mul, one, other))

    def work() -> list[int]:
        most = max(given.lexical)
        shares = [
            (
                WEIGHTS["dense"] * dot(given.vectors[each], given.query),
                WEIGHTS["lexical"] / most * given.lexical[each],
                WEIGHTS["importance"] * given.importance[each],
                WEIGHTS["recency"] * 0.5 ** (given.ages[each] / HALF_LIFE),
            )
            for each in range(COUNT)
        ]
        relevance = [sum(each) for each in shares]
        best = max(relevance)
        nearest = dict.fromkeys(range(COUNT), 0.0)
        taken = []
        for _ in range(TAKEN):
            each = max(nearest, key=lambda at: (1 - DIVERSITY) * relevance[at] / best - DIVERSITY * nearest[at])
            taken.append(each)
            del nearest[each]
            for at, near in nearest.items():
                nearest[at] = max(near, dot(given.vectors[at], given.vectors[each]))
        return _packed(taken, relevance, given.tokens, budget)

    return work


def _works(options: Any, budget: int | None) -> list[tuple[str, str, str, Work, int]]:
    given = Given()
    works = [
        ("f32", "alejo", __version__, _ours(given, budget, as_bytes=False), 200),
        ("int8", "alejo", __version__, _ours(given, budget, as_bytes=True), 200),
        ("f32", "python", "", _python(given, budget), 1),
    ]
    if options.peers:
        works.append(("f32", "numpy", importlib.metadata.version("numpy"), _numpy(given, budget), 50))
    return works


def run(options: Any) -> list[Row]:
    """Every figure."""
    taken = {(case, system): work() for case, system, _, work, _ in _works(options, None)}
    for (case, system), found in taken.items():
        if case == "f32" and found != taken["f32", "python"]:
            raise click.ClickException(f"{system} takes others than plain Python does.")
    same = len(set(taken["int8", "alejo"]) & set(taken["f32", "python"]))
    click.echo(f"core rank: of {TAKEN} taken, {same} are the same a byte a number", err=True)
    costs: dict[tuple[str, str, str], list[float]] = {}
    works = _works(options, BUDGET)
    for number in range((5 if options.quick else 15) + 1):
        for case, system, version, work, times in works:
            start = time.process_time()
            for _ in range(times):
                work()
            if number:  # the first round warms up
                costs.setdefault((case, system, version), []).append((time.process_time() - start) / times * 1e6)
    return [
        row("core", case, system, version, "rank_us", "µs", found) for (case, system, version), found in costs.items()
    ]
