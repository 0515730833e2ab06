"""What is remembered and asked is the same in each run, and a small run has every figure."""

from __future__ import annotations

import math
import sys
from array import array
from pathlib import Path

from alejo_bench import memory, memory_texts

from alejo.embedding import shipped


def test_texts_are_the_same_in_each_run() -> None:
    """A longer list begins like a shorter one, of another user it is another, and no question comes twice."""
    texts = memory_texts.memories("ada", 300)
    assert texts[:50] == memory_texts.memories("ada", 50) != memory_texts.memories("bob", 50)
    assert len(set(texts)) == 300
    asked = memory_texts.questions("ada", texts, 100, seed=1)
    assert asked == memory_texts.questions("ada", texts, 100, seed=1)
    assert len({*asked, *memory_texts.questions("ada", texts, 100, seed=2)}) == 200


def test_the_nearest_are_the_nearest() -> None:
    """The exact answer is that of comparing with every vector, one after the other."""
    texts = memory_texts.memories("ada", 60)
    (question,) = memory_texts.questions("ada", texts, 1)
    vectors = [array("f", shipped().embed(text)) for text in (question, *texts)]
    cosines = [math.fsum(a * b for a, b in zip(vectors[0], one, strict=True)) for one in vectors[1:]]
    best = sorted(range(60), key=lambda place: -cosines[place])[: memory_texts.BEST]
    assert memory_texts.nearest(texts, [question]) == [[str(place) for place in best]]


def test_the_ninety_ninth_is_not_exceeded() -> None:
    """Of a hundred numbers it is the last but one, of one number that number."""
    assert memory.ninety_ninth(range(100)) == 98
    assert memory.ninety_ninth([3.0]) == 3.0


def test_a_small_run_has_every_figure() -> None:
    """ALEJO is filled, asked, weighed, opened anew, written to and streamed from; a peer that is not there is not."""
    size = memory.Size((20, 40), 2, 20, filling=9.0, rounds=1, asked=5, forgotten=3, written=2, streamed=100)
    rows = memory.measured({"alejo": Path(sys.prefix), "chromadb": Path(sys.prefix)}, size)
    found = {(row.case, row.system, row.metric): row.value for row in rows}
    for case in ("20", "40"):
        for metric in ("recall_p50_ms", "recall_p99_ms", "remember_s", "disk_bytes_per_memory"):
            assert found[case, "alejo", metric] > 0
        assert (case, "alejo", "ram_bytes_per_memory") in found
    assert 0 <= found["2x20", "alejo", "tenant_recall@10"] <= 1
    assert {("40", "alejo", "restart_s"), ("40", "lmdb", "forget_p99_ms"), ("2x20", "alejo", "idle_user_bytes")} <= set(
        found
    )
    assert {system for case, system, metric in found if metric == "durable_p50_ms"} == {"alejo", "lmdb", "fdatasync"}
    assert found["64", "alejo", "durable_s"] > 0
    assert found["64", "lmdb", "durable_s"] > 0
    assert ("1000", "alejo", "stream_recall_us") in found
    assert {row.system for row in rows} == {"alejo", "lmdb", "fdatasync"}
