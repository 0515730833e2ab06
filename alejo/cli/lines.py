"""A chat without a terminal: a line in, a line out."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

import click

from alejo.errors import AlejoError, InvalidArgument

from . import output, slash
from .exits import Exit
from .talk import Talk


async def converse(talk: Talk) -> int:
    """Answers every line of stdin on stdout. Returns the exit code: FAILED if a line could not be answered."""
    code = Exit.OK
    async for raw in _stdin():
        try:
            line = _decoded(raw)
            if line.startswith("/") and not line.startswith("//"):
                await slash.obey(talk, line, output.say)
            elif line:
                answer = await talk.ask(line.removeprefix("/"), _nothing)
                click.echo(output.one_line(answer.message.text))
                for reminder in answer.reminders:
                    await talk.due.show(reminder)
        except slash.Quit:
            break
        except AlejoError as error:
            output.report(error)
            code = Exit.FAILED
    return code


def _nothing(_: str) -> None:
    """The whole answer is printed at once, when it is on disk."""


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise InvalidArgument("A line is not UTF-8; it was left out.") from None


async def _stdin() -> AsyncIterator[bytes]:
    """The lines of stdin, read in a thread: a file cannot be watched by the loop, and a pipe must not block it."""
    loop = asyncio.get_running_loop()
    buffer = b""
    while True:
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            yield line
        future: asyncio.Future[bytes] = loop.create_future()
        # A daemon with os.read: neither the interpreter's end nor Ctrl-C waits for a line that never comes.
        threading.Thread(target=_read, args=(loop, future), daemon=True).start()
        chunk = await future
        if not chunk:
            break
        buffer += chunk
    if buffer:
        yield buffer


def _read(loop: asyncio.AbstractEventLoop, future: asyncio.Future[bytes]) -> None:
    try:
        chunk = os.read(0, 65536)
    except OSError:
        chunk = b""

    def deliver() -> None:
        if not future.done():
            future.set_result(chunk)

    if not loop.is_closed():
        loop.call_soon_threadsafe(deliver)
