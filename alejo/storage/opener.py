"""Opens a storage by its URL: `lmdb:/absolute/path`, `files:/absolute/path`, and what plugins register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from alejo.errors import StartupError

from . import Storage
from .files import OWN, FilesStorage
from .folder import Folder
from .keyring import Keyring
from .lmdb import LmdbStorage
from .relayed import Relayed
from .store import Store


def open_storage(
    url: str,
    openers: Mapping[str, Callable[[str], Storage]],
    *,
    map_size: int = 1 << 30,
    max_size: int = 64 << 30,
) -> Storage:
    """Opens `url` with the opener of its scheme; sizes in bytes are for `lmdb:`. Raises StartupError."""
    scheme, _, _ = url.partition(":")
    if scheme == "lmdb":
        return open_lmdb(url, map_size=map_size, max_size=max_size)
    if scheme == "files":
        return open_files(url)
    if scheme in openers:
        return openers[scheme](url)
    known = ", ".join(f"{name}:" for name in sorted({"files", "lmdb", *openers}))
    raise StartupError(
        f'No storage is known by the scheme "{scheme}:".',
        hint=f"Known are {known}. Install the plugin that brings it, or change data.storage.",
        exit_code=78,  # EX_CONFIG of sysexits(3)
    )


def open_lmdb(url: str, *, map_size: int = 1 << 30, max_size: int = 64 << 30) -> LmdbStorage:
    """Opens `lmdb:/absolute/path`; sizes in bytes. Raises StartupError."""
    return LmdbStorage.open(lmdb_path(url), map_size=map_size, max_size=max_size)


def open_files(url: str) -> FilesStorage:
    """Opens `files:/absolute/path`. Raises StartupError."""
    return FilesStorage.open(_path(url, "files"))


async def open_store(
    folder: Folder,
    url: str,
    openers: Mapping[str, Callable[[str], Storage]],
    *,
    map_size: int,
    max_size: int,
    relayed: Relayed | None = None,
) -> tuple[Storage, Store]:
    """Opens the storage of a data folder by its URL, and the store over it: plain over `files:`, sealed over any other.

    In `files:`, users whose folders people brought are known from now on. With `relayed` the store is over that, and
    that over the storage. Raises StartupError.
    """
    _check_kind(folder, url)
    storage = open_storage(url, openers, map_size=map_size, max_size=max_size)
    over = storage if relayed is None else relayed.over(storage)
    if not isinstance(storage, FilesStorage):
        return storage, Store(over, folder.keyring)
    store = Store(over, folder.keyring, plain=True)
    try:
        await _know(storage, store, folder.keyring)
    except BaseException:
        await storage.close()
        raise
    return storage, store


async def _know(storage: FilesStorage, store: Store, keyring: Keyring) -> None:
    if any(keyring.prefix(scope) != prefix for prefix, scope in storage.users.items()):
        raise StartupError(
            f"The log in {storage.root} belongs to another master key.",
            hint=f"Set data.key_file to that key; or remove {storage.root / OWN}: what stands in users/ is taken anew.",
            exit_code=78,
        )
    for scope in storage.strangers:
        await store.writer(scope)
    await storage.look()


def _check_kind(folder: Folder, url: str) -> None:
    """Refuses a data folder that keeps its records in another way. Raises StartupError."""
    scheme, _, path = url.partition(":")
    if scheme == "lmdb" and (folder.path / OWN).exists() and unquote(path) == str(folder.records_path):
        raise StartupError(
            f"{folder.path} keeps its records as files.", hint=f"Name it as files:{folder.path}.", exit_code=78
        )
    if scheme == "files" and folder.records_path.exists() and unquote(path) == str(folder.path):
        raise StartupError(
            f"{folder.path} keeps its records sealed, not as files.",
            hint="Name a new folder after files:, or this one without.",
            exit_code=78,
        )


def lmdb_path(url: str) -> Path:
    """The folder that `lmdb:/absolute/path` names. Raises StartupError."""
    return _path(url, "lmdb")


def _path(url: str, scheme: str) -> Path:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.scheme != scheme or parts.netloc or not path.is_absolute():
        raise StartupError(
            "The storage URL names no absolute path.",
            hint=f"Write data.storage as {scheme}:/absolute/path, with one slash.",
            exit_code=78,
        )
    return path
