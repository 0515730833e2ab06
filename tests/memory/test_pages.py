"""Pages of memories: bounded in bytes, whole while memories are forgotten, and no burden for the others."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable

import pytest

from alejo import Assistant, paging
from alejo.errors import InvalidArgument
from alejo.types import EVERYTHING, Filter, Memory, MemoryDraft, MessageDraft, Page, SessionState
from alejo.wire import write

from ..conftest import ADA

LONG = "ä" * 32_000  # 64,000 bytes
MOST = 4 << 20  # what a gRPC client takes in one message
Walk = Callable[[Assistant, Page], Awaitable[tuple[list[Memory], str]]]


async def listed(assistant: Assistant, page: Page) -> tuple[list[Memory], str]:
    """A page of the list."""
    return await assistant.memories.list(ADA, page)


async def recalled(assistant: Assistant, page: Page) -> tuple[list[Memory], str]:
    """A page of a recall."""
    hits, token, _ = await assistant.memories.recall(ADA, "apple", page)
    return [hit.memory for hit in hits], token


@pytest.mark.parametrize("walk", [listed, recalled])
async def test_a_page_ends_at_three_mebibytes(bare: Assistant, walk: Walk) -> None:
    """However many are asked for, a page fits a gRPC message; the pages give every memory once, in the same order."""
    for number in range(3):
        drafts = [("", MemoryDraft(f"apple {number}.{place} {LONG}")) for place in range(35)]
        await bare.memories.remember_many(ADA, drafts)
    pages: list[list[Memory]] = []
    token = ""
    while token or not pages:
        page, token = await walk(bare, Page(1000, token))
        pages.append(page)
    sizes = [sum(write.memory(memory).ByteSize() for memory in page) for page in pages]
    assert all(size < MOST for size in sizes)
    assert all(size > 2 << 20 for size in sizes[:-1])
    assert len(pages) == 3
    assert len({memory.id for page in pages for memory in page}) == 105 == sum(map(len, pages))


@pytest.mark.parametrize("walk", [listed, recalled])
async def test_one_memory_is_a_page_at_least(bare: Assistant, walk: Walk) -> None:
    """A page of one holds one memory, however long it is, and the next page follows."""
    drafts = [("", MemoryDraft(f"apple {number} {LONG}")) for number in range(3)]
    await bare.memories.remember_many(ADA, drafts)
    seen, token = await walk(bare, Page(1))
    while token:
        page, token = await walk(bare, Page(1, token))
        assert len(page) == 1
        seen += page
    assert len({memory.id for memory in seen}) == 3


async def test_a_page_of_messages_ends_at_three_mebibytes(bare: Assistant) -> None:
    """So does a page of a session's messages."""
    session, _ = await bare.sessions.create(ADA)
    await bare.memories.remember_many(ADA, [("", MessageDraft(session.id, f"{n} {LONG}")) for n in range(60)])
    first, token = await bare.sessions.messages(ADA, session.id, Page(1000))
    second, end = await bare.sessions.messages(ADA, session.id, Page(1000, token))
    assert sum(write.message(message).ByteSize() for message in first) < MOST
    assert [message.seq for message in first + second] == list(range(1, 61))
    assert end == ""


@pytest.mark.parametrize("walk", [listed, recalled])
@pytest.mark.parametrize("place", [0, 1])
async def test_forgetting_between_pages_skips_nothing(bare: Assistant, walk: Walk, place: int) -> None:
    """When a memory of the first page is forgotten, the following pages still give all the others once."""
    for number in range(6):
        await bare.memories.remember(ADA, MemoryDraft(f"apple {number}"))
    seen, token = await walk(bare, Page(2))
    await bare.memories.forget(ADA, [seen[place].id])
    while token:
        page, token = await walk(bare, Page(2, token))
        seen += page
    assert sorted(memory.text for memory in seen) == [f"apple {number}" for number in range(6)]


async def test_a_long_list_lets_the_others_go_on(bare: Assistant) -> None:
    """A list of which nothing fits the filter gives way to others all along, however small its page."""
    await asyncio.gather(*(bare.sessions.create(ADA) for _ in range(1100)))
    await bare.memories.remember_many(ADA, [("", MemoryDraft(f"apple {number}")) for number in range(1100)])
    await bare.memories.recall(ADA, "apple", Page(1))
    walks = [
        lambda: bare.sessions.list(ADA, Page(1), [SessionState.ARCHIVED]),
        lambda: bare.memories.list(ADA, Page(1), Filter(kinds=("fact",))),
    ]
    for walk in walks:
        task: asyncio.Task[tuple[list[object], str]] = asyncio.ensure_future(walk())  # type: ignore[arg-type]
        steps = 0
        while not task.done():
            await asyncio.sleep(0)
            steps += 1
        assert task.result() == ([], "")
        assert steps >= 4


async def test_a_made_up_token_does_no_harm(bare: Assistant) -> None:
    """Who makes up a token for a list gets a page or INVALID_ARGUMENT, never another error."""
    session, _ = await bare.sessions.create(ADA)
    await bare.memories.remember(ADA, MessageDraft(session.id, "apple"))
    await bare.memories.remember(ADA, MemoryDraft("apple"))
    walks: list[tuple[object, Callable[[Page], Awaitable[object]]]] = [
        (("sessions", []), lambda page: bare.sessions.list(ADA, page)),
        (("messages", session.id, False), lambda page: bare.sessions.messages(ADA, session.id, page)),
        (("memories", EVERYTHING), lambda page: bare.memories.list(ADA, page)),
        (("recall", "apple", EVERYTHING), lambda page: bare.memories.recall(ADA, "apple", page)),
    ]
    cursors = [byte * length for byte in (b"\0", b"x", b"\xff") for length in (1, 4, 8, 12, 13, 28, 29, 64, 65, 500)]
    for (question, walk), cursor in itertools.product(walks, cursors):
        with contextlib.suppress(InvalidArgument):
            await walk(Page(1, paging.token(question, cursor)))
