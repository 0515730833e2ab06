"""A picture's percept, put into words."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from alejo.types import Image, Percept

from . import measures
from .decoding import Picture, decode

# Two at a time bound the memory: 40 million pixels of four bytes each.
AT_ONCE = 2
SHARP, BLURRED = 150.0, 25.0


class Sight:
    """The built-in vision: decodes with limits, in threads of its own, and measures."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="alejo-vision")

    async def perceive(self, image: Image) -> Percept:
        """What is in a picture. Raises InvalidArgument when the bytes are not a whole picture within the limits."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, percept, image.data)


def percept(data: bytes) -> Percept:
    """Decodes and measures; CPU work of some milliseconds, up to a second at the limits."""
    picture = decode(data)
    shades = measures.colours(picture.small)
    sharpness = measures.sharpness(picture.small)
    return Percept(
        width=picture.width,
        height=picture.height,
        format=picture.format.lower(),
        colours=tuple(measures.hexadecimal(shade) for shade in shades),
        sharpness=sharpness,
        perceptual_hash=measures.difference_hash(picture.small),
        summary=_summary(picture, [measures.name(shade) for shade in shades], sharpness),
        taken_at=picture.taken_at,
    )


def _summary(picture: Picture, names: list[str], sharpness: float) -> str:
    several = list(dict.fromkeys(names))[:3]
    said = [f"a {picture.width} by {picture.height} {picture.format} picture"]
    if several:
        said.append(f"mostly {' and '.join(several[:2])}" if len(names) > 1 else f"all {several[0]}")
    if sharpness >= SHARP:
        said.append("sharp")
    elif sharpness < BLURRED:
        said.append("soft or blurred" if len(names) > 1 else "without detail")
    if picture.taken_at is not None:
        day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=picture.taken_at)
        said.append(f"taken on {day.day} {day:%B %Y}")
    sentence = ", ".join(said)
    return f"{sentence[0].upper()}{sentence[1:]}."
