"""What the bench of language models measures."""

from __future__ import annotations

from alejo_bench import models
from alejo_bench.options import Options

from alejo.testing.model_server import FAULTS


def test_every_drill_is_measured() -> None:
    """Each fault over both protocols, the first segment, and the bound of tokens, which is never exceeded."""
    rows = {(row.case, row.metric): row.value for row in models.run(Options(None, quick=True, peers=False))}
    for protocol in models.PROTOCOLS:
        assert {(f"{protocol} {fault}", "answer_ms") for fault in ("well", *FAULTS)} <= rows.keys()
        assert rows[protocol, "first_segment_ms"] > 0
    assert rows["bound", "tokens_exceeded"] == rows["exact", "tokens_exceeded"] == 0
    assert rows["exact, after 20 answers", "tokens_over"] < rows["bound, after 20 answers", "tokens_over"]
