"""RemindersService, and reminders within conversations: told when they fall due, until they are acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from alejo.client import Client, connect
from alejo.clock import FakeClock
from alejo.errors import InvalidArgument, NotFound, Unavailable
from alejo.types import Answer, Ask, Page, Reminder, ReminderState

from .house import House, house, within

HOUR = 3_600_000_000


@asynccontextmanager
async def served(path: Path, clock: FakeClock) -> AsyncIterator[tuple[House, Client]]:
    """A server whose time a test moves, and a client of it."""
    async with house(path, clock=clock) as home, connect(f"http://127.0.0.1:{home.server.port}") as client:
        yield home, client


@pytest.fixture
async def server(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Client]:
    async with served(tmp_path, clock) as (_, client):
        yield client


async def make(client: Client, clock: FakeClock, text: str, hours: float = 1) -> Reminder:
    return await client.reminders.create(text, clock.now() + round(hours * HOUR))


async def first(client: Client) -> Reminder:
    """What a new watch tells first."""
    async with contextlib.aclosing(client.reminders.watch()) as told:
        return await within(anext(told))


async def test_a_reminder_is_made_listed_and_dismissed(server: Client, clock: FakeClock) -> None:
    """What is made is listed with all its fields, and stays listed as dismissed once it is taken back."""
    due = clock.now() + HOUR
    given = {"recurrence": "FREQ=DAILY", "time_zone": "Europe/Vienna", "request_id": "r"}
    made = await server.reminders.create("tea", due, **given)
    assert (made.text, made.due, made.state, made.recurrence) == ("tea", due, ReminderState.PENDING, "FREQ=DAILY")
    assert await server.reminders.create("tea", due, **given) == made
    assert await server.reminders.list() == ([made], "")
    gone = await server.reminders.dismiss(made.id)
    assert gone.state is ReminderState.DISMISSED
    assert await server.reminders.list(Page(), [ReminderState.PENDING]) == ([], "")
    assert await server.reminders.list(Page(), [ReminderState.DISMISSED]) == ([gone], "")


async def test_wrong_requests_are_refused(server: Client, clock: FakeClock) -> None:
    """A time that is over, a rule that is none and an unknown reminder are refused, each by its own error."""
    with pytest.raises(InvalidArgument) as past:
        await server.reminders.create("tea", clock.now())
    assert past.value.violations[0][0] == "due_at"
    with pytest.raises(InvalidArgument) as rule:
        await server.reminders.create("tea", clock.now() + HOUR, recurrence="FREQ=HOURLY", time_zone="UTC")
    assert rule.value.violations[0][0] == "recurrence"
    with pytest.raises(InvalidArgument):
        await server.reminders.create("", clock.now() + HOUR)
    with pytest.raises(NotFound):
        await server.reminders.dismiss("0" * 32)


async def test_a_watch_tells_what_falls_due(server: Client, clock: FakeClock) -> None:
    """What fell due before comes first, then each at its time, once in a watch, also one that is made meanwhile."""
    missed = await make(server, clock, "missed")
    clock.advance(3600)
    coming = await make(server, clock, "coming", 2)
    async with contextlib.aclosing(server.reminders.watch()) as told:
        assert await within(anext(told)) == missed
        sooner = await make(server, clock, "sooner", 1)
        clock.advance(3600)
        assert await within(anext(told)) == sooner
        clock.advance(3600)
        assert await within(anext(told)) == coming


async def test_it_is_told_until_it_is_acknowledged(server: Client, clock: FakeClock) -> None:
    """Who was told and went away without a word is told again; who acknowledged is not."""
    made = await make(server, clock, "tea")
    clock.advance(3600)
    assert await first(server) == await first(server) == made
    assert (await server.chat(Ask("hello"))).reminders == (made,)
    heard = await server.reminders.acknowledge(made)
    assert (heard.state, heard.delivered_at) == (ReminderState.DELIVERED, clock.now())
    assert (await server.chat(Ask("hello"))).reminders == ()


async def test_many_are_all_told(server: Client, clock: FakeClock) -> None:
    """A watch tells all that fell due, however many; an answer the first twenty."""
    made = [await make(server, clock, str(number), 1 + number / 100) for number in range(45)]
    clock.advance(7200)
    async with contextlib.aclosing(server.reminders.watch()) as told:
        assert [await within(anext(told)) for _ in made] == made
    assert list((await server.chat(Ask("hello"))).reminders) == made[:20]


async def test_an_open_conversation_hears(server: Client, clock: FakeClock) -> None:
    """A conversation hears what falls due between its turns and behind the frames of one, and each once."""
    missed = await make(server, clock, "missed")
    clock.advance(3600)
    async with server.converse() as talk:
        assert await within(talk.due()) == missed
        coming = await make(server, clock, "coming")
        hearing = asyncio.ensure_future(talk.due())
        clock.advance(3600)
        assert await within(hearing) == coming
        answers = [event async for event in talk.say(Ask("hello"))]
        assert isinstance(answers[-1], Answer)
        assert answers[-1].reminders == ()


async def test_a_turn_is_not_disturbed(server: Client, clock: FakeClock) -> None:
    """What falls due while a turn is answered comes within it, and the turn's own frames are as ever."""
    async with server.converse() as talk:
        await make(server, clock, "coming")
        pieces = []
        async with contextlib.aclosing(talk.say(Ask("many"))) as events:
            async for event in events:
                pieces.append(event)
                if len(pieces) == 2:
                    clock.advance(3600)
        assert len(pieces) == 202
        assert (await within(talk.due())).text == "coming"


