"""Started, announced, drained."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from alejo.server import Server
from alejo.v1 import chat_pb2, memory_pb2

from .house import drained, ended, house, within

CHAT = "alejo.v1.ChatService/Chat"
CONVERSE = "alejo.v1.ChatService/Converse"
Code = grpc.StatusCode

CHILD = """
import asyncio, sys
from pathlib import Path
from alejo import log, settings
from alejo.app import open_assistant
from alejo.server import serve
sys.path.insert(0, sys.argv[2])
from house import Parrot

def announce(server):
    print(server.port, flush=True)

async def main():
    path = Path(sys.argv[1])
    chosen = settings.read({"HOME": str(path)}, {
        "data.path": str(path / "data"), "server.address": "127.0.0.1:0", "server.metrics_address": "127.0.0.1:0",
        "server.drain_seconds": float(sys.argv[3]),
    })
    log.configure("info")
    async with open_assistant(settings=chosen, entry_points=[]) as assistant:
        assistant.conversation = Parrot()
        await serve(assistant, announce=announce)

asyncio.run(main())
"""


@asynccontextmanager
async def serving(path: Path, drain_seconds: float) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server in a process of its own, and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", CHILD, str(path), str(Path(__file__).parent), str(drain_seconds)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        port = (await within(process.stdout.readline())).decode().strip()
        yield process, f"127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_sigterm_under_load_fails_nothing_in_flight(tmp_path: Path) -> None:
    """Calls under way at SIGTERM are answered, later ones are UNAVAILABLE, idle streams end, and the exit code is 0."""
    async with serving(tmp_path, 5.0) as (process, address):
        ends: list[Code | None] = []
        first = asyncio.Event()

        async def caller(channel: grpc.aio.Channel) -> None:
            chat = channel.unary_unary(f"/{CHAT}", response_deserializer=chat_pb2.ChatResponse.FromString)
            while True:
                try:
                    await chat(b"\x1a\x02hi", timeout=5)
                except grpc.aio.AioRpcError as error:
                    ends.append(error.code())
                    return
                ends.append(None)
                first.set()

        async with grpc.aio.insecure_channel(address) as channel:
            watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
            await within(watch.read())
            converse = channel.stream_stream(f"/{CONVERSE}")()
            callers = [asyncio.create_task(caller(channel)) for _ in range(16)]
            await within(first.wait())
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            await within(asyncio.gather(*callers))
            for stream in (watch, converse):
                assert await ended(stream) is Code.UNAVAILABLE
            assert await within(process.wait()) == 0
        assert time.monotonic() - started < 20
        assert set(ends) == {None, Code.UNAVAILABLE}
        assert ends.count(Code.UNAVAILABLE) == 16


async def test_what_does_not_finish_is_ended_in_time(tmp_path: Path) -> None:
    """A turn that takes longer than server.drain_seconds ends as UNAVAILABLE within it."""
    async with serving(tmp_path, 1.0) as (process, address):
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.unary_stream("/alejo.v1.ChatService/ChatStream")(b"\x0a\x06\x1a\x04wait")
            await within(call.read())
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert await ended(call) is Code.UNAVAILABLE
            assert await call.details() == "The server is draining; try again in a moment."
            assert await within(process.wait()) == 0
        assert 0.4 < time.monotonic() - started < 20


async def test_a_second_signal_is_immediate(tmp_path: Path) -> None:
    """The second SIGTERM does not wait for the calls under way."""
    async with serving(tmp_path, 60.0) as (process, address), grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_stream("/alejo.v1.ChatService/ChatStream")(b"\x0a\x06\x1a\x04wait")
        await within(call.read())
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        await within(watch.read())
        process.send_signal(signal.SIGTERM)
        assert await ended(watch) is Code.UNAVAILABLE
        process.send_signal(signal.SIGTERM)
        assert await within(process.wait()) == 0
        assert await ended(call) in {Code.UNAVAILABLE, Code.CANCELLED}


async def test_a_turn_under_way_finishes_before_its_stream_ends(tmp_path: Path) -> None:
    """While draining, Converse answers the turn it is at, then ends as UNAVAILABLE with the next one untouched."""
    async with house(tmp_path) as home:
        call = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)()
        for text in ("wait", "hello"):
            await call.write(chat_pb2.ConverseRequest(chat={"text": text, "request_id": text}))
        await within(home.parrot.waiting.wait())
        draining = asyncio.ensure_future(home.server.drain(5.0))
        frames = [await within(call.read())]
        home.parrot.released.set()
        while frames[-1].WhichOneof("frame") != "done":
            frames.append(await within(call.read()))
        last = await within(call.read())
        assert last.draining.request_ids == ["hello"]
        assert last.draining.retry_delay.seconds == 1
        assert await ended(call) is Code.UNAVAILABLE
        assert frames[-1].done.request_id == "wait"
        assert {frame.request_id for frame in frames} == {"wait"}
        await within(draining)


async def test_a_turn_that_is_cut_is_named_in_the_last_frame(tmp_path: Path) -> None:
    """When the time of a drain is over, each stream says which request to send again before it ends as UNAVAILABLE."""
    async with house(tmp_path) as home:
        converse = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)()
        for text in ("wait", "hello"):
            await converse.write(chat_pb2.ConverseRequest(chat={"text": text, "request_id": text}))
        accepted = await within(converse.read())
        stream = home.stream("alejo.v1.ChatService/ChatStream", chat_pb2.ChatStreamResponse)
        chat = stream(chat_pb2.ChatStreamRequest(chat={"text": "wait"}))
        made = (await within(chat.read())).accepted.request_id
        await within(home.server.drain(0.6))
        assert accepted.request_id == "wait"
        assert (await within(converse.read())).draining.request_ids == ["wait", "hello"]
        assert (await within(chat.read())).draining.request_ids == [made]
        for call in (converse, chat):
            assert await ended(call) is Code.UNAVAILABLE
        (drained_line,) = (line for line in home.log() if line["event"] == "drained")
        assert drained_line["unfinished"] == 2


async def test_a_slow_reader_does_not_hold_the_server(tmp_path: Path) -> None:
    """A client that reads nothing misses the last frame, and the server ends in its time."""
    async with house(tmp_path) as home:
        stream = home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)()
        for number in range(16):
            await stream.write(
                chat_pb2.ConverseRequest(chat={"text": "many" + "x" * 30_000, "request_id": str(number)})
            )
        assert home.server._gate is not None
        while not home.server._gate.calls:  # noqa: ASYNC110
            await asyncio.sleep(0)
        started = time.monotonic()
        await within(home.server.drain(1.0))
        assert time.monotonic() - started < 20
        stream.cancel()


async def test_idle_streams_do_not_hold_the_server(tmp_path: Path) -> None:
    """Streams that only wait for their clients end at once when the server drains."""
    async with house(tmp_path) as home:
        calls = [
            home.stream(CONVERSE, chat_pb2.ConverseResponse, many=True)(),
            home.stream("alejo.v1.MemoryService/RememberStream", memory_pb2.RememberStreamResponse, many=True)(),
            home.stream("alejo.v1.MemoryService/RecallStream", memory_pb2.RecallStreamResponse, many=True)(),
        ]
        chat = home.unary(CHAT, chat_pb2.ChatResponse)
        await within(chat(chat_pb2.ChatRequest(text="hi")))
        assert home.server._gate is not None
        # The streams reach the server in their own time.
        while len(home.server._gate.calls) < len(calls) or not all(one.idle for one in home.server._gate.calls):  # noqa: ASYNC110
            await asyncio.sleep(0)
        started = time.monotonic()
        await within(home.server.drain(30.0))
        assert time.monotonic() - started < 20
        for call in calls:
            assert (await within(call.read())).HasField("draining")
            assert await ended(call) is Code.UNAVAILABLE


async def test_it_starts_again_after_it_stopped(tmp_path: Path) -> None:
    """A stopped server has given everything back: another one serves the same assistant, by socket alone."""
    async with house(tmp_path) as home:
        await home.server.drain(0.0)
        await within(home.server.wait())
        server = Server(home.assistant, tcp=False, metrics=False)
        await server.start()
        assert server.port is None
        assert server.metrics_port is None
        async with grpc.aio.insecure_channel(f"unix:{server.socket_path}") as channel:
            frames = await drained(channel.unary_stream("/alejo.v1.ChatService/ChatStream")(b"\x0a\x04\x1a\x02hi"))
            assert len(frames) == 3
        await server.drain()
        assert not any("Try it" in line for line in server.lines())


async def test_the_banner_says_where_and_who(tmp_path: Path) -> None:
    """What is announced names every address, that local callers need no key, and a call to try."""
    async with house(tmp_path, server__metrics_address="127.0.0.1:0") as home:
        text = "\n".join(home.server.lines())
        for part in (f"127.0.0.1:{home.server.port}", f"unix:{home.server.socket_path}", "local/me", "buf curl"):
            assert part in text
        assert f"http://127.0.0.1:{home.server.metrics_port}/metrics" in text
