"""The six commands every ALEJO has. Each is offered to other brains as well."""

from __future__ import annotations

import re
from collections.abc import Sequence

from alejo.roles import Command, Turn
from alejo.types import CommandSpec, MemoryDraft

from .choosing import answers, clear
from .phrases import dated, day, moment, numbered, quoted, sentence

LISTED = 10
SEEN = 200  # how far back the list looks and counts
RECALLED = 5
_VAGUE = re.compile(r"^(?:it|that|this|everything|all|all of it)?$", re.IGNORECASE)


class Remember:
    """Keeps the user's words."""

    spec = CommandSpec(
        "remember", "keeps something in your own words", "remember that <something>", effects=("writes",)
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """Remembers the arguments as they are, with a capital at the beginning."""
        words = arguments.strip()
        if not words:
            return "What shall I remember? Say, for example: remember that my dog is called Luna."
        if words.lower().startswith("to "):
            words = f"remember {words}"
        text = words[0].upper() + words[1:]
        memory = await turn.desk.remember(
            MemoryDraft(text=text, session_id=turn.session.id, message_id=turn.message.id, sent_at=turn.message.sent_at)
        )
        return f"I will remember: {quoted(memory)}"


class Recall:
    """Quotes what is remembered about something."""

    spec = CommandSpec("recall", "says what I remember about something", "recall <something>")

    async def run(self, arguments: str, turn: Turn) -> str:
        """Up to five memories, best first, with source and date."""
        if not arguments.strip():
            return "What shall I recall? Say, for example: what do you remember about my dog?"
        found = await turn.desk.recall(arguments, 2 * RECALLED)
        hits = list(answers(found, arguments, turn.message.id))[:RECALLED]
        if not hits:
            return f"I remember nothing about {arguments.strip()}."
        return "; ".join(sentence(hit.memory, turn.now) for hit in hits)


class Forget:
    """Forgets one thing, when it is clear which."""

    spec = CommandSpec("forget", "forgets one memory and says which", "forget that <something>", effects=("writes",))

    async def run(self, arguments: str, turn: Turn) -> str:
        """Forgets the one clear match; otherwise names the candidates and forgets nothing."""
        words = arguments.strip().strip('"')
        if _VAGUE.match(words):
            return "I forgot nothing: say what, for example: forget that my dog is called Luna."
        found = await turn.desk.recall(words, 4 * RECALLED)
        hits = [hit for hit in found if hit.memory.kind != "question" and hit.memory.message_id != turn.message.id]
        meant = clear(hits, words)
        if meant:
            await turn.desk.forget([hit.memory.id for hit in meant])
            return f"I forgot: {dated(meant[0].memory)}"
        candidates = list(answers(hits, words))[:RECALLED]
        if not candidates:
            return f"I forgot nothing, since I remember nothing about {words}."
        listed = numbered([dated(hit.memory) for hit in candidates])
        return f"I forgot nothing yet; which do you mean? Repeat the words of one: {listed}"


class List:
    """Names the newest memories."""

    spec = CommandSpec("list", "lists the newest things I remember", "list memories")

    async def run(self, arguments: str, turn: Turn) -> str:
        """Up to ten memories, newest first."""
        seen = await turn.desk.memories(SEEN)
        newest = [each for each in seen if each.kind != "question" and each.message_id != turn.message.id]
        if not newest:
            return "I remember nothing yet."
        more = f"; and {len(newest) - LISTED} more" if len(newest) > LISTED else ""
        return f"I remember: {numbered([dated(memory) for memory in newest[:LISTED]])}{more}"


class Help:
    """Says what can be done."""

    spec = CommandSpec("help", "says what I can do", "help")

    async def run(self, arguments: str, turn: Turn) -> str:
        """Every command that a plugin offers, with its usage."""
        offered = {spec.name: spec for spec in [*(command.spec for command in COMMANDS), *turn.commands]}
        lines = [f"{spec.usage or spec.name} ({_first_line(spec.description)})" for spec in offered.values()]
        return "Tell me anything and ask me about it later. You can also say: " + "; ".join(lines)


class Time:
    """Says the time."""

    spec = CommandSpec("time", "says the date and the time in UTC", "what time is it?")

    async def run(self, arguments: str, turn: Turn) -> str:
        """The turn's own time."""
        now = moment(turn.now)
        return f"It is {now:%H:%M} UTC on {now:%A}, {day(now.date())}."


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].rstrip(".") if text.strip() else "no description"


COMMANDS: Sequence[Command] = (Remember(), Recall(), Forget(), List(), Help(), Time())
