"""Several models as one, as Python sees them."""

from __future__ import annotations

from array import array
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo import blend
from alejo._core import InvalidValue

NUMBERS = st.lists(st.floats(-20, 20), min_size=3, max_size=3)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=3), NUMBERS)
def test_it_is_the_logistic_function_of_the_sum(
    models: list[tuple[list[float], list[float]]], offsets: list[float]
) -> None:
    """Of what each model says times its slope; scores of further classes are passed over."""
    slopes = array("d", [slope for _, row in models for slope in row])
    blended = blend([[*scores, 1e9] for scores, _ in models], slopes, array("d", offsets))
    for column, offset in enumerate(offsets):
        logit = offset + sum(scores[column] * row[column] for scores, row in models)
        assert blended[column] == pytest.approx(1 / (1 + exp(max(-700.0, min(700.0, -logit)))), abs=1e-9)


def test_what_does_not_fit_is_refused() -> None:
    """A slope or a score that is missing is a ValueError; numbers of another type are no buffer of float64."""
    for scores, slopes in (([[1.0]], [1.0, 1.0]), ([[1.0, 1.0]], [1.0])):
        with pytest.raises(InvalidValue):
            blend(scores, array("d", slopes), array("d", [0.0, 0.0]))
    with pytest.raises((TypeError, BufferError)):
        blend([[1.0]], array("f", [1.0]), array("d", [0.0]))
