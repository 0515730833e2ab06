"""What the bench of vision measures with, and that files sent to do harm do none."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from alejo_bench import hostile, papers
from alejo_bench.vision import accuracy, edits
from alejo_vision.child import Child
from alejo_vision.looking import Request
from hypothesis import given
from hypothesis import strategies as st

LONG = 600.0
ROOM = 400  # MB, of which Python and Pillow take some 30, and 40 million pixels 160


def test_no_file_does_harm() -> None:
    """Each is seen or refused by one and the same process, which never has more memory than it may."""
    child = Child(ROOM)
    outcomes = {}
    try:
        for name, data in hostile.files():
            *_, last = child.ask(Request(data, LONG, "none"), LONG)
            outcomes[name] = last.refusal or (last.percept is not None and last.percept.summary)
        status = Path(f"/proc/{child.pid}/status").read_text()
    finally:
        child.close()
    assert len(outcomes) >= 30
    assert all(outcomes.values())
    assert int(status.partition("VmHWM:")[2].split()[0]) / 1024 < ROOM
    assert "refused" not in outcomes["jpeg that is a page and an archive"]


def test_papers_are_the_same_everywhere() -> None:
    """Fifty of three sorts, fonts and sizes; drawn again, they are the same to the pixel."""
    try:
        drawn = list(papers.papers())
    except click.ClickException:
        pytest.skip("the fonts of DejaVu are not here")
    assert len(drawn) == papers.COUNT
    assert {paper.font for paper in drawn} == set(papers.FONTS)
    assert {paper.size for paper in drawn} == set(papers.SIZES)
    assert {paper.sort for paper in drawn} == {"receipt", "letter", "table"}
    again = next(papers.papers(1))
    assert again.lines == drawn[0].lines
    assert again.picture.tobytes() == drawn[0].picture.tobytes()


def test_accuracy() -> None:
    """What was read right is 1, what was not read 0; a wrong letter of four is a quarter, and spaces are alike."""
    assert accuracy("one two", "one\n two") == 1.0
    assert accuracy("abcd", "abxd") == 0.75
    assert accuracy("abcd", "") == 0.0
    assert accuracy("ab", "something else entirely") == 0.0


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_edits_are_a_distance(one: str, other: str, third: str) -> None:
    """They are none between equals alone, the same both ways, and no detour is shorter."""
    assert (edits(one, other) == 0) == (one == other)
    assert edits(one, other) == edits(other, one)
    assert edits(one, third) <= edits(one, other) + edits(other, third)
