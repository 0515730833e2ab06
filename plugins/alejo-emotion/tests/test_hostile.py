"""However a message is written, what is made of it takes a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import process_time

import pytest
from alejo_emotion import Conscience, Feeling
from alejo_emotion.classifier import classifier
from alejo_emotion.conscience.ideas import ideas, together
from alejo_emotion.conscience.rules import Rules, normal
from alejo_emotion.conscience.secrets import spans
from alejo_emotion.conscience.shades import shades
from alejo_emotion.felt import found
from alejo_emotion.living import impression

from alejo.roles import Moment
from alejo.types import Appraisal, Emotions, Matter, Message, Role

LONGEST = 32_768  # characters of a message
SECONDS = 1.0  # of processor time: twenty times what the slowest takes, a fifth of what grows with the square takes
ONES = ["a", "A", ".", "!", "9", " ", "\n", "(", "{", "'", '"', "-", "/", "\u00e9", "\u0939", "\U0001f600"]
TWOS = ["a ", "A,", "[]", "1 ", "1-", "! ", '":']
MORE = [
    "WOW,",
    "HAPPY, ",
    "([{<",
    "happy ",
    "not happy ",
    "a\t\t\t\t",
    " / ",
    " -u a:",
    "a://b:",
    "4242 ",
    "AB12",
    "DE89 ",
]
MORE += ["pin ", "key: ", "seed phrase ", "-----BEGIN PRIVATE KEY-----", "my Dog ", "kill bomb drug money "]
MORE += ["suicide prevention kill myself ", "how do i delete all ", "don't delete all ", "note: '", "in my novel "]
RULES, CONSCIENCE, FEELING = Rules(), Conscience(discreet=["local"]), Feeling()


def lived(text: str) -> None:
    impression(Moment(Message("m", "s", 1, Role.USER, text, 1, 1), 1, Appraisal(0, 0), Emotions()))


def reviewed(text: str, about: str, origin: str = "") -> None:
    asyncio.run(CONSCIENCE.review(Matter(about, text, origin)))  # type: ignore[arg-type]


PATHS: dict[str, Callable[[str], object]] = {
    "classifier": lambda text: classifier().found(text),
    "evidence": lambda text: classifier().evidence(text),
    "lexicon": found,
    "impression": lived,
    "rules": lambda text: RULES.holding(text, "request"),
    "tongue": RULES.tongue,
    "secrets": spans,
    "shades": lambda text: shades().found(text),
    "ideas": lambda text: ideas(normal(text)),
    "together": lambda text: together(normal(text)),
    "appraisal": lambda text: asyncio.run(FEELING.appraise(text)),
    "request": lambda text: reviewed(text, "request"),
    "answer": lambda text: reviewed(text, "answer"),
    "memory": lambda text: reviewed(text, "request", "memory"),
}


@pytest.mark.parametrize("path", PATHS)
def test_no_text_takes_long(path: str) -> None:
    """One character or a few over and over."""
    made = PATHS[path]
    made("so happy")  # what is read with the first is read
    for unit in ONES + TWOS + MORE:
        text = (unit * LONGEST)[:LONGEST]
        normal.cache_clear()
        began = process_time()
        made(text)
        assert process_time() - began < SECONDS, unit
