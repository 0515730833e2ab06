"""Sees what a picture shows without a model: size, time, colours, sharpness and a perceptual hash."""

from __future__ import annotations

from typing import Any

from alejo.hooks import hookimpl
from alejo.roles import Vision

from .sight import Sight

__all__ = ["Sight", "alejo_register_vision"]


@hookimpl
def alejo_register_vision(settings: dict[str, Any]) -> Vision:
    """The eye; it has no settings."""
    return Sight()
