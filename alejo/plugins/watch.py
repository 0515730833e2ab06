"""The watch over the server's own event loop, which trusted plugins run on: names who holds it up, and where."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

from . import places
from .lane import BEAT


class Watch:
    """A thread that asks the loop twice within BEAT seconds whether it turns, unless it rests. Made and closed on it.

    `blame` gets the packages on the loop's stack, innermost first, and names the plugin among them, if any; it is
    called in the watch's thread. `tell` hears, on the loop once it turns again, the name, the place and the seconds.
    """

    def __init__(
        self, blame: Callable[[Sequence[str]], str | None], tell: Callable[[str | None, str, float], None]
    ) -> None:
        self._blame = blame
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._ident = threading.get_ident()
        self._ended = threading.Event()
        self._answered = threading.Event()
        threading.Thread(target=self._main, name="alejo-watch", daemon=True).start()

    def close(self) -> None:
        """Ends the thread within BEAT seconds, without waiting for it."""
        self._ended.set()
        self._answered.set()

    def _main(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed
            while not self._ended.wait(BEAT / 2):
                if at_rest(sys._current_frames().get(self._ident)):
                    continue  # to ask would be all that an idle server does
                self._answered.clear()
                asked = time.monotonic()
                self._loop.call_soon_threadsafe(self._answered.set)
                if self._answered.wait(BEAT) or self._ended.is_set():
                    continue
                # Were this thread late too, the machine or the GIL would be to blame and nobody's code.
                if time.monotonic() - asked < 2 * BEAT:
                    self._look(asked)

    def _look(self, asked: float) -> None:
        frame = sys._current_frames().get(self._ident)
        name = self._blame(packages(frame))
        package = next(iter(packages(frame)), "") if name is None else _package_of(name, frame, self._blame)
        place = places.of_frame(frame, package)
        del frame  # it would keep what the loop's code holds alive
        self._answered.wait()
        if not self._ended.is_set():
            self._loop.call_soon_threadsafe(self._tell, name, place, time.monotonic() - asked)


def at_rest(frame: FrameType | None) -> bool:
    """Whether a loop's stack is that of one that waits for something to do. A selector of anybody else's is no rest."""
    caller = frame.f_back if frame is not None and frame.f_globals.get("__name__") == "selectors" else None
    return caller is not None and caller.f_globals.get("__name__") == "asyncio.base_events"


def packages(frame: FrameType | None) -> list[str]:
    """The top-level packages on a stack, innermost first, each once."""
    found: dict[str, None] = {}
    while frame is not None:
        found.setdefault(str(frame.f_globals.get("__name__", "")).partition(".")[0])
        frame = frame.f_back
    return list(found)


def _package_of(name: str, frame: FrameType | None, blame: Callable[[Sequence[str]], str | None]) -> str:
    return next(package for package in packages(frame) if blame([package]) == name)
