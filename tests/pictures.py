"""Pictures made for tests, and an eye that sees in them what it is told."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from alejo.errors import InvalidArgument
from alejo.hooks import hookimpl
from alejo.types import Image as Encoded
from alejo.types import Percept

RECEIPT = ("HORNBACH Baumarkt AG", "Hardware and garden", "Screws 4x40 mm   6.49", "Wood glue   8.95", "TOTAL   15.44")


def page(lines: Sequence[str] = RECEIPT, height: int = 24) -> bytes:
    """Lines of text, black on white, in the font that comes with Pillow, as a PNG."""
    font = ImageFont.load_default(height)
    picture = Image.new("RGB", (24 * height, int(len(lines) * height * 1.6) + 2 * height), "white")
    draw = ImageDraw.Draw(picture)
    for place, line in enumerate(lines):
        draw.text((height, height + place * height * 1.6), line, font=font, fill="black")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def shown(known: str, text: str = "", **fields: Any) -> Encoded:
    """A picture in which the eye of these tests sees a text, with this hash."""
    return Encoded(f"{known}|{text}".encode(), **fields)


class Eye:
    """Sees what `shown` says; anything else is no picture."""

    async def perceive(self, image: Encoded) -> Percept:
        """The hash and the text that the bytes name."""
        known, bar, text = image.data.decode(errors="replace").partition("|")
        if not bar:
            raise InvalidArgument.field("parts", "this is no picture")
        return Percept(8, 6, "png", perceptual_hash=known, summary="A small picture.", text=text)


@hookimpl
def alejo_register_vision(settings: Any) -> Eye:
    """Returns the eye of these tests."""
    return Eye()
