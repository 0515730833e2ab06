"""What a user will need next, as far as it can be told: which memory the next turn recalls first.

A model of each user mixes what was recalled after what, what is recalled at this hour and on this weekday, what the
session has recalled before, and what is near to that in meaning. A part of every guess stays for any memory at all, so
that each has a probability above 0. It knows memories by their ids alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from alejo.storage.tables import Expectations

GUESSES = 8  # memories that are expected at a time
_AFTER, _NEAR, _TIME, _AGAIN, _SAID = 0.2, 0.15, 0.1, 0.15, 0.3  # shares of a guess; the rest is for all memories alike
_FADE = 0.6  # of what was recalled, with every turn of the session since
_AGED = 0.95  # of what was counted, with every count beside it
_KEPT = 6  # counts beside each other
_SOURCES = 96  # memories of which is known what came next
_LEAST = 0.05  # what is counted less is dropped
_HOURS = 24


class Guess(NamedTuple):
    """What is expected: the probability of each of the likeliest memories, and that of any other one."""

    likely: Mapping[str, float]
    other: float

    def surprise(self, memory_id: str) -> float:
        """How surprising it is that this one came, 0 to 1: -log p, as a part of what it is for something unexpected."""
        chance = self.likely.get(memory_id, self.other)
        return min(1.0, max(0.0, math.log(chance) / math.log(self.other))) if self.other < 1.0 else 0.0


def slots(moment: datetime) -> tuple[str, str]:
    """The hour and the weekday of a moment, as they are counted by."""
    return f"h{moment.hour}", f"d{moment.weekday()}"


def expect(
    model: Expectations,
    recent: Sequence[str],
    said: Sequence[str],
    near: Sequence[str],
    when: Iterable[str],
    known: Collection[str],
) -> Guess:
    """What is expected after what a session recalled and what was said in it, the last first, in the slots of a time.

    `near` is near in meaning to the last; `known` are the ids of all memories there are.
    """
    scores: dict[str, float] = {}
    rest = 1.0 - _AFTER - _NEAR - _TIME - _AGAIN - _SAID
    rest += _spread(scores, model.after.get(recent[0], {}) if recent else {}, _AFTER, known)
    rest += _spread(scores, {each: 1.0 / (place + 1) for place, each in enumerate(near)}, _NEAR, known)
    for slot in (times := tuple(when)):
        rest += _spread(scores, model.at.get(slot, {}), _TIME / len(times), known)
    rest += _spread(scores, {each: _FADE**place for place, each in reversed([*enumerate(recent)])}, _AGAIN, known)
    rest += _spread(scores, {each: _FADE**place for place, each in enumerate(said)}, _SAID, known)
    each = rest / max(len(known), 1)
    likeliest = sorted(scores, key=scores.__getitem__, reverse=True)[:GUESSES]
    likely = {one: scores[one] + each for one in likeliest}
    others = len(known) - len(likely)
    return Guess(likely, max(each, (1 - sum(likely.values())) / others) if others else each)


def _spread(scores: dict[str, float], counts: Mapping[str, float], share: float, known: Collection[str]) -> float:
    """Adds a share by counts of memories that there are; returns what nothing was found for."""
    counted = {each: count for each, count in counts.items() if each in known}
    total = sum(counted.values())
    if not total:
        return share
    for each, count in counted.items():
        scores[each] = scores.get(each, 0.0) + share * count / total
    return 0.0


def learned(model: Expectations, before: str, came: str, when: Iterable[str]) -> Expectations:
    """The model with one more turn: which memory came, after which one ("" for none), in which slots."""
    after = dict(model.after)
    if before:
        after[before] = _counted(after.pop(before, {}), came)  # at the end: the newest
        while len(after) > _SOURCES:
            del after[next(iter(after))]
    return Expectations(after, model.at | {slot: _counted(model.at.get(slot, {}), came) for slot in when})


def _counted(counts: Mapping[str, float], came: str) -> dict[str, float]:
    aged = {each: count * _AGED for each, count in counts.items()}
    aged[came] = aged.get(came, 0.0) + 1.0
    best = sorted(aged, key=aged.__getitem__, reverse=True)[:_KEPT]
    return {each: aged[each] for each in best if aged[each] >= _LEAST}


def named(model: Expectations) -> set[str]:
    """The ids of all memories that a model knows."""
    return {*model.after, *(each for table in (model.after, model.at) for counts in table.values() for each in counts)}
