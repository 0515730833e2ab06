"""The words of memories that answer a question: runs of their sentences, weighed by what they are and where they stand.

A candidate is a run of a sentence's words that begins and ends where a part of speech may. Its weight is linear in what
is said of it here; `alejo bench brain-fit` fits the weights (`weights.json`) on the project's own conversations, as a
softmax over all candidates of a question that is drawn towards those with the best token F1.

What is said of a sentence whatever is asked is read once (`line`). Most of a run's weight is of its first word, of its
last one, or of its length, so that a run costs one addition of these; that of which words stand in it is looked up by
their bits.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from operator import itemgetter, mul, or_
from pathlib import Path
from typing import NamedTuple

from alejo.types import Hit

from .asked import Asked, bare, plain
from .kept import kept
from .tongues import Tongue

_TOKEN = re.compile(r"[^\W_]+(?:['\-.:,/&][^\W_]+)*[%€$£]?|[$€£]\d[\d.,]*")
_CAPTION = "photo:"
_SENTENCE = re.compile(rf"(?<=[.!?…])\s+|(?<=[\u3002\uff01\uff1f])|\n+|\s?\[(?={_CAPTION})|\](?:\s+|$)")
# What a fact's words of time mean: "[2022]", "[8 May 2023]".
_DATE = re.compile(rf"\s?\[(?!{_CAPTION})(?=[^\]\[]{{0,60}}?\d{{4}})[^\]\[]{{0,124}}+\]")
_MARK = re.compile(r"[,;:.!?()\u2013\u2014\"\u201c\u201d\u201e«»]|\s-\s")
_QUOTES = ('"', "\u201c", "\u201e", "«")
_LOOKED_AT = 6  # memories
_SENTENCES = 7
_WIDE = 2  # times as many of both for a list
_LONGEST = 14  # words of an answer
_FAR = 99
_HEADED = 3

# What is said of every candidate …
ABOUT = ("score", "rank", "own", "covered", "asks", "theirs", "place", "beside", "last", "caption")  # its sentence
PLAIN = (
    *ABOUT,
    *("overlap", "after1", "after3", "after6", "after_far", "followed1", "followed3", "unmatched"),
    *("length", "length2", "single", "begins", "ends", "whole", "small_first", "small_last", "smalls"),
    *("first", "being", "article", "break_before", "break_last", "breaks", "opened", "closed", "quoted", "of"),
    *("empty", "all_empty", "time", "filler", "head_last", "head_first", "headed"),
)
# … and what counts differently by what is asked for.
CROSSED = (
    *("capital", "digit", "placed", "reason", "kin", "unit", "length", "single", "whole", "begins", "reason_in"),
    *("article", "breaks", "smalls", "after1", "being", "verb"),
)
WEIGHTS = Path(__file__).parent / "weights.json"

# By what bits it is said: of any word of a run, of its first, of its last, and of how many of its words.
_ANY = ("first", "time", "capital", "digit", "kin", "unit", "reason_in", "telling", "lively")
_OWN = ("small_first", "article", "filler", "verb", "placed", "reason")
_BEHIND = ("placed", "reason", "being", "break_before", "of")  # of the word before it
_BEGUN = (*_OWN, *_BEHIND[2:], "begins", "opened", "quoted", "head_first", "headed")
_ENDED = ("ends", "small_last", "break_last", "closed", "head_last")
_SHARED = ("smalls", "breaks", "empty", "overlap")
_BITS = {name: 1 << place for names in (_ANY, _BEGUN, _ENDED, _SHARED) for place, name in enumerate(names)}
_TELLING, _CAPITAL = _BITS["telling"], _BITS["capital"]
_OPENED, _QUOTED, _HEAD, _HEADING = (_BITS[name] for name in ("opened", "quoted", "head_first", "headed"))
_CLOSED, _CALLED, _MATCHED = (_BITS[name] for name in ("closed", "head_last", "overlap"))
_NEVER = -math.inf  # what ends no run
_FINE = 2.0**40  # in whole parts of it shares are added, so that runs of like words weigh the same to the last bit


class Word(NamedTuple):
    """A word of a sentence: as written, in small letters, its stem, and where."""

    text: str
    low: str
    stem: str
    start: int
    end: int


class _Known(NamedTuple):
    """What is said of a word wherever it stands, and the bits it has and gives (`behind`) to a run that follows it.

    `cue`: an answer may begin with it, whatever is before it.
    """

    low: str
    stem: str
    small: bool
    breaks: bool
    raised: bool
    cue: bool
    any: int
    begun: int
    behind: int
    ended: int
    shared: int


class Line(NamedTuple):
    """A sentence and what is said of it whatever is asked: of each word its bits, and whether a run begins or ends."""

    text: str
    words: Sequence[Word]
    stems: Sequence[str]
    several: frozenset[str]
    any: Sequence[int]
    begun: Sequence[int]
    ended: Sequence[int]
    shared: Sequence[int]
    begins: Sequence[bool]
    ends: Sequence[bool]

    def said(self, start: int, end: int) -> str:
        """The text from a word to before another."""
        return self.text[self.words[start].start : self.words[end - 1].end]


class Part(NamedTuple):
    """A sentence that may hold an answer, and what is said of it: ABOUT, in that order."""

    hit: Hit
    line: Line
    features: tuple[float, ...]


Run = tuple[float, int, int]  # what words of a line weigh, the first of them, and the one behind the last


class Found(NamedTuple):
    """What answers: a text, of which sentence of which memory, its weight, and its share among all, 0 to 1."""

    text: str
    sentence: str
    hit: Hit
    weight: float
    share: float


class _Sums(dict[int, float]):
    """What bits weigh together, each as the name of its place does."""

    def __init__(self, factors: Mapping[str, float], names: Iterable[str]) -> None:
        self._weights = [factors.get(name, 0.0) for name in names]

    def __missing__(self, bits: int) -> float:
        self[bits] = total = sum(weight for place, weight in enumerate(self._weights) if bits >> place & 1)
        return total


class Scale:
    """What everything that is said of a run weighs, by its name; what has none weighs nothing."""

    def __init__(self, factors: Mapping[str, float]) -> None:
        def of(name: str) -> float:
            return factors.get(name, 0.0)

        self.about = tuple(map(of, ABOUT))
        # A run that is all empty is one without a lively word.
        self.any = _Sums({**factors, "lively": -of("all_empty")}, _ANY)
        self.begun, self.ended = _Sums(factors, _BEGUN), _Sums(factors, _ENDED)
        self.shared = _Sums({name: round(of(name) * _FINE) / _FINE for name in _SHARED}, _SHARED)
        sizes = [each / 8 for each in range(1, _LONGEST + 1)]
        lengths = [size * of("length") + size * size * of("length2") + of("all_empty") for size in sizes]
        first = lengths[0] + of("single")
        self.lengths = tuple(enumerate((first, *lengths[1:]), 1))
        self.headed = tuple(enumerate((first - of("head_last"), *lengths[1:]), 1))  # of what begins with the head
        # By how many words a match is before a run, or behind it.
        self.after = [0.0, of("after1"), *(2 * [of("after3")]), *(3 * [of("after6")]), *(_FAR * [of("after_far")])]
        self.after[_FAR] = 0.0
        self.followed = [0.0, of("followed1"), *(2 * [of("followed3")]), *(_FAR * [0.0])]
        self.whole, self.unmatched = of("whole"), of("unmatched")


@kept(2048)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, captions of pictures among them."""
    found = _SENTENCE.split(_DATE.sub("", plain(text)))
    parts = (part.strip().removeprefix(_CAPTION).strip() for part in found if part)
    return tuple(part for part in parts if len(part) > 1)


