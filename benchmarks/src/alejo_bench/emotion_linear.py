"""The linear part of the emotion classifier: two models of each label, of which the mean ships."""

from __future__ import annotations

from typing import Any, NamedTuple

import click
import numpy as np
from alejo_emotion.classifier import BITS, PARTS, WORDS
from numpy.typing import NDArray

from .hashed import matrix

_PLAIN, _RATIOS = 1.5, 0.4  # how far each model may go to fit, as scikit-learn's C
_MOST_RATIO = 4.0

Matrix = NDArray[np.float32]


class Linear(NamedTuple):
    """What ships: scales, biases, and a byte a weight of words and of parts; and the logits of texts not fitted on."""

    packed: tuple[tuple[float, ...], tuple[float, ...], bytes, bytes]
    unseen: Matrix


def fit(texts: list[str], labels: NDArray[np.bool_], part: NDArray[Any]) -> Linear:
    """The models of all texts, and of each part what those of the others say."""
    features = _features(texts)
    unseen = np.zeros(labels.shape, np.float32)
    for fold in np.unique(part):
        click.echo(f"part {fold + 1}", err=True)
        weights, biases = _fit(features[part != fold], labels[part != fold])
        unseen[part == fold] = features[part == fold] @ weights + biases
    click.echo("everything", err=True)
    return Linear(_packed(*_fit(features, labels)), unseen)


def _features(texts: list[str]) -> Any:
    """A sparse matrix: a row for each text, 2^16 places of words, then 2^16 of their parts."""
    from scipy import sparse  # noqa: PLC0415 - only for those who fit

    return sparse.hstack([matrix(WORDS, BITS, texts), matrix(PARTS, BITS, texts)]).tocsr()


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


def _packed(weights: Matrix, biases: Matrix) -> tuple[tuple[float, ...], tuple[float, ...], bytes, bytes]:
    """A byte for each weight, of the scale that the greatest one of its label needs."""
    scales = np.abs(weights).max(axis=0) / 127
    small = np.rint(weights / scales).astype(np.int8)
    half = 1 << BITS
    return tuple(map(float, scales)), tuple(map(float, biases)), small[:half].tobytes(), small[half:].tobytes()
