"""Texts as hashed n-grams, for whoever fits linear models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from alejo import NgramHasher


def matrix(hasher: NgramHasher, bits: int, texts: Iterable[str]) -> Any:
    """A sparse matrix of scipy: a row for each text, a column for each of 2^bits places. Needs the extra fit."""
    from scipy import sparse  # noqa: PLC0415 - only for those who fit

    vectors = [hasher.features(text) for text in texts]
    places = np.concatenate([np.frombuffer(vector.indices, np.uint32) for vector in vectors]).astype(np.int32)
    values = np.concatenate([np.frombuffer(vector.values, np.float32) for vector in vectors])
    starts = np.cumsum([0, *map(len, vectors)])
    return sparse.csr_matrix((values, places, starts), shape=(len(vectors), 1 << bits))
