"""`alejo plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.settings import Settings
    from alejo.types import PluginStatus, Vacancy


@click.group("plugins")
def command() -> None:
    """What the assistant is made of."""


@command.command("list")
@options.as_json
@options.server
def list_(data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool) -> None:
    """List the plugins, how they are, and why one was rejected.

    Asks the running server; if none runs, loads the plugins here, which takes what a start takes.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    statuses, vacancies = options.run(statuses_of(settings, user or ""))
    rows = [
        {
            "name": status.name,
            "state": status.state,
            "roles": list(status.roles),
            "version": status.version,
            "load_seconds": round(status.load_seconds, 4),
            "distribution": status.distribution,
            "trusted": status.trusted,
            "calls": status.calls,
            "failures": status.failures,
            "stuck_threads": status.stuck_threads,
            "reason": status.reason,
            "hint": status.hint,
        }
        for status in statuses
    ]
    columns = ["name", "state", "roles", "version", "load_seconds", "trusted", "reason", "hint"]
    output.listing(rows, columns, as_json=as_json, empty="No plugins are installed.", widths=70)
    if not as_json:
        for vacancy in vacancies:
            helps = "See why above." if vacancy.hint == "alejo plugins list" else f"Try: {vacancy.hint}"
            output.say(f"Nothing fills the role {vacancy.role}. {helps}")


async def statuses_of(settings: Settings, user: str = "") -> tuple[list[PluginStatus], list[Vacancy]]:
    """The plugins and the vacant roles: of the server that a URL names or that runs, else as they load here."""
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    if settings["client.url"] or await _runs(settings):
        async with link.reach(settings, user) as reached:
            return await reached.client.plugins()
    from alejo.clock import SystemClock  # noqa: PLC0415 - a running server spares us the plugins
    from alejo.plugins import PluginHost  # noqa: PLC0415

    options.log(settings, quiet=True)
    host = await PluginHost.start(settings, SystemClock())
    try:
        return host.statuses(), host.vacancies()
    finally:
        await host.close()


async def _runs(settings: Settings) -> bool:
    """Whether a server serves the data folder. Makes no folder: a listing must not."""
    from alejo.errors import StartupError  # noqa: PLC0415 - see statuses_of
    from alejo.storage.folder import Folder  # noqa: PLC0415

    from .link import answers  # noqa: PLC0415

    try:
        folder = Folder.open(settings.data_path, settings.key_file, create=False)
    except StartupError:
        return False
    return await answers(folder.socket_path)
