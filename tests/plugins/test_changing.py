"""Plugins are switched off and on and read anew while calls are under way."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from alejo.clock import SystemClock
from alejo.errors import FailedPrecondition, NotFound, PluginFailed, StartupError
from alejo.events import Events
from alejo.plugins import PluginHost
from alejo.types import Appraisal, PluginState, Session, SessionState

from .shelf import Shelf

CODE = """
import asyncio, threading
from alejo.hooks import hookimpl
from alejo.types import Appraisal, CommandSpec

GO = threading.Event()
STARTED = threading.Event()

class Feeling:
    async def appraise(self, text):
        if text == "wait":
            STARTED.set()
            await asyncio.to_thread(GO.wait)
        return Appraisal({number}, 0.0)

@hookimpl
def alejo_register_emotion(settings):
    return Feeling()
"""


def code(number: float) -> str:
    return CODE.replace("{number}", str(number)) + "#" * int(number * 8)


async def start(shelf: Shelf, *names: str, trusted: bool = False, state: Path | None = None, **more: Any) -> PluginHost:
    for name in names:
        shelf.add(name, code(0.25))
    settings = shelf.settings(trusted=list(names) if trusted else [], **more)
    return await PluginHost.start(settings, SystemClock(), entry_points=shelf.entry_points, state=state)


async def feel(host: PluginHost, text: str = "") -> float:
    slot = host.one("emotion")
    assert slot is not None
    answer: Appraisal = await host.call(slot, "appraise", text, timeout=10)
    return answer.valence


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_reload_takes_the_new_code_and_drops_no_call(shelf: Shelf, trusted: bool) -> None:
    """The call under way is answered by the old code, the next by the new; the old one's loop ends by itself."""
    host = await start(shelf, "one", trusted=trusted)
    old = sys.modules["one"]
    waiting = asyncio.create_task(feel(host, "wait"))
    await asyncio.to_thread(old.STARTED.wait, 10)
    slot = host.one("emotion")
    shelf.add("one", code(0.5))
    status = await host.reload("one")
    assert (status.state, status.calls) == (PluginState.ACTIVE, 0)
    assert sys.modules["one"] is not old
    assert await feel(host) == 0.5
    assert not waiting.done()
    old.GO.set()
    assert await waiting == 0.25
    assert slot is not None
    assert (await host.call(slot, "appraise", "late")).valence == 0.25  # who looked it up before still gets an answer
    await host.close()


async def test_under_a_stream_of_calls_nothing_fails(shelf: Shelf) -> None:
    """Through ten reloads every one of the calls that run all the time is answered."""
    host = await start(shelf, "one")
    stop = asyncio.Event()

    async def calls() -> int:
        count = 0
        while not stop.is_set():
            assert await feel(host) in {0.25, 0.5}
            count += 1
        return count

    callers = [asyncio.create_task(calls()) for _ in range(8)]
    for turn in range(10):
        shelf.add("one", code(0.5 if turn % 2 else 0.25))
        await host.reload("one")
    stop.set()
    assert sum(await asyncio.gather(*callers)) > 50
    await host.close()


@pytest.mark.parametrize(
    "bad", ["import no_such_module", "def alejo_register_emotoin(settings): return 1", "while 1: pass"]
)
async def test_a_rejected_reload_keeps_the_old_one(shelf: Shelf, bad: str) -> None:
    """A new version that cannot be loaded changes nothing: same module, same answers; the error says why."""
    host = await start(shelf, "one", import_seconds=1.0)
    old = sys.modules["one"]
    shelf.add("one", bad)
    with pytest.raises(FailedPrecondition, match=r"The new one was rejected: .* The old one goes on") as told:
        await host.reload("one")
    assert told.value.reason == "PLUGIN_REJECTED"
    assert sys.modules["one"] is old
    assert await feel(host) == 0.25
    assert host.statuses()[0].state is PluginState.ACTIVE
    shelf.add("one", code(0.5))
    await host.reload("one")
    assert await feel(host) == 0.5
    await host.close()


async def test_only_the_distributions_own_modules_are_read_anew(shelf: Shelf) -> None:
    """Modules of other distributions, and those of ALEJO, stay the objects they are."""
    host = await start(shelf, "one", "two")
    kept = {name: sys.modules[name] for name in ("two", "alejo.types", "msgspec")}
    await host.reload("one")
    assert {name: sys.modules[name] for name in kept} == kept
    await host.close()


