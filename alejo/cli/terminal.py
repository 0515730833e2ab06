"""A chat at a terminal: streaming, colours, the user's own earlier lines on the Up arrow, Ctrl-C for an answer."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import History

from alejo.client import Client
from alejo.errors import AlejoError
from alejo.types import Page, Role

from . import output, slash
from .exits import Exit
from .talk import Talk

_EARLIER_SESSIONS = 10
_EARLIER_LINES = 200


class Earlier(History):
    """The user's own messages, as the server keeps them: nothing is written here."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    async def load(self) -> AsyncGenerator[str, None]:
        """Newest first. What cannot be fetched is no reason not to talk."""
        if not self._loaded:
            try:
                self._loaded_strings = await _own_lines(self._client)
            except AlejoError as error:
                output.report(error)
            self._loaded = True
        for line in self._loaded_strings:
            yield line

    def load_history_strings(self) -> list[str]:
        """Unused: `load` fetches them."""
        return []

    def store_string(self, string: str) -> None:
        """The server has it already, sealed."""


async def _own_lines(client: Client) -> list[str]:
    lines: list[str] = []
    sessions, _ = await client.sessions(Page(_EARLIER_SESSIONS))
    for session in sessions:
        messages, _ = await client.messages(session.id, Page(_EARLIER_LINES), descending=True)
        # Another speaker's words come from an import: they are not what this user typed.
        lines += [output.one_line(one.text) for one in messages if one.role == Role.USER and not one.speaker]
        if len(lines) >= _EARLIER_LINES:
            break
    return [line for line in lines if line][:_EARLIER_LINES]


async def converse(talk: Talk) -> int:
    """Talks until Ctrl-D or /quit."""
    loop = asyncio.get_running_loop()
    words = [f"/{name}" for name in slash.COMMANDS]
    prompt: PromptSession[str] = PromptSession(
        history=Earlier(talk.link.client),
        completer=WordCompleter(words, sentence=True),
        complete_while_typing=False,
    )
    output.say("Talk to me. /help shows what else there is; Ctrl-D leaves.", dim=True)
    while True:
        try:
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
        if answer.degraded:
            roles = ", ".join(sorted({missing.role for missing in answer.degraded}))
            click.secho(f"(without {roles}; /why says more)", dim=True)


def _show(piece: str) -> None:
    click.echo(output.clean(piece), nl=False)


def _show_line(line: str) -> None:
    click.echo(output.clean(line))
