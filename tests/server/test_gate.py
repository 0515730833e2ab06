"""What every call passes."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from alejo.errors import AlejoError, Conflict, FailedPrecondition, NotFound, PluginFailed, StartupError, StorageFull
from alejo.server.methods import Method, methods
from alejo.v1 import chat_pb2, memory_pb2, sessions_pb2

from .house import SECRET, House, drained, house, refused, within

CHAT = "alejo.v1.ChatService/Chat"
STREAM = "alejo.v1.ChatService/ChatStream"
CONVERSE = "alejo.v1.ChatService/Converse"
Code = grpc.StatusCode


def garbage(method: Method, seed: int) -> list[bytes]:
    """Frames that are no message of the method."""
    dice = random.Random(seed)
    frames: list[bytes] = []
    while len(frames) < 12:
        frame = dice.randbytes(dice.choice((1, 2, 7, 60, 4000)))
        try:
            method.request.FromString(frame)
        except DecodeError:
            frames.append(frame)
    return frames


@pytest.mark.parametrize("method", list(methods(reflection=True)), ids=lambda method: method.label)
async def test_malformed_bytes_are_refused_by_every_method(home: House, method: Method) -> None:
    """Random frames give INVALID_ARGUMENT on every method, streams too, and name no class."""
    for frame in garbage(method, 7):
        if not method.gives_many:
            call = home.unary(method.label)(frame)
        else:
            frames = iter([frame]) if method.asks_many else frame
            call = drained(home.stream(method.label, many=method.asks_many)(frames))
        refusal = await refused(call)
        assert refusal.code is Code.INVALID_ARGUMENT
        assert refusal.info.reason == "MALFORMED"
        assert refusal.message == "The request is not a message of this method."


async def test_every_wrong_field_is_named(home: House) -> None:
    """All violations of a request come back at once, each with its path as in the .proto file."""
    request = chat_pb2.ChatRequest(
        request_id="x" * 129, session_id="nonsense", text="a" * 32_769, parts=[{}, {"image": {"data": b""}}]
    )
    refusal = await refused(home.unary(CHAT, chat_pb2.ChatResponse)(request))
    assert refusal.code is Code.INVALID_ARGUMENT
    assert [one.field for one in refusal.details["BadRequest"].field_violations] == [
        "request_id",
        "session_id",
        "text",
        "parts[0].image",
        "parts[1].image.data",
    ]
    wrapped = chat_pb2.ChatStreamRequest(chat=chat_pb2.ChatRequest())
    refusal = await refused(drained(home.stream(STREAM, chat_pb2.ChatStreamResponse)(wrapped)))
    assert [one.field for one in refusal.details["BadRequest"].field_violations] == ["chat.text"]


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), AlejoError(SECRET), StartupError(SECRET), ExceptionGroup(SECRET, [OSError(2)])]
)
async def test_an_unforeseen_error_tells_a_client_nothing(home: House, error: Exception) -> None:
    """A client gets INTERNAL and a reference, which the log knows; neither has the error's text, class or path."""
    home.parrot.error = error
    refusal = await refused(home.unary(CHAT, chat_pb2.ChatResponse)(chat_pb2.ChatRequest(text="boom")))
    assert refusal.code is Code.INTERNAL
    assert refusal.message.startswith("internal error, ref ")
    shown = repr(refusal.trailers) + refusal.message
    assert not any(word in shown for word in ("hunter2", "/etc", type(error).__name__, ".py", "Parrot"))
    reference = refusal.message.rpartition(" ")[2]
    (line,) = [one for one in home.log() if one["event"] == "internal error"]
    assert line["reference"] == reference
    assert line["method"] == CHAT
    assert type(error).__qualname__ in line["trace"]
    assert any("house.py" in place for place in line["trace"])
    assert "hunter2" not in repr(home.log())


async def test_an_unforeseen_error_within_a_stream_tells_nothing_either(home: House) -> None:
    """ChatStream ends with INTERNAL; Converse says so in a frame and goes on."""
    wrapped = chat_pb2.ChatStreamRequest(chat=chat_pb2.ChatRequest(text="boom"))
    refusal = await refused(drained(home.stream(STREAM, chat_pb2.ChatStreamResponse)(wrapped)))
    assert refusal.code is Code.INTERNAL
    asks = [chat_pb2.ConverseRequest(chat={"text": text, "request_id": text}) for text in ("boom", "hello")]
    frames = await drained(home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)(iter(asks)))
    (failure,) = [frame.failure for frame in frames if frame.HasField("failure")]
    assert failure.code == Code.INTERNAL.value[0]
    assert "hunter2" not in repr(refusal.trailers) + repr(frames)
    assert frames[-1].done.request_id == "hello"


