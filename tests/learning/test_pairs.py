"""Pairs: found in what was said, told apart, and written as lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo.learning.pairs import Seen, find, line
from alejo.storage.journal import message_key
from alejo.types import Message, Pair, Role

SESSION = "1" * 32
ROLES = {"u": Role.USER, "a": Role.ASSISTANT, "s": Role.SYSTEM}


def said(spoken: str) -> list[Message]:
    """Messages: each word is a role and a text."""
    return [
        Message(f"{seq:032x}", SESSION, seq, ROLES[word[0]], word[2:], seq, seq, redacted=word == "u:gone")
        for seq, word in enumerate(spoken.split(), 1)
    ]


def pair(question: str, answer: str = "Yes.") -> Pair:
    return Pair(question, answer, SESSION, "2" * 32, 0)


@pytest.mark.parametrize(("spoken", "found"), [
    ("u:a a:b", [((1,), (2,))]),
    ("u:a u:b a:c a:d u:e a:f", [((1, 2), (3, 4)), ((5,), (6,))]),
    ("a:hello u:a", []),
    ("u:a s:note a:b", [((1,), (3,))]),
    ("u:/help a:b u:c a:d", [((3,), (4,))]),
    ("u:gone a:b u:c a:d", [((3,), (4,))]),
])  # fmt: skip
def test_a_question_and_what_follows_are_a_pair(spoken: str, found: list[tuple[tuple[int, ...], ...]]) -> None:
    """Runs of the user's messages and of the answers to them belong together; commands and what is gone do not."""
    wanted = [
        (question[0], *(tuple(message_key(SESSION, seq, seq) for seq in seqs) for seqs in (question, answer)))
        for question, answer in found
    ]
    assert [(seq, row.question, row.answer) for seq, row in find(said(spoken))] == wanted


def test_lines_have_either_form() -> None:
    """A line is plain, or as OpenAI fine-tunes chat models."""
    assert json.loads(line(pair("What?", "That."), "plain")) == {
        "instruction": "What?", "output": "That.", "context": SESSION,
    }  # fmt: skip
    assert json.loads(line(pair("What?", "That."), "openai")) == {
        "messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "That."}]
    }


LONG = "Tell me how the water gets from the lake up to the old mill on the hill behind the church"


@pytest.mark.parametrize(("one", "two", "new"), [
    (pair("What is my dog called?"), pair("what is my dog called"), False),
    (pair(LONG, "It is pumped."), pair(f"{LONG}, please", "It is pumped."), False),
    (pair(LONG, "It is pumped."), pair(LONG, "By a chain of buckets that two donkeys pull all day long."), True),
    (pair("What is my dog called?"), pair("What is my cat called?"), True),
    (pair("Is it 5?"), pair("Is it 6?"), True),
])  # fmt: skip
def test_near_duplicates_are_known(one: Pair, two: Pair, new: bool) -> None:
    """Case, marks and a word more in many make no other pair; another word in few, or another answer, does."""
    seen = Seen()
    assert seen.new(one)
    assert seen.new(two) is new


@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), max_size=30))
def test_nothing_is_new_twice(texts: list[tuple[str, str]]) -> None:
    """Of any pairs each is new once at most, in the order in which they come, the first always."""
    seen = Seen()
    pairs = [pair(*each) for each in texts]
    first = [seen.new(each) for each in pairs]
    assert first[:1] in ([], [True])
    assert not any(seen.new(each) for each, new in zip(pairs, first, strict=True) if new)


WORDS = st.lists(
    st.sampled_from(
        ["ant", "bee", "cow", "dog", "elk", "fox", "gnu", "hen", "ibex", "jay", "kite", "lark", "mole", "newt", "owl"]
    ),
    min_size=8,
)


@given(WORDS, WORDS)
def test_what_was_said_otherwise_is_kept(one: list[str], two: list[str]) -> None:
    """Two pairs that share less than half of their words are both kept."""
    seen = Seen()
    seen.new(pair(" ".join(one), ""))
    if len(set(one) & set(two)) < len(set(one) | set(two)) / 2:
        assert seen.new(pair(" ".join(two), ""))
