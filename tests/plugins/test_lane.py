"""Plugins that block their loop: who notices, what is told, and that the server goes on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator

import pytest

from alejo.clock import FakeClock
from alejo.errors import PluginFailed
from alejo.types import Appraisal, PluginState

from .acting import CODE, Acting
from .shelf import Shelf


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def acting(shelf: Shelf, clock: FakeClock) -> AsyncIterator[Acting]:
    """A host with one plugin that is not trusted."""
    acting = await Acting.start(shelf, trusted=False, clock=clock, rest_seconds=30.0)
    yield acting
    acting.module.GATE.set()
    await acting.host.close()


def line(code: str) -> str:
    """Where a line of the plugin's code is, as statuses name it."""
    return f"acting.py:{[each.strip() for each in CODE.splitlines()].index(code) + 1}"


@pytest.mark.parametrize(("what", "codes"), [
    ("block", ["GATE.wait()"]),
    ("spin", ["while True:", "pass"]),
    ("lock", ["lock.acquire()"]),
])  # fmt: skip
async def test_a_stuck_plugin_is_quarantined(acting: Acting, clock: FakeClock, what: str, codes: list[str]) -> None:
    """The caller is told at its deadline; the plugin is quarantined soon, and its status names the line."""
    started = time.monotonic()
    with pytest.raises(PluginFailed) as failed:
        await acting.do(what, timeout=0.3)
    assert failed.value.why == "timeout"
    assert time.monotonic() - started < 10
    status = await acting.until(lambda status: status.state is PluginState.QUARANTINED)
    assert time.monotonic() - started < 10
    places = [f"acting.py:{number + 1}" for number, each in enumerate(CODE.splitlines()) if each.strip() in codes]
    assert status.stuck_threads == 1
    assert status.reason in [f"It hangs at {place}; its event loop was replaced." for place in places]
    # The next call, after the rest, has a fresh loop.
    clock.advance(30)
    assert await acting.do("please") == Appraisal(0.5, 0.5)
    assert (acting.status.state, acting.status.stuck_threads) == (PluginState.DEGRADED, 1)


async def test_a_spinning_thread_is_ended(acting: Acting) -> None:
    """A loop written in Python does not burn a core for ever: its thread is interrupted and ends."""
    with pytest.raises(PluginFailed):
        await acting.do("spin", timeout=0.1)
    lane = acting.slot().entry.lane
    assert lane is not None
    await acting.until(lambda status: status.state is PluginState.QUARANTINED)
    await acting.happens("ENDED")
    await asyncio.to_thread(lane.thread.join, 5)
    assert not lane.thread.is_alive()


async def test_closing_ends_a_spinning_thread(acting: Acting) -> None:
    """A host that is closed while a plugin spins leaves no thread behind that burns a core."""
    call = asyncio.create_task(acting.do("spin", timeout=30))
    await acting.happens("STARTED")
    lane = acting.slot().entry.lane
    assert lane is not None
    await acting.host.close()
    with pytest.raises(PluginFailed):
        await call
    await asyncio.to_thread(lane.thread.join, 5)
    assert not lane.thread.is_alive()


async def test_a_blocking_plugin_is_told_before_its_deadline(acting: Acting) -> None:
    """A loop that is silent for 250 ms is told before its deadline; when it comes back in time its call succeeds."""
    started = time.monotonic()
    call = asyncio.create_task(acting.do("block"))
    status = await acting.until(lambda status: status.state is PluginState.DEGRADED)
    assert time.monotonic() - started < 10
    assert status.reason == f"It blocks its event loop at {line('GATE.wait()')}."
    acting.module.GATE.set()
    assert await call == Appraisal(0.5, 0.5)
    assert (acting.status.state, acting.status.stuck_threads) == (PluginState.DEGRADED, 0)


async def test_the_server_goes_on(acting: Acting) -> None:
    """While a plugin blocks its loop, the server's loop keeps turning."""
    call = asyncio.create_task(acting.do("block", timeout=2.0))
    await acting.happens("STARTED")
    longest, last = 0.0, time.monotonic()
    while not call.done():
        await asyncio.sleep(0)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    assert longest < 1.5
    with pytest.raises(PluginFailed):
        await call


