"""What is stated across messages: an answer, read together with the question it answers."""

from __future__ import annotations

from alejo.roles import Work
from alejo.types import Findings


class Semantic:
    """The reflector of what is so."""

    name = "semantic"
    wants = ()

    async def reflect(self, work: Work) -> Findings:
        """See Reflector."""
        return Findings()
