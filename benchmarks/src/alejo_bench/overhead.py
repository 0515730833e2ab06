"""A full durable chat turn against a bare grpc.aio echo server, in the same run, rounds interleaved, closed loop.

Case "1", "16" and "64" are so many turns under way at once, each of a user of its own, with identity, limits,
validation, sealing, both commits, audit, log line and metrics on; the brain says one thing and the other roles are
vacant. "64-all" is 64 at once with the four built-in plugins and recall over 1,000 memories of each user.

    throughput_ratio   turns per second ÷ echoes per second
    p50_ratio          median latency of a turn ÷ that of an echo
    fsyncs_per_turn    flushes to disk ÷ turns
    interceptor_us     CPU that the gate (request id, key, limits, deadline, validation, metrics, errors) adds to a
                       call, in µs: an echo behind it minus the bare echo; `alejo+log` with the log line
    turns_per_second   the figure behind the first ratio; `echo` has its own row
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
import grpc

from alejo import __version__
from alejo.v1.chat_pb2 import ChatRequest
from alejo.v1.memory_pb2 import MemoryDraft, RecallRequest, RememberRequest, RememberStreamRequest
from alejo.v1.memory_pb2_grpc import MemoryServiceStub
from alejo.v1.sessions_pb2 import CreateSessionRequest
from alejo.v1.sessions_pb2_grpc import SessionsServiceStub

from .load import Caller, Load, closed_loop
from .report import Row, row
from .serve import ECHO

CHAT = "/alejo.v1.ChatService/Chat"
CASES = {"1": ("constant", 1), "16": ("constant", 16), "64": ("constant", 64), "64-all": ("full", 64)}
MEMORIES = 1000
TEXT = "I walked along the river this morning and thought about the garden."
QUESTION = "Who walked to the garden by the river?"


class Child:
    """A server in a process of its own."""

    def __init__(self, kind: str, folder: Path) -> None:
        with (folder / f"{kind}.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "alejo_bench.serve", kind, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self._out.readline().split(" ")
        if line[0] != "ready":
            raise click.ClickException(
                f"The server to be measured did not start: {(folder / f'{kind}.log').read_text()}"
            )
        self.address, self.token = line[1].strip(), line[2].strip()

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None  # noqa: S101 - it was opened above
        return self._process.stdout

    def figures(self, recalls: dict[str, Any] | None = None) -> dict[str, Any]:
        """CPU seconds so far, and the storage's counters; after recalls of the library, if any are asked for."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write((json.dumps(recalls) if recalls else "") + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._out.readline())
        return found

    def close(self) -> None:
        """Ends it."""
        self._process.communicate(timeout=30)


@contextmanager
def child(kind: str) -> Iterator[Child]:
    """A server and its folder, both gone at the end."""
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        process = Child(kind, Path(folder))
        try:
            yield process
        finally:
            process.close()


def run(options: Any) -> list[Row]:
    """Every case."""
    rounds, seconds = (2, 0.5) if options.quick else (5, 3.0)
    rows: list[Row] = []
    with child("echo") as echo:
        for case, (kind, concurrency) in CASES.items():
            click.echo(f"overhead {case}: {rounds} rounds of {2 * seconds:.0f} s", err=True)
            with child(kind) as server:
                rows += asyncio.run(_case(case, echo, server, concurrency, rounds, seconds))
        click.echo(f"overhead of the gate: {rounds} rounds of {3 * seconds:.0f} s", err=True)
        with child("gate") as silent, child("gate+log") as logging:
            rows += asyncio.run(_gate(echo, silent, logging, rounds, seconds))
    return rows


async def _gate(echo: Child, silent: Child, logging: Child, rounds: int, seconds: float) -> list[Row]:
    message = ChatRequest(session_id="0" * 32, text=TEXT).SerializeToString()
    costs: dict[str, list[float]] = {"alejo": [], "alejo+log": []}
    for number in range(rounds + 1):
        bare = await _cpu(echo, ECHO, message, seconds)
        for system, server in (("alejo", silent), ("alejo+log", logging)):
            cost = await _cpu(server, CHAT, message, seconds)
            if number:  # the first round warms up
                costs[system].append((cost - bare) * 1e6)
    return [
        row("overhead", "64", system, __version__, "interceptor_us", "us", found) for system, found in costs.items()
    ]


