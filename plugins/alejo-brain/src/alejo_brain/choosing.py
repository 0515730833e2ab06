"""Which recalled memories are good enough to speak of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from alejo.types import Hit, Memory

# Measured on conversations with known answers; see tests/test_choosing.py for what each threshold holds.
RELEVANT = 0.35  # of the question's information, below which a memory only shares a word with it
RELATED = 0.6  # of a statement's information, from which an earlier memory is worth mentioning
NEARLY = 0.8  # of the best score, from which a second quote is as likely as the first
QUOTES = 3

_WORDS = re.compile(r"[^\W_]+")


def same_words(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but case and punctuation."""
    return _WORDS.findall(one.lower()) == _WORDS.findall(other.lower())


def told(memories: Iterable[Memory]) -> list[Memory]:
    """Those that tell something: not the questions."""
    return [memory for memory in memories if memory.kind != "question"]


def relevant(hits: Iterable[Hit], message_id: str = "", least: float = RELEVANT) -> list[Hit]:
    """The hits that tell something, cover enough, and are not the message itself; best first, each text once."""
    chosen: list[Hit] = []
    for hit in hits:
        memory = hit.memory
        if memory.kind == "question" or hit.coverage < least or (message_id and memory.message_id == message_id):
            continue
        if not any(same_words(memory.text, other.memory.text) for other in chosen):
            chosen.append(hit)
    return chosen


def best(hits: Sequence[Hit], most: int = QUOTES) -> list[Hit]:
    """The first hit and those nearly as good."""
    return [hit for hit in hits[:most] if hit.score >= NEARLY * hits[0].score]


def clear(hits: Sequence[Hit], words: str) -> list[Hit]:
    """What `words` clearly mean among hits: all that say exactly this, else the one far better than the others."""
    exact = [hit for hit in hits if same_words(hit.memory.text, words)]
    if exact:
        return exact
    if not hits or hits[0].coverage < RELATED:
        return []
    second = hits[1] if len(hits) > 1 else None
    if second is not None and second.score > NEARLY * hits[0].score:
        return []
    return [hits[0]]
