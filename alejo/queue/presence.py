"""Which processes work on a data folder: each holds a file lock that ends with it, however it ends.

A lease names its owner as BOOT:NAME. The file of that name in the folder can be locked by another only when its process
is gone, so that its leases need not be waited for. Of an owner without a file here nothing is known: it may run on
another machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from alejo.storage.disk import locked

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """What tells this boot of the machine from others, or "" where the system does not say."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Presence:
    """This process among those that work on a folder, until `close` or its end. Raises OSError."""

    def __init__(self, folder: Path, boot: str | None = None) -> None:
        self.owner = f"{boot_id() if boot is None else boot}:{secrets.token_hex(8)}"
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        with locked(folder):  # or another could lock the file before this one does, and take it for left behind
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = os.open(folder / self.owner, flags, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def gone(self) -> set[str]:
        """The owners that ended and left their file. Once their leases are ended, `bury` them."""
        names: set[str] = set()
        with locked(self._folder):
            for path in self._folder.iterdir():
                if _free(path):
                    names.add(path.name)
        return names

    def owners(self) -> set[str]:
        """Every owner of whom there is a file, gone or not."""
        return {path.name for path in self._folder.iterdir()}

    def bury(self, owners: set[str]) -> None:
        """Removes the files of owners that are gone."""
        for owner in owners:
            with contextlib.suppress(FileNotFoundError):
                (self._folder / owner).unlink()

    def close(self) -> None:
        """Ends the presence, as the end of the process does. May be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _free(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    return False
