"""What a text is likely about where no rule says so: a linear model of its words, their parts and its ideas.

A ridge regression for each category (A. Hoerl and R. Kennedy, 1970) over hashed n-grams, a byte a weight.
`alejo bench conscience-fit` makes the table. A category is named from its threshold on; it is `sure` above every score
that a harmless text got from a model which had not seen it. A long text is as bad as its worst piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import msgspec

from alejo import NgramHasher

from .ideas import ideas, together
from .rules import normal

WEIGHTS = "shades.msgpack"
WORDS = NgramHasher(15, 2, (0, 0), marks=True, damped=True)
PARTS = NgramHasher(16, 0, (3, 6), marks=True, damped=True)
IDEAS = NgramHasher(14, 1, (0, 0), damped=True)
IDEAS_COUNT = 0.6  # what the ideas of a text weigh beside its words and their parts
PIECE = 240  # characters
_PIECE = re.compile(rf"(?s).{{1,{PIECE}}}(?:(?<=[.!?\n\u0964])|(?=\s)|$)|.{{{PIECE}}}")
_WORD = re.compile(r"[\w\u0900-\u097f'-]+")
_LEAST = 3  # words; fewer tell too little
_TOLD = 3  # words that explain
_PERSONS = frozenset({"i", "me", "you", "them"})  # what says little by itself


class Weights(msgspec.Struct, frozen=True):
    """The tables: a row for each place of the three hashers, a column for each category."""

    categories: tuple[str, ...]
    scales: tuple[float, ...]
    biases: tuple[float, ...]
    thresholds: tuple[float, ...]
    sure: tuple[float, ...]
    words: bytes
    parts: bytes
    ideas: bytes


class Shade(msgspec.Struct, frozen=True):
    """A category that a text is likely of, how far above its threshold, and in which piece of the text."""

    category: str
    excess: float
    sure: bool
    piece: str


class Shades:
    """Names what a text is likely about."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self._tables = tuple(memoryview(each).cast("b") for each in (weights.words, weights.parts, weights.ideas))

    def scores(self, text: str) -> list[float]:
        """What each category scores in a text."""
        plain = normal(text)
        words, parts, spoken = self._tables
        columns = zip(
            WORDS.features(plain).scores(words),
            PARTS.features(plain).scores(parts),
            IDEAS.features(together(plain)).scores(spoken),
            self.weights.scales,
            self.weights.biases,
            strict=True,
        )
        return [(w + p + IDEAS_COUNT * i) * scale + bias for w, p, i, scale, bias in columns]

    def found(self, text: str) -> list[Shade]:
        """The categories that a text is likely of, the clearest first."""
        best: dict[str, Shade] = {}
        for piece in pieces(text):
            if len(_WORD.findall(piece)) < _LEAST:
                continue
            named = zip(
                self.weights.categories, self.scores(piece), self.weights.thresholds, self.weights.sure, strict=True
            )
            for category, score, least, sure in named:
                if score > least and (category not in best or score - least > best[category].excess):
                    best[category] = Shade(category, score - least, score > sure, piece)
        return sorted(best.values(), key=lambda shade: (-shade.excess, shade.category))

    def because(self, shade: Shade) -> tuple[str, ...]:
        """The words that speak most for a category: without them its score would be lowest. At most three."""
        column = self.weights.categories.index(shade.category)
        words = _WORD.findall(shade.piece)
        whole = self.scores(shade.piece)[column]
        lost = {
            word: whole - self.scores(" ".join(words[:place] + words[place + 1 :]))[column]
            for place, word in enumerate(words)
        }
        telling = sorted((word for word, loss in lost.items() if loss > 0), key=lambda word: -lost[word])
        named = [word for word in telling if set(ideas(normal(word))) - _PERSONS]
        return tuple((named or telling)[:_TOLD])


def pieces(text: str) -> Iterator[str]:
    """A text in pieces that are judged each, cut behind sentences or at least words where it is long."""
    if len(text) <= PIECE:
        yield text
    else:
        yield from (each[0] for each in _PIECE.finditer(text))


@cache
def shades() -> Shades:
    """The ones that ship."""
    return Shades(msgspec.msgpack.decode(files(__package__).joinpath(WEIGHTS).read_bytes(), type=Weights))
