"""The network of the emotion classifier: layers of convolutions over the tokens of the table that ships.

It is trained to say what a linear model left unsaid: that model's logits, of parts it was not fitted on, are added to
its own before they are compared with the labels. Words and channels are left out at random, and what ships is a mean of
the weights over the last steps (AdamW: Loshchilov and Hutter, 2019; dropout: Srivastava et al., 2014; averaging:
Polyak and Juditsky, 1992). The same texts need not make the same weights again: training enlarges what
rounding changes.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from alejo_emotion.classifier import Network
from numpy.typing import NDArray

from alejo import shipped_table
from alejo._core import WordPiece
from alejo.embedding import SHIPPED, table_name

Numbers = NDArray[np.float32]
Tree = dict[str, Any]

CHANNELS = (128, 128, 128)
DIMENSIONS = shipped_table().dimensions
_EPOCHS, _BATCH = 5, 128
_RATE, _DECAY = 2e-3, 1e-3
_WORDS, _ROWS, _BETWEEN, _POOLED = 0.15, 0.1, 0.2, 0.5  # the shares that are left out
_AVERAGED = 0.998
_LENGTHS = (8, 12, 16, 24, 32, 48)  # to which texts are filled up; of a longer one the beginning is learned
MEANS = 3.0  # means are smaller than the greatest, and would be learned later


def ids(texts: Sequence[str]) -> list[list[int]]:
    """The tokens of texts; nobody has none."""
    pieces = WordPiece(SHIPPED / "vocab.txt")
    return [pieces.ids(text)[: _LENGTHS[-1]] or [0] for text in texts]


@cache
def _table() -> tuple[Numbers, float]:
    """The rows of the table, and the factor that brings them to a mean length of 1."""
    file = (SHIPPED / "table.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", file[:8])
    header, data = json.loads(file[8 : 8 + length]), file[8 + length :]
    parts = {name: data[slice(*header[name]["data_offsets"])] for name in ("embedding", "scale")}
    rows = np.frombuffer(parts["embedding"], np.int8).reshape(header["embedding"]["shape"]).astype(np.float32)
    rows *= np.frombuffer(parts["scale"], np.float32)[:, None]
    factor = float(1 / np.linalg.norm(rows, axis=1).mean())
    return rows * np.float32(factor), factor


def fit(texts: list[list[int]], targets: NDArray[np.bool_], known: NDArray[Any], seed: int) -> Network:
    """The network; `known` are the logits it adds to."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    import jax  # noqa: PLC0415 - only for those who fit
    import optax  # noqa: PLC0415

    chance = np.random.default_rng(seed)
    steps = _EPOCHS * (len(texts) // _BATCH)
    rule = optax.adamw(optax.cosine_decay_schedule(_RATE, steps), weight_decay=_DECAY)
    weights = _begin(jax.random.PRNGKey(seed), targets.shape[1])
    table = jax.numpy.array(_table()[0])

    def loss(weights: Tree, batch: Tree) -> Any:
        scores = _forward(weights, table, batch) + batch["known"]
        return optax.sigmoid_binary_cross_entropy(scores, batch["targets"]).sum(1).mean()

    def step(weights: Tree, mean: Tree, state: Any, batch: Tree) -> tuple[Tree, Tree, Any]:
        slopes = jax.grad(loss)(weights, batch)
        changes, state = rule.update(slopes, state, weights)
        weights = optax.apply_updates(weights, changes)
        keep = jax.numpy.minimum(_AVERAGED, (1 + batch["step"]) / (10 + batch["step"]))
        return weights, jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, mean, weights), state

    quick = jax.jit(step)
    mean, state = weights, rule.init(weights)
    for number, rows in enumerate(_batches(chance, [len(text) for text in texts])):
        batch = _left_out(chance, filled([texts[row] for row in rows]))
        batch |= {
            "targets": targets[rows].astype(np.float32),
            "known": known[rows].astype(np.float32),
            "step": np.float32(number),
        }
        weights, mean, state = quick(weights, mean, state, batch)
    return packed({name: np.asarray(value) for name, value in mean.items()})


