"""What is expected: probabilities that add up, follow what was seen, and forget what was forgotten."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo.memory.expecting import GUESSES, expect, learned, named, slots
from alejo.storage.tables import Expectations

MONDAY = slots(datetime(2026, 11, 23, 7, 30, tzinfo=UTC))
SUNDAY = slots(datetime(2026, 11, 22, 20, 0, tzinfo=UTC))
KNOWN = frozenset("abcdefghijklmnopqrst")
IDS = st.sampled_from(sorted(KNOWN))
LISTS = st.lists(IDS, max_size=5, unique=True)


def model(*turns: tuple[str, str, tuple[str, str]]) -> Expectations:
    """What is learned of turns: which memory came after which one, and when."""
    found = Expectations()
    for before, came, when in turns:
        found = learned(found, before, came, when)
    return found


@given(st.lists(st.tuples(IDS, IDS), max_size=30), LISTS, LISTS, LISTS, st.frozensets(IDS, min_size=1))
def test_probabilities_add_up(
    turns: list[tuple[str, str]], recent: list[str], said: list[str], near: list[str], known: frozenset[str]
) -> None:
    """Of all memories there are, and no others, each has a probability above 0, and together they have 1."""
    guess = expect(model(*((*turn, MONDAY) for turn in turns)), recent, said, near, MONDAY, known)
    assert guess.likely.keys() <= known
    assert len(guess.likely) <= GUESSES
    others = len(known) - len(guess.likely)
    assert sum(guess.likely.values()) + (others * guess.other if others else 0) == pytest.approx(1.0)
    assert guess.other > 0
    assert all(0 <= guess.surprise(each) <= 1 for each in known)


def test_what_followed_before_is_expected() -> None:
    """A memory that came after another one is likely after that, and surprises less the more often it came."""
    once = expect(model(("a", "b", MONDAY)), ["a"], [], [], SUNDAY, KNOWN)
    assert max(once.likely, key=once.likely.__getitem__) == "b"
    often = expect(model(*[("a", "b", MONDAY), ("a", "c", MONDAY), ("a", "b", MONDAY)]), ["a"], [], [], SUNDAY, KNOWN)
    assert often.surprise("b") < often.surprise("c") < often.surprise("d") == 1.0


def test_the_time_tells() -> None:
    """What is needed on Monday mornings is expected then, and not on Sunday evenings."""
    mornings = model(*[("", "a", MONDAY)] * 3, *[("", "b", SUNDAY)] * 3)
    assert [*expect(mornings, [], [], [], MONDAY, KNOWN).likely] == ["a"]
    assert [*expect(mornings, [], [], [], SUNDAY, KNOWN).likely] == ["b"]


def test_nothing_is_expected_of_a_stranger() -> None:
    """Without anything to go by each memory is as likely as any, and surprises wholly."""
    guess = expect(Expectations(), [], [], [], MONDAY, KNOWN)
    assert (guess.likely, guess.other) == ({}, pytest.approx(1 / len(KNOWN)))
    assert guess.surprise("a") == 1.0
    assert expect(Expectations(), [], [], [], MONDAY, frozenset("a")).surprise("a") == 0.0


@given(st.lists(st.tuples(st.text("abcdef", min_size=1), IDS), max_size=300))
def test_a_model_stays_small(turns: list[tuple[str, str]]) -> None:
    """However much is learned, a bounded number of counts is kept."""
    found = model(*((*turn, MONDAY) for turn in turns))
    assert len(found.after) <= 96
    assert all(len(counts) <= 6 for table in (found.after, found.at) for counts in table.values())


@given(st.lists(st.tuples(IDS, IDS), max_size=20), st.frozensets(IDS))
def test_what_is_gone_is_in_no_count(turns: list[tuple[str, str]], gone: frozenset[str]) -> None:
    """A model without some memories names none of them, and all others that it named beside something."""
    left = model(*((*turn, MONDAY) for turn in turns)).without(gone)
    assert not named(left) & gone
    assert all(counts for table in (left.after, left.at) for counts in table.values())
