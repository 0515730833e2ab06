"""Small files that are there whole or not at all, and locks that end with their process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from alejo.errors import StartupError

TEMPORARY = ".alejo-new"
IN_USE = 75  # EX_TEMPFAIL of sysexits(3)


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
    _sync(path.parent)


def _sync(directory: Path) -> None:
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
