"""The gate: what every call passes, folded at start into one coroutine function a method.

In order: request id, quota of the address, identity, rate of the caller, quota of the key, decoding, validation, the
answer, and at the end metrics, the log line and the mapping of errors. A deadline of the server's own is kept by one
timer for all calls; a client's earlier one reaches the call as a cancellation, from gRPC itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status as RpcStatus

from alejo import log, wire
from alejo.clock import deadline
from alejo.errors import (
    DRAINING,
    AlejoError,
    DeadlineExceeded,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    StartupError,
    Status,
    Unavailable,
    Unimplemented,
)
from alejo.metrics import Metrics, code_name
from alejo.storage import audit
from alejo.types import Scope
from alejo.wire.encoded import Encoded

from .backlog import RETRY_SECONDS, Backlog
from .call import Call, Way
from .inbox import Inbox
from .limits import Limits
from .methods import Access, Method, Room
from .peers import Peers, Quota
from .rates import Rates

if TYPE_CHECKING:
    from alejo.identity import Keys

Context = grpc.aio.ServicerContext[Any, Any]
Reply = Message | Encoded
_Trailers = tuple[tuple[str, str | bytes], ...]
Behaviour = Callable[[Any, Context], Coroutine[Any, Any, Any]]

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_CANCELLED = int(Status.CANCELLED)
_DEADLINE = int(Status.DEADLINE_EXCEEDED)
_REQUEST_ID = "x-request-id"
_LOGGABLE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}").fullmatch
_EXHAUSTED = int(Status.RESOURCE_EXHAUSTED)
_OVERLOADED = ResourceExhausted(
    "The server has more to do than it can; try again in a moment.",
    retry_after=RETRY_SECONDS,
    subject="the server",
    reason="OVERLOADED",
)
NOBODY = Scope("", "")
# So long a client may take to read the last frame and hang up; what remains of the drain is for the status behind it.
_PARTING_SECONDS = 0.2


def draining() -> Unavailable:
    """The error of every call that a draining server ends or refuses."""
    return Unavailable("The server is draining; try again in a moment.", reason=DRAINING)


class Gate:
    """Makes the handlers of methods, and knows the calls under way."""

    def __init__(
        self,
        keys: Keys,
        metrics: Metrics,
        *,
        limits: Limits,
        local: frozenset[str],
        anyone: bool,
    ) -> None:
        """Peers of the kinds in `local` may go without a key; with `anyone`, all may as long as there are no keys."""
        self.keys = keys
        self.limits = limits
        self.calls: set[Call] = set()
        self.empty = asyncio.Event()
        self.empty.set()
        self.draining = False
        self.last_seen = 0.0
        self._metrics = metrics
        self._local = local
        self._anyone = anyone
        self._seconds = (limits.unary_seconds, limits.stream_seconds)
        self._tick = min(1.0, min(*self._seconds, limits.first_message_seconds) / 10)
        self._timer: asyncio.TimerHandle | None = None
        self.backlog = Backlog(limits.queue_seconds)
        self._overloaded = _trailers(_OVERLOADED)
        self.rates = Rates(limits)
        self._all = Quota(limits.calls, "calls of everybody")
        self._addresses = Quota(limits.calls_per_address, "calls from this address")
        self._keys = Quota(limits.calls_per_key, "calls with this key")
        self._rooms = {
            Room.TURN: Quota(limits.turns_per_key, "turns of this caller"),
            Room.STREAM: Quota(limits.streams_per_key, "streams of this caller"),
        }
        self._peers = Peers()
        self._log = log.get()
        self._prefix = f"{os.getpid():x}-{secrets.token_hex(4)}-"
        self._number = count(1)
        metrics.gauge("alejo_calls_in_flight", "Calls under way.", lambda: float(len(self.calls)))
        metrics.gauge("alejo_queue_seconds", "How long a call waited to begin, when last seen.", self._queue)

    def unary(self, method: Method, answer: Callable[[Call, Any], Awaitable[Reply]]) -> Behaviour:
        """The handler of a method with one request and one response."""
        way = self._way(method)
        parse = way.parse
        identify = self._identify if method.access is not Access.OPEN else None

        async def run(_: Any, context: Context) -> bytes:
            if identify is not None and not self.backlog.admits(lambda: self._peers[context.peer()].address):
                await self._shed(way, context)
            call = Call(self, way)
            try:
                self._admit(call, context)
                if identify is not None:
                    await identify(call)
                reply = (await answer(call, parse(await _first(call, context)))).SerializeToString()
            except BaseException as error:  # noqa: BLE001  _fail always raises
                await self._fail(call, context, error)
            self._leave(call, 0)
            context.set_trailing_metadata(((_REQUEST_ID, call.request_id),))
            return reply

        return run

    def stream(self, method: Method, answer: Callable[[Call, Any], AsyncGenerator[Reply, None]]) -> Behaviour:
        """The handler of a method with many responses. `answer` gets the request, or the Inbox of many."""
        way = self._way(method)
        parse = way.parse
        identify = self._identify if method.access is not Access.OPEN else None
        many = method.asks_many

        async def run(_: Any, context: Context) -> None:
            if identify is not None and not self.backlog.admits(lambda: self._peers[context.peer()].address):
                await self._shed(way, context)
            call = Call(self, way)
            inbox = Inbox(call, context.read, parse) if many else None
            try:
                self._admit(call, context)
                if identify is not None:
                    await identify(call)
                try:
                    request = inbox or parse(await _first(call, context))
                    async with aclosing(answer(call, request)) as frames:
                        async for frame in frames:
                            await context.write(frame.SerializeToString())
                except BaseException as error:
                    await self._part(call, context, inbox, error)
                    raise
                finally:
                    if inbox is not None:
                        await inbox.close()
            except BaseException as error:  # noqa: BLE001  _fail always raises
                await self._fail(call, context, error)
            self._leave(call, 0)
            context.set_trailing_metadata(((_REQUEST_ID, call.request_id),))

        return run

    def unknown(self) -> Behaviour:
        """The handler of every method that there is not."""
        way = self._way(Method("unknown", "unknown", Message, True, True, Access.OPEN))

        async def run(_: Any, context: Context) -> None:
            call = Call(self, way)
            try:
                self._admit(call, context)
                raise Unimplemented("This server has no such method.")
            except BaseException as error:  # noqa: BLE001  _fail always raises
                await self._fail(call, context, error)

        return run

    def _way(self, method: Method) -> Way:
        seconds = self._seconds[method.asks_many or method.gives_many]
        return Way(method, self._metrics.method(method.label), seconds)

    async def _shed(self, way: Way, context: Context) -> NoReturn:
        """Refuses a call that there is no time for: counted, and nothing else."""
        way.counts.ended(_EXHAUSTED, 0.0)
        await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, _OVERLOADED.message, self._overloaded)

    def _queue(self) -> float:
        return self.backlog.delay

    def _admit(self, call: Call, context: Context) -> None:
        """Reads the metadata, counts the call and notes it. Raises what refuses it."""
        call.task = asyncio.current_task()
        twice = _metadata(call, context)
        call.request_id = call.request_id or f"{self._prefix}{next(self._number):x}"
        call.peer = peer = self._peers[context.peer()]
        left = context.time_remaining()
        deadline.set(call.deadline if left is None else min(call.deadline, call.started + left))
        way = call.method
        if self.draining:
            self.last_seen = call.started
            if not way.survives:
                raise draining()
        if way.access is not Access.OPEN:
            call.hold(self._all, "")
            call.hold(self._addresses, peer.address)
        elif way.room is Room.STREAM:
            call.hold(self._rooms[Room.STREAM], peer.address)
        self.calls.add(call)
        self.empty.clear()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick, self._look)
        if twice:
            raise InvalidArgument.field(twice, "is given more than once")

    async def _identify(self, call: Call) -> None:
        peer = call.peer
        assert peer is not None  # noqa: S101  _admit has set it
        local = peer.kind in self._local or (self._anyone and call.token is None and not await self.keys.any())
        call.principal = principal = await self.keys.authenticate(call.token, call.user, local=local)
        call.rated = Rates.name(principal, peer)
        self.rates.ask(call.rated)
        if principal.key_id:
            call.key_id = principal.key_id
            call.hold(self._keys, principal.key_id)
        way = call.method
        if (room := self._rooms.get(way.room)) is not None:
            call.hold(room, principal.key_id or peer.address)
        if not way.needs <= principal.may:
            missing = " and ".join(sorted(way.needs - principal.may))
            raise PermissionDenied(f"The key lacks the scope {missing}.")
        call.scope = principal.scope
        audit.actor.set(principal.key_id)

    async def _part(self, call: Call, context: Context, inbox: Inbox[Any] | None, error: BaseException) -> None:
        """Writes the last frame of a stream that ends because the server drains. A reader that is slow misses it.

        Then waits a moment for the client to hang up: one that is writing when the status comes may lose the frame.
        """
        ended = error if isinstance(error, AlejoError) else call.ended
        if call.farewell is None or ended is None or ended.reason != DRAINING:
            return
        # `_fail` tells a cancellation that came meanwhile from our own, and hands it on.
        with contextlib.suppress(grpc.aio.BaseError, asyncio.InvalidStateError, asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout(_PARTING_SECONDS):
                await context.write(call.farewell().SerializeToString())
                if inbox is not None:
                    await inbox.hung_up()

    async def _fail(self, call: Call, context: Context, error: BaseException) -> NoReturn:
        """Ends a call with the status of an error. What came from outside to stop it goes on its way."""
        if isinstance(error, grpc.aio.BaseError):  # the client went away while it was written to
            self._leave(call, _CANCELLED)
            raise asyncio.CancelledError from None
        if not isinstance(error, Exception):
            ended, task = call.ended, call.task
            ours = isinstance(error, asyncio.CancelledError) and ended is not None and task is not None
            if not ours or task.uncancel() > 0:  # type: ignore[union-attr]
                late = context.time_remaining() == 0
                self._leave(call, _DEADLINE if late else _CANCELLED)
                raise error
            error = ended  # type: ignore[assignment]
        told = self.told(call, error)  # type: ignore[arg-type]
        status = wire.status.status(told)
        self._leave(call, status.code)
        trailers = _trailers(told, status)
        await _abort(context, _CODES[status.code], status.message, (*trailers, (_REQUEST_ID, call.request_id)))

    def told(self, call: Call, error: Exception) -> AlejoError:
        """What a client may know of an error. One that was not foreseen is logged under a reference."""
        if isinstance(error, DecodeError):
            return InvalidArgument("The request is not a message of this method.", reason="MALFORMED")
        if isinstance(error, AlejoError) and error.status != Status.INTERNAL and not isinstance(error, StartupError):
            return error
        reference = secrets.token_hex(8)
        self._log.error(
            "internal error",
            reference=reference,
            request=call.request_id,
            method=call.method.label,
            trace=log.trace(error),
        )
        return AlejoError(f"internal error, ref {reference}")

    def _leave(self, call: Call, code: int) -> None:
        """Takes a call off the books, once."""
        if call in self.calls:
            self.calls.discard(call)
            if not self.calls:
                self.empty.set()
        for quota, name in call.held:
            quota.give(name)
        call.held.clear()
        seconds = time.monotonic() - call.started
        method = call.method
        method.counts.ended(code, seconds)
        self._log.info(
            "call",
            request=call.request_id,
            method=method.label,
            code=code_name(code),
            seconds=round(seconds, 6),
            peer=call.peer.kind if call.peer is not None else "",
            key=call.key_id,
        )

    def _look(self) -> None:
        """Ends calls whose time is over, and looks again while there are calls."""
        self._timer = None
        now = time.monotonic()
        for call in self.calls:
            if call.deadline <= now:
                call.end(DeadlineExceeded("The call took longer than this server allows."))
            elif call.wanted <= now:
                call.end(DeadlineExceeded("The call's first message did not come in time.", reason="NO_MESSAGE"))
        if self.calls:
            self._timer = asyncio.get_running_loop().call_later(self._tick, self._look)

    def close(self) -> None:
        """Refuses new calls and ends those that only wait for their client."""
        self.draining = True
        self.last_seen = time.monotonic()
        for call in self.calls:
            if call.method.stream:
                call.closing = draining()
                if call.idle:
                    call.end(call.closing)

    def end(self) -> int:
        """Ends every call; returns how many there were."""
        for call in self.calls:
            call.end(draining())
        return len(self.calls)

    def stop(self) -> None:
        """Ends the timers."""
        self.backlog.stop()
        self.rates.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _abort(context: Context, code: grpc.StatusCode, message: str, trailers: _Trailers) -> NoReturn:
    """Ends a call with a status. gRPC would tell at length that it could not, when the client is no longer there."""
    try:
        await context.abort(code, message, trailers)
    except grpc.aio.AbortError:
        raise
    except grpc.aio.BaseError:
        raise asyncio.CancelledError from None


def _trailers(error: AlejoError, status: RpcStatus | None = None) -> _Trailers:
    """What goes with the status of an error."""
    details = ("grpc-status-details-bin", (status or wire.status.status(error)).SerializeToString())
    if (wait := wire.status.retry_after(error)) is not None:
        return (details, ("grpc-retry-pushback-ms", str(round(wait * 1000))))
    if error.status == Status.UNAVAILABLE:  # a client's retry policy would try in vain
        return (details, ("grpc-retry-pushback-ms", "-1"))
    return (details,)


def _metadata(call: Call, context: Context) -> str:
    """Reads what a caller says of itself. Returns the name of a header that is there twice, or nothing."""
    twice = ""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            twice = twice or ("authorization" if call.token is not None else "")
            call.token = _bearer(str(value))
        elif key == "x-alejo-user":
            twice = twice or ("x-alejo-user" if call.user is not None else "")
            call.user = str(value)
        elif key == _REQUEST_ID:
            call.request_id = _safe(value)
    return twice


async def _first(call: Call, context: Context) -> bytes:
    """The request of a call that has one. gRPC itself would wait for it for ever, so every method is read here."""
    raw = await context.read()
    call.wanted = math.inf
    if raw is grpc.aio.EOF:
        raise InvalidArgument("The call ended without a request.", reason="MALFORMED")
    return cast(bytes, raw)


def _bearer(value: str) -> str:
    """The token; what is no bearer token is a wrong one, never none."""
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _safe(value: str | bytes) -> str:
    """A client's request id if it may stand in a log, else nothing."""
    return value if isinstance(value, str) and _LOGGABLE(value) else ""
