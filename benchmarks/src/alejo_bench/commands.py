"""Which command a message is, and which it only looks like.

`--data` is a file of utterances as in benchmarks/corpora/commands, which is the default. The cases `blind` and
`blind-2` are of the parts that nobody who writes patterns reads, `open` of the rest.

    accuracy        the share of utterances that are read as their command, or as none
    with_arguments  the share of those that are also read with exactly their arguments, where these are labelled
    false_positive  the share of what is no command that is read as one; to ask back counts, too; `talk` is of what
                    people say in half of the conversations of our own recall corpus, from which nothing was learned
    written         of `talk`, the share for which a command that does more than read would run, unasked
    asked           the share of all that is asked back
    read_us         one reading, in µs of processor time, `statement` of those that are no command, `command` of the
                    rest; `long_ms`, the longest allowed message, in ms
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import click
import msgspec
from alejo_brain.commands import COMMANDS
from alejo_brain.intent import KNOWN
from alejo_brain.interpreting import SURE, Reading, interpret

from alejo import __version__

from .conscience import share
from .corpora import ROOT
from .report import Row, row

FOLDER = ROOT / "benchmarks" / "corpora" / "commands"
OWN = (FOLDER / "utterances.jsonl", FOLDER / "blind-2.jsonl")
_PARTS = ("open", "blind", "blind-2")
_TALK = ROOT / "benchmarks" / "corpora" / "recall"
_LONGEST = 32_768
SPECS = [command.spec for command in COMMANDS if command.spec.name in KNOWN]
_WRITING = frozenset(spec.name for spec in SPECS if spec.effects != ("reads",))
Judged = list[tuple["Utterance", Reading | None]]


class Utterance(msgspec.Struct, frozen=True):
    """What somebody types, and which command it is, if any."""

    text: str
    command: str | None
    arguments: dict[str, Any] | None  # None where they are not labelled
    language: str
    part: str = ""


def run(options: Any) -> list[Row]:
    """Reads every utterance, all commands being offered."""
    said = [each for path in ([options.data] if options.data else OWN) for each in utterances(path)]
    read = [(each, interpret(each.text, SPECS)) for each in said]  # what is read first also compiles patterns
    rows = []
    kinds = {"all": said, "statement": [x for x in said if not x.command], "command": [x for x in said if x.command]}
    for kind, chosen in kinds.items():
        began = process_time()
        for each in chosen:
            interpret(each.text, SPECS)
        mean = (process_time() - began) / max(1, len(chosen)) * 1e6
        rows.append(row("commands", kind, "alejo", __version__, "read_us", "µs", [mean]))
    began = process_time()
    interpret("remind me, please, and " * (_LONGEST // 23), SPECS)
    rows.append(row("commands", "all", "alejo", __version__, "long_ms", "ms", [(process_time() - began) * 1e3]))
    talk = [interpret(text, SPECS) for text in other_talk()]
    rows.append(share("commands", "talk", "false_positive", [reading is not None for reading in talk]))
    rows.append(share("commands", "talk", "written", [reading is not None and _writes(reading) for reading in talk]))
    return rows + [figure for case, chosen in _cases(read) for figure in _figures(case, chosen)]


def _writes(reading: Reading) -> bool:
    """Whether a reading runs, and does more than read."""
    return reading.confidence >= SURE and reading.command in _WRITING


def utterances(path: Path) -> list[Utterance]:
    """The utterances of a file. Raises click.UsageError if they cannot be read."""
    try:
        return [msgspec.json.decode(line, type=Utterance) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, msgspec.DecodeError) as error:
        raise click.UsageError(f"{path}: {error}") from None


def learned_talk() -> list[tuple[str, str]]:
    """What people said in every other conversation of our own recall corpus, and in which language: no commands."""
    return [said for place, texts in enumerate(_talk()) for said in texts if place % 2 == 0]


def other_talk() -> list[str]:
    """The same of the others, from which nothing is learned."""
    return [text for place, texts in enumerate(_talk()) for text, _ in texts if place % 2]


def _talk() -> Iterator[list[tuple[str, str]]]:
    for path in sorted(_TALK.glob("*.json")):
        told = msgspec.json.decode(path.read_bytes())
        turns = [turn for session in told["sessions"] for turn in session["turns"]]
        yield [(turn["text"], told["language"]) for turn in turns if turn.get("role", "user") == "user"]


def _cases(read: Judged) -> Iterator[tuple[str, Judged]]:
    yield "all", read
    for part in _PARTS:
        yield part, [each for each in read if each[0].part == part]
    for part in ("", *_PARTS[1:]):
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
        if said.arguments is not None
    ]
    alarms = [reading is not None for said, reading in read if said.command is None]
    asked = [reading is not None and reading.confidence < SURE for _, reading in read]
    for metric, found in (("accuracy", right), ("with_arguments", whole), ("false_positive", alarms), ("asked", asked)):
        if found and not (metric == "with_arguments" and case.startswith("command.none")):
            yield share("commands", case, metric, found)
