"""A server on free ports over a data folder of its own, with stand-ins for what thinks."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message as Proto
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from alejo import log, settings
from alejo.app import Assistant, open_assistant
from alejo.clock import Clock
from alejo.server import Server
from alejo.types import Accepted, Answer, Ask, Message, Role, Scope

SECONDS = 10.0
SECRET = "hunter2 at /etc/alejo/secret"
Metadata = Sequence[tuple[str, str]]


def said(text: str, role: Role = Role.USER) -> Message:
    return Message("1" * 32, "2" * 32, 1, role, text, 1_700_000_000_000_000, 1_700_000_000_000_001)


class Parrot:
    """A conversation that repeats what it hears; "boom" raises, "wait" waits to be released, "many" says much."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.waiting = asyncio.Event()
        self.interrupted = asyncio.Event()
        self.scopes: list[Scope] = []
        self.error: Exception = ValueError(SECRET)

    async def chat(self, scope: Scope, ask: Ask) -> Answer:
        async for event in self.stream(scope, ask):
            if isinstance(event, Answer):
                answer = event
        return answer

    async def stream(self, scope: Scope, ask: Ask) -> AsyncIterator[Accepted | str | Answer]:
        self.scopes.append(scope)
        request_id = ask.request_id or "made"
        yield Accepted("3" * 32, request_id, "2" * 32, said(ask.text))
        if ask.text == "boom":
            raise self.error
        if ask.text == "wait":
            try:
                self.waiting.set()
                await self.released.wait()
            except asyncio.CancelledError:
                self.interrupted.set()
                raise
        for number in range(200 if ask.text == "many" else 1):
            yield f"piece {number}"
        yield Answer("3" * 32, request_id, "2" * 32, said(ask.text), said(ask.text, Role.ASSISTANT))

    async def close(self) -> None:
        self.released.set()


class House:
    """A running server and a client's channel to it."""

    def __init__(self, assistant: Assistant, server: Server, channel: grpc.aio.Channel, written: io.StringIO) -> None:
        self.assistant = assistant
        self.server = server
        self.channel = channel
        self._written = written

    @property
    def parrot(self) -> Parrot:
        parrot: Any = self.assistant.conversation
        assert isinstance(parrot, Parrot)
        return parrot

    def log(self) -> list[dict[str, Any]]:
        """What was logged so far."""
        log.flush()
        return [json.loads(line) for line in self._written.getvalue().splitlines()]

    def unary(self, method: str, answer: type[Proto] | None = None) -> Any:
        """The call of a method; without a response type bytes go in and come out."""
        if answer is None:
            return self.channel.unary_unary(f"/{method}")
        return self.channel.unary_unary(f"/{method}", lambda one: one.SerializeToString(), answer.FromString)

    def stream(self, method: str, answer: type[Proto] | None = None, *, many: bool = False) -> Any:
        made = self.channel.stream_stream if many else self.channel.unary_stream
        if answer is None:
            return made(f"/{method}")
        return made(f"/{method}", lambda one: one.SerializeToString(), answer.FromString)


@asynccontextmanager
async def house(
    path: Path, *, parrot: bool = True, plugins: Any = (), clock: Clock | None = None, **overrides: Any
) -> AsyncIterator[House]:
    """A server over a folder in `path`; settings are given with "__" for "."."""
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    given.setdefault("server.address", "127.0.0.1:0")
    given.setdefault("server.metrics_address", "")
    chosen = settings.read({"HOME": str(path)}, {"data.path": str(path / "data"), **given})
    written = io.StringIO()
    log.configure("debug", written)
    async with open_assistant(settings=chosen, entry_points=plugins, clock=clock) as assistant:
        if parrot:
            assistant.conversation = Parrot()  # type: ignore[assignment]
        server = Server(assistant)
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                yield House(assistant, server, channel, written)
        finally:
            await server.drain(0.0)


class Refusal:
    """How a call ended, with its details by kind."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        self.message = error.details() or ""
        self.trailers = dict(error.trailing_metadata() or ())
        status = RpcStatus.FromString(self.trailers["grpc-status-details-bin"])  # type: ignore[arg-type]
        assert status.code == self.code.value[0]
        assert status.message == self.message
        self.info, self.details = details(status.details)


def details(packed: Sequence[Packed]) -> tuple[ErrorInfo, dict[str, Any]]:
    """The one ErrorInfo, which comes first, and the other details by name."""
    info, others = ErrorInfo(), {}
    assert packed
    assert packed[0].Unpack(info)
    assert info.domain == "alejo.dev"
    for one in packed[1:]:
        for kind in (BadRequest, ResourceInfo, RetryInfo, QuotaFailure):
            target = kind()
            if one.Unpack(target):
                others[kind.DESCRIPTOR.name] = target
    assert len(others) == len(packed) - 1
    return info, others


async def refused(awaitable: Any) -> Refusal:
    """How a call was refused; fails when it was not."""
    try:
        async with asyncio.timeout(SECONDS):
            answer = await awaitable
    except grpc.aio.AioRpcError as error:
        return Refusal(error)
    raise AssertionError(f"the call was answered: {answer!r}")


async def drained(call: Any) -> list[Any]:
    """All frames of a stream."""
    async with asyncio.timeout(SECONDS):
        return [frame async for frame in call]


async def rest(call: Any) -> list[Any]:
    """The frames that are left of a stream some of which were read."""
    frames = []
    while (frame := await within(call.read())) is not grpc.aio.EOF:
        frames.append(frame)
    return frames


async def ended(call: Any) -> grpc.StatusCode:
    """How a stream ended; what was left of it is read, as its status comes behind that."""
    try:
        await rest(call)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def within(awaitable: Any) -> Any:
    """Waits, for at most ten seconds."""
    async with asyncio.timeout(SECONDS):
        return await awaitable
