"""The master key's file: what is accepted, and that it is whole or not there."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from alejo.errors import StartupError
from alejo.storage import keyfile

KEY = bytes(range(32))
LINE = f"alejo-key-1 {base64.b64encode(KEY).decode()}"


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", [LINE, LINE + "\n"])
def test_a_key_file_is_one_line(tmp_path: Path, text: str) -> None:
    """The label and 32 bytes in base64 are a key, with or without the end of the line."""
    assert keyfile.read(written(tmp_path / "key", text)) == KEY


def test_no_file_is_no_key(tmp_path: Path) -> None:
    """A file that is not there is no error yet, nor is a folder that is not there."""
    assert keyfile.read(tmp_path / "key") is None
    assert keyfile.read(tmp_path / "none" / "key") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "alejo-key-1",
        LINE[:-1],
        LINE[:-4],
        LINE + LINE,
        LINE + "\n\n",
        " " + LINE,
        LINE[12:],
        "alejo-key-2" + LINE[11:],
        f"alejo-key-1 {base64.b64encode(KEY[1:]).decode()}",
        LINE.replace("A", "_", 1),
        "é" * 2_000,
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    """A key file that is cut, doubled, of another kind or empty is refused, and what is in it is not repeated."""
    path = written(tmp_path / "key", text)
    with pytest.raises(StartupError) as caught:
        keyfile.read_or_make(path)
    assert str(caught.value) == f'The master key {path} is not a key file of ALEJO ("alejo-key-1 …").'
    assert path.read_text() == text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """A key file that anyone but its owner may read, write or run is refused with the command that closes it."""
    path = written(tmp_path / "key", LINE, mode)
    with pytest.raises(StartupError) as caught:
        keyfile.read(path)
    assert caught.value.hint == f"chmod 600 {path}"


def test_only_files_are_keys(tmp_path: Path) -> None:
    """A folder or a pipe in the key's place is refused at once."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(StartupError, match="is not a file"):
            keyfile.read(path)


def test_a_made_key_is_kept(tmp_path: Path) -> None:
    """A key is made once, as this module reads it, for its owner alone; another one is another key."""
    path = tmp_path / "config" / "key"
    key, made = keyfile.read_or_make(path)
    assert made
    assert keyfile.read_or_make(path) == (key, False)
    assert keyfile.read(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]
    assert keyfile.read_or_make(path.with_name("other"))[0] != key


def test_what_a_killed_start_left_is_replaced(tmp_path: Path) -> None:
    """A half-written key of a process that was killed has no name yet, and the next one is made whole."""
    written(tmp_path / ".alejo-new-key", LINE[:20])
    key, made = keyfile.read_or_make(tmp_path / "key")
    assert made
    assert key != KEY
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]
