"""Simulated users teach recall what they like, and lose nothing by it."""

from __future__ import annotations

import asyncio
from statistics import fmean

from alejo_bench import corpora, fit
from alejo_bench import reflection_learning as learning

from alejo.learning import ranking


def test_feedback_gains_and_hardly_ever_costs() -> None:
    """Of 20 users the mean NDCG@10 rises on questions that nothing was fitted to; one at most loses half a point."""
    asked = [each for each in fit.evidence(corpora.read(None).part(5)) if len(each.turns) > ranking.TOP]
    found = [asyncio.run(learning.simulated(asked, seed)) for seed in range(learning.SEEDS)]
    assert fmean(after for _, after in found) > fmean(before for before, _ in found)
    assert sum(after < before - 0.005 for before, after in found) <= 1
