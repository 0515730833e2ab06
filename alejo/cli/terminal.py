"""A chat at a terminal: streaming, colours, the user's own earlier lines on the Up arrow, Ctrl-C for an answer."""

from __future__ import annotations

import asyncio
import signal

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout

from alejo.client import Client
from alejo.errors import AlejoError
from alejo.types import Page, Role

from . import output, slash
from .exits import Exit
from .talk import Talk

_EARLIER_SESSIONS = 10
_EARLIER_LINES = 200


async def _own_lines(client: Client) -> list[str]:
    """What the user said in the last sessions, oldest first, as the server keeps it: nothing is written here."""
    lines: list[str] = []
    sessions, _ = await client.sessions(Page(_EARLIER_SESSIONS))
    for session in sessions:
        messages, _ = await client.messages(session.id, Page(_EARLIER_LINES), descending=True)
        # Another speaker's words come from an import: they are not what this user typed.
        lines += [output.one_line(one.text) for one in messages if one.role == Role.USER and not one.speaker]
        if len(lines) >= _EARLIER_LINES:
            break
    return [line for line in lines if line][_EARLIER_LINES - 1 :: -1]


async def converse(talk: Talk) -> int:
    """Talks until Ctrl-D or /quit."""
    loop = asyncio.get_running_loop()
    words = [f"/{name}" for name in slash.COMMANDS]
    try:
        earlier = await _own_lines(talk.link.client)
    except AlejoError as error:  # no reason not to talk
        output.report(error)
        earlier = []
    prompt: PromptSession[str] = PromptSession(
        history=InMemoryHistory(earlier),
        completer=WordCompleter(words, sentence=True),
        complete_while_typing=False,
    )
    output.say("Talk to me. /help shows what else there is; Ctrl-D leaves.", dim=True)
    while True:
        try:
            with patch_stdout(raw=True):  # what falls due meanwhile is shown above
                line = (await prompt.prompt_async(ANSI(click.style("you ", fg="cyan") + "> "))).strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return Exit.OK
        task = asyncio.ensure_future(_answer(talk, line))
        # Not asyncio.run's own reaction, which would end the whole chat.
        loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            click.secho("\n(stopped)", dim=True)
        except slash.Quit:
            return Exit.OK
        except AlejoError as error:
            output.report(error)
        finally:
            loop.remove_signal_handler(signal.SIGINT)


async def _answer(talk: Talk, line: str) -> None:
    if line.startswith("/") and not line.startswith("//"):
        await slash.obey(talk, line, _show_line)
    elif line:
        click.echo(click.style("alejo ", fg="green") + "> ", nl=False)
        answer = await talk.ask(line.removeprefix("/"), _show)
        click.echo()
        for reminder in answer.reminders:
            await talk.due.show(reminder)
        if answer.degraded:
            roles = ", ".join(sorted({missing.role for missing in answer.degraded}))
            click.secho(f"(without {roles}; /why says more)", dim=True)


def _show(piece: str) -> None:
    click.echo(output.clean(piece), nl=False)


def _show_line(line: str) -> None:
    click.echo(output.clean(line))