def _begin(key: Any, classes: int) -> Tree:
    import jax  # noqa: PLC0415

    keys = jax.random.split(key, 3)
    widths = (DIMENSIONS, *CHANNELS)
    weights: Tree = {}
    for at, (below, channels) in enumerate(zip(widths, CHANNELS, strict=False)):
        inputs = below * (3 if at else 1)
        weights[f"kernel{at}"] = jax.random.normal(keys[at], (below, 3 * channels)) / np.sqrt(inputs)
        weights[f"bias{at}"] = jax.numpy.zeros(channels)
    weights["heads"] = jax.random.normal(keys[2], (2 * sum(CHANNELS), classes)) * 0.02
    weights["offsets"] = jax.numpy.zeros(classes)
    return weights


def _forward(weights: Tree, table: Any, batch: Tree) -> Any:
    """The scores of a batch; see alejo.TokenNet for what they are."""
    import jax  # noqa: PLC0415

    here = (batch["ids"] >= 0)[..., None]
    below = table[jax.numpy.maximum(batch["ids"], 0)] * here * batch["words"] * batch["rows"]
    pooled = []
    for at in range(len(CHANNELS)):
        after, own, before = jax.numpy.split(below @ weights[f"kernel{at}"], 3, -1)
        after = jax.numpy.pad(after, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        before = jax.numpy.pad(before, ((0, 0), (0, 1), (0, 0)))[:, 1:]
        below = jax.nn.relu(after + own + before + weights[f"bias{at}"]) * here
        pooled += [below.max(1), below.sum(1) / here.sum(1) * MEANS]
        if at + 1 < len(CHANNELS):
            below = below * batch[f"between{at}"]
    return (jax.numpy.concatenate(pooled, 1) * batch["pooled"]) @ weights["heads"] + weights["offsets"]


def _batches(chance: np.random.Generator, lengths: Sequence[int]) -> Iterator[NDArray[Any]]:
    """Rows of texts of about one length, in any order, as often as there are epochs."""
    for _ in range(_EPOCHS):
        rows = chance.permutation(len(lengths))
        rows = rows[np.argsort(np.array(lengths)[rows] + 3 * chance.random(len(rows)), kind="stable")]
        batches = [rows[at : at + _BATCH] for at in range(0, len(rows) - _BATCH + 1, _BATCH)]
        for at in chance.permutation(len(batches)):
            yield batches[at]


def filled(texts: list[list[int]]) -> NDArray[np.int32]:
    """The tokens of texts as rows of one length, with -1 behind them."""
    most = max(len(text) for text in texts)
    filled = np.full((len(texts), next(length for length in _LENGTHS if length >= most)), -1, np.int32)
    for row, text in zip(filled, texts, strict=True):
        row[: len(text)] = text
    return filled


def _left_out(chance: np.random.Generator, filled: NDArray[np.int32]) -> Tree:
    """A batch with what of it is left out: 0, and else what makes up for the rest."""
    count, length = filled.shape

    def some(share: float, *shape: int) -> Numbers:
        kept = chance.random((count, *shape), dtype=np.float32) >= share
        return kept.astype(np.float32) / np.float32(1 - share)

    between = {f"between{at}": some(_BETWEEN, 1, channels) for at, channels in enumerate(CHANNELS[:-1])}
    return between | {
        "ids": filled,
        "words": some(_WORDS, length, 1) * np.float32(1 - _WORDS),
        "rows": some(_ROWS, 1, DIMENSIONS),
        "pooled": some(_POOLED, 2 * sum(CHANNELS)),
    }


def packed(weights: Tree) -> Network:
    """As it ships: a byte for each weight of a kernel."""
    layers, rows = [], []
    start = 0
    for at, channels in enumerate(CHANNELS):
        kernel = weights[f"kernel{at}"].T * (1 if at else _table()[1])
        scales = np.abs(kernel).max(axis=1) / 127
        steps = np.rint(kernel / scales[:, None]).astype(np.int8)
        layers.append((steps.tobytes(), _bytes(scales), _bytes(weights[f"bias{at}"])))
        part = weights["heads"][start : start + 2 * channels].copy()
        part[channels:] *= MEANS
        rows.append(part)
        start += 2 * channels
    return Network(table_name(), tuple(layers), _bytes(np.concatenate(rows)), _bytes(weights["offsets"]))


def _bytes(numbers: Any) -> bytes:
    return np.ascontiguousarray(numbers, "<f4").tobytes()
