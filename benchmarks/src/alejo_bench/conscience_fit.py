"""What the conscience goes by where no rule says anything: `alejo bench conscience-fit --data FOLDER`.

A ridge regression for each category over the n-grams and ideas of the texts to learn from and the open cases of
benchmarks/corpora/conscience, and of some of GoEmotions' train.tsv (in FOLDER), which stand for harmless talk. Each
text is also scored by the model that has all others (leave one out, in closed form: D. Allen's PRESS, 1974); the
thresholds are of these scores alone. The weights are written into the installed emotion plugin, unless `--quick`, which
takes a third of the texts.

    recall        of the texts of a category, by the model that did not see them
    false_alarm   of the harmless ones that look like it, and of `talk`
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import alejo_emotion
import click
import msgspec
import numpy as np
from alejo_emotion.conscience import shades
from alejo_emotion.conscience.ideas import ideas, together
from alejo_emotion.conscience.rules import Rules, normal
from alejo_emotion.conscience.shades import IDEAS, IDEAS_COUNT, PARTS, WORDS, Weights
from numpy.typing import NDArray

from alejo import NgramHasher

from . import goemotions
from .conscience import Case, cases, share
from .corpora import ROOT
from .report import Row

__all__ = ["run"]

FOLDER = ROOT / "benchmarks" / "corpora" / "conscience"
FILE = Path(alejo_emotion.__file__).parent / "conscience" / shades.WEIGHTS
CATEGORIES = ("self_harm", "violence", "illegal", "secrets", "irreversible", "injection")
_RIDGE = 1.0
_TALK = 10  # of this many texts of GoEmotions one is taken
_TALK_WEIGHT = 0.5  # nobody has looked whether each is harmless
_TALK_WORDS = 6
_GRAVE = frozenset({"suicide", "selfharm"})
# The shares of harmless texts and of talk that a category may take for its own. Words about assistants are everyday
# words to those who build with them.
_ALARM, _ALARMS = 0.008, {"injection": 0.002}
_TALK_ALARMS = 0.0003
_EVERY = 3

Matrix = NDArray[np.float64]


def run(options: Any) -> list[Row]:
    """Fits, chooses thresholds, writes."""
    if options.data is None:
        raise click.UsageError("conscience-fit needs --data, a folder with GoEmotions' train.tsv.")
    every = _EVERY if options.quick else 1
    cases = learning(FOLDER)[::every]
    talk = _talk(options.data / "train.tsv")[::every]
    features = _features([each.text for each in cases] + talk)
    labels = np.full((features.shape[0], len(CATEGORIES)), -1.0)
    for row, case in enumerate(cases):
        if case.category != "none":
            labels[row, CATEGORIES.index(case.category)] = 1.0
    heard = np.where(np.arange(len(labels)) < len(cases), 1.0, _TALK_WEIGHT)
    inverse = np.linalg.inv((features @ features.T).toarray() + 1.0 + np.diag(_RIDGE / heard))
    duals = inverse @ labels
    scores = labels - duals / np.diag(inverse)[:, None]
    harmless, said = scores[: len(cases)][labels[: len(cases)].max(axis=1) < 0], scores[len(cases) :]
    allowed = [1 - _ALARMS.get(category, _ALARM) for category in CATEGORIES]
    looking = [np.quantile(column, share) for column, share in zip(harmless.T, allowed, strict=True)]
    thresholds = np.maximum(looking, np.quantile(said, 1 - _TALK_ALARMS, axis=0))
    if not options.quick:
        sure = np.maximum(harmless.max(axis=0), said.max(axis=0))
        packed = _packed(features.T @ duals, duals.sum(axis=0), thresholds, sure)
        FILE.write_bytes(msgspec.msgpack.encode(packed))
    rows = [
        share("conscience-fit", name, "false_alarm", list((found > thresholds).any(axis=1)))
        for name, found in (("all", harmless), ("talk", said))
    ]
    excess = scores - thresholds
    named = np.where(excess.max(axis=1) > 0, excess.argmax(axis=1), -1)
    for column, category in enumerate(CATEGORIES):
        rows.append(share("conscience-fit", category, "recall", list(named[labels[:, column] > 0] == column)))
    return rows


def _talk(path: Path) -> list[str]:
    """Texts of GoEmotions but for those that a rule stops or that speak of what nobody has judged here."""
    texts, _ = goemotions.read(path)
    rules = Rules()
    return [
        text
        for text in [text for text in texts if len(text.split()) >= _TALK_WORDS][::_TALK]
        if _GRAVE.isdisjoint(ideas(normal(text))) and not rules.holding(text, "request")
    ]


def learning(folder: Path) -> list[Case]:
    """The texts that may be learned from, each once: none of those that measure."""
    found = [case for path in sorted(folder.glob("learning*.jsonl")) for case in cases(path)]
    found += [case for case in cases(folder / "cases.jsonl") if case.part == "open"]
    return list({case.text: case for case in found}.values())


def _features(texts: list[str]) -> Any:
    """A sparse matrix: a row for each text, the places of words, then those of their parts and of ideas."""
    from scipy import sparse  # noqa: PLC0415 - only for those who fit

    def block(hasher: NgramHasher, bits: int, texts: list[str]) -> Any:
        starts, places, values = [0], [], []
        for text in texts:
            vector = hasher.features(text)
            places.append(np.frombuffer(vector.indices, np.uint32))
            values.append(np.frombuffer(vector.values, np.float32))
            starts.append(starts[-1] + len(vector))
        cells = np.concatenate(values), np.concatenate(places).astype(np.int32), np.array(starts)
        return sparse.csr_matrix(cells, shape=(len(texts), 1 << bits), dtype=np.float64)

    plain = [normal(text) for text in texts]
    spoken = [together(text) for text in plain]
    blocks = block(WORDS, 15, plain), block(PARTS, 16, plain), block(IDEAS, 14, spoken) * IDEAS_COUNT
    return sparse.hstack(blocks).tocsr()


def _packed(weights: Matrix, biases: Matrix, thresholds: Matrix, sure: Matrix) -> Weights:
    """A byte for each weight, of the scale that the greatest one of its category needs."""
    scales = np.abs(weights).max(axis=0) / 127
    small = np.rint(weights / scales).astype(np.int8)
    words, parts, ideas = np.split(small, [1 << 15, (1 << 15) + (1 << 16)])
    return Weights(
        CATEGORIES,
        tuple(scales.tolist()),
        tuple(biases.tolist()),
        tuple(thresholds.tolist()),
        tuple(sure.tolist()),
        words.tobytes(),
        parts.tobytes(),
        ideas.tobytes(),
    )
