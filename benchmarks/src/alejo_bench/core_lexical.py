"""BM25 beside what people would install, in one process, over the same documents and questions, in CPU time.

Documents of some 30 words and questions of six, drawn by Zipf's law from 30,000 words without an ending, so that every
tokenizer finds the same terms; k1 1.2 and b 0.75 in all of them. Documents stand in sessions of 20; `alejo+windows`
hears two neighbours on either side.

bm25_us          one question to its ten best, in µs: `10k`, `100k` documents
bm25_overlap@10  the share of the ten best that are those of the exact formula in 64 bits; ties count as found
bm25_add_us      one document more until it is found, in µs
bm25_mb          what the index takes, in MB, as it counts itself
"""

from __future__ import annotations

import importlib
import itertools
import math
import random
import sqlite3
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, Protocol

from alejo import __version__
from alejo._core import LexicalIndex

from .report import Row, row

K1, B, BEST = 1.2, 0.75, 10
WINDOW = {-2: 0.2, -1: 0.4, 1: 0.4, 2: 0.2}
CASES = {"10k": 10_000, "100k": 100_000}
WORDS = 30_000
SESSION = 20


class System(Protocol):
    """What is measured: made from documents, then asked, then added to."""

    name: str
    version: str

    def search(self, question: str) -> Sequence[int]:
        """The numbers of the ten best."""

    def add(self, number: int, text: str) -> None:
        """Makes one more findable."""


