"""What the host adds to a call of a plugin: deadline, timing, breaker, the check of the answer; and for one that is not
trusted the way to its own loop and back.

    trusted_us     a call on the server's loop through the host, minus a plain await of the same coroutine, in µs
    apart_us       a call on the plugin's own loop through the host, minus the same plain await, in µs
    plain_us       the plain await itself
    methods_us     what 100 more methods, registered with gRPC the usual way, add to a call in CPU of the server's
                   process, and what they add behind one generic handler, as ALEJO has them; in µs for each method
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import click
import grpc

from alejo import __version__, testing
from alejo.clock import SystemClock
from alejo.hooks import hookimpl
from alejo.types import Appraisal

from .report import Row, row

MORE = 100
ECHO = "/bench.Echo/Echo"


class Calm:
    """Feels always the same."""

    async def appraise(self, text: str) -> Appraisal:
        """The one appraisal."""
        return _CALM

    @hookimpl
    def alejo_register_emotion(self, settings: Any) -> Calm:
        """Itself."""
        return self


_CALM = Appraisal(0.0, 0.0)


def run(options: Any) -> list[Row]:
    """Every figure."""
    rounds, calls = (3, 2_000) if options.quick else (9, 20_000)
    click.echo(f"plugins: {rounds} rounds of {calls} calls", err=True)
    rows = asyncio.run(_calls(rounds, calls))
    return rows + asyncio.run(_methods(rounds, max(calls // 10, 500)))


async def _calls(rounds: int, calls: int) -> list[Row]:
    calm = Calm()
    found: dict[str, list[float]] = {"plain_us": [], "trusted_us": [], "apart_us": []}
    async with (
        testing.host(Calm(), clock=SystemClock(), trusted=True) as here,
        testing.host(Calm(), clock=SystemClock()) as apart,
    ):
        slots = [one.plugins.every("emotion")[0] for one in (here, apart)]
        for number in range(rounds + 1):
            plain = await _each(lambda: calm.appraise("Hello"), calls)
            trusted = await _each(lambda: here.plugins.call(slots[0], "appraise", "Hello"), calls)
            lane = await _each(lambda: apart.plugins.call(slots[1], "appraise", "Hello"), calls // 4)
            if number:  # the first round warms up
                for name, value in (("plain_us", plain), ("trusted_us", trusted - plain), ("apart_us", lane - plain)):
                    found[name].append(value)
    return [row("plugins", "call", "alejo", __version__, name, "us", values) for name, values in found.items()]


async def _each(call: Callable[[], Awaitable[object]], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        await call()
    return (time.perf_counter() - began) / calls * 1e6


async def _methods(rounds: int, calls: int) -> list[Row]:
    """Servers with one method and with many, in turns; the client is in this process too, and cancels out."""
    found: dict[str, list[float]] = {"registered": [], "generic": []}
    servers = {(kind, more): await _server(kind, more) for kind in found for more in (0, MORE)}
    for number in range(rounds + 1):
        for kind, values in found.items():
            cost = {more: await _cpu(servers[kind, more][1], calls) for more in (0, MORE)}
            if number:
                values.append((cost[MORE] - cost[0]) / MORE)
    for server, _ in servers.values():
        await server.stop(None)
    versions = {"registered": ("grpc", grpc.__version__), "generic": ("alejo", __version__)}
    return [row("plugins", kind, *versions[kind], "methods_us", "us", values) for kind, values in found.items()]


async def _server(kind: str, more: int) -> tuple[grpc.aio.Server, int]:
    async def echo(request: bytes, context: Any) -> bytes:
        return request

    server = grpc.aio.server()
    names = ["Echo", *(f"Other{number}" for number in range(more))]
    handlers: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(echo) for name in names}
    if kind == "registered":
        server.add_registered_method_handlers("bench.Echo", handlers)
    else:
        server.add_generic_rpc_handlers((_Door({f"/bench.Echo/{name}": one for name, one in handlers.items()}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port


class _Door(grpc.GenericRpcHandler):
    def __init__(self, handlers: dict[str, Any]) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a call."""
        return self._handlers.get(handler_call_details.method)


async def _cpu(port: int, calls: int) -> float:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary(ECHO)
        for _ in range(50):
            await call(b"x")
        began = time.process_time()
        for _ in range(calls):
            await call(b"x")
        return (time.process_time() - began) / calls * 1e6
