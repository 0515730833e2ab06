"""What keeps a server from being filled up by few."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from alejo.errors import StartupError
from alejo.server.backlog import Backlog
from alejo.server.methods import Room, methods
from alejo.v1 import chat_pb2, memory_pb2

from .house import House, Refusal, drained, house, refused, within

Code = grpc.StatusCode
CHAT = "alejo.v1.ChatService/Chat"
RECALLS = "alejo.v1.MemoryService/RecallStream"
METHODS = list(methods(reflection=True))


async def silent(home: House, method: str) -> Refusal:
    """How a call ends that never sends a message."""
    call = home.stream(method, many=True)()
    try:
        await within(call.read())
    except grpc.aio.AioRpcError as error:
        return Refusal(error)
    raise AssertionError(f"{method} answered nothing")


async def test_a_call_must_begin_to_speak(tmp_path: Path) -> None:
    """Every call, of whatever kind of method, ends when its first message does not come in time."""
    async with house(tmp_path, limits__first_message_seconds=0.2) as home:
        refusals = await asyncio.gather(*(silent(home, method.label) for method in METHODS))
        assert {(one.code, one.info.reason) for one in refusals} == {(Code.DEADLINE_EXCEEDED, "NO_MESSAGE")}


async def test_a_stream_that_has_begun_may_be_silent(tmp_path: Path) -> None:
    """Once it has sent a message, a stream may wait as long as limits.stream_seconds lets it."""
    async with house(tmp_path, limits__first_message_seconds=0.1, limits__stream_seconds=0.6) as home:
        call = home.stream(RECALLS, memory_pb2.RecallStreamResponse, many=True)()
        await call.write(memory_pb2.RecallStreamRequest(recall={"query": "cat"}))
        assert (await within(call.read())).HasField("recalled")
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await within(call.read())
        assert Refusal(ended.value).info.reason == "DEADLINE_EXCEEDED"


async def test_a_call_without_a_message_is_malformed(home: House) -> None:
    """A call that ends before it has said anything is told so."""
    call = home.stream(CHAT, many=True)()
    await call.done_writing()
    refusal = await refused(call.read())
    assert (refusal.code, refusal.info.reason) == (Code.INVALID_ARGUMENT, "MALFORMED")


def test_every_method_has_its_room() -> None:
    """Turns and streams are counted apart from short calls, and looks at health are not counted at all."""
    rooms = {room: {one.name for one in METHODS if one.room is room} for room in Room}
    assert rooms[Room.FREE] == {"Check", "List"}
    assert rooms[Room.TURN] == {"Chat", "ChatStream"}
    assert rooms[Room.STREAM] == {
        "UploadImage",
        "Converse",
        "RememberStream",
        "RecallStream",
        "ImportUser",
        "Watch",
        "WatchJobs",
        "WatchReminders",
        "ServerReflectionInfo",
    }


async def test_turns_leave_room_for_other_calls(tmp_path: Path) -> None:
    """When a caller has as many turns, streams or watches as it may, its other calls are still answered."""
    async with house(tmp_path, limits__turns_per_key=1, limits__streams_per_key=1) as home:
        chat = home.unary(CHAT, chat_pb2.ChatResponse)
        held = asyncio.ensure_future(chat(chat_pb2.ChatRequest(text="wait")))
        await within(home.parrot.waiting.wait())
        refusal = await refused(chat(chat_pb2.ChatRequest(text="hello")))
        assert refusal.details["QuotaFailure"].violations[0].subject == "turns of this caller"
        ask = memory_pb2.RecallStreamRequest(recall={"query": "cat"})
        first, second = (home.stream(RECALLS, memory_pb2.RecallStreamResponse, many=True)() for _ in range(2))
        await first.write(ask)
        assert (await within(first.read())).HasField("recalled")
        assert (await refused(second.read())).code is Code.RESOURCE_EXHAUSTED
        watch = home.stream("grpc.health.v1.Health/Watch", health_pb2.HealthCheckResponse)
        assert (await refused(watch(health_pb2.HealthCheckRequest()).read())).code is Code.RESOURCE_EXHAUSTED
        await within(home.unary("alejo.v1.AdminService/GetInfo")(b""))
        first.cancel()
        home.parrot.released.set()
        await within(held)


async def test_all_callers_together_are_limited(tmp_path: Path) -> None:
    """Calls of everybody have a limit too, from which health is exempt."""
    async with house(tmp_path, limits__calls=1) as home:
        chat = home.unary(CHAT, chat_pb2.ChatResponse)
        held = asyncio.ensure_future(chat(chat_pb2.ChatRequest(text="wait")))
        await within(home.parrot.waiting.wait())
        refusal = await refused(chat(chat_pb2.ChatRequest(text="hello")))
        assert (refusal.code, set(refusal.details)) == (Code.RESOURCE_EXHAUSTED, {"RetryInfo", "QuotaFailure"})
        await within(home.unary("grpc.health.v1.Health/Check")(b""))
        home.parrot.released.set()
        await within(held)


async def test_a_user_of_a_key_has_a_rate(tmp_path: Path) -> None:
    """A burst passes, the next call says when to come again and passes then; others and health are not held up."""
    async with house(tmp_path, limits__requests_per_second=4.0, limits__burst=3) as home:
        _, token = await home.assistant.keys.add("one")
        info = home.unary("alejo.v1.AdminService/GetInfo")

        async def ask(user: str) -> Any:
            return await within(info(b"", metadata=(("authorization", f"Bearer {token}"), ("x-alejo-user", user))))

        for _ in range(3):
            await ask("ana")
        refusal = await refused(ask("ana"))
        assert (refusal.code, refusal.info.reason) == (Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
        assert refusal.details["QuotaFailure"].violations[0].subject == "requests of this caller"
        wait = refusal.details["RetryInfo"].retry_delay.ToTimedelta().total_seconds()
        assert 0 < wait <= 0.25
        assert abs(int(refusal.trailers["grpc-retry-pushback-ms"]) - wait * 1000) <= 1
        await ask("ben")
        for _ in range(10):
            await within(home.unary("grpc.health.v1.Health/Check")(b""))
            await within(info(b""))  # the local user has no rate
        await asyncio.sleep(wait)
        await ask("ana")


async def test_a_restart_gives_no_new_burst(tmp_path: Path) -> None:
    """With limits.table the next server knows what was asked of the last; a file that is none is named at start."""
    table = tmp_path / "rates"
    chosen: dict[str, Any] = {"limits__requests_per_second": 0.001, "limits__burst": 2, "limits__table": str(table)}
    token = ""
    for _ in range(2):
        async with house(tmp_path, **chosen) as home:
            token = token or (await home.assistant.keys.add("one"))[1]
            metadata = (("authorization", f"Bearer {token}"), ("x-alejo-user", "ana"))
            await within(home.unary("alejo.v1.AdminService/GetInfo")(b"", metadata=metadata))
    async with house(tmp_path, **chosen) as home:
        refusal = await refused(home.unary("alejo.v1.AdminService/GetInfo")(b"", metadata=metadata))
        assert refusal.code is Code.RESOURCE_EXHAUSTED
    table.write_bytes(b"no table")
    with pytest.raises(StartupError, match=r"limits\.table"):
        async with house(tmp_path, **chosen):
            pass


async def test_a_stream_is_slowed_and_not_refused(tmp_path: Path) -> None:
    """Memories beyond the burst are all kept, at the rate; opening the stream is one call."""
    async with house(tmp_path, limits__items_per_second=100.0, limits__items_burst=10, limits__burst=2) as home:
        _, token = await home.assistant.keys.add("one")
        metadata = (("authorization", f"Bearer {token}"), ("x-alejo-user", "ana"))
        remember = home.stream("alejo.v1.MemoryService/RememberStream", memory_pb2.RememberStreamResponse, many=True)
        texts = [f"Fact {number}" for number in range(30)]
        frames = [memory_pb2.RememberStreamRequest(remember={"memory": {"text": text}}) for text in texts]
        began = time.monotonic()
        answers = await within(drained(remember(iter(frames), metadata=metadata)))
        assert [one.WhichOneof("result") for one in answers] == ["remembered"] * 30
        assert time.monotonic() - began >= 0.19


def knock(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


async def test_an_address_has_so_many_connections(tmp_path: Path) -> None:
    """Silent connections above an address's share are closed, older ones stay, and the log says whose they were."""
    async with house(tmp_path, limits__connections_per_address=4) as home:
        connections, port = home.server._connections, home.server.port
        assert connections
        assert port
        await within(home.unary("alejo.v1.AdminService/GetInfo")(b""))  # the first of the four
        older = [knock(port) for _ in range(3)]
        descriptors = len(os.listdir("/dev/fd"))
        while len(connections._known) < 4:  # gRPC may not have accepted all of them yet
            assert await within(connections.look()) == 0
        assert len(os.listdir("/dev/fd")) <= descriptors + 4, "looking leaves nothing open"
        newer = [knock(port) for _ in range(5)]
        while connections.closed < len(newer):
            await within(connections.look())
        for one in newer:
            assert await asyncio.to_thread(ended, one)
        assert not any(ended(one, 0.0) for one in older)
        await within(home.unary("alejo.v1.AdminService/GetInfo")(b""))
        for one in (*older, *newer):
            one.close()
        lines = [line for line in home.log() if line["event"] == "connections closed"]
        assert {address for line in lines for address in line["addresses"]} == {"127.0.0.1"}


