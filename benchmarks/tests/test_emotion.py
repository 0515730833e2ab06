"""What is fitted is what the plugin reads."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import pytest
from alejo_bench import emotion, emotion_fit, emotion_lexical, emotion_net, goemotions
from alejo_bench.cli import Options
from alejo_bench.goemotions import GROUPS, LABELS, WHOLES, of_groups
from alejo_emotion.classifier import FEELINGS, classifier
from alejo_emotion.felt import found, summary


def test_thresholds_are_those_of_the_best_f1() -> None:
    """They stand between what has a label and what has not, and F1 is what comes of it."""
    logits = np.array([[3.0, -4.0], [2.0, -3.0], [-3.0, 3.0], [-4.0, -2.0]])
    truth = np.array([[True, False], [True, False], [False, True], [False, True]])
    thresholds, f1 = emotion_fit.best(logits, truth)
    found = 1 / (1 + np.exp(-logits)) >= thresholds
    assert found.tolist() == truth.tolist()
    assert list(f1) == [1.0, 1.0]


def test_evidence_is_fitted_as_it_is_told() -> None:
    """The same logits of the wholes follow from the labels', in the plugin and where it is fitted."""
    told = classifier().evidence("thank you, that was so much fun!")
    logits = np.array([told[: len(LABELS) + len(WHOLES)]])
    assert emotion_fit.evidence(logits)[0] == pytest.approx(told)


def test_the_groups_are_those_of_the_labels() -> None:
    """A text has a group if it has one of its labels; each group of several labels is a whole, once."""
    labels = np.zeros((1, len(LABELS)), bool)
    labels[0, LABELS.index("grief")] = True
    assert of_groups(labels, GROUPS["sentiment"].values()).tolist() == [[False, True, False, False]]
    several = {members for groups in GROUPS.values() for members in groups.values() if len(members) > 1}
    assert set(WHOLES) == several
    assert len(WHOLES) == len(several)


def test_a_network_ships_as_it_was_trained() -> None:
    """Layers, heads and offsets keep their order, and means their factor."""
    weights = {f"kernel{at}": np.zeros((below, 3 * channels)) + 1e-9 for at, (below, channels) in enumerate(_shapes())}
    weights |= {f"bias{at}": np.full(channels, at + 1.0) for at, (_, channels) in enumerate(_shapes())}
    heads = np.random.default_rng(1).normal(size=(2 * sum(emotion_net.CHANNELS), 2))
    weights |= {"heads": heads, "offsets": np.array([0.5, -0.5])}
    expected, start = weights["offsets"].copy(), 0
    for at, channels in enumerate(emotion_net.CHANNELS):
        most, means = np.split(heads[start : start + 2 * channels], 2)
        expected += (at + 1) * (most.sum(axis=0) + emotion_net.MEANS * means.sum(axis=0))
        start += 2 * channels
    assert emotion_net.packed(weights).made().scores("any word") == pytest.approx(expected, abs=1e-2)


@pytest.mark.skipif(find_spec("sklearn") is None, reason="fitting is an extra")
def test_what_the_lexicon_adds_ships_as_it_was_fitted() -> None:
    """What it finds makes a class likelier where it comes with it, on texts that were not seen; a byte a weight."""
    texts = ["I am happy", "the table has four legs", "so happy", "it is a table"] * 10
    targets = np.array([[True], [False]] * 20)
    lexical, unseen = emotion_lexical.fit(texts, targets, np.arange(40) // 4 % 2, np.zeros((40, 1)))
    assert (unseen[:, 0] > 0).tolist() == targets[:, 0].tolist()
    said = FEELINGS.features(summary(found("I am happy"))).scores(memoryview(lexical.weights).cast("b"))
    assert said[0] * lexical.scales[0] + lexical.biases[0] > 0


def _shapes() -> list[tuple[int, int]]:
    return list(zip((emotion_net.DIMENSIONS, *emotion_net.CHANNELS), emotion_net.CHANNELS, strict=False))


@pytest.mark.skipif(find_spec("jax") is not None, reason="what it needs is there")
def test_fitting_says_what_it_lacks(tmp_path: Path) -> None:
    """And the command that brings it, before anything is read."""
    with pytest.raises(click.ClickException, match=r"jax.*pip install"):
        emotion_fit.run(Options(tmp_path, quick=True, peers=False))


def test_texts_are_filled_up_with_what_is_no_token() -> None:
    """To the next length; a text without a token has the unknown one."""
    first, none = emotion_net.ids(["be kind", ""])
    filled = emotion_net.filled([first, none])
    assert filled.shape == (2, 8)
    assert filled[0].tolist() == [*first, *[-1] * (8 - len(first))]
    assert filled[1].tolist() == [0, *[-1] * 7]


def test_the_bench_names_what_a_file_holds(tmp_path: Path) -> None:
    """Right texts score, and what is published of others stands beside them."""
    file = tmp_path / "some.tsv"
    rows = [("thank you so much!", "gratitude"), ("I love you", "love"), ("the table has four legs", "neutral")]
    file.write_text("".join(f"{text}\t{LABELS.index(label)}\tx\n" for text, label in rows))
    texts, labels = goemotions.read(file)
    assert (len(texts), labels.sum()) == (3, 3)
    found = {(one.case, one.system, one.metric): one for one in emotion.run(Options(file, quick=True, peers=False))}
    assert found["28", "alejo", "macro_f1"].value == pytest.approx(3 / 28)
    assert found["sentiment", "BERT-base (paper)", "macro_f1"].value == 0.69
    assert found["all", "alejo", "size_mb"].value < 5