async def test_what_is_switched_off_stays_off(shelf: Shelf, tmp_path: Path) -> None:
    """A plugin that was disabled is not called, not even after a restart, until it is enabled; then it is."""
    state = tmp_path / "plugins.json"
    host = await start(shelf, "one", "two", state=state)
    waiting = asyncio.create_task(feel(host, "wait"))
    await asyncio.to_thread(sys.modules["one"].STARTED.wait, 10)
    status = await host.disable("one")
    assert (status.state, status.hint) == (PluginState.DISCOVERED, "alejo plugins enable one")
    assert [slot.plugin for slot in host.every("emotion")] == ["two"]
    sys.modules["one"].GO.set()
    assert await waiting == 0.25
    with pytest.raises(FailedPrecondition, match="alejo plugins enable one"):
        await host.reload("one")
    await host.close()
    again = await start(shelf, "one", "two", state=state)
    assert [status.state.name for status in again.statuses()] == ["DISCOVERED", "ACTIVE"]
    assert (await again.enable("one")).state is PluginState.ACTIVE
    assert (await again.enable("one")).state is PluginState.ACTIVE
    assert [slot.plugin for slot in again.every("emotion")] == ["one", "two"]
    await again.close()
    assert state.read_bytes() == b'{"disabled":[]}'


async def test_what_settings_disable_cannot_be_enabled(shelf: Shelf) -> None:
    """The settings file has the last word, and the error says so."""
    host = await start(shelf, "one", disabled=["one"])
    with pytest.raises(FailedPrecondition, match=r"The setting plugins\.disabled names one"):
        await host.enable("one")
    await host.close()


async def test_a_plugin_installed_meanwhile_is_let_in(shelf: Shelf) -> None:
    """Reloading a name that was not there at the start loads it; one that is nowhere is not found."""
    host = await start(shelf, "two")
    with pytest.raises(NotFound):
        await host.reload("one")
    shelf.add("one", code(0.5))
    await host.reload("one")
    assert [status.name for status in host.statuses()] == ["one", "two"]
    assert await feel(host) == 0.5
    shelf.add("thief", code(1), entry_point="one")
    with pytest.raises(FailedPrecondition, match=r"claimed by one and thief.* The old one goes on"):
        await host.reload("one")
    await host.close()


async def test_who_holds_the_storage_stays(shelf: Shelf) -> None:
    """The plugin whose storage is open can neither be disabled nor reloaded."""
    shelf.add(
        "keeper", "from alejo.hooks import hookimpl\n@hookimpl\ndef alejo_register_storage(): return {'box': open}"
    )
    host = await start(shelf, "one")
    host.hold("storage", "box")
    for change in (host.disable, host.reload):
        with pytest.raises(FailedPrecondition, match="holds the storage"):
            await change("keeper")
    await host.close()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """What was switched off must not come back because a file cannot be read."""
    from alejo.plugins.switches import Switches  # noqa: PLC0415  only here

    (tmp_path / "plugins.json").write_text("{")
    with pytest.raises(StartupError, match="it is not known which plugins are switched off") as told:
        Switches(tmp_path / "plugins.json")
    assert told.value.hint.startswith("rm ")


async def test_a_reload_ends_quarantine(shelf: Shelf) -> None:
    """A plugin in quarantine that is reloaded begins anew: its failures are forgotten."""
    host = await start(shelf, "one", failures=1)
    slot = host.one("emotion")
    assert slot is not None
    with pytest.raises(PluginFailed):
        await host.call(slot, "appraise", "wait", timeout=0.05)
    assert host.statuses()[0].state is PluginState.QUARANTINED
    sys.modules["one"].GO.set()
    assert (await host.reload("one")).state is PluginState.ACTIVE
    assert await feel(host) == 0.25
    await host.close()


HEARING = """
import asyncio, threading
from alejo.hooks import hookimpl
from alejo.roles import Observer

GO = threading.Event()
HEARD = []

class Hearing(Observer):
    async def session_ended(self, session):
        HEARD.append(session.title)
        await asyncio.to_thread(GO.wait)

@hookimpl
def alejo_register_observers(settings):
    return [Hearing()]
"""


async def test_an_observer_that_is_loaded_anew_hears_what_waited(shelf: Shelf) -> None:
    """What the old one has begun to hear ends with it; the next event of the session goes to the new one."""
    shelf.add("one", HEARING)
    host = await PluginHost.start(shelf.settings(), SystemClock(), entry_points=shelf.entry_points)
    events = Events(host, 10)
    old = sys.modules["one"]
    for title in ("first", "second"):
        events.tell("session_ended", "s", Session("s", SessionState.COMPLETED, 0, 0, title))
    await asyncio.sleep(0)
    shelf.add("one", HEARING + "#")
    await host.reload("one")
    new = sys.modules["one"]
    new.GO.set()
    old.GO.set()
    await events.close(seconds=30)
    assert (old.HEARD, new.HEARD) == (["first"], ["second"])
    await host.close()
