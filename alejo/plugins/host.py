"""The host: loads the plugins one by one, calls them so that none can harm the server, and tells how each stands."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from importlib.metadata import EntryPoint
from typing import Any

import structlog

from alejo.clock import Clock
from alejo.errors import AlejoError, InvalidArgument, PluginFailed, StartupError
from alejo.settings import Settings
from alejo.types import CommandSpec, PluginState, PluginStatus, Vacancy

from . import desk, loading, places, shapes
from .discovery import Candidate, alejo_version, check_duplicates, check_version, discover
from .here import Overdue, within
from .lane import Lane, Outcome, Pieces
from .states import Event, Refusal, Standing
from .verdicts import Verdict, Verdicts, key

log = structlog.get_logger("alejo.plugins")
BUILT_IN = ("brain", "emotion", "memory", "vision")
PROBES_AT_ONCE = 8


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One object that a plugin registered for a role. `spec` is a command's, read once when it was registered."""

    plugin: str
    distribution: str
    role: str
    object: Any
    trusted: bool
    entry: Plugin = dataclasses.field(repr=False)
    spec: CommandSpec | None = None


class Plugin:
    """What the host knows of one plugin."""

    def __init__(self, candidate: Candidate, standing: Standing) -> None:
        self.candidate = candidate
        self.standing = standing
        self.slots: list[Slot] = []
        self.load_seconds = 0.0
        self.stuck_threads = 0
        self.lane: Lane | None = None

    def status(self) -> PluginStatus:
        """The truth about it."""
        standing, candidate = self.standing, self.candidate
        return PluginStatus(
            candidate.name,
            candidate.distribution,
            candidate.version,
            standing.state,
            reason=standing.reason,
            hint=standing.hint,
            roles=tuple(dict.fromkeys(slot.role for slot in self.slots)),
            load_seconds=self.load_seconds,
            trusted=candidate.trusted,
            calls=standing.calls,
            failures=standing.failures,
            stuck_threads=self.stuck_threads,
        )


