"""What turns texts into vectors: the table that ships with the package, or a plugin in its place.

The table's vectors are there at once. A plugin may be slow, far away or down: its vectors are made in the background,
many at a time, and until then a memory is found by words alone.
"""

from __future__ import annotations

import math
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

import structlog

from alejo._core import StaticEmbedder
from alejo.cache import Namespace, Vault
from alejo.embedding import table_name
from alejo.errors import PluginFailed
from alejo.plugins import PluginHost, Slot, cleared, stands
from alejo.types import EmbeddingModel

BATCH = 64
_MOST_DIMENSIONS = 8192
_WAITING = 1024  # queries whose vectors are kept ready


class Embedder(Protocol):
    """One user's. `name` tells the model from any other."""

    name: str
    dimensions: int
    later: bool  # whether vectors come later

    def embed(self, text: str, known: str) -> bytes | None:
        """The vector of a text, of which `known` is what the table can read; None if there is none, or none yet."""
        ...


class TableEmbedder:
    """The table. What it makes is not kept: making it is quicker than looking for it."""

    later = False

    def __init__(self, table: StaticEmbedder) -> None:
        self.name = table_name()
        self.dimensions = table.dimensions
        self._table = table

    def embed(self, text: str, known: str) -> bytes | None:
        """The vector of what the table knows of a text."""
        return self._table.embed(known) if known else None


class PluginEmbedder:
    """A plugin's model, for one user. `fetch` makes vectors; `embed` gives those of queries that are ready."""

    later = True

    def __init__(self, plugins: PluginHost, slot: Slot, model: EmbeddingModel, kept: Namespace) -> None:
        self._kept = kept
        self.slot = slot
        self.name = f"plugin {model.name}"
        self.dimensions = model.dimensions
        self.vault: Vault | None = None  # until the user has a data key
        self._plugins = plugins
        self._ready: OrderedDict[str, bytes] = OrderedDict()

    def embed(self, text: str, known: str) -> bytes | None:
        """The vector of a text that was fetched."""
        return self._ready.get(text)

    async def fetch(self, texts: Sequence[str]) -> list[bytes | None]:
        """The vectors of texts, of length 1; None where a text means nothing. Raises PluginFailed."""
        found: dict[str, bytes | None] = {}
        since = 0
        if self.vault is not None:
            for text in texts:
                found[text], since = self._kept.find(self.vault, self._key(text))
        wanted = [text for text in dict.fromkeys(texts) if text.strip() and not found.get(text)]
        if wanted:
            for text, vector in zip(wanted, await self._make(wanted), strict=True):
                found[text] = vector
                if vector is not None and self.vault is not None:
                    self._kept.keep(self.vault, self._key(text), vector, since)
        return [found.get(text) for text in texts]

    async def _make(self, texts: Sequence[str]) -> list[bytes | None]:
        slot = self._plugins.one("embedder")
        if slot is None:
            raise PluginFailed("", "embedder", "vacant")
        destination = stands(slot.object)
        told = [await cleared(self._plugins, text, destination) for text in texts]
        made = await self._plugins.call(slot, "embed", told)
        if len(made) != len(texts):
            raise _rejected(slot, f"it made {len(made)} vectors of {len(texts)} texts")
        return [self._checked(slot, vector) for vector in made]

    def _key(self, text: str) -> str:
        return blake2b(f"{self.name} {text}".encode(), digest_size=16).hexdigest()

    async def ready(self, text: str) -> None:
        """Fetches the vector of a query, for `embed`. Raises PluginFailed."""
        if text not in self._ready:
            (vector,) = await self.fetch([text])
            if vector is not None:
                self._ready[text] = vector
                if len(self._ready) > _WAITING:
                    self._ready.popitem(last=False)

    def _checked(self, slot: Slot, vector: bytes) -> bytes | None:
        """The vector at length 1, or None for one of no length. Raises PluginFailed for what the model cannot make."""
        if len(vector) != 4 * self.dimensions:
            raise _rejected(slot, f"a vector has {len(vector)} bytes, not 4 for each of {self.dimensions} numbers")
        numbers = array("f", vector)
        length = math.hypot(*numbers)
        if not math.isfinite(length):
            raise _rejected(slot, "a vector holds what is no number, or too large a one")
        return array("f", [number / length for number in numbers]).tobytes() if length else None


async def model_of(plugins: PluginHost, slot: Slot) -> EmbeddingModel:
    """The model of a plugin that embeds. Raises PluginFailed if it has none that can be used."""
    model: EmbeddingModel = await plugins.call(slot, "model")
    if not model.name or not 1 <= model.dimensions <= _MOST_DIMENSIONS:
        raise _rejected(slot, f"its model has no name, or not 1 to {_MOST_DIMENSIONS:,} dimensions")
    return model


def _rejected(slot: Slot, why: str) -> PluginFailed:
    """The error for an answer that cannot be used, which the log explains: never by a text."""
    structlog.get_logger().warning("embedder_rejected", plugin=slot.plugin, why=why)
    return PluginFailed(slot.plugin, "embedder", "rejected")
