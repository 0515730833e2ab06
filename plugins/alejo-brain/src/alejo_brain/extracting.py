"""The words of memories that answer a question: runs of their sentences, weighed by what they are and where they stand.

A candidate is a run of a sentence's words that begins and ends where a part of speech may. Its weight is linear in what
is said of it here; `alejo bench brain-fit` fits the weights (`weights.json`) on the project's own conversations, as a
softmax over all candidates of a question that is drawn towards those with the best token F1.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from operator import mul
from pathlib import Path
from typing import NamedTuple

from alejo.types import Hit

from .asked import Asked, bare, plain
from .tongues import Tongue

_TOKEN = re.compile(r"[^\W_]+(?:['\-.:,/&][^\W_]+)*[%€$£]?|[$€£]\d[\d.,]*")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[\u3002\uff01\uff1f])|\n+|\s*[\[\]]\s*")
_MARK = re.compile(r"[,;:.!?()\u2013\u2014\"\u201c\u201d\u201e«»]|\s-\s")
_QUOTES = '"\u201c\u201e«'
_LOOKED_AT = 6  # memories
_SENTENCES = 7
_LONGEST = 14  # words of an answer
_FAR = 99

# What is said of every candidate …
PLAIN = (
    *("score", "rank", "own", "covered", "asks", "theirs", "place", "beside", "last"),
    *("overlap", "after1", "after3", "after6", "after_far", "followed1", "followed3", "unmatched"),
    *("length", "length2", "single", "begins", "ends", "whole", "small_first", "small_last", "smalls"),
    *("first", "being", "article", "break_before", "break_last", "breaks", "opened", "closed", "quoted", "of"),
    *("empty", "all_empty", "time", "filler"),
)
# … and what counts differently by what is asked for.
CROSSED = (
    *("capital", "digit", "place", "reason", "kin", "unit", "length", "single", "whole", "begins", "reason_in"),
    *("article", "breaks", "smalls", "after1", "being", "verb"),
)
WEIGHTS = Path(__file__).parent / "weights.json"


class Word(NamedTuple):
    """A word of a sentence: as written, in small letters, its stem, where, and whether a mark stands at either side."""

    text: str
    low: str
    stem: str
    start: int
    end: int
    opened: bool
    closed: bool


class Part(NamedTuple):
    """A sentence that may hold an answer, and what is said of it: the first of PLAIN, in their order."""

    hit: Hit
    sentence: str
    words: Sequence[Word]
    features: tuple[float, ...]


class Candidate(NamedTuple):
    """A run of a sentence's words and its features: those of PLAIN, then those of CROSSED."""

    part: Part
    text: str
    features: Sequence[float]


class Found(NamedTuple):
    """What answers: a text, of which sentence of which memory, its weight, and its share among all, 0 to 1."""

    text: str
    sentence: str
    hit: Hit
    weight: float
    share: float


