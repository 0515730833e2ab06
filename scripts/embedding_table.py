"""Makes an embedding table from a sentence-transformers model: scripts/embedding_table.py MODEL TEXTS FOLDER

MODEL is the model's folder, TEXTS a file with a text on each line, FOLDER where `table.safetensors` and `vocab.txt` are
written; `alejo._core.StaticEmbedder` reads them. Needs NumPy; a model that is no BERT needs sentence-transformers.

Distilled: each token is read alone by the teacher, centred and turned on the texts' principal axes, and shortened the
more common it is. Trained: the sum of a text's rows is brought near the teacher's vector of the text (loss 1 - cosine,
Adam). One text of twenty is held out; the cosine to the teacher's vectors over these is told for both.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alejo._core import StaticEmbedder, WordPiece

sys.path.insert(0, str(Path(__file__).parent))  # run by its path or loaded by a test
from teacher import Floats, Unsuitable, teacher, uncased, unit, vocabulary

SHIPPED = Path(__file__).resolve().parent.parent / "alejo" / "embedding"
RARE = 1e-4  # a token as frequent as this counts for half of the rarest
HELD_OUT = 20


@dataclass(frozen=True)
class Bags:
    """Texts as their tokens: `ids` of all, one text after the other, and where each begins and how many it has."""

    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> Bags:
        counts = np.array([len(text) for text in texts])
        return cls(np.concatenate([np.asarray(text) for text in texts]), np.cumsum(counts) - counts, counts)

    def chosen(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The tokens of some texts, and beside each which of them it stands in."""
        counts = self.counts[numbers]
        owner = np.repeat(np.arange(len(numbers)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.ids[np.repeat(self.starts[numbers], counts) + within], owner


def summed(rows: Floats, ids: NDArray[np.int64], owner: NDArray[np.int64], count: int) -> Floats:
    """The sum of each text's rows, [texts, d]."""
    starts = np.searchsorted(owner, np.arange(count))
    made: Floats = np.add.reduceat(rows[ids], starts, axis=0)
    return made


def agreement(rows: Floats, bags: Bags, targets: Floats, numbers: NDArray[np.int64]) -> float:
    """The mean cosine of these texts' vectors to their targets."""
    made = unit(summed(rows, *bags.chosen(numbers), len(numbers)))
    return float(np.mean((made * targets[numbers]).sum(1)))


def axes(vectors: Floats, dimensions: int) -> tuple[Floats, Floats]:
    """The mean, and the principal axes [d, dimensions]."""
    mean = vectors.mean(0)
    _, found = np.linalg.eigh(np.cov(vectors - mean, rowvar=False))
    return mean, np.ascontiguousarray(found[:, ::-1][:, :dimensions], np.float32)


def common(count: int) -> Floats:
    """What each token counts for, by Zipf's law of its rank, which is its number (Arora et al., 2017)."""
    shares = 1 / np.arange(1, count + 1)
    weights: Floats = (RARE / (RARE + shares / shares.sum())).astype(np.float32)
    return weights


def train(rows: Floats, bags: Bags, targets: Floats, numbers: NDArray[np.int64], epochs: int, seed: int) -> None:
    """Brings the texts' vectors near their targets, in place; Adam (Kingma and Ba, 2014), its rate falling."""
    order = np.random.default_rng(seed)
    mean, square = np.zeros_like(rows), np.zeros_like(rows)
    step = 0
    for epoch in range(epochs):
        mixed = order.permutation(numbers)
        for batch in np.array_split(mixed, max(1, len(mixed) // 256)):
            ids, owner = bags.chosen(batch)
            gradient = np.zeros_like(rows)
            np.add.at(gradient, ids, _slope(summed(rows, ids, owner, len(batch)), targets[batch])[owner])
            step += 1
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient * gradient - square)
            rate = 2e-3 * 0.7**epoch * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            rows -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(1e-8))


def _slope(sums: Floats, targets: Floats) -> Floats:
    """The gradient of 1 - cosine, by each text's sum of rows."""
    lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.float32(1e-12))
    directions = sums / lengths
    made: Floats = ((directions * targets).sum(1, keepdims=True) * directions - targets) / lengths / len(sums)
    return made


def write(folder: Path, rows: Floats, words: Sequence[str], *, lower: bool) -> None:
    """Writes the table, int8 with a scale for each row, beside its vocabulary."""
    scales = (np.abs(rows).max(1) / 127).astype("<f4")
    numbers = np.rint(rows / np.maximum(scales, np.float32(1e-30))[:, None]).astype(np.int8)
    middle, end = scales.nbytes, scales.nbytes + numbers.nbytes
    about = {
        "__metadata__": {"tokenizer": f"bert-wordpiece-{'uncased' if lower else 'cased'}", "pooling": "mean"},
        "scale": {"dtype": "F32", "shape": list(scales.shape), "data_offsets": [0, middle]},
        "embedding": {"dtype": "I8", "shape": list(numbers.shape), "data_offsets": [middle, end]},
    }
    header = json.dumps(about).encode()
    header += b" " * (-len(header) % 8)
    table = len(header).to_bytes(8, "little") + header + scales.tobytes() + numbers.tobytes()
    (folder / "table.safetensors").write_bytes(table)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), "utf-8")


def make(model: Path, texts: Sequence[str], folder: Path, dimensions: int, epochs: int) -> dict[str, float]:
    """Makes the table in a folder that is not there yet, and says how near it comes to the teacher."""
    words = vocabulary(model) or (SHIPPED / "vocab.txt").read_text("utf-8").splitlines()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        made = Path(beside) / "table"
        made.mkdir()
        (made / "vocab.txt").write_text("".join(f"{word}\n" for word in words), "utf-8")
        lower = uncased(model) if vocabulary(model) else True
        pieces = WordPiece(made / "vocab.txt", uncased=lower)
        unknown = words.index("[UNK]")
        bags = Bags.of([pieces.ids(text) or [unknown] for text in texts])

        source = teacher(model, made / "vocab.txt")
        vectors = source.texts(texts)
        mean, turn = axes(vectors, min(dimensions, vectors.shape[1]))
        targets = unit(((vectors - mean) @ turn).astype(np.float32))
        rows = unit(((source.tokens(words) - mean) @ turn).astype(np.float32)) * common(len(words))[:, None]

        held = np.arange(0, len(texts), HELD_OUT)
        distilled = agreement(rows, bags, targets, held)
        train(rows, bags, targets, np.setdiff1d(np.arange(len(texts)), held), epochs, seed=0)
        write(made, rows, words, lower=lower)
        StaticEmbedder(made).validate()
        shutil.move(made, folder)
    return {"distilled": distilled, "trained": agreement(rows, bags, targets, held)}


def main() -> None:
    """Reads the command line."""
    about, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(description=about, epilog=rest)
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    texts = [line for line in given.texts.read_text("utf-8").splitlines() if line.strip()]
    if given.folder.exists() or len(texts) < 2 * HELD_OUT:
        parser.error(f"FOLDER must not be there yet, and TEXTS hold at least {2 * HELD_OUT} texts")
    try:
        found = make(given.model, texts, given.folder.resolve(), given.dimensions, given.epochs)
    except Unsuitable as error:
        parser.error(str(error))
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))


if __name__ == "__main__":
    main()
