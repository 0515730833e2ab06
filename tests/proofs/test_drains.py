"""The server is told to stop under load: what was acknowledged is there, what it had begun is answered, in its time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status as RpcStatus

from alejo.v1 import chat_pb2

from .house import SECONDS, House
from .writers import Writer, every, kept, together, told

DRAINS = int(os.environ.get("ALEJO_DRAINS") or 3)
WRITERS = 8
TALKERS = 4
WATCHERS = 8
LONGEST = 10.0  # seconds that a server may take to stop, whatever its clients do


class Talker:
    """A client that holds a Converse stream open and goes on after a drain where the last frame says."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.answered: dict[str, str] = {}  # request id → the id of the answer
        self.unanswered: list[str] = []
        self._number = 0
        self.begun = asyncio.Event()  # the server has taken the stream up

    async def talk(self, house: House, most: int | None = None) -> None:
        """Keeps two turns under way until the server drains, or until `most` more are answered."""
        async with house.channel() as channel:
            serialize: Callable[[Any], bytes] = lambda one: one.SerializeToString()  # noqa: E731
            method = "/alejo.v1.ChatService/Converse"
            stub = channel.stream_stream(method, serialize, chat_pb2.ConverseResponse.FromString)
            call = stub(metadata=(("x-alejo-user", self.user),))
            again, self.unanswered = self.unanswered, []
            for request_id in again or [self._next(), self._next()]:
                await self._say(call, request_id)
            draining = None
            async for frame in frames(call):
                self.begun.set()
                assert draining is None, "the draining frame is the last"
                if frame.WhichOneof("frame") == "done":
                    await self._done(call, frame.done, again, most)
                elif frame.WhichOneof("frame") == "draining":
                    draining = list(frame.draining.request_ids)
                    await call.done_writing()
                if most is not None and len(self.answered) >= most and not self.unanswered:
                    call.cancel()
                    return
            assert draining is not None, f"a stream ended without its last frame: {await call.details()}"
            # The server may not have read the newest ones; it never names what it has answered.
            assert draining == self.unanswered[: len(draining)], (draining, self.unanswered)
            assert await reason(call) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")

    async def _done(self, call: Any, done: chat_pb2.ChatResponse, again: list[str], most: int | None) -> None:
        request_id, answer = done.request_id, done.message.id
        assert self.answered.setdefault(request_id, answer) == answer, "answered twice, and otherwise"
        self.unanswered.remove(request_id)
        if most is None:
            try:
                await self._say(call, self._next())
            except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
                return  # it drains; what follows says so

    def _next(self) -> str:
        self._number += 1
        return f"{self.user}-{self._number}"

    async def _say(self, call: Any, request_id: str) -> None:
        self.unanswered.append(request_id)
        chat = chat_pb2.ChatRequest(request_id=request_id, text=f"My aunt number {request_id} sells clocks.")
        await call.write(chat_pb2.ConverseRequest(chat=chat))


