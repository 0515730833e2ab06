"""The ten nearest of 100,000 vectors of 384 dimensions, in CPU time of one thread, rounds interleaved.

scan_ms         a search
scan_recall@10  the share of the ten that multiplying with every vector finds
scan_add_us     one vector more, findable at once
scan_mb         what the vectors take: how much the process grew as they were put in

`alejo+coded` keeps twelve bits a number and nothing else, as the host does. In case `100k` vectors lie 50 around each
of 2,000 centres, as those of texts do; in `isotropic` any direction is as likely as any other, the worst there is for
an index that goes by neighbourhoods. All numbers are whole and below 128: there IndexScalarQuantizer tells them
exactly.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import operator
import random
import resource
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click

from alejo import __version__
from alejo._core import VectorScan

from .report import Row, row

COUNT, DIMENSIONS, BEST, AROUND = 100_000, 384, 10, 50
ADDED = 200

Vector: TypeAlias = "array[float]"
Search = Callable[[Vector], Sequence[int]]


class System:
    """An index to be measured, by its calls: one to put in a row with its number, one to search."""

    def __init__(self, name: str, version: str, make: Callable[[], tuple[Callable[[int, Vector], object], Search]]):
        self.name, self.version, self.make = name, version, make


def _ours(*, exact: bool) -> tuple[Callable[[int, Vector], object], Search]:
    scan = VectorScan(DIMENSIONS, exact=exact)
    return scan.upsert, lambda query: [number for number, _ in scan.search(query, BEST)]


def _systems(options: Any, case: str) -> list[System]:
    found = [
        System("alejo", __version__, lambda: _ours(exact=True)),
        System("alejo+coded", __version__, lambda: _ours(exact=False)),
    ]
    if not options.peers:
        return found
    faiss, np = map(importlib.import_module, ("faiss", "numpy"))
    faiss.omp_set_num_threads(1)

    def wrapped(index: Any, train: bool = False) -> Callable[[], tuple[Callable[[int, Vector], object], Search]]:
        def make() -> tuple[Callable[[int, Vector], object], Search]:
            if train:
                index.train(np.array(_vectors(case, 2_000), "f4"))
            add = lambda _, vector: index.add(np.frombuffer(vector, "f4")[None])  # noqa: E731 - beside its twin
            search = lambda query: index.search(np.frombuffer(query, "f4")[None], BEST)[1][0].tolist()  # noqa: E731
            return add, search

        return make

    version = importlib.metadata.version("faiss-cpu")
    product = faiss.METRIC_INNER_PRODUCT
    found += [
        System("faiss.IndexFlatIP", version, wrapped(faiss.IndexFlatIP(DIMENSIONS))),
        System(
            "faiss.IndexScalarQuantizer",
            version,
            wrapped(faiss.IndexScalarQuantizer(DIMENSIONS, faiss.ScalarQuantizer.QT_8bit, product), train=True),
        ),
    ]
    if not options.quick:  # it takes a minute to fill
        graph = faiss.IndexHNSWFlat(DIMENSIONS, 16, product)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = 100, 64
        found.append(System("faiss.IndexHNSWFlat", version, wrapped(graph)))
    return found


def _vectors(case: str, count: int, seed: int = 5) -> list[Vector]:
    """Rows of whole numbers, of nearly one length; those of another seed lie around the same centres."""
    centres, chance = random.Random(4), random.Random(seed)
    middles = [array("b", centres.randbytes(DIMENSIONS)) for _ in range(COUNT // AROUND)]
    rows = []
    for number in range(count):
        own = array("b", chance.randbytes(DIMENSIONS))
        if case == "isotropic":
            rows.append(array("f", own))
        else:
            middle = middles[number % len(middles)]
            rows.append(array("f", map(operator.add, middle, map(operator.floordiv, own, [2] * DIMENSIONS))))
    return rows


def _resident() -> float:
    ctypes.CDLL(None).malloc_trim(0)  # what others freed is not to be taken up again
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def run(options: Any) -> list[Row]:
    """Every figure."""
    return [each for case in ("100k", "isotropic") for each in _case(options, case)]


def _case(options: Any, case: str) -> list[Row]:
    click.echo(f"core scan: {COUNT:,} vectors, {case}", err=True)
    rows, queries = _vectors(case, COUNT), _vectors(case, 30, seed=6)
    more = _vectors(case, ADDED, seed=7)
    filled = []
    found: dict[tuple[str, str, str], list[float]] = {}

    def note(system: System, metric: str, unit: str, value: float) -> None:
        found.setdefault((system.name, metric, unit), []).append(value)

    systems = _systems(options, case)
    for system in systems:
        before = _resident()
        add, search = system.make()
        for number, vector in enumerate(rows):
            add(number, vector)
        note(system, "scan_mb", "MB", _resident() - before)
        filled.append((system, add, search))
    truth = _truth(rows, queries)
    for number in range((3 if options.quick else 7) + 1):
        for system, _, search in filled:
            start = time.process_time()
            answers = [search(query) for query in queries]
            taken = (time.process_time() - start) / len(queries) * 1e3
            if number:  # the first round warms up
                note(system, "scan_ms", "ms", taken)
            else:
                right = sum(len(set(answer) & best) for answer, best in zip(answers, truth, strict=True))
                note(system, "scan_recall@10", "share", right / BEST / len(queries))
    for system, add, _ in filled:
        start = time.process_time()
        for number, vector in enumerate(more, COUNT):
            add(number, vector)
        note(system, "scan_add_us", "µs", (time.process_time() - start) / ADDED * 1e6)
    versions = {system.name: system.version for system in systems}
    return [
        row("core", case, name, versions[name], metric, unit, values) for (name, metric, unit), values in found.items()
    ]


def _truth(rows: list[Vector], queries: list[Vector]) -> list[set[int]]:
    """The best of multiplying with every vector, which is what a search without a limit does."""
    scan = VectorScan(DIMENSIONS)
    for number, vector in enumerate(rows):
        scan.upsert(number, vector)
    return [{number for number, _ in scan.search(query, 0)[:BEST]} for query in queries]