async def test_a_stream_of_one_turn_tells_it_at_the_end(server: Client, clock: FakeClock) -> None:
    """The final frame of a streamed turn carries what has fallen due."""
    made = await make(server, clock, "tea")
    clock.advance(3600)
    *_, answer = [event async for event in server.stream(Ask("hello"))]
    assert isinstance(answer, Answer)
    assert answer.reminders == (made,)


async def test_nobody_else_hears(tmp_path: Path, clock: FakeClock) -> None:
    """A reminder is told to its user alone."""
    async with house(tmp_path, clock=clock, server__local_user=False) as home:
        tokens = {name: (await home.assistant.keys.add(name, user=name))[1] for name in ("ana", "ben")}
        target = f"http://127.0.0.1:{home.server.port}"
        async with connect(target, key=tokens["ana"]) as ana, connect(target, key=tokens["ben"]) as ben:
            made = await make(ana, clock, "secret")
            mine = await make(ben, clock, "mine", 2)
            clock.advance(7200)
            assert await first(ana) == made
            assert await first(ben) == mine
            with pytest.raises(NotFound):
                await ben.reminders.acknowledge(made)


async def test_a_restart_between_due_and_heard(tmp_path: Path, clock: FakeClock) -> None:
    """What was told, and not acknowledged before the server ended, is told by the next one."""
    async with served(tmp_path, clock) as (_, client):
        made = await make(client, clock, "tea")
        clock.advance(3600)
        assert await first(client) == made
    async with served(tmp_path, clock) as (_, client):
        assert await first(client) == made
        await client.reminders.acknowledge(made)
    async with served(tmp_path, clock) as (_, client):
        assert (await client.chat(Ask("hello"))).reminders == ()


# Another process over a folder: makes a reminder, waits until it is told, and says so.
OTHER = """
import asyncio, sys, alejo
from alejo.errors import InvalidArgument
from alejo.identity import LOCAL

async def main(data, key, hours):
    async with alejo.open(data, overrides={"data.key_file": key}, entry_points=[]) as assistant:
        made, wait = None, round(float(hours) * 3_600_000_000)
        while made is None:
            try:
                made = await assistant.reminders.create(LOCAL, "soon", assistant.clock.now() + wait)
            except InvalidArgument:  # it was over before it was on disk
                wait *= 2
        print(made.id, flush=True)
        rung = asyncio.Event()
        with assistant.reminders.listening(LOCAL, rung.set) as listener:
            while not (told := await listener.news()):
                rung.clear()
                await rung.wait()
            print(told[0].id, flush=True)
            await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@asynccontextmanager
async def beside(home: House, hours: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """The other process over the folder of a server, which is killed in the end."""
    settings = home.assistant.settings
    given = (str(settings.data_path), str(settings.key_file), str(hours))
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", OTHER, *given, stdout=asyncio.subprocess.PIPE)
    try:
        yield other
    finally:
        with contextlib.suppress(ProcessLookupError):
            other.kill()
        await other.wait()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().strip()


async def test_another_process_makes_one(tmp_path: Path) -> None:
    """Who listens at one process of a folder hears what another one made."""
    clock = FakeClock(time.time_ns() // 1000)
    async with served(tmp_path, clock) as (home, client), contextlib.aclosing(client.reminders.watch()) as told:
        await make(client, clock, "far", 24)
        hearing = asyncio.ensure_future(anext(told))
        async with beside(home, 1) as other:
            made = await line(other)
            await within(_until_told(hearing, clock))
            assert hearing.result().id == made


async def test_a_kill_between_due_and_heard(tmp_path: Path) -> None:
    """What a process told that was killed before anybody said it was heard is told by the next, and then no more."""
    clock = FakeClock(time.time_ns() // 1000)
    async with served(tmp_path, clock) as (home, _):
        pass  # makes the folder and its key
    async with beside(home, 0.00001) as other:
        made = await line(other)
        assert await line(other) == made
        other.kill()
    clock.advance(24 * 3600)
    async with served(tmp_path, clock) as (_, client):
        told = await first(client)
        assert told.id == made
        await client.reminders.acknowledge(told)
        assert (await client.chat(Ask("hello"))).reminders == ()


async def _until_told(hearing: asyncio.Future[Reminder], clock: FakeClock) -> None:
    """Moves the time on, five seconds at a time."""
    while not hearing.done():
        clock.advance(5)
        await asyncio.sleep(0.001)


async def test_a_server_that_drains_ends_the_watch(tmp_path: Path, clock: FakeClock) -> None:
    """Who listens is told that the server stops, and may listen elsewhere."""
    async with served(tmp_path, clock) as (home, client), contextlib.aclosing(client.reminders.watch()) as told:
        hearing = asyncio.ensure_future(anext(told))
        await make(client, clock, "tea", 24)  # behind it the watch has begun
        draining = asyncio.ensure_future(home.server.drain(5.0))
        with pytest.raises(Unavailable):
            await within(hearing)
        await draining
