"""Backups: one file that holds a data folder at one moment, as sealed as it lies there, without the key.

The file is a tar archive of these members:

    alejo.json      the folder's marker, as it is
    plugins.json    which plugins are switched off, as it is; if there is one
    records         every record: length of the key (2 bytes), of the value (4), big-endian; the key; the value
    manifest.json   format, when and from what it was made, the number of records, bytes and SHA-256 of the others

It holds records, not pages: it needs no LMDB of the same version or machine to be read, and nothing in it was deleted
before. It is read back from the disk, and every record opened with the key, before it gets its name.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec
from cryptography.exceptions import InvalidTag

from alejo import __version__
from alejo.clock import Clock
from alejo.errors import DataLoss, StartupError
from alejo.storage import snapshot
from alejo.storage.disk import TEMPORARY, arriving, locked, sync, write_new
from alejo.storage.folder import MARKER, Folder, check_empty, check_outside, parse_marker, unlock
from alejo.storage.keyring import DATA_KEYS, HEADER_BYTES, PREFIX_BYTES, Keyring, SealingKey

FORMAT = 1
CANNOT_CREATE = 73  # EX_CANTCREAT of sysexits(3)
DAMAGED = 74
NO_INPUT = 66
_RECORDS, _MANIFEST = "records", "manifest.json"
# What else lies in a folder and is not made anew by a start: whoever adds such a file adds its name.
BESIDE = ("plugins.json",)
_BLOCK = 512  # of a tar archive
_SMALL = 1 << 20  # more than a marker or a manifest ever takes


class Member(msgspec.Struct, frozen=True):
    """A member of a backup: its bytes and their SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself. `made_at` is in µs since the epoch; `folder` the data folder's identifier."""

    format: int
    made_at: int
    alejo: str
    folder: str
    data_format: int
    records: int
    members: dict[str, Member]


class _Version(msgspec.Struct):
    format: int


