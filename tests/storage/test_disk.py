"""Small files that are there whole or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alejo.storage.disk import holder_of, locked, write_new

WRITER = """
import sys
from pathlib import Path
from alejo.storage.disk import locked, write_new

folder = Path(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    with locked(folder):
        write_new(folder / f"{number:08}", b"whole" * 1000)
    number += 1
"""


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    """Writing where a file is fails and leaves it, and nothing beside it."""
    (tmp_path / "file").write_text("mine")
    with locked(tmp_path), pytest.raises(FileExistsError):
        write_new(tmp_path / "file", b"yours")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "mine")]


def test_a_killed_writer_leaves_whole_files(tmp_path: Path) -> None:
    """However a writer is killed, every file with a name is whole, and its lock is free."""
    for _ in range(5):
        folder = tmp_path / str(_)
        folder.mkdir()
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        while not any(folder.glob("0*")):
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        with locked(folder):
            files = sorted(folder.glob("0*"))
            assert {file.stat().st_size for file in files} == {5_000}
            assert [int(file.name) for file in files] == list(range(len(files)))


def test_a_lock_file_of_anything_names_nobody(tmp_path: Path) -> None:
    """Whatever stands in a lock file, a process is named only if it lives and holds it."""
    lock = tmp_path / "server.lock"
    assert holder_of(lock) is None
    for text in ("", "1", "nobody", "-1", "0", "999999999999999999999999", "²"):
        lock.write_text(text)
        assert holder_of(lock) is None
