"""The Messages API over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from alejo_brain import Anthropic

from alejo.completions import Endpoint, ModelEvent, ModelRequest, Prompt, ToolCall, ToolSpec
from alejo.errors import ModelFailed
from alejo.testing.model_server import MODELS, ModelServer, Said
from alejo.types import Image, Role

TOOL = ToolSpec("dice", "Rolls.", {"type": "object", "properties": {"sides": {"type": "integer"}}})


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A server with a key."""
    async with ModelServer(key="k") as server:
        yield server


@pytest.fixture
async def anthropic(server: ModelServer) -> AsyncIterator[Anthropic]:
    """The provider."""
    provider = Anthropic(Endpoint(server.anthropic, "k"))
    yield provider
    await provider.close()


async def answer(provider: Anthropic, asked: ModelRequest) -> list[ModelEvent]:
    return [event async for event in provider.complete(asked)]


async def test_a_conversation_is_sent_whole(server: ModelServer, anthropic: Anthropic) -> None:
    """Instructions stand apart, sides alternate, and pictures, calls and results are blocks."""
    prompts = (
        Prompt(Role.SYSTEM, "Be brief."),
        Prompt(Role.USER, "Hello."),
        Prompt(Role.USER, "What is this?", (Image(b"\x89PNGx"),)),
        Prompt(Role.ASSISTANT, "Hm.", calls=(ToolCall("c1", "dice", '{"sides": 6}'),)),
        Prompt(Role.TOOL, "3", call_id="c1"),
    )
    await answer(anthropic, ModelRequest(prompts, model="parrot", tools=(TOOL,)))
    asked = server.requests[-1]
    body = asked.json()
    assert (body["system"], asked.headers["x-api-key"]) == ("Be brief.", "k")
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in body["messages"][0]["content"]] == ["text", "image", "text"]
    assert body["messages"][1]["content"][1] == {"type": "tool_use", "id": "c1", "name": "dice", "input": {"sides": 6}}
    assert body["messages"][2]["content"][0]["tool_use_id"] == "c1"
    assert body["tools"][0]["input_schema"] == TOOL.schema


async def test_pieces_calls_and_usage_come_in(server: ModelServer, anthropic: Anthropic) -> None:
    """Text comes in pieces, calls whole, and the end tells what was used."""
    server.answers.append(Said("One moment.", [("dice", '{"sides": 6}')]))
    events = await answer(anthropic, ModelRequest((Prompt(Role.USER, "Roll."),), model="parrot", tools=(TOOL,)))
    assert [event.text for event in events if event.text] == ["One", " moment."]
    assert [(event.call.name, event.call.arguments) for event in events if event.call] == [("dice", '{"sides": 6}')]
    end = events[-1].end
    assert end is not None
    assert (end.reason, end.output_tokens) == ("calls", 2)
    assert end.input_tokens > 0


async def test_an_object_is_asked_for_by_a_tool(server: ModelServer, anthropic: Anthropic) -> None:
    """A schema becomes a tool the model must call, and its arguments are the answer's text."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    events = await answer(anthropic, ModelRequest((Prompt(Role.USER, "Give."),), model="parrot", schema=schema))
    assert json.loads("".join(event.text for event in events)) == {"a": ""}
    assert not [event for event in events if event.call]
    assert server.requests[-1].json()["tool_choice"] == {"type": "tool", "name": "answer"}


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("cut", "cut"),
        ("unended", "cut"),
        ("429", "rate_limited"),
        ("500", "unavailable"),
        ("malformed", "invalid"),
        ("error", "unavailable"),
        ("html", "invalid"),
    ],
)
async def test_a_failure_has_its_word(server: ModelServer, anthropic: Anthropic, fault: str, why: str) -> None:
    """Whatever goes wrong is a ModelFailed whose word says what."""
    server.faults.append(fault)
    with pytest.raises(ModelFailed) as failed:
        await answer(anthropic, ModelRequest((Prompt(Role.USER, "Hello"),), model="parrot"))
    assert failed.value.why == why


async def test_models_are_listed(anthropic: Anthropic) -> None:
    """The models there are."""
    assert tuple(await anthropic.models()) == MODELS