async def _cpu(server: Child, method: str, message: bytes, seconds: float) -> float:
    """CPU seconds of the server's process a call, at 64 at once."""
    callers = [
        Caller(message, (("authorization", f"Bearer {server.token}"), ("x-alejo-user", f"user-{number}")))
        if server.token
        else Caller(message)
        for number in range(64)
    ]
    before = server.figures()["cpu"]
    load = await closed_loop(server.address, method, callers, seconds)
    return float(server.figures()["cpu"] - before) / load.calls


async def _case(case: str, echo: Child, server: Child, concurrency: int, rounds: int, seconds: float) -> list[Row]:
    callers = await _callers(server, concurrency, full=case.endswith("-all"))
    echoing = [Caller(callers[0].request) for _ in range(concurrency)]
    await closed_loop(server.address, CHAT, callers, seconds / 3)
    await closed_loop(echo.address, ECHO, echoing, seconds / 3)
    pairs: list[tuple[Load, Load]] = []
    fsyncs: list[float] = []
    for _ in range(rounds):
        before = server.figures()
        turn = await closed_loop(server.address, CHAT, callers, seconds)
        after = server.figures()
        pairs.append((await closed_loop(echo.address, ECHO, echoing, seconds), turn))
        fsyncs.append((after["syncs"] - before["syncs"]) / turn.calls)
    ours = ("overhead", case, "alejo", __version__)
    theirs = ("overhead", case, "echo", grpc.__version__)
    return [
        row(*ours, "throughput_ratio", "ratio", [turn.rate / bare.rate for bare, turn in pairs]),
        row(*ours, "p50_ratio", "ratio", [turn.p50 / bare.p50 for bare, turn in pairs]),
        row(*ours, "fsyncs_per_turn", "flushes", fsyncs),
        row(*ours, "turns_per_second", "1/s", [turn.rate for _, turn in pairs]),
        row(*theirs, "turns_per_second", "1/s", [bare.rate for bare, _ in pairs]),
    ]


async def _callers(server: Child, count: int, *, full: bool) -> list[Caller]:
    callers = []
    async with grpc.aio.insecure_channel(server.address) as channel:
        sessions = SessionsServiceStub(channel)
        for number in range(count):
            metadata = (("authorization", f"Bearer {server.token}"), ("x-alejo-user", f"user-{number}"))
            made = await sessions.CreateSession(CreateSessionRequest(), metadata=metadata)
            if full:
                await fill(channel, metadata, sentences(number, MEMORIES))
            text = QUESTION if full else TEXT
            request = ChatRequest(session_id=made.session.id, text=text)
            callers.append(Caller(request.SerializeToString(), metadata))
    return callers


async def fill(channel: grpc.aio.Channel, metadata: Sequence[tuple[str, str]], texts: Sequence[str]) -> None:
    """Remembers the texts of a user, and recalls once."""
    stream = MemoryServiceStub(channel).RememberStream(metadata=metadata)

    async def send() -> None:
        for text in texts:
            draft = MemoryDraft(text=text, kind="statement")
            await stream.write(RememberStreamRequest(remember=RememberRequest(memory=draft)))
        await stream.done_writing()

    sending = asyncio.create_task(send())
    async for answer in stream:
        if answer.HasField("failure"):
            raise click.ClickException(answer.failure.message)
    await sending
    # A user's index is loaded when they first recall; that is not a turn's cost.
    await MemoryServiceStub(channel).Recall(RecallRequest(query=QUESTION), metadata=metadata)


def sentences(seed: int, count: int) -> list[str]:
    """Plain sentences about a life, the same for the same seed."""
    pick = random.Random(seed).choice
    who = ["I", "My sister", "My neighbour", "Our teacher", "My friend Ada", "Grandfather", "The baker", "My dog"]
    did = ["walked to", "talked about", "dreamed of", "painted", "photographed", "missed", "cleaned", "looked for"]
    what = ["the garden", "an old bicycle", "the river", "the train station", "a blue kite", "the library", "the moon"]
    when = ["on Monday", "last winter", "this morning", "in May", "after lunch", "during the storm", "at night"]
    how = ["quietly", "with joy", "for hours", "without a map", "in the rain", "together", "twice", "at last"]
    return [f"{pick(who)} {pick(did)} {pick(what)} {pick(when)}, {pick(how)}." for _ in range(count)]
