"""What people tell of themselves, said of them: "I went to a pottery class yesterday" is, of Mel, "Mel went to a …".

A clause about its speaker is turned into one of the third person, word by word: whose "my" is, how the verb then goes,
and the date of "yesterday". Nothing is added, and what cannot be turned so is left. Languages are data, in `clauses`.
"""

from __future__ import annotations

import calendar
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from alejo.types import Mention

from .reading import asks, plain, sentences

_BARE = re.compile(r"^[^\w']+|[^\w']+$")
_PHOTO = re.compile(r"\[photo:[^\]]*\]")
_QUOTED = re.compile(r"[\"“”„«»]")
_LONGEST = 320  # characters of a sentence that is read
_DAYS = frozenset({*calendar.day_name, *calendar.month_name})


class Telling(NamedTuple):
    """A clause of the third person: who, what they do, the rest. `weight` is how many words of it tell something."""

    subject: str
    relation: str
    object: str
    weight: float
    sentence: str

    @property
    def text(self) -> str:
        """The clause as one sentence."""
        return f"{self.subject} {self.relation} {self.object}".rstrip(" .!") + "."


class Tongue:
    """How one language speaks of oneself and of others."""

    def __init__(self, path: Path) -> None:
        data = tomllib.loads(path.read_text("utf-8"))

        def words(name: str) -> frozenset[str]:
            return frozenset(str(data[name]).split())

        self.subjects = words("subjects")
        self.you, self.fillers, self.idle = words("you"), words("fillers") - words("kept_fillers"), words("idle")
        self.leave = words("fillers")
        self.moods = words("moods")
        self.being, self.auxiliaries, self.particles = words("being"), words("auxiliaries"), words("particles")
        self.participle = re.compile(data["participle"])
        self.finite, self.never, self.same = words("finite"), words("never"), words("same")
        self.hypothetical = words("hypothetical")
        self.user: str = data["user"]
        self.expands: dict[str, str] = data["expands"]
        self.forms: dict[str, str] = data["forms"]
        self.openers: dict[str, str] = data["openers"]
        self.others: dict[str, str] = data["others"]
        self.agrees: dict[str, str] = data["agrees"]
        self.they: str = data["they"]
        self.whose: str = data["whose"]
        self.users: str = data["users"]
        self.third = [(re.compile(str(ending)), str(turned)) for ending, turned in data["third"]]
        self.past = frozenset(data["past"]["words"].split())
        self.common = frozenset(data["common"]["words"].split())
        self.regular = re.compile(data["regular_past"])
        self.adverb = re.compile(data["adverb"])
        self.empty = re.compile(data["empty"], re.IGNORECASE)
        self.lead = re.compile(data["lead"], re.IGNORECASE)
        self.cut = re.compile(data["cut"], re.IGNORECASE)
        self.split = re.compile(data["split"], re.IGNORECASE)

    def tell(self, sentence: str, name: str, times: Sequence[Mention], other: str) -> Iterator[Telling | str]:
        """The clauses of a sentence: what it tells of its speaker, and what else it says."""
        quotes = _QUOTED.search(sentence) is not None
        for part in self.split.split(sentence):
            lead = self.lead.match(part)
            clause = part[lead.end() if lead else 0 :].strip()
            told = None if quotes else self._turn(clause, name or self.user, times, sentence, other)
            if told is not None:
                yield told
            elif self.weight(clause) > 1:
                yield _dated(self.cut.sub("", clause), times)

    def _turn(self, clause: str, name: str, times: Sequence[Mention], sentence: str, other: str) -> Telling | None:
        """What a clause says of its speaker; None where it does not speak of them, or tells nothing."""
        if self.empty.search(clause):
            return None
        words = _turned(self.cut.sub("", clause), times).split()
        words[:1] = self._expanded(words[:1])
        first = _fold(words[0]) if len(words) > 2 else ""
        begins = bool(first) and first not in self.subjects
        if not first or (begins and not (words[0][:1].isupper() and self._opens(first, words[1:]))):
            return None
        adverb, rest = self._adverb(words if begins else words[1:])
        rest[:1] = self._expanded(rest[:1])
        turned = self._verb(_fold(rest[0]), opening=begins) if self._tells(rest, other) else ""
        if not turned:
            return None
        relation, rest = [*adverb, turned], self._others(rest[1:], name, other)
        while rest and _fold(rest[0]) in self.fillers:
            rest = rest[1:]
        while len(rest) > 1 and self._joins(relation[-1], rest[0]):
            relation.append(rest.pop(0))
        thing = _dated(" ".join(rest), times).rstrip(" ,;:-.!")
        weight = self.weight(thing)
        if weight < 1:
            return None
        return Telling(name, " ".join(relation).strip(" ,")[:64], thing, weight + self.weight(relation[-1]), sentence)

    def _expanded(self, words: Sequence[str]) -> list[str]:
        return [part for word in words for part in self.expands.get(_fold(word), word).split()]

    def _adverb(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """The adverb before a verb, if it says something, and the words from the verb on."""
        rest = list(words)
        while rest and _fold(rest[0]) in self.fillers:
            rest.pop(0)
        if rest and (_fold(rest[0]) in self.leave or self.adverb.search(_fold(rest[0]))):
            return [rest.pop(0).casefold()], rest
        return [], rest

    def _tells(self, rest: Sequence[str], other: str) -> bool:
        """Whether the words from the verb on may be of something that is so, and all of them can be turned."""
        folded = [_fold(word) for word in rest]
        return (
            len(rest) > 1
            and rest[0][-1] not in ",-:;"
            and folded[0] not in self.idle | self.never
            and self.hypothetical.isdisjoint(folded)
            and (bool(other) or self.you.isdisjoint(folded))
            and not (folded[0] in self.being and folded[1] in self.moods)
        )

    def _joins(self, before: str, word: str) -> bool:
        """Whether a word belongs to the verb that ends before it: "is learning", "has been", "went to"."""
        if before in self.auxiliaries:
            return self.participle.search(word) is not None
        return _fold(word) in self.particles

    def _opens(self, first: str, rest: Sequence[str]) -> bool:
        """Whether a clause begins with what its speaker did, without saying who."""
        known = first in self.openers or (self._past(first) and first not in self.same)
        return known and self.finite.isdisjoint(map(_fold, rest))

    def _past(self, verb: str) -> bool:
        return verb in self.past or verb.removeprefix("re") in self.past or self.regular.search(verb) is not None

    def _verb(self, verb: str, *, opening: bool) -> str:
        if opening:
            return self.openers.get(verb, verb)
        if verb in self.forms:
            return self.forms[verb]
        if self._past(verb):
            return verb
        for ending, turned in self.third if len(verb) > 1 and verb.isalpha() else ():
            if ending.search(verb):
                return ending.sub(turned, verb)
        return ""

    def _others(self, words: Sequence[str], name: str, other: str) -> list[str]:
        """The words as somebody else says them; a name that calls somebody is left out."""
        if other and words and words[-1].strip(".,!") == other:
            words = words[:-1]
        whose = self.users if name == self.user else self.whose.format(name=name)
        found: list[str] = []
        for word in words:
            bare = _BARE.sub("", word)
            folded = bare.casefold()
            turned = self.others.get(folded, self.agrees.get(folded) if found and found[-1] == self.they else None)
            found += (
                word if turned is None else word.replace(bare, turned.format(name=name, other=other, whose=whose))
            ).split()
        return found

    def weight(self, text: str) -> float:
        """How many words of a text tell something; names, numbers and dates tell more."""
        total = 0.0
        for word in set(text.split()):
            bare = _BARE.sub("", word)
            if bare and bare.casefold() not in self.common and len(bare) > 1:
                total += 1.5 if bare[0].isupper() or bare[0].isdigit() else 1.0
        return total


def _turned(clause: str, times: Sequence[Mention]) -> str:
    """A clause with the time it begins with behind what happened then."""
    for time in times:
        if clause.casefold().startswith(time.words.casefold()):
            rest = clause[len(time.words) :].lstrip(" ,")
            words = time.words if time.words.split()[0] in _DAYS else time.words[0].lower() + time.words[1:]
            return f"{rest.rstrip(' .!')} {words}" if rest else clause
    return clause


def _fold(word: str) -> str:
    return _BARE.sub("", word).casefold()


def _dated(text: str, times: Sequence[Mention]) -> str:
    """The text with dates in the place of, or beside, the words that name them."""
    for time in times:
        place = text.casefold().find(time.words.casefold()) if time.date else -1
        if place >= 0:
            end = place + len(time.words)
            text = f"{text[:end]} [{time.date}]{text[end:]}"
    return text


@cache
def tongues() -> dict[str, Tongue]:
    """The languages by their codes."""
    return {path.stem: Tongue(path) for path in sorted((Path(__file__).parent / "clauses").glob("*.toml"))}


def told(text: str, name: str, times: Sequence[Mention], other: str = "") -> list[Telling]:
    """What a text tells of its speaker, "" for the user; see `clauses`."""
    return [clause for clause in clauses(text, name, times, other) if isinstance(clause, Telling)]


def clauses(text: str, name: str, times: Sequence[Mention], other: str = "") -> Iterator[Telling | str]:
    """The clauses of a text that tell something: what is told of its speaker, and the rest as it was said.

    `times` are what it names; `other` is who is spoken to, "" where nobody knows.
    """
    for sentence in sentences(_PHOTO.sub(" ", plain(text))):
        if len(sentence) > _LONGEST or asks(sentence):
            continue
        for tongue in tongues().values():
            yield from tongue.tell(sentence, name, times, other)


def content(text: str) -> frozenset[str]:
    """The words of a text that tell something."""
    return frozenset(
        word for word in re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.casefold()) if len(word) > 1 and word not in _common()
    )


@cache
def _common() -> frozenset[str]:
    return frozenset().union(*(tongue.common for tongue in tongues().values()))
