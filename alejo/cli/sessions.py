"""`alejo sessions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.settings import Settings
    from alejo.types import Session


@click.group("sessions")
def command() -> None:
    """The conversations so far."""


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most.")
@options.as_json
@options.server
def list_(data: str | None, url: str | None, key: str | None, user: str | None, as_json: bool, limit: int) -> None:
    """List the sessions, newest first."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    rows = [
        {
            "id": session.id,
            "state": session.state,
            "messages": session.message_count,
            "created_at": output.iso(session.created_at),
            "updated_at": output.iso(session.updated_at),
            "title": session.title,
            "parent_id": session.parent_id,
            "metadata": session.metadata,
        }
        for session in options.run(_list(settings, user or "", limit))
    ]
    columns = ["id", "state", "messages", "updated_at", "title"]
    output.listing(rows, columns, as_json=as_json, empty="There are no sessions yet.")


async def _list(settings: Settings, user: str, limit: int) -> list[Session]:
    from alejo.types import Page  # noqa: PLC0415 - grpc is not needed to show --help

    from . import link  # noqa: PLC0415

    sessions: list[Session] = []
    token = ""
    async with link.reach(settings, user) as reached:
        while len(sessions) < limit:
            page, token = await reached.client.sessions(Page(min(1000, limit - len(sessions)), token))
            sessions += page
            if not token:
                break
    return sessions