@pytest.mark.parametrize(
    ("error", "code", "reason", "kinds"),
    [
        (NotFound("session", "abc"), Code.NOT_FOUND, "NOT_FOUND", {"ResourceInfo"}),
        (Conflict("It changed."), Code.ABORTED, "CHANGED_MEANWHILE", set()),
        (FailedPrecondition("It ended."), Code.FAILED_PRECONDITION, "WRONG_STATE", set()),
        (
            StorageFull("No room.", subject="disk"),
            Code.RESOURCE_EXHAUSTED,
            "STORAGE_FULL",
            {"RetryInfo", "QuotaFailure"},
        ),
        (PluginFailed("mine", "brain", "timeout"), Code.UNAVAILABLE, "PLUGIN_FAILED", {"RetryInfo"}),
        (PluginFailed("", "brain", "vacant"), Code.UNAVAILABLE, "PLUGIN_FAILED", set()),
    ],
)
async def test_every_error_has_its_status_and_details(
    home: House, error: AlejoError, code: Code, reason: str, kinds: set[str]
) -> None:
    """A designed error becomes its gRPC status with one ErrorInfo and the details that fit it, and no others."""
    home.parrot.error = error
    refusal = await refused(home.unary(CHAT, chat_pb2.ChatResponse)(chat_pb2.ChatRequest(text="boom")))
    assert (refusal.code, refusal.info.reason, set(refusal.details)) == (code, reason, kinds)
    assert refusal.message == error.message
    pushback = refusal.trailers.get("grpc-retry-pushback-ms")
    in_vain = "-1" if code is Code.UNAVAILABLE else None  # a retry policy waits for what will not change, unless told
    assert pushback == in_vain if "RetryInfo" not in kinds else int(pushback) > 0


async def test_a_method_that_is_not_there(home: House) -> None:
    """A call of an unknown method gives UNIMPLEMENTED with its ErrorInfo, also one with a stream of answers."""
    for call in (
        home.unary("alejo.v1.ChatService/Shout")(b""),
        drained(home.stream("alejo.v9.Nothing/At")(b"x")),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.info.reason) == (Code.UNIMPLEMENTED, "UNKNOWN_METHOD")


