"""What the emotion plugin goes by: `alejo bench emotion-fit --data FOLDER`, with GoEmotions' train.tsv.

In four steps, each from what the one before says of texts it was not fitted on, four parts of train in turn: linear
models of each label, a network that adds to them, what the emotion plugin's lexicon adds to both, and what makes of all
that how likely a group of labels is. Thresholds are those about which F1 is best, on such texts too; no other file is
read. The weights are written into the installed emotion plugin, unless `--quick`, which takes a tenth of the texts. It
takes some 12 minutes of one core.

    macro_f1   of train, each part by what did not see it, with those thresholds
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import alejo_emotion
import click
import msgspec
import numpy as np
from alejo_emotion.classifier import WEIGHTS, Group, Lexical, Network, Weights
from numpy.typing import NDArray

from alejo import __version__

from . import emotion_lexical, emotion_linear, emotion_net, goemotions
from .emotion_linear import Linear
from .goemotions import GROUPS, LABELS, WHOLES, of_groups
from .report import Row, row

__all__ = ["run"]

FILE = Path(alejo_emotion.__file__).parent / WEIGHTS
PARTS, SEED = 4, 1
_EVERY = 10
_PLACES, _BLUR = 1000, 0.25  # of thresholds, in logits
_FREEDOM = 0.03  # how far what is said of groups may go to fit, as scikit-learn's C

Numbers = NDArray[Any]


def run(options: Any) -> list[Row]:
    """Fits, chooses thresholds, writes."""
    if options.data is None:
        raise click.UsageError("emotion-fit needs --data, a folder with GoEmotions' train.tsv.")
    missing = [name for name in ("jax", "optax", "sklearn") if find_spec(name) is None]
    if missing:
        raise click.ClickException(f"emotion-fit needs {', '.join(missing)}: pip install -e './benchmarks[fit]'")
    texts, labels = goemotions.read(options.data / "train.tsv" if options.data.is_dir() else options.data)
    if options.quick:
        texts, labels = texts[::_EVERY], labels[::_EVERY]
    part = np.random.default_rng(SEED).integers(0, PARTS, len(texts))
    click.echo("words and parts of words", err=True)
    linear = emotion_linear.fit(texts, labels, part)
    click.echo("what they say together", err=True)
    before = evidence(linear.unseen)
    targets = np.concatenate([labels, of_groups(labels, WHOLES)], axis=1)
    network, added = _network(texts, targets, part, before)
    click.echo("what the lexicon says", err=True)
    heard = emotion_lexical.fit(texts, targets, part, before + added)
    weights, rows = assembled(labels, part, linear, network, *heard)
    if not options.quick:
        FILE.write_bytes(msgspec.msgpack.encode(weights))
    return rows


def assembled(
    labels: NDArray[np.bool_],
    part: Numbers,
    linear: Linear,
    network: Network,
    lexical: Lexical,
    logits: Numbers,
) -> tuple[Weights, list[Row]]:
    """What ships, and what it is worth; `logits` are all three's, of texts not fitted on."""
    groups, rows = _groups(evidence(logits), labels, part)
    thresholds, f1 = best(logits[:, : len(LABELS)], labels)
    rows.insert(0, row("emotion-fit", "28", "alejo", __version__, "macro_f1", "share", [f1.mean()]))
    scales, biases, words, parts = linear.packed
    named = tuple(map(float, thresholds))
    return Weights(tuple(LABELS), WHOLES, scales, biases, named, groups, words, parts, network, lexical), rows


def evidence(logits: Numbers) -> Numbers:
    """Logits that begin with those of the labels, and after them those of the wholes as they follow from these."""
    return np.concatenate([logits, _any(logits)], axis=1)


def _any(logits: Numbers) -> Numbers:
    none = np.stack([np.logaddexp(0, logits[:, list(whole)]).sum(axis=1) for whole in WHOLES], axis=1)
    return np.log(np.expm1(np.clip(none, 1e-9, 60)))  # type: ignore[no-any-return]


