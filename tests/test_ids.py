"""Identifiers sort by time, are UUIDs of version 7, and strangers' texts are refused."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo.clock import FakeClock
from alejo.errors import InvalidArgument
from alejo.ids import Ids, raw


def test_are_version_seven_of_the_moment() -> None:
    """An identifier is a UUID of version 7 and RFC variant whose first 48 bits are the milliseconds of the clock."""
    made = uuid.UUID(Ids(FakeClock(1_700_000_000_123_456)).new())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == 1_700_000_000_123


def test_rise_while_the_clock_stands() -> None:
    """Ten thousand identifiers of one microsecond are distinct and in order."""
    ids = Ids(FakeClock())
    made = [ids.new() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_sort_by_time() -> None:
    """A later moment's identifier sorts behind an earlier one's, down to a microsecond."""
    clock = FakeClock()
    ids = Ids(clock)
    earlier = ids.new()
    clock.advance(0.000_001)
    assert earlier < ids.new()


@given(st.text(max_size=40) | st.text("0123456789abcdefABCDEF \n", min_size=32, max_size=34))
def test_refuses_what_it_did_not_make(text: str) -> None:
    """Any text is either 32 lower-case hexadecimal digits or an INVALID_ARGUMENT."""
    try:
        made = raw(text, "session_id")
    except InvalidArgument:
        assert not re.fullmatch("[0-9a-f]{32}", text)
    else:
        assert made.hex() == text


def test_names_the_field() -> None:
    """The violation carries the field's own name."""
    with pytest.raises(InvalidArgument) as caught:
        raw("'; drop table", "memory_ids[3]")
    assert caught.value.violations == (("memory_ids[3]", "is not an identifier of this server"),)
