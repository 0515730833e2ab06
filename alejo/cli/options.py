"""What the commands have in common: their options, the settings they read, and how they run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from alejo.errors import StartupError

from .exits import Exit

if TYPE_CHECKING:
    from alejo.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def folders(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Lets a shell complete an option with the folders there are."""
    return [CompletionItem(incomplete, type="dir")]


debug = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
data = click.option("--data", metavar="FOLDER", shell_complete=folders, help="The data folder. [setting data.path]")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
without_key_check = click.option(
    "--without-key-check", is_flag=True, help="Check sums alone, and open nothing: the master key is not here."
)
_URL = click.option("--url", metavar="URL", help="The server to speak to, instead of the data folder's. [client.url]")
_KEY = click.option("--key", metavar="KEY", help="The key to show it. Better: the environment variable ALEJO_API_KEY.")
_USER = click.option("--user", metavar="NAME", help="The user to act for.")


def server(function: F) -> F:
    """The options of a command that speaks to a server."""
    for option in (debug, _USER, _KEY, _URL, data):
        function = option(function)
    return function


def settings(**overrides: Any) -> Settings:
    """The settings, with what the command line says. Dots of a name are written as two underscores."""
    from alejo.settings import read  # noqa: PLC0415 - `alejo --version` does not need it

    return read(overrides={name.replace("__", "."): value for name, value in overrides.items()})


def log(settings: Settings, *, quiet: bool) -> None:
    """Sets up the log on stderr; `quiet` shows errors alone, unless log.level is set. Raises StartupError."""
    from alejo import log as room  # noqa: PLC0415 - structlog takes its time, and few commands load what logs

    setting = next(setting for setting in settings.all() if setting.option.name == "log.level")
    try:
        room.configure("error" if quiet and setting.source == "default" else setting.value)
    except ValueError as error:
        raise StartupError(f"{error}.", hint="alejo config show", exit_code=Exit.CONFIGURATION) from None


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it to the end on an event loop of its own."""
    return asyncio.run(coroutine)
