"""What the commands print: listings on stdout, everything else on stderr, nothing that could steer a terminal."""

from __future__ import annotations

import datetime
import enum
import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from alejo import errors
from alejo.errors import AlejoError, Status

if TYPE_CHECKING:
    from alejo.settings import Setting

HIDDEN = "(hidden)"
# A memory may come from anywhere: its escape sequences must not reach the terminal.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

_HINTS = (
    (errors.Unauthenticated, "alejo keys add NAME, where the server runs, and set ALEJO_API_KEY to what it prints"),
    (errors.PermissionDenied, "alejo keys list, where the server runs, says for whom a key acts"),
    (errors.PluginFailed, "alejo plugins list"),
    (errors.StorageFull, "alejo doctor, where the server runs"),
    (errors.DataLoss, "alejo doctor, where the server runs, and your backup"),
    (errors.DeadlineExceeded, "the same again; alejo doctor, where the server runs, says more"),
    (errors.Conflict, "the same again"),
    (errors.Unavailable, "the same again in a moment; alejo doctor says more"),
)
# Where the names stand of what was asked for in vain, by its kind.
_LISTS = {
    "fact": "alejo facts list",
    "job": "alejo jobs list",
    "memory": "alejo memories list",
    "reminder": "alejo reminders list",
    "session": "alejo sessions list",
    "turn": "/why in alejo chat, which tells the request id of the answer before it",
    "weights": "alejo learning weights list",
}
_REASONS = {"PLUGIN_REJECTED": "alejo plugins check FOLDER, with the folder of its source, says more"}


def clean(text: str) -> str:
    """The text without control characters; newlines and tabs stay."""
    return _CONTROLS.sub("", text)


def one_line(text: str) -> str:
    """The text on one line: every run of white space becomes a space."""
    return " ".join(clean(text).split())


def shorten(text: str, width: int) -> str:
    """The text on one line of at most `width` characters."""
    line = one_line(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def number(count: int, what: str, many: str = "") -> str:
    """So many of what a word of English names, of which there may be one; `many` where that is not the word with s."""
    return f"{count} {what if count == 1 else many or f'{what}s'}"


def say(text: str = "", **style: Any) -> None:
    """Prints a line on stderr."""
    click.secho(text, err=True, **style)


def report(error: AlejoError, otherwise: str = "") -> None:
    """Prints what is wrong in one sentence, and what helps; `otherwise` if nothing of its own does."""
    say(f"alejo: {_sentence(one_line(error.message))}", fg="red")
    helps = hint(error) or otherwise
    if helps:
        say(f"  Try: {one_line(helps)}")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def hint(error: AlejoError) -> str:
    """What helps against an error; its own hint, or that of its kind. Empty if nothing is known."""
    own = str(getattr(error, "hint", ""))
    if not own and error.status is Status.INTERNAL:
        return "the server's log, which tells more"
    listed = _REASONS.get(error.reason) or _LISTS.get(_sought(error))
    return own or listed or next((text for kind, text in _HINTS if isinstance(error, kind)), "")


def _sought(error: AlejoError) -> str:
    """The kind of thing that is not there, or whose identifier is none."""
    if isinstance(error, errors.NotFound):
        return error.kind
    fields = error.violations if isinstance(error, errors.InvalidArgument) else ()
    return next((path.partition("_id")[0] for path, _ in fields), "")


def date(microseconds: int) -> str:
    """A moment as local date and minute."""
    moment = datetime.datetime.fromtimestamp(microseconds / 1e6, datetime.UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M")


def iso(microseconds: int) -> str:
    """A moment as RFC 3339 in UTC; empty for 0."""
    if not microseconds:
        return ""
    return datetime.datetime.fromtimestamp(microseconds / 1e6, datetime.UTC).isoformat().replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """The value as JSON knows it: enums by their lower-case name, bytes left out."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def setting(one: Setting) -> dict[str, Any]:
    """A setting as listings show it, what is secret hidden."""
    option = one.option
    return {
        "name": option.name,
        "value": HIDDEN if option.secret and one.value else one.value,
        "source": one.source,
        "default": option.default,
        "environment": option.variable,
        "help": option.help,
    }


def listing(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str, widths: int = 60
) -> None:
    """Prints rows as a JSON array, or as a table of `columns`. `empty` is said on stderr when there is none."""
    if as_json:
        click.echo(json.dumps([plain(row) for row in rows], indent=2, ensure_ascii=False))
        return
    if not rows:
        say(empty)
        return
    cells = [[shorten(_cell(row[column]), widths) for column in columns] for row in rows]
    for line in aligned([[column.upper().replace("_", " ") for column in columns], *cells]):
        click.echo(line)


def aligned(lines: Sequence[Sequence[str]]) -> Iterable[str]:
    """The lines with their columns under one another."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    value = plain(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)
