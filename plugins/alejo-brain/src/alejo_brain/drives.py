"""What the built-in brain would come back to: questions that nobody answered, and what was remembered and is due."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alejo.roles import Situation
from alejo.types import Candidate

from .reading import asks

_HOUR = 3_600 * 1_000_000
_SOON = 36 * _HOUR  # before what is due begins
_AT_ONCE = 6 * _HOUR
# An answer that says it is none: of the built-in brain, and as models put it.
_UNKNOWING = re.compile(
    r"\b(?:do not|don['\u2019]?t|cannot|can['\u2019]?t|could not|couldn['\u2019]?t) (?:\w+ )?"
    r"(?:know|say|tell|recall|remember|find|answer)\b|\bremember nothing\b|\bno idea\b|\bnot sure\b",
    re.IGNORECASE,
)


class OpenTopics:
    """Proposes the question that was left open, whoever asked it, and recalled memories whose time comes."""

    name = "open_topics"
    wants = ("times",)

    async def propose(self, situation: Situation) -> Sequence[Candidate]:
        """A question by its message, what is due by its memory: the sooner, the more."""
        found = [_due(memory_id, start - situation.now) for memory_id, start in _starts(situation)]
        question, answer = situation.question, situation.answer
        if asks(question.text) and _UNKNOWING.search(answer.text):
            found.append(Candidate("message", question.id, 0.7, "unanswered"))
        elif answer.text.rstrip(" \"')*").endswith("?"):
            found.append(Candidate("message", answer.id, 0.5, "asked"))
        return found


def _starts(situation: Situation) -> list[tuple[str, int]]:
    """The memories that name a time which comes soon or is not over, with when it begins."""
    return [
        (memory_id, mention.start)
        for memory_id, mentions in situation.times.items()
        for mention in mentions[:1]
        if mention.end > situation.now and mention.start < situation.now + _SOON
    ]


def _due(memory_id: str, ahead: int) -> Candidate:
    near = 1 - max(0, ahead - _AT_ONCE) / (_SOON - _AT_ONCE)
    return Candidate("memory", memory_id, 0.5 + 0.4 * near, "due")
