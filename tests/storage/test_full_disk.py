"""The lmdb: backend on a disk that is really full: a file system of a few MiB in a namespace of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ON_A_SMALL_DISK = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-euc"]
MOUNT = 'mount -t tmpfs -o size=4m tmpfs "$1"'
PROGRAM = """
import asyncio, json, os, sys
from pathlib import Path

sys.path[:] = json.loads(sys.argv[2])
from alejo.errors import AlejoError, StorageFull
from alejo.storage import Delete, Put
from alejo.storage.lmdb import LmdbStorage

async def attempt(make):
    try:
        await make
    except AlejoError as error:
        return type(error).__name__
    return "done"

async def main(place):
    storage = LmdbStorage.open(place / "db", map_size=1 << 20, max_size=1 << 26)
    kept, told = [], {"writes": set()}
    for size in (40_000, 3_000):  # the small ones fill what the large ones leave
        for number in range(2_000):
            key = b"%05d %05d" % (size, number)
            became = await attempt(storage.commit([Put("t", key, os.urandom(size))]))
            told["writes"].add(became)
            if became != "done":
                break
            kept.append(key)
    told["delete"] = await attempt(storage.commit([Delete("t", kept.pop(0))]))
    told["read"] = len(await storage.scan("t", b"", limit=1 << 20)) == len(kept)
    with open(place / "rest", "wb", buffering=0) as rest:
        try:
            while rest.write(bytes(4096)):
                pass
        except OSError:
            pass
        told["compact"] = await attempt(storage.compact())
    (place / "rest").unlink()
    (place / "room").unlink()
    told["again"] = await attempt(storage.commit([Put("t", b"new", os.urandom(3_000))]))
    await storage.close()
    print(json.dumps(told | {"writes": sorted(told["writes"])}))

place = Path(sys.argv[1])
(place / "room").write_bytes(bytes(1 << 20))
asyncio.run(main(place))
"""


def on_a_small_disk(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    run = [*ON_A_SMALL_DISK, f'{MOUNT} && shift && exec "$@"', "-", str(place), *command]
    return subprocess.run(run, check=False, capture_output=True, text=True)


def test_a_disk_without_room(tmp_path: Path) -> None:
    """A full disk refuses what does not fit and ends nothing; all is read, and written to once there is room."""
    if on_a_small_disk(tmp_path, "true").returncode:
        pytest.skip("no file system can be mounted here")
    done = on_a_small_disk(tmp_path, sys.executable, "-c", PROGRAM, str(tmp_path), json.dumps(sys.path))
    assert done.returncode == 0, done
    assert json.loads(done.stdout) == {
        "writes": ["StorageFull", "done"],
        "delete": "done",
        "read": True,
        "compact": "StorageFull",
        "again": "done",
    }, done.stderr
