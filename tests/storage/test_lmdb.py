"""The lmdb: backend beyond the contract: groups, growth, a full map, other processes, opening."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import lmdb
import pytest

from alejo.errors import Conflict, StartupError, StorageFull, Unavailable
from alejo.storage import Append, Delete, Expect, Put
from alejo.storage.lmdb import GROUP_BATCHES, LmdbStorage
from alejo.storage.mount import network_filesystem
from alejo.storage.opener import open_storage
from alejo.testing.storage import MemoryStorage

MIB = 1 << 20


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[LmdbStorage]:
    """A storage of 1 MiB that may grow to 64."""
    opened = LmdbStorage.open(tmp_path / "db", map_size=MIB, max_size=64 * MIB)
    yield opened
    await opened.close()


def other(path: Path, code: str) -> subprocess.Popen[str]:
    """A process with the storage of `path` open as `storage`, running the body of an async function."""
    program = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from alejo.storage import Put\n"
        "from alejo.storage.lmdb import LmdbStorage\n"
        "async def main():\n"
        f"    storage = LmdbStorage.open(Path({str(path)!r}), map_size={MIB}, max_size={64 * MIB})\n"
        + "".join(f"    {line}\n" for line in code.splitlines())
        + "asyncio.run(main())\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_commits_share_a_sync(storage: LmdbStorage) -> None:
    """64 batches of one turn of the loop are one group, in the order they came, numbered without gaps."""
    numbers = await asyncio.gather(*(storage.commit([Put("t", b"%d" % n, b"v")]) for n in range(64)))
    stats = storage.stats()
    assert numbers == list(range(1, 65))
    assert stats["commits"] == 64
    assert stats["groups"] <= 2  # the writer may have been awake with the first of them
    assert stats["syncs"] == 2 * stats["groups"]
    assert stats["records"] == 64


async def test_groups_are_bounded(storage: LmdbStorage) -> None:
    """More waiting batches than a group holds, or more bytes, go in several groups."""
    await asyncio.gather(*(storage.commit([Put("t", b"%d" % n, b"")]) for n in range(3 * GROUP_BATCHES)))
    assert storage.stats()["groups"] >= 3
    before = storage.stats()["groups"]
    await asyncio.gather(*(storage.commit([Put("t", b"%d" % n, bytes(MIB))]) for n in range(17)))
    assert storage.stats()["groups"] >= before + 2


async def test_conflicts_are_not_synced(storage: LmdbStorage) -> None:
    """A batch that conflicts costs no group and no number."""
    first = await storage.commit([Put("t", b"k", b"")])
    with pytest.raises(Conflict):
        await storage.commit([Expect("t", b"k", None), Put("t", b"k", b"2")])
    assert storage.stats()["groups"] == 1
    assert await storage.commit([Put("t", b"k", b"3")]) == first + 1


async def test_a_batch_sees_its_group(storage: LmdbStorage) -> None:
    """Of batches in one group that expect the same absence one wins, and a later one can build on it."""
    results = await asyncio.gather(
        *(storage.commit([Expect("t", b"k", None), Put("t", b"k", b"%d" % n)]) for n in range(20)),
        storage.commit([Expect("t", b"k", 1), Put("t", b"k", b"last")]),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [int, *[Conflict] * 19, int]
    record = await storage.get("t", b"k")
    assert record is not None
    assert (record.value, record.version) == (b"last", 2)


async def test_cancelled_batches_are_kept(storage: LmdbStorage) -> None:
    """A batch is committed though its task was cancelled while it waited."""
    tasks = [asyncio.create_task(storage.commit([Put("t", b"%02d" % n, b"")])) for n in range(30)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    assert {type(result) for result in await asyncio.gather(*tasks, return_exceptions=True)} == {asyncio.CancelledError}
    await storage.commit([Put("t", b"last", b"")])
    assert len(await storage.scan("t", b"")) == 31


async def test_loops_of_several_threads(storage: LmdbStorage) -> None:
    """Event loops in different threads share the storage, also one that ends before its answer."""
    numbers: list[int] = []

    async def some(name: bytes) -> None:
        numbers.extend(
            await asyncio.gather(
                *(storage.commit([Put("t", name + b"%d" % n, b""), Put("u", name, b"")]) for n in range(50))
            )
        )

    async def gone() -> None:
        task = asyncio.ensure_future(storage.commit([Put("t", b"gone", b"")]))
        await asyncio.sleep(0)
        task.cancel()

    threads = [threading.Thread(target=lambda name=name: asyncio.run(some(name))) for name in (b"a", b"b", b"c")]
    threads.append(threading.Thread(target=lambda: asyncio.run(gone())))
    for thread in threads:
        thread.start()
    await asyncio.gather(some(b"d"), *(asyncio.to_thread(thread.join) for thread in threads))
    assert len(set(numbers)) == 200
    assert await storage.get("t", b"gone") is not None


async def test_map_grows(storage: LmdbStorage) -> None:
    """A map of 1 MiB takes 12 MiB, while another thread reads all the time."""
    done = threading.Event()
    failures: list[BaseException] = []

    async def read() -> None:
        while not done.is_set():
            for record in await storage.scan("t", b"", limit=20):
                again = await storage.get("t", record.key)
                assert again is not None
                assert again.value == record.key * 1000

    def reader() -> None:
        try:
            asyncio.run(read())
        except BaseException as error:  # noqa: BLE001  # shown by the test
            failures.append(error)

    thread = threading.Thread(target=reader)
    thread.start()
    try:
        for start in range(0, 3000, 100):
            keys = [b"%04d" % n for n in range(start, start + 100)]
            numbers = await asyncio.gather(*(storage.commit([Put("t", key, key * 1000)]) for key in keys))
            assert numbers == list(range(start + 1, start + 101))
    finally:
        done.set()
        thread.join()
    assert failures == []
    assert len(await storage.scan("t", b"", limit=5000)) == 3000
    assert storage.stats()["map_bytes"] >= 12 * MIB


async def test_a_batch_larger_than_the_map(storage: LmdbStorage) -> None:
    """One batch of 20 MiB makes the map grow as often as it takes."""
    await storage.commit([Put("t", b"%03d" % n, bytes(200_000)) for n in range(100)])
    assert len(await storage.scan("t", b"")) == 100


async def fill(storage: LmdbStorage, size: int) -> list[bytes]:
    """Writes 16 records at a time until there is no room; the keys that were kept."""
    kept: list[bytes] = []
    try:
        while True:
            keys = [b"%08d" % n for n in range(len(kept), len(kept) + 16)]
            await storage.commit([Put("t", key, os.urandom(size)) for key in keys])
            kept += keys
    except StorageFull:
        return kept


@pytest.mark.parametrize("size", [20, 700, 9000])
async def test_full(tmp_path: Path, size: int) -> None:
    """At the largest size writes are refused, reads and every single delete work, then writes resume."""
    storage = LmdbStorage.open(tmp_path, map_size=MIB, max_size=2 * MIB)
    kept = await fill(storage, size)
    for _ in range(3):
        with pytest.raises(StorageFull):
            await storage.commit([Put("t", b"x%d" % n, os.urandom(size)) for n in range(16)])
        with pytest.raises(StorageFull):
            await storage.commit([Delete("t", kept[0]), *(Append("t", b"", lambda key: bytes(9000)) for _ in range(9))])
    assert len(await storage.scan("t", b"", limit=1 << 20)) == len(kept)
    assert storage.stats()["live_bytes"] > MIB
    for start in range(0, len(kept), max(len(kept) // 200, 1)):
        record = await storage.get("t", kept[start])
        assert record is not None
        await storage.commit([Expect("t", kept[start], record.version), Delete("t", kept[start])])
    await storage.commit([Delete("t", key) for key in kept[: len(kept) // 2]])
    for n in range(20):
        await storage.commit([Put("t", b"again%d" % n, os.urandom(size))])
    await storage.close()
    assert (tmp_path / "data.mdb").stat().st_size <= 2 * MIB


async def test_full_with_a_reader(tmp_path: Path) -> None:
    """Deletes have pages of their own to work with when a reader keeps every freed page from being used again."""
    storage = LmdbStorage.open(tmp_path, map_size=MIB, max_size=2 * MIB)
    kept = await fill(storage, 20)
    reader = storage._env.begin()
    for key in kept[:3]:
        await storage.commit([Delete("t", key)])
    reader.abort()
    with pytest.raises(StorageFull):
        await storage.commit([Put("t", b"more", b"")])
    await storage.commit([Delete("t", key) for key in kept])
    await storage.commit([Put("t", b"%d" % n, bytes(1500)) for n in range(400)])
    await storage.close()


async def test_full_survives_reopening(tmp_path: Path) -> None:
    """A full storage opens again, with a smaller first size too, and still deletes."""
    storage = LmdbStorage.open(tmp_path, map_size=MIB, max_size=2 * MIB)
    kept = await fill(storage, 3000)
    await storage.close()
    storage = LmdbStorage.open(tmp_path, map_size=MIB // 2, max_size=2 * MIB)
    for key in kept[:200]:
        await storage.commit([Delete("t", key)])
    await storage.commit([Put("t", b"again", b"")])
    await storage.close()


async def test_another_process_grows_the_map(storage: LmdbStorage, tmp_path: Path) -> None:
    """Reads and writes go on after another process has grown the file beyond this one's map."""
    await storage.commit([Put("t", b"first", b"")])
    for step in range(3):
        # Twice 2 MiB and a margin a step: each of them outgrows the map that this process adopted before.
        code = f"await storage.commit([Put('t', b'%d-%04d' % ({step}, n), bytes(4000)) for n in range({1500 << step})])"
        process = other(tmp_path / "db", code + "\nawait storage.close()")
        await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
        before = storage.stats()["map_bytes"]
        if step % 2:
            assert await storage.commit([Put("t", b"mine", b"")]) > 0
        assert await storage.get("t", b"%d-0000" % step) is not None
        assert len(await storage.scan("t", b"%d-" % step, limit=1 << 20)) == 1500 << step
        assert storage.stats()["map_bytes"] > before


