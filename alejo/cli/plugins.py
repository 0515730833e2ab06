"""`alejo plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import authoring, options, output

if TYPE_CHECKING:
    from alejo.settings import Setting, Settings
    from alejo.types import PluginStatus, Vacancy


@click.group("plugins")
def command() -> None:
    """What the assistant is made of."""


command.add_command(authoring.new)
command.add_command(authoring.check)


@command.command("list")
@click.option("--timings", is_flag=True, help="Show where the time goes instead of the reasons, in milliseconds.")
@options.as_json
@options.server
def list_(data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool, timings: bool) -> None:
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
            **(_timings(status) if timings else {}),
            "reason": status.reason,
            "hint": status.hint,
        }
        for status in statuses
    ]
    columns = ["name", "state", "roles", "version", "load_seconds", "trusted", "reason", "hint"]
    if timings:
        columns = ["name", "state", *_timings(statuses[0])] if statuses else []
    output.listing(rows, columns, as_json=as_json, empty="No plugins are installed.", widths=70)
    if not as_json:
        for vacancy in vacancies:
            helps = "See why above." if vacancy.hint == "alejo plugins list" else f"Try: {vacancy.hint}"
            output.say(f"Nothing fills the role {vacancy.role}. {helps}")


def _timings(status: PluginStatus) -> dict[str, float]:
    """Milliseconds: of the import and of the whole loading, of a call at the mean and at most, of stalls in all."""
    return {
        "import_ms": round(status.import_seconds * 1000, 2),
        "load_ms": round(status.load_seconds * 1000, 2),
        "calls": status.calls,
        "mean_call_ms": round(status.call_seconds * 1000 / max(status.calls, 1), 3),
        "longest_call_ms": round(status.longest_call_seconds * 1000, 3),
        "stall_ms": round(status.stall_seconds * 1000, 1),
    }


@command.command("enable")
@click.argument("name")
@options.server
def enable(name: str, data: str | None, url: str | None, key: str | None, user: str | None) -> None:
    """Switch a plugin on again, in the running server and after every restart."""
    _change("enable_plugin", name, data, url, key, user)


@command.command("disable")
@click.argument("name")
@options.server
def disable(name: str, data: str | None, url: str | None, key: str | None, user: str | None) -> None:
    """Switch a plugin off, in the running server and after every restart, until it is enabled.

    Its calls under way end by themselves. It is kept in plugins.json of the data folder; alejo.toml is not touched.
    """
    _change("disable_plugin", name, data, url, key, user)


@command.command("reload")
@click.argument("name")
@options.server
def reload(name: str, data: str | None, url: str | None, key: str | None, user: str | None) -> None:
    """Read a plugin's code anew in the running server, without dropping a call.

    Takes a new version that was installed, or one installed for the first time. If the new one is rejected, the old
    one goes on and the reason is told.
    """
    _change("reload_plugin", name, data, url, key, user)


def _change(act: str, name: str, data: str | None, url: str | None, key: str | None, user: str | None) -> None:
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    status = options.run(_changed(settings, user or "", act, name))
    output.say(f"{status.name} {status.version} is {_WORDS.get(status.state.name, status.state.name.lower())}.")


_WORDS = {"DISCOVERED": "off"}


async def _changed(settings: Settings, user: str, act: str, name: str) -> PluginStatus:
    from alejo.errors import NotFound, StartupError  # noqa: PLC0415 - see statuses_of

    from . import link  # noqa: PLC0415

    if act == "reload_plugin" and not settings["client.url"] and not await _runs(settings):
        raise StartupError(
            "No server runs, so there is nothing to reload; a start reads all plugins.", hint="alejo serve"
        )
    async with link.reach(settings, user) as reached:
        try:
            status: PluginStatus = await getattr(reached.client, act)(name)
        except NotFound:
            raise StartupError(f"No plugin {name} is installed there.", hint="alejo plugins list") from None
        return status


@command.command("show")
@click.argument("name")
@click.option("--markdown", is_flag=True, help="Print a table of its settings for a README.")
@options.as_json
@options.data
@options.debug
def show(name: str, data: str | None, as_json: bool, markdown: bool) -> None:
    """Tell what a plugin is, and the settings it declares: values, defaults, environment variables."""
    from alejo.errors import StartupError  # noqa: PLC0415 - not needed to show --help
    from alejo.settings import toml  # noqa: PLC0415

    settings = options.settings(data__path=data)
    statuses, found = options.run(loaded_here(settings))
    status = next((status for status in statuses if status.name == name), None)
    if status is None:
        raise StartupError(f"No plugin {name} is installed here.", hint="alejo plugins list")
    own = [setting for setting in found if setting.option.name.startswith(f"plugin.{name}.")]
    if as_json:
        output.listing([output.setting(one) for one in own], [], as_json=True, empty="")
        return
    if markdown:
        click.echo("| setting | default | environment | |\n|---|---|---|---|")
        for one in own:
            row = (one.option.name, toml(one.option.default) or "none", one.option.variable)
            click.echo("| " + " | ".join(f"`{cell}`" for cell in row) + f" | {one.option.help} |")
        return
    click.echo(f"{status.name} {status.version}, of {status.distribution}: {status.state.name.lower()}")
    if status.reason:
        click.echo(f"  {status.reason} {status.hint}".rstrip())
    click.echo(f"  roles: {', '.join(status.roles) or 'none'}")
    for lack in status.lacks:
        click.echo(f"  {lack}")
    for one in own:
        value = "(hidden)" if one.option.secret and one.value else toml(one.value) or "not set"
        click.echo(f"  {one.option.name} = {value}  ({one.source}; {one.option.variable})  {one.option.help}".rstrip())


async def loaded_here(settings: Settings) -> tuple[list[PluginStatus], list[Setting]]:
    """The plugins as they load here with these settings, and every setting they declare."""
    from alejo.clock import SystemClock  # noqa: PLC0415 - see statuses_of
    from alejo.plugins import SWITCHES, PluginHost  # noqa: PLC0415

    options.log(settings, quiet=True)
    host = await PluginHost.start(settings, SystemClock(), state=settings.data_path / SWITCHES)
    try:
        return host.statuses(), host.settings()
    finally:
        await host.close()


async def statuses_of(
    settings: Settings, user: str = "", *, owner: bool = False
) -> tuple[list[PluginStatus], list[Vacancy]]:
    """The plugins and the vacant roles: of the server that a URL names or that runs, else as they load here.

    A key is for a server to judge, so one is started for it, unless it is the data folder's `owner` who asks.
    """
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    shown = settings["client.key"] and not owner
    if settings["client.url"] or shown or await _runs(settings):
        async with link.reach(settings, user, owner=owner) as reached:
            return await reached.client.plugins()
    from alejo.clock import SystemClock  # noqa: PLC0415 - a running server spares us the plugins
    from alejo.plugins import SWITCHES, PluginHost  # noqa: PLC0415

    options.log(settings, quiet=True)
    host = await PluginHost.start(settings, SystemClock(), state=settings.data_path / SWITCHES)
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
