"""`alejo reminders`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.settings import Settings
    from alejo.types import Reminder

_STATES = ("pending", "delivered", "dismissed")


@click.group("reminders")
def command() -> None:
    """What you asked to be reminded of."""


@command.command("list")
@click.option(
    "--state", "states", type=click.Choice(_STATES), multiple=True, help="Only in this state; may be repeated."
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most.")
@options.as_json
@options.server
def list_(
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
    as_json: bool,
    limit: int,
    states: tuple[str, ...],
) -> None:
    """List the reminders: those to come by when they fall due, then those that were told or dismissed, for a month."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    rows = [
        {
            "id": reminder.id,
            "state": reminder.state,
            "due_at": output.iso(reminder.due),
            "text": reminder.text,
            "recurrence": reminder.recurrence,
            "time_zone": reminder.time_zone,
            "created_at": output.iso(reminder.created_at),
            "delivered_at": output.iso(reminder.delivered_at or 0),
            "session_id": reminder.session_id,
            "message_id": reminder.message_id,
        }
        for reminder in options.run(_list(settings, user or "", limit, states))
    ]
    columns = ["id", "state", "due_at", "text", "recurrence"]
    output.listing(rows, columns, as_json=as_json, empty="There are no such reminders.")


@command.command("dismiss")
@click.argument("reminder_ids", metavar="ID…", nargs=-1, required=True)
@options.server
def dismiss(
    reminder_ids: tuple[str, ...], data: str | None, url: str | None, key: str | None, user: str | None
) -> None:
    """Take reminders back, with all that would recur of them."""
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    options.run(_dismiss(settings, user or "", reminder_ids))


async def _list(settings: Settings, user: str, limit: int, states: tuple[str, ...]) -> list[Reminder]:
    from alejo.types import Page, ReminderState  # noqa: PLC0415 - grpc is not needed to show --help

    from . import link  # noqa: PLC0415

    wanted = [ReminderState[state.upper()] for state in states]
    found: list[Reminder] = []
    token = ""
    async with link.reach(settings, user) as reached:
        while len(found) < limit:
            page, token = await reached.client.reminders.list(Page(min(1000, limit - len(found)), token), wanted)
            found += page
            if not token:
                break
    return found


async def _dismiss(settings: Settings, user: str, reminder_ids: tuple[str, ...]) -> None:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        for each in reminder_ids:
            gone = await reached.client.reminders.dismiss(each)
            output.say(f"Dismissed: {output.shorten(gone.text, 90)}")
