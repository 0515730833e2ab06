"""A data file as one moment of it: read record by record beside whoever writes to it, and made anew from such records.

Only for a process that has not opened the same file otherwise, as LMDB allows one environment of a file in a process.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import lmdb

from alejo.errors import StartupError

from .disk import NO_ROOM, has_room, reserve
from .presence import Presence

DAMAGED = 74  # EX_IOERR of sysexits(3)
# Records in one transaction of a file that is made: it keeps the pages it changed in memory.
_STEP = 4096
_READERS = 512
_MIB = 1 << 20
# What a record takes at most for each of its bytes: one of just over half a page gets a whole page to itself.
_SPREAD = 4


def records(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Every stored key and value of the data file in the folder `path`, in key order, as of the first one taken.

    Pages that writers free stay taken until the last. Raises StartupError when the file cannot be read.
    """
    data = path / "data.mdb"
    if not data.exists():  # the folder was made, and nothing kept in it yet
        return
    try:
        with (
            _staying(path),
            lmdb.open(
                str(path), readonly=True, create=False, map_size=data.stat().st_size, mode=0o600, max_readers=512
            ) as environment,
            _begun(environment) as txn,
            txn.cursor() as cursor,
        ):
            yield from cursor
    except (lmdb.Error, OSError) as error:
        raise StartupError(
            f"The records in {path} cannot be read ({error}).",
            hint="alejo doctor, and your backup",
            exit_code=DAMAGED,
        ) from None


@contextlib.contextmanager
def _staying(path: Path) -> Iterator[None]:
    """Keeps others from putting another file in the place of the one that is read; on a read-only disk nobody can."""
    try:
        presence = Presence(path)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        yield
    else:
        with contextlib.closing(presence):
            yield


def _begun(environment: lmdb.Environment) -> lmdb.Transaction[bytes]:
    while True:
        try:
            return environment.begin()
        except lmdb.MapResizedError:  # a writer has grown the file since it was opened
            environment.set_mapsize(0)


def reserve_lock(path: Path) -> None:
    """Makes LMDB's lock file in the folder `path`, in the size that LMDB gives it. Raises OSError."""
    reserve(path / "lock.mdb", 64 * (_READERS + 2))


def data_file(path: Path, map_size: int, *, sync: bool = True) -> lmdb.Environment:
    """Opens or makes the data file in the folder `path`. Raises lmdb.Error, OSError."""
    reserve_lock(path)
    return lmdb.open(str(path), map_size=map_size, mode=0o600, max_readers=_READERS, max_spare_txns=1, sync=sync)


def full(error: Exception, path: Path) -> bool:
    """Whether the error of a write says that there is no room, in the map or on the disk of the folder `path`."""
    if isinstance(error, lmdb.MapFullError):
        return True
    code = getattr(error, "code", 0)
    # LMDB says EIO of a write that the disk took a part of, as one does that becomes full.
    return code in NO_ROOM or (code == errno.EIO and not has_room(path))


class Rewrite:
    """A data file that is made anew in a folder of its own, which nobody looks into before it is finished."""

    def __init__(self, path: Path, map_size: int) -> None:
        """Makes the folder `path`, for at most `map_size` bytes. Raises OSError."""
        path.mkdir(mode=0o700)
        self._path = path
        with _told(path):
            self._environment = data_file(path, map_size, sync=False)

    def append(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Adds records behind all that are there. Raises ValueError when they are out of order, OSError."""
        with _told(self._path), self._environment.begin(write=True) as txn:
            if not all(txn.put(key, value, append=True) for key, value in rows):
                raise ValueError("The records are out of order.")

    def correct(self, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Puts records anywhere; None deletes. Raises OSError."""
        with _told(self._path), self._environment.begin(write=True) as txn:
            for key, value in rows:
                if value is None:
                    txn.delete(key)
                else:
                    txn.put(key, value)

    def finish(self) -> None:
        """Syncs and closes it: from now on the folder holds a data file and nothing else. Raises OSError."""
        with _told(self._path):
            self._environment.sync(True)
        self.close()
        with contextlib.suppress(FileNotFoundError):
            (self._path / "lock.mdb").unlink()
        for each in (self._path / "data.mdb", self._path):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Lets go of it. May be called twice."""
        self._environment.close()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.Error as error:
        code = errno.ENOSPC if full(error, path) else getattr(error, "code", 0)
        raise OSError(code, str(error), str(path)) from None


def build(path: Path, rows: Iterable[tuple[bytes, bytes]], size: int) -> None:
    """Makes the folder `path` with a data file of these records, and syncs it.

    `rows` are in key order and have at most `size` bytes. Raises ValueError when they are out of order, OSError.
    """
    # Nobody sees the folder until it is whole, so one sync at the end is enough.
    rewrite = Rewrite(path, _SPREAD * size + 64 * _MIB)
    rows = iter(rows)
    try:
        while step := list(islice(rows, _STEP)):
            rewrite.append(step)
        rewrite.finish()
    finally:
        rewrite.close()
