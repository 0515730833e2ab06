"""What the classifier names, why, and that its weights are of the shape that its code reads."""

from __future__ import annotations

from importlib.resources import files

import pytest
from alejo_emotion import Feeling
from alejo_emotion.classifier import NEUTRAL, WEIGHTS, classifier
from hypothesis import given
from hypothesis import strategies as st

TOLD = [
    ("what do you mean by that? I don't get it", "confusion"),
    ("where did you hear about that?", "curiosity"),
    ("I can't wait to see it", "excitement"),
    ("lmao that was hilarious", "amusement"),
]


@pytest.mark.parametrize(("text", "emotion"), TOLD)
def test_it_names_what_a_text_shows(text: str, emotion: str) -> None:
    """The surest of what is named."""
    assert emotion in [name for name, _ in classifier().found(text)[:2]]


@given(st.text(max_size=300))
async def test_any_text_has_probabilities(text: str) -> None:
    """Each from 0 to 1; a group is at least as likely as each of its emotions; being neutral is never felt."""
    known = classifier()
    probabilities = known.probabilities(text)
    assert len(probabilities) == len(known.labels) == 28
    assert all(0 <= p <= 1 for p in probabilities)
    for groups in known.groups.values():
        for group, p in zip(groups, known.grouped(probabilities, groups), strict=True):
            assert p >= max(probabilities[label] for label in group.labels) - 1e-9
    appraisal = await Feeling().appraise(text)
    assert NEUTRAL not in [emotion.name for emotion in appraisal.emotions]
    assert -1 <= appraisal.valence <= 1
    assert 0 <= appraisal.arousal <= 1


def test_words_say_why() -> None:
    """Those that say most alone, and no other."""
    words = ["where", "did", "you", "hear", "thankful"]
    assert classifier().because(words, "gratitude") == ("thankful",)
    assert classifier().because([], "gratitude") == ()


def test_the_weights_are_small() -> None:
    """Less than 5 MB ship."""
    assert len(files("alejo_emotion").joinpath(WEIGHTS).read_bytes()) < 5_000_000
