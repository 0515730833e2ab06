"""The data folder: made once, opened by any number of processes, refused with the sentence that helps."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from alejo.clock import FakeClock
from alejo.errors import StartupError
from alejo.storage.folder import FORMAT, Folder

STARTER = """
import asyncio, sys
from pathlib import Path
from alejo.storage.folder import Folder
from alejo.storage.lmdb import LmdbStorage
from alejo.storage.store import Store
from alejo.storage.tables import Table
from alejo.types import Scope

async def main():
    data, key, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    print("ready", flush=True)
    sys.stdin.readline()
    folder = Folder.open(data, key)
    store = Store(LmdbStorage.open(folder.records_path, map_size=1 << 24, max_size=1 << 26), folder.keyring)
    writer = await store.writer(Scope("local", "me"))
    writer.put(Table("word", str), name.encode(), name)
    await writer.commit()
    print(folder.id, int(folder.key_made), flush=True)
    sys.stdin.readline()
    words = await store.scan(Scope("local", "me"), Table("word", str))
    print(*(row.value for row in words), flush=True)
    await store.close()

asyncio.run(main())
"""

HOLDER = """
import sys
from pathlib import Path
from alejo.storage.folder import Folder

with Folder.open(Path(sys.argv[1]), Path(sys.argv[2])).lock_server():
    print("held", flush=True)
    sys.stdin.readline()
print("given back", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "config" / "key"


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = threading.Timer(60, process.kill)  # whoever waits for its word then reads the end of the file
    deadline.daemon = True
    deadline.start()
    return process


def say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def refused(data: Path, key: Path) -> StartupError:
    with pytest.raises(StartupError) as caught:
        Folder.open(data, key)
    return caught.value


def everything(folder: Path) -> dict[str, tuple[object, ...]]:
    """Every file and folder: its content, mode, and times of content and status."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (content, status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return found


def test_a_new_folder(data: Path, key: Path) -> None:
    """A new folder, its marker and its key are for the owner alone; the key lies outside and is made once."""
    folder = Folder.open(data, key, clock=FakeClock(5))
    assert folder.key_made
    assert (folder.format, folder.created_at, len(folder.id)) == (FORMAT, 5, 32)
    assert folder.records_path == data / "records"
    assert folder.socket_path == data / "alejo.sock"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (data, data / "alejo.json", key.parent, key)}
    assert modes == {data: 0o700, data / "alejo.json": 0o600, key.parent: 0o700, key: 0o600}
    assert [path.name for path in data.iterdir()] == ["alejo.json"]
    assert [path.name for path in key.parent.iterdir()] == ["key"]
    assert json.loads((data / "alejo.json").read_text())["format"] == FORMAT


def test_an_opened_folder_is_the_same(data: Path, key: Path) -> None:
    """A second opening finds the same folder and key, and changes nothing."""
    first = Folder.open(data, key)
    before = everything(data.parent)
    again = Folder.open(data, key, create=False)
    assert (again.id, again.created_at, again.key_made) == (first.id, first.created_at, False)
    assert again.keyring.check("x") == first.keyring.check("x")
    assert everything(data.parent) == before


def test_folders_may_share_a_key(data: Path, key: Path) -> None:
    """A key that is there already is used for a new folder."""
    first = Folder.open(data, key)
    other = Folder.open(data.with_name("other"), key)
    assert not other.key_made
    assert other.id != first.id
    assert other.keyring.check("x") == first.keyring.check("x")


@pytest.mark.parametrize("left", [".alejo-new-alejo.json", "lost+found"])
def test_what_a_killed_start_left_does_not_count(data: Path, key: Path, left: str) -> None:
    """A folder that holds only an unfinished marker, or what the file system puts there, is still new."""
    data.mkdir(mode=0o755)
    (data / left).write_text("{")
    assert Folder.open(data, key).key_made
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert Folder.open(data, key).format == FORMAT


def test_processes_that_start_at_once_agree(data: Path, key: Path) -> None:
    """Four processes that make the same new folder at once have one key and read each other's records."""
    starters = [child(STARTER, data, key, name) for name in "abcd"]
    for starter in starters:
        assert heard(starter) == ["ready"]
    for starter in starters:
        say(starter)
    opened = [heard(starter) for starter in starters]
    assert len({identifier for identifier, _ in opened}) == 1
    assert sorted(made for _, made in opened) == ["0", "0", "0", "1"]
    for starter in starters:
        say(starter)
        assert heard(starter) == list("abcd")
        assert starter.wait(10) == 0
        starter.communicate()


def test_folders_made_at_once_share_their_key(tmp_path: Path, key: Path) -> None:
    """Four processes that make four folders with one new key file at once have one key."""
    starters = [child(STARTER, tmp_path / name, key, name) for name in "abcd"]
    for starter in starters:
        assert heard(starter) == ["ready"]
    for starter in starters:
        say(starter)
    assert sorted(heard(starter)[1] for starter in starters) == ["0", "0", "0", "1"]
    for starter in starters:
        say(starter)
        starter.communicate(timeout=10)
    for name in "abcd":
        Folder.open(tmp_path / name, key, create=False)


def test_a_folder_of_something_else_is_refused(data: Path, key: Path) -> None:
    """A folder with files and no marker is refused, and neither it nor a key is touched."""
    data.mkdir()
    (data / "holiday.jpg").write_bytes(b"picture")
    before = everything(data.parent)
    error = refused(data, key)
    assert str(error) == f"{data} is not an ALEJO data folder: it holds files, but no alejo.json."
    assert everything(data.parent) == before


def test_nothing_is_made_unless_asked(data: Path, key: Path) -> None:
    """Opening without creating refuses a folder that is not there, and leaves it so."""
    with pytest.raises(StartupError, match="There is no data folder"):
        Folder.open(data, key, create=False)
    assert list(data.parent.iterdir()) == []


def test_a_newer_folder_is_untouched(data: Path, key: Path) -> None:
    """A folder of a newer format is refused, whatever else its marker holds, and not a byte or time of it changes."""
    Folder.open(data, key)
    (data / "records").mkdir()
    (data / "records" / "data.mdb").write_bytes(b"newer")
    (data / "alejo.json").write_text('{"format": 2, "id": {"of": "another kind"}}')
    for with_key in (True, False):
        if not with_key:
            shutil.rmtree(key.parent)
        before = everything(data.parent)
        error = refused(data, key)
        assert str(error) == f"The data in {data} have format 2; this version reads up to format 1."
        assert everything(data.parent) == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 1}',
        '{"format": "1"}',
        f'{{"format": 0, "id": "{"a" * 32}", "created_at": 1, "key_check": ""}}',
        "\0\xff",
    ],
)
def test_a_damaged_marker_is_refused(data: Path, key: Path, text: str) -> None:
    """A marker that cannot be read is refused and left as it is."""
    Folder.open(data, key)
    (data / "alejo.json").write_text(text, "latin-1")
    before = everything(data.parent)
    assert str(refused(data, key)) == f"The alejo.json of {data} is damaged."
    assert everything(data.parent) == before


