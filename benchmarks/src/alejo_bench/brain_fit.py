"""How the brain weighs what may answer: `alejo bench brain-fit`, fitted on benchmarks/corpora/recall and, for LEARNT of
that for each question, benchmarks/corpora/answers, and nothing else.

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
from alejo_brain.asked import Asked, read
from alejo_brain.extracting import CROSSED, PLAIN, WEIGHTS, Part, Scale, parts, runs
from alejo_brain.tongues import KINDS
from numpy.typing import NDArray

from alejo import __version__

from . import brain, corpora
from .corpora import Corpus
from .report import Row, row

__all__ = ["run"]

FOLDS = 6
SHARP = 0.1
LEARNT = 0.25  # answered in the words that were said, as those of recall/ are not
RIDGE = 0.3
_STEPS, _RATE = 400, 0.05
_MOST = 1.5  # by which a question counts more than its best candidate fits, at most 1
_WIDTH = len(PLAIN) + len(CROSSED) * len(KINDS)

Values = NDArray[np.floating]


class Case(NamedTuple):
    """A question's candidates: their features, and how well each fits.

    `kind` is the place of what is asked for among KINDS, `conversation` which one it is of, `worth` how much it counts.
    """

    features: Values
    fits: Values
    kind: int
    conversation: int
    worth: float = 1.0


class _Kind(NamedTuple):
    """All candidates of the questions of one kind: where each question's begin, and the shares that are wanted."""

    features: Values
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]
    wanted: Values
    totals: Values


def run(options: Any) -> list[Row]:
    """Fits, tries on what was left out, writes."""
    cases, learnt = (_read(path) for path in (corpora.OWN, corpora.ANSWERS))
    learnt = [each._replace(worth=LEARNT) for each in learnt]
    steps = _STEPS // 10 if options.quick else _STEPS
    reached = []
    for fold in range(FOLDS):
        weights = fit(learnt + [each for each in cases if each.conversation % FOLDS != fold], steps)
        reached += [_best(each, weights) for each in cases if each.conversation % FOLDS == fold]
    if not options.quick:
        WEIGHTS.write_text(json.dumps(named(fit(cases + learnt, steps)), indent=1) + "\n", "utf-8")
    about = ("brain-fit", "all", "alejo", __version__)
    possible = float(np.mean([each.fits.max() for each in cases]))
    return [
        row(*about, "token_f1", "share", [float(np.mean(reached))]),
        row(*about, "possible", "share", [possible]),
    ]


def _read(path: Path) -> list[Case]:
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        return asyncio.run(_cases(corpora.read(path), Path(folder)))


async def _cases(corpus: Corpus, folder: Path) -> list[Case]:
    """The candidates of every question that has an answer and no date for one."""
    cases = []
    async for place, question, turn, _ in brain.turns(corpus, folder):
        asked = read(question.text)
        hits, speaker = await about(asked, turn)
        looked_at = parts(asked, hits, speaker)
        texts = [part.line.said(start, end) for part in looked_at for _, start, end in runs(asked, part, Scale({}))]
        if texts and question.answer and asked.kind != "when":
            features = _features(asked, looked_at)
            fits = np.array([brain.token_f1(each, question.answer) for each in texts], np.float32)
            cases.append(Case(features, fits, KINDS.index(asked.kind), place))
    return cases


def _features(asked: Asked, looked_at: Sequence[Part]) -> Values:
    """What is said of each candidate: what it weighs where that alone weighs 1."""
    columns = (
        [weight for part in looked_at for weight, _, _ in runs(asked, part, Scale({name: 1.0}))]
        for name in (*PLAIN, *CROSSED)
    )
    return np.array(list(columns), np.float32).T


def fit(cases: Sequence[Case], steps: int) -> Values:
    """The weights that fit cases best: those of PLAIN, then those of CROSSED for each kind."""
    kinds = [(kind, _together([each for each in cases if each.kind == kind])) for kind in {one.kind for one in cases}]
    weights, mean, square = np.zeros(_WIDTH), np.zeros(_WIDTH), np.zeros(_WIDTH)
    for step in range(1, steps + 1):
        gradient = -RIDGE * weights
        for kind, of in kinds:
            raised = np.exp(_raised(of.features @ _of(weights, kind), of))
            sums = np.add.reduceat(raised, of.starts)
            there = of.features.T @ (of.wanted - raised * np.repeat(of.totals / sums, of.counts))
            gradient[: len(PLAIN)] += there[: len(PLAIN)]
            gradient[_crossed(kind)] += there[len(PLAIN) :]
        gradient /= len(cases)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weights += _RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return weights


def _together(cases: Sequence[Case]) -> _Kind:
    counts = np.array([len(each.fits) for each in cases])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    wanted = np.concatenate([each.worth * _wanted(each.fits) for each in cases])
    features = np.concatenate([each.features for each in cases])
    return _Kind(features, counts, starts, wanted, np.add.reduceat(wanted, starts))


def _raised(weighed: Values, of: _Kind) -> Values:
    """Weights of candidates, those of each question lowered so that the greatest is 0."""
    return np.asarray(weighed - np.repeat(np.maximum.reduceat(weighed, of.starts), of.counts))


def _crossed(kind: int) -> slice:
    return slice(len(PLAIN) + len(CROSSED) * kind, len(PLAIN) + len(CROSSED) * (kind + 1))


def _of(weights: Values, kind: int) -> Values:
    """The weights of the features of a kind's candidates."""
    return np.concatenate([weights[: len(PLAIN)], weights[_crossed(kind)]]).astype(np.float32)


def _wanted(fits: Values) -> Values:
    shares = np.exp((fits - fits.max()) / SHARP)
    return np.asarray(shares / shares.sum() * min(1.0, _MOST * float(fits.max())))


def _best(case: Case, weights: Values) -> float:
    return float(case.fits[np.argmax(case.features @ _of(weights, case.kind))])


def named(weights: Values) -> dict[str, Any]:
    """The weights as they ship."""

    def of(names: Sequence[str], start: int) -> dict[str, float]:
        return {
            name: round(float(each), 3) for name, each in zip(names, weights[start:], strict=False) if abs(each) > 5e-4
        }

    crossed = {kind: of(CROSSED, len(PLAIN) + len(CROSSED) * place) for place, kind in enumerate(KINDS)}
    return {"plain": of(PLAIN, 0), "crossed": crossed}
