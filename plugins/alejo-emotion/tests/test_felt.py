"""What the lexicon finds in a text, and what a classifier is told of it."""

from __future__ import annotations

import pytest
from alejo_emotion.felt import NOTHING, found, summary


def test_a_summary_tells_what_words_feel_like_where_they_stand() -> None:
    """Each emotion, with how strong it is, and the valence; a text without any says so."""
    assert summary(found("the table has four legs")) == NOTHING
    glad, turned = (summary(found(text)).split() for text in ("I am happy", "I am not happy"))
    assert glad[0] == "joy"
    assert glad[1].startswith("joy")
    assert "joy" not in turned
    assert glad[-1] > turned[-1] > "valence"


def test_phrases_are_found_before_their_words() -> None:
    """Of entries that begin with a word the longest that stands there, and no word of it once more."""
    assert [(each.at, each.size) for each in found("I can't wait, so happy")] == [(1, 2), (5, 1)]


def valence(text: str) -> float:
    """Of the last word that is felt."""
    return found(text)[-1].carried.valence


def test_what_stands_before_turns_or_scales() -> None:
    """Negations within three words and this side of a mark, factors, and capitals; what is no word stays as it is."""
    plain = valence("I am happy")
    assert valence("I am not happy") < 0
    assert valence("not, happy") == valence("no I am happy") == plain
    assert valence("not at all so much happy") == pytest.approx(plain * 1.2 * 1.15)
    assert valence("I have never been this happy") == pytest.approx(plain * 1.2)
    assert valence("very happy") == pytest.approx(plain * 1.25)
    assert valence("kind of happy") == pytest.approx(plain * 0.75)
    assert valence("I am HAPPY") == pytest.approx(plain * 1.25)
    assert valence("not :)") == valence(":)")


def test_what_is_no_feeling_keeps_its_words() -> None:
    """ "Kind of" is not kind."""
    assert found("kind of a table") == []
    assert len(found("a kind word")) == 1
