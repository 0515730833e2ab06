"""Judges what to keep of a message, where it belongs, and how to look for it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from alejo.hooks import hookimpl
from alejo.roles import MemoryStrategy

from .strategy import Judgement

__all__ = ["Judgement", "Settings", "alejo_register_memory", "alejo_register_settings"]

Weight = Annotated[float, msgspec.Meta(ge=-100, le=100)]


class Settings(msgspec.Struct):
    """What [plugin.memory] may say."""

    weights: Annotated[
        dict[str, Weight], msgspec.Meta(description="What replaces single weights of evidence, by its name.")
    ] = {}


@hookimpl
def alejo_register_settings() -> type[Settings]:
    """The schema of its settings."""
    return Settings


@hookimpl
def alejo_register_memory(settings: Settings) -> MemoryStrategy:
    """The strategy."""
    return Judgement(settings.weights)
