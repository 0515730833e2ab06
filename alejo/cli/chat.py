"""`alejo chat`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from alejo.errors import NotFound, StartupError

from . import options
from .exits import Exit

if TYPE_CHECKING:
    from alejo.client import Client
    from alejo.settings import Settings


@click.command("chat")
@options.server
@click.option("--session", metavar="ID", default="", help="The session to go on with. Default: a new one.")
def command(data: str | None, url: str | None, key: str | None, user: str | None, session: str) -> int:
    """Talk with the assistant, in the terminal or a line at a time.

    Speaks to the server of the data folder, or to one of its own for as long as the chat lasts if none runs. With piped
    input every line is answered by one line on stdout; everything else goes to stderr, such as reminders that fall due.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    return options.run(_chat(settings, user or "", session))


async def _known(client: Client, session_id: str) -> str:
    try:
        return (await client.session(session_id)).id
    except NotFound:
        raise StartupError(
            f"There is no session {session_id}.", hint="alejo sessions list", exit_code=Exit.FAILED
        ) from None


async def _chat(settings: Settings, user: str, session: str) -> int:
    from . import lines, link, output, talk  # noqa: PLC0415 - grpc is not needed to show --help

    async with link.reach(settings, user) as reached:
        if reached.key_made:
            output.say(f"Back up your key {reached.key_made}: without it nothing that is remembered can be read.")
        await reached.client.info()  # a wrong key or a server that is not there ends the chat before its first line
        conversation = talk.Talk(reached)
        if session:
            conversation.session_id = await _known(reached.client, session)
        conversation.due.listen()
        try:
            if not (sys.stdin.isatty() and sys.stdout.isatty()):
                return await lines.converse(conversation)
            from . import terminal  # noqa: PLC0415 - prompt_toolkit takes 0.3 s, which a pipe need not pay

            return await terminal.converse(conversation)
        finally:
            await conversation.due.close()
