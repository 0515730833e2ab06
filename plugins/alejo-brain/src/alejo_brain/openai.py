"""Language models over the OpenAI API, which many servers speak: chat, embeddings, files and fine-tuning."""

from __future__ import annotations

from array import array
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from time import monotonic
from typing import Any

import msgspec

from alejo.completions import (
    Endpoint,
    ModelEnd,
    ModelEvent,
    ModelRequest,
    Prompt,
    ToolCall,
    Tuning,
    TuningDraft,
    TuningEvent,
)
from alejo.errors import ModelFailed
from alejo.types import EmbeddingModel, Role

from .connection import Connection, Fault, decoded, fault, media_type

HOME = "https://api.openai.com/v1"
DEFAULT = "gpt-5-mini"  # its list has no order that says which one answers in a chat
_ROLES = {Role.USER: "user", Role.ASSISTANT: "assistant", Role.SYSTEM: "system", Role.TOOL: "tool"}
_ENDS = {"stop": "stop", "length": "length", "tool_calls": "calls", "content_filter": "refused"}
_STATES = {"validating_files": "queued", "queued": "queued", "running": "running", "paused": "running"}
_DONE = "[DONE]"
_MOST_CALLS = 32
_EVENTS = 100
_NAMED = frozenset({"properties", "$defs"})  # schemas by names that may be any
_LIMITS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "title"})
_EMBED_SECONDS = 4.0  # less than a call of a plugin may take unless that is set
_REST_SECONDS = 30.0


class _Name(msgspec.Struct):
    id: str


class _Names(msgspec.Struct):
    data: list[_Name]


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _CallPart(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function = msgspec.field(default_factory=_Function)


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_CallPart] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Cached(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Cached | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Fault | None = None


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]


class _File(msgspec.Struct):
    id: str
    filename: str = ""


class _Files(msgspec.Struct):
    data: list[_File]


class _Trouble(msgspec.Struct):
    code: str | None = None


class _Job(msgspec.Struct):
    id: str
    status: str
    model: str = ""
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    error: _Trouble | None = None


class _Jobs(msgspec.Struct):
    data: list[_Job]


class _Happened(msgspec.Struct):
    id: str
    created_at: int
    message: str = ""
    level: str = "info"
    data: dict[str, Any] | None = None


class _Events(msgspec.Struct):
    data: list[_Happened]


