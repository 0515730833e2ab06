"""What expressions of time mean: "last summer", "two weeks before my birthday", seen from a moment and a time zone.

The languages are data, a file each in this folder. `common` are the words by which a language is known; `future` and
`past` are expressions that tell the tense of a sentence, `announced` those that say around a time, "@", that something
takes place then, such as "is @". `classes` give words their values; `groups` name unions
of classes. `stages` are rules, in their order: what a match gives, the method of `Calendar` that is its meaning, and
patterns of words, {class} or {argument:class}, "?", "|", parentheses and "(?!" as in regular expressions. `compounds`
are pairs of classes whose words are written as one; `weak` are the classes whose words alone say nothing of time.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .grammar import TOKEN, Language, fold

__all__ = ["Anchors", "Span", "resolve"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COMMON, _TRIGGER = 0, 16  # bits of a count, of 32 for each language
_WIDTH = 32
_FIGURE = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]+")


class Span(NamedTuple):
    """A range of time, [start, end) in µs since the epoch, and the words it is from."""

    start: int
    end: int
    text: str


Anchors = Callable[[str], Span | None]


@cache
def _languages() -> tuple[Language, ...]:
    return tuple(Language(path) for path in sorted(Path(__file__).parent.glob("*.toml")))


@cache
def _marks() -> dict[str, int]:
    """What each word adds to the counts of all languages: common words, and words that may speak of time."""
    marks: dict[str, int] = {}
    for place, language in enumerate(_languages()):
        for words, bit in ((language.common, _COMMON), (language.triggers, _TRIGGER)):
            for word in words:
                marks[word] = marks.get(word, 0) + (1 << place * _WIDTH + bit)
    return marks


@cache
def _signs() -> frozenset[str]:
    """The first letters, up to a mark in it, of each word that may speak of time in any language."""
    return frozenset(_LETTERS.findall(word)[0] for language in _languages() for word in language.triggers)


def _may_speak(text: str) -> bool:
    """Whether a text may say something of time, at a look that costs little: most texts say nothing of it."""
    return _FIGURE.search(text) is not None or not _signs().isdisjoint(_LETTERS.findall(text))


def _spoken(text: str, words: list[str]) -> list[Language]:
    """The languages a text may be in that may say something of time: those with most common words."""
    marks = _marks()
    counts = sum([marks.get(word, 0) for word in words])
    figures = _FIGURE.search(text) is not None
    likely: list[tuple[int, Language]] = []
    for place, language in enumerate(_languages()):
        here = counts >> place * _WIDTH
        if figures or here >> _TRIGGER & 0xFFFF:
            likely.append((here & 0xFFFF, language))
    most = max((common for common, _ in likely), default=0)
    return [language for common, language in likely if common == most]


def resolve(text: str, moment: int, zone: tzinfo, anchors: Anchors | None = None) -> list[Span]:
    """The ranges of time that a text names when it is said at `moment` (µs) in `zone`, in the order of its words.

    `anchors` gives a day of the user's life by its name, as "birthday"; what needs one that is not known, and what no
    calendar holds, is left out. The conventions are those of benchmarks/corpora/temporal.
    """
    folded = fold(text)
    if not _may_speak(folded):
        return []
    words = TOKEN.findall(folded)
    languages = _spoken(folded, words)
    if not languages:
        return []
    try:
        now = _wall(moment, zone)
    except OverflowError:
        return []

    def anchor(name: str) -> datetime | None:
        known = anchors(name) if anchors else None
        return known and _wall(known.start, zone)

    for language in languages:
        spans: list[Span] = []
        found = language.read(words, now, anchor)
        ends = max((last for _, last, _, _ in found), default=-1) + 1
        places = [match.span() for match in islice(TOKEN.finditer(folded), ends)]
        for first, last, period, calendar in found:
            with contextlib.suppress(ValueError, OverflowError):
                here = calendar.bare(period, announced=bool(period.unit) and language.announces(words, first, last))
                if here:
                    said = text[places[first][0] : places[last][1]]
                    spans.append(Span(_moment(here[0], zone), _moment(here[1], zone), said))
        if spans:
            return spans
    return []


def _wall(moment: int, zone: tzinfo) -> datetime:
    return (_EPOCH + moment * _MICROSECOND).astimezone(zone).replace(tzinfo=None)


def _moment(wall: datetime, zone: tzinfo) -> int:
    """A time of the wall in µs; one that a clock change left out is the instant of that change, for a midnight."""
    return (wall.replace(tzinfo=zone) - _EPOCH) // _MICROSECOND
