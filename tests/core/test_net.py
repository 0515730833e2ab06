"""A network over the table's rows, as Python sees it."""

from __future__ import annotations

from array import array
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo import TokenNet, shipped_table
from alejo._core import InvalidValue

CHANNELS, CLASSES = (5, 4), 3
TABLE = shipped_table()


def floats(count: int, step: float = 1.0) -> bytes:
    return array("f", [step * ((7 * number) % 11 - 5) for number in range(count)]).tobytes()


def layer(width: int, channels: int) -> tuple[bytes, bytes, bytes]:
    kernel = bytes(number * 37 % 256 for number in range(3 * channels * width))
    return kernel, floats(3 * channels, 0.01), floats(channels)


LAYERS = [layer(TABLE.dimensions, CHANNELS[0]), layer(CHANNELS[0], CHANNELS[1])]
HEADS = floats(2 * sum(CHANNELS) * CLASSES, 0.1)
OFFSETS = array("f", [0.5, 0.0, -0.5]).tobytes()
NET = TokenNet(TABLE, LAYERS, HEADS, OFFSETS)


@given(st.text(max_size=80))
def test_any_text_has_scores(text: str) -> None:
    """As many as there are classes, the same again and from other threads."""
    scores = NET.scores(text)
    assert len(scores) == CLASSES
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(NET.scores, [text, text])) == [scores, scores]


def test_the_order_of_words_counts() -> None:
    """What stands beside a word is part of it; a text without a token has the offsets."""
    assert NET.scores("not bad, good") != NET.scores("not good, bad")
    assert NET.scores("") == NET.scores(" \u200b ") == [0.5, 0.0, -0.5]
    assert NET.scores("good " * 1000)[0] == pytest.approx(NET.scores("good " * 2000)[0], abs=0.1)


@pytest.mark.parametrize(
    ("layers", "heads", "offsets"),
    [
        ([], b"", OFFSETS),
        (LAYERS[:1], HEADS, OFFSETS),
        (LAYERS[1:], HEADS, OFFSETS),
        ([(b"\0", *LAYERS[0][1:]), LAYERS[1]], HEADS, OFFSETS),
        ([LAYERS[0], (*LAYERS[1][:2], b"\0\0\0")], HEADS, OFFSETS),
        (LAYERS, HEADS[4:], OFFSETS),
        (LAYERS, HEADS, b""),
        (LAYERS, HEADS, array("f", [float("nan")] * CLASSES).tobytes()),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    layers: list[tuple[bytes, bytes, bytes]], heads: bytes, offsets: bytes
) -> None:
    """Whatever number is missing, too many, or none."""
    with pytest.raises(InvalidValue):
        TokenNet(TABLE, layers, heads, offsets)
