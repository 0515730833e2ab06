"""The folder of an export: names that every system takes, and words that cannot pass for what is told about them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from alejo.ownership.lines import Header
from alejo.ownership.markdown import Folder, moment, quoted, safe
from alejo.types import Fact, Image, Layer, Memory, Message, Reminder, Role, Session, SessionState


@given(st.text())
def test_a_name_is_safe(title: str) -> None:
    """Whatever a title is, its file stays in its folder, under a name of at most 100 bytes."""
    name = safe(title)
    assert Path(name).name == name
    assert 0 < len(name.encode()) <= 100
    assert name == name.strip(" .")
    assert not set(name) & set('<>:"/\\|?*\0')


@given(st.text())
def test_a_quote_is_a_quote(text: str) -> None:
    """Every line of what was said begins as a quote."""
    assert all(line.startswith(">") for line in quoted(text).split("\n"))


def test_everything_is_written(tmp_path: Path) -> None:
    """Pictures become files that the session shows; facts stand in their own file, as do memories by layer."""
    session = Session("0" * 32, SessionState.ACTIVE, 0, 0, "../../A walk", message_count=1)
    image = Image(b"not a picture", "image/png", "a heron")
    message = Message("1" * 32, session.id, 1, Role.USER, "Look", 0, 0, images=(image,))
    fact = Memory("2" * 32, Layer.SEMANTIC, "fact", "I live in Rome", 0, 0, fact=Fact("me", "lives in", "Rome", 0))
    with Folder(tmp_path / "out") as folder:
        for value in (Header(1, "0", 0), session, message, fact, Reminder("3" * 32, "Feed it", 0, 0)):
            folder.write(value)
    out = tmp_path / "out"
    (page,) = (out / "sessions").iterdir()
    assert page.name == "1970-01-01 A walk (00000000).md"
    assert f"![a heron](../images/{message.id}-1.png)" in page.read_text()
    assert (out / "images" / f"{message.id}-1.png").read_bytes() == image.data
    assert "me lives in Rome (1970-01-01 00:00 to …, held)" in (out / "facts.md").read_text()
    assert "1970-01-01 00:00, pending\n\n> Feed it" in (out / "reminders.md").read_text()
    assert "> I live in Rome" in (out / "memories" / "semantic.md").read_text()


def test_times_beyond_the_calendar() -> None:
    """A time that no calendar has is told as its number."""
    assert moment(1 << 61) == f"{1 << 61} µs"
