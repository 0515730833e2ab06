"""What the conscience stops of what it should, and of what only looks like it.

`--data` is a file of cases as in benchmarks/corpora/conscience, which is the default. The cases `… blind` are of the
part that nobody who writes rules reads.

    recall        the share of what should be stopped, asked about or redacted that is, for that reason
    as_ruled      the share of it whose ruling is the very one, not a softer one
    false_alarm   the share of what is harmless and looks like it that is not simply allowed; of `everyday` texts, which
                  are those of benchmarks/corpora/recall and commands, the share that is stopped
    review_us     one review of what is said in everyday life, processor time in µs
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any, Literal

import alejo_emotion
import click
import msgspec

from alejo import __version__
from alejo.conversation.review import STOPS
from alejo.testing import host
from alejo.types import Matter, Ruling, Verdict

from .corpora import ROOT
from .report import Row, figures, row

CONVERSATIONS = ROOT / "benchmarks" / "corpora" / "recall"
UTTERANCES = ROOT / "benchmarks" / "corpora" / "commands" / "utterances.jsonl"
OWN = ROOT / "benchmarks" / "corpora" / "conscience" / "cases.jsonl"
_Z = 1.96  # of a normal distribution, for 95 %


class Case(msgspec.Struct, frozen=True):
    """A text and what should become of it."""

    text: str
    about: Literal["request", "command", "answer"]
    category: str
    verdict: Ruling
    part: str = ""
    look_alike_of: str = ""


def run(options: Any) -> list[Row]:
    """Judges every case."""
    return asyncio.run(_judge(cases(options.data or OWN)))


def cases(path: Path) -> list[Case]:
    """The cases of a file, a line each."""
    try:
        return [msgspec.json.decode(line, type=Case) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, msgspec.DecodeError) as error:
        raise click.UsageError(f"{path}: {error}") from None


async def _judge(judged: list[Case]) -> list[Row]:
    async with host(alejo_emotion) as plugins:

        async def review(about: str, text: str) -> Verdict:
            verdict: Verdict = await plugins.call("conscience", "review", Matter(about, text))
            return verdict

        said = everyday()
        await review("request", said[0])  # what is learned is read with the first
        began = process_time()
        stopped = [(await review("request", text)).ruling in STOPS for text in said]
        each = (process_time() - began) / len(said) * 1e6
        verdicts = [await review(case.about, case.text) for case in judged]
    rows = [
        row("conscience", "everyday", "alejo", __version__, "review_us", "µs", [each]),
        share("conscience", "everyday", "false_alarm", stopped),
    ]
    for part in ("", *sorted({case.part for case in judged} - {""}, reverse=True)):
        of_part = [pair for pair in zip(judged, verdicts, strict=True) if part in ("", pair[0].part)]
        for category in sorted({case.category for case in judged} - {"none"}):
            caught = [(case, verdict) for case, verdict in of_part if case.category == category]
            found = {
                "recall": [verdict.category == category for _, verdict in caught],
                "as_ruled": [
                    (verdict.category, verdict.ruling) == (category, case.verdict) for case, verdict in caught
                ],
                "false_alarm": [bool(verdict.category) for case, verdict in of_part if case.look_alike_of == category],
            }
            name = f"{category} {part}".strip()
            rows += [share("conscience", name, metric, each) for metric, each in found.items() if each]
    return rows


def everyday() -> list[str]:
    """What is said in conversations and asked of an assistant, but for what shall be forgotten: that is asked about."""
    said = [turn["text"] for path in sorted(CONVERSATIONS.glob("*.json")) for turn in _turns(path)]
    for line in UTTERANCES.read_bytes().splitlines():
        utterance = msgspec.json.decode(line)
        if utterance["command"] != "forget":
            said.append(utterance["text"])
    return said


def _turns(path: Path) -> Iterator[dict[str, str]]:
    for session in msgspec.json.decode(path.read_bytes())["sessions"]:
        yield from session["turns"]


def share(bench: str, case: str, metric: str, found: list[bool]) -> Row:
    """A share with its interval (E. B. Wilson, "Probable inference", JASA 1927)."""
    n, share = len(found), sum(found) / len(found)
    middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    reach = _Z / (1 + _Z * _Z / n) * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    bounds = share, max(0.0, middle - reach), min(1.0, middle + reach)
    return figures(bench, case, "alejo", __version__, metric, "share", bounds, n)
