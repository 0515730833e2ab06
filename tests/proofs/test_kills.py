"""The server is killed at random moments under eight writers: nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from alejo.types import Ask, MemoryDraft

from .house import SECONDS, House
from .writers import Writer, effect, together

KILLS = int(os.environ.get("ALEJO_KILLS") or 30)
WRITERS = 8
ERA = 10  # kills after which the writers are others, so that checking a long run does not take longer and longer
LONGEST = 1.2  # seconds that a server is written to before it is killed
STARTING = 0.15  # the share of kills that hit a server while it starts


async def _attack(house: House, writers: list[Writer], seconds: float) -> None:
    """Writes until the server is killed, `seconds` from now."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(house.client(writer.user)) for writer in writers]
        tasks = [asyncio.create_task(writer.write(client)) for writer, client in zip(writers, clients, strict=True)]
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        assert not done, f"a writer stopped before the kill: {[task.exception() for task in done]}"
        await house.kill()
        async with asyncio.timeout(SECONDS):
            await together(tasks)


async def _check(house: House, writers: list[Writer]) -> None:
    async with AsyncExitStack() as stack:
        await together([writer.check(await stack.enter_async_context(house.client(writer.user))) for writer in writers])


async def _settle(house: House, writers: list[Writer]) -> None:
    """Sends again what is in doubt, and nothing else."""
    async with AsyncExitStack() as stack:
        doubtful = [writer for writer in writers if writer.doubtful]
        await together(
            [writer.write(await stack.enter_async_context(house.client(writer.user)), 1) for writer in doubtful]
        )
    assert not any(writer.doubtful for writer in writers)


async def _restart(house: House, chance: random.Random, hurry: bool) -> tuple[int, float]:
    """Starts the server, killing some attempts on the way; returns how many and the last one's seconds to serve."""
    kills = 0
    while hurry and chance.random() < STARTING:
        await house.begin()
        await _pass(house, chance.uniform(0.0, LONGEST))
        await house.kill()
        kills += 1
    return kills, await house.start()


async def _pass(house: House, seconds: float) -> None:
    """Lets time go by while the server starts, but not once it serves."""
    try:
        async with asyncio.timeout(seconds):
            await house.serving()
    except TimeoutError:
        return


async def test_kills(house: House, chance: random.Random) -> None:
    """Under SIGKILL at random moments every acknowledged message and memory is there once, and it serves within 2 s."""
    writers = [Writer(f"writer-0-{number}", chance) for number in range(WRITERS)]
    retired: list[Writer] = []
    starts: list[float] = []
    work: list[float] = []
    kills = starting = 0
    await house.start()
    while kills < KILLS:
        await _attack(house, writers, chance.uniform(0.0, LONGEST))
        kills += 1
        more, seconds = await _restart(house, chance, kills < KILLS)
        kills += more
        starting += more
        starts.append(seconds)
        work.append(house.cpu)
        await _check(house, writers)
        if len(starts) % ERA == 0:
            await _settle(house, writers)
            retired += writers
            writers = [Writer(f"writer-{len(starts)}-{number}", chance) for number in range(WRITERS)]
    await _settle(house, writers)
    retired += writers
    await _check(house, retired)
    await house.stop()
    _report(retired, starts, kills, starting)
    print(f"CPU until ready: median {statistics.median(work):.2f} s, max {max(work):.2f} s")
    assert statistics.median(starts) <= 2.0, f"ready again after {starts}"


def _report(writers: list[Writer], starts: list[float], kills: int, starting: int) -> None:
    written = sum(len(writer.acknowledged) for writer in writers)
    resolved = sum((writer.resolved for writer in writers), Counter[str]())
    cuts = statistics.quantiles(starts, n=100, method="inclusive") if len(starts) > 1 else starts * 99
    print(
        f"{kills} kills ({starting} of them while it started), {written} requests acknowledged, 0 lost, 0 twice; "
        f"ready again after p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, max {max(starts):.2f} s, "
        f"within 2 s in {sum(each <= 2.0 for each in starts)} of {len(starts)}; "
        f"messages there of turns in doubt: {dict(sorted(resolved.items()))}"
    )


async def test_first_starts(tmp_path: Path, chance: random.Random) -> None:
    """A server killed while it makes its very first folder and key leaves nothing that the next start refuses."""
    house = House(tmp_path)
    took = await house.start()
    await house.stop()
    for number in range(5):
        house = House(tmp_path / str(number))
        house.folder.mkdir()
        try:
            await house.begin()
            await _pass(house, chance.uniform(0.0, took))
            await house.kill()
            began = time.monotonic()
            await house.start()
            async with house.client("somebody") as client:
                writer = Writer("somebody", chance)
                await writer.write(client, 3)
                await writer.check(client)
            print(f"served {time.monotonic() - began:.2f} s after a first start that was killed")
        finally:
            await house.close()


async def test_the_writers_notice(house: House, chance: random.Random) -> None:
    """What the writers compare with notices a message or memory that is missing, there twice, or nobody's."""
    await house.start()
    async with house.client("ada") as client:

        async def noticed(words: str) -> None:
            with pytest.raises(AssertionError, match=words):
                await writer.check(client)

        writer = Writer("ada", chance)
        await writer.write(client, 30)
        await writer.check(client)
        request, made = next(
            each for each in writer.acknowledged.values() if each[0].kind in {"statement", "question", "stream"}
        )
        await client.chat(Ask(request.text, writer.session_id, "another"))
        await noticed("nobody wrote")
        again = msgspec.structs.replace(request, id="another")
        writer.acknowledged["another"] = (request, effect(await writer.send(client, again)))
        await noticed("remembered twice")
        lost = msgspec.structs.replace(made, messages=(("0" * 32, 7, request.text), *made.messages[1:]))
        writer.acknowledged[request.id] = (request, lost)
        await noticed("was acknowledged and lost")

        writer = Writer("bea", chance)
    async with house.client("bea") as client:
        await writer.write(client, 10)
        memories, _ = await client.memories()
        await client.forget([memories[0].id], keep_messages=True)
        await noticed("not remembered|was acknowledged and lost")
        await client.remember(MemoryDraft(memories[0].text))
        await client.remember(MemoryDraft("It rains."))
        await noticed("nobody told|was acknowledged and lost")
    await house.stop()
