"""The real host and the real assistant in memory, around plugins that are handed over instead of installed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

from alejo.app import Assistant, open_assistant
from alejo.clock import Clock, FakeClock
from alejo.errors import NotFound
from alejo.hooks import hookimpl
from alejo.plugins import Candidate, PluginHost, Slot, check_arguments
from alejo.roles import Brain, Turn
from alejo.settings import Settings, read
from alejo.types import PluginStatus

from .desk import turn as made_turn
from .storage import MemoryStorage


class Host:
    """The plugins under test in a real host: states, deadlines, isolation and checks are those of a server."""

    def __init__(self, plugins: PluginHost, clock: Clock) -> None:
        self.plugins = plugins
        self.clock = clock
        self._changed = asyncio.Event()
        plugins.on_change(self._changed.set)

    async def call(
        self, role: str, method: str, *arguments: Any, plugin: str = "", timeout: float | None = None
    ) -> Any:
        """Calls a method of a role: of the first plugin that fills it, or of the one named. `timeout` in seconds.

        Raises PluginFailed as a turn would see it, and NotFound when nobody fills the role.
        """
        return await self.plugins.call(self._slot(role, plugin), method, *arguments, timeout=timeout)

    def stream(
        self, role: str, method: str, *arguments: Any, plugin: str = "", timeout: float | None = None
    ) -> AsyncGenerator[Any, None]:
        """The same of a method that answers piece by piece."""
        return self.plugins.stream(self._slot(role, plugin), method, *arguments, timeout=timeout)

    async def run(
        self, command: str, arguments: str = "", turn: Turn | None = None, timeout: float | None = None
    ) -> str:
        """Runs a command by its name. Raises NotFound, PluginFailed, InvalidArgument."""
        for slot in self.plugins.every("command"):
            if slot.spec is not None and slot.spec.name == command:
                arguments = check_arguments(slot.spec, arguments)
                turn = turn or made_turn(f"{command} {arguments}".strip())
                said: str = await self.plugins.call(slot, "run", arguments, turn, timeout=timeout)
                return said
        raise NotFound("command", command)

    def status(self, name: str = "") -> PluginStatus:
        """How a plugin is: the one named, or the only one. Raises NotFound."""
        for status in self.plugins.statuses():
            if name in {status.name, ""}:
                return status
        raise NotFound("plugin", name)

    async def until(self, holds: Callable[[PluginStatus], bool], name: str = "", seconds: float = 10.0) -> PluginStatus:
        """Waits until a plugin's status is so. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not holds(self.status(name)):
                self._changed.clear()
                await self._changed.wait()
        return self.status(name)

    def _slot(self, role: str, plugin: str) -> Slot:
        for slot in self.plugins.every(role):
            if plugin in {slot.plugin, ""}:
                return slot
        raise NotFound(role, plugin)


@asynccontextmanager
async def host(
    *plugins: object,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    clock: Clock | None = None,
    trusted: bool = False,
    **options: Any,
) -> AsyncIterator[Host]:
    """A host of these plugins: modules, objects or classes with hooks. Nothing is installed, nothing is written.

    `settings` are the plugins' tables by name; `options` settings of the server with "__" for ".", such as
    `plugins__call_seconds=1.0`. A plugin's name is that of its module or class without "alejo_". One that is rejected
    shows in `status(name).reason`. The clock stands still unless another is given.
    """
    clock = clock or FakeClock()
    chosen = _settings(Path("/nonexistent"), settings, options)
    given = [candidate(plugin, trusted=trusted) for plugin in plugins]
    started = await PluginHost.start(chosen, clock, entry_points=(), given=given)
    try:
        yield Host(started, clock)
    finally:
        await started.close()


@asynccontextmanager
async def assistant(
    *plugins: object,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    clock: Clock | None = None,
    trusted: bool = False,
    **options: Any,
) -> AsyncIterator[Assistant]:
    """An assistant of these plugins, as `host` takes them, whose records are in memory.

    Without a brain among them a parrot answers: it runs the command that a message begins with, and else repeats it.
    """
    given = [candidate(plugin, trusted=trusted) for plugin in (_Records(), *plugins)]
    if not any(hasattr(plugin, "alejo_register_brain") for plugin in plugins):
        given.append(candidate(Parrot(), trusted=True))
    with tempfile.TemporaryDirectory(prefix="alejo-testing-") as folder:
        chosen = _settings(Path(folder), settings, {"data__storage": "memory:", **options})
        async with open_assistant(settings=chosen, clock=clock, entry_points=(), given_plugins=given) as opened:
            yield opened


class Parrot:
    """The smallest brain: runs the command that a message begins with, and else repeats the message."""

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """The answer in one piece."""
        command, _, arguments = turn.message.text.partition(" ")
        if any(spec.name == command for spec in turn.commands):
            yield await turn.desk.run(command, arguments)
        else:
            yield turn.message.text

    @hookimpl
    def alejo_register_brain(self, settings: Any) -> Brain:
        """Itself."""
        return self


class _Records:
    """Records in memory, opened by the URL "memory:"."""

    @hookimpl
    def alejo_register_storage(self, settings: Any) -> dict[str, Callable[[str], MemoryStorage]]:
        """The opener."""
        return {"memory": MemoryStorage}


def candidate(plugin: object, *, trusted: bool) -> Candidate:
    """A plugin that is handed over, as if it had been found."""
    shape = plugin if isinstance(plugin, ModuleType | type) else type(plugin)
    module = (shape.__name__ if isinstance(shape, ModuleType) else shape.__module__).replace("-", "_")  # of a folder
    name = shape.__name__.rpartition(".")[2].removeprefix("alejo_").strip("_").lower()
    point = EntryPoint(name=name, value=module, group="alejo")
    return Candidate(point, name, module.partition(".")[0].replace("_", "-"), "", trusted, plugin)


def _settings(home: Path, plugins: Mapping[str, Mapping[str, Any]] | None, options: Mapping[str, Any]) -> Settings:
    overrides = {name.replace("__", "."): value for name, value in options.items()}
    return read({"HOME": str(home)}, overrides, plugins)
