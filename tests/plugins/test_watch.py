"""The server's own loop is watched too."""

from __future__ import annotations

import asyncio
import sys

from alejo.types import PluginState

from .acting import Acting
from .shelf import Shelf


def release(acting: Acting, seconds: float) -> None:
    """Ends the plugin's blocking call after so long."""
    import threading  # noqa: PLC0415  only here

    threading.Timer(seconds, sys.modules["acting"].GATE.set).start()


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


async def test_a_lane_that_is_silent_is_counted(shelf: Shelf) -> None:
    """The seconds for which a plugin holds up its own loop add up in its status."""
    acting = await Acting.start(shelf, trusted=False)
    blocking = asyncio.create_task(acting.do("block"))
    status = await acting.until(lambda status: status.state is PluginState.DEGRADED)
    assert status.stall_seconds >= 0.25
    acting.module.GATE.set()
    await blocking
    await acting.host.close()
