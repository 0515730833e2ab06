"""A call under way, and what is known of its method before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from google.protobuf.message import Message

from alejo import wire
from alejo.errors import AlejoError
from alejo.metrics import MethodCalls
from alejo.types import Scope
from alejo.v1.types_pb2 import Failure

from .limits import Limits
from .methods import Access, Method
from .peers import Peer, Quota
from .rates import Rates

if TYPE_CHECKING:
    from alejo.identity import Keys, Principal

NOBODY = Scope("", "")


class Doors(Protocol):
    """What a call needs of the gate it came through."""

    keys: Keys
    limits: Limits
    rates: Rates

    def told(self, call: Call, error: Exception) -> AlejoError:
        """The error that its client gets for `error`."""


class Way:
    """What is known of a method before any call of it."""

    __slots__ = ("access", "counts", "label", "needs", "parse", "room", "seconds", "stream", "survives")

    def __init__(self, method: Method, counts: MethodCalls, seconds: float) -> None:
        self.label = method.label
        self.access = method.access
        self.needs = method.access.needs
        self.room = method.room
        self.counts = counts
        self.seconds = seconds
        self.stream = method.asks_many or method.gives_many
        # Health says that the server drains, so a single look at it must still be answered.
        self.survives = method.access is Access.OPEN and not self.stream
        self.parse = _parser(method)


def _parser(method: Method) -> Callable[[bytes], Message]:
    decode = method.request.FromString
    if not method.own or method.asks_many:  # frames of a stream are checked one by one, where they are answered
        return decode
    check = wire.rules.checker(method.request)

    def parse(raw: bytes) -> Message:
        message = decode(raw)
        check(message)
        return message

    return parse


class Call:
    """One call under way. `scope` is whose it is; an answer that waits for its client sets `idle`.

    `rated` is whom its rate counts for. `wanted` is when its first message must have come, and never once it has.
    A stream's answer sets `farewell`: it makes the last frame, if the server stops before the stream ends.
    """

    __slots__ = (
        "closing",
        "deadline",
        "ended",
        "farewell",
        "gate",
        "held",
        "idle",
        "key_id",
        "method",
        "peer",
        "principal",
        "rated",
        "request_id",
        "scope",
        "started",
        "task",
        "token",
        "user",
        "wanted",
    )

    def __init__(self, gate: Doors, method: Way) -> None:
        self.gate = gate
        self.method = method
        self.started = time.monotonic()
        self.scope = NOBODY
        self.request_id = ""
        self.peer: Peer | None = None
        self.principal: Principal | None = None
        self.token: str | None = None
        self.user: str | None = None
        self.key_id = ""
        self.rated = ""
        self.held: list[tuple[Quota, str]] = []
        self.closing: AlejoError | None = None
        self.ended: AlejoError | None = None
        self.idle = False
        self.farewell: Callable[[], Message] | None = None
        self.deadline = self.started + method.seconds
        self.wanted = self.started + gate.limits.first_message_seconds
        self.task: asyncio.Task[Any] | None = None

    def end(self, error: AlejoError) -> None:
        """Stops the call: its client gets `error`."""
        if self.ended is None and self.task is not None:
            self.ended = error
            self.task.cancel()

    def hold(self, quota: Quota, name: str) -> None:
        """Counts the call against a quota for as long as it is under way. Raises ResourceExhausted."""
        quota.take(name)
        self.held.append((quota, name))

    async def pace(self, frames: int, *, items: bool) -> int:
        """Waits until the frames of its stream may be taken up, or as many of them as may at a time: returns those."""
        while True:
            count, seconds = self.gate.rates.take(self.rated, frames, items=items)
            if not seconds or self.closing is not None:
                return count
            self.idle = True
            await asyncio.sleep(seconds)
            self.idle = False

    async def confirm(self) -> None:
        """Looks at the caller's key again, so that a revocation reaches open streams. Raises Unauthenticated."""
        if self.principal is not None and self.token is not None:
            await self.gate.keys.authenticate(self.token, self.user, local=False)

    def failure(self, error: BaseException) -> Failure:
        """The frame of an error within a stream that goes on. Raises it again when it ends the stream."""
        if isinstance(error, asyncio.CancelledError) or not isinstance(error, Exception):
            raise error
        return wire.status.failure(self.gate.told(self, error))
