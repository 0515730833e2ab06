"""How much each evidence of a recall weighs: `alejo bench fit`, which writes the weights that ALEJO ships.

Conversations are imported and asked about as `recall` does it; the evidence is what the shipped code makes of each
candidate. The weights are those under which turns that answer a question are likeliest to stand before candidates that
do not, where the chance of that is the logistic of the difference of their scores (RankNet: Burges et al., "Learning to
Rank using Gradient Descent", 2005), by gradient descent (Adam: Kingma and Ba, 2015) with a ridge. Each question counts
the same. They are fitted on benchmarks/corpora/recall, and on what `--data` adds to it, but for LoCoMo's
category 5: what it asks of one person was said by the other.

    recall@5, recall@10, mrr   of each corpus, its conversations ranked by weights that were fitted on all others
    weight                     of each evidence, fitted on everything

The weights are written to `weights.json` of the installed memory plugin, unless `--quick`, which asks one question of
five.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import alejo_memory
import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from alejo import __version__
from alejo._core import EVIDENCE
from alejo.memory import recall
from alejo.types import EVERYTHING, Scope

from . import corpora, found, recall_ours
from .corpora import Conversation, Corpus, Question
from .report import Row, figures

__all__ = ["run"]

METRICS = ("recall@5", "recall@10", "mrr")
# Recency and kinds are the plan's to choose; how long turns are differs by who talks more than it tells.
FITTED = tuple(name for name in EVIDENCE if name not in ("recency", "kind", "length"))
RECENCY = 0.1  # between memories that are alike the fresher comes first
WEIGHTS = Path(alejo_memory.__file__).parent / "weights.json"
_MOST = 150  # candidates: beyond them a recall looks at words alone
_EVERY = 5
_ASTRAY = "5"
_STEPS = 200
_RATE = 0.05
_RIDGE = 3e-3  # less fits one sort of conversation, and finds less in others

Matrix = NDArray[np.float64]


class Asked(NamedTuple):
    """A question with its candidates: the turn and the evidence of each, best first by the plain plan."""

    corpus: str
    conversation: str
    question: Question
    turns: list[str]
    evidence: Matrix


def run(options: Any) -> list[Row]:
    """Fits, writes the weights and tells what they find."""
    asked: list[Asked] = []
    for path in (None, options.data) if options.data else (None,):
        corpus = corpora.read(path)
        asked += evidence(corpus.part(_EVERY) if options.quick else corpus)
    click.echo(f"fit: {len(asked)} questions", err=True)
    rows = [row for name in dict.fromkeys(each.corpus for each in asked) for row in _left_out(name, asked)]
    weights = fit(asked)
    if not options.quick:
        told = {name: round(float(weight), 2) for name, weight in zip(FITTED, weights, strict=True)}
        WEIGHTS.write_bytes(msgspec.json.format(msgspec.json.encode(told | {"recency": RECENCY})) + b"\n")
        click.echo(f"fit: wrote {WEIGHTS}", err=True)
    for name, weight in zip(FITTED, weights, strict=True):
        rows.append(_row(name, "weight", (float(weight),) * 3, len(asked)))
    return rows


def evidence(corpus: Corpus) -> list[Asked]:
    """Every question of a corpus with its candidates."""
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        turns = asyncio.run(recall_ours.fill(corpus, Path(folder)))
        return asyncio.run(_evidence(corpus, Path(folder), turns))


async def _evidence(corpus: Corpus, folder: Path, turns: recall_ours.Turns) -> list[Asked]:
    clock, asked = recall_ours.Calendar(), list[Asked]()
    async with recall_ours.opened(folder, clock) as assistant:
        for each in corpus.conversations:
            index = await assistant.indexes.get(Scope("bench", each.id))
            for question in each.questions:
                clock.moment = question.asked
                plan, _ = await assistant.memories.plan(question.text)
                plan = msgspec.structs.replace(plan, weights=dict.fromkeys(FITTED, 1.0))
                hits, _ = recall.rank(index, question.text, EVERYTHING, plan, clock.now(), most=_MOST, closely=0)
                places = [turns[each.id].get(index.entries[hit.doc].id, "") for hit in hits]
                asked.append(_asked(corpus, each, question, places, [hit.shares for hit in hits]))
    return asked


def _asked(
    corpus: Corpus, conversation: Conversation, question: Question, turns: list[str], shares: Sequence[Sequence[float]]
) -> Asked:
    said = [place for place, turn in enumerate(turns) if turn]  # and not what reflection made of it meanwhile
    columns = [EVIDENCE.index(name) for name in FITTED]
    rows = np.array(shares, dtype=np.float64).reshape(-1, len(EVIDENCE))[said][:, columns]
    return Asked(corpus.name, conversation.id, question, [turns[place] for place in said], rows)


def fit(asked: Sequence[Asked]) -> Matrix:
    """The weights under which the answers are likeliest to stand before the rest."""
    told = [each for each in asked if _ASTRAY not in each.question.cases]
    scale = np.concatenate([each.evidence for each in told]).std(axis=0) + 1e-9
    pairs = [_pairs(each) / scale for each in told]
    ahead = np.concatenate(pairs).astype(np.float32)
    counts = np.concatenate([np.full(len(each), 1 / max(1, len(each))) for each in pairs]) / sum(
        map(bool, map(len, pairs))
    )
    weights, first, second = (np.zeros(ahead.shape[1]) for _ in range(3))
    for step in range(1, _STEPS + 1):
        behind = counts / (1 + np.exp(ahead @ weights))
        slope = _RIDGE * weights - behind @ ahead
        first = 0.9 * first + 0.1 * slope
        second = 0.99 * second + 0.01 * slope**2
        weights -= _RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    fitted: Matrix = weights / scale
    return fitted


def _pairs(asked: Asked) -> Matrix:
    """By how much the evidence of each turn that answers exceeds that of each that does not."""
    gold = np.array([turn in asked.question.gold for turn in asked.turns], dtype=bool)
    ahead: Matrix = asked.evidence[gold][:, None] - asked.evidence[~gold][None]
    return ahead.reshape(-1, asked.evidence.shape[1])


def _left_out(name: str, asked: Sequence[Asked]) -> list[Row]:
    """What is found in each conversation of a corpus by the weights of all the others, by case."""
    values: dict[str, list[tuple[float, ...]]] = {}
    for conversation in dict.fromkeys(each.conversation for each in asked if each.corpus == name):
        weights = fit([each for each in asked if each.conversation != conversation])
        for each in asked:
            if each.conversation == conversation:
                order = np.argsort(-(each.evidence @ weights), kind="stable")
                measured = found.measures([each.turns[place] for place in order], each.question.gold)
                for case in each.question.cases:
                    values.setdefault(case, []).append(measured)
    rows = []
    for case, measures in values.items():
        intervals = found.intervals(np.array(measures), found.draws(len(measures)))
        rows += [
            _row(f"{name} {case}", metric, bounds, len(measures))
            for metric, bounds in zip(found.METRICS, intervals, strict=True)
            if metric in METRICS
        ]
    return rows


def _row(case: str, metric: str, bounds: tuple[float, float, float], n: int) -> Row:
    return figures("fit", case, "alejo", __version__, metric, "", bounds, n)
