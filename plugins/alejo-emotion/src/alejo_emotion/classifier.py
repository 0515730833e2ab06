"""Which emotions a text shows, by the words, marks and parts of words in it, and by what stands beside what.

For each emotion of GoEmotions (D. Demszky et al., ACL 2020) a linear model over hashed n-grams: the mean of a logistic
regression and one on naive Bayes log-count ratios (S. Wang and C. Manning, "Baselines and Bigrams", ACL 2012), folded
into one table of a byte a weight. To its logits a small network over the tokens of alejo's table adds what words say
together, and another linear model what the lexicon finds in the text. `alejo bench emotion-fit` makes all three, `alejo
bench emotion` says what they are worth. An emotion is named from the probability on about which its F1 was best on
texts that nothing was fitted on.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from math import tanh
from operator import mul

import msgspec

from alejo import NgramHasher, TokenNet, blend, shipped_table

from .felt import Felt, found, summary

BITS = 16
FEELING_BITS = 12
NEUTRAL = "neutral"
_ASKED = 100
_SUMMARIES = 4096  # of what the lexicon finds, whose scores are kept: most texts share one with others
_LONGEST = 400  # characters of those
_READ = 8_192  # characters that the network reads; n-grams are of the whole text
_TELLING = 4  # words that are asked for what they say beside the others
WEIGHTS = "emotions.msgpack"
WORDS = NgramHasher(BITS, 2, (0, 0), marks=True, damped=True)
PARTS = NgramHasher(BITS, 0, (2, 5), marks=True, damped=True)
FEELINGS = NgramHasher(FEELING_BITS, 1, (0, 0), marks=True, damped=True)


class Network(msgspec.Struct, frozen=True):
    """The numbers of an alejo.TokenNet, and which table's tokens it was trained on."""

    table: str
    layers: tuple[tuple[bytes, bytes, bytes], ...]
    heads: bytes
    offsets: bytes

    def made(self) -> TokenNet:
        """The network over the table that ships."""
        return TokenNet(shipped_table(), list(self.layers), self.heads, self.offsets)


class Lexical(msgspec.Struct, frozen=True):
    """What the lexicon adds to the logits of the labels and of the wholes so far.

    Each is multiplied by its slope; to that come a bias and the weights of the 2^12 places of a summary's words.
    """

    slopes: tuple[float, ...]
    biases: tuple[float, ...]
    scales: tuple[float, ...]
    weights: bytes


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
    lexical: Lexical


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
        self._lexical = lexical = weights.lexical
        self._feelings = memoryview(lexical.weights).cast("b")
        # What words, their parts and the network are multiplied by for each label.
        slopes = lexical.slopes[: len(weights.labels)]
        own = [scale * slope for scale, slope in zip(weights.scales, slopes, strict=True)]
        self._slopes = array("d", [*own, *own, *slopes])
        self._felt = lru_cache(_SUMMARIES)(self._feels)

    def probabilities(self, text: str, felt: Sequence[Felt] | None = None) -> list[float]:
        """How likely each label is; `felt` is what the lexicon finds in the text, where that is known."""
        words, parts = self._grams(text)
        told = summary(found(text) if felt is None else felt)
        said = self._felt(told) if len(told) <= _LONGEST else self._feels(told)
        return blend((words, parts, self._heard(text)), self._slopes, said)

    def evidence(self, text: str) -> list[float]:
        """Logits of the labels, of the wholes, and of the wholes again, by their labels alone."""
        own, known = self._linear(text), self._lexical
        own += [_any(own, whole) for whole in self._wholes]
        feelings = FEELINGS.features(summary(found(text)))
        scores = self._heard(text), feelings.scores(self._feelings)
        columns = zip(own, *scores, known.slopes, known.scales, known.biases, strict=True)
        logits = [(one + net) * slope + said * scale + bias for one, net, said, slope, scale, bias in columns]
        return logits + [_any(logits, whole) for whole in self._wholes]

    def grouped(self, evidence: Sequence[float], groups: Sequence[Group]) -> list[float]:
        """How likely each group is."""
        chances = [_chance(logit) for logit in evidence]
        return [
            _chance(group.bias + sum(map(mul, group.logits, evidence)) + sum(map(mul, group.chances, chances)))
            for group in groups
        ]

    def found(self, text: str, felt: Sequence[Felt] | None = None) -> list[tuple[str, float]]:
        """The emotions that are named, with their probabilities, the surest first; being neutral is none.

        `felt` is as in `probabilities`.
        """
        named = zip(self.labels, self.probabilities(text, felt), self.thresholds, strict=True)
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

    def _grams(self, text: str) -> tuple[Sequence[float], Sequence[float]]:
        """What words say, and what their parts do, of each label."""
        return WORDS.features(text).scores(self._words), PARTS.features(text).scores(self._parts)

    def _linear(self, text: str) -> list[float]:
        words, parts = self._grams(text)
        return [(w + p) * s + b for w, p, s, b in zip(words, parts, self._scales, self._biases, strict=True)]

    def _feels(self, summary: str) -> array[float]:
        """What a summary adds to the logit of each label, with all that is the same for every text."""
        known = self._lexical
        said = FEELINGS.features(summary).scores(self._feelings)
        columns = zip(said, known.scales, self._biases, known.slopes, known.biases, strict=False)
        return array("d", [one * scale + bias * slope + more for one, scale, bias, slope, more in columns])

    def _heard(self, text: str) -> Sequence[float]:
        return self._net.scores(text[:_READ])

    def _alone(self, word: str, column: int) -> float:
        words, parts = self._grams(word)
        return self._scales[column] * (words[column] + parts[column])

    def _together(self, words: Sequence[str], column: int) -> float:
        return self._heard(" ".join(words))[column]


def _chance(logit: float) -> float:
    return 0.5 + 0.5 * tanh(logit / 2)


def _any(logits: Sequence[float], labels: Sequence[int]) -> float:
    """The logit of it that one of the labels at least is there, if they were independent."""
    none = sum(math.log1p(math.exp(min(60.0, logits[label]))) for label in labels)
    return math.log(math.expm1(min(60.0, max(1e-9, none))))


@cache
def classifier() -> Classifier:
    """The one that ships."""
    return Classifier(msgspec.msgpack.decode(files(__package__).joinpath(WEIGHTS).read_bytes(), type=Weights))
