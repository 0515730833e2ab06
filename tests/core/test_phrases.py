"""Words and phrases in texts, as Python sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo import PhraseFinder
from alejo._core import InvalidValue

PIECES = [
    "glad",
    "not",
    "very",
    "kind",
    "of",
    "Kind of",
    "!",
    ",",
    ":)",
    "can\u2019t",
    "CAN'T",
    "x-y",
    "\U0001f600",
    "%",
    "\n",
]
PHRASES = ["glad", "kind of", "can't", "can't not", ":)", "\U0001f600", "x-y glad"]
BEFORE = ["not", "very", "kind of", "of"]
MARKS = frozenset("!,\n")


def plainly(text: str, reach: int) -> list[tuple[int, int, int, tuple[tuple[int, int], ...]]]:
    """What is found in a text, looked for one after the other."""
    said = [token.lower() for token in PhraseFinder.tokens(text)]
    found, at = [], 0

    def longest(phrases: list[str], fits: list[str], *, end: bool) -> int | None:
        cut = [phrase.split() for phrase in phrases]
        fitting = [each for each in cut if (fits[-len(each) :] if end else fits[: len(each)]) == each]
        return cut.index(max(fitting, key=len)) if fitting else None

    while at < len(said):
        phrase = longest(PHRASES, said[at:], end=False)
        if phrase is None:
            at += 1
            continue
        before = []
        for back in range(1, min(reach, at) + 1):
            if said[at - back] in MARKS:
                break
            one = longest(BEFORE, said[: at - back + 1], end=True)
            if one is not None:
                before.append((one, back))
        size = len(PHRASES[phrase].split())
        found.append((phrase, at, size, tuple(before)))
        at += size
    return found


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.integers(0, 5))
def test_phrases_are_found_as_by_hand(pieces: list[str], reach: int) -> None:
    """The longest at each token, none in another, with what ends before it within reach and up to a mark."""
    text = " ".join(pieces)
    found = PhraseFinder(PHRASES, BEFORE, reach).found(text)
    assert [(phrase, at, size, before) for phrase, at, size, _, before in found] == plainly(text, reach)


@given(st.text(max_size=80))
def test_a_text_is_found_in_itself(text: str) -> None:
    """Whatever it holds: its tokens, one after the other, are a phrase that lies there and nowhere else."""
    said = PhraseFinder.tokens(text)
    if said:
        ((phrase, at, size, _, before),) = PhraseFinder([" ".join(said)]).found(text)
        assert (phrase, at, size, before) == (0, 0, len(said), ())


def test_tokens_are_words_marks_and_faces() -> None:
    """Apostrophes and hyphens stay inside words, exclamation marks together, emoticons and emojis whole."""
    assert PhraseFinder.tokens("I can\u2019t :( well-being wait!!! \U0001f600\U0001f600 50%") == [
        *("I", "can't", ":(", "well-being", "wait", "!!!", "\U0001f600", "\U0001f600", "50"),
    ]  # fmt: skip


def test_capitals_stand_out() -> None:
    """Where a token has only these and another one of the text none."""
    finder = PhraseFinder(["glad"])
    assert [finder.found(text)[0][3] for text in ("so GLAD", "SO GLAD", "so Glad", "GLAD :)")] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("wrong", ["", "a_b", "50%", "a\tb", "Glad"])
def test_a_phrase_that_cannot_be_found_is_refused(wrong: str) -> None:
    """What no text can spell or is there already is a ValueError with its place, in either list."""
    with pytest.raises(InvalidValue, match="phrase 1 "):
        PhraseFinder(["glad", wrong])
    with pytest.raises(InvalidValue, match="phrase 1 "):
        PhraseFinder([], ["glad", wrong])
