"""`alejo export`: everything about a user, in clear, for its owner."""

from __future__ import annotations

import os
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alejo.errors import StartupError

from . import options, output
from .exits import Exit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alejo.client import Client
    from alejo.settings import Settings

_CANNOT_CREATE = 73  # EX_CANTCREAT of sysexits(3)


@click.command("export")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(["jsonl", "markdown"]),
    default="jsonl",
    show_default=True,
    help="Lines that alejo import takes, or a folder to read.",
)
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="What to make; it is new.")
@options.server
def command(path: Path, wanted: str, data: str | None, url: str | None, key: str | None, user: str | None) -> int:
    """Write everything that is kept about a user to a file or folder.

    Sessions, messages with pictures, memories with their history, facts, turns and the audit; in clear, readable by you
    alone (mode 0600). alejo import brings the lines in elsewhere: the same user, with the same identifiers and times.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    if path.exists():
        raise StartupError(f"{path} is there already.", hint="Name a new one.", exit_code=_CANNOT_CREATE)
    return options.run(_export(settings, user or "", wanted, path))


async def _export(settings: Settings, user: str, wanted: str, path: Path) -> int:
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    try:
        async with link.reach(settings, user) as reached:
            end = await (_lines if wanted == "jsonl" else _folder)(reached.client, path)
    except OSError as error:
        raise StartupError(
            f"{path} cannot be written: {error.strerror}.", hint="Name another place.", exit_code=_CANNOT_CREATE
        ) from None
    lines = output.number(end.lines, "line")
    output.say(f"Exported: {lines}. {output.one_line(str(path))} is in clear: whoever reads it reads it all.")
    if end.changed:
        output.say("  Something was written meanwhile; the same command again has it too.")
    if end.unreadable:
        output.say(f"! {end.unreadable} records cannot be read and are not in it: alejo doctor", fg="red")
    return Exit.FAILED if end.unreadable else Exit.OK


async def _lines(client: Client, path: Path) -> Any:
    """Writes the lines to a file that has its name only when it is whole."""
    from alejo.ownership.lines import read  # noqa: PLC0415 - see _export

    partial = path.with_name(f".{path.name}.{os.getpid()}")
    last = b""
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            async for line in _each(client):
                file.write(line + b"\n")
                last = line
            file.flush()
            os.fsync(file.fileno())
        end = read(last, "the last line")[2]
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return end


async def _folder(client: Client, path: Path) -> Any:
    from alejo.ownership.lines import read  # noqa: PLC0415 - see _export
    from alejo.ownership.markdown import Folder  # noqa: PLC0415

    value: Any = None
    with Folder(path) as folder:
        async for line in _each(client):
            _, _, value = read(line, "the export")
            folder.write(value)
    return value


async def _each(client: Client) -> AsyncIterator[bytes]:
    rest: list[bytes] = []
    async with aclosing(client.export_user()) as parts:
        async for part in parts:
            *lines, tail = part.split(b"\n")
            for line in lines:
                yield b"".join([*rest, line])
                rest = []
            rest.append(tail)
