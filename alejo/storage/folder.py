"""The data folder: what makes it one, the key it was made with, who serves it and where its server listens.

    alejo.json     the marker: format, identifier, when it was made, a check value of the master key
    records/       the records of the lmdb: backend
    cache/         what need not be made again, sealed; it may be deleted while nothing runs, and is in no backup
    indexes/       indexes as they were, sealed, for a quick start; it may be deleted any time, and is in no backup
    workers/       a locked file for each process that works through jobs
    plugins.json   the plugins an operator switched off, see alejo.plugins.switches
    server.lock    held by the process that serves the folder, which it names
    alejo.sock     where that process listens for this user's own programs, and alejo.relay for its workers

Of the files: backend it has users/ and .alejo/ instead of records/, see alejo.storage.files.pages.

A folder without a marker is taken only if it is empty. One of a newer format is refused before anything is written.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Annotated

import msgspec

from alejo.clock import Clock, SystemClock
from alejo.errors import StartupError
from alejo.storage import keyfile
from alejo.storage.disk import TEMPORARY, ServerLock, holder_of, locked, write_new
from alejo.storage.keyfile import CONFIGURATION
from alejo.storage.keyring import Keyring

FORMAT = 1
MARKER = "alejo.json"
DAMAGED = 74  # EX_IOERR of sysexits(3)

# A Unix socket's address holds 108 bytes on Linux, fewer elsewhere, and gRPC puts "unix:" before it.
_SOCKET_PATH_BYTES = 100


class _Format(msgspec.Struct):
    format: Annotated[int, msgspec.Meta(ge=1)]


class Marker(_Format):
    """What makes a folder a data folder. `key_check` recognises its master key."""

    id: str
    created_at: int
    key_check: str


class Folder:
    """An opened data folder. `key_made` says that its master key was made now and should be backed up."""

    def __init__(self, path: Path, key_file: Path, keyring: Keyring, marker: Marker, *, key_made: bool) -> None:
        self.path = path
        self.key_file = key_file
        self.keyring = keyring
        self.key_made = key_made
        self.format = marker.format
        self.id = marker.id
        self.created_at = marker.created_at
        self.records_path = path / "records"
        self.cache_path = path / "cache"
        self.indexes_path = path / "indexes"
        self.workers_path = path / "workers"
        self.socket_path = _socket_path(path, marker.id)
        self.relay_path = self.socket_path.with_suffix(".relay")

    @classmethod
    def open(
        cls,
        data_path: Path,
        key_file: Path,
        *,
        create: bool = True,
        brought: bool = False,
        clock: Clock | None = None,
    ) -> Folder:
        """Opens a data folder, or makes a new one and its master key where none or an empty one is.

        `brought`: one that holds users/ of the files: backend, and what people keep beside it, is as good as empty.
        Processes that open it at once agree. Raises StartupError, its hint saying what helps: a folder of something
        else or of a newer format, or a key that is missing, wrong, unsafe or inside the folder.
        """
        path, key_file = Path(os.path.abspath(data_path)), Path(os.path.abspath(key_file))
        check_outside(path, key_file)
        try:
            marker = _read_marker(path)
            if marker is not None:
                return cls(path, key_file, unlock(key_file, marker, path), marker, key_made=False)
            if not brought or not (path / "users").is_dir():
                check_empty(path)
            if not create:
                raise StartupError(f"There is no data folder at {path}.", hint="alejo serve", exit_code=CONFIGURATION)
            return cls._make(path, key_file, clock or SystemClock(), brought=brought)
        except OSError as error:
            place = error.filename or path
            raise StartupError(
                f"The data folder {path} cannot be opened: {place}: {error.strerror}.",
                hint="Set data.path to a folder you may write, on a local disk with room.",
                exit_code=CONFIGURATION,
            ) from None

    def lock_server(self) -> ServerLock:
        """Takes the right to serve this folder, until closed. Raises StartupError naming the process that has it."""
        return ServerLock(self.path / "server.lock")

    def server_pid(self) -> int | None:
        """The process that serves this folder, or None."""
        return holder_of(self.path / "server.lock")

    @classmethod
    def _make(cls, path: Path, key_file: Path, clock: Clock, *, brought: bool) -> Folder:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(path):
            marker = _read_marker(path)
            if marker is not None:  # another process was first
                return cls(path, key_file, unlock(key_file, marker, path), marker, key_made=False)
            if not brought or not (path / "users").is_dir():
                check_empty(path)
            with contextlib.suppress(PermissionError):  # a mounted volume may belong to another user
                path.chmod(0o700)
            key, made = keyfile.read_or_make(key_file)
            keyring = Keyring(key)
            identifier = secrets.token_hex(16)
            marker = Marker(FORMAT, identifier, clock.now(), keyring.check(identifier))
            write_new(path / MARKER, msgspec.json.format(msgspec.json.encode(marker), indent=2) + b"\n")
            return cls(path, key_file, keyring, marker, key_made=made)


def check_outside(path: Path, key_file: Path) -> None:
    """Refuses a key beside the data it protects: whoever copies the folder would have both."""
    really = Path(os.path.realpath(path)), Path(os.path.realpath(key_file))
    for folder, file in ((path, key_file), really):
        if file.is_relative_to(folder):
            raise StartupError(
                f"The master key {key_file} lies inside the data folder {path}; a copy of one would be a copy of both.",
                hint="Set data.key_file (or ALEJO_KEY_FILE) to a path outside the data folder.",
                exit_code=CONFIGURATION,
            )


def _read_marker(path: Path) -> Marker | None:
    try:
        return parse_marker((path / MARKER).read_bytes(), path)
    except FileNotFoundError:
        return None


def parse_marker(text: bytes, path: Path) -> Marker:
    """The marker of the data folder, or of the backup of one, at `path`. Raises StartupError: newer, or damaged."""
    try:
        number = msgspec.json.decode(text, type=_Format).format
        if number > FORMAT:
            raise StartupError(
                f"The data in {path} have format {number}; this version reads up to format {FORMAT}.",
                hint="Update ALEJO; nothing was changed.",
                exit_code=DAMAGED,
            )
        return msgspec.json.decode(text, type=Marker)
    except msgspec.MsgspecError:
        raise StartupError(
            f"The {MARKER} of {path} is damaged.", hint="Restore it from your backup.", exit_code=DAMAGED
        ) from None


def check_empty(path: Path) -> None:
    """Refuses a folder of something else. What a start that was killed left behind does not count."""
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return
    if any(name != "lost+found" and not name.startswith(TEMPORARY) for name in names):
        raise StartupError(
            f"{path} is not an ALEJO data folder: it holds files, but no {MARKER}.",
            hint="Set data.path to an empty or new folder, or restore the marker from your backup.",
            exit_code=CONFIGURATION,
        )


def unlock(key_file: Path, marker: Marker, path: Path) -> Keyring:
    """The keys of the data at `path`, a folder or a backup. Raises StartupError: the key is missing, or another's."""
    key = keyfile.read(key_file)
    if key is None:
        raise StartupError(
            f"The master key {key_file} is missing; the data in {path} cannot be read without it.",
            hint="Restore it from your backup, or set data.key_file (or ALEJO_KEY_FILE) to where it is.",
            exit_code=CONFIGURATION,
        )
    keyring = Keyring(key)
    if not hmac.compare_digest(keyring.check(marker.id).encode(), marker.key_check.encode()):
        raise StartupError(
            f"The master key {key_file} is not the one that the data in {path} were sealed with.",
            hint="Set data.key_file (or ALEJO_KEY_FILE) to the right one, or restore it from your backup.",
            exit_code=CONFIGURATION,
        )
    return keyring


def _socket_path(path: Path, identifier: str) -> Path:
    """Inside the folder, or where that is too long for a socket, in a folder of this user's own.

    The latter does not depend on the environment, so that every program of the user looks in the same place.
    """
    inside = path / "alejo.sock"
    if len(os.fsencode(inside)) <= _SOCKET_PATH_BYTES:
        return inside
    private = Path(f"/tmp/alejo-{os.getuid()}")  # noqa: S108  its owner and mode are checked below
    private.mkdir(mode=0o700, exist_ok=True)
    status = private.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StartupError(
            f"{private} must be a folder that only you can enter; the path of {path} is too long to hold a socket.",
            hint=f"rm -rf {private}",
            exit_code=CONFIGURATION,
        )
    return private / f"{identifier}.sock"
