"""Feels what is in a text, from a lexicon that names the words that carried each feeling; and judges by rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from alejo.hooks import hookimpl
from alejo.roles import EmotionModel

from .conscience import DISCREET, SHIPPED, Conscience, Destination
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
        msgspec.Meta(
            description="What somebody in danger is told, with whom to call; or that by country (AT) or language (de)."
        ),
    ] = ""
    country: Annotated[
        str,
        msgspec.Meta(
            pattern="^([A-Z]{2})?$",
            description="Where all who use this are (ISO 3166), for whom to call; else by language and time zone.",
        ),
    ] = ""
    discreet: Annotated[
        list[Destination],
        msgspec.Meta(
            description="Where secrets do not go: to language models on this machine (local) or others (remote), or "
            "out by commands and in exports without personal data (world)."
        ),
    ] = msgspec.field(default_factory=lambda: [*DISCREET])


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
    return Conscience(rules, settings.off, support, country=settings.country, discreet=settings.discreet)
