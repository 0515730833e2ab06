"""Feels what is in a text, from a lexicon that names the words that carried each feeling; and judges by rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from alejo.hooks import hookimpl
from alejo.roles import EmotionModel

from .conscience import SHIPPED, Conscience
from .feeling import Feeling
from .living import Living

__all__ = [
    "Conscience",
    "Feeling",
    "Living",
    "Settings",
    "alejo_register_conscience",
    "alejo_register_emotion",
    "alejo_register_settings",
]

Category = Literal["self_harm", "violence", "illegal", "secrets", "irreversible", "injection"]


class Settings(msgspec.Struct):
    """What [plugin.emotion] may say."""

    rules: Annotated[str, msgspec.Meta(description="A file of rules in the place of those that ship.")] = ""
    off: Annotated[list[Category], msgspec.Meta(description="Categories that are not judged.")] = []
    support: Annotated[
        str | dict[str, str],
        msgspec.Meta(description="What somebody in danger is told, with whom to call; or that by language (en, de)."),
    ] = ""
    discreet: Annotated[
        bool, msgspec.Meta(description="Language models are told of memories and images without the secrets in them.")
    ] = False


@hookimpl
def alejo_register_settings() -> type[Settings]:
    """The schema of its settings."""
    return Settings


@hookimpl
def alejo_register_emotion() -> EmotionModel:
    """What feels, and judges what stays of it."""
    return Living()


@hookimpl
def alejo_register_conscience(settings: Settings) -> Conscience:
    """What judges."""
    rules = Path(settings.rules) if settings.rules else SHIPPED
    support = {"": settings.support} if isinstance(settings.support, str) else settings.support
    return Conscience(rules, settings.off, support, discreet=settings.discreet)
