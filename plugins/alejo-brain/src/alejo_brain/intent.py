"""Which command a message likely is, before any pattern is tried: a linear model of words, their parts and ideas.

A ridge regression for each command (A. Hoerl and R. Kennedy, 1970) over hashed n-grams, a byte a weight, made by
`alejo bench commands-fit`. A score is about 1 for what is surely one and -1 for what is surely none. Only of the
commands that are likely the patterns are tried; that and what is said where none fits, the thresholds decide, which are
of scores that models gave to texts they had not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

from alejo import NgramHasher

from .grammar import Tokens
from .ideas import together
from .spans import Spans

WEIGHTS = "intents.msgpack"
WORDS = NgramHasher(12, 2, (0, 0), marks=True, damped=True)
PARTS = NgramHasher(13, 0, (3, 5), marks=True, damped=True)
IDEAS = NgramHasher(13, 1, (0, 0), damped=True)
KNOWN = frozenset(
    "remember recall forget correct list summarize prefer about_me mood why remind calculate date help".split()  # noqa: SIM905  words read better in a row
)
PIECE = 300  # characters of which a score is asked


class Weights(msgspec.Struct, frozen=True):
    """The tables: a row for each place of the three hashers, a column for each intent, then one for each language; and
    that of the spans.

    An intent is a command and the arguments that it stands for. From the score `likely` on its patterns are tried,
    from its own in `alone` on it is meant even if none of them fits.
    """

    intents: tuple[tuple[str, dict[str, str]], ...]
    languages: tuple[str, ...]
    scales: tuple[float, ...]
    biases: tuple[float, ...]
    likely: float
    alone: tuple[float, ...]
    words: bytes
    parts: bytes
    ideas: bytes
    spans: bytes


class Piece(NamedTuple):
    """A part of a message, as it stands there and without what it quotes."""

    text: str
    own: str


class Intent(NamedTuple):
    """A command that a message is likely, the arguments that it stands for, its score, and the piece that scored it."""

    command: str
    given: dict[str, str]
    score: float
    excess: float  # above what is enough without a pattern
    piece: str


class Intents:
    """Names what a message is likely to ask for."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.spans = Spans(weights.spans)
        self._tables = tuple(memoryview(each).cast("b") for each in (weights.words, weights.parts, weights.ideas))

    def scores(self, piece: str) -> list[float]:
        """What each intent and then each language scores in a piece of a text."""
        words, parts, ideas = self._tables
        columns = zip(
            WORDS.features(piece).scores(words),
            PARTS.features(piece).scores(parts),
            IDEAS.features(together(Tokens(piece, 0, len(piece)).words)).scores(ideas),
            self.weights.scales,
            self.weights.biases,
            strict=True,
        )
        return [(w + p + i) * scale + bias for w, p, i, scale, bias in columns]

    def found(self, pieces: Iterator[Piece]) -> tuple[list[Intent], list[str]]:
        """The commands that pieces of a message are likely, the likeliest first, and so the languages of the best."""
        best: dict[str, Intent] = {}
        top, spoken = -9.0, [0.0] * len(self.weights.languages)
        count = len(self.weights.intents)
        for piece in pieces:
            scores = self.scores(piece.own)
            columns = zip(self.weights.intents, scores, self.weights.alone, strict=False)
            for (command, given), score, alone in columns:
                if score > self.weights.likely and (command not in best or score > best[command].score):
                    best[command] = Intent(command, given, score, score - alone, piece.text)
            if max(scores[:count]) > top:
                top, spoken = max(scores[:count]), scores[count:]
        ranked = sorted(zip(spoken, self.weights.languages, strict=True), reverse=True)
        return sorted(best.values(), key=lambda each: -each.score), [code for _, code in ranked]


@cache
def intents() -> Intents:
    """The ones that ship."""
    return Intents(msgspec.msgpack.decode(files(__package__).joinpath(WEIGHTS).read_bytes(), type=Weights))
