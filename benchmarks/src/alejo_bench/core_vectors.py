"""What an index keeps vectors in: the core's scan and, with `--peers`, FAISS as `memory.vector_index` has it.

Memories of one user as in `alejo bench memory`, with the embedding that ships; CPU time of one thread, rounds
interleaved.

vectors_ms         the fifty nearest in meaning
vectors_rank_ms    a whole ranking by all evidence, the question's embedding included
vectors_recall@10  the share of the ten that multiplying with every whole vector finds
vectors_mb         what the vectors take, by the index's own count
"""

from __future__ import annotations

import importlib.metadata
import time
from typing import Any

import click

from alejo import __version__
from alejo.embedding import shipped
from alejo.memory import vectors
from alejo.memory.embedders import TableEmbedder
from alejo.memory.index import Index
from alejo.memory.recall import rank
from alejo.types import EVERYTHING, Layer, Memory, RecallPlan

from . import memory_texts
from .report import Row, row

BEST, NEAREST, ASKED = 10, 50, 30
PLAN = RecallPlan({"lexical": 1.0, "dense": 1.0})


def run(options: Any) -> list[Row]:
    """Every figure."""
    return [each for case, count in _cases(options) for each in _case(options, case, count)]


def _cases(options: Any) -> list[tuple[str, int]]:
    return [("10k", 10_000)] if options.quick else [("10k", 10_000), ("100k", 100_000)]


def _filled(kind: str, texts: list[str]) -> Index:
    """An index of these, as it is when it was read from the records."""
    index = Index(TableEmbedder(shipped()), kind)
    for number, text in enumerate(texts):
        moment = 10**15 + number * 10**6
        index.put(Memory(f"{number:032x}", Layer.EPISODIC, "note", text, moment, moment))
        if vectors.outside(index.vectors) and index.vectors.wasteful:
            index.vectors.compact()
    return index


def _case(options: Any, case: str, count: int) -> list[Row]:
    click.echo(f"core vectors: {count:,} memories", err=True)
    texts = memory_texts.memories("ada", count)
    asked = memory_texts.questions("ada", texts, ASKED)
    exact = [{int(each) for each in best} for best in memory_texts.nearest(texts, asked)]
    kinds = {"alejo": ("scan", __version__)}
    if options.peers:
        vectors.check("faiss")
        kinds["alejo+faiss"] = ("faiss", importlib.metadata.version("faiss-cpu"))
    indexes = {name: _filled(kind, texts) for name, (kind, _) in kinds.items()}
    found: dict[tuple[str, str, str], list[float]] = {}
    for each in range((3 if options.quick else 7) + 1):
        for name, index in indexes.items():
            meanings = [shipped().embed(query) for query in asked]
            start = time.process_time()
            answers = [index.vectors.search(meaning, NEAREST) for meaning in meanings]
            between = time.process_time()
            for query in asked:
                rank(index, query, EVERYTHING, PLAN, 10**15, most=BEST, spans=())
            taken = between - start, time.process_time() - between
            if each:  # the first round warms up
                for metric, seconds in zip(("vectors_ms", "vectors_rank_ms"), taken, strict=True):
                    found.setdefault((name, metric, "ms"), []).append(seconds / ASKED * 1e3)
            else:
                best = [{number for number, _ in answer[:BEST]} for answer in answers]
                right = sum(len(one & other) for one, other in zip(best, exact, strict=True))
                found[name, "vectors_recall@10", "share"] = [right / BEST / ASKED]
                found[name, "vectors_mb", "MB"] = [index.vectors.nbytes / 1e6]
    return [
        row("core", case, name, kinds[name][1], metric, unit, values) for (name, metric, unit), values in found.items()
    ]
