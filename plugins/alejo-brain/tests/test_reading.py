"""What a message asks for."""

from __future__ import annotations

import time

import pytest
from alejo_brain.reading import OWN, asks, call, courtesy
from hypothesis import given
from hypothesis import strategies as st

NAMES = [*OWN, "dice", "weather"]

CALLS = [
    ("remember that my dog is called Luna", "remember", "my dog is called Luna"),
    ("Remember that my dog is called Luna.", "remember", "my dog is called Luna."),
    ("please remember my birthday is 3 May", "remember", "my birthday is 3 May"),
    ("Could you please remember that I like tea?", "remember", "I like tea"),
    ("don't forget that I am allergic to nuts!", "remember", "I am allergic to nuts!"),
    ("don\u2019t forget to call mum", "remember", "to call mum"),
    ("Note: the key is under the mat", "remember", "the key is under the mat"),
    ("note to self: buy milk", "remember", "buy milk"),
    ("/remember Luna\u2019s vet is Dr. Kim", "remember", "Luna\u2019s vet is Dr. Kim"),
    ("what do you remember about Luna?", "recall", "Luna"),
    ("What do you know about my dog", "recall", "my dog"),
    ("tell me what you remember about Bonn.", "recall", "Bonn"),
    ("do you remember my sister's name?", "recall", "my sister's name"),
    ("recall Luna", "recall", "Luna"),
    ("/recall", "recall", ""),
    ("forget that my dog is called Luna.", "forget", "my dog is called Luna"),
    ("forget about Luna", "forget", "Luna"),
    ("please forget my dog", "forget", "my dog"),
    ("forget what I told you about Bonn", "forget", "Bonn"),
    ("delete everything you know about Bonn", "forget", "Bonn"),
    ("forget it", "forget", ""),
    ("/forget Luna", "forget", "Luna"),
    ("list memories", "list", ""),
    ("show me my memories", "list", ""),
    ("What do you know about me?", "list", ""),
    ("what do you remember?", "list", ""),
    ("/list", "list", ""),
    ("help", "help", ""),
    ("What can you do?", "help", ""),
    ("/help", "help", ""),
    ("What time is it?", "date", ""),
    ("what's the date today?", "date", ""),
    ("what day is it", "date", ""),
    ("whats the time", "date", ""),
    ("/time", "date", ""),
    ("dice 2d6", "dice", "2d6"),
    ("/dice 2d6", "dice", "2d6"),
    ("Dice", "dice", ""),
    ("/nonsense here", "nonsense", "here"),
]
NO_CALLS = [
    "My dog is called Luna.",
    "What is my dog called?",
    "Remember when we went to Rome?",
    "Do you like tea?",
    "I remember that day",
    "I forget things easily",
    "Time flies",
    "Help me move the sofa on Saturday",
    "The list of guests is long",
    "Weather was lovely today",
    "What is the date of my birthday?",
    "Notes are on the table",
    "remember me?",
    "/usr/bin is a folder",
    "",
]
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


@pytest.mark.parametrize(("text", "name", "arguments"), CALLS)
def test_a_command_is_read_with_its_words(text: str, name: str, arguments: str) -> None:
    """Spoken and slashed forms give the command's name and the words after it, as they were written."""
    found = call(text, NAMES)
    assert found is not None
    assert (found.name, found.arguments) == (name, arguments)


@pytest.mark.parametrize("text", NO_CALLS)
def test_what_only_begins_like_a_command_is_none(text: str) -> None:
    """Statements and questions that share a command's first word stay what they are."""
    assert call(text, NAMES) is None


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
    """Any text is read without an error, and arguments are words of that text."""
    found = call(text, NAMES)
    assert found is None or found.arguments in text
    assert isinstance(asks(text), bool)
    assert isinstance(courtesy(text), str)


HOSTILE = ["forget x" + " " * 32_000 + "y", "recall " + "!" * 32_000 + "y", "ok " * 10_000, "what " + "a " * 16_000]
HOSTILE += ["remember that " + "? " * 16_000, " " * 32_000 + "time", "what" + " " * 32_000 + "time is", "hey," * 8_000]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_message_costs_no_more_than_its_length(text: str) -> None:
    """The longest allowed message, made to be read in as many ways as possible, takes under a second, not minutes."""
    began = time.perf_counter()
    call(text, NAMES)
    asks(text)
    courtesy(text)
    assert time.perf_counter() - began < 1.0