@kept(8192)
def _known(text: str, tongue: Tongue) -> _Known:
    low, raised, digit = bare(text), text[0].isupper(), text[0].isdigit()
    small, breaks, empty = low in tongue.small, low in tongue.breaks, low in tongue.empty
    article, reason, first = low in tongue.articles, low in tongue.reasons, low in tongue.first
    holds = {
        "first": first,
        "time": low in tongue.timely,
        "capital": raised and not first,
        "digit": digit or low in tongue.numbers,
        "kin": low in tongue.kin,
        "unit": low in tongue.units,
        "reason_in": reason,
        "telling": not small,
        "lively": not (small or empty),
        "small_first": small,
        "article": article,
        "filler": low in tongue.fillers,
        "verb": tongue.verb.search(low) is not None,
        "being": low in tongue.being,
        "break_before": breaks,
        "of": low == "of",
        "placed": low in tongue.places,
        "reason": reason,
        "small_last": small,
        "break_last": breaks,
        "smalls": small,
        "breaks": breaks,
        "empty": empty,
    }
    groups = (_ANY, _OWN, _BEHIND, _ENDED, _SHARED)
    bits = (sum(_BITS[name] for name in names if holds.get(name)) for names in groups)
    return _Known(low, tongue.stem(low), small, breaks, raised, article or reason or digit, *bits)


