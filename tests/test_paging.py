"""Page tokens carry a cursor and hold only for the list they were made for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo import paging
from alejo.errors import InvalidArgument


@given(st.binary(min_size=1, max_size=64))
def test_brings_the_cursor_back(place: bytes) -> None:
    """A token gives back the cursor it was made from."""
    assert paging.cursor(("list", 1), paging.token(("list", 1), place)) == place


@given(st.text(min_size=1, max_size=80))
def test_refuses_what_it_did_not_make(text: str) -> None:
    """Any other text is INVALID_ARGUMENT, never another error."""
    with pytest.raises(InvalidArgument):
        paging.cursor(("list", 1), text)


def test_refuses_another_question() -> None:
    """A token does not continue a list with other filters."""
    with pytest.raises(InvalidArgument):
        paging.cursor(("list", 2), paging.token(("list", 1), b"x"))


def test_nothing_is_the_first_page() -> None:
    """An empty token begins at the beginning."""
    assert paging.cursor("anything", "") == b""
