"""Answers without a model, and with one where it is configured; speaks to models; interprets commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alejo.completions import Endpoint
from alejo.hooks import hookimpl
from alejo.roles import Brain, Command, Drive, Embedder, LanguageModel, Learner

from .anthropic import Anthropic
from .commands import COMMANDS
from .drives import OpenTopics
from .extracting import scales
from .mind import Mind
from .openai import OpenAI, OpenAIEmbedder
from .speaking import Voice
from .tongues import tongues
from .tuning import FineTuner

__all__ = [
    "Anthropic",
    "FineTuner",
    "Mind",
    "OpenAI",
    "OpenAIEmbedder",
    "OpenTopics",
    "Voice",
    "alejo_register_brain",
    "alejo_register_commands",
    "alejo_register_drives",
    "alejo_register_embedder",
    "alejo_register_language_models",
    "alejo_register_learners",
]


@hookimpl
def alejo_register_brain(settings: dict[str, Any]) -> Brain:
    """What answers; it has no settings. Its languages and weights are read now, so that no turn waits for them."""
    tongues()
    scales()
    return Voice()


@hookimpl
def alejo_register_commands(settings: dict[str, Any]) -> Sequence[Command]:
    """Remember, recall, forget, list, help and time, for any brain to run."""
    return COMMANDS


@hookimpl
def alejo_register_language_models(endpoints: Mapping[str, Endpoint]) -> Sequence[LanguageModel]:
    """The OpenAI API, which many servers speak, and Anthropic's."""
    return [OpenAI(endpoints["openai"]), Anthropic(endpoints["anthropic"])]


@hookimpl
def alejo_register_embedder(endpoints: Mapping[str, Endpoint]) -> Embedder | None:
    """The embeddings of the OpenAI API, where a model for them is named."""
    return OpenAIEmbedder(endpoints["openai"]) if endpoints["openai"].embedding else None


@hookimpl
def alejo_register_learners(endpoints: Mapping[str, Endpoint]) -> Sequence[Learner]:
    """What fine-tunes a model for each user, where one is named for it."""
    openai = endpoints["openai"]
    return [FineTuner(OpenAI(openai), openai.tuning)] if openai.tuning else []


@hookimpl
def alejo_register_drives() -> Sequence[Drive]:
    """What comes back to open questions and to what is due."""
    return (OpenTopics(),)
