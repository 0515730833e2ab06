"""What the conscience goes by where no rule says anything: `alejo bench conscience-fit --data FOLDER`.

A ridge regression for each category over the n-grams and ideas of the texts to learn from and the open cases of
benchmarks/corpora/conscience, and of some of GoEmotions' train.tsv (in FOLDER), which stand for harmless talk. What is
rarer counts for more (K. Spärck Jones, 1972), and words that are near in alejo's table of embeddings are alike. Each
text is also scored by a model that was fitted without it, of which there are five; the thresholds are of these scores
alone. The weights are written into the installed emotion plugin, unless `--quick`, which
takes a third of the texts.

    recall        of the texts of a category, by the model that did not see them
    false_alarm   of the harmless ones that look like it, and of `talk`
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import alejo_emotion
import click
import msgspec
import numpy as np
from alejo_emotion.conscience import shades
from alejo_emotion.conscience.ideas import ideas, together
from alejo_emotion.conscience.rules import Rules, normal
from alejo_emotion.conscience.shades import BITS, IDEA_BITS, IDEAS, PAIRS, PARTS, WORDS, Table, Weights
from numpy.typing import NDArray

from alejo import NgramHasher, shipped_table
from alejo.embedding import SHIPPED

from . import goemotions
from .conscience import Case, cases, share
from .corpora import ROOT
from .hashed import matrix
from .report import Row

__all__ = ["run"]

FOLDER = ROOT / "benchmarks" / "corpora" / "conscience"
FILE = Path(alejo_emotion.__file__).parent / "conscience" / shades.WEIGHTS
CATEGORIES = ("self_harm", "violence", "illegal", "secrets", "irreversible", "injection")
_RIDGE = 1.0
_TALK_WEIGHT = 0.12  # there is much of it, and nobody has looked whether each is harmless
_PARTS = 5
_STEPS = 40  # more change no ruling
_TALK_WORDS = 6
_GRAVE = frozenset({"suicide", "selfharm"})
# The shares of harmless texts and of talk that a category may take for its own: where a question is all that comes of
# it more, of what stands in every talk less. Words about assistants are everyday words to those who build with them.
_ALARM, _ALARMS = 0.008, {"illegal": 0.012, "irreversible": 0.010, "secrets": 0.010, "injection": 0.004}
# Of talk, in which people threaten each other for fun: of violence more, which costs no everyday text.
_TALK_ALARM, _TALK_ALARMS = 0.0003, {"violence": 0.0005}
_SURE_ALARMS = 0.0001  # of talk, where it is to be sure; of the others none
_EVERY = 3
_IDEAS = 0.6  # what the ideas of a text weigh beside its words
_LETTERS = re.compile(r"[^\W\d_]{2,}")

Matrix = NDArray[np.float32]


def run(options: Any) -> list[Row]:
    """Fits, chooses thresholds, writes."""
    if options.data is None:
        raise click.UsageError("conscience-fit needs --data, a folder with GoEmotions' train.tsv.")
    every = _EVERY if options.quick else 1
    cases = learning(FOLDER)[::every]
    talk = _talk(options.data / "train.tsv")[::every]
    plain = [normal(text) for text in [each.text for each in cases] + talk]
    blocks = [_Block(plain, hasher) for hasher in (WORDS, PAIRS, PARTS)]
    blocks.append(_Block([together(text) for text in plain], IDEAS, _IDEAS))
    near = _Near(plain, blocks[0])
    known = _Rows([block.rows for block in blocks], near.rows)
    labels = np.full((len(plain), len(CATEGORIES)), -1.0, np.float32)
    for row, case in enumerate(cases):
        if case.category != "none":
            labels[row, CATEGORIES.index(case.category)] = 1.0
    heard = np.where(np.arange(len(labels)) < len(cases), np.float32(1.0), np.float32(_TALK_WEIGHT))[:, None]
    scores = _unseen(known, labels, heard)
    harmless, said = scores[: len(cases)][labels[: len(cases)].max(axis=1) < 0], scores[len(cases) :]
    allowed = [1 - _ALARMS.get(category, _ALARM) for category in CATEGORIES]
    looking = [np.quantile(column, share) for column, share in zip(harmless.T, allowed, strict=True)]
    heard_of = [1 - _TALK_ALARMS.get(category, _TALK_ALARM) for category in CATEGORIES]
    talking = [np.quantile(column, share) for column, share in zip(said.T, heard_of, strict=True)]
    thresholds = np.maximum(looking, talking)
    if not options.quick:
        sure = np.maximum(harmless.max(axis=0), np.quantile(said, 1 - _SURE_ALARMS, axis=0))
        sure = np.maximum(sure, thresholds)
        *tables, alike, biases = known.apart(_fitted(known, labels, heard))
        weights = [block.scale[:, None] * each for block, each in zip(blocks, tables, strict=True)]
        weights[0] += near.weights(alike)
        packed = Weights(
            CATEGORIES,
            tuple(biases[0].tolist()),
            tuple(thresholds.tolist()),
            tuple(sure.tolist()),
            tuple(map(_packed, weights)),
        )
        FILE.write_bytes(msgspec.msgpack.encode(packed))
    rows = [
        share("conscience-fit", name, "false_alarm", [bool(each.max() > 0) for each in found - thresholds])
        for name, found in (("all", harmless), ("talk", said))
    ]
    excess = scores - thresholds
    named = np.where(excess.max(axis=1) > 0, excess.argmax(axis=1), -1)
    for column, category in enumerate(CATEGORIES):
        rows.append(share("conscience-fit", category, "recall", (named[labels[:, column] > 0] == column).tolist()))
    return rows


def _talk(path: Path) -> list[str]:
    """Texts of GoEmotions but for those that a rule stops or that speak of what nobody has judged here."""
    texts, _ = goemotions.read(path)
    rules = Rules()
    return [
        text
        for text in texts
        if len(text.split()) >= _TALK_WORDS
        and _GRAVE.isdisjoint(ideas(normal(text)))
        and not rules.holding(text, "request")
    ]


def learning(folder: Path) -> list[Case]:
    """The texts that may be learned from, each once: none of those that measure."""
    found = [case for path in sorted(folder.glob("learning*.jsonl")) for case in cases(path)]
    found += [case for case in cases(folder / "cases.jsonl") if case.part == "open"]
    return list({case.text: case for case in found}.values())


class _Block:
    """The n-grams of texts, `rows`, each by how rare it is; their squared lengths are `share` in the mean."""

    def __init__(self, texts: list[str], hasher: NgramHasher, share: float = 1.0) -> None:
        self.counts = _counts(texts, hasher)
        seen = np.bincount(self.counts.indices, minlength=self.counts.shape[1])
        rarity = np.log((len(texts) + 1) / (np.maximum(seen, 1) + 1)).astype(np.float32)
        rows = self.counts.multiply(rarity).tocsr()
        size = np.float32(np.sqrt(rows.multiply(rows).sum() / len(texts) / share))
        self.rows, self.scale = rows / size, rarity / size


class _Near:
    """The sums of the embeddings of a text's words, `rows`: what is learned of a word is true of its neighbours."""

    def __init__(self, texts: list[str], block: _Block) -> None:
        known = {word for word in (SHIPPED / "vocab.txt").read_text("utf-8").split() if _LETTERS.fullmatch(word)}
        words = sorted(known.union(*map(_LETTERS.findall, texts)))
        alone = _counts(words, WORDS)
        vectors = np.frombuffer(shipped_table().embed_many(words), np.float32).reshape(len(words), -1)
        one = np.diff(alone.indptr) == 1  # a word that is one place
        self._scale = block.scale
        self._places = alone[one].T @ vectors[one]
        rows = block.rows @ self._places
        self._size = np.float32(np.sqrt((rows * rows).sum(axis=1).mean()))
        self.rows = rows / self._size

    def weights(self, alike: Matrix) -> Matrix:
        """What they add to the weights of words, as of n-grams that are not scaled."""
        weights: Matrix = self._scale[:, None] * (self._places @ alike) / self._size
        return weights


