"""Which recalled memories are good enough to speak of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alejo.types import Hit

from .words import same, share

# Chosen on long conversations, with questions of known answers and questions about things never told: a lower COVERED
# answers more of both, a higher one loses answers faster than noise; a lower NEARLY adds quotes and hardly any answers.
COVERED = 0.45  # of the question's information, as the host weighs it by rarity
SHARED = 0.6  # of its telling words, unweighed: among a handful of memories rarity says little
RELATED = 0.6  # of a statement's information, from which an earlier memory is worth mentioning
NEARLY = 0.7  # of the best score
QUOTES = 3


def answers(hit: Hit, question: str) -> bool:
    """Whether a memory is about what is asked, not merely alike in a word such as "called"."""
    shared = share(question, hit.memory.text, hit.memory.speaker)
    if shared is None:
        return hit.coverage >= COVERED
    return shared > 0 and (hit.coverage >= COVERED or shared >= SHARED)


def told(hits: Iterable[Hit], message_id: str) -> list[Hit]:
    """The hits that tell something: not the questions, not the message itself, and the same words once."""
    chosen: list[Hit] = []
    for hit in hits:
        memory = hit.memory
        if memory.kind == "question" or (message_id and memory.message_id == message_id):
            continue
        if not any(same(memory.text, other.memory.text) for other in chosen):
            chosen.append(hit)
    return chosen


def best(hits: Sequence[Hit], most: int = QUOTES) -> list[Hit]:
    """The first hit and those nearly as good."""
    return [hit for hit in hits[:most] if hit.score >= NEARLY * hits[0].score]


def clear(hits: Sequence[Hit], words: str) -> list[Hit]:
    """What `words` clearly mean among hits: all that say exactly this, else the only one that fits best."""
    exact = [hit for hit in hits if same(hit.memory.text, words)]
    if exact:
        return exact
    fitting = [hit for hit in hits if answers(hit, words)]
    if not fitting or any(hit.score > NEARLY * fitting[0].score for hit in fitting[1:]):
        return []
    return [fitting[0]]
