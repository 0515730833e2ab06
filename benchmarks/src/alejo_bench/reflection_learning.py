"""Learning from sessions: part of `alejo bench reflection`.

    learn_100_turns_s   processor time to learn from a session of 100 turns: topics, pairs, statistics, weights
    ndcg@10 shipped     of simulated users, by the shipped weights: the mean, the lowest and the highest
    ndcg@10 learned     the same, by what learning uses after their feedback; gain: the difference of both
    falls               of these users, how many lose more than half a point

A simulated user weighs evidence in their own way: each shipped weight times a random factor. Of the five memories that
are shown for a question they like those that are among their own five best of all candidates and dislike the others,
and say one time in ten the opposite. Their feedback goes through the parts, the learner and the gate that a server has.
What counts is how the ten best of all candidates stand in the order of the third part's questions, which neither
fitting nor promotion saw.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence

import msgspec
import numpy as np
from alejo_memory import Ranking

import alejo
from alejo import __version__
from alejo.identity import LOCAL
from alejo.learning import ranking
from alejo.learning.feedback import Sample
from alejo.roles import Lesson
from alejo.types import Judged, Session, SessionState

from . import corpora, fit
from .report import Row, figures, row

SEEDS = 20
_SHOWN = 5
_BEST = 5
_MISTAKEN = 0.1
_TASTE = 0.7  # the spread of the factors' logarithm
_FALL = 0.005
_TURNS = 100


def measure(*, quick: bool) -> list[Row]:
    """The figures."""
    corpus = corpora.read(None)
    asked = [each for each in fit.evidence(corpus.part(5) if quick else corpus) if len(each.turns) > ranking.TOP]
    found = [asyncio.run(simulated(asked, seed)) for seed in range(SEEDS)]
    before, after = ([each[place] for each in found] for place in (0, 1))
    falls = float(sum(two < one - _FALL for one, two in found))
    case = f"feedback of {SEEDS} users, {len(asked)} questions"
    return [
        _row("100 turns", "learn_100_turns_s", "s", [asyncio.run(learned()) for _ in range(1 if quick else 3)]),
        _mean(case, "ndcg@10 shipped", before),
        _mean(case, "ndcg@10 learned", after),
        _mean(case, "ndcg@10 gain", [two - one for one, two in found]),
        _row(case, "falls", "", [falls]),
    ]


async def simulated(asked: Sequence[fit.Asked], seed: int) -> tuple[float, float]:
    """Mean NDCG@10 of a user on the third part, by the shipped weights and by what is used after learning."""
    dice, chance = random.Random(seed), np.random.default_rng(seed)
    shipped = ranking.vector(alejo_weights(), fit.FITTED)
    taste = np.array(shipped) * np.exp(chance.normal(0.0, _TASTE, len(shipped)))
    samples, utilities = {}, {}
    for number, each in enumerate(asked):
        sample = Sample(dice.randbytes(16), number, _liked(each, np.array(shipped), taste, dice))
        samples[sample.key], utilities[sample.key] = sample, (each.evidence, each.evidence @ taste)
    parts = ranking.parts(list(samples.values()))
    session = Session("0" * 32, SessionState.COMPLETED, 0, 0)
    weights = dict(zip(fit.FITTED, shipped, strict=True))
    fitted = tuple(each.judged for each in parts.fit if len(set(each.judged.liking)) > 1)
    lesson = Lesson(session, b"", 0, judged=fitted, evidence=fit.FITTED, weights=weights)
    proposed = ranking.vector(weights | (await Ranking().learn(lesson)).weights, fit.FITTED)
    gain = ranking.compare([each.judged for each in parts.gate if len(set(each.judged.liking)) > 1], shipped, proposed)
    used = proposed if ranking.due(gain.n, 0) and gain.low > 0 else shipped
    told = [utilities[each.key] for each in parts.report]
    return _ndcg(told, shipped), _ndcg(told, used)


def _liked(asked: fit.Asked, shipped: fit.Matrix, taste: fit.Matrix, dice: random.Random) -> Judged:
    shown = np.argsort(-(asked.evidence @ shipped), kind="stable")[:_SHOWN]
    best = set(np.argsort(-(asked.evidence @ taste), kind="stable")[:_BEST].tolist())
    liking = tuple((1.0 if place in best else -1.0) * (-1 if dice.random() < _MISTAKEN else 1) for place in shown)
    return Judged(tuple(tuple(map(float, asked.evidence[place])) for place in shown), liking)


def _ndcg(told: Sequence[tuple[fit.Matrix, fit.Matrix]], weights: Sequence[float]) -> float:
    """How the user's ten best stand, the best of them worth 10 and the last 1."""
    discount = 1 / np.log2(np.arange(2, ranking.TOP + 2))
    ideal = float((np.arange(ranking.TOP, 0, -1) * discount).sum())
    values = []
    for evidence, utility in told:
        worth = np.zeros(len(utility))
        worth[np.argsort(-utility, kind="stable")[: ranking.TOP]] = np.arange(ranking.TOP, 0, -1)
        order = np.argsort(-(evidence @ np.array(weights)), kind="stable")[: ranking.TOP]
        values.append(float((worth[order] * discount).sum()) / ideal)
    return float(np.mean(values))


def alejo_weights() -> dict[str, float]:
    """The weights that ALEJO ships."""
    return msgspec.json.decode(fit.WEIGHTS.read_bytes(), type=dict[str, float])


async def learned() -> float:
    """Seconds of processor time to learn from a session of 100 turns, each of whose recalled memories was judged."""
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        overrides = {"data.key_file": f"{folder}/key"}
        async with alejo.open(f"{folder}/data", overrides=overrides) as assistant:
            session_id = ""
            for number in range(_TURNS):
                what = "My {0} is called Luna {1}." if number % 2 else "What is my {0} called, and who is Luna {1}?"
                text = what.format(("dog", "cat", "boat", "garden", "guitar")[number % 5], number)
                answer = await assistant.chat(text, session_id=session_id)
                session_id = answer.session_id
                for hit in answer.recalled[:2]:
                    likings = assistant.learning.likings
                    await likings.give(LOCAL, hit.memory.id, helpful=number % 3 > 0, turn=answer.request_id)
            await assistant.reflection.settled()
            began = time.process_time()
            await assistant.sessions.update(LOCAL, session_id, state=SessionState.COMPLETED)
            await assistant.reflection.settled()
            return time.process_time() - began


def _row(case: str, metric: str, unit: str, values: Sequence[float]) -> Row:
    return row("reflection", case, "alejo", __version__, metric, unit, values)


def _mean(case: str, metric: str, values: Sequence[float]) -> Row:
    bounds = float(np.mean(values)), min(values), max(values)
    return figures("reflection", case, "alejo", __version__, metric, "", bounds, len(values))
