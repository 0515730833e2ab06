"""What can be done."""

from __future__ import annotations

from collections.abc import Sequence

from alejo.roles import Command, Turn

from .describing import described
from .replies import heard


class Help:
    """Says what can be done."""

    spec = described("help", "says what I can do", "help", ("what can you do", "how does this work"))

    def __init__(self, built_in: Sequence[Command]) -> None:
        self._specs = [*(command.spec for command in built_in), self.spec]

    async def run(self, arguments: str, turn: Turn) -> str:
        """Every command that a plugin offers, with its usage."""
        offered = {spec.name: spec for spec in [*self._specs, *turn.commands]}
        lines = [f"{spec.usage or spec.name} ({_first_line(spec.description)})" for spec in offered.values()]
        return (await heard(turn)).say("help", listed="; ".join(lines))


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].rstrip(".") if text.strip() else "no description"
