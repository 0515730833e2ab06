"""The embedding that needs no download: a table of tokens in this folder. Its README says where it comes from."""

from __future__ import annotations

from pathlib import Path

from alejo._core import StaticEmbedder

__all__ = ["SHIPPED", "shipped"]

SHIPPED = Path(__file__).parent


def shipped() -> StaticEmbedder:
    """The embedder of the table that ships with the package; 256 dimensions, English."""
    return StaticEmbedder(SHIPPED)
