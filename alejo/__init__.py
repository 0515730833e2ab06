"""ALEJO: the memory and the mind behind any assistant.

async with alejo.open("./data") as assistant:
    answer = await assistant.chat("My dog is called Luna.")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alejo._core import NgramHasher, PhraseFinder, SparseVector, StaticEmbedder, TokenNet, blend
    from alejo.app import Assistant
    from alejo.app import open_assistant as open  # noqa: A004 - the library's one verb
    from alejo.embedding import shipped as shipped_table
    from alejo.hooks import hookimpl
    from alejo.types import Scope

__version__ = "0.1.0.dev0"
__all__ = [
    "Assistant",
    "NgramHasher",
    "PhraseFinder",
    "Scope",
    "SparseVector",
    "StaticEmbedder",
    "TokenNet",
    "blend",
    "hookimpl",
    "open",
    "shipped_table",
]

_PLACES = {
    "Assistant": ("alejo.app", "Assistant"),
    "NgramHasher": ("alejo._core", "NgramHasher"),
    "PhraseFinder": ("alejo._core", "PhraseFinder"),
    "Scope": ("alejo.types", "Scope"),
    "SparseVector": ("alejo._core", "SparseVector"),
    "StaticEmbedder": ("alejo._core", "StaticEmbedder"),
    "TokenNet": ("alejo._core", "TokenNet"),
    "blend": ("alejo._core", "blend"),
    "hookimpl": ("alejo.hooks", "hookimpl"),
    "open": ("alejo.app", "open_assistant"),
    "shipped_table": ("alejo.embedding", "shipped"),
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: `import alejo` alone loads nothing heavy (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module 'alejo' has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - only when a name is asked for

    module, attribute = _PLACES[name]
    value = globals()[name] = getattr(importlib.import_module(module), attribute)
    return value
