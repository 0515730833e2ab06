"""A server to be measured, in a process of its own: `python -m alejo_bench.serve KIND FOLDER`.

Kinds: `echo` is bare grpc.aio; `constant` a full turn with a brain that says one thing and no other role; `full` a full
turn with the four built-in plugins. Prints "ready ADDRESS TOKEN", then a line of figures for every line on standard
input, and ends with it.
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

from alejo import settings
from alejo.app import Assistant, open_assistant
from alejo.server import Server
from alejo.v1.chat_pb2 import ChatRequest

ECHO = "/alejo.bench.Echo/Echo"


async def _echo(request: ChatRequest, context: Any) -> ChatRequest:
    return request


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[str, str, Assistant | None]]:
    """Bare grpc.aio: one method, parsed and serialized, nothing else."""
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        _echo, request_deserializer=ChatRequest.FromString, response_serializer=ChatRequest.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("alejo.bench.Echo", {"Echo": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", "", None
    finally:
        await server.stop(0)


@asynccontextmanager
async def turns(kind: str, folder: Path) -> AsyncIterator[tuple[str, str, Assistant | None]]:
    """ALEJO as it ships, with a key; `constant` replaces the plugins by a brain that says one thing."""
    chosen = settings.read(
        {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")},
        {
            "server.address": "127.0.0.1:0",
            "server.metrics_address": "127.0.0.1:0",
            # The brain that says one thing has no distribution; it is trusted as the built-in one is.
            **({"plugins.trusted": [""]} if kind == "constant" else {}),
        },
    )
    constant = [EntryPoint("bench-constant", "alejo_bench.constant", "alejo")] if kind == "constant" else None
    async with open_assistant(settings=chosen, entry_points=constant) as assistant:
        _, token = await assistant.keys.add("bench")
        server = Server(assistant, socket=False)
        await server.start()
        try:
            yield f"127.0.0.1:{server.port}", token, assistant
        finally:
            await server.drain()


async def main(kind: str, folder: Path) -> None:
    """Serves until standard input ends."""
    async with echo() if kind == "echo" else turns(kind, folder) as (address, token, assistant):
        print(f"ready {address} {token}", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            figures: dict[str, Any] = {"cpu": time.process_time()}
            if assistant is not None:
                figures.update(assistant.storage.stats())  # type: ignore[attr-defined]
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
