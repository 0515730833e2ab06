"""A plugin whose every call does what it is told, and the host that calls it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from alejo.clock import Clock, SystemClock
from alejo.plugins import PluginHost, Slot
from alejo.types import PluginStatus

from .shelf import Shelf

DEADLINE = 10.0

CODE = '''
import asyncio, contextvars, itertools, threading, time
from alejo.errors import InvalidArgument, NotFound
from alejo.hooks import hookimpl
from alejo.types import Appraisal, CommandSpec

GATE = threading.Event()       # a test opens it to end a call that blocks
STARTED = threading.Event()    # a call that waits or blocks has begun
ENDED = threading.Event()      # it was cancelled or closed
variable = contextvars.ContextVar("variable", default="")
lock = threading.Lock()
made = itertools.count()

class Feeling:
    """What a text says is done."""

    async def appraise(self, text):
        if text == "loop":
            return Appraisal(float(id(asyncio.get_running_loop())), 0.0)
        if text == "raise":
            raise ValueError("the secret")
        if text == "exit":
            raise SystemExit(3)
        if text == "interrupt":
            raise KeyboardInterrupt
        if text == "cancel":
            raise asyncio.CancelledError
        if text == "refuse":
            raise InvalidArgument.field("text", "is not wanted.")
        if text == "not found":
            raise NotFound("mood", "x")
        if text == "wrong":
            return "happy"
        if text == "wrong field":
            return Appraisal("high", 0.0)
        if text.startswith("set "):
            seen = variable.get()
            variable.set(text)
            await asyncio.sleep(0)
            return Appraisal(1.0 if seen else 0.0, 0.0)
        if text == "wait":
            STARTED.set()
            try:
                await asyncio.Event().wait()
            finally:
                ENDED.set()
        if text == "stubborn":
            STARTED.set()
            while not GATE.is_set():
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    pass
        if text == "block":
            STARTED.set()
            GATE.wait()
        if text == "spin":
            STARTED.set()
            try:
                while True:
                    pass
            finally:
                ENDED.set()
        if text == "lock":
            lock.acquire()
            STARTED.set()
            lock.acquire()
        if text == "task exits":
            async def exits():
                raise SystemExit
            asyncio.create_task(exits())
            await asyncio.sleep(0)
        if text == "thread":
            STARTED.set()
            await asyncio.to_thread(GATE.wait)
        return Appraisal(0.5, 0.5)

class Talking:
    """The turn's desk is not used: a word of what to do stands in its place."""

    async def respond(self, turn):
        global SENT
        SENT = 0
        if turn == "number":
            yield 7
        if turn == "raise first":
            raise ValueError
        try:
            for piece in ("a", "b", "c"):
                yield piece
            if turn == "raise":
                raise ValueError
            if turn == "wait":
                STARTED.set()
                await asyncio.Event().wait()
            if turn == "block":
                STARTED.set()
                GATE.wait()
            while turn == "forever":
                SENT += 1
                yield "more"
                await asyncio.sleep(0)
        finally:
            ENDED.set()

class Saying:
    spec = CommandSpec("say", "Says it.")

    async def run(self, arguments, turn):
        return arguments

@hookimpl
def alejo_register_emotion(settings):
    return Feeling()

@hookimpl
def alejo_register_brain(settings):
    return Talking()
'''


class Acting:
    """The plugin under test, alone in a host."""

    def __init__(self, host: PluginHost, module: ModuleType) -> None:
        self.host = host
        self.module = module
        self.changes: list[PluginStatus] = []
        self._changed = asyncio.Event()
        host.on_change(self._note)

    @classmethod
    async def start(
        cls, shelf: Shelf, *, trusted: bool, clock: Clock | None = None, name: str = "acting", **overrides: Any
    ) -> Acting:
        """Starts a host with the plugin."""
        shelf.add(name, CODE)
        environment = {"XDG_CACHE_HOME": str(shelf.verdicts)}
        settings = shelf.settings(environment=environment, trusted=[name] if trusted else [], **overrides)
        host = await PluginHost.start(settings, clock or SystemClock(), entry_points=shelf.entry_points())
        assert [status.reason for status in host.statuses()] == [""]
        return cls(host, sys.modules[name])

    def _note(self) -> None:
        self.changes.append(self.status)
        self._changed.set()

    @property
    def status(self) -> PluginStatus:
        """How the plugin stands."""
        return self.host.statuses()[0]

    def slot(self, role: str = "emotion") -> Slot:
        """What it registered."""
        slot = self.host.one(role)
        assert slot is not None
        return slot

    async def do(self, what: str, timeout: float = DEADLINE) -> Any:
        """A call that does what it is told."""
        return await self.host.call(self.slot(), "appraise", what, timeout=timeout)

    def say(self, what: str, timeout: float = DEADLINE) -> Any:
        """A stream that does what it is told."""
        return self.host.stream(self.slot("brain"), "respond", what, timeout=timeout)

    async def until(self, holds: Callable[[PluginStatus], bool]) -> PluginStatus:
        """Waits until the status, as it changes, is so."""
        async with asyncio.timeout(DEADLINE):
            while not holds(self.status):
                self._changed.clear()
                await self._changed.wait()
        return self.status

    async def happens(self, event: str) -> None:
        """Waits for an event of the plugin's, without holding up the loop."""
        flag: threading.Event = getattr(self.module, event)
        assert await asyncio.to_thread(flag.wait, DEADLINE), f"{event} did not happen"
