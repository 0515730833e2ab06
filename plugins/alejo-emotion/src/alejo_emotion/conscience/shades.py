"""What a text is likely about where no rule says so: a linear model of its words, their parts and its ideas.

A ridge regression for each category (A. Hoerl and R. Kennedy, 1970) over hashed n-grams, a byte a weight; what it
learned of words it also holds of their neighbours in alejo's table of embeddings. `alejo bench conscience-fit` makes
the tables. A category is named from its threshold on, of a few words a little later; it is `sure` above what any
harmless text got from a model which had not seen it. A long text is as bad as its worst piece.
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
BITS, IDEA_BITS = 17, 14
WORDS = NgramHasher(BITS, 1, (0, 0), marks=True, damped=True)
PAIRS = NgramHasher(BITS, 2, (0, 0), marks=True, damped=True)  # of words that follow each other, and words
PARTS = NgramHasher(BITS, 0, (3, 6), marks=True, damped=True)
IDEAS = NgramHasher(IDEA_BITS, 1, (0, 0), damped=True)
PIECE = 240  # characters
_PIECE = re.compile(rf"(?s).{{1,{PIECE}}}(?:(?<=[.!?\n\u0964])|(?=\s)|$)|.{{{PIECE}}}")
_WORD = re.compile(r"[\w\u0900-\u097f'-]+")
_LEAST, _FEW = 3, 6  # words; fewer tell too little, or little
_TOLD = 3  # words that explain
_PERSONS = frozenset({"i", "me", "you", "them"})  # what says little by itself


class Table(msgspec.Struct, frozen=True):
    """A row for each place of a hasher, a column for each category: `steps` times the column's scale."""

    scales: tuple[float, ...]
    steps: bytes


class Weights(msgspec.Struct, frozen=True):
    """The tables of words, pairs, parts and ideas, and what is true of each category."""

    categories: tuple[str, ...]
    biases: tuple[float, ...]
    thresholds: tuple[float, ...]
    sure: tuple[float, ...]
    tables: tuple[Table, ...]


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
        self._tables = tuple(memoryview(each.steps).cast("b") for each in weights.tables)
        columns = zip(*(each.scales for each in weights.tables), weights.biases, strict=True)
        self._columns = tuple(columns)

    def scores(self, text: str) -> list[float]:
        """What each category scores in a text."""
        plain = normal(text)
        words, pairs, parts, spoken = self._tables
        summed = zip(
            self._columns,
            WORDS.features(plain).scores(words),
            PAIRS.features(plain).scores(pairs),
            PARTS.features(plain).scores(parts),
            IDEAS.features(together(plain)).scores(spoken),
            strict=True,
        )
        return [a * one + b * two + c * three + d * four + bias for (a, b, c, d, bias), one, two, three, four in summed]

    def found(self, text: str) -> list[Shade]:
        """The categories that a text is likely of, the clearest first."""
        best: dict[str, Shade] = {}
        known = self.weights
        for piece in pieces(text):
            words = len(piece.split())
            if words < _LEAST:
                continue
            named = zip(known.categories, self.scores(piece), known.thresholds, known.sure, strict=True)
            for category, score, threshold, sure in named:
                least = threshold if words >= _FEW else (threshold + sure) / 2
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