async def test_calls_of_one_address_are_limited(tmp_path: Path) -> None:
    """The call above the limit is refused with when to retry; health is not counted; an ended call makes room."""
    async with house(tmp_path, limits__calls_per_address=2) as home:
        chat = home.unary(CHAT, chat_pb2.ChatResponse)
        held = [asyncio.ensure_future(chat(chat_pb2.ChatRequest(text="wait"))) for _ in range(2)]
        while len(home.parrot.scopes) < 2:
            await within(home.parrot.waiting.wait())
            await asyncio.sleep(0)
        refusal = await refused(chat(chat_pb2.ChatRequest(text="hello")))
        assert (refusal.code, refusal.info.reason) == (Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
        assert set(refusal.details) == {"RetryInfo", "QuotaFailure"}
        check = home.unary("grpc.health.v1.Health/Check", health_pb2.HealthCheckResponse)
        assert (await within(check(health_pb2.HealthCheckRequest()))).status == health_pb2.HealthCheckResponse.SERVING
        home.parrot.released.set()
        await within(asyncio.gather(*held))
        assert (await within(chat(chat_pb2.ChatRequest(text="hello")))).message.text == "hello"


async def test_calls_with_one_key_are_limited(tmp_path: Path) -> None:
    """A key has a limit of its own, which another key does not share, and a refused call leaves nothing counted."""
    async with house(tmp_path, limits__calls_per_key=1) as home:
        tokens = [(await home.assistant.keys.add(name))[1] for name in ("one", "two")]
        first, second = ([("authorization", f"Bearer {token}"), ("x-alejo-user", "ana")] for token in tokens)
        chat = home.unary(CHAT, chat_pb2.ChatResponse)
        held = asyncio.ensure_future(chat(chat_pb2.ChatRequest(text="wait"), metadata=first))
        await within(home.parrot.waiting.wait())
        for _ in range(3):
            refusal = await refused(chat(chat_pb2.ChatRequest(text="hello"), metadata=first))
            assert refusal.details["QuotaFailure"].violations[0].subject == "calls with this key"
        await within(chat(chat_pb2.ChatRequest(text="hello"), metadata=second))
        home.parrot.released.set()
        await within(held)
        await within(chat(chat_pb2.ChatRequest(text="hello"), metadata=first))


async def test_the_server_keeps_a_deadline_of_its_own(tmp_path: Path) -> None:
    """A call without a deadline, or with a later one, ends after limits.unary_seconds, and so does its work."""
    async with house(tmp_path, limits__unary_seconds=0.2, limits__stream_seconds=0.3) as home:
        chat = home.unary(CHAT, chat_pb2.ChatResponse)
        refusal = await refused(chat(chat_pb2.ChatRequest(text="wait"), timeout=60))
        assert (refusal.code, refusal.info.reason) == (Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        await within(home.parrot.interrupted.wait())
        converse = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await within(converse.read())
        assert ended.value.code() is Code.DEADLINE_EXCEEDED


async def test_a_clients_deadline_reaches_the_work(home: House) -> None:
    """When a client's deadline passes, the turn is interrupted and counted as DEADLINE_EXCEEDED."""
    chat = home.unary(CHAT, chat_pb2.ChatResponse)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await chat(chat_pb2.ChatRequest(text="wait"), timeout=0.2)
    assert ended.value.code() is Code.DEADLINE_EXCEEDED
    await within(home.parrot.interrupted.wait())
    assert [one["code"] for one in home.log() if one["event"] == "call"] == ["DEADLINE_EXCEEDED"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_cancelled_call_interrupts_the_work(home: House, streamed: bool) -> None:
    """A client that goes away interrupts the turn, unary or streamed, and nothing is counted as under way."""
    if streamed:
        call = home.stream(STREAM, chat_pb2.ChatStreamResponse)(chat_pb2.ChatStreamRequest(chat={"text": "wait"}))
    else:
        call = home.unary(CHAT, chat_pb2.ChatResponse)(chat_pb2.ChatRequest(text="wait"))
    await within(home.parrot.waiting.wait())
    call.cancel()
    await within(home.parrot.interrupted.wait())
    gate = home.server._gate
    assert gate is not None
    await within(gate.empty.wait())
    assert [one["code"] for one in home.log() if one["event"] == "call"] == ["CANCELLED"]


async def test_a_request_id_comes_back(home: House) -> None:
    """A client's x-request-id is echoed and logged; one that may not stand in a log is replaced; none is made up."""
    chat = home.unary(CHAT, chat_pb2.ChatResponse)
    for given, kept in (("trace-42", True), ("x" * 200, False), ("my name is Ana", False), (None, False)):
        call = chat(chat_pb2.ChatRequest(text="hi"), metadata=[("x-request-id", given)] if given else [])
        await within(call)
        echoed = dict(await call.trailing_metadata())["x-request-id"]
        assert (echoed == given) is kept
        assert home.log()[-1]["request"] == echoed
    refusal = await refused(chat(chat_pb2.ChatRequest(), metadata=[("x-request-id", "trace-43")]))
    assert refusal.trailers["x-request-id"] == "trace-43"


async def test_a_line_says_what_happened_and_not_what_was_said(home: House) -> None:
    """Each call is one log line of constant words; the user's name and words, and the token, are in none."""
    key, token = await home.assistant.keys.add("laptop")
    metadata = [("authorization", f"Bearer {token}"), ("x-alejo-user", "wilhelmina")]
    await within(
        home.unary(CHAT, chat_pb2.ChatResponse)(chat_pb2.ChatRequest(text="my cat is grey"), metadata=metadata)
    )
    (line,) = (one for one in home.log() if one["event"] == "call")
    assert line.pop("seconds") > 0
    assert line.pop("at")[-1] == "Z"
    assert line.pop("request")
    assert line == {
        "level": "info",
        "event": "call",
        "method": CHAT,
        "code": "OK",
        "peer": "loopback",
        "key": key.id,
    }


async def test_a_header_given_twice_is_refused(home: House) -> None:
    """Two users or two keys in one call are refused: whoever stands before the server may have added one."""
    chat = home.unary(CHAT, chat_pb2.ChatResponse)
    for name in ("x-alejo-user", "authorization"):
        refusal = await refused(
            chat(chat_pb2.ChatRequest(text="hi"), metadata=[(name, "Bearer a"), (name, "Bearer b")])
        )
        assert refusal.code is Code.INVALID_ARGUMENT
        assert refusal.details["BadRequest"].field_violations[0].field == name


async def test_a_revoked_key_ends_open_streams(tmp_path: Path) -> None:
    """A stream that is open when its key is revoked gets no further frame answered."""
    async with house(tmp_path, server__local_user=False) as home:
        key, token = await home.assistant.keys.add("laptop")
        metadata = [("authorization", f"Bearer {token}"), ("x-alejo-user", "ana")]
        call = home.stream("alejo.v1.MemoryService/RecallStream", memory_pb2.RecallStreamResponse, many=True)(
            metadata=metadata
        )
        ask = memory_pb2.RecallStreamRequest(recall={"query": "cat"})
        await call.write(ask)
        assert (await within(call.read())).HasField("recalled")
        await home.assistant.keys.revoke(key.id)
        await call.write(ask)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await within(call.read())
        assert ended.value.code() is Code.UNAUTHENTICATED


async def test_what_it_counts_can_be_scraped(tmp_path: Path) -> None:
    """The metrics port serves the counts by method and code, with no other label of ours."""
    async with house(tmp_path, server__metrics_address="127.0.0.1:0") as home:
        await refused(
            home.unary("alejo.v1.SessionsService/GetSession", sessions_pb2.GetSessionResponse)(
                sessions_pb2.GetSessionRequest()
            )
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", home.server.metrics_port)
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = (await within(reader.read())).decode()
        writer.close()
        await writer.wait_closed()
        assert 'alejo_calls_total{code="INVALID_ARGUMENT",method="alejo.v1.SessionsService/GetSession"} 1.0' in text
        assert "alejo_calls_in_flight 0.0" in text
        assert "process_resident_memory_bytes" in text
