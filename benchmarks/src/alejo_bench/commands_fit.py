"""What the brain goes by before it tries patterns of commands: `alejo bench commands-fit`.

A ridge regression for each command over the n-grams and ideas of texts to learn from, of the open utterances, of what
the patterns say, drawn at random, and of half of the conversations of benchmarks/corpora/recall, which are none. Each
text is also scored by the model that has all others (leave one out, in closed form: D. Allen's PRESS, 1974); the
thresholds are of these scores alone. The weights are written into the installed brain, unless `--quick`, which takes a
third of all.

    recall          of the utterances that are a command, a quarter at a time, by what was fitted on the others
    with_arguments  of these, with exactly their arguments
    false_positive  of what only looks like one, in the same way; `talk`, of the conversations, without a pattern
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import alejo_brain
import msgspec
import numpy as np
from alejo_brain.grammar import Tokens
from alejo_brain.ideas import together
from alejo_brain.intent import IDEAS, PARTS, PIECE, WEIGHTS, WORDS, Intents, Weights
from alejo_brain.interpreting import Reading, interpret, pieces
from numpy.typing import NDArray

from . import commands_spans
from .commands import FOLDER, SPECS, Utterance, learned_talk, utterances
from .commands_said import Fill, sentences
from .commands_spans import Example
from .conscience import share
from .hashed import matrix
from .report import Row

__all__ = ["run"]

FILE = Path(alejo_brain.__file__).parent / WEIGHTS
LANGUAGES = ("en", "de", "es", "hi")
KINDS = ("memories", "facts", "reminders", "sessions", "preferences")
INTENTS: tuple[tuple[str, dict[str, str]], ...] = (
    *((name, {}) for name in "remember recall forget correct summarize prefer about_me mood why remind date".split()),  # noqa: SIM905
    *(("list", {"kind": kind}) for kind in KINDS),
    *((name, {}) for name in ("calculate", "help")),
)
_RIDGE, _OFFSET = 0.5, 0.3
_TALK_WEIGHT, _SAID_WEIGHT = 0.5, 0.3
_EACH = 2  # sentences of a pattern
LIKELY = -0.67  # from this score on patterns are tried: of what is above and fits one, 1 in 50 is no command
_COST = 6.0  # what is none and taken for a command, in commands that are found
_FLOOR, _HIGHEST, _MARGIN = 0.33, 1.2, 0.1
_PARTS = 4
_EVERY = 3

Matrix = NDArray[np.float32]


class Told(NamedTuple):
    """A text, its language, its command if any, the arguments, and how much it counts."""

    text: str
    language: str
    command: str | None
    arguments: dict[str, Any]
    weight: float = 1.0


class Fit(NamedTuple):
    """Weights, what was learned from, and the scores of models that did not see it."""

    weights: Weights
    told: list[Told]
    named: NDArray[np.int64]
    scores: Matrix


def run(options: Any) -> list[Row]:
    """Fits, measures by what is held back in turn, writes."""
    every = _EVERY if options.quick else 1
    known = [Told(each.text, each.language, each.command, each.arguments or {}) for each in learning()][::every]
    talk = [Told(text, code, None, {}, _TALK_WEIGHT) for text, code in _pieces(learned_talk())][::every]
    read: list[tuple[Told, Reading | None]] = []
    for part in range(_PARTS):
        unseen = Intents(fit([each for at, each in enumerate(known) if at % _PARTS != part] + talk).weights)
        read += [(each, interpret(each.text, SPECS, by=unseen)) for each in known[part::_PARTS]]
    whole = fit(known + talk)
    if not options.quick:
        FILE.write_bytes(msgspec.msgpack.encode(whole.weights))
    asked = [(told, reading) for told, reading in read if told.command]
    right = [reading is not None and reading.command == told.command for told, reading in asked]
    best, chosen = whole.scores.max(axis=1), whole.scores.argmax(axis=1)
    hit = best > np.array(whole.weights.alone)[chosen]
    is_talk = np.array([each.weight == _TALK_WEIGHT for each in whole.told])
    arguments = [
        good and reading is not None and reading.arguments == told.arguments
        for good, (told, reading) in zip(right, asked, strict=True)
    ]
    return [
        share("commands-fit", "unseen", "recall", right),
        share("commands-fit", "unseen", "with_arguments", arguments),
        share(
            "commands-fit",
            "unseen",
            "false_positive",
            [reading is not None for told, reading in read if not told.command],
        ),
        share("commands-fit", "talk", "false_positive", hit[is_talk].tolist()),
    ]


def fit(heard: list[Told]) -> Fit:
    """The weights of texts, and of what patterns say with what stands in the texts."""
    said = [each for code in LANGUAGES for each in _said(heard, code)]
    told = heard + said
    named = np.array([_intent(each) for each in told])
    labels = np.full((len(told), len(INTENTS) + len(LANGUAGES)), -1.0, np.float32)
    labels[named >= 0, named[named >= 0]] = 1.0
    labels[np.arange(len(told)), [len(INTENTS) + LANGUAGES.index(each.language) for each in told]] = 1.0
    features = _features([each.text for each in told])
    gram = (features @ features.T).toarray() + np.float32(_OFFSET)
    gram[np.diag_indices(len(told))] += _RIDGE / np.array([each.weight for each in told], np.float32)
    inverse = np.linalg.inv(gram)
    duals = inverse @ labels
    scores = (labels - duals / np.diag(inverse)[:, None])[: len(heard), : len(INTENTS)]
    levels = _levels(named[: len(heard)], scores)
    spans = commands_spans.fit([Example(each.text, each.command or "", each.arguments) for each in told])
    return Fit(
        _packed(features.T @ duals, duals.sum(axis=0) * _OFFSET, levels, spans), heard, named[: len(heard)], scores
    )


def _levels(named: NDArray[np.int64], scores: Matrix) -> tuple[float, ...]:
    """From which score on each intent needs no pattern."""
    chosen, best = scores.argmax(axis=1), scores.max(axis=1)
    found = [
        (best[(chosen == each) & (named == each)], best[(chosen == each) & (named < 0)]) for each in range(len(INTENTS))
    ]
    return tuple(max(_level(right, alarms) + _MARGIN, _FLOOR) for right, alarms in found)


def _level(right: Matrix, alarms: Matrix) -> float:
    """From which score on most is gained, where each of what is none costs _COST."""
    steps = np.unique(np.concatenate([right, alarms, [_HIGHEST]])).astype(np.float32)
    gains = [(right > step).sum() - _COST * (alarms > step).sum() for step in steps]
    return float(steps[int(np.argmax(gains))])


def learning() -> Iterator[Utterance]:
    """The utterances that may be learned from: none of those that measure."""
    for path in sorted(FOLDER.glob("learning*.jsonl")):
        yield from utterances(path)
    yield from (each for each in utterances(FOLDER / "utterances.jsonl") if each.part == "open")


def _pieces(talk: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Of every other message the whole, of the others each sentence: both is scored when a message is read."""
    for place, (text, code) in enumerate(talk):
        own = [piece.own for piece in pieces(text)][1:] if place % 2 else []
        yield from ((piece, code) for piece in own or [text[:PIECE]])


