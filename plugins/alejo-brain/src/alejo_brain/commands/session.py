"""Commands about the conversation itself: what was said in it, and what the last answer rests on."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from alejo.roles import Told, Turn
from alejo.types import Evidence, Hit, Message, Role

from ..interpreting import SURE, interpret
from ..phrases import numbered, quoted
from ..reading import asks
from ..words import content
from .describing import described
from .replies import Locale, heard

LOOKED = 100  # messages
TOLD = 5  # sentences of each sort
REASONS = 2  # of each memory
_SENTENCE = re.compile(r"(?<=[.!?\u2026])\s+|\n+")
_SHORT = 12  # characters: what is shorter tells nothing
_LONG = 300
_DECIDED = re.compile(
    r"\b(?:let's|we'll|we will|i'll|i will|i am going to|we are going to|i'm going to|decided|agreed|settled|"
    r"wir werden|ich werde|beschlossen|entschieden|abgemacht|vamos a|voy a|he decidido|decidimos|acordamos)\b",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"^\W*(?:/|please\b|recap|summar|remind|remember|forget|list\b|help\b|fass\b|resume\b)", re.IGNORECASE
)
# What the evidence of a recalled memory means, in words.
_EVIDENCE = {
    "lexical": "it shares words with what you asked",
    "lexical_own": "it shares words with what you asked",
    "lexical_wide": "what was said beside it shares words",
    "pieces": "its words are much like yours",
    "pieces_asked": "the question before it is much like yours",
    "dense": "it means much the same",
    "dense_around": "what was said beside it means much the same",
    "speaker": "you asked about who said it",
    "date": "it is from the time you named",
    "time": "it is from the time you named",
    "names": "it names somebody or some place",
    "tells": "it tells a number or a place, as you asked",
    "question": "it is a question too",
    "length": "it tells much",
    "importance": "it matters to you",
    "recency": "it is recent",
    "kind": "it is of the kind you asked for",
}


class Summarize:
    """Says what was said, asked and decided in this conversation."""

    spec = described(
        "summarize",
        "sums up this conversation: what you said, asked and decided",
        "summarize",
        ("summarize", "recap", "what have we talked about"),
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """The user's own sentences that tell most, in the order they were said."""
        locale = await heard(turn)
        messages = await turn.desk.said(LOOKED)
        said = []
        for message in messages:
            if message.role is Role.USER and not _is_command(message.text, turn):
                said.append(message)
            await asyncio.sleep(0)  # reading takes some 2 ms, and others wait
        parts = _sorted(said)
        if not any(parts):
            return locale.say("summary_none")
        lines = [locale.say("summary_count", count=len(messages))]
        for key, sentences in zip(("summary_said", "summary_asked", "summary_decided"), parts, strict=True):
            if sentences:
                lines.append(locale.say(key, listed="; ".join(f'"{each}"' for each in _chosen(sentences))) + ".")
        return " ".join(lines)


def _is_command(text: str, turn: Turn) -> bool:
    """Whether a message asked for something to be done, other than to keep or correct what it says."""
    reading = interpret(text[:_LONG], turn.commands)
    return reading is not None and reading.confidence >= SURE and reading.command not in {"remember", "correct"}


class _Parts(NamedTuple):
    said: list[str]
    asked: list[str]
    decided: list[str]


def _sorted(messages: Sequence[Message]) -> _Parts:
    """The user's sentences, each once, by what they are."""
    parts, seen = _Parts([], [], []), set[str]()
    for message in messages:
        if message.redacted or _COMMAND.match(message.text):
            continue
        for each in _SENTENCE.split(message.text):
            sentence = each.strip()
            if not _SHORT <= len(sentence) <= _LONG or sentence.lower() in seen:
                continue
            seen.add(sentence.lower())
            if asks(sentence):
                parts.asked.append(sentence)
            elif _DECIDED.search(sentence.replace("\u2019", "'")):
                parts.decided.append(sentence)
            else:
                parts.said.append(sentence)
    return parts


def _chosen(sentences: Sequence[str]) -> list[str]:
    """The few that tell most of all their words, in their order (greedy coverage, by length)."""
    terms = [content(sentence) for sentence in sentences]
    counts = Counter(term for each in terms for term in each)
    chosen: set[int] = set()
    told: set[str] = set()
    while len(chosen) < min(TOLD, len(sentences)):
        worth = {
            place: sum(counts[term] for term in each - told) / max(1, len(sentences[place])) ** 0.5
            for place, each in enumerate(terms)
            if place not in chosen
        }
        best = max(worth, key=lambda place: worth[place])
        chosen.add(best)
        told |= terms[best]
    return [sentences[place] for place in sorted(chosen)]


class Why:
    """Says what the last answer rests on."""

    spec = described(
        "why",
        "says why I said what I said last: memories, commands, rulings and the model",
        "why did you say that?",
        ("why did you say that", "where did you get that from", "explain your last answer"),
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """The sources of the last turn with their evidence in words, and all else that had a part in it."""
        locale, last = await heard(turn), await turn.desk.last()
        if last is None:
            return locale.say("why_none")
        return "; ".join([_sources(last, locale), *_beside(last, locale)]) + "."


def _sources(last: Told, locale: Locale) -> str:
    answer = _quoted(last.answer.text)
    used = [hit for hit in last.recalled if hit.memory.text in last.answer.text]
    if not used and last.commands:
        return locale.say("why_nothing", quote=answer)
    shown = used or list(last.recalled[:1] if not last.commands else ())
    if not shown:
        return locale.say("why_nothing", quote=answer)
    rest = len(last.recalled) - len(shown)
    also = "; " + locale.say("why_also", count=rest) if rest > 0 else ""
    return locale.say("why_recalled", quote=answer, listed=numbered([_source(hit, locale) for hit in shown])) + also


def _quoted(answer: str) -> str:
    """An answer, whole, or of a long one the first sentence: the host knows quotes by these."""
    first = _SENTENCE.split(answer)[0].strip()
    shown = answer if len(answer) <= _LONG else first
    return f'"{shown}"' if len(shown) <= _LONG else "\u2026"


def _source(hit: Hit, locale: Locale) -> str:
    reasons = sorted((each for each in hit.evidence if each.share > 0), key=lambda each: -each.share)[:REASONS]
    said = ", ".join([locale.said_on(hit.memory), *map(_reason, reasons)])
    return f"{quoted(hit.memory)} ({said})"


def _reason(evidence: Evidence) -> str:
    return _EVIDENCE.get(evidence.name, evidence.name.replace("_", " "))


def _beside(last: Told, locale: Locale) -> list[str]:
    """What else had a part: commands, rulings, the model, and what was missing."""
    told = []
    if last.commands:
        told.append(locale.say("why_command", commands=", ".join(last.commands)))
    told += [
        locale.say("why_verdict", ruling=verdict.ruling, why=verdict.reason or verdict.category, rule=verdict.rule)
        for verdict in last.verdicts
    ]
    if last.model is not None:
        told.append(locale.say("why_model", model=last.model.model, why=last.model.reason))
    if last.degraded:
        told.append(locale.say("why_missing", roles=", ".join(sorted({each.role for each in last.degraded}))))
    return told
