"""A folder that sessions are put into, for whoever learns from them: claimed, then moved to processed or failed.

A file is claimed by a lock on it and a rename out of the others' sight, into `working`. A watcher that is killed loses
the lock; whoever looks next finds the file in `working` and takes it up again.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PATTERN = "completed_session_*.json"
_FRESH = 1.0  # seconds since it was written, in which a file may not be whole
_MARK = "~"


class Claim:
    """A file that is ours until it is moved on. `name` is what it was called; `path` where it is."""

    def __init__(self, folder: Path, name: str, path: Path, descriptor: int) -> None:
        self.name = name
        self.path = path
        self._folder = folder
        self._descriptor = descriptor

    def read(self) -> bytes:
        """Its bytes."""
        return self.path.read_bytes()

    def processed(self) -> None:
        """Moves it to the others that were learned from."""
        self._move("processed")

    def failed(self, reason: str) -> None:
        """Moves it to those that were refused, and writes the reason beside it."""
        moved = self._move("failed")
        moved.with_name(f"{moved.name}.reason.txt").write_text(f"{reason}\n", "utf-8")

    def release(self) -> None:
        """Puts it back, for another time."""
        self._to(self._folder / self.name)

    def _move(self, where: str) -> Path:
        target = self._folder / where / self.name
        target.parent.mkdir(exist_ok=True)
        if target.exists():  # another session of this name
            target = target.with_name(f"{uuid.uuid4().hex}{_MARK}{self.name}")
        return self._to(target)

    def _to(self, target: Path) -> Path:
        self.path.rename(target)
        os.close(self._descriptor)
        return target


def fresh(folder: Path) -> set[str]:
    """The names of the files that `claims` leaves for later: they were written to so lately that they may grow."""
    return {path.name for path in folder.glob(PATTERN) if _is_fresh(path)}


def claims(folder: Path) -> Iterator[Claim]:
    """Claims one file after the other: first what a killed watcher left, then what is new, by name."""
    working = folder / "working"
    working.mkdir(exist_ok=True)
    for path in sorted(working.iterdir()):
        claim = _claim(folder, path, path.name.partition(_MARK)[2] or path.name, path)
        if claim is not None:
            yield claim
    for path in sorted(folder.glob(PATTERN)):
        if _is_fresh(path):
            continue
        claim = _claim(folder, path, path.name, working / f"{uuid.uuid4().hex}{_MARK}{path.name}")
        if claim is not None:
            yield claim


def _is_fresh(path: Path) -> bool:
    with suppress(FileNotFoundError):
        return 0 <= time.time() - path.stat().st_mtime < _FRESH
    return False


def _claim(folder: Path, path: Path, name: str, target: Path) -> Claim | None:
    """The file, if nobody else has it and it is still there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()) and path.is_file():
            if target != path:
                path.rename(target)
            return Claim(folder, name, target, descriptor)
    except OSError:  # another watcher has it, or had it and has moved it on
        pass
    os.close(descriptor)
    return None
