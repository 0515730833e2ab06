"""Recall answered from the cache: the same as without, and never as things were before."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from alejo import Assistant
from alejo.clock import FakeClock
from alejo.types import EVERYTHING, Hit, MemoryDraft, Page

from ..conftest import ADA, BOB

ANOTHER_PROCESS = """
import asyncio, sys, alejo
from alejo.settings import read
from alejo.types import Scope
from alejo.testing import *
async def main():
    overrides = {"data.map_size_mb": 16}
    async with alejo.open(settings=read(None, overrides), entry_points=[]) as assistant:
        scope = Scope("acme", "ada")
        for line in sys.stdin:
            word, _, rest = line.strip().partition(" ")
            if word == "remember":
                print((await assistant.remember(rest, scope=scope)).id, flush=True)
            elif word == "forget":
                await assistant.memories.forget(scope, [rest])
                print("forgotten", flush=True)
            else:
                print(" | ".join(hit.memory.text for hit in await assistant.recall(rest, scope=scope)), flush=True)
asyncio.run(main())
"""


async def texts(assistant: Assistant, query: str = "bicycle") -> list[str]:
    return [hit.memory.text for hit in await assistant.recall(query, scope=ADA)]


def hits(assistant: Assistant) -> int:
    return assistant.cache.counts()["responses"].hits


async def test_a_repeated_question_is_answered_from_the_cache(bare: Assistant) -> None:
    """The second answer is the first, to the last share of its evidence, and so is each page of a walk."""
    for number in range(7):
        await bare.remember(f"bicycle number {number} stands in the cellar", scope=ADA)
    first = await bare.recall("bicycle", scope=ADA)
    assert len(first) == 7
    assert await bare.recall("bicycle", scope=ADA) == first
    assert hits(bare) == 1
    walks = []
    for _ in range(2):
        walk, token = [], ""
        for _ in range(4):
            page, token, _ = await bare.memories.recall(ADA, "bicycle", Page(2, token))
            walk += [hit.memory.id for hit in page]
        assert not token
        walks.append(walk)
    assert walks[0] == walks[1] == [hit.memory.id for hit in first]
    assert hits(bare) == 5
    assert await bare.recall("bicycle", scope=BOB) == []


async def test_every_change_of_a_memory_is_in_the_next_answer(bare: Assistant) -> None:
    """After a memory was added, changed, archived or forgotten, no answer from before is given."""
    assert await texts(bare) == []
    kept = await bare.remember("the bicycle is red", scope=ADA)
    assert await texts(bare) == ["the bicycle is red"]
    await bare.memories.update(ADA, kept.id, {"text": "the bicycle is blue"})
    assert await texts(bare) == ["the bicycle is blue"]
    other = await bare.remember("another bicycle", scope=ADA)
    await bare.memories.update(ADA, kept.id, {"archived": True})
    assert await texts(bare) == ["another bicycle"]
    await bare.memories.forget(ADA, [other.id])
    await bare.memories.update(ADA, kept.id, {"archived": False})
    assert await texts(bare) == ["the bicycle is blue"]
    await bare.memories.forget(ADA, [kept.id])
    assert await texts(bare) == []
    assert hits(bare) == 0


async def test_what_is_forgotten_leaves_the_cache_at_once(bare: Assistant) -> None:
    """Forgetting a memory, or deleting its session, empties the user's cache and leaves the others'."""
    kept = await bare.remember("the bicycle is red", scope=ADA)
    await bare.remember("the bicycle is his", scope=BOB)
    for scope in (ADA, BOB):
        await bare.recall("bicycle", scope=scope)
    await bare.memories.forget(ADA, [kept.id])
    assert bare.cache.counts()["responses"].entries == 1
    session, _ = await bare.sessions.create(BOB)
    await bare.sessions.delete(BOB, session.id)
    assert bare.cache.counts()["responses"].entries == 0


async def test_recency_is_late_by_a_hundredth_of_its_half_life_at_most(bare: Assistant, clock: FakeClock) -> None:
    """As time passes a question is weighed anew, long before it makes a difference."""
    await bare.remember("the bicycle is red", scope=ADA)
    first = await bare.recall("bicycle", scope=ADA)
    clock.advance(30 * 86_400 / 100)
    later = await bare.recall("bicycle", scope=ADA)
    assert hits(bare) == 0
    one, other = (next(each.share for each in hit.evidence if each.name == "recency") for hit in (first[0], later[0]))
    assert 0.98 < other / one < 1


async def test_readers_beside_a_writer_never_see_the_past(bare: Assistant) -> None:
    """Whoever asks after a write was acknowledged gets an answer that has it, whatever others ask meanwhile."""
    acknowledged = 0

    async def write() -> None:
        nonlocal acknowledged
        for number in range(40):
            await bare.memories.remember(ADA, MemoryDraft(f"bicycle number {number}"))
            acknowledged = number + 1

    async def read() -> None:
        while acknowledged < 40:
            before = acknowledged
            found, _, _ = await bare.memories.recall(ADA, "bicycle", Page(100))
            assert len(found) >= before
            await asyncio.sleep(0)  # an answer of the cache waits for nothing

    await asyncio.gather(write(), *(read() for _ in range(4)))


async def test_another_process_never_answers_with_what_was(bare: Assistant, environment: dict[str, str]) -> None:
    """Two processes on one folder, both with warm caches: a change by one is in the very next answer of the other."""
    other = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        ANOTHER_PROCESS,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).parent,
    )
    assert other.stdin is not None
    assert other.stdout is not None

    async def ask(line: str) -> str:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(f"{line}\n".encode())
        return (await other.stdout.readline()).decode().strip()

    try:
        for number in range(5):
            mine = (await bare.remember(f"bicycle {number} of one", scope=ADA)).id
            assert f"bicycle {number} of one" in await ask("recall bicycle")
            theirs = await ask(f"remember bicycle {number} of the other")
            assert f"bicycle {number} of the other" in await texts(bare)
            assert await texts(bare) == await texts(bare)
            assert await ask(f"forget {mine}") == "forgotten"
            assert f"bicycle {number} of one" not in await texts(bare)
            await bare.memories.forget(ADA, [theirs])
            assert await ask("recall bicycle") == ""
            assert bare.cache.counts()["responses"].entries <= 1
    finally:
        other.stdin.close()
        assert await other.wait() == 0
    assert hits(bare) >= 10


async def test_bytes_are_kept_as_they_are_encoded(bare: Assistant) -> None:
    """An encoded answer is made once, by what encodes it, and is another than one in another form."""
    await bare.remember("the bicycle stands in the cellar", scope=ADA)
    made: list[str] = []

    def encode(hits: list[Hit], token: str) -> bytes:
        made.append(token)
        return b"|".join(hit.memory.text.encode() for hit in hits)

    for _ in range(2):
        found, _ = await bare.memories.recall_encoded(ADA, "bicycle", Page(2), EVERYTHING, "bars", encode)
        assert found == b"the bicycle stands in the cellar"
    assert (made, hits(bare)) == ([""], 1)
    assert await texts(bare) == ["the bicycle stands in the cellar"]
    assert hits(bare) == 1
