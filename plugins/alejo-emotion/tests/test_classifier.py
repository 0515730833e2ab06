"""What the classifier names, why, and that its weights are of the shape that its code reads."""

from __future__ import annotations

from importlib.resources import files
from operator import itemgetter

import msgspec
import pytest
from alejo_emotion import Feeling
from alejo_emotion.classifier import NEUTRAL, WEIGHTS, Weights, classifier
from hypothesis import given
from hypothesis import strategies as st

from alejo.embedding import table_name

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
    """Each from 0 to 1, groups too; being neutral is never felt."""
    known = classifier()
    probabilities = known.probabilities(text)
    assert len(probabilities) == len(known.labels) == 28
    assert all(0 <= p <= 1 for p in probabilities)
    evidence = known.evidence(text)
    for groups in known.groups.values():
        found = known.grouped(evidence, groups)
        assert len(found) == len(groups)
        assert all(0 <= p <= 1 for p in found)
    appraisal = await Feeling().appraise(text)
    assert NEUTRAL not in [emotion.name for emotion in appraisal.emotions]
    assert -1 <= appraisal.valence <= 1
    assert 0 <= appraisal.arousal <= 1


def test_words_say_why() -> None:
    """Those that say most alone and that the others would miss, and no other."""
    words = ["where", "did", "you", "hear", "thankful"]
    assert classifier().because(words, "gratitude") == ("thankful",)
    assert classifier().because([], "gratitude") == ()


def test_groups_tell_good_from_bad() -> None:
    """The likeliest sentiment is the one a reader would name."""
    known = classifier()
    sentiments = known.groups["sentiment"]
    for text, name in (("this made me so happy", "positive"), ("I hate this awful place", "negative")):
        found = known.grouped(known.evidence(text), sentiments)
        assert max(zip(found, sentiments, strict=True), key=itemgetter(0))[1].name == name


def test_the_weights_fit_what_they_are_read_with() -> None:
    """Less than 5 MB ship, for the table of tokens that ships."""
    file = files("alejo_emotion").joinpath(WEIGHTS).read_bytes()
    assert len(file) < 5_000_000
    assert msgspec.msgpack.decode(file, type=Weights).network.table == table_name()


def test_long_texts_are_not_kept() -> None:
    """What the lexicon finds in a text is kept for the next one only where it is short."""
    known = classifier()
    known.probabilities("so happy, so sad")
    before = known._felt.cache_info().currsize
    known.probabilities("so happy, so sad, so glad, so angry " * 100)
    assert known._felt.cache_info().currsize == before