_BEFORE = _Known("", "", False, True, True, False, 0, 0, _BITS["begins"], 0, 0)  # what stands before a sentence


def split(sentence: str, tongue: Tongue) -> Sequence[Word]:
    """The words of a sentence."""
    return line(sentence, tongue).words


@kept(2048)
def line(sentence: str, tongue: Tongue) -> Line:
    """What is said of a sentence whatever is asked."""
    found = list(_TOKEN.finditer(sentence))
    known = [_known(each[0], tongue) for each in found]
    edges = [0, *(edge for each in found for edge in each.span()), len(sentence)]
    gaps = [sentence[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    marks = [gap != " " and _MARK.search(gap) is not None for gap in gaps]
    beside = list(zip(known, [_BEFORE, *known], marks, strict=False))
    quotes = [gap.endswith(_QUOTES) * _QUOTED for gap in gaps]
    some = [own.any for own in known]
    ended = [own.ended | mark * _CLOSED for own, mark in zip(known, marks[1:], strict=True)]
    if known:
        some[0] &= ~_CAPITAL  # anything is written so there
        ended[-1] |= _BITS["ends"]
    stems = [own.stem for own in known]
    return Line(
        sentence,
        [Word(each[0], own.low, own.stem, *each.span()) for each, own in zip(found, known, strict=True)],
        stems,
        frozenset(stems),
        some,
        [
            own.begun | last.behind | mark * _OPENED | quote
            for (own, last, mark), quote in zip(beside, quotes, strict=False)
        ],
        ended,
        [own.shared for own in known],
        [
            last.breaks or mark or own.cue or (own.raised and not last.raised) or (last.small and not own.small)
            for own, last, mark in beside
        ],
        [*(own.breaks for own in known[1:]), True],
    )


def parts(asked: Asked, hits: Sequence[Hit], speaker: str | None) -> list[Part]:
    """The sentences that have most of what is asked. `speaker` is who it is asked of, None where nobody is named."""
    best = max((hit.score for hit in hits), default=0.0)
    count = max(1, len(asked.stems))
    ranked: list[tuple[float, int, Part]] = []
    wide = _WIDE if asked.several else 1
    for place, hit in enumerate(hits[: wide * _LOOKED_AT]):
        said = [line(part, asked.tongue) for part in sentences(hit.memory.text)]
        shared = [asked.stems & each.several for each in said]
        covered = len(frozenset().union(*shared)) / count
        relative = hit.score / best if best > 0 else 0.0
        theirs = speaker is not None and hit.memory.speaker == speaker
        captions = _CAPTION in hit.memory.text
        for number, each in enumerate(said):
            own = len(shared[number]) / count
            beside = max((len(one) for one in shared[max(0, number - 1) : number + 2 : 2]), default=0) / count
            asks = each.text.endswith("?")
            about = (relative, 1 / (place + 1), own, covered, float(asks), float(theirs), min(number, 4) / 4, beside)
            caption = captions and f"[{_CAPTION} {each.text}]" in hit.memory.text
            features = (*about, float(number + 1 == len(said)), float(caption))
            worth = relative + own + 0.5 * theirs - asks + 0.4 * beside
            if each.words:
                ranked.append((-worth, len(ranked), Part(hit, each, features)))
    return [part for _, _, part in sorted(ranked)[: wide * _SENTENCES]]


def runs(asked: Asked, part: Part, scale: Scale) -> list[Run]:
    """What of a sentence may answer."""
    reading = _Reading(asked, part, scale)
    return [run for start in reading.starts() for run in reading.runs(start)]


class _Reading:
    """A sentence beside a question: what each of its words weighs as the first of a run, in one, and as the last."""

    def __init__(self, asked: Asked, part: Part, scale: Scale) -> None:
        line = self._line = part.line
        self._scale = scale
        self._about = sum(map(mul, part.features, scale.about))
        self._loose = asked.kind == "count"  # "two" is small, and does answer
        self._matched = matched = [stem in asked.stems for stem in line.stems]
        self._heads = [stem == asked.head for stem in line.stems]
        self._near, follows = _distances(matched), _distances(matched[::-1])[::-1]
        self._ends = self._ended(follows)
        self._spanning = [
            end + scale.unmatched if follow >= _FAR else end for end, follow in zip(self._ends, follows, strict=True)
        ]
        shares = (scale.shared[bits | each * _MATCHED] for bits, each in zip(line.shared, matched, strict=True))
        self._sums = list(accumulate(shares, initial=0.0))

    def _ended(self, follows: Sequence[int]) -> list[float]:
        """What each word weighs as the last of a run, _NEVER where none ends."""
        scale, line, last = self._scale, self._line, len(follows) - 1
        ends = []
        for place, (bits, head, follow) in enumerate(zip(line.ended, self._heads, follows, strict=True)):
            may = bits & _CLOSED or line.ends[place] or self._matched[place + 1]
            cut = place < last and self._heads[place + 1] and not bits & _CLOSED  # "rowing" off "boat"
            weight = scale.ended[bits | head * _CALLED] + scale.followed[follow]
            ends.append(weight if may and not cut else _NEVER)
        return ends

    def starts(self) -> list[int]:
        """Where a run may begin."""
        line, matched = self._line, self._matched
        return [place for place, begins in enumerate(line.begins) if begins or matched[place - 1]]

    def runs(self, start: int) -> list[Run]:
        """The runs that begin at a word."""
        scale, line, before, behind = self._scale, self._line, self._sums[start], start + _LONGEST
        head, headed = self._heads[start], any(self._heads[max(0, start - _HEADED) : start])
        begun = scale.begun[line.begun[start] | head * _HEAD | headed * _HEADING]
        begun += self._about + scale.after[self._near[start]]
        lone = self._near[start] >= _FAR and not self._matched[start]
        ends = (self._spanning if lone else self._ends)[start:behind]
        if start == 0 and len(ends) == len(self._ends):
            ends[-1] += scale.whole
        sums, any_of = self._sums[start + 1 : behind + 1], accumulate(line.any[start:behind], or_)
        lengths = scale.headed if head else scale.lengths
        of, loose = scale.any, self._loose
        return [
            (begun + ended + of[said] + weight + (total - before) / length, start, start + length)
            for ended, said, total, (length, weight) in zip(ends, any_of, sums, lengths, strict=False)
            if ended > _NEVER and (said & _TELLING or loose)
        ]


def _distances(matched: Sequence[bool]) -> list[int]:
    """For each word how many words before it the nearest match is."""
    if True not in matched:
        return [_FAR] * len(matched)
    found, last = [], _FAR
    for each in matched:
        found.append(last)
        last = 1 if each else min(_FAR, last + 1)
    return found


@cache
def scales() -> dict[str, Scale]:
    """What counts by what is asked for."""
    fitted = json.loads(WEIGHTS.read_text("utf-8"))
    return {
        kind: Scale({name: fitted["plain"].get(name, 0.0) + crossed.get(name, 0.0) for name in (*PLAIN, *CROSSED)})
        for kind, crossed in fitted["crossed"].items()
    }


def found(asked: Asked, hits: Sequence[Hit], speaker: str | None) -> list[Found]:
    """What answers a question, the best of each sentence, best first."""
    scale = scales()[asked.kind]
    total, best = 0.0, list[tuple[Run, Part]]()
    for part in parts(asked, hits, speaker):
        if weighed := runs(asked, part, scale):
            total += sum(math.exp(weight) for weight, _, _ in weighed)
            best.append((max(weighed, key=itemgetter(0)), part))
    best.sort(key=lambda one: -one[0][0])
    return [
        Found(part.line.said(start, end), part.line.text, part.hit, weight, math.exp(weight) / total)
        for (weight, start, end), part in best
    ]
