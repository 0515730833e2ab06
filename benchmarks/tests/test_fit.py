"""Weights are learnt from evidence, and what they find is told of conversations that were not learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from alejo_bench import fit
from alejo_bench.cli import Options
from alejo_bench.corpora import Question

from .test_corpora import LOCOMO, write


def test_what_tells_answers_apart_is_weighed() -> None:
    """Evidence that answers have gets a weight above 0, that which they lack one below, and noise hardly any."""
    chance = np.random.default_rng(1)
    asked = []
    for number in range(400):
        rows = chance.normal(size=(20, len(fit.FITTED)))
        rows[0, 0] += 2
        rows[0, 1] -= 2
        turns = [str(place) for place in range(20)]
        asked.append(fit.Asked("own", str(number), Question("", frozenset("0"), ("all",)), turns, rows))
    weights = fit.fit(asked)
    assert weights[0] > 1
    assert weights[1] < -1
    assert np.abs(weights[2:]).max() < 0.4


def test_a_quick_fit_tells_and_writes_nothing(tmp_path: Path) -> None:
    """Each corpus has its figures, each evidence its weight, and the shipped weights stay as they are."""
    before = fit.WEIGHTS.read_bytes()
    rows = fit.run(Options(write(tmp_path, LOCOMO), quick=True, peers=False))
    assert fit.WEIGHTS.read_bytes() == before
    assert [row.case for row in rows if row.metric == "weight"] == list(fit.FITTED)
    assert {row.metric for row in rows} == {*fit.METRICS, "weight"}
    assert {row.case.split()[0] for row in rows if row.metric != "weight"} == {"own", "locomo"}
