"""Which command a message is, and which it only looks like.

`--data` is a file of utterances as in benchmarks/corpora/commands, which is the default. The case `blind` is of the
part that nobody who writes patterns reads, `open` of the rest.

    accuracy        the share of utterances that are read as their command, or as none
    with_arguments  the share of those that are also read with exactly their arguments
    false_positive  the share of what is no command that is read as one; to ask back counts, too
    asked           the share of all that is asked back
    read_us         one reading, in µs of processor time; `long_ms`, the longest allowed message, in ms
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import click
import msgspec
from alejo_brain.interpreting import SURE, Reading, interpret

from alejo import __version__
from alejo.types import CommandSpec

from .conscience import share
from .corpora import ROOT
from .report import Row, row

OWN = ROOT / "benchmarks" / "corpora" / "commands" / "utterances.jsonl"
_LONGEST = 32_768
Judged = list[tuple["Utterance", Reading | None]]


class Utterance(msgspec.Struct, frozen=True):
    """What somebody types, and which command it is, if any."""

    text: str
    command: str | None
    arguments: dict[str, Any]
    language: str
    part: str = ""


def run(options: Any) -> list[Row]:
    """Reads every utterance, all commands being offered."""
    path: Path = options.data or OWN
    try:
        said = [msgspec.json.decode(line, type=Utterance) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, msgspec.DecodeError) as error:
        raise click.UsageError(f"{path}: {error}") from None
    specs = [CommandSpec(name, name) for name in sorted({each.command for each in said if each.command})]
    read = [(each, interpret(each.text, specs)) for each in said]  # what is read first also compiles patterns
    began = process_time()
    for each in said:
        interpret(each.text, specs)
    seconds = process_time() - began
    rows = [row("commands", "all", "alejo", __version__, "read_us", "µs", [seconds / len(said) * 1e6])]
    began = process_time()
    interpret("remind me, please, and " * (_LONGEST // 23), specs)
    rows.append(row("commands", "all", "alejo", __version__, "long_ms", "ms", [(process_time() - began) * 1e3]))
    return rows + [figure for case, chosen in _cases(read) for figure in _figures(case, chosen)]


def _cases(read: Judged) -> Iterator[tuple[str, Judged]]:
    yield "all", read
    for part in ("open", "blind"):
        yield part, [each for each in read if each[0].part == part]
    for part in ("", "blind"):
        chosen = [each for each in read if part in ("", each[0].part)]
        for language in sorted({said.language for said, _ in chosen}):
            yield f"language.{language} {part}".strip(), [each for each in chosen if each[0].language == language]
        for command in sorted({said.command or "none" for said, _ in chosen}):
            yield (
                f"command.{command} {part}".strip(),
                [each for each in chosen if (each[0].command or "none") == command],
            )


def _figures(case: str, read: Judged) -> Iterator[Row]:
    right = [(reading.command if reading else None) == said.command for said, reading in read]
    whole = [
        good and (reading is None or reading.arguments == said.arguments)
        for good, (said, reading) in zip(right, read, strict=True)
    ]
    alarms = [reading is not None for said, reading in read if said.command is None]
    asked = [reading is not None and reading.confidence < SURE for _, reading in read]
    for metric, found in (("accuracy", right), ("with_arguments", whole), ("false_positive", alarms), ("asked", asked)):
        if found and not (metric == "with_arguments" and case.startswith("command.none")):
            yield share("commands", case, metric, found)
