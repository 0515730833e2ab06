"""The built-in brain: one sentence or a few, from commands and memories, the same for the same turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

from alejo.errors import InvalidArgument, NotFound, PluginFailed
from alejo.roles import Turn
from alejo.types import Appraisal

from .answering import reply
from .choosing import RELATED, told
from .commands import whole
from .phrases import quoted, sentence, source, when
from .reading import Call, asks, call, courtesy, tells
from .words import bare

NOTHING = (
    "I remember nothing about that, but I can keep what you tell me, recall it, list it or forget it, and tell the "
    "time; say help for more."
)
UNTOLD = "I know nothing of that about {name}."
UNSEEING = "I cannot see pictures at the moment."
UNREADABLE = "A picture could not be read."
NO_MEMORY = "My memory is not available at the moment, so I cannot say what you told me."
NOT_KEPT = "My memory is not available at the moment, so I may not be able to recall this later."
COURTESIES = {
    "thanks": "You are welcome.",
    "bye": "Goodbye.",
    "hello": "Hello! Tell me something and I will remember it; say help to see what else I can do.",
    "yes": "All right.",
}
# What to say when a strong feeling comes first, by its name.
SYMPATHY = {
    "sadness": "I am sorry to hear that.",
    "grief": "I am very sorry for your loss.",
    "disappointment": "That sounds disappointing.",
    "anger": "That sounds infuriating.",
    "annoyance": "That sounds annoying.",
    "fear": "That sounds frightening.",
    "nervousness": "That sounds stressful.",
    "disgust": "That sounds unpleasant.",
    "joy": "How lovely!",
    "love": "How lovely!",
    "excitement": "That sounds exciting!",
    "pride": "You can be proud of that!",
    "relief": "What a relief.",
}
READ = 200  # characters of a picture's text that are read out, about
STRONG = 0.5  # valence beyond which a feeling is spoken of


class Mind:
    """Answers from what it remembers; what it cannot know, it says it does not."""

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """The answer, sentence by sentence, on one line unless a quote has more."""
        for place, said in enumerate(await self._sentences(turn)):
            yield f" {said}" if place else said

    async def _sentences(self, turn: Turn) -> list[str]:
        text = turn.message.text.strip()
        wanted = call(text, [spec.name for spec in turn.commands])
        if wanted is not None:
            return [await _run(wanted, turn)]
        seen = _seen(turn)
        if not text:
            return seen or ["I am listening."]
        polite = courtesy(text)
        if polite:
            return [*seen, COURTESIES[polite]]
        return [*seen, *(await _answer(turn, seen=bool(seen)) if asks(text) else _acknowledge(turn, text))]


async def _run(wanted: Call, turn: Turn) -> str:
    spec = next((spec for spec in turn.commands if spec.name == wanted.name), None)
    arguments = whole(spec, wanted.arguments) if spec is not None else wanted.arguments
    try:
        return await turn.desk.run(wanted.name, arguments)
    except NotFound:
        return f"I know no command {wanted.name}; say help to see those I know."
    except PluginFailed:
        return f"The command {wanted.name} could not be run at the moment."
    except InvalidArgument as refusal:
        return refusal.message


def _memory_is_missing(turn: Turn) -> bool:
    return any(missing.role == "memory" for missing in turn.degraded)


async def _answer(turn: Turn, *, seen: bool) -> list[str]:
    """A few plain words where they are sure, and what they are from; else what nothing is known of."""
    found = await reply(turn)
    quotes = [sentence(hit.memory, turn.now) for hit in found.hits]
    if found.about:
        return [UNTOLD.format(name=found.about), *quotes]
    if quotes:
        return [f"{found.said.rstrip('.!')}.", *quotes] if found.said else quotes
    if _memory_is_missing(turn):
        return [NO_MEMORY]
    if seen:
        return []
    return [*(_acknowledge(turn, turn.message.text) if tells(turn.message.text) else []), NOTHING]


def _acknowledge(turn: Turn, text: str) -> list[str]:
    sentences = [feeling] if (feeling := _sympathy(turn.appraisal)) else []
    if _memory_is_missing(turn):
        return [*sentences, NOT_KEPT]
    related = next(told((hit for hit in turn.recalled if hit.coverage >= RELATED), turn.message.id), None)
    if related is None:
        return [*sentences, "Noted."]
    memory = related.memory
    if bare(memory.text) == bare(text):
        return [*sentences, f"Noted; you told me the same {when(memory, turn.now)}."]
    said = source(memory, turn.now)
    return [*sentences, f"Noted; {said[0].lower() + said[1:] if not memory.speaker else said}: {quoted(memory)}"]


def _sympathy(appraisal: Appraisal | None) -> str:
    if appraisal is None or abs(appraisal.valence) < STRONG or not appraisal.emotions:
        return ""
    spoken = SYMPATHY.get(appraisal.emotions[0].name, "")
    # A feeling's name and the sign of the whole may disagree in a mixed text; then it is better to say nothing.
    glad = appraisal.emotions[0].name in {"joy", "love", "excitement", "pride", "relief"}
    return spoken if glad == (appraisal.valence > 0) else ""


def _beginning(text: str) -> str:
    """The first lines of what is written in a picture, as far as they fit a sentence."""
    told = ""
    for line in text.splitlines():
        if told and len(told) + len(line) > READ:
            return f"{told} …"
        told = f"{told} · {line}" if told else line
    return told


def _seen(turn: Turn) -> list[str]:
    if not turn.message.images:
        return []
    several = len(turn.message.images) > 1
    sentences = []
    for percept in turn.percepts:
        summary = " ".join(percept.summary.split())
        if summary:
            see = f"In picture {percept.part + 1} I see" if several else "I see"
            begins = summary.split(" ", 1)[0] in {"A", "An", "The"}
            sentences.append(f"{see} {summary[0].lower()}{summary[1:]}" if begins else f"{see}: {summary}")
        if percept.text:
            sentences.append(f'It says: "{_beginning(percept.text)}"')
    blind = [missing.reason for missing in turn.degraded if missing.role == "vision"]
    sentences.extend(UNREADABLE if reason == "rejected" else UNSEEING for reason in blind)
    return sentences
