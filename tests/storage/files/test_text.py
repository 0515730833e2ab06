"""Text with a head."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo.storage.files.text import Wrong, read, write

WORDS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.one_of(
    WORDS, st.booleans(), st.integers(), st.dictionaries(WORDS, WORDS), st.lists(st.dictionaries(WORDS, WORDS))
)


def plain(value: object) -> object:
    """What `read` gives for a value that `write` was given: numbers are read as the text they are."""
    return json.dumps(value) if isinstance(value, bool | int) else value


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True), VALUES), WORDS)
def test_what_is_written_is_read(fields: dict[str, object], text: str) -> None:
    """Any fields and any text come back as they were, to the byte, with the line each stands in."""
    content = write(fields, text)
    found, said = read(content)
    assert said == text
    assert {name: value for name, (_, value) in found.items()} == {name: plain(each) for name, each in fields.items()}
    assert [line for line, _ in found.values()] == list(range(2, 2 + len(fields)))


@settings(max_examples=50, deadline=None)
@given(st.binary())
def test_any_file_is_read_or_refused(content: bytes) -> None:
    """Whatever a file holds, it is read, or refused as it should be."""
    with contextlib.suppress(Wrong):
        assert isinstance(read(content)[1], str)


def test_what_editors_write_is_read() -> None:
    """Lists and names below a field, both quotes, comments, empty lines, carriage returns and a byte order mark."""
    content = (
        "\ufeff---\r\nkind: a fact  # of mine\r\n\r\n# a comment\r\nspeaker: 'Anna''s'\r\nmetadata:\r\n  topic: tea\r\n"
        '  "a: b": "c"\r\nlist:\r\n- one\r\n- two\r\nempty:\r\n---\r\n\r\nText\r\n'
    )
    fields, text = read(content.encode())
    assert text == "Text\r"
    assert fields == {
        "kind": (2, "a fact"),
        "speaker": (5, "Anna's"),
        "metadata": (6, {"topic": "tea", "a: b": "c"}),
        "list": (9, ["one", "two"]),
        "empty": (12, ""),
    }


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"---\nkind: note\n", 1, "no second line"),
        (b"---\nkind: a\nkind: b\n---\n", 3, "a second time"),
        (b"---\nkind: a\n  deep: b\n---\n", 3, "name: value"),
        (b"---\nmetadata: {no\n---\n", 2, "JSON"),
        (b"---\nx:\n  a: b\n  - c\n---\n", 4, "both"),
        (b"one\ntwo \xff\n", 2, "UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(content: bytes, line: int, reason: str) -> None:
    """A head that cannot be read is refused, with the line and what is wrong with it."""
    with pytest.raises(Wrong, match=reason) as caught:
        read(content)
    assert caught.value.line == line