def ended(one: socket.socket, seconds: float = 10.0) -> bool:
    """Whether the other end closes it in time: what gRPC had said before comes first."""
    one.settimeout(seconds)
    try:
        while one.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except (BlockingIOError, TimeoutError):
        return False
    return True


def test_a_standing_queue_closes_the_gate_in_part() -> None:
    """One late probe is a burst; from the second on a share is refused, never all; without a queue all may again."""
    backlog = Backlog(0.1)
    backlog.seen(0.5)
    assert all(backlog.admits(lambda: "a") for _ in range(100))
    for _ in range(20):
        backlog.seen(0.5)
    assert sum(backlog.admits(lambda: "a") for _ in range(1000)) == pytest.approx(500, abs=1)
    assert backlog.refused == pytest.approx(500, abs=1)
    backlog.seen(0.09)
    assert 0.5 < backlog.share < 0.6
    for _ in range(6):
        backlog.seen(0.001)
    assert all(backlog.admits(lambda: "a") for _ in range(100))


def test_a_modest_caller_is_spared() -> None:
    """Whoever makes few of the calls is let in although others are refused; one address alone is not modest."""
    backlog = Backlog(0.1)
    for _ in range(20):
        backlog.seen(0.5)
    admitted = {"loud": 0, "modest": 0}
    for number in range(1000):
        admitted["loud"] += backlog.admits(lambda: "loud")
        if number and number % 50 == 0:
            admitted["modest"] += backlog.admits(lambda: "modest")
    assert admitted["modest"] == 19
    assert admitted["loud"] < 600


