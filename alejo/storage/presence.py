"""Who has the records of a folder open: any number of processes, or one that makes them anew and is alone meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from alejo.errors import FailedPrecondition


class Presence:
    """This process's part in the use of a folder, until `close` or the end of the process.

    Two locks (flock) of files in it: whoever comes holds `coming` for a moment and `present` shared from then on;
    whoever will be alone holds `coming`, so that nobody comes, and `present` by itself.
    """

    def __init__(self, folder: Path) -> None:
        """Waits while somebody is alone in the folder. Raises OSError."""
        self._coming = folder / "coming.lock"
        with self._held():
            self._file = os.open(folder / "present.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_SH)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps everybody else out for the block. Raises FailedPrecondition if another process is there."""
        with self._held():
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                fcntl.flock(self._file, fcntl.LOCK_SH)  # to take it anew may have let go of it
                raise FailedPrecondition(
                    "Another process has the records open; they can be made anew only by one that is alone.",
                    reason="RECORDS_IN_USE",
                ) from None
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_SH)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        file = os.open(self._coming, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def close(self) -> None:
        """Leaves. May be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
