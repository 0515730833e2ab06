"""What the checks of the conformance suite are made of."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from alejo.storage import Put, Storage

SECONDS = 60.0
CHILD = "alejo.testing.storage_shared"


class Subject(NamedTuple):
    """The backend under test: what opens it, and with which argument. Opening again must find the same records."""

    opener: Callable[[str], Storage]
    argument: str

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Storage]:
        """The storage, closed at the end."""
        storage = self.opener(self.argument)
        try:
            yield storage
        finally:
            await storage.close()

    @contextlib.contextmanager
    def child(self, worker: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A process that opens the storage and runs a worker of the suite, which prints lines; killed at the end."""
        opener = f"{self.opener.__module__}:{self.opener.__qualname__}"
        code = f"import sys; sys.path[:] = {sys.path!r}; from {CHILD} import child; child()"
        with subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-c", code, worker, opener, self.argument, *arguments], stdout=subprocess.PIPE, text=True
        ) as process:
            late = threading.Timer(SECONDS, process.kill)
            late.start()
            try:
                yield process
            finally:
                late.cancel()
                process.kill()


S = TypeVar("S")


class Check(NamedTuple, Generic[S]):
    """One fact a backend must hold."""

    level: str
    name: str
    fact: str
    body: Callable[[S], Awaitable[None]]

    def run(self, subject: S) -> None:
        """Raises AssertionError, or whatever the backend raised, if the fact does not hold."""

        async def bounded() -> None:
            async with asyncio.timeout(SECONDS):
                await self.body(subject)

        asyncio.run(bounded())

    def __str__(self) -> str:
        return self.name


CHECKS: list[Check[Subject]] = []


def level(level: str) -> Callable[[Callable[[Subject], Awaitable[None]]], None]:
    def register(body: Callable[[Subject], Awaitable[None]]) -> None:
        CHECKS.append(Check(level, body.__name__, (body.__doc__ or "").strip(), body))

    return register


def core(body: Callable[[Storage], Awaitable[None]]) -> None:
    async def opened(subject: Subject) -> None:
        async with subject.open() as storage:
            await body(storage)

    CHECKS.append(Check("core", body.__name__, (body.__doc__ or "").strip(), opened))


def same(found: Any, wanted: Any) -> None:
    if found != wanted:
        raise AssertionError(f"found {found!r}, wanted {wanted!r}")


async def raises(kind: type[Exception], call: Awaitable[Any]) -> None:
    try:
        result = await call
    except kind:
        return
    raise AssertionError(f"gave {result!r}, wanted {kind.__name__}")


async def fill(storage: Storage, keys: Sequence[bytes], table: str = "t") -> None:
    await storage.commit([Put(table, key, b"=" + key) for key in keys])


async def keys_of(storage: Storage, prefix: bytes = b"", table: str = "t", **options: Any) -> list[bytes]:
    return [record.key for record in await storage.scan(table, prefix, **options)]
