"""GoEmotions: texts with labels, and the groups that its paper makes of them (D. Demszky et al., ACL 2020)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

_NAMES = """
admiration amusement anger annoyance approval caring confusion curiosity desire disappointment disapproval disgust
embarrassment excitement fear gratitude grief joy love nervousness optimism pride realization relief remorse sadness
surprise neutral
"""
LABELS = _NAMES.split()
EKMAN = {
    "anger": "anger annoyance disapproval",
    "disgust": "disgust",
    "fear": "fear nervousness",
    "joy": ("joy amusement approval excitement gratitude love optimism relief pride admiration desire caring"),
    "sadness": "sadness disappointment embarrassment grief remorse",
    "surprise": "surprise realization confusion curiosity",
    "neutral": "neutral",
}
SENTIMENT = {
    "positive": EKMAN["joy"],
    "negative": " ".join(EKMAN[name] for name in ("anger", "disgust", "fear", "sadness")),
    "ambiguous": EKMAN["surprise"],
    "neutral": "neutral",
}
GROUPS = {
    case: {name: tuple(LABELS.index(label) for label in labels.split()) for name, labels in groups.items()}
    for case, groups in (("ekman", EKMAN), ("sentiment", SENTIMENT))
}
# The labels of each group that has several, each once.
WHOLES = tuple(dict.fromkeys(labels for groups in GROUPS.values() for labels in groups.values() if len(labels) > 1))


def of_groups(labels: NDArray[np.bool_], groups: Iterable[tuple[int, ...]]) -> NDArray[np.bool_]:
    """Which texts have one of the labels of each group."""
    return np.stack([labels[:, list(members)].any(axis=1) for members in groups], axis=1)


def read(path: Path) -> tuple[list[str], NDArray[np.bool_]]:
    """The texts of a file of `text<TAB>labels,by number<TAB>id`, and which of the 28 labels each has."""
    texts: list[str] = []
    rows: list[NDArray[np.bool_]] = []
    try:
        for line in path.read_text("utf-8").splitlines():
            text, numbers = line.split("\t")[:2]
            row = np.zeros(len(LABELS), bool)
            row[[int(number) for number in numbers.split(",")]] = True
            texts.append(text)
            rows.append(row)
    except (OSError, ValueError, IndexError) as error:
        raise click.UsageError(f"{path} is no file of GoEmotions: {error}") from None
    if not texts:
        raise click.UsageError(f"{path} holds no text.")
    return texts, np.stack(rows)