async def test_others_in_a_stuck_plugin_are_told(acting: Acting) -> None:
    """Calls that wait behind a stuck one fail when the loop is given up, not at their own deadlines."""
    stuck = asyncio.create_task(acting.do("block", timeout=0.3))
    await acting.happens("STARTED")
    others = [asyncio.create_task(acting.do("please", timeout=60)) for _ in range(5)]
    whys = [error.why for error in await asyncio.gather(stuck, *others, return_exceptions=True)]
    assert whys == ["timeout"] + ["quarantined"] * 5


async def test_a_call_whose_caller_left_is_still_watched(acting: Acting) -> None:
    """A plugin that hangs after its caller went away is found out when the deadline would have passed."""
    call = asyncio.create_task(acting.do("block", timeout=0.5))
    await acting.happens("STARTED")
    call.cancel()
    await acting.until(lambda status: status.state is PluginState.QUARANTINED)
    assert acting.status.stuck_threads == 1


async def test_a_stream_that_blocks_is_stuck(acting: Acting) -> None:
    """A stream whose plugin hangs between pieces ends at its deadline, and the plugin is quarantined."""
    stream = acting.say("block", timeout=0.3)
    assert [await anext(stream) for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(PluginFailed) as failed:
        await anext(stream)
    assert failed.value.why == "timeout"
    await acting.until(lambda status: status.state is PluginState.QUARANTINED)


async def test_ignoring_a_cancellation_is_not_being_stuck(acting: Acting) -> None:
    """A coroutine that will not end costs its own call alone: the loop lives, and others are answered."""
    with pytest.raises(PluginFailed):
        await acting.do("stubborn", timeout=0.1)
    for _ in range(3):
        with pytest.raises(PluginFailed):
            await acting.do("wait", timeout=0.3)
        await acting.do("please")
    assert (acting.status.state, acting.status.stuck_threads) == (PluginState.DEGRADED, 0)


async def test_a_task_that_exits_does_not_end_the_loop(acting: Acting) -> None:
    """SystemExit in a task that the plugin started ends that task and nothing else."""
    assert await acting.do("task exits") == Appraisal(0.5, 0.5)
    assert await acting.do("please") == Appraisal(0.5, 0.5)


async def test_waiting_for_a_thread_is_not_being_stuck(acting: Acting) -> None:
    """Work handed to a thread leaves the loop free; the call just ends at its deadline."""
    with pytest.raises(PluginFailed) as failed:
        await acting.do("thread", timeout=0.6)
    assert failed.value.why == "timeout"
    assert await acting.do("please") == Appraisal(0.5, 0.5)
    assert acting.status.stuck_threads == 0


async def test_closing_does_not_wait_for_the_stuck(acting: Acting) -> None:
    """The host closes though a thread hangs."""
    call = asyncio.create_task(acting.do("block"))
    await acting.happens("STARTED")
    started = time.monotonic()
    await acting.host.close()
    assert time.monotonic() - started < 10
    with pytest.raises(PluginFailed):
        await call


async def test_closing_leaves_no_thread(acting: Acting) -> None:
    """When nothing hangs, every thread of the plugins ends."""
    await acting.do("please")
    lane = acting.slot().entry.lane
    assert lane is not None
    assert lane.thread in threading.enumerate()
    await acting.host.close()
    await asyncio.to_thread(lane.thread.join, 5)
    assert not lane.thread.is_alive()


@pytest.mark.parametrize("what", ["block", "thread", "lock"])
def test_a_process_ends_though_a_plugin_hangs(shelf: Shelf, what: str) -> None:
    """A thread that hangs, in the plugin's loop or behind it, does not keep the process from ending."""
    program = f"""
        import asyncio
        from pathlib import Path
        from plugins.acting import Acting
        from plugins.shelf import Shelf

        async def main():
            acting = await Acting.start(Shelf(Path({str(shelf.folder)!r})), trusted=False)
            call = asyncio.create_task(acting.do({what!r}))
            await acting.happens("STARTED")
            await acting.host.close()
            call.cancel()

        asyncio.run(main())
        print("ended")
    """
    path = [str(shelf.folder), str(os.path.dirname(os.path.dirname(__file__))), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["ended"]), done.stderr
