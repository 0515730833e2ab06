"""A desk in the hands of a plugin on another loop."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from alejo.clock import SystemClock
from alejo.errors import FailedPrecondition, PluginFailed, StorageFull
from alejo.plugins import PluginHost, Slot
from alejo.plugins.desk import RemoteDesk
from alejo.roles import Desk, Turn
from alejo.types import Memory, MemoryDraft, Message, PluginState, Role, Session, SessionState

from .shelf import Shelf

CODE = """
import asyncio
from alejo.hooks import hookimpl
from alejo.types import CommandSpec, MemoryDraft

KEPT = []

class Noting:
    spec = CommandSpec("note", "Does with the desk what it is told.")

    async def run(self, arguments, turn):
        KEPT.append(turn.desk)
        if arguments == "remember":
            return (await turn.desk.remember(MemoryDraft("tea"))).text
        if arguments == "together":
            return str(sum(await asyncio.gather(*(turn.desk.forget(["x"] * n) for n in range(20)))))
        if arguments == "give up":
            try:
                await asyncio.wait_for(turn.desk.recall("forever"), 0.05)
            except asyncio.TimeoutError:
                return "gave up"
        if arguments == "wait":
            await turn.desk.recall("forever")
        if arguments == "catch":
            try:
                await turn.desk.run("full", "")
            except Exception as error:
                return type(error).__name__
        return await turn.desk.run(arguments, "")

class Telling:
    async def respond(self, turn):
        yield (await turn.desk.remember(MemoryDraft("milk"))).text
        yield str(len(await turn.desk.memories()))

@hookimpl
def alejo_register_commands(settings):
    return [Noting()]

@hookimpl
def alejo_register_brain(settings):
    return Telling()
"""
request = contextvars.ContextVar("request", default="")


class FullDesk:
    """A desk that notes where its methods run; its storage is full when somebody runs a command."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.requests: list[str] = []
        self.searching = asyncio.Event()
        self.given_up = asyncio.Event()

    def _note(self) -> None:
        self.threads.append(threading.get_ident())
        self.requests.append(request.get())

    async def recall(self, query: str, limit: int = 10) -> list[object]:
        self._note()
        self.searching.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.set()
        return []

    async def memories(self, limit: int = 20) -> list[Memory]:
        self._note()
        return []

    async def remember(self, draft: MemoryDraft) -> Memory:
        self._note()
        await asyncio.sleep(0)
        return Memory("m", 3, "note", draft.text, 0, 0)

    async def forget(self, memory_ids: list[str]) -> int:
        self._note()
        await asyncio.sleep(0)
        return len(memory_ids)

    async def run(self, command: str, arguments: str) -> str:
        self._note()
        raise StorageFull("There is no room.")


@pytest.fixture
async def host(shelf: Shelf) -> AsyncIterator[PluginHost]:
    shelf.add("noting", CODE)
    host = await PluginHost.start(shelf.settings(), SystemClock(), entry_points=shelf.entry_points())
    yield host
    await host.close()


def note(host: PluginHost) -> Slot:
    (slot,) = host.every("command")
    return slot


def turn(desk: FullDesk) -> Turn:
    session = Session("s", SessionState.ACTIVE, 0, 0)
    return Turn(session, Message("m", "s", 1, Role.USER, "", 0, 0), (), None, (), (), (), 0, desk)


async def test_a_desk_works_on_the_servers_loop(host: PluginHost) -> None:
    """What a plugin asks of its desk is done on the server's thread, in the context of its request."""
    desk = FullDesk()
    request.set("r1")
    assert await host.call(note(host), "run", "remember", turn(desk)) == "tea"
    assert (desk.threads, desk.requests) == ([threading.get_ident()], ["r1"])


async def test_a_desk_works_in_a_stream(host: PluginHost) -> None:
    """A brain that streams may use its desk between the pieces."""
    slot = host.one("brain")
    assert slot is not None
    assert [piece async for piece in host.stream(slot, "respond", turn(FullDesk()))] == ["milk", "0"]


async def test_a_desk_does_many_things_at_once(host: PluginHost) -> None:
    """Calls of a desk may overlap."""
    assert await host.call(note(host), "run", "together", turn(FullDesk())) == str(sum(range(20)))


async def test_the_hosts_own_error_is_not_the_plugins(host: PluginHost) -> None:
    """An error that the desk raised can be caught, or passes through as it is without blame for the plugin."""
    assert await host.call(note(host), "run", "catch", turn(FullDesk())) == "StorageFull"
    with pytest.raises(StorageFull):
        await host.call(note(host), "run", "full", turn(FullDesk()))
    assert (host.statuses()[0].failures, host.statuses()[0].state) == (0, PluginState.ACTIVE)


async def test_giving_up_reaches_the_desk(host: PluginHost) -> None:
    """A plugin that stops waiting for its desk stops the work there."""
    desk = FullDesk()
    assert await host.call(note(host), "run", "give up", turn(desk)) == "gave up"
    await asyncio.wait_for(desk.given_up.wait(), 5)


async def test_the_end_of_a_turn_ends_its_work(host: PluginHost) -> None:
    """When a call's time is over, what its desk is doing is cancelled."""
    desk = FullDesk()
    with pytest.raises(PluginFailed):
        await host.call(note(host), "run", "wait", turn(desk), timeout=0.2)
    assert desk.searching.is_set()
    await asyncio.wait_for(desk.given_up.wait(), 5)


async def test_a_desk_is_closed_with_its_turn(host: PluginHost) -> None:
    """A plugin that keeps a desk finds it closed: nothing is read or written for a user who is not there."""
    desk = FullDesk()
    await host.call(note(host), "run", "remember", turn(desk))
    (kept,) = sys.modules["noting"].KEPT
    with pytest.raises(FailedPrecondition):
        await kept.remember(MemoryDraft("later"))
    assert len(desk.threads) == 1


def test_a_remote_desk_is_a_whole_desk() -> None:
    """Everything a desk can do works from another loop."""
    methods = {name for name in vars(Desk) if not name.startswith("_")}
    assert methods == {name for name in vars(RemoteDesk) if not name.startswith("_")} - {"close"}
