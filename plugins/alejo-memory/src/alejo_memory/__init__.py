"""Judges what to keep of a message, where it belongs, and how to look for it."""

from __future__ import annotations

from typing import Any

from alejo.hooks import hookimpl
from alejo.roles import MemoryStrategy

from .strategy import Judgement

__all__ = ["Judgement", "alejo_register_memory"]


@hookimpl
def alejo_register_memory(settings: dict[str, Any]) -> MemoryStrategy:
    """The strategy; it has no settings."""
    return Judgement()
