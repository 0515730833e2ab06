"""How the brain weighs what may answer: `alejo bench brain-fit`, fitted on benchmarks/corpora/recall and nothing else.

The weights make a softmax over all candidates of a question (alejo_brain.extracting), whose cross entropy with the
shares below is least, drawn to 0 by RIDGE (Adam, Kingma and Ba 2015, over all questions at once). A candidate's share
grows with its token F1 by exp(F1 / SHARP); a question counts by the best F1 it can have. They are written into the
installed brain plugin, unless `--quick`.

    token_f1   of the best candidate, on conversations that its weights were not fitted on, one in FOLDS in turn
    possible   of the candidate that fits best
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from alejo_brain.answering import about
from alejo_brain.asked import read
from alejo_brain.extracting import CROSSED, PLAIN, WEIGHTS, candidates, parts
from alejo_brain.tongues import KINDS
from numpy.typing import NDArray

from alejo import __version__

from . import brain, corpora
from .corpora import Corpus
from .report import Row, row

__all__ = ["run"]

FOLDS = 6
SHARP = 0.1
RIDGE = 0.3
_STEPS, _RATE = 400, 0.05
_MOST = 1.5  # by which a question counts more than its best candidate fits, at most 1
_WIDTH = len(PLAIN) + len(CROSSED) * len(KINDS)

Values = NDArray[np.float64]


class Case(NamedTuple):
    """A question's candidates: their features, and how well each fits. `conversation` is which it is of."""

    features: Values
    fits: Values
    conversation: int


def run(options: Any) -> list[Row]:
    """Fits, tries on what was left out, writes."""
    corpus = corpora.read(None)
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        cases = asyncio.run(_cases(corpus, Path(folder)))
    steps = _STEPS // 10 if options.quick else _STEPS
    reached = []
    for fold in range(FOLDS):
        weights = fit([each for each in cases if each.conversation % FOLDS != fold], steps)
        reached += [_best(each, weights) for each in cases if each.conversation % FOLDS == fold]
    if not options.quick:
        WEIGHTS.write_text(json.dumps(named(fit(cases, steps)), indent=1) + "\n", "utf-8")
    about = ("brain-fit", "all", "alejo", __version__)
    possible = float(np.mean([each.fits.max() for each in cases]))
    return [
        row(*about, "token_f1", "share", [float(np.mean(reached))]),
        row(*about, "possible", "share", [possible]),
    ]


async def _cases(corpus: Corpus, folder: Path) -> list[Case]:
    """The candidates of every question that has an answer and no date for one."""
    cases = []
    async for place, question, turn, _ in brain.turns(corpus, folder):
        asked = read(question.text)
        hits, speaker = await about(asked, turn)
        found = [each for part in parts(asked, hits, speaker) for each in candidates(asked, part)]
        if found and question.answer and asked.kind != "when":
            features = np.array([_wide(each.features, asked.kind) for each in found])
            fits = np.array([brain.token_f1(each.text, question.answer) for each in found])
            cases.append(Case(features, fits, place))
    return cases


def _wide(features: Sequence[float], kind: str) -> Values:
    """Features with those that are crossed in the place of what is asked for."""
    wide = np.zeros(_WIDTH)
    wide[: len(PLAIN)] = features[: len(PLAIN)]
    place = len(PLAIN) + len(CROSSED) * KINDS.index(kind)
    wide[place : place + len(CROSSED)] = features[len(PLAIN) :]
    return wide


def fit(cases: Sequence[Case], steps: int) -> Values:
    """The weights that fit cases best."""
    weights, mean, square = np.zeros(_WIDTH), np.zeros(_WIDTH), np.zeros(_WIDTH)
    wanted = [_wanted(each.fits) for each in cases]
    for step in range(1, steps + 1):
        gradient = -RIDGE * weights
        for each, shares in zip(cases, wanted, strict=True):
            chances = np.exp(each.features @ weights - (each.features @ weights).max())
            gradient += each.features.T @ (shares - shares.sum() * chances / chances.sum())
        gradient /= len(cases)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weights += _RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return weights


def _wanted(fits: Values) -> Values:
    shares = np.exp((fits - fits.max()) / SHARP)
    return np.asarray(shares / shares.sum() * min(1.0, _MOST * float(fits.max())))


def _best(case: Case, weights: Values) -> float:
    return float(case.fits[np.argmax(case.features @ weights)])


def named(weights: Values) -> dict[str, Any]:
    """The weights as they ship."""

    def of(names: Sequence[str], start: int) -> dict[str, float]:
        return {
            name: round(float(each), 3) for name, each in zip(names, weights[start:], strict=False) if abs(each) > 5e-4
        }

    crossed = {kind: of(CROSSED, len(PLAIN) + len(CROSSED) * place) for place, kind in enumerate(KINDS)}
    return {"plain": of(PLAIN, 0), "crossed": crossed}