class PluginHost:
    """All plugins of a server. Made with `start`; every method is for the loop it was started on."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._seconds: float = settings["plugins.call_seconds"]
        self._plugins: list[Plugin] = []
        self._slots: dict[str, list[Slot]] = {}  # by role, in the order of the plugins' names
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    async def start(
        cls, settings: Settings, clock: Clock, *, entry_points: Iterable[EntryPoint] | None = None
    ) -> PluginHost:
        """Loads what is installed, or what `entry_points` gives. No plugin can make this fail."""
        host = cls(settings, clock)
        await host._load_all(discover(settings["plugins.trusted"], entry_points))
        return host

    def one(self, role: str) -> Slot | None:
        """Who fills a role: the first by name that works, else one in quarantine, whose trial a call may be."""
        slots = self.every(role)
        for slot in slots:
            if slot.entry.standing.state is not PluginState.QUARANTINED:
                return slot
        return slots[0] if slots else None

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

    async def close(self) -> None:
        """Ends the plugins' loops; a thread that does not end within a second is left to end with the process."""
        lanes = [plugin.lane for plugin in self._plugins if plugin.lane is not None]
        await asyncio.gather(*(lane.close(1.0) for lane in lanes))

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
        try:
            value = await within(seconds, getattr(slot.object, method)(*arguments))
            value = shapes.check_answer(slot.role, method, value, trusted=True)
        except BaseException as error:  # noqa: BLE001  a plugin may raise anything; `_settle` says what becomes of it
            raise self._settle(slot, arguments, _outcome(error), trial) from None
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
        lane = self._lane(slot)
        carried, desks = desk.carry(arguments, lane.home)

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
        if outcome.error is not None or outcome.why:
            raise self._settle(slot, arguments, outcome, trial) from None
        if slot.entry.standing.state is not PluginState.ACTIVE:
            slot.entry.standing.succeeded(trial=trial)
        return outcome.value

    async def _stream_here(
        self, slot: Slot, method: str, arguments: tuple[Any, ...], seconds: float
    ) -> AsyncGenerator[Any, None]:
        trial = self._begin_stream(slot)
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
            await self._close_source(slot, source)

    async def _stream_apart(
        self, slot: Slot, method: str, arguments: tuple[Any, ...], seconds: float
    ) -> AsyncGenerator[Any, None]:
        trial = self._begin_stream(slot)
        lane = self._lane(slot)
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
            blocked, stuck = functools.partial(self._blocked, plugin), functools.partial(self._stuck, plugin)
            plugin.lane = Lane(name, plugin.candidate.package, blocked, stuck)
        return plugin.lane

    def _blocked(self, plugin: Plugin, place: str) -> None:
        log.warning("plugin_blocks", plugin=plugin.candidate.name, place=place)
        plugin.standing.blocked(f"It blocks its event loop at {place}.")

    def _stuck(self, plugin: Plugin, place: str) -> None:
        log.error("plugin_stuck", plugin=plugin.candidate.name, place=place)
        plugin.stuck_threads += 1
        if plugin.lane is not None:
            plugin.lane.retire()
            plugin.lane.interrupt()
            plugin.lane = None
        plugin.standing.trip(f"It hangs at {place}; its event loop was replaced.")

    # Loading

    async def _load_all(self, candidates: list[Candidate]) -> None:
        refusals = check_duplicates(candidates)
        version = alejo_version()
        wanted = []
        for candidate in candidates:
            limit, rest = self._settings["plugins.failures"], self._settings["plugins.rest_seconds"]
            plugin = Plugin(candidate, Standing(self._clock, limit, rest, self._change))
            self._plugins.append(plugin)
            if candidate.name in self._settings["plugins.disabled"]:
                plugin.standing.reason = "It is disabled by the setting plugins.disabled."
                continue
            try:
                if candidate in refusals:
                    raise refusals[candidate]
                check_version(candidate, version)
                wanted.append(plugin)
            except Refusal as refusal:
                self._refuse(plugin, refusal)
        verdicts = await self._judge([plugin.candidate for plugin in wanted])
        # The trusted come first: what they offer, nobody else can take.
        for plugin in sorted(wanted, key=lambda plugin: not plugin.candidate.trusted):
            await self._load(plugin, verdicts[plugin.candidate])

    async def _judge(self, candidates: list[Candidate]) -> dict[Candidate, Verdict]:
        path = self._settings.directories.cache / "plugins.json"
        seconds = self._settings["plugins.import_seconds"]
        cache = Verdicts(path, self._clock.now(), seconds)
        keys = {candidate: key(candidate) for candidate in candidates}
        known = {candidate: cache.find(keys[candidate]) for candidate in candidates}
        gate = asyncio.Semaphore(PROBES_AT_ONCE)

        async def judge(candidate: Candidate) -> tuple[Candidate, Verdict]:
            async with gate:
                return candidate, await asyncio.to_thread(cache.judge, candidate)

        new = dict(await asyncio.gather(*(judge(candidate) for candidate, verdict in known.items() if verdict is None)))
        if new:
            cache.keep({keys[candidate]: verdict for candidate, verdict in new.items()})
        return {candidate: new.get(candidate) or verdict for candidate, verdict in known.items()}  # type: ignore[misc]

    async def _load(self, plugin: Plugin, verdict: Verdict) -> None:
        candidate = plugin.candidate
        started = self._clock.monotonic()
        try:
            verdict.check()
            work = functools.partial(loading.load, candidate, self._settings.plugin(candidate.name))
            seconds = self._settings["plugins.import_seconds"]
            offers = await loading.in_time(work, seconds, candidate.name, candidate.package)
            slots = [_slot(plugin, offer) for offer in offers]
            self._check_taken(slots)
        except loading.Stuck as refusal:
            plugin.stuck_threads += 1
            self._refuse(plugin, refusal)
        except Refusal as refusal:
            self._refuse(plugin, refusal)
        else:
            plugin.slots = slots
            self._slots.clear()
            plugin.load_seconds = self._clock.monotonic() - started
            plugin.standing.step(Event.LOADED)

    def _check_taken(self, slots: list[Slot]) -> None:
        taken = {
            name: slot.plugin for role in ("command", "storage") for slot in self.every(role) for name in _names(slot)
        }
        own: set[tuple[str, str]] = set()
        for slot in slots:
            for name in _names(slot):
                if name in taken or name in own:
                    owner = taken.get(name, slot.plugin)
                    raise Refusal(
                        f"It offers the {name[0]} {name[1]!r}, which {owner} offers already.",
                        "Disable one of them with plugins.disabled.",
                    )
                own.add(name)

    def _refuse(self, plugin: Plugin, refusal: Refusal) -> None:
        # What was raised while loading holds no user's words, so its whole text may be told here.
        cause = refusal.__cause__
        text = "" if cause is None else repr(cause)
        log.warning("plugin_rejected", plugin=plugin.candidate.name, reason=refusal.reason, error=text)
        plugin.standing.step(Event.REFUSED, refusal.reason, refusal.hint)

    def _change(self) -> None:
        for listener in self._listeners:
            listener()


def _slot(plugin: Plugin, offer: loading.Offer) -> Slot:
    candidate = plugin.candidate
    return Slot(candidate.name, candidate.distribution, offer.role, offer.value, candidate.trusted, plugin, offer.spec)


def _names(slot: Slot) -> list[tuple[str, str]]:
    """What of a slot there can be only one of: a command's name, a storage's schemes."""
    if slot.spec is not None:
        return [("command", slot.spec.name)]
    return [("storage", scheme) for scheme in slot.object] if slot.role == "storage" else []


def _outcome(error: BaseException) -> Outcome:
    return Outcome(why="timeout") if isinstance(error, Overdue) else Outcome(error=error)


def _blame(error: BaseException, package: str) -> str:
    return str(error) if isinstance(error, shapes.WrongAnswer) else places.of_error(error, package)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