class _Rows:
    """All that is known of the texts, side by side: sparse blocks, a dense one, and a 1."""

    def __init__(self, blocks: list[Any], near: Matrix) -> None:
        self._blocks = [*(block.tocsr() for block in blocks), near, np.ones((len(near), 1), np.float32)]
        self._turned = [block.T.tocsr() for block in self._blocks[:-2]] + [block.T for block in self._blocks[-2:]]
        self._ends = np.cumsum([block.shape[1] for block in self._blocks])

    def apart(self, weights: Matrix) -> list[Matrix]:
        """The weights of each block."""
        return np.split(weights, self._ends[:-1])

    def times(self, weights: Matrix) -> Matrix:
        """What each text scores."""
        scores: Matrix = sum(block @ own for block, own in zip(self._blocks, self.apart(weights), strict=True))
        return scores

    def turned(self, scores: Matrix) -> Matrix:
        """The sums of what texts score, by what is known of them."""
        return np.concatenate([block @ scores for block in self._turned])


def _unseen(rows: _Rows, labels: Matrix, heard: Matrix) -> Matrix:
    """What each text scores by a model that was fitted without it."""
    part = np.random.default_rng(0).permutation(len(labels)) % _PARTS
    scores = np.empty_like(labels)
    for left_out in range(_PARTS):
        kept = heard * (part != left_out)[:, None]
        scores[part == left_out] = rows.times(_fitted(rows, labels, kept))[part == left_out]
    return scores


def _fitted(rows: _Rows, labels: Matrix, heard: Matrix) -> Matrix:
    """The ridge regression of each label, by conjugate gradients (M. Hestenes and E. Stiefel, 1952)."""
    rest = rows.turned(heard * labels)
    weights, way = np.zeros_like(rest), rest.copy()
    length = (rest * rest).sum(axis=0)
    for _ in range(_STEPS):
        bent = rows.turned(heard * rows.times(way)) + np.float32(_RIDGE) * way
        step = length / np.maximum((way * bent).sum(axis=0), 1e-30)
        weights += step * way
        rest -= step * bent
        before, length = length, (rest * rest).sum(axis=0)
        way = rest + length / np.maximum(before, 1e-30) * way
    return weights


def _counts(texts: list[str], hasher: NgramHasher) -> Any:
    """A sparse matrix: a row for each text, a column for each place."""
    return matrix(hasher, IDEA_BITS if hasher is IDEAS else BITS, texts)


def _packed(weights: Matrix) -> Table:
    """A byte for each weight, of the scale that the greatest one of its category needs."""
    scales = np.abs(weights).max(axis=0) / 127
    return Table(tuple(scales.tolist()), np.rint(weights / scales).astype(np.int8).tobytes())
