"""What vision saw in a picture. Plugins find these values in `alejo.types`."""

from __future__ import annotations

from alejo.verdicts import Value


class Barcode(Value, frozen=True):
    """A barcode: its format, such as "EAN13" or "QRCode", and what it says."""

    format: str
    text: str


class Unseen(Value, frozen=True):
    """What could not be looked at: "text", "barcodes", "faces", "caption" or the "picture", why, and what helps."""

    what: str
    why: str
    hint: str = ""


class Percept(Value, frozen=True):
    """What was seen. `sharpness` is the variance of the Laplacian at 256 pixels; the hash is 16 hex digits.

    `text` is what is written there, by lines, at most 4,000 characters, and `confidence`, 0 to 1, how sure that is.
    `faces` is how many there seem to be, None if nobody looked. `caption` is what a model says. `similar` are the ids
    of the memories of like pictures, nearest first. `missing` is what could not be looked at.
    """

    width: int
    height: int
    format: str
    colours: tuple[str, ...] = ()
    sharpness: float = 0.0
    perceptual_hash: str = ""
    summary: str = ""
    taken_at: int | None = None
    part: int = 0
    text: str = ""
    confidence: float = 0.0
    barcodes: tuple[Barcode, ...] = ()
    faces: int | None = None
    caption: str = ""
    similar: tuple[str, ...] = ()
    missing: tuple[Unseen, ...] = ()
