"""Questions and courtesies."""

from __future__ import annotations

import pytest
from alejo_brain.reading import asks, courtesy
from hypothesis import given
from hypothesis import strategies as st

QUESTIONS = [
    "What is my dog called?",
    "what is my dog called",
    "Where do I live",
    "I love pizza. What do I love?",
    "did Caroline move",
    "when did Melanie paint a sunrise",
    "how many cats do I have",
    "tell me about Luna",
    "Wie hei\u00dft mein Hund?",
    "\u6211\u7684\u72d7\u53eb\u4ec0\u4e48\uff1f",
    "Who's my doctor",
]
STATEMENTS = [
    "My dog is called Luna.",
    "When I was young I lived in Rome.",
    "What a lovely day",
    "How nice!",
    "I know what you are.",
    "Where we live it rains.",
    "Mein Hund hei\u00dft Luna.",
    "",
]


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_question_is_known_without_its_mark(text: str) -> None:
    """A question counts by its mark in any script, or by its English form."""
    assert asks(text)


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement_is_no_question(text: str) -> None:
    """Question words at the beginning do not make a question by themselves."""
    assert not asks(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Thanks a lot!", "thanks"),
        ("bye", "bye"),
        ("Hello there", "hello"),
        ("ok", "yes"),
        ("Good", "yes"),
        ("Hello, my dog is called Luna", ""),
        ("Thank you, Caroline, for the wonderful evening in Bonn", ""),
    ],
)
def test_a_courtesy_is_a_courtesy_only_alone(text: str, kind: str) -> None:
    """A greeting or thanks counts as one when nothing else is said."""
    assert courtesy(text) == kind


@given(st.text(max_size=300))
def test_reading_never_fails(text: str) -> None:
    """Any text is read without an error."""
    assert isinstance(asks(text), bool)
    assert isinstance(courtesy(text), str)
