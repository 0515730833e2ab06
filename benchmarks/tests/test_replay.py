"""Traces replayed: each policy keeps its bound, and none beats the one that knows the future."""

from __future__ import annotations

import random
from pathlib import Path

import click
import pytest
from alejo_bench import replay, traces
from alejo_bench.cli import Options


def test_no_policy_beats_the_optimum(tmp_path: Path) -> None:
    """A trace of two namespaces gives a ratio for each policy, namespace and capacity, the optimum's the highest."""
    chance = random.Random(1)
    keys = traces.zipf(chance, [f"{number:016x}" for number in range(400)], 4000)
    file = tmp_path / "trace"
    file.write_text("".join(f"{chance.choice(('responses', 'embeddings'))} {key}\n" for key in keys))
    found = {(row.case, row.system): row.value for row in replay.run(Options(file, quick=True, peers=False))}
    assert len(found) == 2 * len(replay.PARTS) * 4
    for (case, _), value in found.items():
        assert 0 < value <= found[case, "optimum"]


@pytest.mark.parametrize("kind", [replay.Lru, replay.S3Fifo])
def test_a_policy_keeps_its_bound(kind: type[replay.Lru] | type[replay.S3Fifo]) -> None:
    """Of a hundred keys, ten stay in a cache of ten."""
    cache, chance = kind(10), random.Random(2)
    for _ in range(2000):
        key = f"{chance.randrange(100)}"
        if cache.get(key) is None:
            cache.put(key, b"")
    assert sum(cache.get(f"{number}") is not None for number in range(100)) == 10


def test_what_is_no_trace_is_told(tmp_path: Path) -> None:
    """A file of something else, or none, is an error that names what is wrong."""
    (tmp_path / "trace").write_text("responses 00ff\nwhat is this\n")
    with pytest.raises(click.ClickException, match="line 2"):
        replay.read(tmp_path / "trace")
    with pytest.raises(click.ClickException, match=r"cache\.trace"):
        replay.run(Options(None, quick=True, peers=False))