class OpenAI:
    """The models of one endpoint."""

    name = "openai"

    def __init__(self, endpoint: Endpoint) -> None:
        self._at_home = not endpoint.url
        key = f"Bearer {endpoint.key}" if endpoint.key else ""
        self._connection = Connection(endpoint.url or HOME, {"Authorization": key})
        self.here = self._connection.here

    async def models(self) -> Sequence[str]:
        """The models the endpoint lists; at OpenAI's own, a small one for chats first."""
        found = await self._connection.ask("GET", "/models", _Names)
        names = [each.id for each in found.data]
        return [DEFAULT, *names] if self._at_home else names

    async def complete(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer, piece by piece."""
        answer = _Answer(request.model)
        source = self._connection.events("/chat/completions", self._body(request), request.seconds, request.id)
        async with aclosing(source) as events:  # type: ignore[type-var]  # an async generator has aclose
            async for data in events:
                if data == _DONE:
                    break
                for event in answer.take(decoded(data, _Chunk)):
                    yield event
        for event in answer.end():
            yield event

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [_message(prompt) for prompt in request.prompts],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.max_tokens:  # other servers know the older word only
            body["max_completion_tokens" if self._at_home else "max_tokens"] = request.max_tokens
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": each.name, "description": each.description, "parameters": each.schema},
                }
                for each in request.tools
            ]
        if request.schema is not None:
            wanted = {"name": "answer", "schema": _plain(request.schema), "strict": _is_strict(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return body

    async def upload(self, name: str, content: bytes) -> str:
        """Brings a file of examples to the endpoint."""
        files = {"file": (name, content, "application/jsonl")}
        made = await self._connection.ask("POST", "/files", _Name, data={"purpose": "fine-tune"}, files=files)
        return made.id

    async def files(self) -> dict[str, str]:
        """The ids of the files of examples that are there, by their names."""
        found = await self._connection.ask("GET", "/files", _Files, params={"purpose": "fine-tune"})
        return {each.filename: each.id for each in found.data}

    async def discard(self, file: str) -> None:
        """Takes a file away from the endpoint; one that is gone already is gone."""
        try:
            await self._connection.ask("DELETE", f"/files/{file}", _Name)
        except ModelFailed as failure:
            if failure.why != "rejected":
                raise

    async def tune(self, draft: TuningDraft) -> Tuning:
        """Begins a job. One with this draft's id in its metadata was begun before, and is the one."""
        if draft.id:
            params = {"metadata[alejo]": draft.id, "limit": "1"}
            found = await self._connection.ask("GET", "/fine_tuning/jobs", _Jobs, params=params)
            if found.data:
                return _tuning(found.data[0])
        body = {
            "model": draft.model,
            "training_file": draft.training_file,
            "validation_file": draft.validation_file,
            "suffix": draft.suffix,
            "metadata": {"alejo": draft.id} if draft.id else None,
        }
        given = {name: value for name, value in body.items() if value}
        return _tuning(await self._connection.ask("POST", "/fine_tuning/jobs", _Job, json=given))

    async def tuning(self, job_id: str) -> Tuning:
        """How a job stands, with the last metrics it told."""
        job = await self._connection.ask("GET", f"/fine_tuning/jobs/{job_id}", _Job)
        told = [event.metrics for event in await self.tuning_events(job_id) if event.metrics]
        return msgspec.structs.replace(_tuning(job), metrics=told[-1] if told else {})

    async def tuning_events(self, job_id: str, after: str = "") -> Sequence[TuningEvent]:
        """What happened, oldest first; the endpoint tells the newest first."""
        params = {"limit": str(_EVENTS)}
        found = await self._connection.ask("GET", f"/fine_tuning/jobs/{job_id}/events", _Events, params=params)
        new: list[_Happened] = []
        for event in found.data:
            if event.id == after:
                break
            new.append(event)
        return [_event(event) for event in reversed(new)]

    async def cancel_tuning(self, job_id: str) -> Tuning:
        """Ends a job."""
        return _tuning(await self._connection.ask("POST", f"/fine_tuning/jobs/{job_id}/cancel", _Job))

    async def close(self) -> None:
        """Lets go of its connections."""
        await self._connection.close()


class OpenAIEmbedder:
    """The embeddings of an endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        key = f"Bearer {endpoint.key}" if endpoint.key else ""
        self._name = endpoint.embedding
        self._connection = Connection(endpoint.url or HOME, {"Authorization": key})
        self.here = self._connection.here
        self._model: EmbeddingModel | None = None
        self._rests_until = 0.0

    async def model(self) -> EmbeddingModel:
        """The model; how many numbers its vectors have, one of them tells."""
        if self._model is None:
            (vector,) = await self.embed(["one"])
            self._model = EmbeddingModel(self._name, len(vector) // 4)
        return self._model

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """A vector for each text. After a failure it is left alone for a while: recalls wait for what is asked here."""
        if monotonic() < self._rests_until:
            raise ModelFailed("resting", self._name)
        body = {"model": self._name, "input": list(texts), "encoding_format": "float"}
        try:
            found = await self._connection.ask("POST", "/embeddings", _Vectors, _EMBED_SECONDS, json=body)
        except ModelFailed:
            self._rests_until = monotonic() + _REST_SECONDS
            raise
        vectors = sorted(found.data, key=lambda each: each.index)
        if [each.index for each in vectors] != list(range(len(texts))):
            raise ModelFailed("invalid", self._name, detail="it made other vectors than were asked for")
        return [array("f", each.embedding).tobytes() for each in vectors]

    async def close(self) -> None:
        """Lets go of its connections."""
        await self._connection.close()


class _Answer:
    """A streamed answer as it comes together: tool calls come in parts, the end in two chunks."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._calls: dict[int, list[str]] = {}
        self._reason = ""
        self._usage = _Usage()

    def take(self, chunk: _Chunk) -> list[ModelEvent]:
        """What a chunk brings. Raises ModelFailed."""
        if chunk.error is not None:
            raise fault(chunk.error)
        self._usage = chunk.usage or self._usage
        events = []
        for choice in chunk.choices[:1]:
            delta = choice.delta
            if delta.refusal:
                self._reason = "refused"
            for part in delta.tool_calls or ():
                self._collect(part)
            if choice.finish_reason and self._reason != "refused":
                self._reason = _ENDS.get(choice.finish_reason, "stop")
            if text := delta.content or delta.refusal:
                events.append(ModelEvent(text=text))
        return events

    def _collect(self, part: _CallPart) -> None:
        if part.index not in self._calls and len(self._calls) >= _MOST_CALLS:
            raise ModelFailed("invalid", self._model, detail="it calls too many tools")
        call = self._calls.setdefault(part.index, ["", "", ""])
        for place, piece in enumerate((part.id, part.function.name, part.function.arguments)):
            call[place] += piece or ""

    def end(self) -> list[ModelEvent]:
        """The tool calls and the end. Raises ModelFailed if there was none."""
        if not self._reason:
            raise ModelFailed("cut", self._model, detail="the answer has no end")
        calls = [ModelEvent(call=ToolCall(*parts)) for _, parts in sorted(self._calls.items())]
        usage, details = self._usage, self._usage.prompt_tokens_details
        cached = (details.cached_tokens or 0) if details is not None else 0
        reason = "calls" if calls and self._reason == "stop" else self._reason  # some servers say stop
        end = ModelEnd(self._model, reason, usage.prompt_tokens, usage.completion_tokens, cached)
        return [*calls, ModelEvent(end=end)]


def _message(prompt: Prompt) -> dict[str, Any]:
    message: dict[str, Any] = {"role": _ROLES[prompt.role], "content": prompt.text}
    if prompt.images:
        message["content"] = [
            {"type": "text", "text": prompt.text},
            *(
                {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{b64encode(image.data).decode()}"}}
                for image in prompt.images
                for kind in [media_type(image.data, image.media_type)]
            ),
        ]
    if prompt.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in prompt.calls
        ]
    if prompt.call_id:
        message["tool_call_id"] = prompt.call_id
    return message


def _plain(schema: Any) -> Any:
    """A schema without what not every model knows: limits, which the host checks anyway."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        key: {name: _plain(each) for name, each in value.items()} if key in _NAMED else _plain(value)
        for key, value in schema.items()
        if key not in _LIMITS
    }
    if "enum" in plain and all(isinstance(each, str) for each in plain["enum"]):
        plain.setdefault("type", "string")
    return plain


def _is_strict(schema: Any) -> bool:
    """Whether a schema is of the kind that the endpoint can hold a model to: all fields required, no others."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    closed = not isinstance(properties, dict) or (
        schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(properties)
    )
    return closed and all(map(_is_strict, schema.values()))


def _tuning(job: _Job) -> Tuning:
    return Tuning(
        job.id,
        _STATES.get(job.status, job.status),
        job.model,
        job.fine_tuned_model or "",
        (job.error.code or "") if job.error is not None else "",
        job.trained_tokens or 0,
    )


def _event(event: _Happened) -> TuningEvent:
    metrics = {
        name: float(value)
        for name, value in (event.data or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return TuningEvent(event.id, event.created_at * 1_000_000, event.level, event.message, metrics)
