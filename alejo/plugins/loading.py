"""Brings one plugin into the host: import, hooks, registration. Whatever goes wrong is a Refusal of that plugin."""

from __future__ import annotations

import asyncio
import copy
import difflib
import inspect
import threading
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import msgspec
import pluggy

from alejo.completions import Endpoint
from alejo.errors import InvalidArgument
from alejo.hooks import PROJECT, Specs
from alejo.settings import Setting, Source
from alejo.types import CommandSpec

from . import declared, places, shapes
from .discovery import Candidate
from .probe import describe
from .states import Refusal
from .verdicts import import_refusal

T = TypeVar("T")

# The role that each hook registers, and whether it registers several objects.
HOOKS = {
    "alejo_register_brain": ("brain", False),
    "alejo_register_commands": ("command", True),
    "alejo_register_emotion": ("emotion", False),
    "alejo_register_conscience": ("conscience", False),
    "alejo_register_vision": ("vision", False),
    "alejo_register_embedder": ("embedder", False),
    "alejo_register_language_models": ("language_model", True),
    "alejo_register_memory": ("memory", False),
    "alejo_register_learners": ("learner", True),
    "alejo_register_reflectors": ("reflector", True),
    "alejo_register_drives": ("drive", True),
    "alejo_register_observers": ("observer", True),
    "alejo_register_storage": ("storage", False),
}
SETTINGS = "alejo_register_settings"
NAMES = (*HOOKS, SETTINGS)


class Offer(NamedTuple):
    """An object that a plugin registered for a role."""

    role: str
    value: Any
    spec: CommandSpec | None = None
    name: str = ""


class Stuck(Refusal):
    """Loading did not end within its budget; the thread it runs in is lost."""


class Loaded(NamedTuple):
    """What a plugin offers, the settings it declares, and how long its import took in seconds."""

    offers: list[Offer]
    settings: list[Setting]
    import_seconds: float


def load(candidate: Candidate, source: Source, endpoints: Mapping[str, Endpoint] | None = None) -> Loaded:
    """Imports the plugin, reads its settings and calls its hooks. Raises Refusal.

    `endpoints` are handed to those hooks that ask for them.
    """
    began = perf_counter()
    plugin = _import(candidate)
    import_seconds = perf_counter() - began
    # A pluggy manager of its own: what a plugin does to it stays with that plugin.
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Specs)
    _check_hooks(plugin, manager)
    try:
        manager.register(plugin, name=candidate.name)
    except pluggy.PluginValidationError as error:
        raise Refusal(_signature_reason(error), "Hooks take one argument, settings, or none.") from None
    settings, found = _settings(candidate, manager, source)
    offers: list[Offer] = []
    for name in HOOKS:
        for implementation in getattr(manager.hook, name).get_hookimpls():
            offers += _call(candidate, name, implementation, {"settings": settings, "endpoints": endpoints or {}})
    if not manager.get_hookcallers(plugin):
        raise Refusal("It implements no hook.", "Mark its hooks with @alejo.hooks.hookimpl.")
    return Loaded(offers, found, import_seconds)


def _settings(candidate: Candidate, manager: pluggy.PluginManager, source: Source) -> tuple[Any, list[Setting]]:
    """What the hooks get: an object of the declared schema, or the bare table where none is declared."""
    declaring = getattr(manager.hook, SETTINGS).get_hookimpls()
    if not declaring:
        return source.table, []
    try:
        schema = declaring[0].function()
    except BaseException as error:
        raise Refusal(f"Its {SETTINGS} raised {places.of_error(error, candidate.package)}.") from error
    if not (isinstance(schema, type) and issubclass(schema, msgspec.Struct)):
        raise Refusal(f"Its {SETTINGS} returned no subclass of msgspec.Struct.", "Return the class, not an object.")
    return declared.read(candidate.name, schema, source)


async def in_time(function: Callable[[], T], seconds: float, name: str, package: str) -> T:
    """Runs a function in a daemon thread. Raises Stuck, naming the line, when it takes longer than `seconds`."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()

    def deliver(value: T | None, error: BaseException | None) -> None:
        if not done.done():
            done.set_result((value, error))

    def run() -> None:
        value, error = None, None
        try:
            value = function()
        except BaseException as raised:  # noqa: BLE001  carried over to the caller, whatever it is
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, value, error)

    thread = threading.Thread(target=run, name=f"alejo-load-{name}", daemon=True)
    thread.start()
    try:
        value, error = await asyncio.wait_for(done, seconds)
    except TimeoutError:
        place = places.of_thread(thread.ident, package)
        raise Stuck(
            f"Loading it did not end within {seconds:g} s{f' (it hangs at {place})' if place else ''}.",
            "plugins.import_seconds gives it more time.",
        ) from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]  # without an error it is what the function returned


def _import(candidate: Candidate) -> Any:
    try:
        plugin = candidate.entry_point.load() if candidate.given is None else candidate.given
        return plugin() if inspect.isclass(plugin) else plugin
    except BaseException as error:
        raise import_refusal(candidate, describe(error)) from error


def _check_hooks(plugin: Any, manager: pluggy.PluginManager) -> None:
    for attribute in dir(plugin):
        static = inspect.getattr_static(plugin, attribute, None)
        function = getattr(static, "__func__", static)
        if not inspect.isfunction(function):
            continue
        options = manager.parse_hookimpl_opts(plugin, attribute)
        place = places.of_function(function)
        if options is None:
            if attribute in NAMES:
                raise Refusal(
                    f"Its {attribute} is not marked as a hook ({place}).", "Mark it with @alejo.hooks.hookimpl."
                )
            if not attribute.startswith("alejo_"):
                continue
        name = (options["specname"] if options else None) or attribute
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"The hooks are {', '.join(NAMES)}."
            raise Refusal(f"There is no hook {name} ({place}).", hint)
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise Refusal(
                f"Its {name} is not a plain function ({place}).", "Hooks are called once, at start, and return objects."
            )


def _signature_reason(error: pluggy.PluginValidationError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    definition = next((line for line in lines if line.startswith("hookimpl definition:")), lines[0])
    return f"Its hook {definition.removeprefix('hookimpl definition: ')} asks for arguments that no hook has."


def _call(candidate: Candidate, name: str, implementation: pluggy.HookImpl, given: Mapping[str, Any]) -> list[Offer]:
    role, several = HOOKS[name]
    # Each hook gets a copy: what one changes in its settings, another does not see.
    arguments = {argument: copy.deepcopy(given[argument]) for argument in implementation.argnames}
    try:
        value = implementation.function(**arguments)
    except InvalidArgument as error:
        raise Refusal(
            f"Its settings are wrong: {error.message}", f"See [plugin.{candidate.name}] in alejo.toml."
        ) from error
    except BaseException as error:
        place = places.of_error(error, candidate.package)
        raise Refusal(f"Its {name} raised {place}.", f"See [plugin.{candidate.name}] in alejo.toml.") from error
    if value is None:
        return []
    if several and not isinstance(value, (list, tuple)):
        raise Refusal(f"Its {name} returned {type(value).__name__}, not a list.")
    try:
        return [_offer(role, item) for item in (value if isinstance(value, (list, tuple)) else [value])]
    except Refusal:
        raise
    except BaseException as error:
        raise Refusal(f"Looking at its {role} raised {places.of_error(error, candidate.package)}.") from error


def _offer(role: str, value: Any) -> Offer:
    if role == "storage":
        return Offer(role, shapes.check_openers(value))
    shapes.check_object(role, value)
    name = shapes.check_name(value) if role == "language_model" else ""
    return Offer(role, value, shapes.check_spec(value) if role == "command" else None, name)
