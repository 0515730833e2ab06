"""A small HTTP/1.1 server on loopback, of which a test can see every byte and break any answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
_MOST = 64 << 20


class Asked(NamedTuple):
    """A request: its headers by their lower-case names, its query, and its body."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises msgspec.DecodeError."""
        return msgspec.json.decode(self.body)


class Reply:
    """What goes back to one client. A stream is begun with `begin`; `drop` ends it without an end."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.streams = False

    async def json(self, value: Any, status: int = 200, **headers: str) -> None:
        """Answers with an object."""
        await self.raw(msgspec.json.encode(value), status, "application/json", **headers)

    async def raw(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        """Answers with bytes."""
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", f"content-type: {kind}"]
        lines += [f"content-length: {len(body)}", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self._writer.drain()

    async def event(self, value: Any, name: str = "") -> None:
        """Sends one server-sent event: text as it stands, anything else as JSON."""
        if not self.streams:
            self.streams = True
            head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            self._writer.write(head.encode())
        data = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        event = f"event: {name}\n" * bool(name) + f"data: {data}\n\n"
        self._writer.write(f"{len(event.encode()):x}\r\n{event}\r\n".encode())
        await self._writer.drain()

    async def end(self) -> None:
        """Ends a stream as it should end."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def drop(self) -> None:
        """Breaks the connection."""
        self._writer.transport.abort()


class HttpServer:
    """Serves one coroutine on a free port of loopback, or on `port`, while it is open."""

    def __init__(self, answer: Callable[[Asked, Reply], Awaitable[None]], port: int = 0) -> None:
        self._answer = answer
        self._port = port
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> HttpServer:
        """Opens the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, limit=_MOST)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes the port and ends what is under way."""
        if self._server is not None:
            self._server.close()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.current_task()
        if call is not None:
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while (asked := await _read(reader)) is not None:
                    await self._answer(asked, Reply(writer))
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    first = await reader.readline()
    if not first.strip():
        return None
    method, target, _ = first.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while line := (await reader.readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, body)
