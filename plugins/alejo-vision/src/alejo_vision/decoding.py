"""From untrusted bytes to a small picture. Limits come before decoding; a refusal never carries a library's words."""

from __future__ import annotations

import io
import logging
import warnings
from datetime import UTC, datetime, timedelta, timezone

import msgspec
from PIL import Image, UnidentifiedImageError

from alejo.errors import InvalidArgument

MAX_BYTES = 16 * 1024 * 1024
MAX_PIXELS = 40_000_000
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
READING_SIDE = 1600  # pixels; text is read in a picture no larger
WORKING_SIDE = 512  # and everything is measured in one of this size

PNG_END = b"IEND\xaeB`\x82"
ORIENTATION, DATE_TIME, EXIF_IFD = 0x0112, 0x0132, 0x8769
DATE_TIME_ORIGINAL, OFFSET_TIME, OFFSET_TIME_ORIGINAL = 0x9003, 0x9010, 0x9011
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

NOT_A_PICTURE = "this is not a PNG, JPEG, GIF, WEBP, BMP or TIFF picture"
TOO_MANY_BYTES = "a picture may have at most 16 MiB"
TOO_MANY_PIXELS = "a picture may have at most 40 million pixels"
DAMAGED = "the picture is damaged or cut short"
TOO_MUCH = "the picture takes more memory or time to decode than a picture may"

# Pillow logs details of broken pictures as errors; what a stranger sends shall not write into the server's log.
logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)


class Picture(msgspec.Struct, frozen=True):
    """A decoded picture: its full size as shown, and upright RGB copies. `taken_at` is in microseconds, UTC."""

    width: int
    height: int
    format: str
    large: Image.Image
    small: Image.Image
    taken_at: int | None


def decode(data: bytes) -> Picture:
    """Opens the first frame. Raises InvalidArgument for anything that is not a whole picture within the limits."""
    if len(data) > MAX_BYTES:
        raise refusal(TOO_MANY_BYTES)
    # Pillow warns of odd metadata and of size, which is checked below. Added, not swapped for a moment: the list of
    # filters belongs to all threads.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        return _decode(data)
    except InvalidArgument:
        raise
    except MemoryError:
        raise refusal(TOO_MUCH) from None
    except Image.DecompressionBombError:
        raise refusal(TOO_MANY_PIXELS) from None
    except UnidentifiedImageError:
        raise refusal(NOT_A_PICTURE) from None
    except Exception:  # noqa: BLE001  # hostile bytes make Pillow raise OSError, SyntaxError, struct.error, KeyError, …
        raise refusal(DAMAGED) from None


def refusal(sentence: str) -> InvalidArgument:
    """The error of a picture that is not looked at."""
    return InvalidArgument.field("parts", sentence)


def _decode(data: bytes) -> Picture:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        # MPO is a JPEG followed by others, of which only the first is looked at.
        name = "JPEG" if image.format == "MPO" else str(image.format)
        if width * height > MAX_PIXELS:
            raise refusal(TOO_MANY_PIXELS)
        if width < 1 or height < 1:
            raise refusal(DAMAGED)
        if name == "PNG":
            # Loading accepts a file that ends after its pixels; only verifying reads on, and it forgives half an end.
            if PNG_END not in data:
                raise refusal(DAMAGED)
            with Image.open(io.BytesIO(data), formats=FORMATS) as second:
                second.verify()
        orientation, taken_at = _exif(image)
        image.draft(None, (READING_SIDE, READING_SIDE))
        image.load()
        image.thumbnail((READING_SIDE, READING_SIDE), Image.Resampling.BOX)
        large = _on_white(image)
    turn = _UPRIGHT.get(orientation)
    if turn is not None:
        large = large.transpose(turn)
    if orientation >= 5:
        width, height = height, width
    small = large.copy()
    small.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    return Picture(width, height, name, large, small, taken_at)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        low, high = (float(edge) for edge in image.getextrema())  # type: ignore[arg-type]  # one band, two numbers
        scale = 255 / (high - low) if high > low else 0.0
        return image.convert("F").point(lambda level: level * scale - low * scale).convert("L").convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return image.convert("RGB")


def _exif(image: Image.Image) -> tuple[int, int | None]:
    """Orientation and time; 1 and None where the metadata say nothing sensible."""
    try:
        tags = image.getexif()
        orientation = int(tags.get(ORIENTATION) or 1)
        details = tags.get_ifd(EXIF_IFD)
        original = details.get(DATE_TIME_ORIGINAL)
        when, offset = (
            (original, details.get(OFFSET_TIME_ORIGINAL))
            if original
            else (tags.get(DATE_TIME), details.get(OFFSET_TIME))
        )
    except Exception:  # noqa: BLE001  # metadata are as hostile as pixels, and a picture is whole without them
        return 1, None
    return (orientation if 1 <= orientation <= 8 else 1), moment(when, offset)


def moment(when: object, offset: object) -> int | None:
    """EXIF's "2023:05:08 13:56:00" and "+02:00" in microseconds, UTC; no offset counts as UTC, nonsense as None."""
    if not isinstance(when, str):
        return None
    try:
        shown = datetime.strptime(when.strip("\0 "), "%Y:%m:%d %H:%M:%S").replace(tzinfo=_zone(offset))
        # Other years come from broken clocks, and the calendar's ends do not survive an offset.
        return (shown - _EPOCH) // timedelta(microseconds=1) if 1800 <= shown.year < 3000 else None
    except (ValueError, OverflowError):
        return None


def _zone(offset: object) -> timezone:
    if not isinstance(offset, str) or not offset.strip("\0 "):
        return UTC
    sign, (hours, minutes) = offset[0], offset.strip("\0 ")[1:].split(":")
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-ahead if sign == "-" else ahead)
