"""A server with bad plugins beside a good one, as a process of its own, and the faults that are done to it.

`python -m tests.plugins.battery 1000` does so many faults and prints what `test_battery.py` holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from alejo.client import Client, connect
from alejo.errors import AlejoError, FailedPrecondition, ResourceExhausted
from alejo.testing.chaos import IMPORTS, install
from alejo.types import Ask, PluginState

CALL_SECONDS = 0.2
WAITED = 5.0  # what is not true by then is a lie; how soon it was true is a figure
LOADS = (*IMPORTS, "wrong version range", "duplicate name")
CALLS = ("raise", "exit", "hang", "stubborn", "block", "spin", "flood", "leak", "wrong")
BAD = """
from alejo.hooks import hookimpl
from alejo.testing import Chaos
from alejo.types import CommandSpec

CHAOS = Chaos(seconds=30.0)
CHAOS.spec = CommandSpec("{name}", "Misbehaves.", effects=())

@hookimpl
def alejo_register_commands(settings):
    return [CHAOS]
"""
BRAIN = """
from alejo.hooks import hookimpl

class Runner:
    async def respond(self, turn):
        command, _, arguments = turn.message.text.partition(" ")
        yield await turn.desk.run(command, arguments)

@hookimpl
def alejo_register_brain(settings):
    return Runner()
"""


class Found(msgspec.Struct):
    """What the battery saw. Times in seconds."""

    faults: int = 0
    exits: int = 0
    kinds: dict[str, int] = {}
    untrue: list[str] = []  # a listing or a health that was not true in time
    truth_seconds: list[float] = []
    quiet: list[float] = []  # other calls, before
    beside: list[float] = []  # other calls, meanwhile
    hog: list[float] = []  # other calls beside a CPU hog
    rss_mib: tuple[float, float] = (0.0, 0.0)


class Server:
    """The server under fire. Its plugins live in `site`."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.socket = folder / "data" / "alejo.sock"
        self.log = folder / "log"
        install(self.site, "aa-brain", BRAIN)
        for name in ("bad1", "bad2", "bad3", "hog"):
            install(self.site, name, BAD.replace("{name}", name))
        environment = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(self.site), *sys.path]),
            "ALEJO_DATA_PATH": str(folder / "data"),
            "ALEJO_DATA_KEY_FILE": str(folder / "key"),
            "ALEJO_SERVER_ADDRESS": "127.0.0.1:0",
            "ALEJO_SERVER_METRICS_ADDRESS": "",
            "ALEJO_REFLECTION_WORKERS": "0",
            "ALEJO_PLUGINS_TRUSTED": "aa-brain",
            "ALEJO_PLUGINS_DISABLED": "brain,emotion,memory,vision",
            "ALEJO_PLUGINS_CALL_SECONDS": str(CALL_SECONDS),
            "ALEJO_PLUGINS_IMPORT_SECONDS": "3.0",
            "ALEJO_PLUGINS_REST_SECONDS": "0.2",
        }
        command = [sys.executable, "-m", "alejo", "serve"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, env=environment, stderr=log, stdout=subprocess.DEVNULL)

    def rss(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / (1 << 20)


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Server, Client]]:
    """A server and its client; the server is killed at the end."""
    server = Server(folder)
    try:
        async with asyncio.timeout(30):
            while not server.log.read_text().count("ready in"):
                if server.process.poll() is not None:
                    raise AssertionError(server.log.read_text())
                await asyncio.sleep(0.05)
        async with connect(f"unix:{server.socket}") as client:
            rejected = {
                one.name: one.reason for one in (await client.plugins())[0] if one.state is PluginState.REJECTED
            }
            if rejected:
                raise AssertionError(f"a machine too busy to begin with: {rejected}")
            yield server, client
    finally:
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()


async def others(client: Client, seconds: list[float], stop: asyncio.Event) -> None:
    """Calls of somebody else, one after the other with a pause, each timed."""
    while not stop.is_set():
        began = time.perf_counter()
        with contextlib.suppress(ResourceExhausted):  # a server that is asked too much says so at once
            await client.info()
            seconds.append(time.perf_counter() - began)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.005)


async def true_within(
    client: Client, health: Any, name: str, wanted: set[PluginState], found: Found, kind: str
) -> None:
    """Looks whether the listing says one of these states, and health the same, within WAITED seconds."""
    began = time.perf_counter()
    while True:
        state = None
        try:
            state = {status.name: status.state for status in (await client.plugins())[0]}.get(name)
            served = (await health(HealthCheckRequest(service=f"plugin/{name}"))).status == HealthCheckResponse.SERVING
        except (grpc.aio.AioRpcError, ResourceExhausted):
            served = False
        took = time.perf_counter() - began
        if state in wanted and served == (state in {PluginState.ACTIVE, PluginState.DEGRADED}):
            found.truth_seconds.append(took)
            return
        if took > WAITED:
            found.untrue.append(f"{kind}, {name}: {state} after {took:.2f} s, wanted {wanted}, health {served}")
            return
        await asyncio.sleep(0.02)


