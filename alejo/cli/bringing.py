"""The lines of `alejo export`, brought in by `alejo import`: read whole first, so that a wrong file changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from alejo.errors import AlejoError, StartupError

from . import output
from .exits import Exit

if TYPE_CHECKING:
    from alejo.outcomes import Tally
    from alejo.settings import Settings

_PART = 1 << 20
_HEAD = 64


def fits(path: Path) -> bool:
    """Whether the file begins as an export does."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD).startswith(b'{"type":"export"')
    except OSError:
        return False


def check(path: Path) -> None:
    """Raises InvalidArgument naming the first line that is wrong, StartupError if it cannot be read."""
    from alejo.ownership.lines import MOST_BYTES, read, wrong  # noqa: PLC0415 - not needed to show --help

    kind, number = "", 0
    with _opened(path) as file:
        while line := file.readline(MOST_BYTES + 1):
            number += 1
            if len(line) > MOST_BYTES:
                raise wrong(f"{path.name}, line {number}", f"has more than {MOST_BYTES:,} bytes")
            if line.strip():
                kind, _, _ = read(line, f"{path.name}, line {number}")
    if kind != "end":
        raise wrong(f"{path.name}, line {number + 1}", "is missing: the export was cut")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise StartupError(
            f"{path} cannot be read: {error.strerror}.", hint=f"ls -l {path}", exit_code=Exit.NO_INPUT
        ) from None


async def bring(path: Path, settings: Settings, user: str) -> int:
    """Sends the file, and says what became of it."""
    from . import link  # noqa: PLC0415 - grpc is not needed to refuse a file

    done: Tally | None = None
    async with link.reach(settings, user) as reached:
        try:
            async with aclosing(reached.client.import_user(_parts(path))) as tallies:
                async for tally in tallies:
                    done = tally
        except AlejoError:
            output.say(f"Stopped: {_said(done)} The same command goes on from here.")
            raise
    output.say(_said(done))
    return Exit.OK


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_PART):
            yield part


def _said(tally: Tally | None) -> str:
    if tally is None:
        return "nothing was added."
    names = {"session": "sessions", "message": "messages", "memory": "memories"}
    added = [f"{tally.added.get(kind, 0)} {name}" for kind, name in names.items()]
    there = [f"{tally.there.get(kind, 0)} {name}" for kind, name in names.items()]
    text = f"{', '.join(added)} added; {', '.join(there)} were already there."
    gone = sum(tally.forgotten.values())
    return f"{text} {gone} lines are of what was forgotten here since, and stay away." if gone else text