async def test_what_is_refused_says_when_to_come_again(home: House) -> None:
    """An overloaded server refuses with RESOURCE_EXHAUSTED and a delay, and answers health; the probes end that."""
    gate = home.server._gate
    assert gate
    chat = home.unary(CHAT, chat_pb2.ChatResponse)
    gate.backlog.share = 0.0
    refusal = await refused(chat(chat_pb2.ChatRequest(text="hello")))
    assert (refusal.code, refusal.info.reason) == (Code.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert set(refusal.details) == {"RetryInfo", "QuotaFailure"}
    assert refusal.trailers["grpc-retry-pushback-ms"] == "1000"
    await within(home.unary("grpc.health.v1.Health/Check")(b""))
    async with asyncio.timeout(10):
        while gate.backlog.share < 1.0:
            await home.unary("grpc.health.v1.Health/Check")(b"")
    assert gate.backlog.delay < 5
    assert (await within(chat(chat_pb2.ChatRequest(text="hello")))).message.text == "hello"


async def test_a_probe_that_is_refused_was_late() -> None:
    """A probe that gRPC refuses, as too many wait, counts as late, and does not keep the next from being sent."""
    backlog, sent = Backlog(0.25), asyncio.Queue[int]()
    backlog.send = sent.put_nowait
    for number in (1, 2, 3):
        backlog.admits(lambda: "192.0.2.1")
        assert await within(sent.get()) == number
        backlog.ended(number)
    assert backlog.share < 1
    share = backlog.share
    backlog.ended(1)
    assert backlog.share == share
    backlog.stop()
