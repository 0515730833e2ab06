"""What is remembered and asked in `alejo bench memory`: lines of words as popular as words are, the same for each run.

Memories have 8 to 31 words, some 120 characters; a question has six words of one memory and two of none. All are words
of the embedding's vocabulary and nothing else, so that everybody makes the same vectors of them.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alejo.embedding import SHIPPED, shipped

BEST = 10


@functools.cache
def words() -> list[str]:
    """Whole words of the embedding's vocabulary, the commonest first."""
    lines = (SHIPPED / "vocab.txt").read_text("utf-8").splitlines()
    return [each for each in lines if each.isascii() and each.isalpha() and len(each) > 2]


def memories(user: str, count: int) -> list[str]:
    """The first so many of a user."""
    chance = random.Random(f"memories of {user}")
    return [_line(chance, chance.randint(8, 31)).capitalize() for _ in range(count)]


def questions(user: str, held: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """Questions about what a user holds, no two the same."""
    chance = random.Random(f"questions of {user}, {seed}")
    found = []
    for _ in range(count):
        about = chance.choice(held).lower().split()
        found.append(" ".join((*chance.sample(about, 6), *(_word(chance) for _ in range(2)))))
    return found


def nearest(held: Sequence[str], asked: Sequence[str]) -> list[list[str]]:
    """The numbers, as text, of the ten nearest in meaning to each question: the exact answer."""
    cosines = _vectors(asked) @ _vectors(held).T
    return [[str(place) for place in np.argsort(-each)[:BEST]] for each in cosines]


def _vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    table = shipped()
    return np.frombuffer(table.embed_many(list(texts)), "f4").reshape(len(texts), table.dimensions)


def _line(chance: random.Random, count: int) -> str:
    return " ".join(_word(chance) for _ in range(count))


def _word(chance: random.Random) -> str:
    known = words()
    return known[min(int(len(known) ** chance.random()) - 1, len(known) - 1)]