async def load_fault(server: Server, client: Client, health: Any, kind: str, number: int, found: Found) -> None:
    """Installs a plugin that cannot be loaded, and asks the server to load it; it must be told as rejected."""
    name = f"load{number}"
    code = IMPORTS.get(kind, "from alejo.testing import Chaos\n")
    requires = "alejo>=7" if kind == "wrong version range" else "alejo"
    install(server.site, name, code, requires=requires)
    if kind == "duplicate name":
        install(server.site, f"{name}-twin", code, entry_point=name)
    try:
        await client.reload_plugin(name)
    except FailedPrecondition:
        pass  # as it should be: it was rejected
    except ResourceExhausted:
        await asyncio.sleep(0.1)
        await load_fault(server, client, health, kind, number, found)
        return
    except AlejoError as error:
        found.untrue.append(f"{kind}, {name}: {error!r}")
    await true_within(client, health, name, {PluginState.REJECTED}, found, kind)
    for file in server.site.glob(f"{name}*"):  # the next one looks at a shelf of the same size
        for inner in file.iterdir() if file.is_dir() else ():
            inner.unlink()
        (file.rmdir if file.is_dir() else file.unlink)()


async def call_fault(client: Client, health: Any, kind: str, name: str, found: Found) -> None:
    """A turn whose command misbehaves; afterwards the plugin's state must not be a lie."""
    said = ""
    try:
        async for _ in client.stream(Ask(f"{name} {kind}")):
            pass
    except AlejoError as error:
        said = repr(error)
    harmless = {PluginState.ACTIVE, PluginState.DEGRADED, PluginState.QUARANTINED}
    # What hung may also have been cut off by the interruption that was meant for the call before it: then it failed.
    wanted = harmless - {PluginState.ACTIVE} if kind in {"block", "spin"} else harmless
    await true_within(client, health, name, wanted, found, f"{kind} ({said})")


async def run(faults: int, seed: int = 7, quiet_seconds: float = 2.0) -> Found:
    """So many random faults, three at a time; then a CPU hog alone. Returns what was seen."""
    found, dice = Found(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="alejo-battery-") as folder:
        async with (
            serving(Path(folder)) as (server, client),
            grpc.aio.insecure_channel(f"unix:{server.socket}") as channel,
        ):
            health = channel.unary_unary(
                "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
            )
            await timed(client, found.quiet, asyncio.sleep(quiet_seconds))
            before = server.rss()
            kinds = [dice.choice((*LOADS, *CALLS * 2)) for _ in range(faults)]
            todo = list(enumerate(kinds))

            async def worker(bad: str) -> None:
                while todo:
                    number, kind = todo.pop()
                    if kind in LOADS:
                        await load_fault(server, client, health, kind, number, found)
                    else:
                        await call_fault(client, health, kind, bad, found)
                    found.faults += 1
                    found.kinds[kind] = found.kinds.get(kind, 0) + 1

            await timed(client, found.beside, asyncio.gather(*(worker(bad) for bad in ("bad1", "bad2", "bad3"))))
            found.rss_mib = (before, server.rss())
            for _ in range(max(3, faults // 20)):
                await timed(client, found.hog, call_fault(client, health, "spin", "hog", found))
            found.exits = int(server.process.poll() is not None)
    return found


async def timed(client: Client, seconds: list[float], work: Any) -> None:
    """Somebody else's calls while the work is done."""
    stop = asyncio.Event()
    caller = asyncio.create_task(others(client, seconds, stop))
    await work
    stop.set()
    await caller


def p99(seconds: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(seconds, n=100)[98] if len(seconds) > 1 else seconds[0]


def report(found: Found) -> dict[str, Any]:
    """The figures, times in milliseconds."""
    named = {"quiet": found.quiet, "beside": found.beside, "hog": found.hog}
    return {
        "faults": found.faults,
        "kinds": len(found.kinds),
        "exits": found.exits,
        "untrue": found.untrue,
        "truth_longest_ms": round(max(found.truth_seconds) * 1000, 1),
        **{f"p99_{name}_ms": round(p99(values) * 1000, 2) for name, values in named.items()},
        **{f"calls_{name}": len(values) for name, values in named.items()},
        "rss_mib": [round(value) for value in found.rss_mib],
    }


if __name__ == "__main__":
    figures = report(asyncio.run(run(int(sys.argv[1]), quiet_seconds=10.0)))
    print(json.dumps(figures, indent=1))
