"""What is written in a picture, by each reader, and how pieces become lines."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable

import pytest
from alejo_vision import Sight, readers, reading
from alejo_vision.reading import Piece, bounded, lines
from alejo_vision.tesseract import _read
from hypothesis import given
from hypothesis import strategies as st

from alejo.types import Image

from .conftest import LONG, page

HAS = {"rapidocr": readers.available("rapidocr"), "tesseract": shutil.which("tesseract") is not None}
WRITTEN = ["Dear Ana, the key is", "under the third stone.", "Bring 12.50 in cash."]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.skipif(not there, reason=name)) for name, there in HAS.items()]
)
@pytest.mark.parametrize("degrees", [0.0, -3.0])
def test_a_page_is_read_line_by_line(name: str, degrees: float) -> None:
    """Each reader gives the lines in their order, also of a page that lies a little askew, and is sure of it."""
    reader = readers.chosen(name, "eng")
    assert reader is not None
    found = reader.read(page(WRITTEN, degrees=degrees), time.monotonic() + LONG)  # type: ignore[union-attr]
    assert found.text.splitlines() == WRITTEN
    assert found.confidence > 0.8
    assert found.complete


@pytest.mark.skipif(not HAS["rapidocr"], reason="rapidocr")
def test_without_time_nothing_is_made_up() -> None:
    """A reader that has no time left says that it did not come to the end."""
    reader = readers.chosen("rapidocr", "eng")
    found = reader.read(page(WRITTEN), time.monotonic())  # type: ignore[union-attr]
    assert (found.text, found.complete) == ("", False)


async def test_a_receipt_is_seen(eye: Callable[..., Sight], receipt: bytes) -> None:
    """A receipt is told from other pictures, and its words, sums and the lack of faces are in the percept."""
    seen = await eye().perceive(Image(receipt))
    assert seen.missing == ()
    assert seen.text.splitlines() == [
        "HORNBACH Baumarkt AG",
        "Hardware and garden",
        "Screws 4x40 mm 6.49",
        "Wood glue 8.95",
        "TOTAL EUR 15.44",
    ]
    assert seen.summary.startswith("A receipt, a ")
    assert seen.confidence > 0.9
    assert (seen.barcodes, seen.faces) == ((), 0)


async def test_what_shall_not_be_read_is_not_missed(eye: Callable[..., Sight], receipt: bytes) -> None:
    """Without a reader there is no text, and no complaint about it."""
    seen = await eye(reader="none").perceive(Image(receipt))
    assert (seen.text, seen.confidence, seen.missing) == ("", 0.0, ())


def test_a_reader_that_is_not_there_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The absence of a reader is a note with the command, and a sentence of the plugin's report."""
    monkeypatch.setattr(readers, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")
    for name, command in (
        ("auto", readers.OCR),
        ("rapidocr", readers.OCR),
        ("tesseract", "apt-get install tesseract-ocr"),
    ):
        found = readers.chosen(name, "eng")
        assert found == readers.missing(name)
        assert found.hint == command  # type: ignore[union-attr]
    assert "It cannot read text: pip install 'alejo-vision[ocr]'" in Sight().lacks


def test_a_table_of_tesseract_is_read() -> None:
    """Words come by line; what has no words, such as the row of a block, is passed over."""
    rows = ["1\t1\t0\t0\t0\t0\t0\t0\t9\t9\t-1\t", *(f"5\t1\t1\t1\t{n}\t{w}\t0\t0\t9\t9\t{c}\t{t}" for n, w, c, t in
            [(1, 1, 90, "TOTAL"), (1, 2, 80, "27.94"), (2, 1, 100, "cash"), (2, 2, 5, " ")])]  # fmt: skip
    assert _read(rows) == reading.Reading("TOTAL 27.94\ncash", pytest.approx((4.5 + 4.0 + 4.0) / 14))


def test_pieces_that_stand_side_by_side_are_a_line() -> None:
    """A label and its sum are one line, from left to right, however the page is turned."""
    for degrees in (-3, 0, 3):
        turn = math.radians(degrees)
        at = lambda x, y: (x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn))  # noqa: B023, E731
        spots = [(600, 100, 80), (100, 100, 200), (300, 140, 500), (120, 180, 240), (610, 180, 90)]
        pieces = [Piece(*at(x, y), width, 24, turn) for x, y, width in spots]
        assert lines(pieces) == [[1, 0], [2], [3, 4]], degrees


@given(
    st.lists(
        st.builds(Piece, *[st.floats(0, 2000, allow_nan=False)] * 2, *[st.floats(1, 900)] * 2, st.floats(-3.2, 3.2)),
        max_size=40,
    )
)
def test_no_piece_is_lost(pieces: list[Piece]) -> None:
    """Every piece is on exactly one line, whatever lies where."""
    assert sorted(place for line in lines(pieces) for place in line) == list(range(len(pieces)))


@given(st.lists(st.text(max_size=300), max_size=300))
def test_text_is_bounded(told: list[str]) -> None:
    """What was read never has more than 4,000 characters or 200 lines, nor signs that steer a terminal."""
    text = bounded(told)
    assert len(text) <= reading.MOST_CHARACTERS
    assert len(text.split("\n")) <= reading.MOST_LINES
    assert not any(ord(sign) < 32 and sign != "\n" for sign in text)
