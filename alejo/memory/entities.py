"""A user's facts in memory: by what they are about, by relation, by time; who is who; and what stands around an entity.

It follows the change log as a part of the user's index. What entities there are, their other names and what they are to
each other follows from the facts, so nothing has to be kept in step with them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import NamedTuple

import msgspec

from alejo.memory.timeline import Stated, contradict
from alejo.types import Entity, Fact

SELF = "user"
VALUE = "value"  # the kind of an object that is no entity: a number, a date
_SELVES = frozenset({"i", "me", "myself", "the user"})
_NAMING = frozenset({"name", "also known as"})
_POSSESSIVE = "'s "
_LONGEST = 4  # words of a name
_DEEPEST = 4  # of whose sister's friend's name is looked for


def normal(name: str) -> str:
    """A name as it is kept: one form of its characters, one space between words, straight apostrophes."""
    return " ".join(unicodedata.normalize("NFKC", name).replace("\u2019", "'").split())


def key(name: str) -> str:
    """What tells one name from another, whatever their case."""
    folded = normal(name).casefold()
    if folded.startswith("my "):
        folded = f"{SELF}'s {folded[3:]}"
    return SELF if folded in _SELVES else folded


def _name(words: Sequence[str]) -> tuple[str, bool]:
    """The key of a name that is written in these words, and whether it says whose what it is."""
    if len(words) > 1 and words[0] == "my":
        return f"{SELF}{_POSSESSIVE}{' '.join(words[1:])}", True
    if len(words) > 2 and words[1] == "s":  # of "Ada's sister", where words are cut
        return f"{words[0]}{_POSSESSIVE}{' '.join(words[2:])}", True
    return " ".join(words), False


class Around(NamedTuple):
    """What stands around an entity: those it is linked to, nearest first, and the facts that link them."""

    entities: list[Entity]
    facts: list[Stated]
    more: bool


class Named(NamedTuple):
    """What words of a text name by another name: the place of the last of them, the other names, and whose it is."""

    place: int
    names: tuple[str, ...]
    role: bool  # "my sister", "Ada's sister"


class _Known(NamedTuple):
    stated: Stated
    recorded_at: int

    def at(self, moment: int | None) -> Stated | None:
        """What was believed of it by then; None if it was not known."""
        stated = self.stated
        if moment is None:
            return stated
        if self.recorded_at > moment:
            return None
        for belief in stated.fact.past:
            if moment < belief.until:
                fact = msgspec.structs.replace(stated.fact, standing=belief.standing, valid_to=belief.valid_to, past=())
                return Stated(stated.id, fact, belief.superseded_by)
        return stated


class FactIndex:
    """The facts of one user."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._subjects: dict[str, set[str]] = {}  # ids of facts, by key
        self._objects: dict[str, set[str]] = {}
        self._relations: dict[str, set[str]] = {}
        self._whose: set[str] = set()  # of those keys, "ada's sister" and the like
        self._classes: dict[str, frozenset[str]] | None = None  # keys of one entity, by each; None until asked for
        self._begin: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._known)

    def put(self, stated: Stated, recorded_at: int) -> None:
        """Makes a fact known, new or changed."""
        self.remove(stated.id)
        self._known[stated.id] = _Known(stated, recorded_at)
        for shelf, name in self._places(stated.fact):
            shelf.setdefault(name, set()).add(stated.id)
            if _POSSESSIVE in name:
                self._whose.add(name)

    def remove(self, memory_id: str) -> None:
        """Makes a fact unknown, there or not."""
        known = self._known.pop(memory_id, None)
        if known is not None:
            for shelf, name in self._places(known.stated.fact):
                shelf[name].discard(memory_id)
                if not shelf[name]:
                    del shelf[name]
                    self._whose -= {name} - self._subjects.keys() - self._objects.keys()

    def _places(self, fact: Fact) -> list[tuple[dict[str, set[str]], str]]:
        if fact.relation in _NAMING:
            self._classes = None
        places = [(self._subjects, key(fact.subject)), (self._relations, fact.relation)]
        return places if fact.object_kind == VALUE else [*places, (self._objects, key(fact.object))]

    def get(self, memory_id: str) -> Stated | None:
        """One fact, or None."""
        known = self._known.get(memory_id)
        return None if known is None else known.stated

    def names(self) -> set[str]:
        """The names of all that facts are about: what is written with a capital, or said to be a name."""
        found: set[str] = set()
        for stated in (known.stated for known in self._known.values()):
            ends = [stated.fact.subject] + [stated.fact.object] * (stated.fact.object_kind != VALUE)
            called = [stated.fact.object] if stated.fact.relation in _NAMING else []
            found.update(part for end in ends for part in normal(end).split(_POSSESSIVE) if part[:1].isupper())
            found.update(map(normal, called))
        return found

    def others(self, words: Sequence[str]) -> list[Named]:
        """The other names, by the facts, of what a text's words name: that of "my sister" may be Ada."""
        if not self._known:
            return []
        folded = [word.casefold() for word in words]
        firsts = self._firsts()
        found = []
        for start, word in enumerate(folded):
            if word in firsts or "s" in folded[start + 1 : start + 2]:
                for size in range(1, min(_LONGEST, len(folded) - start) + 1):
                    name, role = _name(folded[start : start + size])
                    names = self._others(name, role=role)
                    if names:
                        found.append(Named(start + size - 1, names, role))
        return found

    def _firsts(self) -> Set[str]:
        """The words with which a name may begin that has others."""
        if self._classes is None:
            self._classes = self._merged()
            self._begin = frozenset({"my", *(name.partition(" ")[0] for name in self._classes)})
        return self._begin

    def _others(self, name: str, *, role: bool) -> tuple[str, ...]:
        if role and name.rpartition(_POSSESSIVE)[2] not in self._relations:
            return ()
        others = self._named(self._root(name) if role else name) - {name, SELF}
        return tuple(sorted(each for each in others if _POSSESSIVE not in each))

    def root(self, name: str) -> str:
        """One key for all names of a thing: by what it is called, and by whose what it is, if there is just one."""
        return self._root(key(name))

    def line(self, facts: Iterable[Fact]) -> dict[str, Stated]:
        """Every fact with the subject and relation of one of these, and what superseded any of them."""
        found: dict[str, Stated] = {}
        waiting = [each for fact in facts for each in self._of(fact.subject, fact.relation)]
        while waiting:
            stated = waiting.pop()
            if stated.id not in found:
                found[stated.id] = stated
                heir = self.get(stated.superseded_by)
                waiting += [heir] if heir is not None else []
        return found

    def _of(self, subject: str, relation: str) -> list[Stated]:
        """The facts of a subject and relation."""
        ids = self._gather(self._subjects, self._members(key(subject)))
        return [self._known[each].stated for each in ids & self._relations.get(relation, set())]

    def find(
        self,
        *,
        entity: str = "",
        relation: str = "",
        as_of: int | None = None,
        known_at: int | None = None,
        superseded: bool = False,
    ) -> list[Stated]:
        """The facts about an entity and with a relation, where they are given, those that began last first.

        That is what is believed and nothing superseded, or with `superseded` all there is; with `as_of` what was true
        then. With `known_at` all is as it was known then. Times are in µs.
        """
        ids = set(self._known)
        if relation:
            ids &= self._relations.get(relation, set())
        if entity:
            members = self._members(key(entity))
            ids &= self._gather(self._subjects, members) | self._gather(self._objects, members)
        found = []
        for each in ids:
            stated = self._known[each].at(known_at)
            if stated is not None and self._passes(stated, as_of, known_at, superseded):
                found.append(stated)
        return sorted(found, key=lambda each: (each.begin, each.id), reverse=True)

    def _passes(self, stated: Stated, as_of: int | None, known_at: int | None, superseded: bool) -> bool:
        if as_of is None:
            return superseded or (stated.held and not stated.superseded_by)
        return stated.fact.valid(as_of) and not self._eclipsed(stated, as_of, known_at)

    def _eclipsed(self, stated: Stated, as_of: int, known_at: int | None) -> bool:
        """Whether something that contradicts it was true then and had begun later: an exception while it lasts."""
        fact, eclipsed = stated.fact, False
        for each in self._of(fact.subject, fact.relation):
            other = self._known[each.id].at(known_at)
            if other is not None and other.begin > stated.begin and other.fact.valid(as_of):
                eclipsed = eclipsed or contradict(fact, other.fact, self.root)
        return eclipsed

    def around(self, entity: str, depth: int, most: int, as_of: int | None = None) -> Around:
        """What is at most `depth` facts away from an entity, and at most so many facts."""
        root = self.root(entity)
        names = {root: normal(entity)}
        distances = {root: 0}
        facts: dict[str, Stated] = {}
        more = False
        for distance in range(1, depth + 1):
            for each in [one for one, far in distances.items() if far == distance - 1]:
                linked = {name for name in self._whose if self._root(name.rpartition(_POSSESSIVE)[0]) == each}
                for stated in self.find(entity=each, as_of=as_of):
                    more = more or (stated.id not in facts and len(facts) == most)
                    if stated.id in facts or len(facts) < most:
                        facts[stated.id] = stated
                        linked.update(self._linked(stated.fact))
                for name in sorted(linked):
                    other = self.root(name)
                    distances.setdefault(other, distance)
                    names.setdefault(other, normal(name))
        entities = [self._entity(each, names[each], distance) for each, distance in distances.items()]
        return Around(entities, list(facts.values()), more)

    def _linked(self, fact: Fact) -> Iterator[str]:
        """The entities a fact links: its ends, and whose they are ("Ada" of "Ada's sister")."""
        plain = fact.object_kind == VALUE or fact.relation in _NAMING
        for end in (fact.subject, "" if plain else fact.object):
            name = end
            while name:
                yield name
                name = normal(name).rpartition(_POSSESSIVE)[0]

    def _entity(self, root: str, name: str, distance: int) -> Entity:
        members = self._members(root)
        kinds = {each.rpartition(_POSSESSIVE)[2] for each in members if _POSSESSIVE in each}
        spelled: dict[str, str] = {}
        called = ""
        for each in sorted(self._gather(self._subjects, members) | self._gather(self._objects, members)):
            stated = self._known[each].stated
            for end in (stated.fact.subject, stated.fact.object):
                if key(end) in members and key(end) == normal(end).casefold():
                    spelled.setdefault(key(end), normal(end))
            if key(stated.fact.object) in members and stated.fact.object_kind not in ("", VALUE):
                kinds.add(stated.fact.object_kind)
            if stated.held and stated.fact.relation == "name":
                called = normal(stated.fact.object)
        plain = [each for of, each in spelled.items() if _POSSESSIVE not in of]
        called = SELF if SELF in members else (called or next(iter([*plain, *spelled.values(), name])))
        others = sorted({spelled.get(each, each) for each in members} - {called})
        return Entity(called, tuple(others), tuple(sorted(kinds)), distance)

    def _root(self, name: str, deep: int = 0) -> str:
        owner, apostrophe, role = name.rpartition(_POSSESSIVE)
        if apostrophe and owner and deep < _DEEPEST:
            owners = self._named(self._root(owner, deep + 1))
            objects = {
                self._named_root(key(fact.object))
                for each in self._gather(self._subjects, owners) & self._relations.get(role, set())
                if self._current(fact := self._known[each].stated.fact, self._known[each].stated)
            }
            if len(objects) == 1:
                return objects.pop()
        return self._named_root(name)

    @staticmethod
    def _current(fact: Fact, stated: Stated) -> bool:
        return stated.held and not stated.superseded_by and not fact.negated and fact.object_kind != VALUE

    def _members(self, name: str) -> frozenset[str]:
        """Every name of what a name stands for."""
        root = self._root(name)
        whose = {each for each in self._whose if self._root(each) == root}
        return self._named(root) | whose

    def _named_root(self, name: str) -> str:
        named = self._named(name)
        return SELF if SELF in named else min(named)

    def _named(self, name: str) -> frozenset[str]:
        """The names that facts give one thing."""
        self._firsts()
        return (self._classes or {}).get(name) or frozenset({name})

    def _merged(self) -> dict[str, frozenset[str]]:
        classes: dict[str, frozenset[str]] = {}
        for relation in _NAMING:
            for each in self._relations.get(relation, ()):
                stated = self._known[each].stated
                if stated.held and not stated.fact.negated:
                    ends = key(stated.fact.subject), key(stated.fact.object)
                    one = frozenset().union(*(classes.get(end, {end}) for end in ends))
                    classes.update(dict.fromkeys(one, one))
        return classes

    @staticmethod
    def _gather(shelf: dict[str, set[str]], names: Iterable[str]) -> set[str]:
        return set().union(*(shelf.get(name, ()) for name in names))
