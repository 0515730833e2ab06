"""Judges what to keep of a message, where it belongs, how to look for it, and what follows from what was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from alejo.hooks import hookimpl
from alejo.roles import Drive, Learner, MemoryStrategy, Reflector

from .drives import Contradictions
from .episodes import Episodic
from .modelled import Modelled
from .procedures import Procedural
from .ranking import Ranking
from .semantic import Semantic
from .strategy import Judgement

__all__ = [
    "Contradictions",
    "Episodic",
    "Judgement",
    "Procedural",
    "Ranking",
    "Semantic",
    "Settings",
    "alejo_register_drives",
    "alejo_register_learners",
    "alejo_register_memory",
    "alejo_register_reflectors",
    "alejo_register_settings",
]

Weight = Annotated[float, msgspec.Meta(ge=-100, le=100)]


class Settings(msgspec.Struct):
    """What [plugin.memory] may say."""

    weights: Annotated[
        dict[str, Weight], msgspec.Meta(description="What replaces single weights of evidence, by its name.")
    ] = {}


@hookimpl
def alejo_register_settings() -> type[Settings]:
    """The schema of its settings."""
    return Settings


@hookimpl
def alejo_register_memory(settings: Settings) -> MemoryStrategy:
    """The strategy."""
    return Judgement(settings.weights)


@hookimpl
def alejo_register_reflectors() -> Sequence[Reflector]:
    """What becomes of what was said: episodes, facts, procedures."""
    return Modelled(Episodic()), Modelled(Semantic()), Modelled(Procedural())


@hookimpl
def alejo_register_learners() -> Sequence[Learner]:
    """What learns from feedback how to weigh."""
    return (Ranking(),)


@hookimpl
def alejo_register_drives() -> Sequence[Drive]:
    """What wants facts looked at that contradict each other."""
    return (Contradictions(),)
