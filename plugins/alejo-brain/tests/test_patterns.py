"""Patterns over what people said stay quick, whatever they said."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pkgutil import iter_modules
from typing import Any

import alejo_brain
import pytest
from alejo_brain import answering
from alejo_brain.asked import read
from alejo_brain.extracting import sentences
from alejo_brain.tongues import tongues

from alejo.testing import ListDesk, turn

SIZE = 32_768  # characters of the longest message
SECONDS = 1.0  # of CPU: what grows with the square of the size takes many, what is linear some thousandths
CELLS = ("a", "1", " ", "-", "?", "a-", "a ", "as")
WORDS = ("", "[", "what ", "before ", "where do my ", "what is my ", "cu\u00e1ndo ", "qu\u00e9 ", "welche ", "vor ")
RUNS = ("[", "]", "'", ",", ".", "[1", "1 ", " [", "] ", "- ", "A a", "not ", *WORDS[2:], "[" + "1" * 59, "[photo: 1")
HOSTILE = [
    *(words + (run * SIZE)[: SIZE - len(words) - 1] + "!" for words, run in product(WORDS, CELLS)),
    *((run * SIZE)[:SIZE] for run in RUNS),
    "1" + "*" * (SIZE - 1),
]


def patterns(holder: Any, name: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """All that something holds, however deep, with where."""
    if isinstance(holder, re.Pattern):
        yield name, holder
    elif isinstance(holder, dict):
        for key, each in holder.items():
            yield from patterns(each, f"{name}.{key}")
    elif isinstance(holder, (list, tuple)):
        for place, each in enumerate(holder):
            yield from patterns(each, f"{name}.{place}")


# What commands read of their arguments is short by then.
MODULES = [import_module(f"alejo_brain.{each.name}") for each in iter_modules(alejo_brain.__path__) if not each.ispkg]
FOUND = [
    *(each for module in MODULES for each in patterns(vars(module), module.__name__.rpartition(".")[2])),
    *(each for code, tongue in tongues().items() for each in patterns(vars(tongue), code)),
]


@pytest.mark.parametrize("pattern", [each for _, each in FOUND], ids=[name for name, _ in FOUND])
def test_no_pattern_is_slow_on_any_text(pattern: re.Pattern[str]) -> None:
    """A search through the longest text costs about as much as to read it."""
    for text in HOSTILE:
        begun = time.process_time()
        for _ in pattern.finditer(text):
            pass
        assert time.process_time() - begun < SECONDS, text[:80]


@pytest.mark.parametrize("told", ["[" + "1" * (SIZE - 1), " " * SIZE + "x", "a-" * (SIZE // 2)])
async def test_memories_of_one_character_are_answered_from_at_once(told: str) -> None:
    """Neither blanks, brackets nor hyphens in what is remembered hold an answer up."""
    desk = ListDesk()
    desk.add(f"I went to the dentist {told}")
    question = "How many times did I go to the dentist?"
    begun = time.process_time()
    sentences(desk.kept[0].text)
    read(question).tongue.numbered.search(told)
    await answering.reply(turn(question, desk, recalled=tuple(await desk.recall(question))))
    assert time.process_time() - begun < SECONDS