class Alejo:
    """Ours, with or without a window."""

    version = __version__

    def __init__(self, texts: Sequence[str], window: dict[int, float]) -> None:
        self.name = "alejo+windows" if window else "alejo"
        self._index = LexicalIndex([(1.0, B, True)], k1=K1, window=window, language="")
        for number, text in enumerate(texts):
            self.add(number, text)

    @property
    def megabytes(self) -> float:
        """What it takes."""
        return self._index.nbytes / 1e6

    def search(self, question: str) -> Sequence[int]:
        """As the Protocol says."""
        weighing: dict[str, Any] = {"recency_weight": 0.0, "weights": (), "min_coverage": 0.0}
        return [hit[0] for hit in self._index.rank(question, BEST, now=0, half_life=1.0, **weighing)]

    def add(self, number: int, text: str) -> None:
        """As the Protocol says."""
        self._index.upsert(number, [text], time=number, session=number // SESSION)


class Fts5:
    """SQLite, whose BM25 has these very parameters, in memory."""

    name = "sqlite3.fts5"
    version = sqlite3.sqlite_version

    def __init__(self, texts: Sequence[str]) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.execute("CREATE VIRTUAL TABLE documents USING fts5(text, content='')")
        self._connection.execute("BEGIN")
        for number, text in enumerate(texts):
            self.add(number, text)
        self._connection.execute("COMMIT")

    def search(self, question: str) -> Sequence[int]:
        """As the Protocol says."""
        found = self._connection.execute(
            f"SELECT rowid FROM documents WHERE documents MATCH ? ORDER BY rank LIMIT {BEST}",  # noqa: S608
            (" OR ".join(question.split()),),
        )
        return [number for (number,) in found]

    def add(self, number: int, text: str) -> None:
        """As the Protocol says."""
        self._connection.execute("INSERT INTO documents(rowid, text) VALUES (?, ?)", (number, text))


class Tantivy:
    """The Rust library's Python face, in memory; what was added is found after a commit and a reload."""

    name = "tantivy"

    def __init__(self, texts: Sequence[str]) -> None:
        tantivy: Any = importlib.import_module("tantivy")
        self.version = version("tantivy")
        builder = tantivy.SchemaBuilder()
        builder.add_integer_field("number", stored=False, fast=True)
        builder.add_text_field("text", stored=False, tokenizer_name="whitespace", index_option="freq")
        self._document = tantivy.Document
        self._index = tantivy.Index(builder.build())
        self._writer = self._index.writer(num_threads=1)
        for number, text in enumerate(texts):
            self._put(number, text)
        self._show()

    def _put(self, number: int, text: str) -> None:
        document = self._document()
        document.add_integer("number", number)
        document.add_text("text", text)
        self._writer.add_document(document)

    def _show(self) -> None:
        self._writer.commit()
        self._index.reload()
        self._searcher = self._index.searcher()

    def search(self, question: str) -> Sequence[int]:
        """As the Protocol says."""
        query = self._index.parse_query(question, ["text"])
        addresses = [address for _, address in self._searcher.search(query, BEST, count=False).hits]
        return list(self._searcher.fast_field_values("number", addresses))

    def add(self, number: int, text: str) -> None:
        """As the Protocol says."""
        self._put(number, text)
        self._show()


class Bm25s:
    """Scores worked out beforehand; one document more is an index built anew."""

    name = "bm25s"

    def __init__(self, texts: Sequence[str]) -> None:
        self.version = version("bm25s")
        self._texts = list(texts)
        self._build()

    def _build(self) -> None:
        bm25s: Any = importlib.import_module("bm25s")
        self._index = bm25s.BM25(k1=K1, b=B, method="lucene")
        self._index.index([text.split() for text in self._texts], show_progress=False)

    def search(self, question: str) -> Sequence[int]:
        """As the Protocol says."""
        found, _ = self._index.retrieve([question.split()], k=BEST, show_progress=False)
        return [int(number) for number in found[0]]

    def add(self, number: int, text: str) -> None:
        """As the Protocol says."""
        self._texts.append(text)
        self._build()


def run(options: Any) -> list[Row]:
    """Every case, the systems in turn within each round."""
    rounds, questions = (2, 20) if options.quick else (5, 100)
    rows: list[Row] = []
    for case, count in CASES.items():
        texts = _texts(1, count, 20, 40)
        asked = _texts(2, questions, 6, 6)
        systems = _systems(texts, peers=options.peers)
        exact = Exact(texts)
        asking: list[list[float]] = [[] for _ in systems]
        adding: list[list[float]] = [[] for _ in systems]
        found = [[system.search(question) for question in asked] for system in systems]
        for turn in range(rounds):
            for system, times, added in zip(systems, asking, adding, strict=True):
                times.append(_median([_timed(system.search, question) for question in asked]))
                more = _texts(3 + turn, 1 if system.name in ("bm25s", "tantivy") else 200, 20, 40)
                numbers = itertools.count(count + turn * len(more))
                added.append(_median([_timed(system.add, next(numbers), text) for text in more]))
        for system, answers, times, added in zip(systems, found, asking, adding, strict=True):
            about = (system.name, system.version)
            rows.append(row("core", case, *about, "bm25_us", "µs", times))
            rows.append(row("core", case, *about, "bm25_add_us", "µs", added))
            if isinstance(system, Alejo):
                rows.append(row("core", case, *about, "bm25_mb", "MB", [system.megabytes]))
            if system.name != "alejo+windows":
                shares = [exact.overlap(*each) for each in zip(asked, answers, strict=True)]
                rows.append(row("core", case, *about, "bm25_overlap@10", "share", [statistics.mean(shares)]))
    return rows


def _systems(texts: Sequence[str], *, peers: bool) -> list[System]:
    systems: list[System] = [Alejo(texts, {}), Alejo(texts, WINDOW)]
    if peers:
        systems += [Tantivy(texts), Bm25s(texts), Fts5(texts)]
    return systems


def _texts(seed: int, count: int, least: int, most: int) -> list[str]:
    """Lines of least to most words, whose ranks follow Zipf's law."""
    chance = random.Random(seed)
    return [
        " ".join(f"w{int(WORDS ** chance.random())}" for _ in range(chance.randint(least, most))) for _ in range(count)
    ]


def _timed(work: Callable[..., object], *arguments: object) -> float:
    start = time.process_time_ns()
    work(*arguments)
    return (time.process_time_ns() - start) / 1000


_median = statistics.median


class Exact:
    """The formula, in 64 bits."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._lengths = [len(text.split()) for text in texts]
        self._average = statistics.mean(self._lengths)
        for number, text in enumerate(texts):
            for term, count in Counter(text.split()).items():
                self._postings[term].append((number, count))

    def overlap(self, question: str, answer: Sequence[int]) -> float:
        """The share of the ten best that an answer found; whatever scores like the tenth is as good."""
        scores: defaultdict[int, float] = defaultdict(float)
        for term in set(question.split()):
            postings = self._postings.get(term, [])
            df = len(postings)
            idf = math.log1p((len(self._lengths) - df + 0.5) / (df + 0.5))
            for number, count in postings:
                norm = 1 - B + B * self._lengths[number] / self._average
                scores[number] += idf * count * (K1 + 1) / (count + K1 * norm)
        best = sorted(scores.values(), reverse=True)[:BEST]
        if not best:
            return 1.0
        return sum(scores.get(number, 0.0) >= best[-1] - 1e-5 for number in answer) / len(best)
