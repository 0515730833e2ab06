"""A way to a server on which calls can be refused, or their answers lost, as a network or a proxy would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import grpc
import msgspec

Fault = Literal["refuse", "lose"]
# What a proxy hands on; the rest belongs to the connection.
_HANDED_ON = {"authorization", "x-alejo-user", "x-request-id", "grpc-status-details-bin", "grpc-retry-pushback-ms"}


class Seen(msgspec.Struct, frozen=True):
    """An attempt of a call: what the client sent, how long it would wait, and the status that came back."""

    method: str
    frames: tuple[bytes, ...]
    metadata: dict[str, str]
    seconds: float | None
    code: grpc.StatusCode


class Relay(grpc.GenericRpcHandler):
    """Hands every call on as bytes. `faults` says what befalls the first call of a method, once.

    "refuse" ends it as UNAVAILABLE before the server hears of it, "lose" after the server has answered.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.address = ""
        self.faults: dict[str, Fault] = {}
        self.seen: list[Seen] = []
        self._channel = grpc.aio.insecure_channel(target, options=[("grpc.enable_retries", 0)])

    def attempts(self, method: str) -> list[Seen]:
        """The attempts of a method's calls, as in "Chat"."""
        return [one for one in self.seen if one.method.endswith(f"/{method}")]

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of every method."""
        method = handler_call_details.method

        async def run(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            frames = [frame async for frame in requests]
            metadata = {name: value for name, value in context.invocation_metadata() if name in _HANDED_ON}
            seconds = context.time_remaining()
            fault = self.faults.pop(method.rpartition("/")[2], None)
            code, details, trailers = grpc.StatusCode.UNAVAILABLE, "The way is cut.", ()
            try:
                if fault != "refuse":
                    # One message goes with its call: sent behind it, one that is refused at once fails in the sending.
                    told = tuple(metadata.items())
                    if len(frames) == 1:
                        call = self._channel.unary_stream(method)(frames[0], metadata=told)
                    else:
                        call = self._channel.stream_stream(method)(iter(frames), metadata=told)
                    async for frame in call:
                        if fault is None:
                            yield frame
                    if fault is None:
                        code = grpc.StatusCode.OK
            except grpc.aio.AioRpcError as error:
                code, details = error.code(), error.details() or ""
                trailers = tuple(pair for pair in error.trailing_metadata() or () if pair[0] in _HANDED_ON)
            self.seen.append(Seen(method, tuple(frames), metadata, seconds, code))
            if code is not grpc.StatusCode.OK:
                await context.abort(code, details, trailers)

        return grpc.stream_stream_rpc_method_handler(run)


@asynccontextmanager
async def relay(target: str) -> AsyncIterator[Relay]:
    """A relay on a free port to the server at `target`."""
    one = Relay(target)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((one,))
    one.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield one
    finally:
        await server.stop(None)
        await one._channel.close()
