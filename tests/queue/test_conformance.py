"""The conformance suite on the stored queue, and on broken ones so that the suite itself is proven."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alejo.queue import Failure, Job, Limits
from alejo.queue.stored import StoredQueue
from alejo.storage.files import FilesStorage
from alejo.storage.keyring import Keyring
from alejo.storage.opener import open_lmdb
from alejo.storage.store import Store, Writer
from alejo.testing.conformance import Check
from alejo.testing.queue import Bench, checks


@pytest.mark.parametrize("check", checks(), ids=str)
def test_in_memory(check: Check) -> None:
    """The stored queue holds every fact over a storage in memory."""
    check.run(Bench(StoredQueue))


def lmdb(folder: Path) -> Store:
    return Store(open_lmdb(f"lmdb:{folder}", map_size=1 << 22), Keyring(bytes(32)))


def files(folder: Path) -> Store:
    return Store(FilesStorage.open(folder), Keyring(bytes(32)), plain=True)


@pytest.mark.parametrize("opener", [lmdb, files])
def test_over_disk(opener: Callable[[Path], Store], tmp_path: Path) -> None:
    """And over the backends that keep records on disk, sealed or plain."""
    for check in checks():
        check.run(Bench(StoredQueue, partial(opener, tmp_path / check.name)))


def test_facts() -> None:
    """Every check states its fact and has a name of its own."""
    assert len({check.name for check in checks()}) == len(checks()) >= 15
    assert all(check.fact.endswith(".") for check in checks())


class Forgetful(StoredQueue):
    """Counts an attempt when it failed, not before it runs, as one that gives what it leases back."""

    async def retry_later(self, job: Job, failure: Failure) -> Job:
        return await self.release(job)


class Unfenced(StoredQueue):
    """Commits effects whoever has the job."""

    async def advance(self, writer: Writer, processor: str, *jobs: Job) -> None:
        await writer.commit()


class Hasty(StoredQueue):
    """Acknowledges before anything is done."""

    async def ack(self, writer: Writer, *jobs: Job, **options: Any) -> None:
        for job in jobs:
            await super().ack(writer, job, processors=await self.left(job))


class Greedy(StoredQueue):
    """Hands out one user's jobs as long as there are any."""

    async def lease(self, kinds: Any = None, *, limit: int = 10) -> list[Job]:
        for ring in self._order._rings.values():
            ring._served.clear()
        return await super().lease(kinds, limit=limit)


class Deaf(StoredQueue):
    """Does not extend leases."""

    async def beat(self, *jobs: Job) -> list[Job]:
        return list(jobs)


class Endless(StoredQueue):
    """Never gives up on a job."""

    def __init__(self, *parts: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*parts, limits=msgspec.structs.replace(limits, attempts=1 << 30, deaths=1 << 30), **options)


class Boundless(StoredQueue):
    """Takes whatever it is asked for."""

    async def enqueue(self, *parts: Any, **options: Any) -> Job | None:
        return await super().enqueue(*parts, **{**options, "bounded": False})


class Clinging(StoredQueue):
    """Keeps its leases when it is closed."""

    async def close(self) -> None:
        return


@pytest.mark.parametrize("broken", [Forgetful, Unfenced, Hasty, Greedy, Deaf, Endless, Boundless, Clinging])
def test_broken_queues_are_found(broken: type[StoredQueue]) -> None:
    """A queue with a single fault fails the suite."""
    found = []
    for check in checks():
        try:
            check.run(Bench(broken))
        except Exception:  # noqa: BLE001  # whatever the fault leads to
            found.append(check.name)
    assert found