def _chance(logits: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))  # type: ignore[no-any-return]


def _network(texts: list[str], targets: NDArray[np.bool_], part: Numbers, before: Numbers) -> tuple[Network, Numbers]:
    """The network, and what it adds to each text's logits when it was not trained on it."""
    tokens = emotion_net.ids(texts)
    added = np.zeros(targets.shape)
    for fold in range(PARTS):
        click.echo(f"part {fold + 1} of {PARTS}", err=True)
        kept = np.flatnonzero(part != fold)
        trained = emotion_net.fit([tokens[at] for at in kept], targets[kept], before[kept], SEED).made()
        for at in np.flatnonzero(part == fold):
            added[at] = trained.scores(texts[at])
    click.echo("everything", err=True)
    return emotion_net.fit(tokens, targets, before, SEED), added


class _Whole(NamedTuple):
    """How likely a group is, from evidence that is brought to mean 0 and deviation 1."""

    bias: float
    weights: Numbers


def _groups(seen: Numbers, labels: NDArray[np.bool_], part: Numbers) -> tuple[dict[str, tuple[Group, ...]], list[Row]]:
    """The groups that ship, and what they are worth on parts that were not seen."""
    features = np.concatenate([seen, _chance(seen)], axis=1)
    made: dict[str, tuple[Group, ...]] = {}
    rows = []
    for case, groups in GROUPS.items():
        truth = of_groups(labels, groups.values())
        logits = np.zeros(truth.shape)
        for column, members in enumerate(groups.values()):
            for fold in range(PARTS):
                weighed = _weigh(features[part != fold], truth[part != fold, column], members)
                logits[part == fold, column] = weighed.bias + features[part == fold] @ weighed.weights
        thresholds, f1 = best(logits, truth)
        rows.append(row("emotion-fit", case, "alejo", __version__, "macro_f1", "share", [f1.mean()]))
        made[case] = tuple(
            _packed(name, _weigh(features, truth[:, column], members), float(thresholds[column]))
            for column, (name, members) in enumerate(groups.items())
        )
    return made, rows


def _weigh(features: Numbers, has: NDArray[np.bool_], members: tuple[int, ...]) -> _Whole:
    """Half what a logistic regression says of a group, half what its labels alone make it."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - only for those who fit

    mean, deviation = features.mean(axis=0), features.std(axis=0)
    found = LogisticRegression(C=_FREEDOM, max_iter=1000).fit((features - mean) / deviation, has)
    weights = found.coef_[0] / deviation / 2
    bias = (found.intercept_[0] / 2) - mean @ weights
    alone = len(LABELS) + len(WHOLES) + WHOLES.index(members) if members in WHOLES else members[0]
    weights[alone] += 0.5
    return _Whole(float(bias), weights)


def _packed(name: str, whole: _Whole, threshold: float) -> Group:
    logits, chances = np.split(whole.weights, 2)
    return Group(name, whole.bias, tuple(map(float, logits)), tuple(map(float, chances)), threshold)


def best(logits: Numbers, truth: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """The threshold of each column, as a probability, about which its F1 is best, and the F1 from there on.

    About: F1 is smoothed over some `_BLUR`, since the one best place owes more to chance the rarer a label is.
    """
    thresholds, values = np.zeros(logits.shape[1]), np.zeros(logits.shape[1])
    for column in range(logits.shape[1]):
        order = np.argsort(-logits[:, column], kind="stable")
        at, right = logits[order, column], np.cumsum(truth[order, column])
        f1 = 2 * right / (np.arange(1, len(order) + 1) + right[-1])
        places = np.linspace(at[-1], at[0], _PLACES)
        reached = f1[np.searchsorted(-at, -places, side="right") - 1]
        near = np.exp(-0.5 * ((places[:, None] - places) / _BLUR) ** 2)
        place = int((near @ reached / near.sum(axis=1)).argmax())
        thresholds[column], values[column] = places[place], reached[place]
    return _chance(thresholds), values
