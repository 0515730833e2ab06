"""How well emotions are named: `alejo bench emotion --data FILE`, a file of GoEmotions such as dev.tsv.

    macro_f1     the mean F1 of 28 labels, of Ekman's 7 groups, of 4 sentiments; in its interval lie 95 of 100 resamples
    micro_f1     the F1 of all labels together
    texts_s      texts per second and core, of the 28 labels, five times over; groups take half as long again
    appraise_us  one appraisal of a text of 20 words, words that carried it included, in µs
    size_mb      the weights as they ship

Beside them stands what is published of BERT-base on the test split: by the data's paper (D. Demszky et al., ACL 2020,
tables 4 to 6), and by its best known reimplementation (github.com/monologg/GoEmotions-pytorch); and with `--peers` what
VADER (C. Hutto and E. Gilbert, ICWSM 2014) makes of the same file: positive from a compound of 0.05 on, negative from
-0.05 down, neutral between; it knows no ambiguous texts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any, TypeVar

import alejo_emotion
import click
import numpy as np
from alejo_emotion import Feeling
from alejo_emotion.classifier import WEIGHTS, classifier
from numpy.typing import NDArray

from alejo import __version__

from . import goemotions, peers
from .goemotions import GROUPS, SENTIMENT, of_groups
from .report import Row, figures, row

__all__ = ["run"]

T = TypeVar("T")
_OURS = "alejo", __version__
_PUBLISHED = {
    ("BERT-base (paper)", "2020"): (0.46, 0.64, 0.69),
    ("BERT-base (reimplemented)", "2020"): (0.503, 0.624, 0.701),
}
_LEAST = 0.05  # the compound that its makers have for a sentiment
_DRAWS = 1000
_TWENTY = "I really did not expect that at all , but thank you so much for coming to my birthday party yesterday !"
_TIMES = 2000
_ROUNDS = 5


def run(options: Any) -> list[Row]:
    """Names every text's emotions."""
    if options.data is None:
        raise click.UsageError("emotion needs --data, a file of GoEmotions, such as dev.tsv.")
    texts, labels = goemotions.read(options.data / "dev.tsv" if options.data.is_dir() else options.data)
    if options.quick:
        texts, labels = texts[:1000], labels[:1000]
    known = classifier()
    probabilities, speeds = _timed(known.probabilities, texts)
    cases = {"28": (np.array(probabilities) >= np.array(known.thresholds), labels)}
    evidence = [known.evidence(text) for text in texts]
    for case, groups in GROUPS.items():
        named = known.groups[case]
        scores = np.array([known.grouped(each, named) for each in evidence])
        found = scores >= np.array([group.threshold for group in named])
        cases[case] = found, of_groups(labels, groups.values())
    rows = [each for case, (found, truth) in cases.items() for each in _quality(_OURS, case, found, truth)]
    if options.peers:
        rows += _vader(texts, cases["sentiment"][1])
    size = (Path(alejo_emotion.__file__).parent / WEIGHTS).stat().st_size / 1e6
    return [
        *rows,
        *_published(),
        row("emotion", "all", "alejo", __version__, "texts_s", "1/s", speeds),
        row("emotion", "all", "alejo", __version__, "appraise_us", "µs", asyncio.run(_appraise())),
        row("emotion", "all", "alejo", __version__, "size_mb", "MB", [size]),
    ]


def _timed(read: Callable[[str], T], texts: list[str]) -> tuple[list[T], list[float]]:
    """What is made of each text, and texts per second of each of five rounds; tables are read before."""
    read("")
    speeds = []
    for _ in range(_ROUNDS):
        began = process_time()
        made = [read(text) for text in texts]
        speeds.append(len(texts) / (process_time() - began))
    return made, speeds


def _f1(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    both = 2 * (found & truth).sum(axis=0)
    return both / np.maximum(1, found.sum(axis=0) + truth.sum(axis=0))  # type: ignore[no-any-return]


def _quality(system: tuple[str, str], case: str, found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> list[Row]:
    chance = np.random.default_rng(1)
    drawn = [chance.integers(0, len(truth), len(truth)) for _ in range(_DRAWS)]
    resampled = [_f1(found[rows], truth[rows]).mean() for rows in drawn]
    low, high = np.percentile(resampled, [2.5, 97.5])
    macro = float(_f1(found, truth).mean()), float(low), float(high)
    micro = float(_f1(found.reshape(-1, 1), truth.reshape(-1, 1))[0])
    return [
        figures("emotion", case, *system, "macro_f1", "share", macro, len(truth)),
        row("emotion", case, *system, "micro_f1", "share", [micro]),
    ]


def _published() -> list[Row]:
    """What others tell of themselves; it is not measured here."""
    return [
        row("emotion", case, system, year, "macro_f1", "share", [value])
        for (system, year), values in _PUBLISHED.items()
        for case, value in zip(("28", "ekman", "sentiment"), values, strict=True)
    ]


def _vader(texts: list[str], truth: NDArray[np.bool_]) -> list[Row]:
    """The sentiment that VADER finds."""
    peers.attach("emotion")
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415 - a peer

    analyzer = SentimentIntensityAnalyzer()
    system = "vaderSentiment", version("vaderSentiment")
    compounds, times = _timed(lambda text: analyzer.polarity_scores(text)["compound"], texts)
    said = np.array(compounds)
    named = {"positive": said >= _LEAST, "negative": said <= -_LEAST, "neutral": np.abs(said) < _LEAST}
    none = np.zeros(len(texts), bool)
    found = np.stack([named.get(sentiment, none) for sentiment in SENTIMENT], axis=1)
    speeds = row("emotion", "all", *system, "texts_s", "1/s", times)
    return [*_quality(system, "sentiment", found, truth), speeds]


async def _appraise() -> list[float]:
    feeling, rounds = Feeling(), []
    for _ in range(_ROUNDS):
        began = process_time()
        for _ in range(_TIMES):
            await feeling.appraise(_TWENTY)
        rounds.append((process_time() - began) / _TIMES * 1e6)
    return rounds
