"""The words that carry a question's meaning."""

from __future__ import annotations

import pytest
from alejo_brain.words import bare, content, share, telling_words
from hypothesis import given
from hypothesis import strategies as st


def test_endings_and_common_words_do_not_count() -> None:
    """Words meet across the commonest endings; stopwords are gone."""
    assert content("He moved the cats") == content("moving cat")


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("What is my dog's name?", "My dog is called Luna.", 1.0),
        ("What is my cat called?", "My dog is called Luna.", 0.0),
        ("Where did Ada park the car?", "I sold the car", 0.5),
        ("Where do I live?", "I live in Bonn", None),
    ],
)
def test_the_share_of_telling_words(question: str, text: str, expected: float | None) -> None:
    """General words and the speaker's name are left out of the count."""
    assert share(telling_words(question), text, "Ada") == expected


def test_words_are_compared_without_case_and_marks() -> None:
    """Only letters and digits count, in any script."""
    assert bare("Mein Hund hei\u00dft Luna!") == bare("mein hund, hei\u00dft luna")
    assert bare("Luna") != bare("Lunas")


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20))
def test_a_share_is_a_share(question: str, text: str, speaker: str) -> None:
    """Whatever the texts, the share is between 0 and 1, or there is none."""
    found = share(telling_words(question), text, speaker)
    assert found is None or 0.0 <= found <= 1.0
