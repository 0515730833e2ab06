"""The embedding that needs no download: a table of tokens in this folder. Its README says where it comes from."""

from __future__ import annotations

import functools
from hashlib import blake2b
from pathlib import Path

from alejo._core import StaticEmbedder

__all__ = ["SHIPPED", "shipped", "table_name"]

SHIPPED = Path(__file__).parent


@functools.cache
def shipped() -> StaticEmbedder:
    """The embedder of the table that ships with the package; 256 dimensions, English."""
    return StaticEmbedder(SHIPPED)


@functools.cache
def table_name() -> str:
    """What tells this table from any other: a hash over it."""
    digest = blake2b(digest_size=8)
    for name in ("table.safetensors", "vocab.txt"):
        digest.update((SHIPPED / name).read_bytes())
    return f"shipped {digest.hexdigest()}"
