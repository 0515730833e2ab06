"""What the bench of prediction counts."""

from __future__ import annotations

from alejo_bench import corpora, prediction
from alejo_bench.cli import Options


def test_a_replay_tells_every_figure() -> None:
    """Conversations are said again, and hits, their baselines, surprise and cost are told as parts and times."""
    rows = {row.metric: row.value for row in prediction.run(Options(corpora.OWN, quick=True, peers=False))}
    assert rows.keys() >= {"hit", "hit_recent", "hit_chance", "ready", "cpu_us", "turn_cpu_us"}
    assert all(0 <= value <= 1 for name, value in rows.items() if not name.endswith("_us"))
