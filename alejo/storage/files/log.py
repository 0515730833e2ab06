"""The log: a line for every batch, and the moment a line is on the disk its batch is committed.

    ["CHECKSUM", SEQUENCE, BASE, SETTLED, ROWS]

CHECKSUM is the CRC-32 of what follows it, in hexadecimal. BASE is the sequence that was on the disk when the line was
written: so a torn end, which nobody was told of, can be told from a damage before it. Names of files that went away by
SETTLED are off the disk. A row is a table, a key in hexadecimal, and:

    nothing             the record is deleted
    text                its value in base64
    files, what else    where its value is: path and digest of each file, and what they do not tell
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from alejo.errors import StartupError
from alejo.storage.disk import NO_ROOM, sync

DAMAGED = 74  # EX_IOERR of sysexits(3)
_RESERVE = 256 << 10  # bytes kept for batches that only delete
_HEAD = 12  # ["01234567",
_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(tuple[str, int, int, int, list[list[Any]]]).decode

File = tuple[str, str]  # path and digest


class Files(NamedTuple):
    """Where a record's value is if it is in files, and what of it they do not tell."""

    files: tuple[File, ...]
    given: dict[str, Any] = {}


class Entry(NamedTuple):
    """What a batch did to one record: its value in the log, its files, or neither if it is deleted."""

    table: str
    key: bytes
    value: bytes | None = None
    files: Files | None = None


class Line(NamedTuple):
    """A batch."""

    sequence: int
    base: int
    settled: int
    entries: list[Entry]


class Log:
    """The log's file. It is used by one thread at a time, which holds the lock of the folder."""

    def __init__(self, path: Path) -> None:
        """Opens or makes it. Raises OSError."""
        self.path = path
        self._reserve = path.with_name("reserve")
        self._file = -1
        self._inode = 0
        self.end = 0  # of what is read or written
        self.sequence = 0
        self._open()

    def _open(self) -> None:
        new = not self.path.exists()
        self.close()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if new:
            os.fsync(self._file)
            sync(self.path.parent)
        self._inode = os.fstat(self._file).st_ino
        self.end = self.sequence = 0

    def close(self) -> None:
        """Closes it. May be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def behind(self) -> bool:
        """Whether another process has written; needs no lock."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return True
        return status.st_size != self.end or status.st_ino != self._inode

    def replaced(self) -> bool:
        """Whether another process has compacted the log; then it is open anew, to be read from its beginning."""
        try:
            same = os.stat(self.path).st_ino == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            self._open()
        return not same

    def read(self) -> list[Line]:
        """The lines that were added. Raises StartupError if one that was whole is damaged."""
        content = _read(self._file, self.end)
        lines: list[Line] = []
        start = 0
        while (stop := content.find(b"\n", start)) >= 0:
            line = _line(content[start:stop])
            if line is None:
                self._check_torn(content[stop + 1 :])
                break
            lines.append(line)
            start = stop + 1
            self.sequence = line.sequence
        self.end += start
        return lines

    def _check_torn(self, rest: bytes) -> None:
        """Accepts lines that cannot be read at the end, as the same write left them; not before one of a later."""
        for line in map(_line, rest.split(b"\n")):
            if line is not None and line.base > self.sequence:
                raise StartupError(
                    f"The log {self.path} is damaged behind batch {self.sequence}.",
                    hint="Restore it from a copy; or move the folder .alejo away: what stands in users/ is taken anew.",
                    exit_code=DAMAGED,
                )

    def append(self, lines: Iterable[Line], *, reserve: bool) -> None:
        """Adds lines and syncs. `reserve`: on the room that is kept for deletes, if there is no other.

        Raises OSError: where `errno` is of NO_ROOM nothing is kept, and otherwise nobody knows.
        """
        lines = list(lines)
        content = b"".join(map(_written, lines))
        os.ftruncate(self._file, self.end)  # a torn end
        if not reserve:
            self._keep_room()
        try:
            _write(self._file, content, self.end)
        except OSError as error:
            os.ftruncate(self._file, self.end)
            if error.errno not in NO_ROOM or not reserve or not self._reserve.exists():
                raise
            self._reserve.unlink()
            _write(self._file, content, self.end)
        try:
            os.fdatasync(self._file)
        except OSError as error:  # whatever the reason, what is on the disk is not known
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self.end)
            raise OSError(errno.EIO, "the log cannot be synced") from error
        self.end += len(content)
        self.sequence = lines[-1].sequence

    def _keep_room(self) -> None:
        """Sees to the room for deletes before more is kept."""
        if self._reserve.exists():
            return
        temporary = self._reserve.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _RESERVE)
        except OSError:
            temporary.unlink()
            raise
        finally:
            os.close(descriptor)
        temporary.rename(self._reserve)

    def rewrite(self, lines: Iterable[Line], sequence: int) -> None:
        """Puts these lines in place of all; batches go on behind `sequence`. Raises OSError: then it is as it was."""
        temporary = self.path.with_suffix(".new")
        try:
            with temporary.open("wb") as file:
                os.fchmod(file.fileno(), 0o600)
                for line in lines:
                    file.write(_written(line))
                file.write(_written(Line(sequence, sequence, sequence, [])))
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self.path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync(self.path.parent)
        self._open()
        self.end = os.fstat(self._file).st_size
        self.sequence = sequence


def _read(descriptor: int, start: int) -> bytes:
    chunks = []
    while chunk := os.pread(descriptor, 1 << 24, start):
        chunks.append(chunk)
        start += len(chunk)
    return b"".join(chunks)


def _write(descriptor: int, content: bytes, start: int) -> None:
    view = memoryview(content)
    while view:
        done = os.pwrite(descriptor, view, start)
        view, start = view[done:], start + done


def _written(line: Line) -> bytes:
    body = _ENCODE([line.sequence, line.base, line.settled, [_row(entry) for entry in line.entries]])[1:]
    return b'["%08x",%b\n' % (zlib.crc32(body), body)


def _row(entry: Entry) -> list[Any]:
    row: list[Any] = [entry.table, entry.key.hex()]
    if entry.value is not None:
        row.append(base64.b64encode(entry.value).decode())
    elif entry.files is not None:
        row += entry.files
    return row


def _line(content: bytes) -> Line | None:
    """A line, or None if it is not one that was written whole."""
    if content[2 : _HEAD - 2] != b"%08x" % zlib.crc32(content[_HEAD:]):
        return None
    try:
        _, sequence, base, settled, rows = _DECODE(content)
        return Line(sequence, base, settled, list(_entries(rows)))
    except (msgspec.MsgspecError, ValueError, binascii.Error):
        return None


def _entries(rows: list[list[Any]]) -> Iterator[Entry]:
    for table, key, *rest in rows:
        place = bytes.fromhex(key)
        if not rest:
            yield Entry(table, place)
        elif isinstance(rest[0], str):
            yield Entry(table, place, base64.b64decode(rest[0], validate=True))
        else:
            yield Entry(table, place, None, Files(tuple((path, digest) for path, digest in rest[0]), rest[1]))
