"""Which of the turns that answer a question are found, in conversations of one user each: `alejo bench recall`.

`--data` is a file or folder in the format of LoCoMo, of LongMemEval, or of benchmarks/corpora/recall, which is measured
without it. An item is one turn; what a hit carries along counts as further items, in their order, and so does a hit
that is no turn. The query is the question's text alone. Figures are means over questions with the interval that holds
95 % of 2,000 draws of them.

    recall@5|10|20|50, hit@10, mrr, ndcg@10   see `found`
    recall_at_500_tokens   the share of the gold turns that a context of 500 estimated tokens shows; for what builds
                           none, its lines in order up to there
    recall_p50_ms, recall_p99_ms   a question, embedding included, of a user who spoke before
    METRIC_over_SYSTEM     how much more than that system, question by question: recall@5, recall@10 and mrr
    estimate_error, estimate_bias   of those contexts' estimated tokens, in the mean and in sum, beside the pieces of
                           BERT's vocabulary, which cuts finer than what large models use

Cases are LoCoMo's categories, `1-4` those of them that have an answer, LongMemEval's types, or the languages and kinds
of our own corpus; `all` is everything. `alejo+lexical` is ALEJO without vectors, `bm25` plain BM25 over speaker and
text (stemmed, k1 1.2, b 0.75). With `--peers` others find in the same texts, see `recall_peers`; with `--model` also a
transformer, alone and within ALEJO (`alejo+model`), see `recall_model`; with `--ablation` ALEJO does without each of
its evidence in turn. `--quick` asks one question of five.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from alejo import __version__
from alejo._core import LexicalIndex, WordPiece, estimate_tokens
from alejo.embedding import SHIPPED

from . import corpora, found, plans, recall_model, recall_ours, recall_peers
from .corpora import Conversation, Corpus, Question
from .recall_ours import BUDGET, Answer
from .recall_report import plot, show
from .report import Row, figures, row

__all__ = ["plot", "run", "show"]

METRICS = (*found.METRICS, "recall_at_500_tokens")
COMPARED = ("recall@5", "recall@10", "mrr")
_EVERY = 5
Values = NDArray[np.float64]


class System:
    """What was asked, and its answers in the corpus's order."""

    def __init__(self, name: str, version: str, answers: Sequence[Answer]) -> None:
        self.name, self.version, self.answers = name, version, answers


def run(options: Any) -> list[Row]:
    """Every figure."""
    corpus = corpora.read(options.data)
    if options.quick:
        corpus = corpus.part(_EVERY)
        click.echo(f"quick: one question of {_EVERY}", err=True)
    click.echo(f"recall: {corpus.name}, {corpora.count(corpus.conversations)}", err=True)
    model = recall_model.read(options.model) if options.model else None
    systems = _ours(corpus, model, ablation=options.ablation)
    systems.append(System("bm25", "", plain(corpus)))
    if model is not None:
        cosines = [listed(*each) for each in recall_model.ask(corpus, model)]
        systems.append(System("sentence-transformers", model.name, cosines))
    if options.peers:
        systems += (
            System(name, version, [listed(*each) for each in done]) for name, version, done in recall_peers.ask(corpus)
        )
    return rows(corpus, systems)


def _ours(corpus: Corpus, model: recall_model.Model | None, *, ablation: bool) -> list[System]:
    wanted: dict[str, tuple[Any, ...]] = {"alejo": (), "alejo+lexical": (plans.lexical,)}
    if model is not None:
        wanted["alejo+model"] = (None, model)
    if ablation:
        wanted |= {f"alejo-{name}": (change,) for name, change in plans.ablations().items()}
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        turns = asyncio.run(recall_ours.fill(corpus, Path(folder)))
        return [
            System(name, __version__, asyncio.run(recall_ours.ask(corpus, Path(folder), turns, *how)))
            for name, how in wanted.items()
        ]


