"""What reflection costs the chat, how far behind it is, and what a turn costs it, on a server with its workers.

chat_p50_ratio_on_off    latency of a turn while workers work ÷ while they are paused: open loop at half of the
chat_p95_ratio_on_off    measured capacity, slices with the same arrivals interleaved, median of the pairs
chat_p95_ratio_async_sync  the same turns ÷ those of a server that reflects before it answers
chat_p95_ms              what these are ratios of; `commit_ms` is one bare durable commit on that disk
users_ratio_async_sync   users with a turn a second each that are served with the same p95, by one and the other
lag_p99_s                from a turn to the end of the work on it, at 100 turns a second, with one worker process
burst_drain_s            after ten times as many arrivals, until nothing is left; `burst_lost` counts turns
turns_s                  turns that one worker process works through in a second, when many wait
cpu_ratio_batch_single   its CPU for a turn, jobs of a user ten at a time ÷ one at a time
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import grpc
import lmdb

from alejo import __version__
from alejo.app import Assistant, Part, open_assistant
from alejo.settings import read
from alejo.storage.tables import SESSION_LOGS
from alejo.types import JobState, Page, Scope
from alejo.v1.chat_pb2 import ChatRequest, ChatResponse
from alejo.v1.sessions_pb2 import CreateSessionRequest
from alejo.v1.sessions_pb2_grpc import SessionsServiceStub

from .load import Caller, closed_loop
from .overhead import CHAT, TEXT
from .report import Row, row

USERS = 64
RATE = 100.0  # turns a second
RETRY_SECONDS = 0.05
COMMITS = 50
PAIRS = {"on_off": "off", "async_sync": "sync"}
BUSY = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)


class Sizes(NamedTuple):
    """How long and how often is measured."""

    pairs: int
    slice: float
    lag: float
    burst: float
    turns: int
    step: float


FULL = Sizes(5, 10.0, 60.0, 60.0, 3000, 5.0)
QUICK = Sizes(2, 3.0, 5.0, 5.0, 400, 2.0)


class Home:
    """A server of its own folder, as `alejo serve` starts it, and workers beside it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "ALEJO_SERVER_ADDRESS": "127.0.0.1:0",
            "ALEJO_SERVER_METRICS_ADDRESS": "",
            "ALEJO_LOG_LEVEL": "warning",
            **{f"ALEJO_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.address = ""
        self.sessions: list[str] = []
        self._running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **settings: object) -> subprocess.Popen[str]:
        """Starts a command of ours and waits until it says that it is ready."""
        more = {f"ALEJO_{name.upper()}": str(value) for name, value in settings.items()}
        process = subprocess.Popen(
            [sys.executable, "-m", "alejo", *arguments],
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        assert process.stderr  # noqa: S101 - it was opened above
        for line in process.stderr:
            if line.startswith("Listening on 127"):
                self.address = line.split()[2].rstrip(".")
            if line.startswith(("ready", "At work")):
                return process
        raise click.ClickException(f"alejo {arguments[0]} did not start")

    def stop(self, process: subprocess.Popen[str]) -> None:
        """Ends a command."""
        self._running.remove(process)
        process.terminate()
        process.communicate(timeout=30)

    def close(self) -> None:
        """Ends all."""
        for process in reversed(list(self._running)):
            self.stop(process)

    async def meet(self, users: int, sessions: int = 1) -> None:
        """Makes sessions for users."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub = SessionsServiceStub(channel)
            for number in range(users):
                for _ in range(sessions):
                    made = await stub.CreateSession(CreateSessionRequest(), metadata=_as(number))
                    self.sessions.append(made.session.id)
        self.each = sessions

    def callers(self, count: int) -> list[Caller]:
        """So many callers, each with the next session."""
        return [
            Caller(ChatRequest(session_id=session, text=TEXT).SerializeToString(), _as(number // self.each))
            for number, session in enumerate(self.sessions[:count])
        ]

    @asynccontextmanager
    async def inside(self) -> AsyncIterator[Assistant]:
        """The folder, seen from this process."""
        async with open_assistant(settings=read(self.environment), part=Part.SERVER, entry_points=[]) as assistant:
            yield assistant


def _as(number: int) -> tuple[tuple[str, str], ...]:
    return (("x-alejo-user", f"user-{number}"),)


@asynccontextmanager
async def home(**settings: object) -> AsyncIterator[Home]:
    """A server and its folder, both gone at the end."""
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        one = Home(Path(folder), **settings)
        try:
            one.start("serve")
            yield one
        finally:
            one.close()


async def open_loop(address: str, callers: Sequence[Caller], rate: float, seconds: float, seed: int) -> list[float]:
    """Turns that come by chance, so many a second, whatever the server does; returns how long each took, in s."""
    chance, took = random.Random(seed), list[float]()
    waiting = itertools.cycle(callers)
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(CHAT)

        async def turn(caller: Caller, due: float) -> None:
            while True:
                try:
                    await call(caller.request, metadata=caller.metadata)
                    break
                except grpc.aio.AioRpcError as refused:
                    if refused.code() not in BUSY:
                        raise
                    await asyncio.sleep(RETRY_SECONDS)
            took.append(time.perf_counter() - due)  # a turn that begins late, or was refused first, has waited

        began = due = time.perf_counter()
        tasks = []
        while (due := due + chance.expovariate(rate)) < began + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(turn(next(waiting), due)))
        await asyncio.gather(*tasks)
    return took


def quantile(values: Sequence[float], part: float) -> float:
    """What so many of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def measure(*, quick: bool) -> list[Row]:
    """Every figure of what reflection costs, on this machine."""
    return asyncio.run(_run(QUICK if quick else FULL))


async def _run(sizes: Sizes) -> list[Row]:
    rows = await _beside(sizes)
    rows += await _behind(sizes)
    return rows + await _working(sizes)


def _row(metric: str, unit: str, found: Sequence[float], case: str = "") -> Row:
    return row("reflection", case, "alejo", __version__, metric, unit, found)


async def _beside(sizes: Sizes) -> list[Row]:
    """What the chat notices of reflection, and what it would cost before the answer."""
    async with home() as one, home(reflection_mode="synchronous", reflection_workers=0) as other:
        for each in (one, other):
            await each.meet(USERS)
        capacity = (await closed_loop(one.address, CHAT, one.callers(16), sizes.slice)).rate
        rate = capacity / 2
        click.echo(f"reflection: capacity {capacity:.0f} turns/s, measured at {rate:.0f}", err=True)
        halves = list[float]()
        tails: dict[str, list[float]] = {"on": [], "off": [], "sync": []}
        async with one.inside() as inside:
            for number in range(sizes.pairs):
                found: dict[str, list[float]] = {}
                for what in ("on", "off", "sync") if number % 2 else ("off", "on", "sync"):
                    await inside.reflection.settled()
                    if what == "off":
                        await inside.reflection.register.pause()
                    where = other if what == "sync" else one
                    found[what] = await open_loop(where.address, where.callers(USERS), rate, sizes.slice, number)
                    if what == "off":
                        await inside.reflection.register.resume()
                halves.append(quantile(found["on"], 0.5) / quantile(found["off"], 0.5))
                for what, took in found.items():
                    tails[what].append(quantile(took, 0.95))
        most = median(tails["on"]) * 3
        commits = _commits(one.folder / "commits")
        served = [await _users(each, most, sizes.step) for each in (one, other)]
    return [
        _row("capacity", "turns/s", [capacity]),
        _row("chat_p50_ratio_on_off", "ratio", halves),
        *(_row(f"chat_p95_ratio_{name}", "ratio", _ratios(tails["on"], tails[to])) for name, to in PAIRS.items()),
        *(_row("chat_p95_ms", "ms", [each * 1e3 for each in took], what) for what, took in tails.items()),
        _row("commit_ms", "ms", commits),
        _row("users_ratio_async_sync", "ratio", [served[0] / served[1]]),
    ]


def _ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(above, below, strict=True)]


