"""Which emotions a text shows, by the words, marks and parts of words in it, and by what stands beside what.

For each emotion of GoEmotions (D. Demszky et al., ACL 2020) a linear model over hashed n-grams: the mean of a logistic
regression and one on naive Bayes log-count ratios (S. Wang and C. Manning, "Baselines and Bigrams", ACL 2012), folded
into one table of a byte a weight. To its logits a small network over the tokens of alejo's table adds what words say
together. `alejo bench emotion-fit` makes both, `alejo bench emotion` says what they are worth. An emotion is named from
the probability on about which its F1 was best on texts that nothing was fitted on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import chain
from operator import mul

import msgspec

from alejo import NgramHasher, TokenNet, shipped_table

BITS = 16
NEUTRAL = "neutral"
_ASKED = 100
_TELLING = 4  # words that are asked for what they say beside the others
WEIGHTS = "emotions.msgpack"
WORDS = NgramHasher(BITS, 2, (0, 0), marks=True, damped=True)
PARTS = NgramHasher(BITS, 0, (2, 5), marks=True, damped=True)


class Network(msgspec.Struct, frozen=True):
    """The numbers of an alejo.TokenNet, and which table's tokens it was trained on."""

    table: str
    layers: tuple[tuple[bytes, bytes, bytes], ...]
    heads: bytes
    offsets: bytes

    def made(self) -> TokenNet:
        """The network over the table that ships."""
        return TokenNet(shipped_table(), list(self.layers), self.heads, self.offsets)


class Group(msgspec.Struct, frozen=True):
    """Emotions that are one at a coarser look, and the probability from which on the group is named.

    Its logit is `bias` and the products of `logits` and `chances` with what `Classifier.evidence` tells, as logits and
    as probabilities.
    """

    name: str
    bias: float
    logits: tuple[float, ...]
    chances: tuple[float, ...]
    threshold: float


class Weights(msgspec.Struct, frozen=True):
    """The tables: a row for each of the 2^16 places of words and of their parts, a column for each label.

    The network has a class for each label, and one for each of `wholes`, several labels of which one is there.
    """

    labels: tuple[str, ...]
    wholes: tuple[tuple[int, ...], ...]
    scales: tuple[float, ...]
    biases: tuple[float, ...]
    thresholds: tuple[float, ...]
    groups: dict[str, tuple[Group, ...]]
    words: bytes
    parts: bytes
    network: Network


class Classifier:
    """Names the emotions of a text."""

    def __init__(self, weights: Weights) -> None:
        self.labels = weights.labels
        self.thresholds = weights.thresholds
        self.groups = weights.groups
        self._wholes = weights.wholes
        self._scales = weights.scales
        self._biases = weights.biases
        self._words = memoryview(weights.words).cast("b")
        self._parts = memoryview(weights.parts).cast("b")
        self._net = weights.network.made()

    def probabilities(self, text: str) -> list[float]:
        """How likely each label is."""
        both = zip(self._linear(text), self._net.scores(text), strict=False)  # the network also has classes of wholes
        return [0.5 + 0.5 * math.tanh((own + more) / 2) for own, more in both]

    def evidence(self, text: str) -> list[float]:
        """The logits of the labels, of the wholes, and of the wholes again, as their labels alone make them likely."""
        own = self._linear(text)
        known = chain(own, (_any(own, whole) for whole in self._wholes))
        sums = [one + more for one, more in zip(known, self._net.scores(text), strict=True)]
        return sums + [_any(sums, whole) for whole in self._wholes]

    def grouped(self, evidence: Sequence[float], groups: Sequence[Group]) -> list[float]:
        """How likely each group is."""
        chances = [_chance(logit) for logit in evidence]
        return [
            _chance(group.bias + sum(map(mul, group.logits, evidence)) + sum(map(mul, group.chances, chances)))
            for group in groups
        ]

    def found(self, text: str) -> list[tuple[str, float]]:
        """The emotions that are named, with their probabilities, the surest first; being neutral is none."""
        named = zip(self.labels, self.probabilities(text), self.thresholds, strict=True)
        surest = [(name, p) for name, p, least in named if p >= least and name != NEUTRAL]
        return sorted(surest, key=lambda each: -each[1])

    def because(self, words: Sequence[str], label: str) -> tuple[str, ...]:
        """The words that speak most for a label: at most three, the strongest first.

        Of the first hundred words those are chosen that say most alone; beside that it counts what the network would
        miss without them.
        """
        column, asked = self.labels.index(label), words[:_ASKED]
        alone = {word: self._alone(word, column) for word in dict.fromkeys(asked)}
        chosen = sorted((word for word in alone if alone[word] > 0), key=lambda word: -alone[word])[:_TELLING]
        whole = self._together(asked, column)
        spoken = {
            word: alone[word] + whole - self._together([other for other in asked if other != word], column)
            for word in chosen
        }
        most = max(spoken.values(), default=0.0)
        telling = [word for word, score in spoken.items() if score > 0 and score >= most / 2]
        return tuple(sorted(telling, key=lambda word: -spoken[word])[:3])

    def _linear(self, text: str) -> list[float]:
        words = WORDS.features(text).scores(self._words)
        parts = PARTS.features(text).scores(self._parts)
        return [(w + p) * s + b for w, p, s, b in zip(words, parts, self._scales, self._biases, strict=True)]

    def _alone(self, word: str, column: int) -> float:
        words = WORDS.features(word).scores(self._words)[column]
        return self._scales[column] * (words + PARTS.features(word).scores(self._parts)[column])

    def _together(self, words: Sequence[str], column: int) -> float:
        return self._net.scores(" ".join(words))[column]


def _chance(logit: float) -> float:
    return 0.5 + 0.5 * math.tanh(logit / 2)


def _any(logits: Sequence[float], labels: Sequence[int]) -> float:
    """The logit of it that one of the labels at least is there, if they were independent."""
    none = sum(math.log1p(math.exp(min(60.0, logits[label]))) for label in labels)
    return math.log(math.expm1(min(60.0, max(1e-9, none))))


@cache
def classifier() -> Classifier:
    """The one that ships."""
    return Classifier(msgspec.msgpack.decode(files(__package__).joinpath(WEIGHTS).read_bytes(), type=Weights))
