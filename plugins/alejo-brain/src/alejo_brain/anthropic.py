"""Language models over the Anthropic Messages API."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from alejo.completions import Endpoint, ModelEnd, ModelEvent, ModelRequest, Prompt, ToolCall
from alejo.errors import ModelFailed
from alejo.types import Role

from .connection import Connection, Fault, decoded, fault, media_type

HOME = "https://api.anthropic.com"
VERSION = "2023-06-01"
_ENDS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "calls", "refusal": "refused"}
_TOKENS = 1024  # the API wants a number
_ANSWER = "answer"  # the tool by which an object is asked for


class _Name(msgspec.Struct):
    id: str


class _Names(msgspec.Struct):
    data: list[_Name]


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Message(msgspec.Struct):
    usage: _Usage = msgspec.field(default_factory=_Usage)


class _Block(msgspec.Struct):
    type: str = ""
    id: str = ""
    name: str = ""


class _Delta(msgspec.Struct):
    text: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Fault | None = None


class Anthropic:
    """The models of Anthropic's API."""

    name = "anthropic"

    def __init__(self, endpoint: Endpoint) -> None:
        headers = {"x-api-key": endpoint.key, "anthropic-version": VERSION}
        self._connection = Connection(endpoint.url or HOME, headers)
        self.here = self._connection.here

    async def models(self) -> Sequence[str]:
        """The models there are, the newest first."""
        return [each.id for each in (await self._connection.ask("GET", "/v1/models", _Names)).data]

    async def complete(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer, piece by piece."""
        answer = _Answer(request.model)
        source = self._connection.events("/v1/messages", _body(request), request.seconds, request.id)
        async with aclosing(source) as events:  # type: ignore[type-var]  # an async generator has aclose
            async for data in events:
                for event in answer.take(decoded(data, _Event)):
                    yield event
                if answer.ended:
                    return
        raise ModelFailed("cut", request.model, detail="the answer has no end")

    async def close(self) -> None:
        """Lets go of its connections."""
        await self._connection.close()


class _Answer:
    """A streamed answer as it comes together."""

    def __init__(self, model: str) -> None:
        self.ended = False
        self._model = model
        self._call: list[str] | None = None
        self._reason = ""
        self._usage = _Usage()

    def take(self, event: _Event) -> list[ModelEvent]:
        """What an event brings. Raises ModelFailed."""
        if event.error is not None:
            raise fault(event.error)
        self._count(event.message.usage if event.message is not None else event.usage)
        if event.content_block is not None and event.content_block.type == "tool_use":
            self._call = [event.content_block.id, event.content_block.name, ""]
        delta = event.delta or _Delta()
        self._reason = delta.stop_reason or self._reason
        if delta.partial_json and self._call is not None:
            if self._call[1] == _ANSWER:
                return [ModelEvent(text=delta.partial_json)]
            self._call[2] += delta.partial_json
        if delta.text:
            return [ModelEvent(text=delta.text)]
        if event.type == "content_block_stop" and self._call is not None:
            call, self._call = ToolCall(*self._call), None
            return [ModelEvent(call=call)] if call.name != _ANSWER else []
        return [self._end()] if event.type == "message_stop" else []

    def _count(self, usage: _Usage | None) -> None:
        if usage is not None:  # the end tells again what has changed, and nothing else
            told = {name: value for name, value in msgspec.structs.asdict(usage).items() if value is not None}
            self._usage = msgspec.structs.replace(self._usage, **told)

    def _end(self) -> ModelEvent:
        if not self._reason:
            raise ModelFailed("cut", self._model, detail="the answer has no end")
        self.ended = True
        usage = self._usage
        cached = usage.cache_read_input_tokens or 0
        reason = _ENDS.get(self._reason, "stop")
        into = (usage.input_tokens or 0) + cached + (usage.cache_creation_input_tokens or 0)
        return ModelEvent(end=ModelEnd(self._model, reason, into, usage.output_tokens or 0, cached))


def _body(request: ModelRequest) -> dict[str, Any]:
    system = "\n\n".join(prompt.text for prompt in request.prompts if prompt.role is Role.SYSTEM)
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens or _TOKENS,
        "messages": _messages([prompt for prompt in request.prompts if prompt.role is not Role.SYSTEM]),
        "stream": True,
    }
    if system:
        body["system"] = system
    if request.temperature is not None:
        body["temperature"] = request.temperature
    tools = [{"name": t.name, "description": t.description, "input_schema": t.schema} for t in request.tools]
    if request.schema is not None:
        tools.append({"name": _ANSWER, "description": "Gives the answer.", "input_schema": request.schema})
        body["tool_choice"] = {"type": "tool", "name": _ANSWER}
    if tools:
        body["tools"] = tools
    return body


def _messages(prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
    """The messages; what one side says in several is one, as the API wants sides to alternate."""
    messages: list[dict[str, Any]] = []
    for prompt in prompts:
        role = "assistant" if prompt.role is Role.ASSISTANT else "user"
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += _content(prompt)
        else:
            messages.append({"role": role, "content": _content(prompt)})
    return messages


def _content(prompt: Prompt) -> list[dict[str, Any]]:
    if prompt.call_id:
        return [{"type": "tool_result", "tool_use_id": prompt.call_id, "content": prompt.text}]
    blocks: list[dict[str, Any]] = [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": media_type(image.data, image.media_type),
                "data": b64encode(image.data).decode(),
            },
        }
        for image in prompt.images
    ]
    if prompt.text:
        blocks.append({"type": "text", "text": prompt.text})
    return blocks + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _object(call.arguments)}
        for call in prompt.calls
    ]


def _object(arguments: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}  # the model hears of it in the tool's result
