"""Reading text in a picture: what a reader is, and how pieces of text become lines."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
from PIL import Image

MOST_LINES, MOST_CHARACTERS = 200, 4000
_OVERLAP = 0.5  # of the smaller height, by which two pieces are on one line
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")  # and what turns text around


class Reading(msgspec.Struct, frozen=True):
    """What was read: lines from top to bottom, how sure the reader is, 0 to 1, and whether it came to the end."""

    text: str = ""
    confidence: float = 0.0
    complete: bool = True


class Reader(Protocol):
    """Reads the text of an upright RGB picture."""

    def read(self, picture: Image.Image, until: float) -> Reading:
        """What is written there, as far as it gets until a moment of `time.monotonic`."""
        ...


class Piece(NamedTuple):
    """Where a piece of text is: its middle, its width and height in pixels, and its slope in radians."""

    x: float
    y: float
    width: float
    height: float
    slope: float


def lines(pieces: Sequence[Piece]) -> list[list[int]]:
    """The places of the pieces, line by line in reading order, however the page is turned by a few degrees."""
    if not pieces:
        return []
    total = sum(piece.width for piece in pieces)
    slope = sum(piece.slope * piece.width for piece in pieces) / total if total else 0.0
    cosine, sine = math.cos(slope), math.sin(slope)
    level = [(piece.y * cosine - piece.x * sine, piece.x * cosine + piece.y * sine) for piece in pieces]
    found: list[list[int]] = []
    for place in sorted(range(len(pieces)), key=level.__getitem__):
        last = found[-1][-1] if found else place
        low = min(pieces[last].height, pieces[place].height)
        near = abs(level[place][0] - level[last][0]) < low * _OVERLAP
        if found and near:
            found[-1].append(place)
        else:
            found.append([place])
    return [sorted(line, key=lambda place: level[place][1]) for line in found]


def bounded(told: Sequence[str]) -> str:
    """Lines as one text that is no longer than a percept's may be, without signs that do more than to be read."""
    clean = (" ".join(_CONTROL.sub(" ", line).split()) for line in told)
    return "\n".join([line for line in clean if line][:MOST_LINES])[:MOST_CHARACTERS].rstrip()
