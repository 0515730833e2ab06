"""What enters each layer of memory, how much of it and for how long: the policy, as data.

The memory plugin judges in which layer a memory begins and how much it matters by its words; what follows from how it
was said, and what becomes of it, is reckoned here from the settings `memory.layers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from alejo.errors import StartupError
from alejo.types import Layer, Memory

if TYPE_CHECKING:
    from alejo.settings import Settings

DAY = 86_400 * 1_000_000
SUMMARY = "summary"  # the kind of what stands for what left the hot layers
_CONFIGURATION = 78  # EX_CONFIG of sysexits(3)


class Signals(msgspec.Struct, frozen=True):
    """How something was said, each from 0 to 1 but for `times`: how often it was said.

    `emotion` is the strength of what was felt in its turn; `surprise` how far it is from all that was known, or
    how little was expected what its turn recalled; `wished` whether somebody asked to have it remembered.
    """

    emotion: float = 0.0
    surprise: float = 0.0
    times: int = 1
    wished: bool = False


class Layers(msgspec.Struct, frozen=True):
    """The policy. See the settings of these names; days are of 24 hours."""

    immediate_messages: int = 10
    immediate_idle_seconds: float = 300.0
    working_items: int = 100
    episodic_days: float = 30.0
    important: float = 0.8
    emotion_weight: float = 0.2
    surprise_weight: float = 0.1
    repetition_weight: float = 0.2
    wish_weight: float = 0.2
    merge: bool = True
    summary_characters: int = 600
    forget_archived_days: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Layers:
        """The policy that is set. Raises StartupError for a number that cannot be meant."""
        values = {name: settings[f"memory.layers.{name}"] for name in cls.__struct_fields__}
        least = {"immediate_messages": 1, "working_items": 1, "summary_characters": 80}
        for name, value in values.items():
            if not least.get(name, 0) <= value < float("inf"):
                raise StartupError(
                    f"memory.layers.{name} must be {least.get(name, 0)} or more, not {value}.",
                    hint="alejo config show",
                    exit_code=_CONFIGURATION,
                )
        return cls(**values)

    def importance(self, base: float, signals: Signals) -> float:
        """How much a memory matters, 0 to 1: what its words count, and the weight of every signal."""
        found = (
            self.emotion_weight * signals.emotion
            + self.surprise_weight * signals.surprise
            + self.repetition_weight * (1 - 1 / max(signals.times, 1))
            + self.wish_weight * signals.wished
        )
        return round(min(1.0, base + found), 3)

    def lasts(self, memory: Memory, recalled: int) -> bool:
        """Whether a memory stays where it is however old it gets: a fact, pinned, important, or recalled."""
        return (
            memory.layer in (Layer.SEMANTIC, Layer.PROCEDURAL)
            or memory.pinned
            or memory.fact is not None
            or memory.kind == SUMMARY
            or memory.importance >= self.important
            or recalled > 0
        )