async def test_stale_readers_are_cleared(storage: LmdbStorage, tmp_path: Path) -> None:
    """The reader slot of a killed process is free after the next open."""
    code = "txn = storage._env.begin()\nprint('ready', flush=True)\nsys.stdin.read()"
    process = other(tmp_path / "db", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    show = "print(storage._env.readers(), flush=True)\nawait storage.close()"
    text, _ = other(tmp_path / "db", show).communicate()
    assert text
    assert str(process.pid) not in text


def test_one_environment_for_a_path(tmp_path: Path) -> None:
    """A path open in this process cannot be opened again, not by another name either, until it is closed."""
    first = LmdbStorage.open(tmp_path / "db", map_size=MIB, max_size=4 * MIB)
    (tmp_path / "alias").symlink_to(tmp_path / "db")
    for path in (tmp_path / "db", tmp_path / "alias"):
        with pytest.raises(StartupError, match="open in this process"):
            LmdbStorage.open(path, map_size=MIB, max_size=4 * MIB)
    asyncio.run(first.close())
    asyncio.run(LmdbStorage.open(tmp_path / "alias", map_size=MIB, max_size=4 * MIB).close())


def test_refusals_to_open(tmp_path: Path) -> None:
    """What is no folder, no data file of LMDB, or too small is refused with what helps, and left as it is."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "data.mdb").write_bytes(b"something else" * 1000)
    for name in ("file", "folder"):
        with pytest.raises(StartupError) as refused:
            LmdbStorage.open(tmp_path / name, map_size=MIB, max_size=4 * MIB)
        assert refused.value.hint
    assert (tmp_path / "file").read_text() == "mine"
    assert (tmp_path / "folder" / "data.mdb").read_bytes() == b"something else" * 1000
    with pytest.raises(StartupError, match="1 MiB"):
        LmdbStorage.open(tmp_path / "small", map_size=MIB, max_size=MIB - 1)


async def test_files_are_private(storage: LmdbStorage, tmp_path: Path) -> None:
    """Only the owner reads the folder and its files, and nothing is left of their making."""
    folder = tmp_path / "db"
    assert sorted(path.name for path in folder.iterdir()) == ["coming.lock", "data.mdb", "lock.mdb", "present.lock"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_processes_make_one_file(tmp_path: Path) -> None:
    """Processes that open a new folder at once share one file."""
    code = "await storage.commit([Put('t', b'%d' % os.getpid(), b'')])\nawait storage.close()"
    processes = [other(tmp_path / "db", code) for _ in range(4)]
    for process in processes:
        await asyncio.to_thread(process.communicate)
    storage = LmdbStorage.open(tmp_path / "db", map_size=MIB, max_size=4 * MIB)
    assert {record.key for record in await storage.scan("t", b"")} == {b"%d" % process.pid for process in processes}
    await storage.close()


async def test_opener(tmp_path: Path) -> None:
    """URLs open by their scheme; another one is refused with the names of those that are known."""
    storage = open_storage(f"lmdb:{tmp_path}/a%20b", {}, map_size=MIB, max_size=4 * MIB)
    assert (tmp_path / "a b" / "data.mdb").exists()
    await storage.close()
    assert isinstance(open_storage("memory:", {"memory": MemoryStorage}), MemoryStorage)
    for url, words in [
        ("lmdb:relative", "absolute"),
        ("lmdb://host/x", "absolute"),
        ("lmdb:", "absolute"),
        ("redis:x", "redis"),
    ]:
        with pytest.raises(StartupError, match=words) as refused:
            open_storage(url, {"memory": MemoryStorage})
        assert refused.value.hint
    assert "lmdb:, memory:" in refused.value.hint


def test_network_filesystem() -> None:
    """A local folder is on no network; a folder that is not there neither."""
    assert network_filesystem(Path("/proc")) == ""
    assert network_filesystem(Path(__file__)) == ""
    assert network_filesystem(Path("/nowhere/at/all")) == ""


async def test_wrong_values_fail_alone(storage: LmdbStorage) -> None:
    """A batch of the wrong types fails with its own error; its neighbours and later ones are kept."""
    results = await asyncio.gather(
        storage.commit([Put("t", b"a", b"")]),
        storage.commit([Put("t", b"b", "text")]),  # type: ignore[arg-type]
        storage.commit([Put("t", b"c", b""), object()]),  # type: ignore[list-item]
        storage.commit([Put("t", b"d", b"")]),
        return_exceptions=True,
    )
    assert [isinstance(result, int) for result in results] == [True, False, False, True]
    assert [record.key for record in await storage.scan("t", b"")] == [b"a", b"d"]
    with pytest.raises(ValueError, match="400"):
        await storage.get("t", b"k" * 401)
    with pytest.raises(ValueError, match="400"):
        await storage.scan("t", b"k" * 401)


async def test_closing_ends_the_thread(tmp_path: Path) -> None:
    """After close the writer thread is gone, and everything says so."""
    before = set(threading.enumerate())
    storage = LmdbStorage.open(tmp_path, map_size=MIB, max_size=4 * MIB)
    (writer,) = set(threading.enumerate()) - before
    await storage.close()
    assert not writer.is_alive()
    with pytest.raises(Unavailable, match="closed"):
        storage.stats()


@pytest.mark.parametrize(("number", "kind"), [(errno.EROFS, Unavailable), (errno.ENOSPC, StorageFull)])
async def test_a_disk_that_fails_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    """Whatever else the disk says when it is asked for room behind an error, the commit is answered."""
    storage = LmdbStorage.open(tmp_path, map_size=MIB, max_size=4 * MIB)

    def broken(group: Any, *_: object) -> None:
        group.taken.append(group._source.popleft())
        error = lmdb.Error("mdb_txn_commit: Input/output error")
        error.code = errno.EIO  # type: ignore[attr-defined]
        raise error

    def refused(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("alejo.storage.lmdb.Group.fill", broken)
    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(kind):
        await asyncio.wait_for(storage.commit([Put("t", b"k", b"v")]), 10)
    await storage.close()
