"""The server's end of its workers: their batches ride in its group commits.

Two processes that commit by themselves wait for each other's syncs; through here they share them. Who may enter the
socket could write to the records as well: it is this operating system user's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import structlog

from alejo.errors import AlejoError, StartupError

from . import Storage
from .frames import (
    Commit,
    Committed,
    FromServer,
    FromWorker,
    Hello,
    Leave,
    Refused,
    Welcome,
    arrived,
    packed,
    receive,
    refusal,
)
from .store import Store

CAPACITY = 1_000
LEAVING_SECONDS = 15.0
IN_USE = 75  # EX_TEMPFAIL of sysexits(3)


class Guest:
    """A worker that is connected, and its commits under way."""

    def __init__(self, hello: Hello, writer: asyncio.StreamWriter) -> None:
        self.owner = hello.owner
        self.pid = hello.pid
        self.commits: set[asyncio.Task[None]] = set()
        self._writer = writer

    def say(self, frame: FromServer) -> None:
        """Sends a frame; to one that is gone it is lost."""
        if not self._writer.is_closing():
            self._writer.write(packed(frame))


class Relay:
    """Listens for workers. `guests` are here; `commits` counts what they sent and is on disk."""

    def __init__(self, storage: Storage, store: Store, *, capacity: int = CAPACITY) -> None:
        self.guests: list[Guest] = []
        self.commits = 0
        self._storage = storage
        self._store = store
        self._capacity = capacity
        self._admitting = asyncio.Event()
        self._admitting.set()
        self._left = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._decoder = msgspec.msgpack.Decoder(FromWorker)

    async def open(self, path: Path) -> None:
        """Listens at `path`, whose folder the caller serves: what is there is stale. Raises StartupError."""
        self._server = await asyncio.start_unix_server(self._greet, sock=_listening(path))
        self._path = path

    @contextlib.asynccontextmanager
    async def cleared(self) -> AsyncIterator[None]:
        """Has every worker close the records for the block, as far as they do in time; then they come back."""
        self._admitting.clear()
        try:
            for guest in self.guests:
                guest.say(Leave())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVING_SECONDS):
                    while self.guests:
                        self._left.clear()
                        await self._left.wait()
            yield
        finally:
            self._admitting.set()

    async def close(self) -> None:
        """Answers what came, and lets go of everybody. May be called twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
        for call in list(self._calls):
            call.cancel()
        if self._calls:
            await asyncio.wait(self._calls)

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._call(reader, writer))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One worker, until it or the server goes. What it sent is answered even then."""
        guest: Guest | None = None
        try:
            if _stranger(writer.get_extra_info("socket")):
                return
            hello = await receive(reader, self._decoder)
            await self._admitting.wait()
            if not isinstance(hello, Hello):
                return
            guest = Guest(hello, writer)
            self.guests.append(guest)
            guest.say(Welcome())
            await self._listen(guest, reader)
        except (EOFError, OSError, ValueError, msgspec.MsgspecError) as error:
            if not isinstance(error, EOFError | OSError):
                structlog.get_logger().warning("a worker sent what is no frame", why=type(error).__name__)
        except asyncio.CancelledError:
            pass  # the server ends
        finally:
            if guest is not None:
                if guest.commits:
                    await asyncio.wait(guest.commits)
                self.guests.remove(guest)
                self._left.set()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _listen(self, guest: Guest, reader: asyncio.StreamReader) -> None:
        room = asyncio.Semaphore(self._capacity)
        while True:
            frame = await receive(reader, self._decoder)
            if isinstance(frame, Commit):
                await room.acquire()  # and meanwhile no more is read
                task = asyncio.get_running_loop().create_task(self._commit(guest, frame))
                guest.commits.add(task)
                task.add_done_callback(guest.commits.discard)
                task.add_done_callback(lambda _: room.release())

    async def _commit(self, guest: Guest, frame: Commit) -> None:
        try:
            sequence = await self._storage.commit(await arrived(self._store, frame.operations))
        except (AlejoError, ValueError) as error:
            guest.say(Refused(frame.number, refusal(error)))
        else:
            self.commits += 1
            guest.say(Committed(frame.number, sequence))


def _listening(path: Path) -> socket.socket:
    """A Unix socket that only this user can enter, in the place of a stale one. Raises StartupError."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise StartupError(
                f"{path} is in the place of the workers' socket.", hint=f"mv {path} {path}.old", exit_code=IN_USE
            )
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listening.bind(os.fspath(path))
    except OSError as error:
        listening.close()
        raise StartupError(
            f"The socket {path} cannot be made: {error.strerror}.", hint=f"ls -ld {path.parent}", exit_code=IN_USE
        ) from None
    finally:
        os.umask(mask)
    return listening


def _stranger(connection: socket.socket) -> bool:
    """Whether the other end is of another user, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return False
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(user != os.geteuid())