def _commits(folder: Path) -> list[float]:
    """What bare commits of one row each take, durable, in ms."""
    folder.mkdir()
    took = list[float]()
    with lmdb.open(str(folder)) as bare:
        for number in range(COMMITS):
            began = time.perf_counter()
            with bare.begin(write=True) as transaction:
                transaction.put(number.to_bytes(4, "big"), bytes(1024))
            took.append((time.perf_counter() - began) * 1e3)
    return took


async def _users(one: Home, most: float, seconds: float) -> float:
    """How many users with a turn a second each have a p95 of at most so many seconds, between two tried counts."""
    last, count = (0.0, 0.0), 4.0
    while True:
        tail = quantile(await open_loop(one.address, one.callers(USERS), count, seconds, 1), 0.95)
        if tail > most or count > 1 << 12:
            share = (most - last[1]) / (tail - last[1]) if tail > last[1] else 0.0
            return max(1.0, last[0] + (count - last[0]) * max(0.0, share))
        last, count = (count, tail), count * 1.5


async def _behind(sizes: Sizes) -> list[Row]:
    """How far behind reflection is, with one worker process beside the server."""
    async with home(reflection_workers=0) as one:
        await one.meet(USERS)
        one.start("reflect", "--workers", "1")
        rate = min(RATE, (await closed_loop(one.address, CHAT, one.callers(16), sizes.slice)).rate / 2)
        async with one.inside() as inside:
            await inside.reflection.settled()
            since = inside.clock.now()
            await open_loop(one.address, one.callers(USERS), rate, sizes.lag, 1)
            await inside.reflection.settled()
            lags = await _lags(inside, since)
            asked = await _asked(inside)
            turns = await open_loop(one.address, one.callers(USERS), 10 * rate, sizes.burst, 2)
            ended = time.perf_counter()
            await inside.reflection.settled()
            drained = time.perf_counter() - ended
            lost = asked + len(turns) - await _asked(inside)
    return [
        _row("lag_p99_s", "s", [quantile(lags, 0.99)], f"{rate:.0f} turns/s"),
        _row("burst_drain_s", "s", [drained]),
        _row("burst_lost", "turns", [lost]),
    ]


