"""The part of `alejo bench commands-fit` that learns which words of a message are arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from alejo_brain.grammar import Tokens
from alejo_brain.spans import BITS, LONGEST, MARKS, SLOTS, best, features, transitions
from numpy.typing import NDArray

_EPOCHS = 8


class Example(NamedTuple):
    """A text, its command and arguments."""

    text: str
    command: str
    arguments: dict[str, Any]


class _Row(NamedTuple):
    places: list[NDArray[np.int64]]
    steps: list[int]
    marks: list[int]


def fit(examples: Sequence[Example]) -> bytes:
    """The table that ships."""
    return _table([row for each in examples if each.command in SLOTS and (row := _row(each))])


def _row(each: Example) -> _Row | None:
    """The marks of a text's words; None where an argument does not stand in it."""
    tokens = Tokens(each.text, 0, len(each.text))
    marks = [0] * len(tokens.words[:LONGEST])
    for mark, slot in enumerate(SLOTS[each.command], 1):
        value = str(each.arguments.get(slot, ""))
        begin = each.text.find(value) if value else -1
        if value and begin < 0:
            return None
        for at, (first, last) in enumerate(tokens.spans[:LONGEST]):
            if value and begin <= first and last <= begin + len(value):
                marks[at] = mark
    words = tokens.words[:LONGEST]
    places = [np.fromiter(here, np.int64) for here in features(each.command, words)]
    return _Row(places, transitions(each.command), marks) if words else None


def _table(rows: Sequence[_Row]) -> bytes:
    """The mean of a perceptron's weights over all its steps, a byte each."""
    weights = np.zeros((1 << BITS, len(MARKS)))
    sums = np.zeros_like(weights)
    chance = np.random.default_rng(1)
    step = 1
    for _ in range(_EPOCHS):
        for at in chance.permutation(len(rows)):
            row = rows[at]
            scores = [weights[here].sum(0).tolist() for here in row.places]
            guessed = best(scores, weights[row.steps].tolist())
            if guessed != row.marks:
                for sign, marks in ((1.0, row.marks), (-1.0, guessed)):
                    for before, mark, here in zip([0, *marks], marks, row.places, strict=False):
                        weights[here, mark] += sign
                        sums[here, mark] += sign * step
                        weights[row.steps[before], mark] += sign
                        sums[row.steps[before], mark] += sign * step
            step += 1
    mean = weights - sums / step
    small: NDArray[np.int8] = np.rint(mean * (127 / np.abs(mean).max())).astype(np.int8)
    return small.tobytes()
