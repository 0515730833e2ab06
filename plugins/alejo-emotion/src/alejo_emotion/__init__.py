"""Feels what is in a text, from a lexicon, and names the words that carried each feeling."""

from __future__ import annotations

from typing import Any

from alejo.hooks import hookimpl
from alejo.roles import EmotionModel

from .feeling import Feeling

__all__ = ["Feeling", "alejo_register_emotion"]


@hookimpl
def alejo_register_emotion(settings: dict[str, Any]) -> EmotionModel:
    """The model; it has no settings."""
    return Feeling()
