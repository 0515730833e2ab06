"""What is seen in pictures made here, and what is refused."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from contextlib import suppress

import pytest
from alejo_vision.decoding import (
    DAMAGED,
    MAX_BYTES,
    NOT_A_PICTURE,
    TOO_MANY_BYTES,
    TOO_MANY_PIXELS,
    moment,
)
from alejo_vision.looking import percept
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from alejo.errors import InvalidArgument
from alejo.types import Percept

FORMATS = ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"]


def halves(width: int = 64, height: int = 48, mode: str = "RGB") -> Pillow.Image:
    """Red on the left, blue on the right."""
    picture = Pillow.new("RGB", (width, height), (215, 30, 35))
    picture.paste((40, 90, 210), (width // 2, 0, width, height))
    return picture.convert(mode)


def encoded(picture: Pillow.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def exif(**tags: object) -> bytes:
    """EXIF with a time, its offset and an orientation."""
    made = Pillow.Exif()
    details = made.get_ifd(0x8769)
    if "original" in tags:
        details[0x9003] = tags["original"]
    if "offset" in tags:
        details[0x9011] = tags["offset"]
    if "changed" in tags:
        made[0x0132] = tags["changed"]
    made[0x0112] = tags.get("orientation", 1)
    return made.tobytes()


def refused(data: bytes) -> str:
    """The sentence a picture is refused with."""
    with pytest.raises(InvalidArgument) as caught:
        percept(data)
    ((path, sentence),) = caught.value.violations
    assert path == "parts"
    assert caught.value.__cause__ is None
    return sentence


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_seen(form: str) -> None:
    """Size, format and both colours are found in every accepted format."""
    seen = percept(encoded(halves(), form))
    assert (seen.width, seen.height, seen.format) == (64, 48, form.lower())
    assert len(seen.colours) >= 2
    assert len(seen.perceptual_hash) == 16
    assert seen.summary.startswith(f"A 64 by 48 {form} picture, mostly ")
    assert "red" in seen.summary
    assert "blue" in seen.summary


def test_dominant_colours_come_by_share() -> None:
    """The larger area comes first, exact where the picture has no mixtures."""
    picture = Pillow.new("RGB", (90, 90), (255, 255, 255))
    picture.paste((0, 0, 0), (0, 0, 30, 90))
    assert percept(encoded(picture)).colours == ("#ffffff", "#000000")
    assert percept(encoded(Pillow.new("RGB", (9, 9), (1, 2, 3)))).colours == ("#010203",)


def test_sharpness_tells_sharp_from_blurred() -> None:
    """The variance of the Laplacian falls when a picture is blurred, and is zero without detail."""
    checks = Pillow.new("L", (128, 128))
    checks.putdata([255 * ((x // 4 + y // 4) % 2) for y in range(128) for x in range(128)])
    blurred = checks.resize((16, 16)).resize((128, 128))
    sharp, soft = percept(encoded(checks)), percept(encoded(blurred))
    assert sharp.sharpness > 20 * soft.sharpness
    assert "sharp" in sharp.summary
    assert "blurred" in soft.summary
    assert percept(encoded(Pillow.new("L", (64, 64), 7))).sharpness == 0.0


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    """The figure equals the one counted pixel by pixel."""
    levels = [(x * 37 + y * 91 + x * y) % 256 for y in range(12) for x in range(10)]
    picture = Pillow.new("L", (10, 12))
    picture.putdata(levels)
    at = lambda x, y: levels[y * 10 + x]  # noqa: E731  # two letters for the formula below
    laplacian = [
        at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * at(x, y)
        for y in range(1, 11)
        for x in range(1, 9)
    ]
    mean = sum(laplacian) / len(laplacian)
    variance = sum((value - mean) ** 2 for value in laplacian) / len(laplacian)
    assert percept(encoded(picture)).sharpness == pytest.approx(variance, rel=1e-3)


def test_the_hash_is_the_difference_hash() -> None:
    """A bit is set where brightness rises to the right: all of them in a ramp, none in its mirror image."""
    ramp = Pillow.linear_gradient("L").rotate(90)
    rising = ramp if ramp.getpixel((0, 0)) == 0 else ramp.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
    assert percept(encoded(rising)).perceptual_hash == "f" * 16
    assert percept(encoded(rising.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT))).perceptual_hash == "0" * 16


def test_the_hash_survives_resizing_and_another_format() -> None:
    """A smaller JPEG of the same picture has nearly the same hash."""
    picture = Pillow.radial_gradient("L").rotate(20)
    one = int(percept(encoded(picture)).perceptual_hash, 16)
    other = int(percept(encoded(picture.resize((100, 100)), "JPEG", quality=60)).perceptual_hash, 16)
    assert (one ^ other).bit_count() <= 6


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr"])
def test_every_mode_is_seen(mode: str) -> None:
    """Palettes, transparency, deep greys and print colours all become a percept."""
    grey = Pillow.linear_gradient("L")
    picture = grey.convert("I").convert(mode) if mode == "I;16" else halves().convert(mode)
    form = "TIFF" if mode in {"CMYK", "F", "I", "YCbCr", "LA"} else "PNG"
    assert percept(encoded(picture, form)).colours


def test_transparency_is_seen_on_white() -> None:
    """What cannot be seen through nothing is white."""
    assert percept(encoded(Pillow.new("RGBA", (8, 8), (255, 0, 0, 0)))).colours == ("#ffffff",)


def test_a_turned_picture_is_seen_upright() -> None:
    """EXIF orientation turns size and content the way a viewer does."""
    seen = percept(encoded(halves(), "JPEG", exif=exif(orientation=6)))
    upright = percept(encoded(halves().transpose(Pillow.Transpose.ROTATE_270), "JPEG"))
    assert (seen.width, seen.height) == (48, 64)
    assert seen.perceptual_hash == upright.perceptual_hash


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_time_is_read(form: str) -> None:
    """DateTimeOriginal with its offset is the moment, and the summary names its day."""
    seen = percept(encoded(halves(), form, exif=exif(original="2023:05:08 13:56:00", offset="+02:00")))
    assert seen.taken_at == 1_683_547_160_000_000 - 200_000_000
    assert seen.summary.endswith("taken on 8 May 2023.")


MOMENTS = [
    (("1970:01:02 00:00:00", None), 86_400_000_000),
    (("1970:01:01 02:00:00\0", "+02:00\0"), 0),
    (("1970:01:01 00:00:00", "-01:30"), 5_400_000_000),
    (("0000:00:00 00:00:00", None), None),
    (("yesterday", None), None),
    (("1970:01:01 00:00:00", "+99:00"), None),
    (("1970:01:01 00:00:00", "Z"), None),
    (("0001:01:01 00:00:00", "+14:00"), None),
    (("9999:12:31 23:59:59", "-14:00"), None),
    ((b"1970:01:01 00:00:00", None), None),
    ((None, None), None),
]


@pytest.mark.parametrize(("tags", "expected"), MOMENTS)
def test_times_without_sense_are_none(tags: tuple[object, object], expected: int | None) -> None:
    """No offset counts as UTC; what is no time, or no offset, gives none instead of an error."""
    assert moment(*tags) == expected


def test_only_the_first_frame_is_looked_at() -> None:
    """A second, other frame changes nothing."""
    green = Pillow.new("RGB", (64, 48), (0, 255, 0))
    moving = encoded(halves(), "GIF", save_all=True, append_images=[green])
    assert percept(moving) == percept(encoded(halves(), "GIF"))


def test_too_many_bytes_are_refused_unread() -> None:
    """More than 16 MiB are refused, whatever they are."""
    assert refused(b"x" * (MAX_BYTES + 1)) == TOO_MANY_BYTES
    assert refused(b"x" * MAX_BYTES) == NOT_A_PICTURE


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"hello", b"\x89PNG\r\n\x1a\n", b"<svg/>", b"%PDF-1.7", b"\xff\xd8\xff"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """Other bytes, other formats and bare signatures are refused in our own words."""
    assert refused(data) in {NOT_A_PICTURE, DAMAGED}


def test_a_format_off_the_list_is_refused() -> None:
    """What Pillow could open and we do not accept is refused as no picture."""
    assert refused(encoded(halves(), "PPM")) == NOT_A_PICTURE
    assert refused(encoded(halves(), "ICO")) == NOT_A_PICTURE


@pytest.mark.parametrize("side", [6_325, 14_000, 2**31 - 1])
def test_a_bomb_is_refused_before_it_unfolds(side: int) -> None:
    """A header that promises more than 40 million pixels is refused from the header alone, without a warning."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert refused(bomb) == TOO_MANY_PIXELS
    assert heard == []


