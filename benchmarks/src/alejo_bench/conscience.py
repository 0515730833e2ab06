"""What the conscience stops of what it should, and of what only looks like it.

`--data` is a file of cases as in benchmarks/corpora/conscience, which is the default. The cases `… blind` are of the
part that nobody who writes rules reads.

    recall        the share of what should be stopped, asked about or redacted that is, for that reason
    false_alarm   the share of what is harmless and looks like it that is not simply allowed
    review_us     one review of a text that is new to it, in µs
"""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import alejo_emotion
import click
import msgspec

from alejo import __version__
from alejo.testing import host
from alejo.types import Matter, Ruling

from .corpora import ROOT
from .report import Row, figures, row

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
    path: Path = options.data or OWN
    try:
        cases = [msgspec.json.decode(line, type=Case) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, msgspec.DecodeError) as error:
        raise click.UsageError(f"{path}: {error}") from None
    return asyncio.run(_judge(cases))


async def _judge(cases: list[Case]) -> list[Row]:
    right: list[tuple[Case, bool]] = []
    async with host(alejo_emotion) as plugins:
        began = perf_counter()
        verdicts = [await plugins.call("conscience", "review", Matter(case.about, case.text)) for case in cases]
        each = (perf_counter() - began) / len(cases) * 1e6
    for case, verdict in zip(cases, verdicts, strict=True):
        category = verdict.category or "none"
        right.append((case, (verdict.ruling, category) == (case.verdict, case.category)))
    rows = [row("conscience", "all", "alejo", __version__, "review_us", "µs", [each])]
    categories = sorted({case.category for case in cases} - {"none"})
    for part in ("", "blind"):
        for category in categories:
            name = f"{category} {part}".strip()
            of_part = [(case, good) for case, good in right if part in ("", case.part)]
            caught = [good for case, good in of_part if case.category == category]
            alarms = [not good for case, good in of_part if case.look_alike_of == category]
            rows += [
                _share(name, metric, found) for metric, found in (("recall", caught), ("false_alarm", alarms)) if found
            ]
    return rows


def _share(case: str, metric: str, found: list[bool]) -> Row:
    """A share with its interval (E. B. Wilson, "Probable inference", JASA 1927)."""
    n, share = len(found), sum(found) / len(found)
    middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    reach = _Z / (1 + _Z * _Z / n) * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    bounds = share, max(0.0, middle - reach), min(1.0, middle + reach)
    return figures("conscience", case, "alejo", __version__, metric, "share", bounds, n)
