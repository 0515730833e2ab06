"""What the emotion plugin goes by: `alejo bench emotion-fit --data FOLDER`, with GoEmotions' train.tsv.

Two linear models of each label, of which the mean ships (see alejo_emotion.classifier). The thresholds are those of the
best F1 on texts of train that the model was not fitted on, four parts in turn; no other file is read. The weights are
written into the installed emotion plugin, unless `--quick`, which takes a tenth of the texts.

    macro_f1   of train, each part by the model that did not see it, with those thresholds
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import alejo_emotion
import click
import msgspec
import numpy as np
from alejo_emotion.classifier import BITS, PARTS, WEIGHTS, WORDS, Group, Weights
from numpy.typing import NDArray

from alejo import NgramHasher, __version__

from . import goemotions
from .goemotions import GROUPS, LABELS
from .report import Row, row

__all__ = ["run"]

FILE = Path(alejo_emotion.__file__).parent / WEIGHTS
_FOLDS = 4
_PLAIN, _RATIOS = 1.5, 0.4  # how far each model may go to fit, as scikit-learn's C
_MOST_RATIO = 4.0
_EVERY = 10

Matrix = NDArray[np.float32]


def run(options: Any) -> list[Row]:
    """Fits, chooses thresholds, writes."""
    if options.data is None:
        raise click.UsageError("emotion-fit needs --data, a folder with GoEmotions' train.tsv.")
    texts, labels = goemotions.read(options.data / "train.tsv" if options.data.is_dir() else options.data)
    if options.quick:
        texts, labels = texts[::_EVERY], labels[::_EVERY]
    features = _features(texts)
    part = np.random.default_rng(1).integers(0, _FOLDS, len(texts))
    logits = np.zeros(labels.shape, np.float32)
    for fold in range(_FOLDS):
        click.echo(f"part {fold + 1} of {_FOLDS}", err=True)
        weights, biases = _fit(features[part != fold], labels[part != fold])
        logits[part == fold] = features[part == fold] @ weights + biases
    probabilities = 1 / (1 + np.exp(-logits))
    click.echo("everything", err=True)
    weights, biases = _fit(features, labels)
    if not options.quick:
        FILE.write_bytes(msgspec.msgpack.encode(_packed(weights, biases, probabilities, labels)))
    rows = [
        row("emotion-fit", "28", "alejo", __version__, "macro_f1", "share", [_best(probabilities, labels)[1].mean()])
    ]
    for case, groups in GROUPS.items():
        found = _best(grouped(probabilities, groups), _of_groups(labels, groups))[1].mean()
        rows.append(row("emotion-fit", case, "alejo", __version__, "macro_f1", "share", [found]))
    return rows


def grouped(probabilities: NDArray[Any], groups: dict[str, tuple[int, ...]]) -> NDArray[Any]:
    """How likely each group is, its labels taken as independent."""
    return np.stack([1 - np.prod(1 - probabilities[:, list(labels)], axis=1) for labels in groups.values()], axis=1)


def _of_groups(labels: NDArray[np.bool_], groups: dict[str, tuple[int, ...]]) -> NDArray[np.bool_]:
    return np.stack([labels[:, list(members)].any(axis=1) for members in groups.values()], axis=1)


def _features(texts: list[str]) -> Any:
    """A sparse matrix: a row for each text, 2^16 places of words, then 2^16 of their parts."""
    from scipy import sparse  # noqa: PLC0415 - only for those who fit

    def block(hasher: NgramHasher) -> Any:
        starts, places, values = [0], [], []
        for text in texts:
            vector = hasher.features(text)
            places.append(np.frombuffer(vector.indices, np.uint32))
            values.append(np.frombuffer(vector.values, np.float32))
            starts.append(starts[-1] + len(vector))
        cells = np.concatenate(values), np.concatenate(places).astype(np.int32), np.array(starts)
        return sparse.csr_matrix(cells, shape=(len(texts), 1 << BITS))

    return sparse.hstack([block(WORDS), block(PARTS)]).tocsr()


def _fit(features: Any, labels: NDArray[np.bool_]) -> tuple[Matrix, Matrix]:
    """The mean of both models: a column of weights and a bias for each label."""
    from scipy import sparse  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    weights = np.zeros((features.shape[1], labels.shape[1]), np.float32)
    biases = np.zeros(labels.shape[1], np.float32)
    for label in range(labels.shape[1]):
        has = labels[:, label]
        plain = LogisticRegression(C=_PLAIN, solver="liblinear", random_state=1).fit(features, has)
        ratio = _ratios(features, has)
        scaled = LogisticRegression(C=_RATIOS, solver="liblinear", random_state=1)
        scaled.fit(features @ sparse.diags(ratio), has)
        weights[:, label] = (plain.coef_[0] + scaled.coef_[0] * ratio) / 2
        biases[label] = (plain.intercept_[0] + scaled.intercept_[0]) / 2
    return weights, biases


def _ratios(features: Any, has: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The logarithm of how much more often a place is taken in texts that have a label than in others."""
    taken = features != 0
    inside = np.asarray(taken[has].sum(0)).ravel() + 1.0
    outside = np.asarray(taken[~has].sum(0)).ravel() + 1.0
    ratio = np.log((inside / inside.sum()) / (outside / outside.sum()))
    clipped: NDArray[np.float64] = np.clip(ratio, -_MOST_RATIO, _MOST_RATIO)
    return clipped


def _best(scores: NDArray[Any], truth: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The threshold of the best F1 of each column, and that F1."""
    thresholds, values = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    for column in range(scores.shape[1]):
        order = np.argsort(-scores[:, column], kind="stable")
        right = np.cumsum(truth[order, column])
        f1 = 2 * right / (np.arange(1, len(order) + 1) + truth[:, column].sum())
        place = int(f1.argmax())
        thresholds[column], values[column] = scores[order[place], column], f1[place]
    return thresholds, values


def _packed(weights: Matrix, biases: Matrix, probabilities: NDArray[Any], labels: NDArray[np.bool_]) -> Weights:
    """A byte for each weight, of the scale that the greatest one of its label needs."""
    scales = np.abs(weights).max(axis=0) / 127
    small = np.rint(weights / scales).astype(np.int8)
    named = {
        case: tuple(
            Group(name, members, float(threshold))
            for (name, members), threshold in zip(
                groups.items(), _best(grouped(probabilities, groups), _of_groups(labels, groups))[0], strict=True
            )
        )
        for case, groups in GROUPS.items()
    }
    half = 1 << BITS
    return Weights(
        tuple(LABELS),
        tuple(map(float, scales)),
        tuple(map(float, biases)),
        tuple(map(float, _best(probabilities, labels)[0])),
        named,
        small[:half].tobytes(),
        small[half:].tobytes(),
    )
