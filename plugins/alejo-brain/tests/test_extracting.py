"""What is said of the words that may answer, and that a sentence is read once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from alejo_brain.asked import Asked, read
from alejo_brain.extracting import CROSSED, PLAIN, WEIGHTS, Part, Run, Scale, line, parts, runs, scales
from alejo_brain.kept import LONG, kept
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo.types import Hit, Layer, Memory

QUESTIONS = (
    *("What kind of boat did I buy?", "How many boats do I own?", "Who has the boat?", "Where is Ada's house?"),
    *("Why did Ada leave?", "Is my dog two?", "How long did it take?", "¿Dónde vive Ada?", "Wie heißt mein Hund?"),
)
_WORDS = (
    "I my Ada boat boats the an old and two 3 4th because of to great thing sister week yesterday red mill is in dog"
)
SAID = st.lists(st.sampled_from([*_WORDS.split(), "leave,", "house.", '"Luna"', "(really)", "- so"]), min_size=2)


def one(asked: Asked, text: str) -> list[Part]:
    """The parts of one memory that says this."""
    return parts(asked, [Hit(Memory("a", Layer.EPISODIC, "statement", text, 0, 0), 1.0, 1.0)], None)


def columns(asked: Asked, part: Part) -> dict[str, list[float]]:
    """What is said of each run, by its name."""
    return {name: [run[0] for run in runs(asked, part, Scale({name: 1.0}))] for name in (*PLAIN, *CROSSED)}


@settings(max_examples=60)
@given(st.sampled_from(QUESTIONS), SAID)
def test_a_run_weighs_what_is_said_of_it_times_its_weights(question: str, said: list[str]) -> None:
    """So what the weights are fitted on is what they weigh."""
    asked, fitted = read(question), json.loads(WEIGHTS.read_text("utf-8"))
    weights, crossed = fitted["plain"], fitted["crossed"][asked.kind]
    for part in one(asked, " ".join(said)):
        found = columns(asked, part)
        for place, (weight, _, _) in enumerate(runs(asked, part, scales()[asked.kind])):
            summed = sum((weights.get(name, 0.0) + crossed.get(name, 0.0)) * found[name][place] for name in found)
            assert weight == pytest.approx(summed, abs=1e-9)


def named(asked: Asked, part: Part, run: Run) -> dict[str, float]:
    """What is said of a run's words, one by one."""
    tongue, _, start, end = asked.tongue, *run
    words = part.line.words[start:end]
    lows = [word.low for word in words]
    small = [low in tongue.small for low in lows]
    empty = [low in tongue.empty for low in lows]
    capital = [start + place > 0 and word.text[0].isupper() for place, word in enumerate(words)]
    whole = len(words) == len(part.line.words)
    return {
        "length": len(words) / 8,
        "single": len(words) == 1,
        "whole": whole,
        "begins": start == 0,
        "overlap": sum(word.stem in asked.stems for word in words) / len(words),
        "smalls": sum(small) / len(words),
        "empty": sum(empty) / len(words),
        "all_empty": all(map(max, small, empty)),
        "small_last": small[-1],
        "breaks": sum(low in tongue.breaks for low in lows) / len(words),
        "kin": bool(tongue.kin & {*lows}),
        "unit": bool(tongue.units & {*lows}),
        "reason_in": bool(tongue.reasons & {*lows}),
        "first": bool(tongue.first & {*lows}),
        "time": bool(tongue.timely & {*lows}),
        "digit": any(word.text[0].isdigit() or word.low in tongue.numbers for word in words),
        "capital": any(high and low not in tongue.first for high, low in zip(capital, lows, strict=True)),
        "after1": start > 0 and part.line.words[start - 1].stem in asked.stems,
        "followed1": not whole and end < len(part.line.words) and part.line.words[end].stem in asked.stems,
        "head_last": len(words) > 1 and words[-1].stem == asked.head,
        "head_first": words[0].stem == asked.head,
        "article": lows[0] in tongue.articles,
        "verb": tongue.verb.search(lows[0]) is not None,
    }


@settings(max_examples=60)
@given(st.sampled_from(QUESTIONS), SAID)
def test_what_is_said_of_a_run_is_so(question: str, said: list[str]) -> None:
    """What is added up from bits is what one would count in its words."""
    asked = read(question)
    for part in one(asked, " ".join(said)):
        found = columns(asked, part)
        for place, run in enumerate(runs(asked, part, Scale({}))):
            for name, value in named(asked, part, run).items():
                assert found[name][place] == value, (name, part.line.said(*run[1:]))


def test_like_runs_weigh_the_same_to_the_last_bit() -> None:
    """Of those that answer as well the first is said, however their sums are rounded."""
    asked = read("What do I grow?")
    (part,) = one(asked, "I grow roses" + ", the roses" * 12)
    weighed = runs(asked, part, Scale({"smalls": 0.1}))
    assert len({weight for weight, start, end in weighed if part.line.said(start, end) == "the roses"}) == 1


def test_a_sentence_is_read_once() -> None:
    """Another question finds what is said of it whatever is asked."""
    tongue = read(QUESTIONS[0]).tongue
    assert line("I bought a red boat.", tongue) is line("I bought a red boat.", tongue)


def test_nothing_is_kept_of_long_texts() -> None:
    """Some thousand sentences without an end would fill the memory."""
    made: list[Any] = []
    length = kept(8)(lambda text, _: made.append(text) or len(text))
    assert [length("a" * size, None) for size in (LONG, LONG, LONG + 1, LONG + 1)] == [LONG, LONG, LONG + 1, LONG + 1]
    assert list(map(len, made)) == [LONG, LONG + 1, LONG + 1]
