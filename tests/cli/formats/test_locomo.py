"""The LoCoMo format."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from alejo.cli.formats import read
from alejo.errors import InvalidArgument

from .samples import LOCOMO, write


def test_turns_keep_speaker_date_and_caption(tmp_path: Path) -> None:
    """Sessions come in the order of their numbers, empty ones are left out, a caption stands behind the text."""
    first, last = read(write(tmp_path, "c.json", LOCOMO))
    assert [one.speaker for one in first.messages] == ["Ada", "Ben"]
    assert first.messages[1].text == "Look at mine! [photo: a tree in a pot]"
    assert first.messages[0].sent_at == 1_683_554_160_000_000
    assert first.messages[0].metadata == {"dia_id": "D1:1"}
    assert last.messages[0].origin == "locomo:own-1:D10:1"
    assert last.messages[0].sent_at == 1_686_355_500_000_000
    assert "10" in last.title


def test_lists_and_bare_conversations_are_read_too(tmp_path: Path) -> None:
    """A list of samples and a conversation without a sample around it are the same format."""
    assert len(read(write(tmp_path, "list.json", [LOCOMO, {**LOCOMO, "sample_id": "own-2"}]))) == 4
    bare = read(write(tmp_path, "bare.json", LOCOMO["conversation"]))
    assert [len(one.messages) for one in bare] == [2, 1]
    assert bare == read(write(tmp_path, "again.json", LOCOMO["conversation"]))


def change(path: str, value: Any) -> dict[str, Any]:
    """The sample with one place changed; None takes it away."""
    changed = copy.deepcopy(LOCOMO)
    place: Any = changed["conversation"]
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("session_1_date_time", None, "session_1_date_time: is None"),
        ("session_1_date_time", "yesterday", "session_1_date_time: is 'yesterday'"),
        ("session_1", "text", "session_1: is not a list"),
        ("session_1.1", "text", "session_1[1]: is not an object"),
        ("session_1.1.text", None, "session_1[1]: text: is missing"),
        ("session_1.1.speaker", 3, "session_1[1]: speaker: is missing or not a text"),
        ("session_1.1.dia_id", "D1:1", "session_1: dia_id: two turns have the same"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, path: str, value: Any, complaint: str) -> None:
    """A field that is wrong refuses the whole file and is named."""
    with pytest.raises(InvalidArgument) as caught:
        read(write(tmp_path, "c.json", change(path, value)))
    assert caught.value.message.startswith("c.json, ")
    assert complaint in caught.value.message


def test_a_file_without_sessions_is_refused(tmp_path: Path) -> None:
    """A conversation that has no session is no conversation."""
    with pytest.raises(InvalidArgument, match="has no session_1"):
        read(write(tmp_path, "c.json", {"conversation": {"speaker_a": "Ada"}}))
