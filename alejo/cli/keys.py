"""`alejo keys`: works on the data folder itself, beside a running server, without loading a plugin."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from alejo.errors import InvalidArgument, NotFound, StartupError

from . import options, output
from .exits import Exit

if TYPE_CHECKING:
    from alejo.identity import Keys
    from alejo.settings import Settings
    from alejo.storage.store import Store
    from alejo.storage.tables import ApiKey


class Span(click.ParamType[float]):
    """A time span such as 45m, 12h, 30d or 2w, in seconds."""

    name = "time"
    _SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds. Fails unless they are at least one."""
        found = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", str(value), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is not a number with s, m, h, d or w behind it, such as 30d.", param, ctx)
        return float(found[1]) * self._SECONDS[found[2]]


@click.group("keys")
def command() -> None:
    """The keys that programs show to the server."""


@command.command("add")
@click.argument("name")
@click.option("--tenant", default="local", show_default=True, help="Whose key it is.")
@click.option("--user", default="", help="The only user it may act for. Default: any user of the tenant.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "write", "operator"]),
    help="What it may do; give it once for each. Default: read and write. An operator sees settings and plugins.",
)
@click.option("--expires", type=Span(), metavar="TIME", help="When it ends, such as 12h or 30d. Default: never.")
@options.data
@options.debug
def add(name: str, tenant: str, user: str, scopes: tuple[str, ...], expires: float | None, data: str | None) -> None:
    """Make a key and print it, once, on stdout."""

    async def run() -> tuple[ApiKey, str]:
        async with opened(options.settings(data__path=data), create=True) as keys:
            return await keys.add(name, tenant=tenant, user=user, scopes=scopes or ("read", "write"), seconds=expires)

    key, token = options.run(run())
    click.echo(token)
    whom = f"the user {user}" if user else "any user, named in x-alejo-user,"
    until = f" until {output.iso(key.expires_at)}" if key.expires_at else ""
    may = " and ".join("operate" if scope == "operator" else scope for scope in key.scopes)
    output.say(f"The key {output.one_line(key.name)} acts for {whom} of the tenant {tenant}{until}.")
    output.say(f"It may {may}. It is not shown again.")


@command.command("list")
@options.as_json
@options.data
@options.debug
def list_(data: str | None, as_json: bool) -> None:
    """List the keys, oldest first. The secrets are not kept and cannot be shown."""

    async def run() -> list[ApiKey]:
        async with opened(options.settings(data__path=data)) as keys:
            return await keys.list()

    rows = [
        {
            "id": key.id,
            "name": key.name,
            "tenant": key.tenant,
            "user": key.user,
            "scopes": " ".join(key.scopes),
            "created_at": output.iso(key.created_at),
            "expires_at": output.iso(key.expires_at),
            "revoked_at": output.iso(key.revoked_at),
        }
        for key in options.run(run())
    ]
    columns = ["id", "name", "tenant", "user", "scopes", "created_at", "expires_at", "revoked_at"]
    output.listing(rows, columns, as_json=as_json, empty="There are no keys yet. Try: alejo keys add NAME")


@command.command("revoke")
@click.argument("name_or_id")
@options.data
@options.debug
def revoke(name_or_id: str, data: str | None) -> None:
    """End a key. A running server refuses it within a second."""

    async def run() -> ApiKey:
        async with opened(options.settings(data__path=data)) as keys:
            return await keys.revoke(name_or_id)

    try:
        key = options.run(run())
    except NotFound:
        raise StartupError(
            f"There is no key {name_or_id} that could be revoked.", hint="alejo keys list", exit_code=Exit.FAILED
        ) from None
    except InvalidArgument as error:
        raise StartupError(error.message, hint="alejo keys list", exit_code=Exit.BAD_INPUT) from None
    output.say(f"Revoked: {output.one_line(key.name)} ({key.id}).")


@asynccontextmanager
async def opened(settings: Settings, *, create: bool = False) -> AsyncIterator[Keys]:
    """The keys of the data folder. Raises StartupError if there is none and none shall be made."""
    from alejo.clock import SystemClock  # noqa: PLC0415 - storage is not needed to show --help
    from alejo.identity import Keys  # noqa: PLC0415
    from alejo.ids import Ids  # noqa: PLC0415

    clock = SystemClock()
    async with stored(settings, create=create) as store:
        yield Keys(store, Ids(clock), clock)


@asynccontextmanager
async def stored(settings: Settings, *, create: bool = False) -> AsyncIterator[Store]:
    """The records of the data folder. Raises StartupError if there is none and none shall be made."""
    from alejo.storage.folder import Folder  # noqa: PLC0415 - storage is not needed to show --help
    from alejo.storage.opener import open_store  # noqa: PLC0415

    options.log(settings, quiet=True)
    url = settings.storage_url
    folder = Folder.open(settings.data_path, settings.key_file, create=create, brought=url.startswith("files:"))
    if folder.key_made:
        output.say(f"Back up your key {folder.key_file}: without it nothing that is remembered can be read.")
    mebi = 1 << 20
    _, store = await open_store(
        folder, url, {}, map_size=settings["data.map_size_mb"] * mebi, max_size=settings["data.max_size_mb"] * mebi
    )
    try:
        yield store
    finally:
        await store.close()
