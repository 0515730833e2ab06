"""Every method of the server by its name, its answers as the bytes they came in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import msgspec
from google.protobuf.message import Message

from alejo.server.methods import Method, methods
from alejo.v1 import jobs_pb2, reminders_pb2

WATCHES = {"WatchJobs": jobs_pb2.WatchJobsResponse, "WatchReminders": reminders_pb2.WatchRemindersResponse}
METHODS = {method.label.removeprefix("alejo.v1."): method for method in methods(reflection=False) if method.own}


class Reply(msgspec.Struct, frozen=True):
    """What came back: the status's name, and every byte that a client can see, frames, details and trailers."""

    code: str
    raw: bytes


class Caller:
    """One user's calls over a channel, all of which can be repeated."""

    def __init__(self, channel: grpc.aio.Channel, *metadata: tuple[str, str]) -> None:
        self._channel = channel
        self._metadata = metadata
        self.sent: list[tuple[str, tuple[Message, ...]]] = []

    async def say(self, name: str, *requests: Message) -> Reply:
        """Calls a method, such as "ChatService/Chat". A method that takes many gets all the requests."""
        self.sent.append((name, requests))
        return await self._call(METHODS[name], requests)

    async def again(self) -> list[Reply]:
        """The answers to everything that was sent, in the same order, to the same requests."""
        return [await self._call(METHODS[name], requests) for name, requests in self.sent]

    async def _call(self, method: Method, requests: Sequence[Message]) -> Reply:
        path = f"/{method.label}"
        try:
            if not method.gives_many:
                unary: Any = self._channel.unary_unary(path, _encoded, None)
                return Reply("OK", await unary(requests[0], metadata=self._metadata, timeout=30))
            stream: Any = (self._channel.stream_stream if method.asks_many else self._channel.unary_stream)(
                path, _encoded, None
            )
            asked = iter(requests) if method.asks_many else requests[0]
            call = stream(asked, metadata=self._metadata, timeout=30)
            watch = WATCHES.get(method.name)
            frames = [frame async for frame in (_until_current(call, watch) if watch else call)]
        except grpc.aio.AioRpcError as error:
            trailers = [value if isinstance(value, bytes) else value.encode() for _, value in _trailers(error)]
            return Reply(error.code().name, b"\n".join([(error.details() or "").encode(), *trailers]))
        return Reply("OK", b"\n".join(frames))


async def _until_current(call: Any, kind: Any) -> AsyncIterator[bytes]:
    """What a watch tells until all that there were have been told; what follows comes when it comes."""
    while (frame := await call.read()) is not grpc.aio.EOF:
        yield frame
        if kind.FromString(frame).current:
            call.cancel()
            return


def _encoded(message: Message) -> bytes:
    return message.SerializeToString()


def _trailers(error: grpc.aio.AioRpcError) -> list[tuple[str, str | bytes]]:
    return [*(error.initial_metadata() or ()), *(error.trailing_metadata() or ())]
