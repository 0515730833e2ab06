"""Server and worker are killed at random moments under eight writers: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

import alejo
from alejo.queue.promises import REFLECTION
from alejo.queue.rows import SIGNS
from alejo.settings import read
from alejo.storage.store import SYSTEM
from alejo.storage.tables import SESSION_LOGS, SessionLog
from alejo.types import Ask, MemoryDraft, Message, Page, Role, Scope

from .house import SECONDS, House
from .size import FULL, size
from .writers import Writer, effect, every, together

KILLS = int(os.environ.get("ALEJO_KILLS") or size(40, 500))
WRITERS = 8
ERA = 10  # kills after which the writers are others, so that checking a long run does not take longer and longer
LONGEST = 1.2  # seconds that a server is written to before it is killed
STARTING = 0.15  # the share of kills that hit a server while it starts
STOPPED = 0.4  # and of attacks in which the worker is killed too


class Worker:
    """`alejo reflect` beside the server, whichever that is; `kills` counts how often it was killed."""

    def __init__(self, house: House) -> None:
        self.kills = 0
        self._house = house
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts it and waits for nothing."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "alejo", "reflect"),
            env=self._house.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            process, self._process = self._process, None
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            self.kills += 1

    async def renew(self, seconds: float) -> None:
        """Kills it, so many seconds from now, and starts another."""
        await asyncio.sleep(seconds)
        await self.kill()
        await self.start()


async def _reflected(house: House, writers: list[Writer], kills: int) -> None:
    """Everything that was said is worked through once, after whatever is left, or was given up, is done here."""
    async with alejo.open(settings=read(house.environment | {"ALEJO_REFLECTION_WORKERS": "1"})) as assistant:
        reflection = assistant.reflection
        scopes = [Scope("local", writer.user) for writer in writers if writer.session_id]
        for scope in scopes:  # what was imported last is promised by no turn; time would find it
            for session in (await assistant.sessions.list(scope, Page(100)))[0]:
                await reflection.queue.mend(scope, session.id, REFLECTION, session.message_count)
        await reflection.settled()
        requeued = [job for scope in scopes for job in (await reflection.register.requeue(scope))[0]]
        await reflection.settled()
        for scope in scopes:
            for session in (await assistant.sessions.list(scope, Page(100)))[0]:
                messages = await every(lambda page: assistant.sessions.messages(scope, session.id, page))  # noqa: B023
                row = await assistant.store.get(scope, SESSION_LOGS, bytes.fromhex(session.id))
                assert row or not messages, f"nothing of {session.id} was worked through"
                assert row is None or row.value == _log(session.id, messages)
                assert (await reflection.register.lag(scope, session.id, REFLECTION)).messages == 0
        assert await assistant.store.scan(SYSTEM, SIGNS) == []
    print(f"{kills} kills of a worker, {len(requeued)} jobs given up and requeued, all messages worked through once")


def _log(session_id: str, messages: list[Message]) -> SessionLog:
    """What is to be counted of a session, each message once."""
    asked = [message for message in messages if message.role is Role.USER]
    answered = [message for message in messages if message.role is not Role.USER]
    times = [message.sent_at for message in messages]
    characters = [sum(len(message.text) for message in several) for several in (asked, answered)]
    return SessionLog(session_id, len(asked), len(answered), *characters, min(times), max(times))


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


@pytest.fixture
async def worker(house: House) -> AsyncIterator[Worker]:
    """A worker that ends with the test, however that ends."""
    one = Worker(house)
    yield one
    await one.kill()


async def test_kills(house: House, worker: Worker, chance: random.Random) -> None:
    """Under SIGKILL at random moments everything acknowledged is there once, worked through once, and served soon."""
    house.environment["ALEJO_REFLECTION_WORKERS"] = "0"
    house.environment["ALEJO_LIMITS_QUEUE_SECONDS"] = "20"  # what a busy machine refuses proves nothing
    writers = [Writer(f"writer-0-{number}", chance) for number in range(WRITERS)]
    retired: list[Writer] = []
    starts: list[float] = []
    work: list[float] = []
    kills = starting = 0
    await house.start()
    await worker.start()
    while kills + worker.kills < KILLS:
        renewed = asyncio.create_task(worker.renew(chance.uniform(0.0, LONGEST))) if chance.random() < STOPPED else None
        await _attack(house, writers, chance.uniform(0.0, LONGEST))
        kills += 1
        more, seconds = await _restart(house, chance, kills + worker.kills < KILLS)
        if renewed is not None:
            await renewed
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
    for place in range(0, len(retired), WRITERS):  # one address may not have connections for all of them at once
        await _check(house, retired[place : place + WRITERS])
    await worker.kill()
    await house.stop()
    await _reflected(house, retired, worker.kills)
    _report(retired, starts, kills, starting)
    print(f"CPU until ready: median {statistics.median(work):.2f} s, max {max(work):.2f} s")
    assert statistics.median(work) <= 2.0, f"CPU until ready: {work}"
    assert not FULL or statistics.median(starts) <= 2.0, f"ready again after {starts}"


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
