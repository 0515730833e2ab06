"""The built-in brain: one sentence or a few, from commands and memories, the same for the same turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec

from alejo.errors import InvalidArgument, NotFound, PluginFailed
from alejo.roles import Turn, Whole
from alejo.types import Appraisal, Hit

from .answering import Reply, reply
from .choosing import RELATED, told
from .claims import claim
from .dialogue import STRONG, Manner, connected, heavy, manner, mirrored, onward, painless
from .hearing import Call, hear
from .phrases import dated, numbered, sentence, when
from .reading import asks, courtesy, tells
from .ways import MODES
from .words import bare

UNSEEING = "I cannot see pictures at the moment."
UNREADABLE = "A picture could not be read."
NO_MEMORY = "My memory is not available at the moment, so I cannot say what you told me."
NOT_KEPT = "My memory is not available at the moment, so I may not be able to recall this later."
READ = 200  # characters of a picture's text that are read out, about
DIRECT, REFLECTIVE, _ = MODES
_GLAD = frozenset({"joy", "love", "excitement", "pride", "relief"})


class Mind:
    """Answers from what it remembers; what it cannot know, it says it does not."""

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """The answer, sentence by sentence but for what it quotes, on one line unless a quote has more."""
        said = await self._sentences(turn)
        for each, following in zip(said, [*said[1:], ""], strict=True):
            yield type(each)(f"{each} ") if following and not following.startswith("\n") else each

    async def _sentences(self, turn: Turn) -> list[str]:
        text = turn.message.text.strip()
        wanted = await hear(turn)
        if wanted is not None:
            return [wanted if isinstance(wanted, str) else await _run(wanted, turn)]
        seen = _seen(turn)
        if not text:
            return seen or [(await manner(turn)).say("listening")]
        how = await manner(turn)
        if polite := courtesy(text):
            return [*seen, _named(how.say(polite), how) if polite == "hello" else how.say(polite)]
        said = [*seen, *(await _answer(turn, how, seen=bool(seen)) if asks(text) else _acknowledge(turn, how))]
        return [f"{chr(10) if place else ''}- {each}" for place, each in enumerate(said)] if how.bullets else said


def _named(said: str, how: Manner) -> str:
    """A greeting with the name of who is greeted."""
    return said.replace("!", f", {how.name}!", 1) if how.name else said


async def _run(wanted: Call, turn: Turn) -> str:
    try:
        return await turn.desk.run(wanted.name, wanted.arguments)
    except NotFound:
        return f"I know no command {wanted.name}; say help to see those I know."
    except PluginFailed:
        return f"The command {wanted.name} could not be run at the moment."
    except InvalidArgument as refusal:
        return refusal.message


def _memory_is_missing(turn: Turn) -> bool:
    return any(missing.role == "memory" for missing in turn.degraded)


async def _answer(turn: Turn, how: Manner, *, seen: bool) -> list[str]:
    """A few plain words where they are sure, and what they are from; else what nothing is known of."""
    found = await reply(turn)
    if found.near and heavy(turn, how.tongue) and len(painless(found.hits, how.tongue)) < len(found.hits):
        found = Reply()
    quotes = _quotes(found, turn, how)
    if not quotes and _memory_is_missing(turn):
        return [NO_MEMORY]
    if not quotes and seen:
        return []
    ahead = _plainly(found, how)
    if found.about:
        ahead = [how.say("untold", name=found.about)]
    elif found.near:
        ahead = [how.say("nearest")]
    elif not quotes:
        told = _acknowledge(turn, msgspec.structs.replace(how, mode=DIRECT)) if tells(turn.message.text) else []
        ahead = [*told, how.say("nothing")]
    shown = [hit.memory.id for hit in found.hits]
    return [*mirrored(turn, how), *ahead, *quotes, *onward(turn, how, list(told_of(turn)), shown)]


def _plainly(found: Reply, how: Manner) -> list[str]:
    """An answer's own words: of a list or of several times, how many there are at least."""
    said = found.said.rstrip(".!")
    if found.listed:
        return [how.say("times" if found.times else "least", count=how.tongue.number(found.listed), items=said)]
    return [f"{said}."] if said else []


def _quotes(found: Reply, turn: Turn, how: Manner) -> list[str]:
    """What an answer is from: a list with dates of what is listed, and a sentence for each other memory; one piece."""
    listed = [dated(hit.memory, how.zone, how.tongue) for hit in found.hits[: found.listed]]
    hits = found.hits[found.listed : max(found.listed, 1)] if how.brief and found.said else found.hits[found.listed :]
    others = [sentence(hit.memory, turn.now, how.zone, how.tongue) for hit in hits]
    said = [f"{numbered(listed)}.", *others] if listed else others
    # Behind a mark without its other one, what is quoted next would not be taken for a quote.
    if how.bullets or any(each.count('"') % 2 for each in said):
        return said
    return [Whole(" ".join(said))] if said else []


def told_of(turn: Turn) -> Iterator[Hit]:
    """What was recalled of what was told."""
    return told(turn.recalled, turn.message.id)


def _acknowledge(turn: Turn, how: Manner) -> list[str]:
    """What is said to a statement: what was felt, that it is kept, and what was said like it."""
    sentences = _sympathy(turn.appraisal, how)
    if _memory_is_missing(turn):
        return [*sentences, NOT_KEPT]
    if heavy(turn, how.tongue):
        return [*mirrored(turn, how), *sentences, how.say("heavy"), *onward(turn, how, [])]
    hits = painless(list(told_of(turn)), how.tongue)
    if how.mode == REFLECTIVE:
        back = mirrored(turn, how) or [*sentences, how.say("noted")]
        return [*back, *connected(turn, how, hits), *onward(turn, how, hits)]
    said = claim(turn.message.text, how.tongue)
    alike = (hit.memory for hit in hits if hit.coverage >= RELATED)
    related = next((memory for memory in alike if claim(memory.text, how.tongue) == said), None)
    if related is None:
        return [*sentences, how.say("noted"), *onward(turn, how, hits)]
    if bare(related.text) == bare(turn.message.text):
        known = how.say("again", when=when(related, turn.now, how.zone, how.tongue))
    else:
        source = sentence(related, turn.now, how.zone, how.tongue)
        known = how.say("like", source=source if related.speaker else source[0].lower() + source[1:])
    return [*sentences, known, *onward(turn, how, hits, [related.id])]


def _sympathy(appraisal: Appraisal | None, how: Manner) -> list[str]:
    if appraisal is None or abs(appraisal.valence) < STRONG or not appraisal.emotions:
        return []
    name = appraisal.emotions[0].name
    # A feeling's name and the sign of the whole may disagree in a mixed text; then it is better to say nothing.
    agrees = (name in _GLAD) == (appraisal.valence > 0)
    return [how.say(name)] if agrees and name in how.tongue.says else []


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
