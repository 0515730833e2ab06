"""`alejo forget`: shown before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options, output

if TYPE_CHECKING:
    from alejo.outcomes import Preview
    from alejo.settings import Settings

_SHOWN = 50


@click.command("forget")
@click.argument("query")
@click.option("--keep-messages", is_flag=True, help="Leave the words of the messages the memories came from.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.server
def command(
    query: str, keep_messages: bool, yes: bool, data: str | None, url: str | None, key: str | None, user: str | None
) -> None:
    """Forget the memories that say QUERY, after showing them.

    Those are the memories whose own words hold most of QUERY. What was derived from them goes too, and the messages
    they came from lose their words. Exactly what is shown is forgotten: if one of them changes meanwhile, nothing is.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    options.run(_forget(settings, user or "", query, keep_messages=keep_messages, yes=yes))


async def _forget(settings: Settings, user: str, query: str, *, keep_messages: bool, yes: bool) -> None:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        preview = await reached.client.preview_forget(query, keep_messages=keep_messages)
        _show(preview)
        if not preview.memories:
            return
        if not yes:
            click.confirm("Forget them for good?", abort=True, err=True)
        memories, messages = await reached.client.forget(preview=preview.token)
    forgotten = output.number(memories, "memory", "memories")
    output.say(f"Forgotten: {forgotten}; words taken out of {output.number(messages, 'message')}.")
    if preview.more:
        output.say("  More memories say this: the same command again.")


def _show(preview: Preview) -> None:
    for title, memories in (("", preview.memories), ("With them goes:", preview.falling)):
        if title and memories:
            output.say(title)
        for memory in memories[:_SHOWN]:
            click.echo(f"  {output.date(memory.sent_at)}  {output.shorten(memory.text, 80)}")
        if len(memories) > _SHOWN:
            output.say(f"  and {len(memories) - _SHOWN} more")
    if not preview.memories:
        output.say("Nothing that is remembered says this.")
    elif preview.messages:
        output.say(f"Words will be taken out of {output.number(preview.messages, 'message')}.")