@lru_cache(maxsize=2048)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, captions of pictures among them."""
    parts = (part.strip().removeprefix("photo:").strip() for part in _SENTENCE.split(plain(text)) if part)
    return tuple(part for part in parts if len(part) > 1)


@lru_cache(maxsize=4096)
def split(sentence: str, tongue: Tongue) -> tuple[Word, ...]:
    """The words of a sentence."""
    found = list(_TOKEN.finditer(sentence))
    ends = [*(match.start() for match in found[1:]), len(sentence)] if found else []
    made, before, closed = [], 0, False
    for match, after in zip(found, ends, strict=True):
        opened = closed or (before == 0 and _MARK.search(sentence, 0, match.start()) is not None)
        closed = _MARK.search(sentence, match.end(), after) is not None
        low = bare(match[0])
        made.append(Word(match[0], low, tongue.stem(low), match.start(), match.end(), opened, closed))
        before = match.end()
    return tuple(made)


def parts(asked: Asked, hits: Sequence[Hit], speaker: str | None) -> list[Part]:
    """The sentences that have most of what is asked. `speaker` is who it is asked of, None where nobody is named."""
    best = max((hit.score for hit in hits), default=0.0)
    count = max(1, len(asked.stems))
    ranked: list[tuple[float, int, Part]] = []
    for place, hit in enumerate(hits[:_LOOKED_AT]):
        said = [(part, split(part, asked.tongue)) for part in sentences(hit.memory.text)]
        shared = [asked.stems.intersection(word.stem for word in words) for _, words in said]
        covered = len(frozenset().union(*shared)) / count
        relative = hit.score / best if best > 0 else 0.0
        theirs = speaker is not None and hit.memory.speaker == speaker
        for number, (sentence, words) in enumerate(said):
            own = len(shared[number]) / count
            beside = max((len(each) for each in shared[max(0, number - 1) : number + 2 : 2]), default=0) / count
            asks = sentence.endswith("?")
            about = (relative, 1 / (place + 1), own, covered, float(asks), float(theirs), min(number, 4) / 4, beside)
            features = (*about, float(number + 1 == len(said)))
            worth = relative + own + 0.5 * theirs - asks + 0.4 * beside
            if words:
                ranked.append((-worth, len(ranked), Part(hit, sentence, words, features)))
    return [part for _, _, part in sorted(ranked)[:_SENTENCES]]


def candidates(asked: Asked, part: Part) -> Iterator[Candidate]:
    """What of a sentence may answer."""
    reader = _Reader(asked, part)
    for start in reader.starts():
        for end in reader.ends:
            if start < end <= start + _LONGEST and (not reader.all_small(start, end) or asked.kind == "count"):
                text = part.sentence[part.words[start].start : part.words[end - 1].end]
                yield Candidate(part, text, reader.features(start, end))


class _Reader:
    """A sentence beside a question: what each of its words is."""

    def __init__(self, asked: Asked, part: Part) -> None:
        tongue, words = asked.tongue, part.words
        self._tongue, self._part, self._words, self._count = tongue, part, words, len(words)
        self._matched = [word.stem in asked.stems for word in words]
        self._breaks = [word.low in tongue.breaks for word in words]
        self._small = [word.low in tongue.small for word in words]
        self._empty = [word.low in tongue.empty for word in words]
        self._dull = [small or empty for small, empty in zip(self._small, self._empty, strict=True)]
        self._near = _distances(self._matched)
        self._next = _distances(self._matched[::-1])[::-1]
        closes = [*(a or b for a, b in zip(self._breaks[1:], self._matched[1:], strict=True)), True]
        self.ends = [place + 1 for place in range(self._count) if closes[place] or words[place].closed]

    def starts(self) -> list[int]:
        """Where a candidate may begin."""
        words, tongue = self._words, self._tongue
        return [0] + [
            place
            for place in range(1, self._count)
            if self._breaks[place - 1]
            or self._matched[place - 1]
            or words[place].opened
            or words[place].low in tongue.articles
            or words[place].low in tongue.reasons
            or words[place].text[0].isdigit()
            or (words[place].text[0].isupper() and not words[place - 1].text[0].isupper())
            or (self._small[place - 1] and not self._small[place])
        ]

    def all_small(self, start: int, end: int) -> bool:
        """Whether no word of a run tells anything."""
        return all(self._small[start:end])

    def features(self, start: int, end: int) -> tuple[float, ...]:
        """What is said of a run, in the order of PLAIN and CROSSED."""
        tongue, words, count = self._tongue, self._words, end - start
        first, last = words[start], words[end - 1]
        lows = [word.low for word in words[start:end]]
        before = words[start - 1].low if start else ""
        near, follows = self._near[start], self._next[end - 1]
        length, single, begins, ends = count / 8, count == 1, start == 0, end == self._count
        smalls, breaks = sum(self._small[start:end]) / count, sum(self._breaks[start:end]) / count
        being, article = before in tongue.being, lows[0] in tongue.articles
        return (
            *self._part.features,
            *(sum(self._matched[start:end]) / count, near == 1, near in (2, 3), 4 <= near <= 6, 6 < near < _FAR),
            *(follows == 1, follows in (2, 3), near >= _FAR and follows >= _FAR and not self._matched[start]),
            *(length, length * length, single, begins, ends, begins and ends),
            *(self._small[start], self._small[end - 1], smalls, not tongue.first.isdisjoint(lows), being, article),
            *(start > 0 and self._breaks[start - 1], self._breaks[end - 1], breaks, first.opened, last.closed),
            *(first.start > 0 and self._part.sentence[first.start - 1] in _QUOTES, before == "of"),
            *(sum(self._empty[start:end]) / count, all(self._dull[start:end])),
            *(not tongue.times.isdisjoint(lows), lows[0] in tongue.fillers),
            *(self._capital(start, end), self._number(start, end)),
            *(
                before in tongue.places or lows[0] in tongue.places,
                before in tongue.reasons or lows[0] in tongue.reasons,
            ),
            *(not tongue.kin.isdisjoint(lows), not tongue.units.isdisjoint(lows), length, single, begins and ends),
            *(begins, not tongue.reasons.isdisjoint(lows), article, breaks, smalls, near == 1, being),
            tongue.verb.search(lows[0]) is not None,
        )

    def _capital(self, start: int, end: int) -> bool:
        words = self._words[max(start, 1) : end]
        return any(word.text[0].isupper() and word.low not in self._tongue.first for word in words)

    def _number(self, start: int, end: int) -> bool:
        return any(word.text[0].isdigit() or word.low in self._tongue.numbers for word in self._words[start:end])


def _distances(matched: Sequence[bool]) -> list[int]:
    """For each word how many words before it the nearest match is."""
    found, last = [], _FAR
    for each in matched:
        found.append(last)
        last = 1 if each else min(_FAR, last + 1)
    return found


@cache
def weights() -> dict[str, tuple[float, ...]]:
    """The weights of the features by what is asked for."""
    fitted = json.loads(WEIGHTS.read_text("utf-8"))
    plain_ones = [fitted["plain"].get(name, 0.0) for name in PLAIN]
    return {
        kind: (*plain_ones, *(crossed.get(name, 0.0) for name in CROSSED))
        for kind, crossed in fitted["crossed"].items()
    }


def found(asked: Asked, hits: Sequence[Hit], speaker: str | None) -> list[Found]:
    """What answers a question, the best of each sentence, best first."""
    factors = weights()[asked.kind]
    total, best = 0.0, list[tuple[float, Candidate]]()
    for part in parts(asked, hits, speaker):
        weighed = [(sum(map(mul, each.features, factors)), each) for each in candidates(asked, part)]
        if weighed:
            total += sum(math.exp(weight) for weight, _ in weighed)
            best.append(max(weighed, key=lambda one: one[0]))
    best.sort(key=lambda one: -one[0])
    return [
        Found(each.text, each.part.sentence, each.part.hit, weight, math.exp(weight) / total) for weight, each in best
    ]
