"""The lexicon's part of the emotion classifier: a linear model of each class, of what the lexicon finds in a text.

It begins from the logits of what stands before it, of parts that was not fitted on, and weighs them too: where a word
of the lexicon is seldom in train, it knows more than they.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from alejo_emotion.classifier import FEELING_BITS, FEELINGS, Lexical
from alejo_emotion.felt import found, summary
from numpy.typing import NDArray

from .hashed import matrix

_FREEDOM = 0.5  # how far it may go to fit, as scikit-learn's C

Numbers = NDArray[Any]


def fit(texts: list[str], targets: NDArray[np.bool_], part: Numbers, known: Numbers) -> tuple[Lexical, Numbers]:
    """The model of all texts, and the logits of each part by that of the others; `known` are the logits before it."""
    features = _features(texts)
    unseen = np.zeros(targets.shape)
    for fold in np.unique(part):
        kept = part != fold
        slopes, biases, weights = _fit(features[kept], targets[kept], known[kept])
        unseen[~kept] = known[~kept] * slopes + features[~kept] @ weights + biases
    return _packed(*_fit(features, targets, known)), unseen


def _features(texts: list[str]) -> Any:
    """A sparse matrix: a row for each text, 2^12 places of what the lexicon finds."""
    return matrix(FEELINGS, FEELING_BITS, (summary(found(text)) for text in texts))


def _fit(features: Any, targets: NDArray[np.bool_], known: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """For each class a slope for the logit that is known, a bias, and a column of weights."""
    from scipy import sparse  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    slopes, biases = np.zeros(targets.shape[1]), np.zeros(targets.shape[1])
    weights = np.zeros((features.shape[1], targets.shape[1]))
    for column in range(targets.shape[1]):
        both = sparse.hstack([sparse.csr_matrix(known[:, [column]]), features]).tocsr()
        found = LogisticRegression(C=_FREEDOM, max_iter=1000).fit(both, targets[:, column])
        slopes[column], biases[column] = found.coef_[0, 0], found.intercept_[0]
        weights[:, column] = found.coef_[0, 1:]
    return slopes, biases, weights


def _packed(slopes: Numbers, biases: Numbers, weights: Numbers) -> Lexical:
    """A byte for each weight, of the scale that the greatest one of its class needs."""
    scales = np.abs(weights).max(axis=0) / 127
    small = np.rint(weights / scales).astype(np.int8)
    return Lexical(tuple(map(float, slopes)), tuple(map(float, biases)), tuple(map(float, scales)), small.tobytes())
