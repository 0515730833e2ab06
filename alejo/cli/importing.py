"""`alejo import`: conversations of elsewhere, sent so that what is there already is never added again."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alejo.errors import AlejoError, InvalidArgument

from . import bringing, options, output
from .exits import Exit

if TYPE_CHECKING:
    from alejo.client import Client
    from alejo.settings import Settings
    from alejo.types import Kept, MemoryDraft, MessageDraft

    from .formats import Conversation

_SHOWN_REFUSALS = 5


class Tally:
    """What became of an import."""

    def __init__(self) -> None:
        self.sessions = self.sessions_there = self.messages = self.messages_there = 0
        self.memories = self.memories_there = 0
        self.refused: list[str] = []

    def count(self, what: str, *, existed: bool) -> None:
        """One more of these, new or not."""
        name = f"{what}_there" if existed else what
        setattr(self, name, getattr(self, name) + 1)

    def __str__(self) -> str:
        refused = f", {len(self.refused)} refused" if self.refused else ""
        memories = f"; {self.memories} memories added, {self.memories_there} were already there"
        return (
            f"{self.sessions} sessions and {self.messages} messages added; "
            f"{self.sessions_there} sessions and {self.messages_there} messages were already there"
            f"{memories if self.memories or self.memories_there else ''}{refused}."
        )


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["auto", "export", "alejo", "locomo", "chatgpt", "mem0", "letta"]),
    default="auto",
    show_default=True,
)
@options.server
def command(path: Path, wanted: str, data: str | None, url: str | None, key: str | None, user: str | None) -> int:
    """Import conversations, or a whole user, from a file.

    Formats: export (what alejo export wrote: everything as it was, but for what was forgotten here), alejo (JSON
    lines, one session or message each), locomo (a LoCoMo conversation), chatgpt (the conversations.json of a ChatGPT
    export), mem0 (what its get_all gives, as JSON), letta (an agent file, or a list of messages or passages). A file
    that is wrong imports nothing; what cannot be carried over is told. Run again after a failure: it goes on where it
    stopped, and nothing is added twice.
    """
    from .formats import read  # noqa: PLC0415 - not needed to show --help

    settings = options.settings(data__path=data, client__url=url, client__key=key)
    if wanted == "export" or (wanted == "auto" and bringing.fits(path)):
        bringing.check(path)
        return options.run(bringing.bring(path, settings, user or ""))
    return options.run(_import(read(path, wanted), settings, user or ""))


async def _import(conversations: Sequence[Conversation], settings: Settings, user: str) -> int:
    from . import link  # noqa: PLC0415 - grpc is not needed to refuse a file

    tally = Tally()
    total = sum(len(conversation.messages) + len(conversation.memories) for conversation in conversations)
    async with link.reach(settings, user) as reached:
        # On a terminal the bar shows; elsewhere click would print its label alone.
        hidden = not sys.stderr.isatty()
        with click.progressbar(length=total, label="Importing", file=sys.stderr, hidden=hidden) as bar:
            try:
                await send(reached.client, conversations, tally, bar.update)
            except AlejoError:
                output.say(f"\nStopped: {tally} The same command goes on from here.")
                raise
    output.say(str(tally))
    for left in (each for conversation in conversations for each in conversation.left_out):
        output.say(f"  not carried over: {left}")
    for refusal in tally.refused[:_SHOWN_REFUSALS]:
        output.say(f"  refused: {refusal}", fg="red")
    if len(tally.refused) > _SHOWN_REFUSALS:
        output.say(f"  and {len(tally.refused) - _SHOWN_REFUSALS} more")
    return Exit.FAILED if tally.refused else Exit.OK


async def send(
    client: Client, conversations: Sequence[Conversation], tally: Tally, progress: Callable[[int], object]
) -> None:
    """Sends everything: the sessions, then their messages, in their order."""
    session_ids = await _sessions(client, conversations, tally)
    drafts = list(_drafts(conversations, session_ids))
    kept = client.remember_many((_request_id(draft.origin), draft) for draft in drafts)
    async with aclosing(kept) as results:
        async for draft, result in _paired(drafts, results):
            progress(1)
            if isinstance(result, AlejoError):
                if not isinstance(result, InvalidArgument):
                    raise result
                tally.refused.append(f"{draft.origin}: {result.message}")
            else:
                tally.count("messages" if result.message is not None else "memories", existed=result.existed)


async def _paired(
    drafts: Sequence[MessageDraft | MemoryDraft], results: AsyncIterator[Kept | AlejoError]
) -> AsyncIterator[tuple[MessageDraft | MemoryDraft, Kept | AlejoError]]:
    index = 0
    async for result in results:
        yield drafts[index], result
        index += 1
    if index < len(drafts):
        raise AlejoError(f"The server ended the stream after {index} of {len(drafts)} items.")


async def _sessions(client: Client, conversations: Sequence[Conversation], tally: Tally) -> dict[str, str]:
    """The session of every conversation, by origin; one after the other, so that lists show them in their order."""
    session_ids: dict[str, str] = {}
    for one in conversations:
        if not one.origin:  # nothing was said in it
            continue
        session, existed = await client.create_session(
            title=one.title,
            parent_id=session_ids[one.parent] if one.parent else "",
            metadata=one.metadata,
            origin=one.origin,
            request_id=_request_id(one.origin),
        )
        session_ids[one.origin] = session.id
        tally.sessions += not existed
        tally.sessions_there += existed
    return session_ids


def _drafts(conversations: Sequence[Conversation], session_ids: dict[str, str]) -> Iterator[MessageDraft | MemoryDraft]:
    from msgspec.structs import replace  # noqa: PLC0415 - see command

    for one in conversations:
        for draft in one.messages:
            yield replace(draft, session_id=session_ids[one.origin])
        yield from one.memories


def _request_id(origin: str) -> str:
    """The origin already makes the item unique; the id must be no longer than 128 characters."""
    return "import-" + hashlib.sha256(origin.encode()).hexdigest()
