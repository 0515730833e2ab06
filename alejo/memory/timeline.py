"""What follows from what was stated: which fact ends where another begins, and how that is undone.

Pure, over some facts in memory. What of them is believed decides all ends: a fact ends as it was stated, or where one
that contradicts it begins, unless that one is over before it is. So taking a fact out of what is believed, or back in,
restores what was before. Only what a fact has ended that was forgotten since stays ended, until it is restored.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from alejo.types import Belief, Cardinality, Fact, Standing

PAST = 32  # beliefs kept of a fact; of more the oldest are dropped
_BEGINNING, _NEVER = float("-inf"), float("inf")


class Stated(NamedTuple):
    """A fact, the id of its memory, and the id of what superseded it."""

    id: str
    fact: Fact
    superseded_by: str = ""

    @property
    def held(self) -> bool:
        """Whether it is believed."""
        return self.fact.standing is Standing.HELD

    @property
    def begin(self) -> float:
        """When it begins to be true; minus infinity without a beginning."""
        return _BEGINNING if self.fact.valid_from is None else self.fact.valid_from

    @property
    def end(self) -> float:
        """When it is no longer true; infinity without an end."""
        return _NEVER if self.fact.valid_to is None else self.fact.valid_to

    def overlaps(self, other: Stated) -> bool:
        """Whether both are true at some time."""
        return self.begin < other.end and other.begin < self.end


class Timeline:
    """Facts that may have to do with each other. `root` gives all names of one thing as one.

    Among them must be every fact with the subject and relation of one that is added, corrected or restored, and those
    that superseded any of them and are not forgotten.
    """

    def __init__(self, facts: Iterable[Stated], root: Callable[[str], str]) -> None:
        self._facts = {each.id: each for each in facts}
        self._before = dict(self._facts)
        self._root = functools.cache(root)

    def changes(self, now: int) -> list[Stated]:
        """What is new or no longer as it was, with what was believed of it until `now`, in µs."""
        changed = []
        for each in self._facts.values():
            old = self._before.get(each.id)
            if old is None:
                changed.append(each)
            elif old != each:
                belief = Belief(now, old.fact.standing, old.fact.valid_to, old.superseded_by)
                past = (*old.fact.past, belief)[-PAST:]
                changed.append(each._replace(fact=msgspec.structs.replace(each.fact, past=past)))
        return changed

    def add(self, new: Stated) -> str:
        """Adds a fact, closing what it contradicts; returns its id, or that of the one that says as much already.

        What says the same of another time, some of which is the same, takes the place of the one before.
        """
        for old in sorted(self._facts.values(), key=lambda each: each.begin):
            if old.held and self._agree(old.fact, new.fact) and old.overlaps(new):
                wider = _joined(old, new)
                if wider is None:
                    return old.id
                new = wider
                self._set(old, Standing.REPLACED, new.id)
                break
        if new.fact.cardinality is Cardinality.FIXED:
            for old in list(self._facts.values()):
                if old.held and self._contradict(old.fact, new.fact):
                    self._set(old, Standing.REPLACED, new.id)
        self._facts[new.id] = new
        self._fit()
        return new.id

    def correct(self, fact_id: str, new: Stated) -> str:
        """Puts a fact in the place of one that was never true; returns its id, or that of one that says as much."""
        old = self._facts[fact_id]
        self._set(old, Standing.REPLACED, new.id)
        self._fit()  # what it had ended may say as much as the new one
        made = self.add(new)
        self._set(old, Standing.REPLACED, made)
        return made

    def contradicted(self, fact: Fact) -> str:
        """The believed fact that one contradicts when it begins, by its id; empty if there is none."""
        begin = Stated("", fact).begin
        for each in sorted(self._facts.values(), key=lambda each: (each.begin, each.id), reverse=True):
            if each.held and each.begin <= begin < each.end and self._contradict(each.fact, fact):
                return each.id
        return ""

    def restore(self, fact_id: str) -> None:
        """Takes back what superseded a fact: all is as it was before that, but for what was stated since."""
        old = self._facts[fact_id]
        heir = self._heir(old)
        if heir is not None and old.fact.standing is not Standing.WITHDRAWN:
            self._set(heir, Standing.WITHDRAWN if old.held else Standing.REPLACED, fact_id)
        self._set(old, Standing.HELD)
        self._fit()

    def _heir(self, old: Stated) -> Stated | None:
        """The believed fact that has the place of one: what superseded it, or in turn replaced that."""
        seen = {old.id}
        heir = self._facts.get(old.superseded_by)
        while heir is not None and not heir.held and heir.id not in seen:
            seen.add(heir.id)
            heir = self._facts.get(heir.superseded_by)
        return heir if heir is not None and heir.held and heir.id not in seen else None

    def _set(self, old: Stated, standing: Standing, superseded_by: str = "") -> None:
        fact = msgspec.structs.replace(old.fact, standing=standing, valid_to=old.fact.stated_to)
        self._facts[old.id] = Stated(old.id, fact, superseded_by)

    def _fit(self) -> None:
        """Ends every believed fact where it has to."""
        rivals = self._rivals()
        for each in [one for one in self._facts.values() if one.held]:
            fact, heir = each.fact, ""
            end = _NEVER if fact.stated_to is None else fact.stated_to
            if each.superseded_by and each.superseded_by not in self._facts:
                end, heir = each.end, each.superseded_by  # what was forgotten has ended it
            for other in (one for place in self._places(fact) for one in rivals[place]):
                ends = (other.begin, other.id) < (end, heir)
                if (
                    ends
                    and _later(other, each)
                    and not _within(other.fact, fact)
                    and self._contradict(fact, other.fact)
                ):
                    end, heir = other.begin, other.id
            valid_to = None if end == _NEVER else int(end)
            if (valid_to, heir) != (fact.valid_to, each.superseded_by):
                self._facts[each.id] = Stated(each.id, msgspec.structs.replace(fact, valid_to=valid_to), heir)

    def _rivals(self) -> Mapping[tuple[str, ...], list[Stated]]:
        """The believed facts by where they may contradict each other, so that not all are compared with all."""
        rivals: defaultdict[tuple[str, ...], list[Stated]] = defaultdict(list)
        for each in self._facts.values():
            if each.held:
                for place in self._places(each.fact):
                    rivals[place].append(each)
        return rivals

    def _places(self, fact: Fact) -> list[tuple[str, ...]]:
        """Beside others of this object, and where there is but one, beside those of other objects."""
        line = (fact.relation, self._root(fact.subject))
        alike = (*line, self._root(fact.object))
        return [alike] if fact.cardinality is Cardinality.MANY else [alike, line]

    def _agree(self, one: Fact, other: Fact) -> bool:
        return one.negated == other.negated and self._places(one)[0] == self._places(other)[0]

    def _contradict(self, one: Fact, other: Fact) -> bool:
        return contradict(one, other, self._root)


def contradict(one: Fact, other: Fact, root: Callable[[str], str]) -> bool:
    """Whether two facts cannot be true at one time: so and not so, or two objects where there is but one."""
    if one.relation != other.relation or root(one.subject) != root(other.subject):
        return False
    if root(one.object) == root(other.object):
        return one.negated != other.negated
    return not (one.negated or other.negated or Cardinality.MANY in (one.cardinality, other.cardinality))


def _joined(old: Stated, new: Stated) -> Stated | None:
    """The new fact with the beginning of both; None if the old one says as much."""
    begin = old.fact.valid_from if old.begin <= new.begin else new.fact.valid_from
    end = old.fact.stated_to if new.fact.stated_to is None else new.fact.stated_to
    if (begin, end) == (old.fact.valid_from, old.fact.stated_to):
        return None
    return new._replace(fact=msgspec.structs.replace(new.fact, valid_from=begin, valid_to=end, stated_to=end))


def _later(one: Stated, other: Stated) -> bool:
    """Whether one begins after another, or is newer where both begin at one time. Without a beginning nothing does."""
    return one.fact.valid_from is not None and (one.begin, one.id) > (other.begin, other.id)


def _within(one: Fact, other: Fact) -> bool:
    """Whether one was over before another was to end: an exception, which does not end the other."""
    return one.stated_to is not None and (other.stated_to is None or one.stated_to < other.stated_to)
