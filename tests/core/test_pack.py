"""Packing: the most worth within a budget; against the exact optimum in tests/proofs/test_packing.py."""

from __future__ import annotations

from typing import Any

import pytest

from alejo._core import InvalidValue, pack


def test_what_fits_is_chosen_whole() -> None:
    """Where there is room for everything, everything is chosen, and nothing of nothing."""
    assert pack([5, 6], [0.0, 1.0], 11) == ([0, 1], 1.0)
    assert pack([], [], 0) == ([], 1.0)


def test_a_group_pays_its_opening_once() -> None:
    """Two items of one group are cheaper than two of two; a group too dear to open is left."""
    assert pack([5, 5, 6], [1.0, 1.0, 1.1], 13, [0, 0, 1], [3, 3])[0] == [0, 1]
    assert pack([1, 1], [9.0, 1.0], 5, [0, 1], [9, 0])[0] == [1]


@pytest.mark.parametrize(
    "given",
    [([1], [1.0, 2.0], 5), ([1], [-1.0], 5), ([1], [float("nan")], 5), ([1], [1.0], 5, [1]), ([1], [1.0], 5, [0, 0])],
)
def test_what_makes_no_sense_is_refused(given: tuple[Any, ...]) -> None:
    """Columns of different lengths, worths that are none, and groups without an opening are refused."""
    with pytest.raises(InvalidValue):
        pack(*given)
