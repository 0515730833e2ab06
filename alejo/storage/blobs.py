"""One large value for each user that can be made again, in a file beside the records.

A file is sealed (AES-256-GCM) with a random key of its own. That key is only in a row of the user, sealed like every
row: whoever replaces the row in a batch, by `withdraw`, makes the file unreadable in that very commit, in every process
and whatever becomes of the file. A value counts only if its row did not change while it was made and written.

Files are never synced: one that is torn, cut or altered does not open and is taken for none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag

from alejo.errors import Conflict, DataLoss, StorageFull, Unavailable
from alejo.storage.keyring import HEADER_BYTES, KEY_BYTES, NONCE_BYTES, SealingKey
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import BLOBS, Blob
from alejo.types import Scope

_KEY = b"\0"
_PLACE = "blob"
_CHUNK = 1 << 20
_SEALED = HEADER_BYTES + NONCE_BYTES + 16  # bytes that sealing adds to a chunk


def withdraw(writer: Writer) -> None:
    """Makes the user's value unreadable with this batch, and any that is being made now."""
    writer.put(BLOBS, _KEY, Blob())


class Blobs:
    """The files of one folder."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    async def seen(self, scope: Scope) -> int | None:
        """What `write` is to be told: asked for before what the value is made of is read."""
        row = await self._row(scope)
        return None if row is None else row.version

    async def holds(self, scope: Scope) -> bool:
        """Whether a user has a value that was not withdrawn."""
        row = await self._row(scope)
        return row is not None and bool(row.value.file)

    async def read(self, scope: Scope) -> tuple[str, list[bytes]] | None:
        """A user's value, the note it was written with and its parts; None if there is none that can be read."""
        row = await self._row(scope)
        if row is None or not row.value.file:
            return None
        parts = await asyncio.to_thread(_read, self._folder / row.value.file, row.value)
        return None if parts is None else (row.value.note, parts)

    async def write(self, scope: Scope, note: str, parts: Sequence[bytes], seen: int | None) -> bool:
        """Keeps a value in the place of the one before; False if that was withdrawn or replaced since `seen`.

        Also False where the disk will not have it. Raises what a commit raises, but for these.
        """
        vault = await self._store.vault(scope)
        if vault is None:
            return False
        blob = Blob(
            f"{vault.name}-{secrets.token_hex(8)}", os.urandom(KEY_BYTES), tuple(len(part) for part in parts), note
        )
        path = self._folder / blob.file
        try:
            await asyncio.to_thread(_write, path, blob, parts)
            writer = await self._store.writer(scope)
            writer.expect(BLOBS, _KEY, seen)
            writer.put(BLOBS, _KEY, blob)
            await writer.commit()
        except (Conflict, OSError, StorageFull, Unavailable):
            _unlink(path)
            return False
        except BaseException:
            _unlink(path)
            raise
        await self.discard(scope, but=blob.file)
        return True

    async def discard(self, scope: Scope, *, but: str = "") -> None:
        """Deletes a user's files, but for one. What they are sealed with is for their row to lose."""
        vault = await self._store.vault(scope)
        if vault is not None:
            await asyncio.to_thread(_discard, self._folder, vault.name, but)

    async def sweep(self) -> None:
        """Deletes the files of users who have no data key any more."""
        names = await asyncio.to_thread(_names, self._folder)
        for name in names:
            if await self._store.vault_of(name) is None:
                await asyncio.to_thread(_discard, self._folder, name, "")

    async def _row(self, scope: Scope) -> Row[Blob] | None:
        try:
            return await self._store.get(scope, BLOBS, _KEY)
        except DataLoss:
            return None


def _names(folder: Path) -> set[str]:
    try:
        return {path.name.partition("-")[0] for path in folder.iterdir()}
    except FileNotFoundError:
        return set()


def _discard(folder: Path, name: str, but: str) -> None:
    for path in folder.glob(f"{name}-*"):
        if path.name != but:
            _unlink(path)


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _bound(part: int, start: int, size: int) -> bytes:
    """What binds a chunk to its place in its part, and to that part's size."""
    return b"".join(number.to_bytes(8, "big") for number in (part, start, size))


def _write(path: Path, blob: Blob, parts: Sequence[bytes]) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    key = SealingKey(blob.secret, 1)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for number, part in enumerate(parts):
            for start in range(0, len(part), _CHUNK):
                chunk = part[start : start + _CHUNK]
                file.write(key.seal(_PLACE, chunk, _bound(number, start, len(part))))


def _read(path: Path, blob: Blob) -> list[bytes] | None:
    key = SealingKey(blob.secret, 1)
    try:
        with path.open("rb") as file:
            parts = []
            for number, size in enumerate(blob.sizes):
                chunks = []
                for start in range(0, size, _CHUNK):
                    sealed = file.read(min(_CHUNK, size - start) + _SEALED)
                    chunks.append(key.open(_PLACE, sealed, _bound(number, start, size)))
                parts.append(b"".join(chunks))
            return parts
    except (OSError, InvalidTag, ValueError):
        return None
