"""Small files that are there whole or not at all, and locks that end with their process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from alejo.errors import StartupError

TEMPORARY = ".alejo-new"
IN_USE = 75  # EX_TEMPFAIL of sysexits(3)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_MIB = 1 << 20


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the directory's own lock (flock), waiting for it; nothing is written for it. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_new(path: Path, content: bytes) -> None:
    """Writes a file of mode 0600 that must not exist: whole, synced, then named. Call it under `locked(path.parent)`.

    Raises FileExistsError, or OSError if the disk refuses.
    """
    temporary = path.with_name(f"{TEMPORARY}-{path.name}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()  # left by a process that was killed here
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    try:
        os.link(temporary, path)  # a rename would replace a file that somebody put there without the lock
    finally:
        temporary.unlink()
    sync(path.parent)


@contextlib.contextmanager
def arriving(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file of mode 0600 and its name for now; it gets the name `path` at the end of the block, synced.

    What a process that was killed leaves behind under the other name, the next one for the same path removes. Raises
    FileExistsError if `path` is there, or OSError; then, as after any error of the block, nothing is left.
    """
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    prefix = f"{TEMPORARY}-{path.name}-"
    for left in path.parent.glob(f"{glob.escape(prefix)}*"):
        _remove_if_left(left)
    descriptor, name = tempfile.mkstemp(prefix=prefix, dir=path.parent)
    with open(descriptor, "w+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield file, Path(name)
            file.flush()
            os.fsync(descriptor)
            _name(Path(name), path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    sync(path.parent)


def _name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as that of a memory stick
        os.rename(temporary, path)


def _remove_if_left(path: Path) -> None:
    """Removes a temporary file that no living process holds."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def has_room(directory: Path) -> bool:
    """Whether the disk, and the user's share of it, take a MiB more; also where something else is wrong with it."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            os.posix_fallocate(file.fileno(), 0, _MIB)
    except OSError as error:
        return error.errno not in NO_ROOM
    return True


def reserve(path: Path, size: int) -> None:
    """Makes a file of `size` zeros with all its room, or gives one of this size its room. Raises OSError.

    What is written through a map into a hole of a file ends the process when the disk is full. A file of another size
    is left as it is: others may have mapped it.
    """
    if path.exists():
        if path.stat().st_size == size:
            with path.open("r+b") as there:
                os.posix_fallocate(there.fileno(), 0, size)
        return
    with tempfile.NamedTemporaryFile(prefix=TEMPORARY, dir=path.parent) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        with contextlib.suppress(FileExistsError):  # another process was first
            os.link(file.name, path)


def sync(directory: Path) -> None:
    """Syncs a folder: the names in it are on disk. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ServerLock:
    """The right to serve a data folder, held until `close` or the end of the process. Its file names the process."""

    def __init__(self, path: Path) -> None:
        """Takes it. Raises StartupError naming the process that has it."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(20):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.005)  # `holder_of` holds it for a moment
            else:
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
                return
        holder = _pid(self._file)
        os.close(self._file)
        raise StartupError(
            f"A server{f' (process {holder})' if holder else ''} already serves the data folder {path.parent}.",
            hint="Talk to it with `alejo chat`" + (f", or end it with `kill {holder}`." if holder else "."),
            exit_code=IN_USE,
        )

    def close(self) -> None:
        """Gives it back. May be called twice."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> ServerLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def holder_of(path: Path) -> int | None:
    """The process that holds the server lock, or None. Writes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        pid = _pid(descriptor)
        if pid is None:
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return pid
    else:
        return None  # a killed server left its number, and another process has it now
    finally:
        os.close(descriptor)


def _pid(descriptor: int) -> int | None:
    """The living process that a lock file names, or None."""
    text = os.pread(descriptor, 32, 0).strip()
    if not text.isdigit():
        return None
    pid = int(text)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except (PermissionError, OverflowError):
        pass
    return pid
