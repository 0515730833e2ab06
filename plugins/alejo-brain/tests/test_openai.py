"""The OpenAI API over real HTTP: what goes out, what comes in, and what each failure is called."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from alejo_brain import Anthropic, FineTuner, OpenAI, OpenAIEmbedder

from alejo.completions import Endpoint, ModelEnd, ModelEvent, ModelRequest, Prompt, ToolCall, ToolSpec, TuningDraft
from alejo.errors import ModelFailed
from alejo.testing.model_server import FAULTS, MODELS, ModelServer, Said
from alejo.types import Image, Role

TOOL = ToolSpec("dice", "Rolls.", {"type": "object", "properties": {"sides": {"type": "integer"}}})
CHAT = b'{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}\n'


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A server with a key."""
    async with ModelServer(key="k") as server:
        yield server


@pytest.fixture
async def openai(server: ModelServer) -> AsyncIterator[OpenAI]:
    """The provider."""
    provider = OpenAI(Endpoint(server.openai, "k"))
    yield provider
    await provider.close()


def request(*prompts: Prompt, **fields: Any) -> ModelRequest:
    return ModelRequest(prompts or (Prompt(Role.USER, "Hello"),), model="parrot", **fields)


async def answer(provider: OpenAI, asked: ModelRequest) -> list[ModelEvent]:
    return [event async for event in provider.complete(asked)]


async def test_a_conversation_is_sent_whole(server: ModelServer, openai: OpenAI) -> None:
    """Roles, pictures, calls and their results arrive as the API wants them; so do tools and limits."""
    prompts = (
        Prompt(Role.SYSTEM, "Be brief."),
        Prompt(Role.USER, "What is this?", (Image(b"\xff\xd8x"),)),
        Prompt(Role.ASSISTANT, "", calls=(ToolCall("c1", "dice", '{"sides": 6}'),)),
        Prompt(Role.TOOL, "3", call_id="c1"),
    )
    await answer(openai, request(*prompts, tools=(TOOL,), max_tokens=7, temperature=0.5, id="once"))
    asked = server.requests[-1]
    body = asked.json()
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool"]
    assert body["messages"][1]["content"][1]["image_url"]["url"] == "data:image/jpeg;base64,/9h4"
    assert body["messages"][2]["tool_calls"][0]["function"] == {"name": "dice", "arguments": '{"sides": 6}'}
    assert body["tools"][0]["function"]["parameters"] == TOOL.schema
    assert (body["max_tokens"], body["temperature"]) == (7, 0.5)
    assert (asked.headers["authorization"], asked.headers["idempotency-key"]) == ("Bearer k", "once")


async def test_pieces_calls_and_usage_come_in(server: ModelServer, openai: OpenAI) -> None:
    """Text comes in pieces, calls are put together from their parts, and the end tells what was used."""
    server.answers.append(Said("One moment.", [("dice", '{"sides": 6}'), ("dice", '{"sides": 8}')]))
    events = await answer(openai, request(tools=(TOOL,)))
    assert [event.text for event in events if event.text] == ["One", " moment."]
    assert [event.call.arguments for event in events if event.call] == ['{"sides": 6}', '{"sides": 8}']
    end = events[-1].end
    assert end is not None
    assert (end.model, end.reason, end.output_tokens) == ("parrot", "calls", 2)
    assert end.input_tokens > 0


@pytest.mark.parametrize(("end", "reason"), [("length", "length"), ("content_filter", "refused")])
async def test_how_an_answer_ends(server: ModelServer, openai: OpenAI, end: str, reason: str) -> None:
    """An answer that was too long or held back says so."""
    server.answers.append(Said("Well", end=end))
    assert (await answer(openai, request()))[-1] == ModelEvent(end=ModelEnd("parrot", reason, 6, 1))


