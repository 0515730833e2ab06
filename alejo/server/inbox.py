"""What a client sends on a stream, read ahead within bounds so that its frames can be seen while one is answered."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

if TYPE_CHECKING:
    from .call import Call

M = TypeVar("M", bound=Message)
FRAMES = 64
_BYTES = 8 << 20


class Inbox(Generic[M]):
    """The frames of one stream, in order. `look`, if set, sees each as it arrives and returns True to keep it out."""

    def __init__(self, call: Call, read: Callable[[], Awaitable[Any]], parse: Callable[[bytes], M]) -> None:
        self._call = call
        self._read = read
        self._parse = parse
        self._frames: deque[tuple[M, int]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._error: Exception | None = None
        self._ended = False
        self._pump: asyncio.Task[None] | None = None
        self.look: Callable[[M], bool] | None = None
        self.nudged = False

    def nudge(self) -> None:
        """Wakes whoever waits for a frame: until `nudged` is reset, `take` returns with what is here, if anything."""
        self.nudged = True
        self._filled.set()

    @property
    def unread(self) -> list[M]:
        """The frames that are here and were not taken, in order."""
        return [frame for frame, _ in self._frames]

    async def take(self, most: int = 1) -> list[M]:
        """The next frames, at most `most` of those that are here; waits for one. Empty at the end, and when nudged.

        Waits as the caller's rate demands: several at a time count as items, one alone as a call.

        Raises Unavailable when the server drains, and InvalidArgument when what came next was no message.
        """
        if self._pump is None:
            self._pump = asyncio.create_task(self._fill())
        call = self._call
        while not (self._frames or self._ended or self.nudged):
            if call.closing is not None:
                raise call.closing
            self._filled.clear()
            call.idle = True
            await self._filled.wait()
            call.idle = False
        if count := min(most, len(self._frames)):
            count = await call.pace(count, items=most > 1)
        if call.closing is not None:
            raise call.closing
        if not count:
            if self._error is not None and not self.nudged:
                raise self._error
            return []
        frames = [self._frames.popleft() for _ in range(count)]
        self._bytes -= sum(size for _, size in frames)
        self._room.set()
        await call.confirm()
        return [frame for frame, _ in frames]

    async def _fill(self) -> None:
        try:
            while True:
                while len(self._frames) >= FRAMES or self._bytes >= _BYTES:
                    self._room.clear()
                    await self._room.wait()
                raw = await self._read()
                self._call.wanted = math.inf
                if raw is grpc.aio.EOF:
                    break
                frame = self._parse(raw)
                if self.look is not None and self.look(frame):
                    continue
                self._frames.append((frame, len(raw)))
                self._bytes += len(raw)
                self._filled.set()
        except Exception as error:  # noqa: BLE001  handed to whoever takes the next frame
            self._error = error
        finally:
            self._ended = True
            self._filled.set()

    async def hung_up(self) -> None:
        """Waits until the client has said its last, and throws away what it still says."""
        while self._pump is not None and not self._ended:
            self._frames.clear()
            self._bytes = 0
            self._room.set()
            self._filled.clear()
            await self._filled.wait()

    async def close(self) -> None:
        """Stops reading."""
        if self._pump is not None and not self._pump.done():
            self._pump.cancel()
            await asyncio.wait([self._pump])
