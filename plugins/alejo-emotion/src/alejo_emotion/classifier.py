"""Which emotions a text shows, by the words, marks and parts of words in it.

A linear model for each emotion of GoEmotions (D. Demszky et al., ACL 2020) over hashed n-grams: the mean of a logistic
regression and one on naive Bayes log-count ratios (S. Wang and C. Manning, "Baselines and Bigrams", ACL 2012), folded
into one table of a byte a weight. `alejo bench emotion-fit` makes the table, `alejo bench emotion` says what it is
worth. An emotion is named from the probability on under which its F1 was best on texts it was not trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import islice

import msgspec

from alejo import NgramHasher

BITS = 16
NEUTRAL = "neutral"
_ASKED = 100
WEIGHTS = "emotions.msgpack"
WORDS = NgramHasher(BITS, 2, (0, 0), marks=True, damped=True)
PARTS = NgramHasher(BITS, 0, (2, 5), marks=True, damped=True)


class Group(msgspec.Struct, frozen=True):
    """Emotions that are one at a coarser look, and the probability from which on the group is named."""

    name: str
    labels: tuple[int, ...]
    threshold: float


class Weights(msgspec.Struct, frozen=True):
    """The tables: a row for each of the 2^16 places of words and of their parts, a column for each label."""

    labels: tuple[str, ...]
    scales: tuple[float, ...]
    biases: tuple[float, ...]
    thresholds: tuple[float, ...]
    groups: dict[str, tuple[Group, ...]]
    words: bytes
    parts: bytes


class Classifier:
    """Names the emotions of a text."""

    def __init__(self, weights: Weights) -> None:
        self.labels = weights.labels
        self.thresholds = weights.thresholds
        self.groups = weights.groups
        self._scales = weights.scales
        self._biases = weights.biases
        self._words = memoryview(weights.words).cast("b")
        self._parts = memoryview(weights.parts).cast("b")

    def probabilities(self, text: str) -> list[float]:
        """How likely each label is."""
        words = WORDS.features(text).scores(self._words)
        parts = PARTS.features(text).scores(self._parts)
        logits = zip(words, parts, self._scales, self._biases, strict=True)
        return [1 / (1 + math.exp(-max(-60.0, min(60.0, (w + p) * scale + bias)))) for w, p, scale, bias in logits]

    def grouped(self, probabilities: Sequence[float], groups: Sequence[Group]) -> list[float]:
        """How likely each group is, its emotions taken as independent: 1 - Π(1 - p)."""
        return [1 - math.prod(1 - probabilities[label] for label in group.labels) for group in groups]

    def found(self, text: str) -> list[tuple[str, float]]:
        """The emotions that are named, with their probabilities, the surest first; being neutral is none."""
        named = zip(self.labels, self.probabilities(text), self.thresholds, strict=True)
        surest = [(name, p) for name, p, least in named if p >= least and name != NEUTRAL]
        return sorted(surest, key=lambda each: -each[1])

    def because(self, words: Sequence[str], label: str) -> tuple[str, ...]:
        """The words that speak most for a label, by what each says alone: at most three, the strongest first.

        Of a long text the first hundred different words are asked.
        """
        column = self.labels.index(label)
        spoken = {word: self._alone(word, column) for word in islice(dict.fromkeys(words), _ASKED)}
        most = max(spoken.values(), default=0.0)
        telling = [word for word, score in spoken.items() if score > 0 and score >= most / 2]
        return tuple(sorted(telling, key=lambda word: -spoken[word])[:3])

    def _alone(self, word: str, column: int) -> float:
        return WORDS.features(word).scores(self._words)[column] + PARTS.features(word).scores(self._parts)[column]


@cache
def classifier() -> Classifier:
    """The one that ships."""
    return Classifier(msgspec.msgpack.decode(files(__package__).joinpath(WEIGHTS).read_bytes(), type=Weights))
