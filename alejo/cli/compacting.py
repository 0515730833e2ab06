"""`alejo compact`: the files of the data folder made anew, without what was forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.settings import Settings

_MIB = 1 << 20


@click.command("compact")
@options.server
def command(data: str | None, url: str | None, key: str | None, user: str | None) -> None:
    """Take what was forgotten and deleted out of the files.

    A record that is forgotten is out of every answer at once; its sealed bytes stay in the files until they are made
    anew, which this does beside the running server, and a server does by itself within a day (data.compact_hours).
    Killed at any moment it loses nothing. It takes room for the records once more while it runs, and needs that no
    second process has the folder open. Backups and exports keep what they have.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    before, after = options.run(_compact(settings, user or ""))
    output.say(f"Compacted: the records took {before / _MIB:.1f} MiB and take {after / _MIB:.1f} MiB.")
    output.say("! Backups and exports that were made before still hold what was forgotten since.")


async def _compact(settings: Settings, user: str) -> tuple[int, int]:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        return await reached.client.compact()
