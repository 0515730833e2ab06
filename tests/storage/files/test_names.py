"""Names out of any words."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo.storage.files.names import LONGEST, alike, safe

HOSTILE = [
    "../../etc/passwd",
    "/",
    "..",
    ".",
    "con",
    "NUL.txt",
    "com¹",
    "a\0b",
    "a\nb",
    "-rf",
    "a" * 500,
    "\ud800",
    "\u202egpj",
]


@settings(deadline=None)
@given(st.text() | st.sampled_from(HOSTILE) | st.text('./\\:*?"<>|\0 -~\u0301é', max_size=12))
def test_any_words_make_a_name(words: str) -> None:
    """Whatever the words are, the name is one step within a folder, on every system, and the same when made again."""
    name = safe(words)
    assert len(name.encode()) <= LONGEST
    assert Path(name).parts in {(name,), ()}
    assert PureWindowsPath(name).parts in {(name,), ()}
    assert not PureWindowsPath(name).is_reserved()
    assert not name.startswith((".", "-", " "))
    assert not name.endswith((".", " "))
    assert unicodedata.is_normalized("NFC", name)
    assert not any(unicodedata.category(character)[0] == "C" for character in name)
    assert safe(name) == name


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("I like green tea: strong / sweet", "I like green tea strong sweet"),
        ("Café\u0301s  Zürich\t東京", "Café\u0301s Zürich 東京"),
        ("cafe\u0301", "café"),
        ("con", "_con"),
        ("../..", ""),
    ],
)
def test_names_stay_readable(words: str, name: str) -> None:
    """Letters of every script stay, in composed form; what some system would not take is left out."""
    assert safe(words) == name


def test_names_that_some_systems_take_for_one() -> None:
    """Case and form of letters do not tell names apart."""
    assert alike("Straße") == alike("STRASSE")
    assert alike("café") == alike("CAFE\u0301")
    assert alike("anna") != alike("bert")