def test_a_missing_key_is_never_made_again(data: Path, key: Path) -> None:
    """Without its key a data folder is refused with what to do, and no key is made."""
    Folder.open(data, key)
    key.unlink()
    before = everything(data.parent)
    error = refused(data, key)
    assert str(error) == f"The master key {key} is missing; the data in {data} cannot be read without it."
    assert "Restore it from your backup" in error.hint
    assert everything(data.parent) == before


def test_a_wrong_key_is_refused(data: Path, key: Path) -> None:
    """Another folder's key is recognised as the wrong one before a record is read."""
    Folder.open(data, key)
    other = key.with_name("other")
    Folder.open(data.with_name("other"), other)
    error = refused(data, other)
    assert str(error) == f"The master key {other} is not the one that the data in {data} were sealed with."


def test_a_key_inside_the_folder_is_refused(data: Path, key: Path) -> None:
    """A key inside the data folder is refused, also through a link, and nothing is made."""
    link = data.with_name("link")
    link.symlink_to(data)
    for inside in (data / "key", data / "deep" / "key", link / "key", data, data / ".." / "data" / "key"):
        assert "lies inside the data folder" in str(refused(data, inside))
    assert "lies inside the data folder" in str(refused(link, data / "key"))
    assert not data.exists()
    data.mkdir()
    (data / "key").write_text("")
    pointer = data.with_name("pointer")
    pointer.symlink_to(data / "key")
    assert "lies inside the data folder" in str(refused(data, pointer))


def test_a_file_is_no_folder(data: Path, key: Path) -> None:
    """A path that cannot be a folder is refused in one sentence."""
    data.write_text("")
    assert "Not a directory" in str(refused(data, key))
    assert "Not a directory" in str(refused(data / "below", key))
    assert not key.exists()


def test_one_server_at_a_time(data: Path, key: Path) -> None:
    """The folder's server is known by its process; a second one is refused, until the first gives back or is killed."""
    folder = Folder.open(data, key)
    assert folder.server_pid() is None
    with folder.lock_server():
        assert folder.server_pid() == os.getpid()
        with pytest.raises(StartupError, match=f"process {os.getpid()}"):
            folder.lock_server()
        assert folder.server_pid() == os.getpid()
    assert folder.server_pid() is None
    for end in (say, subprocess.Popen.kill):
        holder = child(HOLDER, data, key)
        assert heard(holder) == ["held"]
        assert folder.server_pid() == holder.pid
        with pytest.raises(StartupError) as caught:
            folder.lock_server()
        assert str(caught.value) == f"A server (process {holder.pid}) already serves the data folder {data}."
        assert f"kill {holder.pid}" in caught.value.hint
        end(holder)
        if end is say:
            assert heard(holder) == ["given", "back"]
        else:
            holder.wait(10)
        assert folder.server_pid() is None
        folder.lock_server().close()
        holder.communicate()


def test_asking_does_not_disturb(data: Path, key: Path) -> None:
    """A server can always take a free folder, however many others ask at that moment who has it."""
    folder = Folder.open(data, key)
    code = (
        "import sys; from pathlib import Path; from alejo.storage.disk import holder_of\n"
        "print('asking', flush=True)\n"
        "while True: holder_of(Path(sys.argv[1]))"
    )
    askers = [child(code, data / "server.lock") for _ in range(2)]
    for asker in askers:
        assert heard(asker) == ["asking"]
    for _ in range(200):
        # What a killed server left when its number is another process's now: that makes askers look at the lock itself.
        (data / "server.lock").write_text(f"{os.getpid()}\n")
        folder.lock_server().close()
    for asker in askers:
        asker.kill()
        asker.communicate()


def test_a_long_path_has_a_short_socket(tmp_path: Path, key: Path) -> None:
    """Where the folder's path is too long for a Unix socket it listens in a private folder instead."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    folder = Folder.open(deep, key)
    assert folder.socket_path != deep / "alejo.sock"
    assert folder.id in folder.socket_path.name
    assert stat.S_IMODE(folder.socket_path.parent.stat().st_mode) == 0o700
    assert Folder.open(deep, key).socket_path == folder.socket_path
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder.socket_path))
    folder.socket_path.unlink()
