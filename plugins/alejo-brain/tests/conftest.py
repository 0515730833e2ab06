"""The brain at a desk of alejo.testing, with its own commands and another's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from alejo_brain import Mind
from alejo_brain.commands import COMMANDS

from alejo.roles import Turn
from alejo.testing import ListDesk, message, turn
from alejo.types import Appraisal, CommandSpec, Degraded, Image, Percept


class Dice:
    """A command of another plugin."""

    spec = CommandSpec("dice", "Rolls dice.\nMore about it.", "dice 2d6")

    async def run(self, arguments: str, turn: Turn) -> str:
        """Always the same roll."""
        return f"rolled {arguments or 'one'}"


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
    """An empty desk that offers the brain's own commands and one more."""
    return ListDesk(*COMMANDS, Dice())


@pytest.fixture
def run(desk: ListDesk) -> Callable[..., Awaitable[str]]:
    """Runs a command at this desk with arguments by their names; `said` is what the user said, `fields` the turn's."""

    async def running(command: str, said: str = "…", fields: dict[str, Any] | None = None, /, **arguments: str) -> str:
        desk.turn = turn(said, desk, preferences=desk.preferences, **(fields or {}))
        return await desk.run(command, msgspec.json.encode(arguments).decode())

    return running


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
        said = message(text, id=message_id, images=images)
        made = turn(text, desk, message=said, appraisal=appraisal, percepts=percepts, degraded=degraded)
        return Answer(made, desk, recalls=not any(missing.role == "memory" for missing in degraded))

    return saying
