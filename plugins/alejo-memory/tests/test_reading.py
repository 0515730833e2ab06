"""What sort of thing a message is."""

from __future__ import annotations

import time

import pytest
from alejo_memory.reading import Sort, sort
from hypothesis import given
from hypothesis import strategies as st

from alejo.types import CommandSpec

SORTS = [
    ("My dog is called Luna.", Sort.STATEMENT),
    ("I\u2019ve moved to Bonn", Sort.STATEMENT),
    ("When I was young I lived in Rome.", Sort.STATEMENT),
    ("What a lovely day", Sort.STATEMENT),
    ("I ran a race on Saturday. How about you?", Sort.STATEMENT),
    ("Help me move the sofa on Saturday", Sort.STATEMENT),
    ("Mein Hund hei\u00dft Luna.", Sort.STATEMENT),
    ("Vergiss nicht, dass Luna Donner hasst.", Sort.STATEMENT),
    ("Vergiss alles \u00fcber Luna. Ich habe jetzt eine Katze.", Sort.STATEMENT),
    ("Danke!", Sort.COURTESY),
    ("What is my dog called?", Sort.QUESTION),
    ("what is my dog called", Sort.QUESTION),
    ("Wow, that's cool, Ada! What happened?", Sort.QUESTION),
    ("Wie hei\u00dft mein Hund?", Sort.QUESTION),
    ("\u6211\u7684\u72d7\u53eb\u4ec0\u4e48\uff1f", Sort.QUESTION),
    ("Remember when we went to Rome?", Sort.QUESTION),
    ("hello", Sort.COURTESY),
    ("Thanks a lot!", Sort.COURTESY),
    ("Good morning!", Sort.COURTESY),
    ("ok", Sort.COURTESY),
    ("...", Sort.NOTHING),
    ("", Sort.NOTHING),
    ("\U0001f600", Sort.NOTHING),
]


@pytest.mark.parametrize(("text", "expected"), SORTS)
def test_messages_are_sorted(text: str, expected: Sort) -> None:
    """Statements, questions and courtesies are told apart; a question beside a statement about oneself is one."""
    assert sort(text) is expected


COMMANDS = [
    "remember that my dog is called Luna",
    "Please remember my birthday is 3 May.",
    "don\u2019t forget to call mum",
    "note: buy milk",
    "forget my dog",
    "Erase everything about Luna.",
    "Vergiss alles \u00fcber Luna",
    "Vergiss bitte, dass Luna Donner hasst.",
    "L\u00f6sch bitte, was du \u00fcber Luna wei\u00dft.",
    "Olvida que Luna odia los truenos",
    "Por favor, olvida lo de Luna.",
    "Borra todo lo de Luna",
    "what do you remember about Luna?",
    "recall Luna",
    "list memories",
    "what do you know about me?",
    "/list",
    "/dice 2d6",
    "help",
    "what can you do?",
    "what time is it?",
    "what's the date today?",
]


@pytest.mark.parametrize("text", COMMANDS)
def test_commands_are_commands(text: str) -> None:
    """What asks the assistant to do something with its memory, or tells it a command, is no memory itself."""
    assert sort(text) is Sort.COMMAND


@pytest.mark.parametrize("text", COMMANDS)
def test_the_built_in_brain_sees_them_as_commands_too(text: str) -> None:
    """Where the built-in brain is installed, both plugins agree on what a command is."""
    hearing = pytest.importorskip("alejo_brain.hearing")
    specs = [command.spec for command in pytest.importorskip("alejo_brain.commands").COMMANDS]
    assert hearing.called(text, [*specs, CommandSpec("dice", "throws dice")]) is not None


@given(st.text(max_size=300))
def test_sorting_never_fails(text: str) -> None:
    """Any text is of some sort."""
    assert isinstance(sort(text), Sort)


HOSTILE = [
    "what" + " " * 32_000 + "x",
    "time" + " " * 32_000 + "x",
    "hey! " * 6_000,
    "my " * 10_000,
    "i " + "really " * 4_500,
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_message_costs_no_more_than_its_length(text: str) -> None:
    """The longest messages, made to be read in many ways, take under a second, not minutes."""
    began = time.perf_counter()
    sort(text)
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize(
    ("text", "is_request"),
    [
        ("Vergiss Oma", True),
        ("Vergiss bitte die alte Adresse!", True),
        ("Vergiss Oma nicht.", False),
        ("Vergiss bitte die Milch nicht", False),
        ("Delete Eva.", True),
        ("Delete key broken.", False),
        ("Olvida a Luna", True),
        ("Olvida a veces las llaves.", False),
        (f"Vergiss {'a' * 30_000} b c d e", False),
        (f"delete {'a' * 30_000} b c d e", False),
    ],
)
def test_a_request_to_forget_is_no_memory(text: str, is_request: bool) -> None:
    """What only begins like one is kept, and long words are read as soon as others."""
    assert (sort(text) is Sort.COMMAND) == is_request