class Archive:
    """A backup that is read, each part checked as it is. `files` lie beside the marker. A context manager."""

    def __init__(self, path: Path) -> None:
        """Opens it and reads what it says of itself. Raises StartupError: not there, no backup, newer, damaged."""
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise StartupError(
                f"{path} cannot be read: {error.strerror}.", hint=f"ls -l {path}", exit_code=NO_INPUT
            ) from None
        try:
            self._places = self._find()
            text = self._small(_MANIFEST)
            number = msgspec.json.decode(text, type=_Version).format
            if number > FORMAT:
                raise StartupError(
                    f"{path} is a backup of format {number}; this version reads up to format {FORMAT}.",
                    hint="Update ALEJO; nothing was changed.",
                    exit_code=DAMAGED,
                )
            self.manifest = msgspec.json.decode(text, type=Manifest)
            if set(self.manifest.members) != set(self._places) - {_MANIFEST}:
                raise self._damaged()
            self.files = {name: self._small(name) for name in self._places if name not in {_RECORDS, _MANIFEST}}
            for name, content in self.files.items():
                if self.manifest.members[name] != Member(len(content), hashlib.sha256(content).hexdigest()):
                    raise self._damaged()
            self.marker = self.files.pop(MARKER)
        except (msgspec.MsgspecError, KeyError):
            self._file.close()
            raise self._damaged() from None
        except BaseException:
            self._file.close()
            raise

    def _find(self) -> dict[str, tuple[int, int]]:
        """Where each member begins, and its bytes."""
        try:
            with tarfile.open(fileobj=self._file, mode="r:") as tar:
                members = tar.getmembers()
        except (tarfile.TarError, OSError, ValueError):
            members = []
        places = {one.name: (one.offset_data, one.size) for one in members if one.type == tarfile.REGTYPE}
        beside = [name for name in BESIDE if name in places]
        if list(places) != [MARKER, *beside, _RECORDS, _MANIFEST] or len(members) != len(places):
            raise StartupError(
                f"{self.path} is not a backup of ALEJO, or not a whole one.",
                hint="Take another backup; alejo backup --verify FILE tells whether one is sound.",
                exit_code=DAMAGED,
            )
        return places

    def _small(self, name: str) -> bytes:
        begin, size = self._places[name]
        if size > _SMALL:
            raise self._damaged()
        self._file.seek(begin)
        return self._file.read(size)

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Every stored key and value. Raises StartupError, after the last at the latest, if they are not whole."""
        begin, size = self._places[_RECORDS]
        digest, count, left = hashlib.sha256(), 0, size
        self._file.seek(begin)

        def take(wanted: int) -> bytes:
            nonlocal left
            data = self._file.read(wanted) if wanted <= left else b""
            if len(data) < wanted:
                raise self._damaged()
            left -= wanted
            digest.update(data)
            return data

        while left:
            head = take(6)
            key = take(int.from_bytes(head[:2], "big"))
            length = int.from_bytes(head[2:], "big")
            yield key, take(length)
            count += 1
        if self.manifest.members[_RECORDS] != Member(size, digest.hexdigest()) or count != self.manifest.records:
            raise self._damaged()

    @property
    def size(self) -> int:
        """The bytes of its records."""
        return self._places[_RECORDS][1]

    def _damaged(self) -> StartupError:
        return StartupError(
            f"The backup {self.path} is damaged: it is not what was written.",
            hint="Take another backup.",
            exit_code=DAMAGED,
        )

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def back_up(folder: Folder, records: Path, file: Path, clock: Clock) -> tuple[Manifest, int]:
    """Writes the moment that begins now to the new `file`; returns what it says, and the records that do not open.

    `records` is the folder of the data file, which other processes may write to; this one must not have it open. A
    record that was damaged before is kept as it is, and counted. Raises StartupError; then there is no `file`.
    """
    made_at = clock.now()
    try:
        with arriving(file) as (out, place):
            members = {}
            for name in (MARKER, *(name for name in BESIDE if (folder.path / name).exists())):
                members[name] = _add(out, name, made_at, [(folder.path / name).read_bytes()])
            count = itertools.count()
            rows = (row for row in _framed(snapshot.records(records)) if next(count) >= 0)
            members[_RECORDS] = _add(out, _RECORDS, made_at, rows)
            manifest = Manifest(FORMAT, made_at, __version__, folder.id, folder.format, next(count), members)
            text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
            _add(out, _MANIFEST, made_at, [text])
            out.write(bytes(2 * _BLOCK))
            out.flush()
            os.fsync(out.fileno())
            # What is verified shall come from the disk, as far as the system lets go of its copy.
            os.posix_fadvise(out.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            with Archive(place) as archive:
                return manifest, closed_records(archive, folder.keyring)
    except FileExistsError:
        raise StartupError(
            f"{file} is there already.", hint="Name another file, or move that one away.", exit_code=CANNOT_CREATE
        ) from None
    except OSError as error:
        raise StartupError(
            f"The backup {file} cannot be written: {error.strerror}.",
            hint="Name a file in a folder that you may write, on a disk with room.",
            exit_code=CANNOT_CREATE,
        ) from None


def _framed(records: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for key, value in records:
        yield b"%b%b%b%b" % (len(key).to_bytes(2, "big"), len(value).to_bytes(4, "big"), key, value)


def _add(out: BinaryIO, name: str, made_at: int, chunks: Iterable[bytes]) -> Member:
    """Adds a member whose size is known when it is written."""
    begin = out.tell()
    out.write(bytes(_BLOCK))
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        out.write(chunk)
    out.write(bytes(-size % _BLOCK))
    end = out.tell()
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, made_at // 1_000_000, 0o600
    out.seek(begin)
    out.write(header.tobuf(tarfile.GNU_FORMAT))
    out.seek(end)
    return Member(size, digest.hexdigest())


def closed_records(archive: Archive, keyring: Keyring) -> int:
    """How many records of a backup the key does not open. Raises StartupError when the backup is not whole."""
    wrapped: dict[bytes, list[tuple[bytes, bytes]]] = {}
    table = DATA_KEYS.encode()
    for stored, value in archive.records():
        name, _, key = stored.partition(b"\0")
        if name == table:
            wrapped.setdefault(key[:PREFIX_BYTES], []).append((key, value[8:]))
    return _closed(archive.records(), wrapped, keyring)


def _closed(
    records: Iterable[tuple[bytes, bytes]], wrapped: dict[bytes, list[tuple[bytes, bytes]]], keyring: Keyring
) -> int:
    user, keys, closed = b"", dict[bytes, SealingKey](), 0
    for stored, value in records:
        name, _, key = stored.partition(b"\0")
        if not name:  # the sequence number, which is sealed by nobody
            continue
        if key[:PREFIX_BYTES] != user or not keys:
            user = key[:PREFIX_BYTES]
            keys = _unwrapped(wrapped.get(user, ()), keyring)
        sealed = value[8:]
        try:
            if name.decode() == DATA_KEYS:
                keyring.unwrap(key, sealed)
            else:
                keys[sealed[:HEADER_BYTES]].open(name.decode(), sealed, key)
        except (InvalidTag, DataLoss, KeyError, ValueError):
            closed += 1
    return closed


def _unwrapped(wrapped: Iterable[tuple[bytes, bytes]], keyring: Keyring) -> dict[bytes, SealingKey]:
    keys: dict[bytes, SealingKey] = {}
    for row, value in wrapped:
        try:
            one = keyring.unwrap(row, value)
        except DataLoss:
            continue  # its records are counted one by one
        keys[one.header] = one
    return keys


def verify(file: Path, key_file: Path | None) -> Manifest:
    """Reads a backup from end to end and opens every record with the key, if one is named; returns what it says.

    Raises StartupError saying what is wrong: the file, the key, or the records.
    """
    with Archive(file) as archive:
        marker = parse_marker(archive.marker, file)
        if key_file is None:
            for _ in archive.records():
                pass
        else:
            _check_open(archive, unlock(key_file, marker, file))
        return archive.manifest


def _check_open(archive: Archive, keyring: Keyring) -> None:
    closed = closed_records(archive, keyring)
    if closed:
        raise StartupError(
            f"{closed} of {archive.manifest.records} records of {archive.path} cannot be opened with the key.",
            hint="Take another backup; --without-key-check passes over it.",
            exit_code=DAMAGED,
        )


def restore(file: Path, target: Path, key_file: Path | None) -> Manifest:
    """Makes the data folder `target`, new or empty, from a backup; returns what the backup says of itself.

    Everything is verified as by `verify` before anything is written. The marker comes last, so that a restore that is
    killed leaves no data folder; the next one clears what it left. Raises StartupError.
    """
    manifest = verify(file, key_file)
    target = Path(os.path.abspath(target))
    if key_file is not None:
        check_outside(target, Path(os.path.abspath(key_file)))
    made = not target.exists()
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with Archive(file) as archive, locked(target):
            if (target / MARKER).exists():
                raise StartupError(
                    f"{target} is a data folder already; a restore replaces none.",
                    hint="alejo restore --to a new or empty folder, or move this one away.",
                    exit_code=CANNOT_CREATE,
                )
            _clear(target)
            check_empty(target)
            _build(archive, target)
    except OSError as error:
        raise StartupError(
            f"The data folder {target} cannot be made: {error.strerror}.",
            hint="Restore --to a folder that you may write, on a local disk with room.",
            exit_code=CANNOT_CREATE,
        ) from None
    finally:
        if made and target.is_dir() and not any(target.iterdir()):
            target.rmdir()
    return manifest


def _build(archive: Archive, target: Path) -> None:
    place = target / f"{TEMPORARY}-restore"
    place.mkdir(mode=0o700)
    try:
        snapshot.build(place / "records", archive.records(), archive.size)
        digest = hashlib.sha256()
        for row in _framed(snapshot.records(place / "records")):
            digest.update(row)
        if digest.hexdigest() != archive.manifest.members[_RECORDS].sha256:
            raise OSError(errno.EIO, "what was written reads otherwise")
        (place / "records").rename(target / "records")
        for name, content in archive.files.items():
            write_new(target / name, content)
        sync(target)
        write_new(target / MARKER, archive.marker)
    except BaseException:
        _clear(target)
        raise
    place.rmdir()


def _clear(target: Path) -> None:
    """Removes what a restore left that did not get as far as the marker."""
    place = target / f"{TEMPORARY}-restore"
    if place.is_dir() and not (target / MARKER).exists():
        shutil.rmtree(target / "records", ignore_errors=True)
        for name in BESIDE:
            (target / name).unlink(missing_ok=True)
        shutil.rmtree(place)
