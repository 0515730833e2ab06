"""A summary of what was said, in its own sentences: those that together tell most of its words, in the order they came.

Greedy choice by the words that a sentence adds, each counted by how often it occurs in all and once only, over the
square root of its length (the budgeted maximum coverage of Filatova and Hatzivassiloglou 2004, with their greedy step).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from alejo import _core
from alejo.types import Memory

_SENTENCES = re.compile(r"(?<=[.!?…\u3002\uff01\uff1f\u061f])\s+|(?<=[\u3002\uff01\uff1f])|\n+")

_READ = 2_000  # characters of each memory: what comes later seldom is what it is about


def summarise(memories: Sequence[Memory], characters: int) -> str:
    """At most so many characters of what the memories say, with their speakers; "" if no sentence is as short."""
    places = [
        (number, sentence, frozenset(_core.tokens(sentence)))
        for number, memory in enumerate(memories)
        for part in _SENTENCES.split(memory.text[:_READ])
        if (sentence := part.strip())
    ]
    counts = Counter(term for _, _, terms in places for term in terms)
    chosen: set[int] = set()
    told: set[str] = set()
    room = characters
    while True:
        best, most = -1, 0.0
        for place, (number, sentence, terms) in enumerate(places):
            size = len(_line(memories[number], sentence)) + 1
            worth = sum(counts[term] for term in terms - told) / size**0.5
            if place not in chosen and size <= room and worth > most:
                best, most = place, worth
        if best < 0:
            break
        number, sentence, terms = places[best]
        chosen.add(best)
        told |= terms
        room -= len(_line(memories[number], sentence)) + 1
    return "\n".join(_line(memories[places[each][0]], places[each][1]) for each in sorted(chosen))


def _line(memory: Memory, sentence: str) -> str:
    return f"{memory.speaker}: {sentence}" if memory.speaker else sentence
