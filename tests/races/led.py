"""What races are made of: a brain that a test leads, a second process over the same records, a valve at the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import EntryPoint, distribution, entry_points
from typing import Any, TypeVar

from alejo import Assistant
from alejo.errors import Unavailable
from alejo.hooks import hookimpl
from alejo.roles import Turn
from alejo.storage import Batch, Record, Storage
from alejo.storage.requests import key
from alejo.storage.store import Store
from alejo.storage.tables import TURNS
from alejo.types import Answer, Ask, Memory, Page, Scope

from ..conftest import ADA

T = TypeVar("T")
SECONDS = 20.0
SECRET = "quokka"  # no digits: an id may hold any of those
CODE = f"My locker code is {SECRET}."


async def echo(turn: Turn) -> str:
    """What the led brain says unless it is told otherwise."""
    return f"on, {turn.message.text}"


class Led:
    """A brain: it says "Go ", waits at the gate, does what `act` does and says what that returns."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.asked = 0
        self.act: Callable[[Turn], Awaitable[str]] = echo

    async def respond(self, turn: Turn) -> Any:
        """Says what the test wants."""
        self.asked += 1
        self.begun.set()
        yield "Go "
        await self.gate.wait()
        yield await self.act(turn)

    def says(self, text: str) -> None:
        """Makes it say this, at once."""

        async def act(turn: Turn) -> str:
            return text

        self.act = act
        self.gate.set()


@hookimpl
def alejo_register_brain(settings: dict[str, Any]) -> Led:
    """The hook of the plugin that this module is."""
    return Led()


def plugins(*installed: str) -> list[EntryPoint]:
    """The led brain, on the loop of the test as the built-in one would be, and the installed plugins of these names."""
    led = EntryPoint("led", __name__, "alejo")
    vars(led).update(dist=distribution("alejo-brain"))
    return [led, *(each for each in entry_points(group="alejo") if each.name in installed)]


def brain(assistant: Assistant) -> Led:
    """The led brain of an assistant."""
    slot = assistant.plugins.one("brain")
    assert slot is not None
    assert isinstance(slot.object, Led)
    return slot.object


def second(assistant: Assistant, storage: Storage | None = None) -> Assistant:
    """What another process would have: its own journal, indexes and turns under way, over the same records."""
    storage = assistant.storage if storage is None else storage
    store = Store(storage, assistant.folder.keyring)
    return Assistant(assistant.settings, assistant.clock, assistant.folder, storage, store, assistant.plugins)


class Valve:
    """The same storage with a valve in its commits, before the disk or behind it, and in its reads.

    As with a disk, who no longer waits for a commit does not stop it.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._free = 0
        self._before = self._behind = False
        self._table = ""
        self._opened = asyncio.Event()
        self._reached = asyncio.Event()
        self._under_way: set[asyncio.Task[int]] = set()

    def shut(self, place: str, *, after: int = 0) -> None:
        """Lets `after` commits pass and holds what follows "before" the disk or "behind" it, where they are made."""
        self._free = after
        self._before, self._behind = place == "before", place == "behind"
        self._opened.clear()
        self._reached.clear()

    def shut_reads(self, table: str) -> None:
        """Holds what reads a single record of this table, before it is read."""
        self._table = table
        self._opened.clear()
        self._reached.clear()

    def open(self) -> None:
        """Lets go of what is held, and of all that follows."""
        self._before = self._behind = False
        self._table = ""
        self._opened.set()

    async def reached(self) -> None:
        """Waits until a commit is held."""
        await within(self._reached.wait())

    async def still(self) -> None:
        """Waits until no commit is under way, also of those who no longer wait for theirs."""
        while self._under_way:
            await within(asyncio.gather(*self._under_way, return_exceptions=True))

    async def commit(self, batch: Batch) -> int:
        """See Storage."""
        task = asyncio.create_task(self._commit(batch))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _commit(self, batch: Batch) -> int:
        self._free -= 1
        before, behind = self._before and self._free < 0, self._behind and self._free < 0
        if before:
            self._reached.set()
            await self._opened.wait()
        sequence = await self._storage.commit(batch)
        if behind:
            self._reached.set()
            await self._opened.wait()
        return sequence

    async def get(self, table: str, key: bytes) -> Record | None:
        """See Storage."""
        if table == self._table:
            self._reached.set()
            await self._opened.wait()
        return await self._storage.get(table, key)

    async def many(self, table: str, keys: Sequence[bytes]) -> list[Record | None]:
        """See Storage."""
        return [await self.get(table, key) for key in keys]

    async def scan(
        self, table: str, prefix: bytes, *, after: bytes = b"", limit: int = 100, reverse: bool = False
    ) -> list[Record]:
        """See Storage."""
        return await self._storage.scan(table, prefix, after=after, limit=limit, reverse=reverse)

    async def close(self) -> None:
        """Leaves the storage to the one who opened it."""


async def within(awaitable: Awaitable[T]) -> T:
    """Waits, but not for ever."""
    async with asyncio.timeout(SECONDS):
        return await awaitable


async def turns_of_the_loop(count: int) -> None:
    """Lets everything else take this many steps."""
    for _ in range(count):
        await asyncio.sleep(0)


async def cut(task: asyncio.Task[T]) -> None:
    """Cancels a call and waits until it has ended."""
    task.cancel()
    await within(asyncio.wait([task]))


async def insist(assistant: Assistant, ask: Ask, scope: Scope = ADA) -> Answer:
    """What a client does: the same request again while the server says UNAVAILABLE."""
    for _ in range(5):
        try:
            return await within(assistant.conversation.chat(scope, ask))
        except Unavailable:
            continue
    raise AssertionError("the turn is never answered")


async def said(assistant: Assistant, session_id: str, scope: Scope = ADA) -> list[str]:
    """What was said in a session."""
    return [message.text for message in (await assistant.sessions.messages(scope, session_id, Page()))[0]]


async def state(assistant: Assistant, request_id: str, scope: Scope = ADA) -> str:
    """The state of a turn on disk; empty when there is none."""
    row = await assistant.store.get(scope, TURNS, key(request_id))
    return "" if row is None else row.value.state


async def memories(assistant: Assistant, scope: Scope = ADA) -> list[Memory]:
    """A user's memories, newest first."""
    return (await assistant.memories.list(scope, Page()))[0]
