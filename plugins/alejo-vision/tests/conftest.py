"""Pictures made here, and eyes that are closed afterwards."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import pytest_asyncio
from alejo_vision import Sight
from PIL import Image, ImageDraw, ImageFont

LONG = 600.0  # seconds: no test measures how fast a machine is


def encoded(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def page(lines: Sequence[str], height: int = 24, degrees: float = 0.0) -> Image.Image:
    """Lines of text, black on white, in the font that comes with Pillow."""
    font = ImageFont.load_default(height)
    width = max((int(font.getlength(line)) for line in lines), default=0)
    picture = Image.new("RGB", (width + 2 * height, int(len(lines) * height * 1.6) + 2 * height), "white")
    draw = ImageDraw.Draw(picture)
    for place, line in enumerate(lines):
        draw.text((height, height + place * height * 1.6), line, font=font, fill="black")
    return picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")


@pytest_asyncio.fixture
async def eye() -> AsyncIterator[Callable[..., Sight]]:
    """Makes eyes that take their time."""
    made: list[Sight] = []

    def make(**options: object) -> Sight:
        made.append(Sight(**{"at_once": 1, "seconds": LONG, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.fixture(scope="session")
def receipt() -> bytes:
    """What somebody got in a hardware shop."""
    lines = [
        "HORNBACH Baumarkt AG",
        "Hardware and garden",
        "Screws 4x40 mm   6.49",
        "Wood glue   8.95",
        "TOTAL EUR   15.44",
    ]
    return encoded(page(lines, degrees=1.5))
