"""`alejo config`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from alejo.errors import StartupError

from . import options, output
from .exits import Exit

if TYPE_CHECKING:
    from alejo.settings import Settings
    from alejo.types import PluginStatus


@click.group("config")
def command() -> None:
    """The settings: what they are and where they come from."""


@command.command("show")
@options.as_json
@options.data
@options.debug
def show(data: str | None, as_json: bool) -> None:
    """List every setting, its value, and where the value came from; those that plugins declare too.

    The plugins are loaded for that, which takes what a start takes.
    """
    from alejo import settings  # noqa: PLC0415 - not needed to show --help

    from .plugins import loaded_here  # noqa: PLC0415

    found = options.settings(data__path=data)
    statuses, declared = options.run(loaded_here(found))
    rows = [output.setting(setting) for setting in (*found.all(), *declared)]
    rows += _undeclared(found, statuses, {row["name"] for row in rows})
    if not as_json:
        output.say(f"File: {settings.file()}{'' if settings.file().exists() else ' (not there: alejo config init)'}")
        for row in rows:
            row["value"] = output.HIDDEN if row["value"] == output.HIDDEN else settings.toml(row["value"])
    output.listing(rows, ["name", "value", "source", "help"], as_json=as_json, empty="", widths=80)


def _undeclared(found: Settings, statuses: list[PluginStatus], known: set[str]) -> list[dict[str, Any]]:
    """What alejo.toml holds for plugins that declare nothing, or are not loaded. It may be secret, so it is hidden."""
    why = {status.name: f"The plugin is {status.state.name.lower()}. {status.reason}".rstrip() for status in statuses}
    return [
        {
            "name": name,
            "value": output.HIDDEN,
            "source": "file",
            "default": None,
            "environment": "",
            "help": why.get(plugin, f"No plugin {plugin} is installed."),
        }
        for plugin in found.plugin_tables()
        for name in (f"plugin.{plugin}.{key}" for key in found.plugin(plugin).table)
        if name not in known
    ]


@command.command("init")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@options.debug
def init(force: bool) -> None:
    """Write an alejo.toml with every setting as a comment."""
    from alejo import settings  # noqa: PLC0415 - not needed to show --help

    path = settings.file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        raise StartupError(
            f"{path} is there already.", hint="alejo config init --force", exit_code=Exit.CANNOT_CREATE
        ) from None
    except OSError as error:
        raise StartupError(
            f"{path} cannot be written: {error.strerror}.",
            hint="Set ALEJO_CONFIG to a file in a folder that you may write.",
            exit_code=Exit.CANNOT_CREATE,
        ) from None
    path.chmod(0o600)
    output.say(f"Written: {path}")


def template() -> str:
    """A settings file that says everything and changes nothing."""
    from alejo.settings import OPTIONS, toml  # noqa: PLC0415 - not needed to show --help

    lines = [
        "# The settings of ALEJO. What is commented out has its default.",
        "# The environment wins over this file.",
    ]
    section = ""
    for option in OPTIONS:
        table, _, name = option.name.rpartition(".")
        if table != section:
            section = table
            lines += ["", f"[{table}]"]
        lines += ["", *textwrap.wrap(option.help, 100, initial_indent="# ", subsequent_indent="# ")]
        lines.append(f"# {name} = {toml(option.default)}")
    return "\n".join([*lines, "", "# A plugin's own settings stand in a table of its name:", "# [plugin.NAME]", ""])
