"""Updates that are sent twice, or meet each other: one effect per request, and nobody's change is lost."""

from __future__ import annotations

import asyncio

import pytest

from alejo import Assistant
from alejo.errors import Conflict
from alejo.memory.memories import format_etag
from alejo.types import MemoryDraft

from ..conftest import ADA
from .led import Valve, second, within


async def test_an_update_done_by_another_call_of_the_same_request(bare: Assistant) -> None:
    """Who finds a memory changed because the same request was faster gets its result, not ABORTED."""
    valve = Valve(bare.storage)
    memory = (await bare.memories.remember(ADA, MemoryDraft("Monday"))).memories[0]
    etag = format_etag((await bare.memories.get(ADA, memory.id)).version)
    valve.shut_reads("memory")
    late = asyncio.create_task(
        second(bare, valve).memories.update(ADA, memory.id, {"text": "Tuesday"}, etag=etag, request_id="u")
    )
    await valve.reached()
    changed = await bare.memories.update(ADA, memory.id, {"text": "Tuesday"}, etag=etag, request_id="u")
    valve.open()
    assert await within(late) == changed


async def test_two_updates_of_one_version(bare: Assistant) -> None:
    """Of two updates of the version that both have read, one is made and the other is ABORTED."""
    valve = Valve(bare.storage)
    memory = (await bare.memories.remember(ADA, MemoryDraft("Monday"))).memories[0]
    etag = format_etag((await bare.memories.get(ADA, memory.id)).version)
    valve.shut("before")
    late = asyncio.create_task(second(bare, valve).memories.update(ADA, memory.id, {"text": "Sunday"}, etag=etag))
    await valve.reached()
    await bare.memories.update(ADA, memory.id, {"text": "Tuesday"}, etag=etag)
    valve.open()
    with pytest.raises(Conflict):
        await within(late)
    assert (await bare.memories.get(ADA, memory.id)).text == "Tuesday"


async def test_two_updates_of_different_things(bare: Assistant) -> None:
    """Without a version, changes of different fields that meet are both made."""
    valve = Valve(bare.storage)
    memory = (await bare.memories.remember(ADA, MemoryDraft("Monday"))).memories[0]
    valve.shut("before")
    late = asyncio.create_task(second(bare, valve).memories.update(ADA, memory.id, {"pinned": True}))
    await valve.reached()
    await bare.memories.update(ADA, memory.id, {"text": "Tuesday"})
    valve.open()
    await within(late)
    found = await bare.memories.get(ADA, memory.id)
    assert (found.text, found.pinned) == ("Tuesday", True)
