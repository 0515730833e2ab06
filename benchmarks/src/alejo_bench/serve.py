"""A server to be measured, in a process of its own: `python -m alejo_bench.serve KIND FOLDER`.

Kinds: `echo` is bare grpc.aio; `gate` the same echo behind ALEJO's gate, `gate+log` with its log line too; `constant` a
full turn with a brain that says one thing and no other role; `full` a full turn with the four built-in plugins. Prints
"ready ADDRESS TOKEN", then a line of figures for every line on standard input, and ends with it. A line may ask for
recalls of the library, which are done before.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import grpc

from alejo import log, settings
from alejo.app import Assistant, Part, open_assistant
from alejo.metrics import Metrics
from alejo.server import Server
from alejo.server.call import Call
from alejo.server.gate import Gate
from alejo.server.limits import Limits
from alejo.server.methods import methods
from alejo.types import Page, Scope
from alejo.v1.chat_pb2 import ChatRequest

ECHO = "/alejo.bench.Echo/Echo"


async def _echo(request: ChatRequest, context: Any) -> ChatRequest:
    return request


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[str, str, Assistant | None]]:
    """Bare grpc.aio: one method, parsed and serialized, nothing else."""
    handler: Any = grpc.unary_unary_rpc_method_handler(
        _echo, request_deserializer=ChatRequest.FromString, response_serializer=ChatRequest.SerializeToString
    )
    async with _listening("alejo.bench.Echo", "Echo", handler) as address:
        yield address, "", None


async def _echo_behind(call: Call, request: ChatRequest) -> ChatRequest:
    return request


@asynccontextmanager
async def gate(kind: str, folder: Path) -> AsyncIterator[tuple[str, str, Assistant | None]]:
    """The same echo behind the gate: request id, identity by key, limits, deadline, validation, metrics, errors."""
    log.configure("info" if kind.endswith("+log") else "warning")
    async with open_assistant(settings=_settings(kind, folder), entry_points=[]) as assistant:
        _, token = await assistant.keys.add("bench")
        door = Gate(
            assistant.keys,
            Metrics(),
            limits=Limits.of(assistant.settings),
            local=frozenset(),
            anyone=False,
        )
        chat = next(method for method in methods(reflection=False) if method.label == "alejo.v1.ChatService/Chat")
        handler: Any = grpc.stream_unary_rpc_method_handler(door.unary(chat, _echo_behind))
        async with _listening(chat.service, chat.name, handler) as address:
            yield address, token, None


@asynccontextmanager
async def _listening(service: str, method: str, handler: Any) -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def turns(kind: str, folder: Path) -> AsyncIterator[tuple[str, str, Assistant | None]]:
    """ALEJO as it ships, with a key; `constant` replaces the plugins by a brain that says one thing."""
    log.configure("info")
    chosen = _settings(kind, folder)
    constant = [EntryPoint("bench-constant", "alejo_bench.constant", "alejo")] if kind == "constant" else None
    async with open_assistant(settings=chosen, entry_points=constant, part=Part.SERVER) as assistant:
        _, token = await assistant.keys.add("bench")
        server = Server(assistant, socket=False)
        await server.start()
        try:
            yield f"127.0.0.1:{server.port}", token, assistant
        finally:
            await server.drain()


def _settings(kind: str, folder: Path) -> settings.Settings:
    return settings.read(
        {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")},
        {
            "server.address": "127.0.0.1:0",
            "server.metrics_address": "127.0.0.1:0",
            # The callers of the bench share few names, so their rates are on and beyond any reach.
            "limits.requests_per_second": 1e6,
            "limits.burst": 1_000_000,
            "limits.items_per_second": 1e6,
            "limits.items_burst": 1_000_000,
            # The brain that says one thing has no distribution; it is trusted as the built-in one is.
            **({"plugins.trusted": [""]} if kind == "constant" else {}),
        },
    )


KINDS = {"gate": gate, "gate+log": gate, "constant": turns, "full": turns}


async def _recall(assistant: Assistant, user: str, queries: list[str], times: int) -> None:
    scope = Scope("local", user)
    for query in queries * times:
        await assistant.memories.recall(scope, query, Page(10))


async def main(kind: str, folder: Path) -> None:
    """Serves until standard input ends."""
    async with echo() if kind == "echo" else KINDS[kind](kind, folder) as (address, token, assistant):
        print(f"ready {address} {token}", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if assistant is not None and line.strip():
                await _recall(assistant, **json.loads(line))
            figures: dict[str, Any] = {"cpu": time.process_time()}
            if assistant is not None:
                figures.update(assistant.storage.stats())  # type: ignore[attr-defined]
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