def _intent(each: Told) -> int:
    given = {"kind": each.arguments.get("kind", KINDS[0])} if each.command == "list" else {}
    return INTENTS.index((each.command, given)) if each.command else -1


def _said(heard: list[Told], language: str) -> list[Told]:
    """What patterns say."""
    drawn = sentences(language, _fill(heard, language), _EACH, 1)
    return [Told(each.text, language, each.command, {**each.given, **each.slots}, _SAID_WEIGHT) for each in drawn]


def _fill(known: list[Told], language: str) -> Fill:
    """What may stand in the slots of patterns."""
    fill: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in known:
        if each.language == language:
            for name, value in each.arguments.items():
                fill[each.command or "", name].append(str(value) or "x")
    fill["", ""] = [each.text for each in known if each.language == language and each.command is None]
    return fill


def _features(texts: list[str]) -> Any:
    """A sparse matrix: a row for each text, the places of words, then those of their parts and of ideas."""
    from scipy import sparse  # noqa: PLC0415 - only for those who fit

    spoken = [together(Tokens(text, 0, len(text)).words) for text in texts]
    return sparse.hstack((matrix(WORDS, 12, texts), matrix(PARTS, 13, texts), matrix(IDEAS, 13, spoken))).tocsr()


def _packed(weights: Matrix, biases: Matrix, levels: tuple[float, ...], table: bytes) -> Weights:
    """A byte for each weight, of the scale that the greatest one of its column needs."""
    scales = np.abs(weights).max(axis=0) / 127
    small = np.rint(weights / scales).astype(np.int8)
    words, parts, ideas = np.split(small, [1 << 12, (1 << 12) + (1 << 13)])
    return Weights(
        INTENTS,
        LANGUAGES,
        tuple(scales.tolist()),
        tuple(biases.tolist()),
        LIKELY,
        levels,
        words.tobytes(),
        parts.tobytes(),
        ideas.tobytes(),
        table,
    )
