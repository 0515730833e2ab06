"""Files that are sent to harm whoever opens them: bombs, loops, lies about size, and things that are no pictures."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def files() -> Iterator[tuple[str, bytes]]:
    """Each with a name that says what it is."""
    yield from _pngs()
    yield from _gifs()
    yield from _jpegs()
    yield from _tiffs()
    yield from _others()


def _encoded(form: str, side: int = 64, **options: object) -> bytes:
    noise = Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3))
    out = io.BytesIO()
    noise.save(out, form, **options)
    return out.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, rows: bytes, *between: bytes, colour: int = 2) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    return _SIGNATURE + header + b"".join(between) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(count >> 20)) + packer.flush()


def _pngs() -> Iterator[tuple[str, bytes]]:
    small = zlib.compress(bytes(4 * 4))
    bomb = _zeros(64 << 20)
    yield "png of 40,000 by 40,000", _png(40_000, 40_000, bomb)
    yield "png of 2^31 by 2^31", _png(2**31 - 1, 2**31 - 1, small)
    yield "png of 39 million pixels of nothing", _png(6_300, 6_200, _zeros(118 << 20))
    yield "png whose pixels unfold beyond its size", _png(4, 4, bomb)
    yield "png with a text chunk bomb", _png(4, 4, small, _chunk(b"zTXt", b"Comment\0\0" + bomb))
    yield "png with an international text bomb", _png(4, 4, small, _chunk(b"iTXt", b"Comment\0\1\0\0\0" + bomb))
    yield "png with a colour profile bomb", _png(4, 4, small, _chunk(b"iCCP", b"icc\0\0" + bomb))
    yield "png with 20,000 text chunks", _png(4, 4, small, *[_chunk(b"tEXt", b"a\0b")] * 20_000)
    yield "png cut short", _encoded("PNG")[:-200]
    yield "png with a wrong checksum", _encoded("PNG").replace(b"IDAT", b"IDAU", 1)
    yield "png of zero width", _png(0, 4, small)
    frames = [Image.new("RGB", (16, 16), (number % 256, 0, 0)) for number in range(400)]
    out = io.BytesIO()
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
    yield "png with 400 frames", out.getvalue()


def _gifs() -> Iterator[tuple[str, bytes]]:
    yield "gif of 65,535 by 65,535", b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0) + bytes(6) + b",;"
    yield "gif with garbage for codes", _encoded("GIF")[:60] + random.Random(2).randbytes(4000)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\0"
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    yield "gif with 100,000 frames", head + frame * 100_000 + b";"
    yield "gif that is a script", b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)//;"


def _jpegs() -> Iterator[tuple[str, bytes]]:
    whole = _encoded("JPEG", 256)
    place = whole.index(b"\xff\xc0")
    yield "jpeg of 65,535 by 65,535", whole[: place + 5] + b"\xff\xff\xff\xff" + whole[place + 9 :]
    yield "jpeg cut short", whole[: len(whole) // 2]
    segment = b"\xff\xe1" + struct.pack(">H", 65_000) + b"http://ns.adobe.com/xap/1.0/\0"
    yield "jpeg with 40 segments of XMP", whole[:2] + (segment + b"<" * (64_998 - 29)) * 40 + whole[2:]
    profile = b"\xff\xe2" + struct.pack(">H", 65_000) + b"ICC_PROFILE\0\x01\xff"
    yield "jpeg with a broken colour profile", whole[:2] + profile + b"\xff" * (64_998 - 14) + whole[2:]
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)  # an EXIF folder in itself
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 60) + entry * 60 + struct.pack("<I", 8)
    yield "jpeg with an EXIF loop", whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:]
    slow = _encoded("JPEG", 1024, progressive=True)
    last = slow.rindex(b"\xff\xda")
    yield "jpeg with a thousand scans", slow[:last] + slow[last:-2][:600] * 1000 + slow[-2:]
    yield "jpeg that is a page and an archive", whole + b"<script>alert(1)</script>PK\x03\x04" + bytes(100)


def _tiffs() -> Iterator[tuple[str, bytes]]:
    tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}

    def tiff(following: int, **changed: int) -> bytes:
        rows = {**tags, **{int(tag[1:]): value for tag, value in changed.items()}}
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(rows.items()))
        return b"II*\0" + struct.pack("<IH", 8, len(rows)) + entries + struct.pack("<I", following) + bytes(8)

    yield "tiff whose next folder is itself", tiff(8)
    yield "tiff of 2^32 by 2^32", tiff(0, t256=2**32 - 1, t257=2**32 - 1)
    yield "tiff with 65,535 channels", tiff(0, t277=65_535)
    yield "tiff whose strip is 4 GB", tiff(0, t279=2**32 - 1)
    yield "tiff whose EXIF folder is itself", tiff(0, t34665=8)


def _others() -> Iterator[tuple[str, bytes]]:
    header = struct.pack("<IiiHHIIiiII", 40, 2**30, -(2**30), 1, 24, 0, 0, 0, 0, 0, 0)
    yield "bmp of 2^30 by 2^30", b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header
    runs = struct.pack("<IiiHHIIiiII", 40, 32, 32, 1, 8, 1, 0, 0, 0, 256, 0) + bytes(1024) + b"\xff\x07" * 9000
    yield "bmp whose runs go on", b"BM" + struct.pack("<IHHI", 54 + len(runs), 0, 0, 1078) + runs
    yield "webp of 16,384 by 16,384", b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\xff\x3f\0\xff\x3f\0VP8 \0\0\0\0"
    yield "webp cut short", _encoded("WEBP")[:-300]
    yield "svg", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "pdf", b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript>>>>endobj\n%%EOF"
    yield "eps that runs a program", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n"
    yield "zip", b"PK\x03\x04" + bytes(60)
    yield "nothing but a signature", _SIGNATURE
    yield "noise behind a signature", _SIGNATURE + random.Random(3).randbytes(100_000)
