"""Records as files, and back."""

from __future__ import annotations

import contextlib
from pathlib import PurePosixPath
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alejo.storage.files import pages
from alejo.storage.files.text import Wrong, write
from alejo.types import Belief, Fact, Image, Layer, Memory, Message, Role, Session, SessionState, Standing

WORDS = st.text(st.characters(exclude_categories=["Cs"]))
IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)
TIMES = st.integers(-(1 << 61), 1 << 61)
LABELS = st.dictionaries(WORDS.filter(lambda word: 0 < len(word) <= 64), WORDS, max_size=3)
BELIEFS = st.builds(Belief, TIMES, st.sampled_from(Standing), st.none() | TIMES, st.just("") | IDS)
FACTS = st.builds(
    Fact, WORDS, WORDS, WORDS, st.none() | TIMES, st.none() | TIMES, st.floats(0, 1), past=st.lists(BELIEFS).map(tuple)
)
MEMORIES = st.builds(
    Memory,
    IDS,
    st.sampled_from(Layer),
    WORDS,
    WORDS,
    TIMES,
    TIMES,
    speaker=WORDS,
    session_id=st.just("") | IDS,
    importance=st.floats(0, 1),
    pinned=st.booleans(),
    metadata=LABELS,
    sources=st.lists(IDS, max_size=2).map(tuple),
    fact=st.none() | FACTS,
)
IMAGES = st.lists(st.builds(Image, st.binary(), st.sampled_from(["", "image/png", "x/y"]), WORDS), max_size=3)
MESSAGES = st.builds(
    Message,
    IDS,
    IDS,
    st.integers(1, 1 << 31),
    st.sampled_from(Role),
    WORDS,
    TIMES,
    TIMES,
    WORDS,
    IMAGES.map(tuple),
    LABELS,
    st.booleans(),
    st.binary(),
)
SESSIONS = st.builds(Session, IDS, st.sampled_from(SessionState), TIMES, TIMES, WORDS, metadata=LABELS, origin=WORDS)


@settings(max_examples=50, deadline=None)
@given(MEMORIES | MESSAGES | SESSIONS, st.booleans())
def test_records_come_back(value: Any, whole: bool) -> None:
    """A record's files are in its user's folder, and give back exactly it; or refuse, and it is kept elsewhere."""
    home = "users/me"
    folder = f"{home}/sessions/s" if isinstance(value, Message) else home
    folder = pages.session_folder(value, home, whole=whole) if isinstance(value, Session) else folder
    path = pages.place(value, home, folder, whole=whole)
    found = pages.contents(value, path)
    for name, _ in found:
        parts = PurePosixPath(name).parts
        assert parts[:2] == ("users", "me")
        assert ".." not in parts
        assert all(0 < len(part.encode()) < 200 for part in parts)
    beside = {PurePosixPath(name).name: content for name, content in found}
    assert len(beside) == len(found)
    try:
        page = pages.parse(path, found[0][1], {}, beside.__getitem__, getattr(value, "session_id", ""))
    except Wrong:
        assert isinstance(value, Memory)  # of words that no person may write: none, or too many
        assert not value.text.strip() or max(map(len, (value.speaker, value.kind, value.text))) > 128
        return
    assert page is not None
    assert page.value == value
    assert page.key == pages.key_of(value)
    assert pages.decode(page.table, pages.encode(page.value)) == value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | IDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
)
NAMES = st.sampled_from([*Memory.__struct_fields__, *Message.__struct_fields__, *Session.__struct_fields__])
PATHS = [
    "users/me/memories/semantic/a.md",
    "users/me/memories/a.md",
    "users/me/sessions/s/1.md",
    "users/me/sessions/s/session.json",
    "users/me/a.md",
]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(PATHS), st.dictionaries(NAMES, VALUES), WORDS)
@example(PATHS[0], {"fact": [None]}, "0")
@example(PATHS[0], {"fact": []}, "0")
@example(PATHS[2], {"appraisal": [{}]}, "0")
def test_any_fields_are_a_record_or_refused(path: str, fields: dict[str, Any], text: str) -> None:
    """Whatever a person writes for a field, it is a record that can be stored, or refused with its line."""
    known = {"id": "0" * 32, "kind": "note", "sent_at": 1, "recorded_at": 1}
    content = msgspec.json.encode(fields) if path.endswith("json") else write(fields, text)
    with contextlib.suppress(Wrong, ValueError, OverflowError, KeyError):
        page = pages.parse(path, content, known, {}.__getitem__, "0" * 32)
        if page is not None:
            assert pages.decode(page.table, pages.encode(page.value)) == page.value
            assert pages.key_of(page.value) == page.key
