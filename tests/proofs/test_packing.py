"""What is chosen for a context is worth as much as the best choice there is, within the bound that is proven."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median

from alejo._core import pack

from .size import size

CELLS = 1 << 20  # of a table, up to which the choice is exact
Case = tuple[list[int], list[float], int, list[int], list[int]]


def case(dice: random.Random, scale: int) -> Case:
    """Items as a recall gives them: tokens of all lengths, worths that fall, days that some of them share."""
    count, days = dice.randint(1, 16), dice.randint(1, 6)
    tokens = [scale * min(400, round(dice.lognormvariate(3.3, 0.8))) + dice.randrange(scale) for _ in range(count)]
    worths = [1 / (place + 4) if dice.random() < 0.5 else dice.random() for place in range(count)]
    groups = [dice.randrange(days) for _ in range(count)]
    openings = [scale * dice.randint(0, 6) for _ in range(days)]
    return tokens, worths, dice.randint(1, sum(tokens) + 10), groups, openings


def optimum(
    tokens: Sequence[int], worths: Sequence[float], budget: int, groups: Sequence[int], openings: Sequence[int]
) -> float:
    """The greatest worth within the budget, by trying all choices but those that another beats in both."""
    best = [(0, 0.0)]
    for group, opening in enumerate(openings):
        inside = [(used + opening, worth) for used, worth in best]
        for place in (place for place, each in enumerate(groups) if each == group):
            inside = _front(
                [*inside, *((used + tokens[place], worth + worths[place]) for used, worth in inside)], budget
            )
        best = _front([*best, *inside], budget)
    return best[-1][1]


def _front(choices: list[tuple[int, float]], budget: int) -> list[tuple[int, float]]:
    front: list[tuple[int, float]] = []
    for used, worth in sorted(choices, key=lambda each: (each[0], -each[1])):
        if used <= budget and (not front or worth > front[-1][1]):
            front.append((used, worth))
    return front


def losses(cases: int, scale: int) -> list[float]:
    """How far each choice is from the best, as a part of it; each within its bounds."""
    dice, found = random.Random(5), []
    for _ in range(cases):
        tokens, worths, budget, groups, openings = case(dice, scale)
        chosen, bound = pack(tokens, worths, budget, groups, openings)
        used = sum(tokens[place] for place in chosen) + sum(openings[day] for day in {groups[each] for each in chosen})
        worth, best = sum(worths[place] for place in chosen), optimum(tokens, worths, budget, groups, openings)
        pieces = len(tokens) + len(openings)
        unit = max(1, -(-pieces * (budget + 1) // CELLS))
        less = max(0, budget - pieces * (unit - 1))
        assert used <= budget or not chosen
        assert worth >= best * bound - 1e-5
        assert worth >= optimum(tokens, worths, less, groups, openings) - 1e-5
        found.append(1 - worth / best if best else 0.0)
    return found


def test_choices_are_the_best_there_are() -> None:
    """At the sizes of contexts nothing is lost against the exact optimum."""
    assert max(losses(size(200, 1000), 1)) < 1e-5


def test_large_choices_keep_their_bound() -> None:
    """Where tokens are counted in units, the choice keeps its proven bound and loses less than 1 % in the median."""
    assert median(losses(size(50, 1000), 2000)) < 0.01