async def frames(call: Any) -> AsyncIterator[Any]:
    """What comes on a stream until it ends, however."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        while (frame := await call.read()) is not grpc.aio.EOF:
            yield frame


async def reason(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a call ended, with the reason of its ErrorInfo."""
    info = ErrorInfo()
    packed = dict(await call.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    for detail in RpcStatus.FromString(packed).details:
        detail.Unpack(info)
    return await call.code(), info.reason


async def _watch(house: House, started: asyncio.Event) -> None:
    """Watches the health of the server to its end: NOT_SERVING, then UNAVAILABLE with its reason."""
    async with house.channel() as channel:
        call = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        seen = [await call.read()]
        started.set()
        seen += [frame async for frame in frames(call)]
        assert seen == [b"\x08\x01", b"\x08\x02"]
        assert await reason(call) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")


async def _stop(house: House) -> float:
    """SIGTERM; how long the process took to end."""
    began = time.monotonic()
    await house.stop()
    return time.monotonic() - began


async def _round(house: House, writers: list[Writer], talkers: list[Talker], chance: random.Random) -> float:
    """Load for a while, then SIGTERM; returns the seconds until the server had ended."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(house.client(writer.user)) for writer in writers]
        started = [asyncio.Event() for _ in range(WATCHERS)]
        watchers = [asyncio.create_task(_watch(house, each)) for each in started]
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(each.wait() for each in started))
        for talker in talkers:
            talker.begun.clear()
        loads: list[Awaitable[None]] = [writer.write(client) for writer, client in zip(writers, clients, strict=True)]
        tasks = [asyncio.ensure_future(load) for load in (*loads, *(talker.talk(house) for talker in talkers))]
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(talker.begun.wait() for talker in talkers))
        done, _ = await asyncio.wait(tasks, timeout=chance.uniform(0.2, 1.0), return_when=asyncio.FIRST_COMPLETED)
        assert not done, [task.exception() for task in done]
        took = await _stop(house)
        async with asyncio.timeout(SECONDS):
            await together([*tasks, *watchers])
    return took


async def _check(house: House, writers: list[Writer]) -> None:
    """Everything acknowledged is there, and nothing of what was refused: it had not begun."""
    async with AsyncExitStack() as stack:
        for writer in writers:
            client = await stack.enter_async_context(house.client(writer.user))
            doubt = writer.doubtful
            await writer.check(client)
            if doubt is not None:
                texts = {memory.text for memory in await every(client.memories)}
                assert kept(doubt) not in texts, f"{doubt} was in flight, and failed"


async def test_drains_under_load(house: House, chance: random.Random) -> None:
    """Under SIGTERM nothing acknowledged is lost, no call that had begun fails, and streams say where to go on."""
    writers = [Writer(f"writer-{number}", chance) for number in range(WRITERS)]
    talkers = [Talker(f"talker-{number}") for number in range(TALKERS)]
    took = []
    await house.start()
    for _ in range(DRAINS):
        took.append(await _round(house, writers, talkers, chance))
        await house.start()
        await _check(house, writers)
    for talker in talkers:
        async with asyncio.timeout(SECONDS):
            await talker.talk(house, len(talker.answered) + len(talker.unanswered))
        async with house.client(talker.user) as client:
            memories = await told(client)
            assert len({memory.text for memory in memories}) == len(memories) == len(talker.answered)
    await house.stop()
    resolved = {each for writer in writers for each in writer.resolved}
    assert all(each.startswith("0 of") for each in resolved), f"in flight, and failed: {resolved}"
    lines = [json.loads(line) for line in house.log if '"event":"drained"' in line]
    assert len(lines) == DRAINS + 1
    assert [line["unfinished"] for line in lines] == [0] * len(lines)
    assert max(took) <= LONGEST
    calls = sum(len(writer.acknowledged) for writer in writers)
    turns = sum(len(talker.answered) for talker in talkers)
    print(
        f"{DRAINS} SIGTERMs, {calls} calls and {turns} turns of streams acknowledged: 0 lost, 0 twice; 0 of those in "
        f"flight failed, 0 cut; ended after {sorted(took)[len(took) // 2]:.2f} s (median), at most {max(took):.2f} s"
    )


async def test_clients_that_hold_on_do_not_hold_the_server(house: House) -> None:
    """A turn that never ends, a stream that is never read and idle ones end with the drain, which keeps to its time."""
    seconds = float(os.environ.get("ALEJO_DRAIN_SECONDS") or 1.0)
    house.environment |= {
        "ALEJO_SERVER_DRAIN_SECONDS": str(seconds),
        "ALEJO_PLUGINS_DISABLED": "brain",
        "ALEJO_PLUGINS_CALL_SECONDS": "60",
    }
    house.plugin(
        "endless",
        """
        import asyncio
        from alejo.hooks import hookimpl

        class Endless:
            async def respond(self, turn):
                yield "One. "
                await asyncio.Event().wait()

        @hookimpl
        def alejo_register_brain(settings):
            return Endless()
        """,
    )
    await house.start()
    async with house.channel() as channel:
        serialize: Callable[[Any], bytes] = lambda one: one.SerializeToString()  # noqa: E731
        stub = channel.stream_stream("/alejo.v1.ChatService/Converse", serialize, chat_pb2.ConverseResponse.FromString)
        idle, turn = stub(), stub()
        await turn.write(chat_pb2.ConverseRequest(chat={"text": "Hello", "request_id": "endless"}))
        frames = [await turn.read()]
        while frames[-1].WhichOneof("frame") != "delta":
            frames.append(await turn.read())
        took = await _stop(house)
        assert (await turn.read()).draining.request_ids == ["endless"]
        assert (await idle.read()).draining.request_ids == []
        for call in (idle, turn):
            assert await reason(call) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    print(f"ended {took:.2f} s after SIGTERM, with server.drain_seconds {seconds}")
    assert took <= seconds + LONGEST
