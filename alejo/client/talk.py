"""A conversation of many turns over one stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

import grpc

from alejo.errors import AlejoError
from alejo.types import Ask, Event, Reminder, Replacement
from alejo.v1 import chat_pb2
from alejo.wire import read

from .errors import error_of, failure
from .requests import chat


class Talk:
    """Turns over one stream, one after the other; `Client.converse` makes it."""

    def __init__(self, call: Any, target: str) -> None:
        self._call = call
        self._target = target
        self._request_id = ""
        self._coming: asyncio.Task[Any] | None = None
        self._due: deque[Reminder] = deque()

    async def say(self, ask: Ask) -> AsyncGenerator[Event, None]:
        """One turn as it is answered. Closing the iterator cancels it. Raises what ended it; the stream goes on."""
        request = chat(ask)
        self._request_id = request.request_id
        try:
            # What came between turns is that the server ends the stream; a write would now fail and hide it.
            if self._coming is None or not self._coming.done():
                await self._call.write(chat_pb2.ConverseRequest(chat=request))
            async for response in self._frames(request.request_id):
                frame = response.WhichOneof("frame")
                if frame in {"done", "failure"}:
                    self._request_id = ""
                if frame == "failure":
                    raise failure(response.failure)
                if frame == "delta":
                    yield response.delta
                elif frame == "replacement":
                    yield Replacement(response.replacement)
                elif frame == "accepted":
                    yield read.accepted(response.accepted)
                elif frame == "done":
                    yield read.answer(response.done)
                    return
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            self._request_id = ""
            raise await self._end() from None
        finally:
            await self.cancel()

    async def due(self) -> Reminder:
        """The next reminder that falls due: one that came within a turn, or else comes before the next one is said.

        It comes again elsewhere until it is acknowledged. Raises what ended the stream.
        """
        try:
            while not self._due:
                response = await self._read()
                if response is grpc.aio.EOF:
                    raise asyncio.InvalidStateError
                self._note(response)
            return self._due.popleft()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            raise await self._end() from None

    def _note(self, response: Any) -> None:
        if response.WhichOneof("frame") == "reminder":
            self._due.append(read.reminder(response.reminder))

    async def cancel(self) -> None:
        """Stops the turn that is being answered, which then raises Cancelled; without one it does nothing."""
        request_id, self._request_id = self._request_id, ""
        if request_id:
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await self._call.write(chat_pb2.ConverseRequest(cancel=chat_pb2.Cancel(request_id=request_id)))

    async def _frames(self, request_id: str) -> AsyncGenerator[Any, None]:
        while (response := await self._read()) is not grpc.aio.EOF:
            self._note(response)
            if response.request_id == request_id:  # not of an earlier turn whose reader left
                yield response
        raise asyncio.InvalidStateError

    async def _read(self) -> Any:
        """The next frame. One read is always under way, so that a frame between turns does not wait for the next."""
        coming = self._coming or self._begin()
        response = await asyncio.shield(coming)
        self._begin()
        return response

    def _begin(self) -> asyncio.Task[Any]:
        self._coming = coming = asyncio.create_task(self._call.read())
        coming.add_done_callback(lambda done: done.cancelled() or done.exception())  # told by the next read, if any
        return coming

    async def _end(self) -> AlejoError:
        """Why the stream is over."""
        code, details = await self._call.code(), await self._call.details()
        metadata = grpc.aio.Metadata()
        trailers = await self._call.trailing_metadata() or metadata
        return error_of(grpc.aio.AioRpcError(code, metadata, trailers, details), self._target)
