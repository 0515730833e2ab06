"""The server's own loop is watched too."""

from __future__ import annotations

import asyncio
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable

from alejo.plugins.watch import at_rest
from alejo.types import PluginState

from .acting import DEADLINE, Acting
from .shelf import Shelf


def release(acting: Acting, seconds: float) -> None:
    """Ends the plugin's blocking call after so long."""
    threading.Timer(seconds, sys.modules["acting"].GATE.set).start()


def until(holds: Callable[[], bool]) -> None:
    """Waits for what another thread does. Raises AssertionError if it does not happen."""
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end


async def test_a_trusted_plugin_that_blocks_is_named(shelf: Shelf) -> None:
    """One that holds up the server's loop for 250 ms is told with file, line and time, and keeps its place."""
    acting = await Acting.start(shelf, trusted=True)
    release(acting, 0.4)
    await acting.do("block")
    status = await acting.until(lambda status: status.stall_seconds > 0)
    assert status.trusted
    assert 0.25 <= status.stall_seconds < 1
    assert any("It blocked the server's event loop" in one.reason for one in acting.changes)
    assert any("acting.py:" in one.reason for one in acting.changes)
    await acting.host.close()


async def test_a_trusted_plugin_that_blocks_for_long_loses_its_place(shelf: Shelf) -> None:
    """After a second the server's loop is no longer the plugin's: the next time it blocks, only it stands still."""
    acting = await Acting.start(shelf, trusted=True)
    release(acting, 1.4)
    await acting.do("block")
    status = await acting.until(lambda status: status.stall_seconds > 1)
    assert not status.trusted
    acting.module.GATE.clear()
    acting.module.STARTED.clear()
    blocking = asyncio.create_task(acting.do("block"))
    await acting.happens("STARTED")  # which takes the server's loop
    acting.module.GATE.set()
    await blocking
    assert acting.status.state is PluginState.DEGRADED
    await acting.host.close()


def test_only_a_loop_that_waits_for_work_is_at_rest() -> None:
    """Code on the loop that waits in a selector of its own holds the loop up; the loop itself is let be."""
    loop, (mine, others) = asyncio.new_event_loop(), socket.socketpair()
    selector = selectors.DefaultSelector()
    selector.register(mine, selectors.EVENT_READ)
    thread = threading.Thread(target=loop.run_forever, daemon=True)  # a failure leaves it behind
    thread.start()
    ident = thread.ident
    assert ident is not None
    until(lambda: at_rest(sys._current_frames().get(ident)))
    begun = threading.Event()

    def block() -> None:
        begun.set()
        selector.select()

    loop.call_soon_threadsafe(block)
    assert begun.wait(DEADLINE)
    until(lambda: sys._current_frames()[ident].f_globals["__name__"] == "selectors")
    assert not at_rest(sys._current_frames()[ident])
    others.send(b"!")
    loop.call_soon_threadsafe(loop.stop)
    thread.join(DEADLINE)
    assert not thread.is_alive()
    for each in (selector, mine, others, loop):
        each.close()


async def test_a_lane_that_is_silent_is_counted(shelf: Shelf) -> None:
    """The seconds for which a plugin holds up its own loop add up in its status."""
    acting = await Acting.start(shelf, trusted=False)
    blocking = asyncio.create_task(acting.do("block"))
    status = await acting.until(lambda status: status.state is PluginState.DEGRADED)
    assert status.stall_seconds >= 0.25
    acting.module.GATE.set()
    await blocking
    await acting.host.close()
