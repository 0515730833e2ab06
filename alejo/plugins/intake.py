"""How a plugin comes in: found, compared, tried apart, imported, registered. What is wrong with it stays with it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint

import structlog

from alejo.clock import Clock
from alejo.settings import Settings

from . import loading, modules, shapes
from .discovery import Candidate, alejo_version, check_duplicates, check_version, discover
from .paths import PathFiles
from .slots import Plugin, Slot
from .states import Event, Refusal, Standing
from .switches import Switches
from .verdicts import Verdict, Verdicts, key

log = structlog.get_logger("alejo.plugins")
PROBES_AT_ONCE = 8
Found = Iterable[EntryPoint] | Callable[[], Iterable[EntryPoint]] | None


class Intake:
    """Makes plugins out of what is installed, or of what `found` gives. No plugin makes any of its methods raise."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        switches: Switches,
        changed: Callable[[], None],
        found: Found = None,
        given: Sequence[Candidate] = (),
    ) -> None:
        self.switches = switches
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._found = found if found is None or callable(found) else tuple(found)
        self._given = given
        self._path_files = PathFiles()

    async def everything(self) -> list[Plugin]:
        """Every plugin that is installed, by name, loaded if it can be."""
        candidates = self._candidates()
        plugins = [self._plugin(candidate) for candidate in candidates]
        wanted = self._admit(plugins, candidates)
        verdicts = await self._judge([plugin.candidate for plugin in wanted])
        # The trusted come first: what they offer, nobody else can take.
        loaded: list[Plugin] = []
        for plugin in sorted(wanted, key=lambda plugin: not plugin.candidate.trusted):
            await self._load(plugin, verdicts[plugin.candidate], loaded)
            loaded.append(plugin)
        return plugins

    async def again(self, name: str, others: Sequence[Plugin]) -> Plugin | None:
        """One plugin by name, its code read anew beside `others`; None if it is not installed.

        A rejected one leaves Python's memory as it was.
        """
        # What was installed a moment ago is to be seen.
        await asyncio.to_thread(self._path_files.catch_up)
        importlib.invalidate_caches()
        # Reading the metadata of all that is installed takes tens of milliseconds, which no call need pay for.
        candidates = await asyncio.to_thread(self._candidates)
        plugins = [self._plugin(candidate) for candidate in candidates]
        named = [plugin for plugin in plugins if plugin.candidate.name == name]
        wanted = [plugin for plugin in self._admit(plugins, candidates) if plugin in named]
        if not wanted:
            return named[0] if named else None
        (plugin,) = wanted  # of several that claim a name at most one is admitted
        verdicts = await self._judge([plugin.candidate])
        if plugin.candidate.given is not None:
            await self._load(plugin, verdicts[plugin.candidate], others)
            return plugin
        with contextlib.suppress(Refusal), modules.afresh(plugin.candidate):
            refusal = await self._load(plugin, verdicts[plugin.candidate], others)
            if refusal is not None:
                raise refusal
        return plugin

    def off(self, candidate: Candidate) -> Plugin:
        """A plugin that is installed and not loaded."""
        plugin = self._plugin(candidate)
        if candidate.name in self.disabled_by_settings:
            plugin.standing.reason = "It is disabled by the setting plugins.disabled."
        else:
            plugin.standing.reason = "It was switched off."
            plugin.standing.hint = f"alejo plugins enable {candidate.name}"
        return plugin

    @property
    def disabled_by_settings(self) -> Sequence[str]:
        """The names that no operator can switch on while the server runs."""
        disabled: Sequence[str] = self._settings["plugins.disabled"]
        return disabled

    def _candidates(self) -> list[Candidate]:
        points = self._found() if callable(self._found) else self._found
        found = discover(self._settings["plugins.trusted"], points)
        return sorted([*found, *self._given], key=lambda candidate: (candidate.name, candidate.distribution))

    def _plugin(self, candidate: Candidate) -> Plugin:
        limit, rest = self._settings["plugins.failures"], self._settings["plugins.rest_seconds"]
        return Plugin(candidate, Standing(self._clock, limit, rest, self._changed))

    def _admit(self, plugins: list[Plugin], candidates: list[Candidate]) -> list[Plugin]:
        refusals = check_duplicates(candidates)
        version = alejo_version()
        wanted = []
        for plugin in plugins:
            candidate = plugin.candidate
            if candidate.name in self.disabled_by_settings or candidate.name in self.switches.off:
                told = self.off(candidate).standing
                plugin.standing.reason, plugin.standing.hint = told.reason, told.hint
                continue
            try:
                if candidate in refusals:
                    raise refusals[candidate]
                check_version(candidate, version)
                wanted.append(plugin)
            except Refusal as refusal:
                self._refuse(plugin, refusal)
        return wanted

    async def _judge(self, candidates: list[Candidate]) -> dict[Candidate, Verdict]:
        path = self._settings.directories.cache / "plugins.json"
        seconds = self._settings["plugins.import_seconds"]
        cache = await asyncio.to_thread(Verdicts, path, self._clock.now(), seconds)
        # What was handed over as an object is imported already.
        verdicts = {one: Verdict(self._clock.now()) for one in candidates if one.given is not None}
        asked = [candidate for candidate in candidates if candidate not in verdicts]
        keys = dict(zip(asked, await asyncio.to_thread(lambda: [key(candidate) for candidate in asked]), strict=True))
        known = {candidate: cache.find(keys[candidate]) for candidate in keys}
        gate = asyncio.Semaphore(PROBES_AT_ONCE)

        async def judge(candidate: Candidate) -> tuple[Candidate, Verdict]:
            async with gate:
                return candidate, await asyncio.to_thread(cache.judge, candidate)

        new = dict(await asyncio.gather(*(judge(candidate) for candidate, verdict in known.items() if verdict is None)))
        if new:
            await asyncio.to_thread(cache.keep, {keys[candidate]: verdict for candidate, verdict in new.items()})
        return verdicts | {one: verdict for one, verdict in known.items() if verdict is not None} | new

    async def _load(self, plugin: Plugin, verdict: Verdict, others: Sequence[Plugin]) -> Refusal | None:
        candidate = plugin.candidate
        started = self._clock.monotonic()
        try:
            verdict.check()
            work = functools.partial(
                loading.load, candidate, self._settings.plugin(candidate.name), self._settings.endpoints
            )
            seconds = self._settings["plugins.import_seconds"]
            loaded = await loading.in_time(work, seconds, candidate.name, candidate.package)
            plugin.settings, plugin.import_seconds = loaded.settings, loaded.import_seconds
            slots = [_slot(plugin, offer) for offer in loaded.offers]
            _check_taken(slots, others)
        except Refusal as refusal:
            plugin.stuck_threads += isinstance(refusal, loading.Stuck)
            self._refuse(plugin, refusal)
            return refusal
        plugin.slots = slots
        plugin.load_seconds = self._clock.monotonic() - started
        plugin.standing.step(Event.LOADED)
        return None

    def _refuse(self, plugin: Plugin, refusal: Refusal) -> None:
        # What was raised while loading holds no user's words, so its whole text may be told here.
        cause = refusal.__cause__
        text = "" if cause is None else repr(cause)
        log.warning("plugin_rejected", plugin=plugin.candidate.name, reason=refusal.reason, error=text)
        plugin.standing.step(Event.REFUSED, refusal.reason, refusal.hint)


def _slot(plugin: Plugin, offer: loading.Offer) -> Slot:
    candidate = plugin.candidate
    return Slot(
        candidate.name,
        candidate.distribution,
        offer.role,
        offer.value,
        candidate.trusted,
        plugin,
        offer.spec,
        offer.name,
        shapes.check_lacks(offer.value),
    )


def _check_taken(slots: Sequence[Slot], others: Sequence[Plugin]) -> None:
    taken = {name: other.candidate.name for other in others for slot in other.slots for name in slot.names}
    own: set[tuple[str, str]] = set()
    for slot in slots:
        for name in slot.names:
            if name in taken or name in own:
                raise Refusal(
                    f"It offers the {name[0]} {name[1]!r}, which {taken.get(name, slot.plugin)} offers already.",
                    "Disable one of them with plugins.disabled.",
                )
            own.add(name)
