"""The files of records, in the folder: which record each belongs to, what it was when last seen, and how it gets there.

A file arrives in two steps: under a name in `.alejo/new/`, synced, before the log says so; by a rename after it. A
process that dies in between leaves it there, and the next one finishes the rename, unless what it replaces was edited.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from alejo.storage.disk import sync
from alejo.storage.keyring import PREFIX_BYTES
from alejo.storage.tables import SCOPES, SESSIONS

from .log import Files

USERS, OWN = "users", ".alejo"
Place = tuple[str, bytes]  # a record: its table and key
# A file changed within the same tick of the file system's clock looks as it did: one so young is read again.
_YOUNG = 100_000_000  # ns


class Stamp(NamedTuple):
    """What tells that a file was changed, without reading it; and when it was looked at, in ns."""

    modified: int
    size: int
    inode: int
    seen: int

    def holds(self, status: os.stat_result) -> bool:
        """Whether a file of this status is surely what it was."""
        return self.same(status) and self.seen - self.modified > _YOUNG

    def same(self, status: os.stat_result) -> bool:
        """Whether a file of this status seems to be what it was."""
        return self[:3] == (status.st_mtime_ns, status.st_size, status.st_ino)


def folder_of(path: str) -> str:
    """The folder that a path of a file lies in."""
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    """The last part of a path."""
    return path.rpartition("/")[2]


def digest(content: bytes) -> str:
    """What tells one content from another: 16 bytes in hexadecimal."""
    return blake2b(content, digest_size=16).hexdigest()


def stamp(status: os.stat_result) -> Stamp:
    """The stamp of a file that is looked at now."""
    return Stamp(status.st_mtime_ns, status.st_size, status.st_ino, time.time_ns())


class Tree:
    """The files below `root`. Paths are relative to it, with "/"."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._base = str(root)
        self.new = root / OWN / "new"
        self.places: dict[Place, Files] = {}
        self.versions: dict[Place, int] = {}  # of the records that have a place
        self.owners: dict[str, Place] = {}
        self.homes: dict[bytes, str] = {}  # of users, by tenant and user
        self.folders: dict[bytes, str] = {}  # of sessions, by their key
        self.sessions: dict[str, str] = {}  # identifiers by folder
        self.stamps: dict[str, Stamp] = {}
        self._arriving: dict[str, tuple[Path, Stamp]] = {}  # what waits to be renamed, by its path
        self._leaving: dict[str, str] = {}  # what waits to be removed, with the digest it had
        self._former: dict[str, set[str]] = {}  # what else a path was, while a log is read
        self._count = 0

    @property
    def settled(self) -> bool:
        """Whether every file is where the log says."""
        return not self._arriving and not self._leaving

    def note(self, place: Place, files: Files | None, version: int) -> None:
        """Takes up where a record's files are from this version on; None if it has none."""
        before = self.places.pop(place, None)
        for path, old in before.files if before else ():
            if self.owners.get(path) == place:
                del self.owners[path]
                self._leaving[path] = old
            self._former.setdefault(path, set()).add(old)
        table, key = place
        if files is not None:
            self.places[place], self.versions[place] = files, version
            for path, _ in files.files:
                self.owners[path] = place
                self._leaving.pop(path, None)
            parent = folder_of(files.files[0][0])
            if table == SCOPES.name:
                self.homes[key] = parent
            elif table == SESSIONS.name:
                self.sessions.pop(self.folders.get(key, ""), None)
                self.folders[key], self.sessions[parent] = parent, key[PREFIX_BYTES:].hex()
        elif table == SCOPES.name:
            self.homes.pop(key, None)
        elif table == SESSIONS.name:
            self.sessions.pop(self.folders.pop(key, ""), None)

    def forget_leaving(self) -> None:
        """Takes what was to be removed as removed, as the log says."""
        for path in self._leaving:
            self.stamps.pop(path, None)
        self._leaving.clear()

    def unsee(self, every: Iterable[Files]) -> None:
        """Lets files look as if they had changed."""
        for files in every:
            for path, _ in files.files:
                self.stamps.pop(path, None)

    def taken(self, path: str, place: Place) -> bool:
        """Whether something else than this record has the path, in the log or on the disk."""
        owner = self.owners.get(path)
        return owner != place if owner else os.path.lexists(self.root / path)

    # Arriving

    def bring(self, path: str, content: bytes) -> Path:
        """Writes what shall be at `path` under a name for now, not synced yet. Raises OSError; then it is not there."""
        self._count += 1
        temporary = self.new / f"{os.getpid()}-{self._count}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
        except OSError:
            temporary.unlink()
            raise
        return temporary

    def sync_new(self, brought: Iterable[Path]) -> None:
        """Syncs what was brought, and its names. Raises OSError."""
        for temporary in brought:
            descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync(self.new)

    def arrive(self, path: str, temporary: Path) -> None:
        """Lets `settle` rename what was brought."""
        if path in self._arriving:
            self._arriving[path][0].unlink(missing_ok=True)
        self._arriving[path] = temporary, stamp(temporary.stat())

    def settle(self) -> list[tuple[str, OSError]]:
        """Renames what arrives and removes what leaves; returns what could not be, which is tried again next time.

        What was edited since it was last seen stays: the edit is the newer version.
        """
        failed: list[tuple[str, OSError]] = []
        for path, (temporary, mark) in list(self._arriving.items()):
            try:
                if self._touched(path):
                    temporary.unlink()
                    self.stamps.pop(path, None)
                else:
                    self._make_parent(path)
                    os.rename(temporary, self.root / path)
                    self.stamps[path] = mark
                del self._arriving[path]
            except FileNotFoundError:  # another process was first
                del self._arriving[path]
            except OSError as error:
                failed.append((path, error))
        return failed + self._remove_leaving()

    def sync_names(self) -> None:
        """Syncs the names of all files: nothing is left to be finished, by whatever process it was begun."""
        for folder in {folder_of(path) for path in self.owners}:
            with contextlib.suppress(FileNotFoundError):
                sync(self.root / folder)

    def _remove_leaving(self) -> list[tuple[str, OSError]]:
        failed: list[tuple[str, OSError]] = []
        parents: set[Path] = set()
        for path in list(self._leaving):
            try:
                if not self._touched(path):
                    (self.root / path).unlink(missing_ok=True)
                    parents.add((self.root / path).parent)
                self.stamps.pop(path, None)
                del self._leaving[path]
            except NotADirectoryError:
                del self._leaving[path]
            except OSError as error:
                failed.append((path, error))
        for parent in parents:
            self._tidy(parent)
        return failed

    def _tidy(self, folder: Path) -> None:
        """Syncs that names left a folder, and removes it and those above if they are empty."""
        while len(folder.relative_to(self.root).parts) > 2:
            try:
                sync(folder)
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:  # it holds something
                return
            folder = folder.parent
        sync(folder)

    def _touched(self, path: str) -> bool:
        """Whether there is something at a path that is not what was last seen there."""
        try:
            status = os.lstat(self.root / path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        known = self.stamps.get(path)
        return known is None or not known.same(status)

    def untouched(self, files: Files) -> bool:
        """Whether all of a record's files seem to be as last seen."""
        return all(path in self.stamps and not self._touched(path) for path, _ in files.files) and all(
            os.path.lexists(self.root / path) for path, _ in files.files
        )

    def _make_parent(self, path: str) -> None:
        """Makes the folders above a path, and syncs each. Raises OSError if one of them leads out of `root`."""
        parent = (self.root / path).parent
        missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            sync(folder.parent)
        if self.leads_away(path):
            raise PermissionError(1, "a folder above it is a link that leads elsewhere", str(parent))

    def leads_away(self, path: str) -> bool:
        """Whether a folder above a path is a link out of `root`."""
        return not Path(os.path.realpath((self.root / path).parent)).is_relative_to(os.path.realpath(self.root))

    # Reading

    def read(self, path: str) -> tuple[bytes, Stamp]:
        """A file and its stamp. Raises OSError if it is not there, or not a file."""
        place = self._arriving[path][0] if path in self._arriving else os.path.join(self._base, path)
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(2, "it is not a file", path)
            return file.read(), stamp(status)

    def recover(self) -> None:
        """After the whole log was read: finishes what a process that died began, and clears what it left."""
        brought = self._brought()
        for files in self.places.values() if brought else ():
            for path, wanted in files.files:
                if wanted in brought and self._unfinished(path, wanted):
                    self.arrive(path, brought.pop(wanted))
        for path, (temporary, _) in list(self._arriving.items()):
            with contextlib.suppress(OSError):  # settled later, and read where it is until then
                self._make_parent(path)
                os.rename(temporary, self.root / path)
                del self._arriving[path]
        for path, old in self._leaving.items():
            if self._digest(path) == old:
                (self.root / path).unlink()
                sync((self.root / path).parent)
        self._leaving.clear()
        self._former.clear()
        kept = {temporary for temporary, _ in self._arriving.values()}
        for temporary in set(self.new.iterdir()) - kept:
            temporary.unlink()

    def _brought(self) -> dict[str, Path]:
        """What is there under a name for now, by digest."""
        return {digest(temporary.read_bytes()): temporary for temporary in sorted(self.new.iterdir())}

    def await_arrival(self, path: str, wanted: str) -> bool:
        """Whether a file that is not as the log says waits, of another process, for its name; it is read there then."""
        temporary = self._brought().get(wanted)
        if temporary is not None:
            self.arrive(path, temporary)
        return temporary is not None

    def waits(self, path: str) -> bool:
        """Whether a file has not got its name yet, or still has it."""
        return path in self._arriving or path in self._leaving

    def _unfinished(self, path: str, wanted: str) -> bool:
        found = self._digest(path)
        return found is None or (found != wanted and found in self._former.get(path, ()))

    def _digest(self, path: str) -> str | None:
        try:
            return digest(self.read(path)[0])
        except OSError:
            return None

    def walk(self, home: str) -> Iterator[tuple[str, os.stat_result]]:
        """Every file of a user's that could be a record's, with its status. Links and hidden names are passed over."""
        waiting = [f"{home}/memories", f"{home}/sessions"]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        path = f"{folder}/{entry.name}"
                        if entry.name.startswith("."):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(path)
                        elif entry.is_file(follow_symlinks=False):
                            yield path, entry.stat(follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                continue

    def strangers(self) -> Iterator[str]:
        """The folders in users/ that belong to nobody yet."""
        known = set(self.homes.values())
        try:
            names = sorted(os.listdir(self.root / USERS))
        except FileNotFoundError:
            return
        for name in names:
            home = f"{USERS}/{name}"
            if home not in known and not name.startswith(".") and os.path.isdir(self.root / home):
                yield home
