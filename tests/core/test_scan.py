"""The vector scan, as Python sees it."""

from __future__ import annotations

import random
from array import array
from concurrent.futures import ThreadPoolExecutor

import pytest

from alejo._core import DamagedIndex, InvalidValue, VectorScan


def vectors(count: int, dimensions: int) -> list[array[float]]:
    """Random directions, the same ones every time."""
    gauss = random.Random(7).gauss
    return [array("f", (gauss() for _ in range(dimensions))) for _ in range(count)]


def filled(rows: list[array[float]]) -> VectorScan:
    """A scan of these, numbered from 0."""
    scan = VectorScan(len(rows[0]))
    for number, row in enumerate(rows):
        scan.upsert(number, row)
    return scan


def test_the_nearest_come_first_and_exactly() -> None:
    """The best of a thousand are those of multiplying them all."""
    rows = vectors(1000, 96)
    scan = filled(rows)
    query = rows[3]
    scores = [sum(a * b for a, b in zip(row, query, strict=True)) for row in rows]
    best = sorted(range(1000), key=lambda number: -scores[number])[:10]
    found = scan.search(query, 10)
    assert [number for number, _ in found] == best
    assert [score for _, score in found] == pytest.approx([scores[number] for number in best], rel=1e-4)
    scan.validate()


def test_a_change_is_visible_at_once() -> None:
    """A vector replaces the one of its number, and one taken out is found no more."""
    scan = filled([array("f", [1, 0]), array("f", [0, 1])])
    scan.upsert(0, array("f", [0, 2]))
    assert scan.search(array("f", [0, 1]), 1) == [(0, 2.0)]
    assert scan.remove(0)
    assert not scan.remove(0)
    assert scan.search(array("f", [0, 1]), 5) == [(1, 1.0)]
    assert len(scan) == 1


def test_the_bytes_of_a_vector_are_one() -> None:
    """What an embedder gives goes in as it is; other buffers and lengths do not."""
    scan = VectorScan(2)
    scan.upsert(1, array("f", [3, 4]).tobytes())
    assert scan.search(memoryview(array("f", [1, 1])), 1) == [(1, 7.0)]
    for wrong in (b"abc", b"abcd", array("f", [1, 2, 3]), array("f", [float("nan"), 0])):
        with pytest.raises(InvalidValue):
            scan.upsert(1, wrong)
    with pytest.raises(TypeError):
        scan.upsert(1, array("d", [1, 2]))
    with pytest.raises(InvalidValue):
        VectorScan(0)


def test_searches_and_changes_from_many_threads() -> None:
    """Searches that let go of the interpreter see whole vectors while others come and go."""
    rows = vectors(3000, 96)
    scan = filled(rows)

    def work(thread: int) -> None:
        for number in range(100):
            scan.upsert(3000 + thread, rows[number])
            assert scan.search(rows[number], 1)[0][1] == pytest.approx(sum(a * a for a in rows[number]), rel=1e-4)
            scan.remove(3000 + thread)

    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(work, range(4)):
            pass
    assert len(scan) == 3000
    scan.validate()


def test_it_comes_back_as_it_was() -> None:
    """A dump gives the same scan, exact or coded; what is cut or altered gives none."""
    rows = vectors(50, 24)
    for exact in (True, False):
        scan = VectorScan(24, exact=exact)
        for number, row in enumerate(rows):
            scan.upsert(number, row)
        scan.remove(7)
        dumped = scan.dump()
        loaded = VectorScan.load(dumped)
        loaded.validate()
        assert loaded.search(rows[3], 0) == scan.search(rows[3], 0)
        assert 0 < loaded.nbytes <= scan.nbytes
        for wrong in (b"", dumped[:-1], dumped[:40] + b"x" + dumped[41:]):
            with pytest.raises(DamagedIndex):
                VectorScan.load(wrong)
