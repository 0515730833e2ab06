"""Which model answers what a memory is recalled for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import alejo_memory

from alejo import Assistant, testing
from alejo.cli.why import lines
from alejo.errors import ModelFailed
from alejo.identity import LOCAL
from alejo.types import Memory, MemoryDraft, ModelUse, Page, Scope

from .scripted import Passing, Scripted

TAX = "My tax return is due in May"
ASKED = "When is my tax return due?"


@asynccontextmanager
async def opened(*names: str, **scripts: Any) -> AsyncIterator[Assistant]:
    """An assistant that remembers, and whose models are these."""
    provider = Scripted(**scripts)
    async with testing.assistant(
        alejo_memory, provider, Passing(), trusted=True, model__names=list(names), model__retries=0
    ) as assistant:
        yield assistant


async def told(assistant: Assistant, text: str, model: str = "") -> Memory:
    return (await assistant.memories.remember(LOCAL, MemoryDraft(text, model=model))).memories[0]


async def test_the_model_that_a_recalled_memory_prefers_is_asked_first() -> None:
    """Ahead of the user's, where it bears on what is asked; the answer names the memory, and /why shows its number."""
    async with opened("a", "b", "c", a=[["A."]], b=[["B."]], c=[["C."]]) as assistant:
        memory = await told(assistant, TAX, "b")
        await assistant.profiles.update(LOCAL, {"model": "c"})
        answer = await assistant.chat(ASKED)
        assert answer.model == ModelUse("b", "remembered", 100, 10, memory_id=memory.id)
        assert "Written by b (remembered with 1): 100 tokens in, 10 out." in lines(answer)
        assert (await assistant.chat("How tall is the old tower?")).model == ModelUse("c", "preferred", 100, 10)


async def test_a_memory_prefers_among_those_the_owner_named() -> None:
    """What the owner did not name is not asked, and a wish that was taken back is none."""
    async with opened("a", "b", a=[["A."]], b=[["B."]], c=[["C."]]) as assistant:
        memory = await told(assistant, TAX, "c")
        assert (await assistant.chat(ASKED)).model == ModelUse("a", "configured", 100, 10)
        assert (await assistant.memories.update(LOCAL, memory.id, {"model": "b"})).model == "b"
        answer = await assistant.chat(ASKED)
        assert answer.model == ModelUse("b", "remembered", 100, 10, memory_id=memory.id)
        await assistant.memories.update(LOCAL, memory.id, {"model": ""})
        assert (await assistant.chat(ASKED)).model == ModelUse("a", "configured", 100, 10)


async def test_a_memory_whose_model_fails_is_answered_by_another() -> None:
    """The answer says that it fell back, and names no memory."""
    async with opened("a", "b", a=[["A."]], b=[[ModelFailed("rejected", "b")]]) as assistant:
        await told(assistant, TAX, "b")
        assert (await assistant.chat(ASKED)).model == ModelUse("a", "fallback: rejected", 100, 10)


async def test_what_a_memory_prefers_leaves_and_comes_in_with_it() -> None:
    """An export has it, and so has what is imported of it, as has the memory's history."""
    there = Scope("local", "there")
    async with opened("a", "b", a=[["A."]], b=[["B."]]) as assistant:
        memory = await told(assistant, TAX, "b")
        intake = assistant.ownership.intake(there)
        async for part in assistant.ownership.export(LOCAL):
            await intake.take(part)
        await intake.end()
        assert (await assistant.memories.get(there, memory.id)).model == "b"
        await assistant.memories.update(LOCAL, memory.id, {"model": "a"})
        (version,), _ = await assistant.memories.history(LOCAL, memory.id, Page(10))
        assert version.memory.model == "b"
