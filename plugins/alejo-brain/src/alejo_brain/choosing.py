"""Which recalled memories are good enough to speak of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from alejo.types import Hit

from .words import bare, share, telling_words

# Chosen on long conversations, with questions of known answers and questions about things never told: a lower COVERED
# answers more of both, a higher one loses answers faster than noise; a lower NEARLY adds quotes and hardly any answers.
COVERED = 0.45  # of the question's information, as the host weighs it by rarity
SHARED = 0.6  # of its telling words, unweighed: among a handful of memories rarity says little
NEAR = 1.1  # score · coverage, from which a memory with a telling word is told as the nearest there is
RELATED = 0.6  # of a statement's information, from which an earlier memory is worth mentioning
NEARLY = 0.7  # of the best score
QUOTES = 3


def answers(hits: Iterable[Hit], question: str, message_id: str = "") -> Iterator[Hit]:
    """The hits that are about what is asked, not merely alike in a word such as "called"; each text once."""
    telling = telling_words(question)
    return told((hit for hit in hits if _fits(hit, telling)), message_id)


def _fits(hit: Hit, telling: frozenset[str]) -> bool:
    shared = _shared(hit, telling)
    if shared is None:
        return hit.coverage >= COVERED
    return shared > 0 and (hit.coverage >= COVERED or shared >= SHARED)


def near(hits: Iterable[Hit], question: str, message_id: str = "") -> Iterator[Hit]:
    """The hits that may be about what is asked, though it is not sure: each has a word of it that tells something."""
    telling = telling_words(question)
    return (hit for hit in told(hits, message_id) if hit.score * hit.coverage >= NEAR and _shared(hit, telling))


def entire(hits: Iterable[Hit], question: str) -> list[Hit]:
    """The hits that have every word of a question that tells something."""
    telling = telling_words(question)
    return [hit for hit in hits if telling and _shared(hit, telling) == 1.0]


def _shared(hit: Hit, telling: frozenset[str]) -> float | None:
    """The share of telling words that a memory has, also in other forms: the host, which knows them, names those."""
    named = next((each.detail for each in hit.evidence if each.name == "lexical"), "")
    return share(telling, f"{hit.memory.text} {named}", hit.memory.speaker)


def told(hits: Iterable[Hit], message_id: str) -> Iterator[Hit]:
    """The hits that tell something: not the questions, not the message itself, and the same only once.

    What was derived from another hit tells nothing beside it.
    """
    seen: set[str] = set()
    hits = list(hits)
    found = {hit.memory.id for hit in hits}
    for hit in hits:
        memory = hit.memory
        if memory.kind == "question" or (message_id and memory.message_id == message_id):
            continue
        if not found.isdisjoint(memory.sources):
            continue
        said = bare(memory.text)
        if said not in seen:
            seen.add(said)
            yield hit


def best(hits: Iterable[Hit], most: int = QUOTES) -> list[Hit]:
    """The first hit and those nearly as good."""
    chosen: list[Hit] = []
    for hit in islice(hits, most):
        if chosen and hit.score < NEARLY * chosen[0].score:
            break
        chosen.append(hit)
    return chosen


def clear(hits: Sequence[Hit], words: str) -> list[Hit]:
    """What `words` clearly mean among hits: all that say exactly this, else the only one that fits best."""
    exact = [hit for hit in hits if bare(hit.memory.text) == bare(words)]
    if exact:
        return exact
    fitting = best(answers(hits, words))
    return fitting if len(fitting) == 1 else []
