"""What is read on papers, and what comes of files that are sent to do harm.

Fifty papers are drawn by the suite (`papers`), and read by each reader that is installed; `hostile` makes the files,
which go to a process of the vision plugin, one after the other, as in a server.

    ocr_accuracy  1 - edits ÷ characters (the character error rate), the mean over papers, with its 95 % interval
    read_ms       processor time to read one paper, decoded, once the models are loaded, in ms
    look_ms       processor time of the process for a paper from its bytes to its percept, barcodes and faces included
    crashes       files on which the process died, or did not come to an end within a minute
    refused       files that were refused; the others were seen
    memory_mb     the most memory the process had (its models among it), and `growth_mb` what the files made it keep
"""

from __future__ import annotations

import io
import math
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from alejo_vision import readers
from alejo_vision.child import Child
from alejo_vision.looking import Request
from alejo_vision.sight import MEGABYTES
from PIL import Image

from alejo import __version__

from . import hostile
from .papers import COUNT, Paper, papers
from .report import Row, figures, row

_LONG = 600.0  # seconds: nothing is cut short for time
_HUNG = 60.0
_Z = 1.96
_QUICK = 9


def run(options: Any) -> list[Row]:
    """Reads the papers, then opens the files."""
    drawn = list(papers(_QUICK if options.quick else COUNT))
    found = [name for name in ("rapidocr", "tesseract") if readers.available(name)]
    for name in sorted({"rapidocr", "tesseract"} - set(found)):
        click.echo(f"{name} is not there: {readers.missing(name).hint}", err=True)
    rows = [each for name in found for each in _readers(name, drawn)]
    return rows + _looks(drawn) + _hostile()


def _readers(name: str, drawn: Sequence[Paper]) -> list[Row]:
    reader = readers.chosen(name, "eng+deu+spa" if name == "tesseract" else "eng")
    assert reader is not None  # noqa: S101  it was found
    right, spent = [], []
    reader.read(drawn[0].picture, time.monotonic() + _LONG)  # type: ignore[union-attr]  # loads what it needs
    for paper in drawn:
        began = _used()
        told = reader.read(paper.picture, time.monotonic() + _LONG).text  # type: ignore[union-attr]
        spent.append((_used() - began) * 1000)
        right.append(accuracy(" ".join(paper.lines), told))
    groups = {"all": range(len(drawn))} | {
        name_: [place for place, paper in enumerate(drawn) if name_ in (paper.sort, paper.font, f"{paper.size} px")]
        for name_ in ("receipt", "letter", "table", "sans", "serif", "mono", "16 px", "22 px", "30 px")
    }
    rows = [_mean(case, name, [right[place] for place in places]) for case, places in groups.items() if places]
    return [*rows, row("vision", "all", name, _version(name), "read_ms", "ms", spent)]


def _used() -> float:
    """Processor time of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _mean(case: str, system: str, values: Sequence[float]) -> Row:
    mean = statistics.fmean(values)
    reach = _Z * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    bounds = mean, mean - reach, min(1.0, mean + reach)
    return figures("vision", case, system, _version(system), "ocr_accuracy", "share", bounds, len(values))


def _version(system: str) -> str:
    if system != "rapidocr":
        return ""
    from importlib.metadata import version  # noqa: PLC0415

    return version(system)


def _looks(drawn: Sequence[Paper]) -> list[Row]:
    child, spent = Child(MEGABYTES), []
    try:
        for place, paper in enumerate([drawn[0], *drawn]):
            out = io.BytesIO()
            paper.picture.save(out, "JPEG", quality=85)
            began = _processor(child.pid)
            list(child.ask(Request(out.getvalue(), _LONG), _LONG))
            if place:  # the first loads what it needs
                spent.append((_processor(child.pid) - began) * 1000)
    finally:
        child.close()
    return [row("vision", "papers", "alejo", __version__, "look_ms", "ms", spent)]


def _hostile() -> list[Row]:
    crashes = refused = count = 0
    most = growth = 0.0
    child = Child(MEGABYTES)
    try:
        _look(child, _plain())
        before = _memory(child.pid, "VmRSS")
        for _, data in hostile.files():
            count += 1
            try:
                refused += _look(child, data)
            except (EOFError, TimeoutError):
                crashes += 1
                child.close()
                child = Child(MEGABYTES)
                continue
            most = max(most, _memory(child.pid, "VmHWM"))
        _look(child, _plain())
        growth = _memory(child.pid, "VmRSS") - before
    finally:
        child.close()
    told = {"crashes": (float(crashes), "files"), "refused": (float(refused), "files")}
    told |= {"memory_mb": (most, "MB"), "growth_mb": (growth, "MB")}
    return [
        figures("vision", "hostile", "alejo", __version__, metric, unit, (value, value, value), count)
        for metric, (value, unit) in told.items()
    ]


def _look(child: Child, data: bytes) -> bool:
    """Whether it was refused."""
    return bool(list(child.ask(Request(data, _LONG), _HUNG))[-1].refusal)


def _plain() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 480), "white").save(out, "PNG")
    return out.getvalue()


def _memory(pid: int, field: str) -> float:
    """What a process has, in MB."""
    told = Path(f"/proc/{pid}/status").read_text()
    return int(told.partition(f"{field}:")[2].split()[0]) / 1024


def _processor(pid: int) -> float:
    """The processor time of another process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def accuracy(written: str, told: str) -> float:
    """1 - the edits that make what was read what was written ÷ its characters; spaces and line breaks are the same."""
    one, other = " ".join(written.split()), " ".join(told.split())
    return max(0.0, 1 - edits(one, other) / max(1, len(one)))


def edits(one: str, other: str) -> int:
    """The least number of characters to insert, delete or change (V. Levenshtein, 1966)."""
    row_ = list(range(len(other) + 1))
    for place, sign in enumerate(one, 1):
        before, row_[0] = row_[0], place
        for at, its in enumerate(other, 1):
            before, row_[at] = row_[at], min(row_[at] + 1, row_[at - 1] + 1, before + (sign != its))
    return row_[-1]
