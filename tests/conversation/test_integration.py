"""Multi-information: what is known of distributions comes out, whatever the sources are called."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo.conversation.integration import WINDOW, Integration, entropy, multi_information

COINS = [
    frozenset(name for name, up in zip("abc", bits, strict=True) if up) for bits in itertools.product((0, 1), repeat=3)
]
TURNS = st.lists(st.frozensets(st.sampled_from("abcd")), max_size=80)


def corrected(turns: list[frozenset[str]], plain: float, states: int, each: int) -> float:
    """A plain figure with the correction for `states` of all and `each` of the sources together."""
    return plain + (each - (states - 1)) / (2 * len(turns) * math.log(2))


def test_independent_sources_share_nothing() -> None:
    """Of fair coins, each combination as often as any, the plain figure is 0 and the correction takes the rest."""
    assert multi_information(COINS * 100) == 0.0


def test_copies_share_all_but_one() -> None:
    """Three sources that do the same share two bits, but for the correction: three bits apart, one together."""
    turns = [frozenset("abc"), frozenset()] * 200
    assert multi_information(turns) == pytest.approx(corrected(turns, 2.0, 2, 3))


def test_what_only_all_together_tell_is_seen() -> None:
    """Of two coins and whether they differ, no two share anything, and all three one bit."""
    turns = [turn for turn in COINS if len(turn) % 2 == 0] * 100
    assert multi_information(turns) == pytest.approx(corrected(turns, 1.0, 4, 3))
    for name in "abc":
        assert multi_information([turn - {name} for turn in turns]) == 0.0


def test_the_correction_takes_away_most_of_the_bias() -> None:
    """Of 200 windows of 64 turns of biased coins, the mean is nearer to the truth, 0, than without the correction."""
    chance = random.Random(7)
    plain, better = [], []
    for _ in range(200):
        turns = [frozenset(name for name in "abcd" if chance.random() < 0.4) for _ in range(64)]
        each = sum(entropy(name in turn for turn in turns) for name in "abcd")
        better.append(each - entropy(turns))
        states = len(set(turns))
        plain.append(better[-1] - (4 - (states - 1)) / (2 * 64 * math.log(2)))
    assert abs(sum(better) / 200) < 0.3 * abs(sum(plain) / 200)


def test_a_known_entropy() -> None:
    """One in four has 0.811 bits, and the correction of two states."""
    plain = 0.25 * 2 + 0.75 * math.log2(4 / 3)
    assert entropy([1, 0, 0, 0]) == pytest.approx(plain + 1 / (8 * math.log(2)))
    assert entropy([]) == 0.0


@given(TURNS, st.permutations("abcd"))
def test_names_do_not_matter(turns: list[frozenset[str]], names: list[str]) -> None:
    """The figure is a number from 0 that stays when sources change names."""
    other = dict(zip("abcd", names, strict=True))
    figure = multi_information(turns)
    assert figure >= 0
    assert multi_information([frozenset(other[each] for each in turn) for turn in turns]) == pytest.approx(figure)


def test_only_the_last_turns_count() -> None:
    """Nothing is told of few turns, and what lies behind the window is forgotten."""
    integration = Integration()
    for _ in range(31):
        integration.seen("ab")
    assert integration.bits() == 0.0
    for number in range(WINDOW):
        integration.seen("ab" if number % 2 else "")
    assert integration.bits() == pytest.approx(1.0, abs=0.01)
    for turn in COINS * (WINDOW // 8):
        integration.seen(turn)
    assert integration.bits() == 0.0
