"""The command `dice`, which throws dice."""

import random
from typing import Annotated

import msgspec

from alejo.hooks import hookimpl
from alejo.roles import Command, Turn
from alejo.types import CommandSpec


class Throw(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments; the host checks them by the schema that is made of this."""

    count: Annotated[int, msgspec.Meta(ge=1, le=99, description="How many dice.")] = 1
    sides: Annotated[int, msgspec.Meta(ge=1, le=999, description="How many sides each has.")] = 6


class Dice(random.Random):
    """Throws up to 99 dice of up to 999 sides; those of one seed throw the same."""

    schema = msgspec.json.encode(msgspec.json.schema_components([Throw])[1]["Throw"]).decode()
    phrases = ("throw {count} dice", "throw {count} dice with {sides} sides", "roll the dice")
    spec = CommandSpec("dice", "Throws dice.", "dice 2 6", effects=(), schema=schema, phrases=phrases)

    async def run(self, arguments: str, turn: Turn) -> str:
        """The throws, and their sum if there are several dice."""
        throw = msgspec.json.decode(arguments or "{}", type=Throw)
        throws = [self.randint(1, throw.sides) for _ in range(throw.count)]
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
