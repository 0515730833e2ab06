"""Opens a storage by its URL: `lmdb:/absolute/path`, and what plugins register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from alejo.errors import StartupError

from . import Storage
from .lmdb import LmdbStorage


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
    if scheme in openers:
        return openers[scheme](url)
    known = ", ".join(f"{name}:" for name in sorted({"lmdb", *openers}))
    raise StartupError(
        f'No storage is known by the scheme "{scheme}:".',
        hint=f"Known are {known}. Install the plugin that brings it, or change data.storage.",
        exit_code=78,  # EX_CONFIG of sysexits(3)
    )


def open_lmdb(url: str, *, map_size: int = 1 << 30, max_size: int = 64 << 30) -> LmdbStorage:
    """Opens `lmdb:/absolute/path`; sizes in bytes. Raises StartupError."""
    return LmdbStorage.open(lmdb_path(url), map_size=map_size, max_size=max_size)


def lmdb_path(url: str) -> Path:
    """The folder that `lmdb:/absolute/path` names. Raises StartupError."""
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.scheme != "lmdb" or parts.netloc or not path.is_absolute():
        raise StartupError(
            "The storage URL names no absolute path.",
            hint="Write data.storage as lmdb:/absolute/path, with one slash.",
            exit_code=78,
        )
    return path
