"""What language models are asked and what they answer: frozen values, the same for every protocol.

Also what a model that can be fine-tuned is told of it.
"""

from __future__ import annotations

from typing import Any

from alejo.types import Image, Role, Value


class ToolSpec(Value, frozen=True):
    """Something a model may ask to have done: mostly a command. `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: dict[str, Any]


class ToolCall(Value, frozen=True):
    """A model asks for a tool. `arguments` is JSON as the model wrote it, which may fit no schema."""

    id: str
    name: str
    arguments: str


class Prompt(Value, frozen=True):
    """One message to a model, or of it. `calls` are those it made; `call_id` says which one a TOOL message answers."""

    role: Role
    text: str = ""
    images: tuple[Image, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""


class ModelRequest(Value, frozen=True):
    """What a model is asked. An empty `model` leaves the choice to the host; 0 tokens leave it to the settings.

    With `schema` the answer is JSON that fits it. `seconds` is the time there is, 0 for that of the settings. `id`
    stays the same when the same request is sent again.
    """

    prompts: tuple[Prompt, ...]
    model: str = ""
    tools: tuple[ToolSpec, ...] = ()
    schema: dict[str, Any] | None = None
    max_tokens: int = 0
    temperature: float | None = None
    seconds: float = 0.0
    id: str = ""


class ModelEnd(Value, frozen=True):
    """How a completion ended. `reason` is "stop", "length", "calls" or "refused"; tokens are as the provider counts.

    `cached_tokens` is the part of the input that cost it less.
    """

    model: str
    reason: str = "stop"
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


class ModelEvent(Value, frozen=True):
    """A step of a completion: a piece of text, a tool call, or, last of all, the end."""

    text: str = ""
    call: ToolCall | None = None
    end: ModelEnd | None = None


class Endpoint(Value, frozen=True):
    """Where a provider's models are asked, with the key, if there is one.

    `embedding` is the model that embeds, `tuning` the one that is fine-tuned, each empty where none shall.
    """

    url: str = ""
    key: str = ""
    embedding: str = ""
    tuning: str = ""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Endpoint({self.url!r})"


class TuningDraft(Value, frozen=True):
    """A fine-tuning job to begin: the model, the files of examples, and a name for what comes of it.

    `id` tells the job from any other: one that was begun under it is not begun again.
    """

    model: str
    training_file: str
    validation_file: str = ""
    suffix: str = ""
    id: str = ""


class Tuning(Value, frozen=True):
    """A fine-tuning job. `state` is "queued", "running", "succeeded", "failed" or "cancelled".

    `result` is the model's name once there is one, `error` why there is none; `metrics` are the last that were told.
    """

    id: str
    state: str
    model: str = ""
    result: str = ""
    error: str = ""
    trained_tokens: int = 0
    metrics: dict[str, float] = {}


class TuningEvent(Value, frozen=True):
    """Something that happened in a job; `at` is in µs."""

    id: str
    at: int
    level: str
    text: str
    metrics: dict[str, float] = {}
