"""ChatService."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from alejo.errors import Cancelled, InvalidArgument
from alejo.types import Accepted, Answer, Event, Replacement
from alejo.v1 import chat_pb2 as pb
from alejo.wire import read, rules, write

from .inbox import Inbox

if TYPE_CHECKING:
    from alejo.conversation import Conversation
    from alejo.reminders import Listener, Reminders

    from .call import Call

# So many frames of an answer may wait for a slow reader before the brain waits too.
_AHEAD = 16


class ChatCalls:
    """Talking, over the wire."""

    def __init__(self, conversation: Conversation, reminders: Reminders) -> None:
        self._conversation = conversation
        self._reminders = reminders

    async def chat(self, call: Call, request: pb.ChatRequest) -> pb.ChatResponse:
        """One turn."""
        return await self._whole(call, await self._conversation.chat(call.scope, read.ask(request)))

    async def _whole(self, call: Call, answer: Answer) -> pb.ChatResponse:
        due = await self._reminders.due(call.scope)
        return write.answer(msgspec.structs.replace(answer, reminders=tuple(due)))

    async def chat_stream(
        self, call: Call, request: pb.ChatStreamRequest
    ) -> AsyncGenerator[pb.ChatStreamResponse, None]:
        """One turn, piece by piece."""
        request_id = request.chat.request_id
        call.farewell = lambda: pb.ChatStreamResponse(draining=write.draining([request_id]))
        async with aclosing(self._conversation.stream(call.scope, read.ask(request.chat))) as events:
            async for event in events:
                if isinstance(event, str):
                    yield pb.ChatStreamResponse(delta=event)
                elif isinstance(event, Accepted):
                    request_id = event.request_id
                    yield pb.ChatStreamResponse(accepted=write.accepted(event))
                elif isinstance(event, Replacement):
                    yield pb.ChatStreamResponse(replacement=event.text)
                else:
                    yield pb.ChatStreamResponse(done=await self._whole(call, event))

    async def converse(self, call: Call, inbox: Inbox[pb.ConverseRequest]) -> AsyncGenerator[pb.ConverseResponse, None]:
        """Many turns, in order. A turn that fails or is cancelled is told in a frame, and the stream goes on.

        What falls due meanwhile is told between turns and, within one, behind the next frame of its.
        """
        desk = _Turns(self._conversation, call)
        inbox.look = desk.look
        call.farewell = lambda: pb.ConverseResponse(draining=write.draining(desk.unanswered))
        with self._reminders.listening(call.scope, inbox.nudge) as listener:
            while (frames := await inbox.take()) or inbox.nudged:
                if inbox.nudged:
                    async for due in _due(call, inbox, listener):
                        yield due
                if not frames:
                    continue
                async with aclosing(desk.answer(frames[0])) as answers:
                    async for answer in answers:
                        yield answer
                        if inbox.nudged:
                            async for due in _due(call, inbox, listener):
                                yield due

    async def get_turn(self, call: Call, request: pb.GetTurnRequest) -> pb.GetTurnResponse:
        """A turn that is done."""
        return pb.GetTurnResponse(turn=write.answer(await self._conversation.turn(call.scope, request.request_id)))


async def _due(
    call: Call, inbox: Inbox[pb.ConverseRequest], listener: Listener
) -> AsyncGenerator[pb.ConverseResponse, None]:
    """The frames of what is due, as the bell has rung."""
    inbox.nudged = False
    await call.confirm()
    while reminders := await listener.news():
        for reminder in reminders:
            yield pb.ConverseResponse(reminder=write.reminder(reminder))


class _Waiting:
    """A turn that was asked for and has not begun."""

    __slots__ = ("cancelled", "request_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.cancelled = False


class _Turns:
    """The turns of one conversation: at most one is being answered, in a task that a Cancel frame can stop."""

    def __init__(self, conversation: Conversation, call: Call) -> None:
        self._conversation = conversation
        self._call = call
        self._request_id = ""
        self._open = False
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self._waiting: deque[_Waiting] = deque()

    @property
    def unanswered(self) -> list[str]:
        """The request ids of the turn that is being answered and of those that wait, in order."""
        waiting = [each.request_id for each in self._waiting if not each.cancelled]
        return [self._request_id, *waiting] if self._open else waiting

    def look(self, frame: pb.ConverseRequest) -> bool:
        """Stops the turn that a Cancel frame names, even one that has not begun. Any other Cancel does nothing.

        One that breaks the rules is kept, and told so in its turn.
        """
        if frame.WhichOneof("frame") != "cancel" or _wrong(frame):
            self._waiting.append(_Waiting(frame.chat.request_id))
            return False
        wanted = frame.cancel.request_id
        if self._task is not None and wanted in {"", self._request_id}:
            self._cancelled = True
            self._task.cancel()
        else:
            waiting = next((each for each in self._waiting if wanted in {"", each.request_id}), None)
            if waiting is not None:
                waiting.cancelled = True
        return True

    async def answer(self, frame: pb.ConverseRequest) -> AsyncGenerator[pb.ConverseResponse, None]:
        """The frames of one turn, the last of them `done` or `failure`."""
        self._request_id = frame.chat.request_id
        self._cancelled = self._waiting.popleft().cancelled
        self._open = True
        pipe = _Pipe()
        self._task = asyncio.create_task(self._run(frame, pipe))
        if self._cancelled:
            self._task.cancel()
        self._task.add_done_callback(pipe.close)
        try:
            while (response := await pipe.get()) is not None:
                yield response
                self._open = not response.HasField("done")
            error = self._outcome(self._task)
        finally:
            task, self._task = self._task, None
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
        if error is not None:
            failure = self._call.failure(error)
            yield pb.ConverseResponse(request_id=self._request_id, failure=failure)
            self._open = False

    def _outcome(self, task: asyncio.Task[None]) -> BaseException | None:
        if task.cancelled():
            return Cancelled("The turn was cancelled.") if self._cancelled else asyncio.CancelledError()
        return task.exception()

    async def _run(self, frame: pb.ConverseRequest, pipe: _Pipe) -> None:
        rules.check(frame)
        async with aclosing(self._conversation.stream(self._call.scope, read.ask(frame.chat))) as events:
            async for event in events:
                await pipe.put(self._frame(event))

    def _frame(self, event: Event) -> pb.ConverseResponse:
        if isinstance(event, str):
            return pb.ConverseResponse(request_id=self._request_id, delta=event)
        if isinstance(event, Replacement):
            return pb.ConverseResponse(request_id=self._request_id, replacement=event.text)
        self._request_id = event.request_id
        if isinstance(event, Accepted):
            return pb.ConverseResponse(request_id=event.request_id, accepted=write.accepted(event))
        return pb.ConverseResponse(request_id=event.request_id, done=write.answer(event))


class _Pipe:
    """Frames from the task that answers to the one that writes, a few ahead of a slow reader."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[pb.ConverseResponse | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AHEAD)

    async def put(self, frame: pb.ConverseResponse) -> None:
        """Adds a frame; waits while too many are unread."""
        await self._room.acquire()
        self._frames.put_nowait(frame)

    async def get(self) -> pb.ConverseResponse | None:
        """The next frame, or None at the end."""
        frame = await self._frames.get()
        self._room.release()
        return frame

    def close(self, _: object) -> None:
        """Ends it, behind what is still unread."""
        self._frames.put_nowait(None)


def _wrong(frame: pb.ConverseRequest) -> bool:
    try:
        rules.check(frame)
    except InvalidArgument:
        return True
    return False
