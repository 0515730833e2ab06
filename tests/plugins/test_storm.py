"""Everything goes wrong at once."""

from __future__ import annotations

import asyncio
import linecache
import random
import sys
import threading
import time

from alejo.clock import FakeClock
from alejo.errors import InvalidArgument, PluginFailed
from alejo.plugins import PluginHost
from alejo.types import Appraisal, PluginState

from .acting import CODE
from .shelf import Shelf

CALLS = 300
WORKERS = 6
FAULTS = ["raise", "exit", "interrupt", "cancel", "refuse", "wrong", "wrong field", "wait", "stubborn", "thread"] * 2
FAULTS += ["please", "task exits", "spin", "block"]
STREAMS = ["", "raise", "raise first", "number", "wait", "forever"]


async def fault(host: PluginHost, name: str, dice: random.Random) -> None:
    """One call or stream that goes wrong in some way."""
    feeling, talking = ([slot for slot in host.every(role) if slot.plugin == name] for role in ("emotion", "brain"))
    try:
        if dice.random() < 0.2:
            async for _ in host.stream(talking[0], "respond", dice.choice(STREAMS), timeout=0.05):
                pass
        else:
            await host.call(feeling[0], "appraise", dice.choice(FAULTS), timeout=0.05)
    except (PluginFailed, InvalidArgument):
        pass


def running(name: str) -> list[str]:
    """The lines of Python at which a plugin's threads are that are left."""
    threads = {thread.ident for thread in threading.enumerate() if thread.name == f"alejo-plugin-{name}"}
    frames = [frame for ident, frame in sys._current_frames().items() if ident in threads]
    return [linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() for frame in frames]


async def test_a_storm_of_faults_harms_nobody_else(shelf: Shelf) -> None:
    """Through 300 random faults of three plugins a fourth one answers every call, and the server's loop turns."""
    bad, dice, clock = ("bad1", "bad2", "bad3"), random.Random(7), FakeClock()
    for name in (*bad, "good"):
        shelf.add(name, CODE)
    host = await PluginHost.start(shelf.settings(), clock, entry_points=shelf.entry_points())
    good = host.every("emotion")[-1]

    async def faults() -> None:
        for _ in range(CALLS // WORKERS):
            await fault(host, dice.choice(bad), dice)
            clock.advance(60)  # whoever is quarantined has rested

    storm = asyncio.gather(*(faults() for _ in range(WORKERS)))
    longest = 0.0
    while not storm.done():
        began = time.monotonic()
        assert await host.call(good, "appraise", "please") == Appraisal(0.5, 0.5)
        longest = max(longest, time.monotonic() - began)
    await storm
    assert longest < 10
    *told, last = host.statuses()
    assert (last.name, last.state, last.failures) == ("good", PluginState.ACTIVE, 0)
    assert all(status.failures > 10 for status in told)
    assert sum(status.stuck_threads for status in told) > 0
    for name in bad:
        sys.modules[name].GATE.set()
    await host.close()
    assert [line for name in bad for line in running(name) if line in {"while True:", "pass"}] == []
