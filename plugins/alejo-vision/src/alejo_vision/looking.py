"""All that is done with one picture, step by step: decoded, measured, and looked through as far as there is time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache

import msgspec
from PIL import Image

from alejo.types import Percept, Unseen

from . import counting, measures, readers, reading
from .decoding import Picture, decode
from .words import summary

STEPS = ("barcodes", "faces", "text")
_LEAST = 16  # pixels of a side: in less there is nothing to be read or counted


class Request(msgspec.Struct, frozen=True, array_like=True):
    """What to look at, for how many seconds after decoding, and with which reader."""

    data: bytes
    seconds: float
    reader: str = "auto"
    language: str = "eng"


def percept(data: bytes) -> Percept:
    """What can be measured: some milliseconds of CPU work, up to a second at the limits. Raises InvalidArgument."""
    return _measured(decode(data))


def look(request: Request) -> Iterator[tuple[Percept, str]]:
    """The percept after each step, with the step's name; "" is the first, decoding. Raises InvalidArgument."""
    picture = decode(request.data)
    seen = _measured(picture)
    yield seen, ""
    until = time.monotonic() + request.seconds
    for step in STEPS:
        seen = _step(step, picture, seen, request, until)
        yield msgspec.structs.replace(seen, summary=summary(seen)), step


def unseen(seen: Percept, what: str, why: str, hint: str = "") -> Percept:
    """The percept with a note of what could not be looked at."""
    return msgspec.structs.replace(seen, missing=(*seen.missing, Unseen(what, why, hint)))


def _step(step: str, picture: Picture, seen: Percept, request: Request, until: float) -> Percept:
    if min(picture.large.size) < _LEAST:
        return seen
    if time.monotonic() >= until:
        return unseen(seen, step, "late")
    try:
        if step == "barcodes":
            return msgspec.structs.replace(seen, barcodes=tuple(counting.barcodes(picture.large)))
        if step == "faces":
            return msgspec.structs.replace(seen, faces=counting.faces(picture.large))
        return _read(picture.large, seen, request, until)
    except ImportError:
        return unseen(seen, step, "not_installed", counting.BARCODES if step == "barcodes" else counting.FACES)
    except Exception:  # noqa: BLE001  # libraries raise anything; the picture is seen without this
        return unseen(seen, step, "failed")


def _read(large: Image.Image, seen: Percept, request: Request, until: float) -> Percept:
    reader = _reader(request.reader, request.language)
    if reader is None:
        return seen
    if isinstance(reader, Unseen):
        return unseen(seen, reader.what, reader.why, reader.hint)
    found = reader.read(large, until)
    seen = msgspec.structs.replace(seen, text=found.text, confidence=round(found.confidence, 3))
    return seen if found.complete else unseen(seen, "text", "late")


_reader: Callable[[str, str], reading.Reader | Unseen | None] = cache(readers.chosen)


def _measured(picture: Picture) -> Percept:
    shades = measures.colours(picture.small)
    seen = Percept(
        width=picture.width,
        height=picture.height,
        format=picture.format.lower(),
        colours=tuple(measures.hexadecimal(shade) for shade in shades),
        sharpness=measures.sharpness(picture.small),
        perceptual_hash=measures.difference_hash(picture.small),
        taken_at=picture.taken_at,
    )
    return msgspec.structs.replace(seen, summary=summary(seen))
