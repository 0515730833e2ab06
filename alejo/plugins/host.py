"""The host: loads the plugins one by one, calls them so that none can harm the server, and tells how each stands."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import structlog

from alejo.clock import Clock
from alejo.errors import (
    AlejoError,
    FailedPrecondition,
    InvalidArgument,
    ModelFailed,
    NotFound,
    PluginFailed,
    StartupError,
)
from alejo.settings import Setting, Settings
from alejo.types import PluginState, PluginStatus, Vacancy

from . import desk, places, shapes
from .discovery import Candidate
from .here import Overdue, within
from .intake import Found, Intake
from .lane import BEAT, Lane, Outcome, Pieces
from .slots import Plugin, Slot
from .switches import Switches
from .watch import Watch

log = structlog.get_logger("alejo.plugins")
PATIENCE = 1.0  # seconds of the server's loop that a trusted plugin may take at a time
# Whose callers know what a language model's failure means; to others it is that of whoever asked it.
HEARS_OF_MODELS = frozenset({"brain", "language_model", "learner", "reflector"})
BUILT_IN = ("brain", "emotion", "memory", "vision")


class PluginHost:
    """All plugins of a server. Made with `start`; every method is for the loop it was started on."""

    def __init__(
        self, settings: Settings, clock: Clock, switches: Switches, found: Found, given: Sequence[Candidate]
    ) -> None:
        self._settings = settings
        self._seconds: float = settings["plugins.call_seconds"]
        self._intake = Intake(settings, clock, switches, self._change, found, given)
        self._plugins: list[Plugin] = []
        self._slots: dict[str, list[Slot]] = {}  # by role, in the order of the plugins' names
        self._listeners: list[Callable[[], None]] = []
        self._changing = asyncio.Lock()
        self._held: set[str] = set()
        self._closing: set[asyncio.Task[bool]] = set()
        self._left: list[Plugin] = []
        self._abandoned: set[Lane] = set()
        self._watch: Watch | None = None

    @classmethod
    async def start(
        cls,
        settings: Settings,
        clock: Clock,
        *,
        entry_points: Found = None,
        given: Sequence[Candidate] = (),
        state: Path | None = None,
    ) -> PluginHost:
        """Loads what is installed, or what `entry_points` gives, and what is `given`. No plugin can make this fail.

        `state` is the file that says what an operator switched off. Raises StartupError when it is damaged.
        """
        host = cls(settings, clock, Switches(state), entry_points, given)
        host._plugins = await host._intake.everything()
        host._watch = Watch(host._blamed, host._stalled)
        return host

    def one(self, role: str) -> Slot | None:
        """Who fills a role: the first by name that works, else one in quarantine, whose trial a call may be."""
        slots = self.every(role)
        for slot in slots:
            if slot.entry.standing.state is not PluginState.QUARANTINED:
                return slot
        return slots[0] if slots else None

    def offering(self, role: str, method: str) -> Slot | None:
        """Who fills a role, if it has a method that it need not have."""
        slot = self.one(role)
        return slot if slot is not None and hasattr(slot.object, method) else None

    def every(self, role: str) -> list[Slot]:
        """Every object registered for a role, by the plugins' names."""
        slots = self._slots.get(role)
        if slots is None:
            slots = [slot for plugin in self._plugins for slot in plugin.slots if slot.role == role]
            self._slots[role] = slots
        return slots

    def works(self, role: str) -> bool:
        """Whether somebody fills a role and is not in quarantine."""
        return any(slot.entry.standing.state is not PluginState.QUARANTINED for slot in self.every(role))

    def statuses(self) -> list[PluginStatus]:
        """The truth about every plugin that is installed."""
        return [plugin.status() for plugin in self._plugins]

    def vacancies(self) -> list[Vacancy]:
        """The roles that a conversation knows and no plugin fills."""
        installed = {plugin.candidate.distribution for plugin in self._plugins}
        return [
            Vacancy(
                role, "alejo plugins list" if f"alejo-{role}" in installed else f"pip install ./plugins/alejo-{role}"
            )
            for role in BUILT_IN
            if not self.every(role)
        ]

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls the listener, on the server's loop, whenever a plugin's state or its reason changes."""
        self._listeners.append(listener)

    @property
    def call_seconds(self) -> float:
        """How long a call may take where its caller says nothing else."""
        return self._seconds

    @property
    def command_seconds(self) -> float:
        """How long a command may take within a brain's call: less than that, so that the brain is not blamed for it."""
        return self._seconds * 0.75

    def settings(self) -> list[Setting]:
        """Every setting that a loaded plugin declares, by the plugins' names."""
        return [setting for plugin in self._plugins for setting in plugin.settings]

    def hold(self, role: str, name: str) -> None:
        """Whoever offers this, a storage's scheme for example, cannot be switched or reloaded from now on."""
        self._held |= {slot.plugin for slot in self.every(role) if (role, name) in slot.names}

    async def close(self) -> None:
        """Has connections closed and ends the plugins' loops.

        A thread that does not end within a second is left to end with the process.
        """
        if self._watch is not None:
            self._watch.close()
        plugins = (*self._plugins, *self._left)
        ending = [slot for plugin in plugins for slot in plugin.slots if "close" in shapes.ROLES.get(slot.role, {})]
        for slot in ending:
            if hasattr(slot.object, "close"):
                with contextlib.suppress(PluginFailed):  # it is gone in any case
                    await self.call(slot, "close", timeout=1.0)
        lanes = [plugin.lane for plugin in plugins if plugin.lane is not None]
        hung = (lane.close(BEAT) for lane in self._abandoned)
        await asyncio.gather(*self._closing, *(lane.close(1.0) for lane in lanes), *hung)

    # Changes while the server runs

    async def disable(self, name: str) -> PluginStatus:
        """Takes a plugin out, also over restarts; its calls end by themselves. Raises NotFound, FailedPrecondition."""
        async with self._changing:
            old = self._find(name)
            self._check_free(name)
            self._intake.switches.turn(name, on=False)
            new = self._intake.off(old.candidate)
            self._replace(old, new)
            return new.status()

    async def enable(self, name: str) -> PluginStatus:
        """Lets a plugin in again. Raises NotFound, FailedPrecondition, which says why it was rejected."""
        async with self._changing:
            if name in self._intake.disabled_by_settings:
                raise FailedPrecondition(
                    f"The setting plugins.disabled names {name}; take it out there and start the server again.",
                    reason="PLUGIN_DISABLED",
                )
            old = next((one for one in self._plugins if one.candidate.name == name), None)
            was_off = name in self._intake.switches.off
            if old is not None and not was_off and old.slots:
                return old.status()
            self._intake.switches.turn(name, on=True)
            return await self._renew(name, old)

    async def reload(self, name: str) -> PluginStatus:
        """Reads a plugin's code anew and puts it in the place of the old one, whose calls end by themselves.

        One that was installed meanwhile is let in. Raises NotFound, and FailedPrecondition when the new one is
        rejected; then the old one goes on.
        """
        async with self._changing:
            self._check_free(name)
            if name in self._intake.switches.off or name in self._intake.disabled_by_settings:
                raise FailedPrecondition(
                    f"{name} is switched off: alejo plugins enable {name}", reason="PLUGIN_DISABLED"
                )
            return await self._renew(name, next((one for one in self._plugins if one.candidate.name == name), None))

    async def _renew(self, name: str, old: Plugin | None) -> PluginStatus:
        new = await self._intake.again(name, [one for one in self._plugins if one is not old])
        if new is None:
            raise NotFound("plugin", name)
        told = f"{name} was rejected: {new.standing.reason} {new.standing.hint}".strip()
        is_rejected = new.standing.state is PluginState.REJECTED
        if old is not None and old.slots and is_rejected:
            old.stuck_threads += new.stuck_threads
            raise FailedPrecondition(f"The new {told} The old one goes on.", reason="PLUGIN_REJECTED")
        self._replace(old, new)
        if is_rejected:
            raise FailedPrecondition(told, reason="PLUGIN_REJECTED")
        return new.status()

    def _find(self, name: str) -> Plugin:
        for plugin in self._plugins:
            if plugin.candidate.name == name:
                return plugin
        raise NotFound("plugin", name)

    def _check_free(self, name: str) -> None:
        if name in self._held:
            raise FailedPrecondition(
                f"{name} holds the storage that is open; change data.storage and start the server again.",
                reason="PLUGIN_IN_USE",
            )

    def _replace(self, old: Plugin | None, new: Plugin) -> None:
        """In one step of the loop: a call gets the old plugin's objects or the new one's, never none."""
        if old is None:
            self._plugins = sorted([*self._plugins, new], key=lambda plugin: plugin.candidate.name)
        else:
            self._plugins = [new if plugin is old else plugin for plugin in self._plugins]
            new.stuck_threads += old.stuck_threads
            old.is_leaving = True
            self._left.append(old)
            self._leave(old)
        self._slots.clear()
        log.info("plugin_changed", plugin=new.candidate.name, state=new.standing.state.name.lower())
        self._change()

    def _leave(self, plugin: Plugin) -> None:
        """Ends the loop of a plugin that was replaced, once nothing runs on it. A late call would get a fresh one."""
        if plugin.is_leaving and not plugin.running and plugin.lane is not None:
            lane, plugin.lane = plugin.lane, None
            task = asyncio.get_running_loop().create_task(lane.close(1.0))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    # Calls

    async def call(self, slot: Slot, method: str, *arguments: Any, timeout: float | None = None) -> Any:
        """Calls a method and returns its answer. Raises PluginFailed, or InvalidArgument if the plugin raised that.

        `timeout` is in seconds. An error that the host's desk raised, and that the plugin let through, passes too.
        """
        standing = slot.entry.standing
        trial = standing.state is PluginState.QUARANTINED and self._admit(slot)
        seconds = self._seconds if timeout is None else timeout
        standing.calls += 1
        if not slot.trusted:
            return await self._call_apart(slot, method, arguments, seconds, trial)
        began = perf_counter()
        try:
            value = await within(seconds, getattr(slot.object, method)(*arguments))
            value = shapes.check_answer(slot.role, method, value, trusted=True)
        except BaseException as error:  # noqa: BLE001  a plugin may raise anything; `_settle` says what becomes of it
            raise self._settle(slot, arguments, _outcome(error), trial) from None
        finally:
            slot.entry.took(perf_counter() - began)
        if standing.state is not PluginState.ACTIVE:
            standing.succeeded(trial=trial)
        return value

    def stream(
        self, slot: Slot, method: str, *arguments: Any, timeout: float | None = None
    ) -> AsyncGenerator[Any, None]:
        """Calls an async generator and passes on its pieces; closing the stream closes the plugin's.

        `timeout`, in seconds, is for all the time spent waiting for pieces; a slow reader uses up nothing of it.
        """
        seconds = self._seconds if timeout is None else timeout
        return (self._stream_here if slot.trusted else self._stream_apart)(slot, method, arguments, seconds)

    async def _call_apart(
        self, slot: Slot, method: str, arguments: tuple[Any, ...], seconds: float, trial: bool
    ) -> Any:
        lane, entry = self._lane(slot), slot.entry
        carried, desks = desk.carry(arguments, lane.home)
        began = perf_counter()
        entry.running += 1

        async def make() -> Any:
            value = await getattr(slot.object, method)(*carried)
            return shapes.check_answer(slot.role, method, value, trusted=False)

        job = lane.submit(make, lane.home.time() + seconds)
        timer = lane.home.call_later(seconds, lane.expire, job)
        try:
            outcome = await job.future
        except BaseException:
            lane.drop(job)
            slot.entry.standing.released(trial=trial)
            raise
        finally:
            timer.cancel()
            for remote in desks:
                remote.close()
            self._ended(entry, perf_counter() - began)
        if outcome.error is not None or outcome.why:
            raise self._settle(slot, arguments, outcome, trial) from None
        if slot.entry.standing.state is not PluginState.ACTIVE:
            slot.entry.standing.succeeded(trial=trial)
        return outcome.value

    async def _stream_here(
        self, slot: Slot, method: str, arguments: tuple[Any, ...], seconds: float
    ) -> AsyncGenerator[Any, None]:
        trial, granted = self._begin_stream(slot), seconds
        loop = asyncio.get_running_loop()
        source: AsyncIterator[Any] | None = None
        is_settled = False
        try:
            while True:
                started = loop.time()
                try:
                    source = source or aiter(getattr(slot.object, method)(*arguments))
                    piece = await within(max(seconds, 0), anext(source))
                    shapes.check_answer(slot.role, method, piece, trusted=True)
                except StopAsyncIteration:
                    source = None  # it has ended by itself
                    break
                except BaseException as error:  # noqa: BLE001  a plugin may raise anything
                    is_settled = True
                    raise self._settle(slot, arguments, _outcome(error), trial) from None
                seconds -= loop.time() - started
                yield piece
            is_settled = True
            slot.entry.standing.succeeded(trial=trial)
        finally:
            if not is_settled:
                slot.entry.standing.released(trial=trial)
            slot.entry.took(granted - seconds)
            await self._close_source(slot, source)

    async def _stream_apart(
        self, slot: Slot, method: str, arguments: tuple[Any, ...], seconds: float
    ) -> AsyncGenerator[Any, None]:
        trial, granted = self._begin_stream(slot), seconds
        lane, entry = self._lane(slot), slot.entry
        entry.running += 1
        carried, desks = desk.carry(arguments, lane.home)
        pieces = Pieces(
            lane,
            lambda: getattr(slot.object, method)(*carried),
            lambda piece: shapes.check_answer(slot.role, method, piece, trusted=False),
        )
        is_settled = False
        try:
            while True:
                started = lane.home.time()
                piece = await pieces.next(max(seconds, 0))
                if isinstance(piece, Outcome):
                    break
                seconds -= lane.home.time() - started
                yield piece
            is_settled = True
            if piece.error is not None or piece.why:
                raise self._settle(slot, arguments, piece, trial) from None
            slot.entry.standing.succeeded(trial=trial)
        finally:
            if not is_settled:
                slot.entry.standing.released(trial=trial)
            pieces.close()
            for remote in desks:
                remote.close()
            self._ended(entry, granted - seconds)

    def _ended(self, plugin: Plugin, seconds: float) -> None:
        plugin.running -= 1
        plugin.took(seconds)
        if plugin.is_leaving:
            self._leave(plugin)

    def _begin_stream(self, slot: Slot) -> bool:
        standing = slot.entry.standing
        trial = standing.state is PluginState.QUARANTINED and self._admit(slot)
        standing.calls += 1
        return trial

    async def _close_source(self, slot: Slot, source: AsyncIterator[Any] | None) -> None:
        close = getattr(source, "aclose", None)
        if close is None:
            return
        try:
            await within(1.0, close())
        except Exception as error:  # noqa: BLE001  the answer is given or lost already; the log names who could not end
            place = places.of_error(error, slot.entry.candidate.package)
            log.warning("plugin_close_failed", plugin=slot.plugin, role=slot.role, error=place)

    def _admit(self, slot: Slot) -> bool:
        if not slot.entry.standing.admit():
            raise PluginFailed(slot.plugin, slot.role, "quarantined")
        return True

    def _settle(self, slot: Slot, arguments: tuple[Any, ...], outcome: Outcome, trial: bool) -> BaseException:
        """Counts how a call ended and returns what its caller shall be told."""
        standing, error = slot.entry.standing, outcome.error
        is_caller = isinstance(error, GeneratorExit) or (isinstance(error, asyncio.CancelledError) and _is_cancelled())
        if not outcome.why and error is not None:
            if is_caller:
                standing.released(trial=trial)
                return error
            if isinstance(error, InvalidArgument):
                standing.succeeded(trial=trial)
                return error
            if isinstance(error, ModelFailed):  # the plugin did its part
                standing.succeeded(trial=trial)
                why = "timeout" if error.why == "timeout" else "failed"
                return error if slot.role in HEARS_OF_MODELS else PluginFailed(slot.plugin, slot.role, why)
            if isinstance(error, AlejoError) and not isinstance(error, StartupError) and desk.has_desk(arguments):
                standing.released(trial=trial)
                return error
        if outcome.why == "quarantined":
            return PluginFailed(slot.plugin, slot.role, "quarantined")
        why, place = "timeout", "timeout"
        if not outcome.why and error is not None:
            why, place = "failed", _blame(error, slot.entry.candidate.package)
        log.warning("plugin_call_failed", plugin=slot.plugin, role=slot.role, why=why, error=place)
        standing.failed(place, trial=trial)
        return PluginFailed(slot.plugin, slot.role, why)

    # Lanes

    def _lane(self, slot: Slot) -> Lane:
        plugin = slot.entry
        if plugin.lane is not None and plugin.lane.is_retired:
            raise PluginFailed(slot.plugin, slot.role, "vacant")  # the host is closed
        if plugin.lane is None:
            name = plugin.candidate.name
            hear = (functools.partial(do, plugin) for do in (self._blocked, self._stuck, self._silent))
            plugin.lane = Lane(name, plugin.candidate.package, *hear)
        return plugin.lane

    def _blocked(self, plugin: Plugin, place: str) -> None:
        log.warning("plugin_blocks", plugin=plugin.candidate.name, place=place)
        plugin.standing.blocked(f"It blocks its event loop at {place}.")

    def _stuck(self, plugin: Plugin, place: str) -> None:
        log.error("plugin_stuck", plugin=plugin.candidate.name, place=place)
        plugin.stuck_threads += 1
        if plugin.lane is not None:
            plugin.lane.abandon()
            self._abandoned = {lane for lane in self._abandoned if lane.thread.is_alive()} | {plugin.lane}
            plugin.lane = None
        plugin.standing.trip(f"It hangs at {place}; its event loop was replaced.")

    def _silent(self, plugin: Plugin, seconds: float) -> None:
        plugin.stall_seconds += seconds

    # The server's own loop

    def _blamed(self, packages: Sequence[str]) -> str | None:
        """The trusted plugin that is innermost on a stack; none if it waits for the host. In the watch's thread."""
        names = {one.candidate.package: one.candidate.name for one in self._plugins if one.candidate.trusted}
        innermost = next((package for package in packages if package in names or package == "alejo"), "")
        return names.get(innermost)

    def _stalled(self, name: str | None, place: str, seconds: float) -> None:
        """The server's loop was silent. Who held it up for long loses its place there and gets a loop of its own."""
        if name is None:
            note = log.warning if seconds >= PATIENCE else log.info  # a busy machine is no news to who chats on it
            note("server_loop_stalled", place=place, seconds=round(seconds, 3))
            return
        log.error("plugin_blocked_server", plugin=name, place=place, seconds=round(seconds, 3))
        plugin = self._find(name)
        plugin.stall_seconds += seconds
        if seconds < PATIENCE:
            plugin.standing.blocked(f"It blocked the server's event loop for {seconds:.2f} s at {place}.")
            return
        plugin.slots = [dataclasses.replace(slot, trusted=False) for slot in plugin.slots]
        self._slots.clear()
        plugin.standing.blocked(
            f"It blocked the server's event loop for {seconds:.1f} s at {place}; it runs on a loop of its own now."
        )

    def _change(self) -> None:
        for listener in self._listeners:
            listener()


def _outcome(error: BaseException) -> Outcome:
    return Outcome(why="timeout") if isinstance(error, Overdue) else Outcome(error=error)


def _blame(error: BaseException, package: str) -> str:
    return str(error) if isinstance(error, shapes.WrongAnswer) else places.of_error(error, package)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
