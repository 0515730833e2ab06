"""A brain that always says the same: what a turn costs without any thought."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from alejo.hooks import hookimpl
from alejo.roles import Turn


class Constant:
    """Answers every turn alike."""

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """Yields the one answer."""
        yield "Noted."


@hookimpl
def alejo_register_brain(settings: dict[str, Any]) -> Constant:
    """Returns the brain."""
    return Constant()
