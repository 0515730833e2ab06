"""Static embedding with the table that ships, texts of 20 words, in CPU time.

embed_us       one text alone, in µs
embed_texts_s  texts per second of CPU, 1,000 in a call

The peer model2vec computes with the same table, held as float32. A transformer (MiniLM through torch) is not measured:
its model would have to be downloaded, and costs milliseconds a text.
"""

from __future__ import annotations

import importlib
import math
import random
import time
from array import array
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from alejo import __version__
from alejo.embedding import SHIPPED, shipped

from .report import Row, row

BATCH = 1000
One = Callable[[str], Any]
Many = Callable[[list[str]], Any]


def texts() -> list[str]:
    """Sentences of 20 words, popular as words are; one word in twenty is none that the vocabulary knows."""
    chance = random.Random(1)
    known = [
        word for word in (SHIPPED / "vocab.txt").read_text("utf-8").splitlines() if word.isalpha() and word.isascii()
    ]
    shares = [1 / rank for rank in range(1, len(known) + 1)]

    def word() -> str:
        return "".join(chance.choices(known, shares, k=2 if chance.random() < 0.05 else 1))

    return [" ".join(word() for _ in range(20)).capitalize() + "." for _ in range(BATCH)]


def run(options: Any) -> list[Row]:
    """Both figures, the systems in turn within each round."""
    given = texts()
    ours = shipped()
    systems: list[tuple[str, str, One, Many]] = [("alejo", __version__, ours.embed, ours.embed_many)]
    if options.peers:
        one, many = _model2vec()
        if not _near(array("f", ours.embed(given[0])), one(given[0])):
            raise RuntimeError("model2vec computes something else, so its speed means nothing")
        systems.append(("model2vec", version("model2vec"), one, many))
    singles: list[list[float]] = [[] for _ in systems]
    batches: list[list[float]] = [[] for _ in systems]
    for number in range(6 if options.quick else 16):
        for (_, _, one, many), single, batch in zip(systems, singles, batches, strict=True):
            start = time.process_time()
            for text in given:
                one(text)
            between = time.process_time()
            many(given)
            if number:  # the first round warms up
                single.append((between - start) / BATCH * 1e6)
                batch.append(BATCH / (time.process_time() - between))
    rows: list[Row] = []
    for (name, release, *_), single, batch in zip(systems, singles, batches, strict=True):
        rows.append(row("core", "20words", name, release, "embed_us", "µs", single))
        rows.append(row("core", "batch", name, release, "embed_texts_s", "1/s", batch))
    return rows


def _model2vec() -> tuple[One, Many]:
    model2vec, tensors, tokenizers = map(importlib.import_module, ("model2vec", "safetensors.numpy", "tokenizers"))
    table = tensors.load_file(SHIPPED / "table.safetensors")
    words = tokenizers.BertWordPieceTokenizer(str(SHIPPED / "vocab.txt"), lowercase=True)
    words._tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="$A", special_tokens=[])
    rows = table["embedding"].astype("f4") * table["scale"][:, None]
    model = model2vec.StaticModel(rows, words._tokenizer, normalize=True, max_length=None)
    return model.encode, model.encode


def _near(one: array[float], other: Any) -> bool:
    return math.fsum(a * float(b) for a, b in zip(one, other, strict=True)) > 0.9999