def test_a_refusal_writes_nothing(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """A picture that makes Pillow complain in its own log leaves no line anywhere."""
    tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 2, 273: 200, 277: 2048, 278: 1, 279: 1}
    entries = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags.items())
    tiff = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(100)
    assert refused(tiff) == NOT_A_PICTURE
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_picture_cut_short_is_refused(form: str, part: float) -> None:
    """A file that ends within its pixels is damaged, in every format."""
    noise = Pillow.effect_noise((80, 60), 90)
    data = encoded(noise, form)
    assert refused(data[: int(len(data) * part)]) in {DAMAGED, NOT_A_PICTURE}


def test_a_png_without_its_end_is_refused() -> None:
    """Even the last four bytes must be there."""
    data = encoded(halves())
    assert refused(data[:-1]) == DAMAGED
    assert refused(data[:-12]) == DAMAGED


NOISE = Pillow.effect_noise((40, 30), 60).convert("RGB")
WHOLE = {form: encoded(NOISE, form) for form in ("GIF", "BMP")}
WHOLE |= {
    form: encoded(NOISE, form, exif=exif(original="2023:05:08 13:56:00")) for form in ("PNG", "JPEG", "WEBP", "TIFF")
}


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, 4000),
)
def test_damaged_bytes_are_seen_or_refused(form: str, changes: list[tuple[int, int]], cut: int) -> None:
    """Whatever is changed or cut, the outcome is a percept or InvalidArgument: no other error, warning or output."""
    data = bytearray(WHOLE[form])
    for place, value in changes:
        data[place % len(data)] = value
    if cut % 3 == 0:
        del data[cut % len(data) :]
    with suppress(InvalidArgument):
        assert isinstance(percept(bytes(data)), Percept)


@given(
    st.binary(max_size=400),
    st.sampled_from(
        [
            b"",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"BM",
            b"II*\0",
            b"MM\0*",
            b"RIFF\x40\0\0\0WEBPVP8 ",
            b"\xff\xd8\xff\xe1",
        ]
    ),
)
def test_random_bytes_are_refused(data: bytes, signature: bytes) -> None:
    """Bytes after a genuine signature never raise anything but InvalidArgument."""
    with suppress(InvalidArgument):
        assert isinstance(percept(signature + data), Percept)
