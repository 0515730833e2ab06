"""The ranking learner finds out how evidence shall weigh from what was liked."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
from alejo_memory import Ranking
from hypothesis import given
from hypothesis import strategies as st

from alejo.testing import lesson
from alejo.types import Judged

NAMES = ("lexical", "dense", "time")


def liking(questions: int, taste: tuple[float, ...], seed: int = 1) -> tuple[Judged, ...]:
    """What somebody with this taste likes among five memories: the one that it makes the best."""
    dice = random.Random(seed)
    found = []
    for _ in range(questions):
        rows = tuple((dice.random(), dice.random(), 0.0) for _ in range(5))
        scores = [sum(a * b for a, b in zip(taste, row, strict=True)) for row in rows]
        found.append(Judged(rows, tuple(float(score == max(scores)) for score in scores)))
    return tuple(found)


async def test_it_weighs_what_is_liked() -> None:
    """What the user goes by weighs more than before, what they do not less; what was not measured is left alone."""
    weights = {"lexical": 5.0, "dense": 1.0, "time": 0.0}
    given_ = lesson(judged=liking(100, (0.0, 1.0, 0.0)), evidence=NAMES, weights=weights)
    learned = await Ranking().learn(given_)
    assert learned.weights["dense"] > 1 > learned.weights["lexical"] / 5
    assert "time" not in learned.weights
    assert learned.metrics[0].after < learned.metrics[0].before


async def test_few_questions_teach_nothing() -> None:
    """Below twenty questions nothing is proposed, and what it knew stays."""
    learned = await Ranking().learn(lesson(state=b"known", judged=liking(19, (0.0, 1.0, 0.0)), evidence=NAMES))
    assert (learned.weights, learned.state) == ({}, b"known")


async def test_it_goes_on_from_the_last_lesson() -> None:
    """Lessons of the same each begin where the last one ended, and come to rest; a state of another sort is left."""
    given_ = lesson(judged=liking(60, (1.0, 3.0, 0.0)), evidence=NAMES, weights={"lexical": 5.0, "dense": 1.0})
    first = await Ranking().learn(given_)
    learned = [first]
    for _ in range(6):
        learned.append(await Ranking().learn(msgspec.structs.replace(given_, state=learned[-1].state)))
    moved = [abs(two.weights["dense"] - one.weights["dense"]) for one, two in pairwise(learned)]
    assert moved[-1] < moved[0] / 2
    other = await Ranking().learn(msgspec.structs.replace(given_, state=b"\xff"))
    assert other.weights == first.weights


@given(
    st.lists(
        st.tuples(st.tuples(*[st.floats(-100, 100)] * 2), st.tuples(*[st.floats(-100, 100)] * 2), st.floats(-1, 1)),
        min_size=20,
        max_size=25,
    )
)
async def test_any_feedback_gives_weights_that_may_be(
    judged: list[tuple[tuple[float, ...], tuple[float, ...], float]],
) -> None:
    """Whatever was measured and liked, the weights are finite and within what recall takes."""
    given_ = lesson(judged=tuple(Judged((one, two), (like, 0.0)) for one, two, like in judged))
    learned = await Ranking().learn(given_)
    assert all(-100 <= weight <= 100 for weight in learned.weights.values())
