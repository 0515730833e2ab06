"""Memories: remembered, found, put into a context, changed, forgotten.

The host owns the mechanism in here; what to keep and how to look for it is the memory plugin's judgement.
"""

from __future__ import annotations

from alejo.memory.context import Material, estimate_tokens
from alejo.memory.correcting import Correcting
from alejo.memory.facts import Facts
from alejo.memory.forgetting import Asked
from alejo.memory.lines import quoted
from alejo.memory.memories import Memories

__all__ = ["Asked", "Correcting", "Facts", "Material", "Memories", "estimate_tokens", "quoted"]
