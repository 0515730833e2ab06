"""ALEJO among its peers: the library in a process like theirs, asked what they are; see `peer_child`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import lmdb

import alejo
from alejo.types import MemoryDraft, Page, Scope

from . import plans

T = TypeVar("T")
_ROWS, _BYTES = 5, 200  # of a commit like that of a forget


class Ours:
    """An assistant with its four plugins. With ALEJO_BENCH_PLAN=dense it weighs meaning alone."""

    package = "alejo"

    def __init__(self, folder: str, _: object) -> None:
        self._folder = Path(folder)
        self._loop = asyncio.Runner()
        self._stack = AsyncExitStack()
        change = plans.dense if os.environ.get("ALEJO_BENCH_PLAN") == "dense" else None
        chosen, given = plans.settings(self._folder, change)
        self._assistant = self._run(self._stack.enter_async_context(alejo.open(settings=chosen, given_plugins=given)))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work)

    def fill(self, user: str, ids: list[str], texts: list[str], language: str) -> None:
        """Adds memories of a user, on disk when it returns. Their ids are labels, as a user would give."""
        drafts = [("", MemoryDraft(text, metadata={"place": each})) for each, text in zip(ids, texts, strict=True)]
        for kept in self._run(self._assistant.memories.remember_many(_scope(user), drafts)):
            if isinstance(kept, Exception):
                raise kept

    def ask(self, user: str, queries: Sequence[str], limit: int) -> tuple[list[list[str]], list[float]]:
        """What each question finds, and the seconds it takes."""
        return self._run(self._ask(_scope(user), queries, limit))

    async def _ask(self, scope: Scope, queries: Sequence[str], limit: int) -> tuple[list[list[str]], list[float]]:
        items, seconds, page = [], [], Page(limit)
        for query in queries:
            began = time.perf_counter()
            hits, _, _ = await self._assistant.memories.recall(scope, query, page)
            seconds.append(time.perf_counter() - began)
            items.append([hit.memory.metadata["place"] for hit in hits])
        return items, seconds

    def forget(self, user: str, count: int) -> tuple[list[float], list[float]]:
        """The seconds of forgetting so many memories one by one, and of as many bare commits in between."""
        return self._run(self._forget(_scope(user), count))

    async def _forget(self, scope: Scope, count: int) -> tuple[list[float], list[float]]:
        ours, bare = [], []
        page, _ = await self._assistant.memories.list(scope, Page(count))
        place = self._folder / "bare"
        place.mkdir()
        with lmdb.open(str(place), map_size=1 << 28) as environment:
            for number, memory in enumerate(page):
                began = time.perf_counter()
                await self._assistant.memories.forget(scope, [memory.id])
                between = time.perf_counter()
                with environment.begin(write=True) as transaction:
                    for each in range(_ROWS):
                        transaction.put(b"%032d%d" % (number, each), os.urandom(_BYTES))
                bare.append(time.perf_counter() - between)
                ours.append(between - began)
        return ours, bare

    def close(self) -> None:
        """Closes the assistant."""
        self._run(self._stack.aclose())
        self._loop.close()


def _scope(user: str) -> Scope:
    return Scope("bench", user or "one")
