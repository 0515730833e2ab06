"""A desk that keeps a list, and turns made for it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import msgspec
import pytest
from alejo_brain import Mind
from alejo_brain.commands import COMMANDS

from alejo.errors import NotFound
from alejo.roles import Command, Turn
from alejo.types import (
    Appraisal,
    CommandSpec,
    Degraded,
    Hit,
    Image,
    Layer,
    Memory,
    MemoryDraft,
    Message,
    Percept,
    Role,
    Session,
    SessionState,
)

DAY = 86_400_000_000
NOW = 1_683_640_980_000_000  # 9 May 2023, 14:03 UTC
STOPWORDS = frozenset(
    re.findall(
        r"\w+", "a an the i you my your is are was were do does did what when who where how to of and that it in on"
    )
)


def terms(text: str) -> set[str]:
    """A text's words without the commonest, cut to a crude stem."""
    found = re.findall(r"[^\W_]+", text.lower())
    return {re.sub(r"(?:ed|ing|s)$", "", word) for word in found if word not in STOPWORDS}


class Dice:
    """A command of another plugin."""

    spec = CommandSpec("dice", "Rolls dice.\nMore about it.", "dice 2d6")

    async def run(self, arguments: str, turn: Turn) -> str:
        """Always the same roll."""
        return f"rolled {arguments or 'one'}"


class ListDesk:
    """The host's side of a turn, over a list: finds by words and their rarity, like the real one."""

    def __init__(self) -> None:
        self.kept: list[Memory] = []
        self.offered: list[Command] = [*COMMANDS, Dice()]
        self.ran: list[tuple[str, str]] = []
        self.turn: Turn | None = None

    def add(
        self, text: str, *, speaker: str = "", days_ago: float = 1, kind: str = "statement", message_id: str = ""
    ) -> Memory:
        """Puts a memory in, as if it had been there."""
        at = NOW - round(days_ago * DAY)
        memory = Memory(f"m{len(self.kept)}", Layer.EPISODIC, kind, text, at, at, speaker, "s1", message_id)
        self.kept.append(memory)
        return memory

    async def recall(self, query: str, limit: int = 10) -> Sequence[Hit]:
        """The best matches."""
        held = [terms(f"{memory.text} {memory.speaker}") for memory in self.kept]
        count = len(held)

        def rarity(term: str) -> float:
            seen = sum(term in each for each in held)
            return math.log(1 + (count - seen + 0.5) / (seen + 0.5))

        asked = {term: rarity(term) for term in terms(query)}
        total = sum(asked.values()) or 1.0
        hits = []
        for memory, words in zip(self.kept, held, strict=True):
            score = sum(weight for term, weight in asked.items() if term in words)
            if score:
                hits.append(Hit(memory, score, score / total))
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    async def memories(self, limit: int = 20) -> Sequence[Memory]:
        """The newest first."""
        return sorted(self.kept, key=lambda memory: -memory.sent_at)[:limit]

    async def remember(self, draft: MemoryDraft) -> Memory:
        """Keeps a draft."""
        return self.add(draft.text, kind=draft.kind, days_ago=0, message_id=draft.message_id)

    async def forget(self, memory_ids: Sequence[str]) -> int:
        """Takes memories out."""
        before = len(self.kept)
        self.kept = [memory for memory in self.kept if memory.id not in memory_ids]
        return before - len(self.kept)

    async def run(self, command: str, arguments: str) -> str:
        """Runs an offered command."""
        for each in self.offered:
            if each.spec.name == command:
                self.ran.append((command, arguments))
                assert self.turn is not None
                return await each.run(arguments, self.turn)
        raise NotFound("command", command)


Saying = Callable[..., "Answer"]


class Answer:
    """Something said to the brain, answered when awaited."""

    def __init__(self, turn: Turn, desk: ListDesk, *, recalls: bool) -> None:
        self._turn, self._desk, self._recalls = turn, desk, recalls

    async def pieces(self) -> list[str]:
        """The answer in the pieces it comes in."""
        turn = self._turn
        if self._recalls:
            turn = msgspec.structs.replace(turn, recalled=tuple(await self._desk.recall(turn.message.text)))
        self._desk.turn = turn
        return [piece async for piece in Mind().respond(turn)]

    def __await__(self):  # type: ignore[no-untyped-def]  # awaited as a string
        return self._text().__await__()

    async def _text(self) -> str:
        return "".join(await self.pieces())


@pytest.fixture
def desk() -> ListDesk:
    """An empty desk."""
    return ListDesk()


@pytest.fixture
def say(desk: ListDesk) -> Saying:
    """Says something to the brain at this desk."""

    def saying(
        text: str,
        *,
        images: tuple[Image, ...] = (),
        percepts: tuple[Percept, ...] = (),
        appraisal: Appraisal | None = None,
        degraded: tuple[Degraded, ...] = (),
        message_id: str = "now",
    ) -> Answer:
        turn = Turn(
            session=Session("s1", SessionState.ACTIVE, NOW, NOW),
            message=Message(message_id, "s1", 1, Role.USER, text, NOW, NOW, images=images),
            recalled=(),
            appraisal=appraisal,
            percepts=percepts,
            degraded=degraded,
            commands=tuple(command.spec for command in desk.offered),
            now=NOW,
            desk=desk,
        )
        return Answer(turn, desk, recalls=not any(missing.role == "memory" for missing in degraded))

    return saying
