"""A client in a process of its own that calls at a steady rate, however the server fares: `python load.py SPEC`.

SPEC is JSON: address, method, request (hexadecimal), users, seconds, connections, and rate (calls a second) or at_once
(so many callers each of which calls again when it was answered). It speaks HTTP/2 by itself: a client of gRPC would
need as much of the machine as the server it calls. Prints "ready", and at the end JSON: for each call when it was made
(Unix time), the seconds until its end, and "answered", "refused" (a status without a message), "reset" or "lost" (not
within five seconds after the last).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from typing import Any

import frames

PATIENCE = 5.0


class Connection(asyncio.Protocol):
    """One connection and the calls on it."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._reader = frames.Reader()
        self._open: dict[int, list[Any]] = {}
        self._next = 1
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(frames.hello())

    def call(self, block: bytes, body: bytes) -> None:
        stream, self._next = self._next, self._next + 2
        self._open[stream] = [time.time(), time.perf_counter(), False]
        head = frames.frame(frames.HEADERS, block, flags=frames.END_HEADERS, stream=stream)
        self._transport.write(head + frames.frame(frames.DATA, body, flags=frames.END_STREAM, stream=stream))

    def data_received(self, data: bytes) -> None:
        for one in self._reader.feed(data):
            kind, flags, stream, _ = one
            call = self._open.get(stream)
            if call is None:
                if reply := frames.answers(one):
                    self._transport.write(reply)
            elif kind == frames.DATA:
                call[2] = True
            elif kind == frames.RST_STREAM:
                self._end(stream, "reset")
            if call is not None and flags & frames.END_STREAM and kind in {frames.DATA, frames.HEADERS}:
                self._end(stream, "answered" if call[2] else "refused")

    def _end(self, stream: int, how: str) -> None:
        call = self._open.pop(stream, None)
        if call is not None:
            self._load.ended(self, call[0], time.perf_counter() - call[1], how)

    def connection_lost(self, error: Exception | None) -> None:
        for stream in list(self._open):
            self._end(stream, "lost")

    def close(self) -> None:
        self._transport.close()


class Load:
    """The calls of one spec."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.found: list[tuple[float, float, str]] = []
        path = f"/{spec['method']}"
        names = [(("x-alejo-user", f"user-{n}"),) for n in range(spec["users"])] or [()]
        self._blocks = [frames.request(path, *name) for name in names]
        self._body = frames.message(bytes.fromhex(spec["request"]))
        self._number = 0
        self._end = 0.0
        self._ended = asyncio.Event()

    def ended(self, connection: Connection, began: float, took: float, how: str) -> None:
        """A call has ended; in a closed loop the next one follows."""
        self.found.append((began, took, how))
        self._ended.set()
        if self.spec.get("at_once") and time.monotonic() < self._end and how != "lost":
            self._call(connection)

    def _call(self, connection: Connection) -> None:
        self._number += 1
        connection.call(self._blocks[self._number % len(self._blocks)], self._body)

    async def _done(self) -> None:
        while len(self.found) < self._number:
            self._ended.clear()
            await self._ended.wait()

    async def run(self) -> None:
        """All of them."""
        loop, spec = asyncio.get_running_loop(), self.spec
        host, _, port = spec["address"].rpartition(":")
        connections = [
            (await loop.create_connection(lambda: Connection(self), host, int(port)))[1]
            for _ in range(spec.get("connections", 1))
        ]
        print("ready", flush=True)
        due = time.monotonic()
        self._end = due + spec["seconds"]
        for number in range(spec.get("at_once", 0)):
            self._call(connections[number % len(connections)])
        chance, number = random.Random(1), 0
        while spec.get("rate") and due < self._end:
            if (rest := due - time.monotonic()) > 0:
                await asyncio.sleep(rest)
            self._call(connections[number % len(connections)])
            number += 1
            due += chance.expovariate(spec["rate"])
        await asyncio.sleep(max(0.0, self._end - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._done(), PATIENCE)
        for one in connections:
            one.close()
        await asyncio.sleep(0)


if __name__ == "__main__":
    load = Load(json.loads(sys.argv[1]))
    asyncio.run(load.run())
    print(json.dumps(load.found))
