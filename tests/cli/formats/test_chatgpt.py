"""A ChatGPT export's conversations.json."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from alejo.cli.formats import read
from alejo.errors import InvalidArgument, StartupError
from alejo.types import Role

from .samples import CHATGPT, write


def test_the_branch_that_was_shown_is_read(tmp_path: Path) -> None:
    """From the current node up: no other branch, nothing hidden or empty, text parts alone, times carried on."""
    (soup,) = read(write(tmp_path, "conversations.json", CHATGPT))
    assert (soup.title, soup.origin) == ("Soup", "chatgpt:c1")
    assert [(one.role, one.text, one.sent_at) for one in soup.messages] == [
        (Role.USER, "The red pot burns my lentils.", 1_700_000_001_250_000),
        (Role.ASSISTANT, "Gently.\nWith salt.", 1_700_000_001_250_000),
        (Role.USER, "Thanks", 1_700_000_009_000_000),
    ]
    assert soup.messages[0].origin == "chatgpt:c1:n2"


def test_without_a_current_node_the_last_leaf_is_taken(tmp_path: Path) -> None:
    """An older export that names no current node gives its last branch."""
    older = copy.deepcopy(CHATGPT[:1])
    del older[0]["current_node"]
    for one in older[0]["mapping"].values():
        one["children"] = [two["id"] for two in older[0]["mapping"].values() if two["parent"] == one["id"]]
    (soup,) = read(write(tmp_path, "conversations.json", older))
    assert [one.text for one in soup.messages][-1] == "Thanks"


def broken(*way: Any, value: Any) -> list[dict[str, Any]]:
    changed = copy.deepcopy(CHATGPT)
    place: Any = changed
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("tree", "complaint"),
    [
        (broken(1, "mapping", value=[]), "conversation 2: mapping: is missing"),
        (broken(0, "current_node", value="gone"), "mapping: the node 'gone' is missing"),
        (broken(0, "mapping", "n1", "parent", value="n5"), "is its own ancestor"),
        (broken(0, "mapping", "n2", "message", "author", value=None), "message n2: author.role"),
        (broken(0, "mapping", "n2", "message", "create_time", value="x"), "message n2, create_time: is not a number"),
        (broken(0, "mapping", "n2", "message", "content", "parts", value="x"), "message n2: content.parts"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, tree: Any, complaint: str) -> None:
    """A field that is wrong refuses the whole file and is named with its conversation and message."""
    with pytest.raises(InvalidArgument) as caught:
        read(write(tmp_path, "conversations.json", tree))
    assert complaint in caught.value.message


@pytest.mark.parametrize("content", ["", "[]", "{}", '"text"', "no JSON", "[" * 100_000])
def test_what_is_no_conversation_is_refused(tmp_path: Path, content: str) -> None:
    """A file of none of the formats is one clear sentence."""
    with pytest.raises(InvalidArgument, match="file"):
        read(write(tmp_path, "file", content))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file, a folder and bytes that are no text are told apart."""
    with pytest.raises(StartupError, match="cannot be read") as missing:
        read(tmp_path / "gone")
    assert missing.value.exit_code == 66
    with pytest.raises(StartupError, match="is a folder") as folder:
        read(tmp_path)
    assert "conversations.json" not in folder.value.hint
    (tmp_path / "conversations.json").touch()
    with pytest.raises(StartupError, match="is a folder") as folder:
        read(tmp_path)
    assert folder.value.hint == f"alejo import {tmp_path}/conversations.json"
    (tmp_path / "bytes").write_bytes(b"\xff\xff")
    with pytest.raises(InvalidArgument, match="not UTF-8 at byte 0"):
        read(tmp_path / "bytes")
