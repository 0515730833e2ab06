"""The command `dice`, which throws dice."""

from __future__ import annotations

import random
import re
from typing import Annotated

import msgspec

from alejo.hooks import hookimpl
from alejo.roles import Command, Turn
from alejo.types import CommandSpec


class Dice:
    """Throws up to 99 dice of up to 999 sides."""

    spec = CommandSpec("dice", "Throws dice.", usage="dice 2d6", effects=())

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(seed)  # noqa: S311  it is a game

    async def run(self, arguments: str, turn: Turn) -> str:
        """The throw of e.g. "2d6", and the sum if there are several dice."""
        wanted = re.fullmatch(r"([1-9]\d?)?d([1-9]\d{0,2})", arguments.strip() or "1d6")
        if wanted is None:
            return "Say how many dice of how many sides, like this: dice 2d6"
        throws = [self._random.randint(1, int(wanted[2])) for _ in range(int(wanted[1] or 1))]
        return f"{' + '.join(map(str, throws))} = {sum(throws)}" if len(throws) > 1 else str(throws[0])


class Settings(msgspec.Struct):
    """What [plugin.dice] may say."""

    seed: Annotated[int | None, msgspec.Meta(description="Makes the throws the same in every run.")] = None


@hookimpl
def alejo_register_settings() -> type[Settings]:
    """Declares the settings."""
    return Settings


@hookimpl
def alejo_register_commands(settings: Settings) -> list[Command]:
    """Offers the command."""
    return [Dice(settings.seed)]