def plain(corpus: Corpus) -> list[Answer]:
    """BM25 over each turn's line."""
    answers = []
    weighing: dict[str, Any] = {"recency_weight": 0.0, "weights": (), "min_coverage": 0.0}
    for each in corpus.conversations:
        index = LexicalIndex([(1.0, 0.75, True)], k1=1.2, window={}, language=each.language)
        turns = list(each.turns.values())
        for number, turn in enumerate(turns):
            index.upsert(number, [turn.line])
        for question in each.questions:
            hits = index.rank(question.text, found.DEPTHS[-1], now=0, half_life=1.0, **weighing)
            answers.append(listed(each, question, [turns[hit[0]].id for hit in hits], 0.0))
    return answers


def listed(conversation: Conversation, question: Question, items: Sequence[str], seconds: float) -> Answer:
    """The answer of a system that finds turns and builds no context: its lines one after the other."""
    text, shown = "", set[str]()
    turns = conversation.turns
    for item in items:
        text += turns[item].line + "\n"
        if estimate_tokens(text) > BUDGET:
            break
        shown.add(item)
    return Answer(tuple(items), seconds, shown=frozenset(shown))


def rows(corpus: Corpus, systems: Sequence[System]) -> list[Row]:
    """The figures of each case and system, then the differences, the speed and the estimate's error."""
    questions = [one for each in corpus.conversations for one in each.questions]
    values = {each.name: _values(questions, each.answers) for each in systems}
    made: list[Row] = []
    for case in corpus.cases:
        places = [place for place, one in enumerate(questions) if case in one.cases]
        drawn = found.draws(len(places))
        for each in systems:
            about = (case, each.name, each.version)
            own = values[each.name][places]
            made += _rows(about, METRICS, own, drawn)
            for other in _compared(each.name, values):
                names = [f"{name}_over_{other}" for name in COMPARED]
                columns = [METRICS.index(name) for name in COMPARED]
                made += _rows(about, names, (own - values[other][places])[:, columns], drawn)
    return made + [one for each in systems for one in _speed(each)] + _estimate(systems[0].answers)


def _compared(name: str, systems: Iterable[str]) -> list[str]:
    """What a system is compared with: what ships with everything else that is whole, what lacks something with it."""
    if name.startswith("alejo-"):
        return ["alejo"]
    wanted = {"alejo": systems, "alejo+lexical": ("bm25",)}.get(name, ())
    return [other for other in wanted if other != name and not other.startswith("alejo-")]


def _values(questions: Sequence[Question], answers: Sequence[Answer]) -> Values:
    return np.array(
        [
            (*found.measures(answer.items, one.gold), len(one.gold & answer.shown) / len(one.gold))
            for one, answer in zip(questions, answers, strict=True)
        ]
    )


def _rows(about: tuple[str, str, str], names: Sequence[str], values: Values, drawn: Values) -> list[Row]:
    case, system, version = about
    return [
        figures("recall", case, system, version, name, "share", each, len(values))
        for name, each in zip(names, found.intervals(values, drawn), strict=True)
    ]


def _speed(system: System) -> list[Row]:
    taken = sorted(each.seconds * 1e3 for each in system.answers)
    if not any(taken):
        return []
    about = ("recall", "all", system.name, system.version)
    return [
        row(*about, "recall_p50_ms", "ms", [statistics.median(taken)]),
        row(*about, "recall_p99_ms", "ms", [taken[len(taken) * 99 // 100]]),
    ]


def _estimate(answers: Sequence[Answer]) -> list[Row]:
    pieces = WordPiece(SHIPPED / "vocab.txt")
    counted = [(estimate_tokens(each.context), len(pieces.ids(each.context))) for each in answers if each.context]
    if not counted:
        return []
    errors = [abs(estimate - true) / true for estimate, true in counted]
    bias = sum(estimate for estimate, _ in counted) / sum(true for _, true in counted) - 1
    about = ("recall", "wordpiece", "alejo", __version__)
    return [
        row(*about, "estimate_error", "share", [statistics.mean(errors)]),
        row(*about, "estimate_bias", "share", [bias]),
    ]