async def _lags(inside: Assistant, since: int) -> list[float]:
    """From the first turn of each job that began since then to its end, in seconds."""
    lags: list[float] = []
    for number in range(USERS):
        scope, token = Scope("local", f"user-{number}"), ""
        while True:
            jobs, token = await inside.reflection.register.list(scope, Page(1000, token), states=[JobState.DONE])
            lags += [(job.ended_at - job.created_at) / 1e6 for job in jobs if job.created_at >= since]
            if not token:
                break
    return lags


async def _asked(inside: Assistant) -> int:
    """The turns that were worked through."""
    scopes = [Scope("local", f"user-{number}") for number in range(USERS)]
    rows = [row for scope in scopes for row in await inside.store.scan(scope, SESSION_LOGS, limit=1000)]
    return sum(row.value.asked for row in rows)


async def _working(sizes: Sizes) -> list[Row]:
    """What a worker does in a second, and what a turn costs it in batches and alone."""
    rates, costs = list[float](), dict[int, float]()
    for batch in (10, 1):
        async with home(reflection_workers=0, reflection_batch=batch, reflection_linger_seconds=0) as one:
            await one.meet(1, USERS)
            async with one.inside() as inside:
                await inside.reflection.register.pause()
                worker = one.start("reflect", "--workers", "1")
                callers, spent, busy, done = one.callers(USERS), 0.0, 0.0, 0
                while done < sizes.turns:
                    done += await _once_each(one, callers)
                    before, began = _cpu(worker.pid), time.perf_counter()
                    await inside.reflection.register.resume()
                    await inside.reflection.settled()
                    busy += time.perf_counter() - began
                    spent += _cpu(worker.pid) - before
                    await inside.reflection.register.pause()
        costs[batch] = spent / done
        if batch > 1:
            rates = [done / busy]
    return [
        _row("turns_s", "turns/s", rates),
        _row("cpu_per_turn_ms", "ms", [costs[10] * 1e3]),
        _row("cpu_ratio_batch_single", "ratio", [costs[10] / costs[1]]),
    ]


async def _once_each(one: Home, callers: Sequence[Caller]) -> int:
    async with grpc.aio.insecure_channel(one.address) as channel:
        call: Any = channel.unary_unary(CHAT, response_deserializer=ChatResponse.FromString)
        await asyncio.gather(*(call(caller.request, metadata=caller.metadata) for caller in callers))
    return len(callers)


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used; fields 14 and 15 of proc_pid_stat(5), which come behind its name."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