@pytest.mark.parametrize("is_closed", [True, False])
async def test_a_schema_is_strict_where_it_can_be(server: ModelServer, openai: OpenAI, is_closed: bool) -> None:
    """A schema whose fields are all required and no others allowed is held to by the endpoint."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    schema |= {"additionalProperties": False} if is_closed else {}
    events = await answer(openai, request(schema=schema))
    wanted = server.requests[-1].json()["response_format"]["json_schema"]
    assert (wanted["schema"], wanted["strict"]) == (schema, is_closed)
    assert json.loads("".join(event.text for event in events)) == {"a": ""}


async def test_limits_are_left_to_the_host(server: ModelServer, openai: OpenAI) -> None:
    """What not every model knows is taken out of a schema, but no field of such a name."""
    title = {"type": "string", "minLength": 1}
    properties = {
        "title": title,
        "kind": {"enum": ["a", "b"]},
        "parts": {"type": "array", "items": title, "maxItems": 3},
    }
    await answer(openai, request(schema={"title": "Whole", "type": "object", "properties": properties}))
    sent = server.requests[-1].json()["response_format"]["json_schema"]["schema"]
    text = {"type": "string"}
    kind = {"enum": ["a", "b"], "type": "string"}
    parts = {"type": "array", "items": text}
    assert sent == {"type": "object", "properties": {"title": text, "kind": kind, "parts": parts}}


@pytest.mark.parametrize(("url", "here"), [
    ("", False),
    ("http://localhost:11434/v1", True),
    ("http://models.localhost/v1", True),
    ("http://127.0.0.53:11434/v1", True),
    ("http://[::1]:8080/v1", True),
    ("http://[::ffff:127.0.0.1]/v1", False),
    ("http://localhost.example.com/v1", False),
    ("http://127.0.0.1.example.com/v1", False),
    ("http://127.0.0.1@example.com/v1", False),
    ("http://192.168.0.7/v1", False),
    ("http://ollama:11434/v1", False),
    ("http://[", False),
])  # fmt: skip
def test_it_is_here_by_its_address(url: str, here: bool) -> None:
    """Only a loopback address, or its name, is known to be this machine."""
    assert OpenAI(Endpoint(url)).here is here
    assert Anthropic(Endpoint(url)).here is here
    assert OpenAIEmbedder(Endpoint(url)).here is here
    assert FineTuner(OpenAI(Endpoint(url)), "small").here is here


async def test_models_are_listed(openai: OpenAI) -> None:
    """The endpoint's models, in its order; at OpenAI itself a model for chats is first."""
    assert tuple(await openai.models()) == MODELS


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
async def test_a_failure_has_its_word(server: ModelServer, openai: OpenAI, fault: str, why: str) -> None:
    """Whatever goes wrong is a ModelFailed whose word says what, without what was asked."""
    assert fault in FAULTS
    server.faults.append(fault)
    with pytest.raises(ModelFailed) as failed:
        await answer(openai, request())
    assert (failed.value.why, failed.value.retry_after) == (why, 1.0 if fault == "429" else None)
    assert "Hello" not in failed.value.message


async def test_silence_ends_with_the_requests_time(server: ModelServer, openai: OpenAI) -> None:
    """A model that says nothing within the request's seconds is given up."""
    server.faults.append("slow")
    with pytest.raises(ModelFailed) as failed:
        await answer(openai, request(seconds=0.2))
    assert failed.value.why == "timeout"


async def test_a_wrong_key_is_rejected(server: ModelServer) -> None:
    """A key that is not accepted is named by the provider's own word."""
    stranger = OpenAI(Endpoint(server.openai, "wrong"))
    with pytest.raises(ModelFailed) as failed:
        await stranger.models()
    assert (failed.value.why, failed.value.detail) == ("rejected", "401 invalid_api_key")
    await stranger.close()


async def test_texts_are_embedded(server: ModelServer) -> None:
    """Vectors come in the texts' order, and the model knows how long they are."""
    embedder = OpenAIEmbedder(Endpoint(server.openai, "k", "parrot"))
    first, second = await embedder.embed(["a", "b"])
    assert first != second
    assert (await embedder.embed(["b"]))[0] == second
    assert (await embedder.model()).dimensions == len(first) // 4 == 64
    await embedder.close()


async def test_a_job_is_begun_once_and_followed(server: ModelServer, openai: OpenAI) -> None:
    """A file goes up, a job is begun once for its id, tells its losses, and ends with a model."""
    file = await openai.upload("chats.jsonl", CHAT * 10)
    draft = TuningDraft("parrot", file, suffix="ada", id="1")
    job = await openai.tune(draft)
    assert (await openai.tune(draft)).id == job.id
    assert server.tuning.begun == 1
    states = [(await openai.tuning(job.id)).state for _ in range(4)]
    assert states == ["queued", "running", "running", "succeeded"]
    done = await openai.tuning(job.id)
    assert (done.result, done.trained_tokens) == ("ft:parrot:ada:ftjob-1", 1000)
    assert done.metrics == {"step": 4.0, "train_loss": 0.5, "valid_loss": 0.625}
    events = await openai.tuning_events(job.id)
    assert [event.metrics["step"] for event in events] == [1, 2, 3, 4]
    assert await openai.tuning_events(job.id, events[1].id) == events[2:]


async def test_a_job_that_fails_or_is_cancelled_says_so(server: ModelServer, openai: OpenAI) -> None:
    """A file that cannot be trained on fails the job with the API's word; a job can be ended."""
    file = await openai.upload("chats.jsonl", CHAT)
    job = await openai.tune(TuningDraft("parrot", file))
    failed = await openai.tuning(job.id)
    assert (failed.state, failed.error) == ("failed", "invalid_training_file")
    other = await openai.tune(TuningDraft("parrot", await openai.upload("c.jsonl", CHAT * 10)))
    assert (await openai.cancel_tuning(other.id)).state == "cancelled"
    with pytest.raises(ModelFailed, match="404"):
        await openai.tuning("none")
