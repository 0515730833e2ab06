"""Hashed n-grams and sparse products, as Python sees them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo import NgramHasher, SparseVector
from alejo._core import InvalidValue

BITS = 6


def full(vector: SparseVector) -> list[float]:
    """With its zeros."""
    numbers = [0.0] * 2**BITS
    for index, value in zip(array("I", vector.indices), array("f", vector.values), strict=True):
        numbers[index] = value
    return numbers


def product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@given(st.text(max_size=40), st.text("abc ", max_size=40))
def test_products_are_those_of_full_vectors(one: str, other: str) -> None:
    """A sparse product, with a vector or a matrix of either type, is the dense one."""
    hasher = NgramHasher(BITS, 2, (2, 3))
    first, second = hasher.features(one), hasher.features(other)
    assert first.dot(second) == pytest.approx(product(full(first), full(second)), abs=1e-5)
    for weights in (array("b", range(-64, 64)), array("f", range(-64, 64))):
        columns = [product(full(first), weights[column::2]) for column in (0, 1)]
        assert first.scores(weights) == pytest.approx(columns, abs=1e-3)


def test_a_text_is_nearest_itself() -> None:
    """A vector has length 1; case and marks do not count, order does; a text without words has an empty one."""
    hasher = NgramHasher()
    glad = hasher.features("I am so GLAD, really!")
    assert glad.dot(hasher.features("i am so glad really")) == pytest.approx(1)
    assert 0.1 < glad.dot(hasher.features("really glad I am so")) < 0.99
    assert abs(glad.dot(hasher.features("the train to Lisbon"))) < 0.1
    assert len(hasher.features("?!")) == 0


def test_the_places_never_change() -> None:
    """Weights that were trained once fit for ever."""
    vector = NgramHasher(20, 2, (2, 3)).features("be my dog")
    assert array("I", vector.indices)[:4].tolist() == [14374, 42481, 63124, 73609]


@pytest.mark.parametrize("wrong", [
    {"bits": 0}, {"bits": 25}, {"words": 9}, {"chars": (3, 2)}, {"chars": (0, 2)}, {"words": 0, "chars": (0, 0)},
])  # fmt: skip
def test_what_cannot_be_hashed_is_refused(wrong: dict[str, Any]) -> None:
    """A wrong parameter is a ValueError when the hasher is made."""
    with pytest.raises(InvalidValue):
        NgramHasher(**wrong)


def test_weights_that_do_not_fit_are_refused() -> None:
    """A matrix with another number of rows, with gaps, or of other numbers is refused, as is a vector of other bits."""
    vector = NgramHasher(BITS).features("dog")
    with pytest.raises(InvalidValue):
        vector.scores(array("f", range(100)))
    with pytest.raises(InvalidValue):
        vector.scores(memoryview(array("f", range(128)))[::2])
    with pytest.raises(TypeError):
        vector.scores(array("d", range(64)))
    with pytest.raises(InvalidValue):
        vector.dot(NgramHasher(7).features("dog"))
