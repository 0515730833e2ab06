"""The hooks a plugin may implement. Each is called once, when the plugin is loaded, and returns objects of a role."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import pluggy

from alejo.completions import Endpoint
from alejo.roles import (
    Brain,
    Command,
    Conscience,
    Drive,
    Embedder,
    EmotionModel,
    LanguageModel,
    Learner,
    MemoryStrategy,
    Observer,
    Reflector,
    Vision,
)

if TYPE_CHECKING:
    from alejo.storage import Storage

PROJECT = "alejo"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Specs:
    """The signatures. `settings` is an object of the declared schema, else the plugin's own section of alejo.toml.

    `endpoints` is where the settings model.* say that models are asked, by the name of the provider.
    """

    @hookspec
    def alejo_register_settings(self) -> type[msgspec.Struct]:
        """Returns the schema of the plugin's settings, a msgspec.Struct; called before the other hooks."""
        raise NotImplementedError

    @hookspec
    def alejo_register_brain(self, settings: Any) -> Brain:
        """Returns what answers."""
        raise NotImplementedError

    @hookspec
    def alejo_register_commands(self, settings: Any) -> Sequence[Command]:
        """Returns commands the brain may run."""
        raise NotImplementedError

    @hookspec
    def alejo_register_emotion(self, settings: Any) -> EmotionModel:
        """Returns what feels."""
        raise NotImplementedError

    @hookspec
    def alejo_register_conscience(self, settings: Any) -> Conscience:
        """Returns what judges requests, commands and answers."""
        raise NotImplementedError

    @hookspec
    def alejo_register_vision(self, settings: Any) -> Vision:
        """Returns what sees."""
        raise NotImplementedError

    @hookspec
    def alejo_register_embedder(self, settings: Any, endpoints: Mapping[str, Endpoint]) -> Embedder:
        """Returns what turns texts into vectors, in place of the table that ships with the package."""
        raise NotImplementedError

    @hookspec
    def alejo_register_language_models(
        self, settings: Any, endpoints: Mapping[str, Endpoint]
    ) -> Sequence[LanguageModel]:
        """Returns what asks language models, one for each provider."""
        raise NotImplementedError

    @hookspec
    def alejo_register_memory(self, settings: Any) -> MemoryStrategy:
        """Returns what judges memories."""
        raise NotImplementedError

    @hookspec
    def alejo_register_learners(self, settings: Any, endpoints: Mapping[str, Endpoint]) -> Sequence[Learner]:
        """Returns what learns from sessions that have ended."""
        raise NotImplementedError

    @hookspec
    def alejo_register_reflectors(self, settings: Any) -> Sequence[Reflector]:
        """Returns what reflects on what was said, each by its own name."""
        raise NotImplementedError

    @hookspec
    def alejo_register_drives(self, settings: Any) -> Sequence[Drive]:
        """Returns what wants something to be attended to, each by its own name."""
        raise NotImplementedError

    @hookspec
    def alejo_register_observers(self, settings: Any) -> Sequence[Observer]:
        """Returns what wants to hear of events."""
        raise NotImplementedError

    @hookspec
    def alejo_register_storage(self, settings: Any) -> dict[str, Callable[[str], Storage]]:
        """Returns openers of storage backends by URL scheme."""
        raise NotImplementedError
