"""`alejo see`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alejo.errors import InvalidArgument, StartupError

from . import options, output
from .exits import Exit

if TYPE_CHECKING:
    from alejo.settings import Settings
    from alejo.types import Image, Memory, Percept

    Show = Callable[[Path, Percept, Memory | None], None]

_MOST = 16 << 20


@click.command("see")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--session", metavar="ID", default="", help="The session the pictures join. Default: none keeps them.")
@click.option("--caption", metavar="TEXT", default="", help="What they are called.")
@click.option("--look-only", is_flag=True, help="Remember nothing.")
@options.as_json
@options.server
def command(
    files: tuple[Path, ...],
    data: str | None,
    url: str | None,
    key: str | None,
    user: str | None,
    as_json: bool,
    session: str,
    caption: str,
    look_only: bool,
) -> None:
    """Have pictures looked at, and what was seen in them remembered.

    Tells what is in each FILE: how it looks, what is written there, barcodes, and what could not be looked at.
    """
    settings = options.settings(data__path=data, client__url=url, client__key=key)
    rows: list[dict[str, Any]] = []

    def show(file: Path, percept: Percept, memory: Memory | None) -> None:
        if as_json:
            rows.append(_row(file, percept, memory))
        else:
            _print(file, percept, memory)

    try:
        options.run(_see(settings, user or "", files, session, caption, look_only, show))
    finally:
        if rows:
            click.echo(json.dumps(rows, indent=2, ensure_ascii=False))


def is_file(name: str) -> bool:
    """Whether there is a file of that name."""
    return Path(name).expanduser().is_file()


def picture(file: Path, caption: str = "") -> Image:
    """The picture in a file. Raises StartupError when it cannot be read, or is too large to be one."""
    from alejo.types import Image  # noqa: PLC0415 - not needed to show --help

    file = file.expanduser()
    try:
        with file.open("rb") as source:
            data = source.read(_MOST + 1)
    except OSError as error:
        raise StartupError(
            f"{file} cannot be read: {error.strerror}.", hint=f"ls -l {file.parent}", exit_code=Exit.NO_INPUT
        ) from None
    if len(data) > _MOST:
        raise StartupError(f"{file} has more than 16 MiB.", hint="Make it smaller.", exit_code=Exit.BAD_INPUT)
    if not data:
        raise StartupError(f"{file} is empty.", hint=f"ls -l {file}", exit_code=Exit.BAD_INPUT)
    return Image(data, caption=caption)


def _print(file: Path, percept: Percept, memory: Memory | None) -> None:
    click.echo(f"{file}: {output.one_line(percept.summary)}")
    barcodes = (f"{one.format}: {one.text}" for one in percept.barcodes)
    for words in filter(None, (percept.caption, *percept.text.splitlines(), *barcodes)):
        click.echo(f"  {output.one_line(words)}")
    for each in percept.missing:
        output.say(f"  not looked at: {each.what} ({each.why})" + (f". Try: {each.hint}" if each.hint else ""))
    if memory is not None:
        click.echo(
            f"  remembered as {memory.id}" + (f", like {len(percept.similar)} others" if percept.similar else "")
        )


def _row(file: Path, percept: Percept, memory: Memory | None) -> dict[str, Any]:
    from msgspec import structs, to_builtins  # noqa: PLC0415 - not needed to show --help

    told = {name: getattr(percept, name) for name in percept.__struct_fields__}
    told["barcodes"] = [structs.asdict(each) for each in percept.barcodes]
    told["missing"] = [structs.asdict(each) for each in percept.missing]
    return {"file": str(file), "memory_id": memory.id if memory else "", **to_builtins(told)}


async def _see(
    settings: Settings, user: str, files: Sequence[Path], session: str, caption: str, look_only: bool, show: Show
) -> None:
    """Shows one file after the other. Raises InvalidArgument naming the one that is no picture."""
    from . import link  # noqa: PLC0415 - grpc is not needed to show --help

    images = [(file, picture(file, caption)) for file in files]
    async with link.reach(settings, user) as reached:
        for file, image in images:
            try:
                percept, memory = await reached.client.pictures.see(image, session_id=session, look_only=look_only)
            except InvalidArgument as error:
                raise InvalidArgument(f"{file}: {error.message.removeprefix('parts: ')}") from None
            show(file, percept, memory)
