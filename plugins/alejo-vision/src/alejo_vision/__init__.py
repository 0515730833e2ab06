"""Sees what is in a picture: size, time, colours, sharpness, a perceptual hash, text, barcodes, and how many faces."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from alejo.hooks import hookimpl
from alejo.roles import Vision

from .sight import AT_ONCE, MEGABYTES, SECONDS, Sight

__all__ = ["Settings", "Sight", "alejo_register_settings", "alejo_register_vision"]


class Settings(msgspec.Struct):
    """What [plugin.vision] may say."""

    at_once: Annotated[
        int, msgspec.Meta(ge=1, le=64, description="How many pictures are looked at at once, each in its process.")
    ] = AT_ONCE
    seconds: Annotated[
        float,
        msgspec.Meta(gt=0, le=600, description="How long one picture may take; what is not done by then is left out."),
    ] = SECONDS
    memory_mb: Annotated[
        int, msgspec.Meta(ge=256, le=65_536, description="How much memory each of these processes may take.")
    ] = MEGABYTES
    reader: Annotated[
        Literal["auto", "rapidocr", "tesseract", "none"],
        msgspec.Meta(description="What reads text; auto is rapidocr, or else the command tesseract."),
    ] = "auto"
    language: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[A-Za-z_]{3,32}(\+[A-Za-z_]{3,32}){0,7}$",
            description="The languages the command tesseract reads, such as eng+deu.",
        ),
    ] = "eng"
    caption_model: Annotated[
        str,
        msgspec.Meta(description="The model of model.names that says what a picture shows; empty asks none."),
    ] = ""


@hookimpl
def alejo_register_settings() -> type[Settings]:
    """The schema of its settings."""
    return Settings


@hookimpl
def alejo_register_vision(settings: Settings) -> Vision:
    """The eye."""
    return Sight(
        settings.at_once,
        settings.seconds,
        settings.memory_mb,
        settings.reader,
        settings.language,
        settings.caption_model,
    )
