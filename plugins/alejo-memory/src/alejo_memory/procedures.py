"""Procedures: how a user wants things done."""

from __future__ import annotations

from alejo.roles import Work
from alejo.types import Findings, ProcedureDraft, Role

from .strategy import kind_of


class Procedural:
    """The reflector of how a user wants things done."""

    name = "procedural"
    wants = ()

    async def reflect(self, work: Work) -> Findings:
        """See Reflector."""
        return Findings(
            procedures=tuple(
                ProcedureDraft(said.message.text.strip(), (said.message.id,))
                for said in work.messages
                if said.memories and said.message.role is Role.USER and kind_of(said.message.text) == "instruction"
            )
        )
