"""`alejo feedback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.settings import Settings


@click.command("feedback")
@click.argument("memory_id")
@click.option("--helpful/--not-helpful", required=True, help="Whether it was of use.")
@click.option(
    "--turn", default="", metavar="ID", help="The request id of the turn. Default: the last that recalled it."
)
@options.server
def command(
    memory_id: str, helpful: bool, turn: str, data: str | None, url: str | None, key: str | None, user: str | None
) -> None:
    """Say whether a memory that was recalled for an answer was of use.

    Recall learns from it when a session ends: alejo learning weights list. The last word counts.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    options.run(_give(settings, user or "", memory_id, helpful=helpful, turn=turn))
    output.say("Noted.")


async def _give(settings: Settings, user: str, memory_id: str, *, helpful: bool, turn: str) -> None:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        await reached.client.give_feedback(memory_id, helpful=helpful, turn=turn)
