"""Sees what a picture shows without a model: size, time, colours, sharpness and a perceptual hash."""

from __future__ import annotations

from typing import Annotated

import msgspec

from alejo.hooks import hookimpl
from alejo.roles import Vision

from .sight import AT_ONCE, Sight

__all__ = ["Settings", "Sight", "alejo_register_settings", "alejo_register_vision"]


class Settings(msgspec.Struct):
    """What [plugin.vision] may say."""

    at_once: Annotated[
        int,
        msgspec.Meta(ge=1, le=64, description="How many pictures are decoded at once; each may take up to 160 MB."),
    ] = AT_ONCE


@hookimpl
def alejo_register_settings() -> type[Settings]:
    """The schema of its settings."""
    return Settings


@hookimpl
def alejo_register_vision(settings: Settings) -> Vision:
    """The eye."""
    return Sight(settings.at_once)
