"""The published service config: what is sent again by itself is done once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

import alejo
from alejo import settings
from alejo.app import Assistant
from alejo.client import Client, connect
from alejo.errors import PluginFailed
from alejo.server import Server
from alejo.types import Answer, Ask, MemoryDraft

from .relay import Fault, Relay, relay

TURNS = 60
TALKERS = 6


@pytest.fixture
async def way(assistant: Assistant) -> AsyncIterator[Relay]:
    """A relay to a server of the assistant."""
    async with served(assistant) as server, relay(f"unix:{server.socket_path}") as one:
        yield one


@asynccontextmanager
async def served(assistant: Assistant) -> AsyncIterator[Server]:
    server = Server(assistant, metrics=False)
    await server.start()
    try:
        yield server
    finally:
        await server.drain(0.0)


async def chat(client: Client) -> object:
    return (await client.chat(Ask("The train to Porto was late."))).message.text


async def stream(client: Client) -> object:
    *_, answer = [frame async for frame in client.stream(Ask("The train to Porto was late."))]
    assert isinstance(answer, Answer)
    return answer.message.text


async def remember(client: Client) -> object:
    return (await client.remember(MemoryDraft("The train to Porto was late."))).memories[0].text


async def remember_many(client: Client) -> object:
    (kept,) = [one async for one in client.remember_many([("", MemoryDraft("The train to Porto was late."))])]
    assert not isinstance(kept, alejo.errors.AlejoError)
    return kept.memories[0].text


async def create_session(client: Client) -> object:
    return (await client.create_session(title="A walk"))[0].title


async def counts(client: Client) -> tuple[int, int]:
    """How many sessions and memories there are."""
    return len((await client.sessions())[0]), len((await client.memories())[0])


CALLS: dict[str, tuple[Callable[[Client], Awaitable[object]], tuple[int, int]]] = {
    "Chat": (chat, (1, 1)),
    "ChatStream": (stream, (1, 1)),
    "Remember": (remember, (0, 1)),
    "RememberStream": (remember_many, (0, 1)),
    "CreateSession": (create_session, (1, 0)),
}


@pytest.mark.parametrize("fault", ["refuse", "lose"])
@pytest.mark.parametrize("method", CALLS)
async def test_what_is_sent_again_is_done_once(way: Relay, method: str, fault: Fault) -> None:
    """A call refused as UNAVAILABLE, or whose answer was lost, goes again as it was, and has one effect."""
    make, effect = CALLS[method]
    way.faults[method] = fault
    async with connect(way.address) as client:
        assert await make(client)
        first, second = way.attempts(method)
        assert (first.code.name, second.code.name) == ("UNAVAILABLE", "OK")
        assert first.frames == second.frames
        assert await counts(client) == effect


async def test_a_role_that_is_vacant_is_asked_once(bare: Assistant) -> None:
    """What would fail again is not tried again, though its status is UNAVAILABLE."""
    async with served(bare) as server, relay(f"unix:{server.socket_path}") as way, connect(way.address) as client:
        with pytest.raises(PluginFailed, match="vacant"):
            await client.chat(Ask("Hello"))
        assert len(way.attempts("Chat")) == 1


async def test_a_server_is_replaced_under_load(environment: dict[str, str]) -> None:
    """Turns that come while a server drains and another takes its place are all answered, each once."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    chosen = settings.read(environment, {"server.address": address, "data.map_size_mb": 16})
    begun = asyncio.Event()

    async def talk(client: Client, part: int) -> None:
        for number in range(part, TURNS, TALKERS):
            await client.chat(Ask(f"My cousin number {number} paints boats.", request_id=f"r{number}"))
            begun.set()

    async with alejo.open(settings=chosen) as assistant, connect(address) as client:
        async with served(assistant) as server:
            talking = [asyncio.create_task(talk(client, part)) for part in range(TALKERS)]
            waiting = asyncio.create_task(begun.wait())
            await asyncio.wait([waiting, *talking], return_when=asyncio.FIRST_COMPLETED)  # or it failed
            waiting.cancel()
            await server.drain()
        async with served(assistant):
            await asyncio.gather(*talking)
            assert await counts(client) == (TURNS, TURNS)
