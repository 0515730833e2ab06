"""Answers without a model: interprets commands, and answers other things from what is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alejo.hooks import hookimpl
from alejo.roles import Brain, Command

from .commands import COMMANDS
from .mind import Mind

__all__ = ["Mind", "alejo_register_brain", "alejo_register_commands"]


@hookimpl
def alejo_register_brain(settings: dict[str, Any]) -> Brain:
    """What answers; it has no settings."""
    return Mind()


@hookimpl
def alejo_register_commands(settings: dict[str, Any]) -> Sequence[Command]:
    """Remember, recall, forget, list, help and time, for any brain to run."""
    return COMMANDS
