"""What a benchmark found: rows, a table for people, JSON lines for programs, a plot."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from alejo.settings import OPTIONS


class Row(msgspec.Struct, frozen=True):
    """One figure: the median of `n` rounds with their range."""

    bench: str
    case: str
    system: str
    version: str
    metric: str
    value: float
    low: float
    high: float
    unit: str
    n: int
    machine: str
    config: str


@functools.cache
def machine() -> str:
    """What it was measured on."""
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{platform.machine()}, {os.cpu_count()} CPUs, {system}, Python {platform.python_version()}"


@functools.cache
def config() -> str:
    """A hash of the settings as they ship, under which everything is measured."""
    return hashlib.sha256(repr([(each.name, each.default) for each in OPTIONS]).encode()).hexdigest()[:12]


def row(bench: str, case: str, system: str, version: str, metric: str, unit: str, rounds: Sequence[float]) -> Row:
    """The row of a metric's rounds."""
    value = statistics.median(rounds)
    low, high, n = min(rounds), max(rounds), len(rounds)
    return Row(bench, case, system, version, metric, value, low, high, unit, n, machine(), config())


def figures(
    bench: str, case: str, system: str, version: str, metric: str, unit: str, bounds: tuple[float, float, float], n: int
) -> Row:
    """The row of a value with the bounds of its interval, from `n` observations."""
    return Row(bench, case, system, version, metric, *bounds, unit, n, machine(), config())


def show(rows: Sequence[Row]) -> None:
    """Prints the table, under the machine it was measured on."""
    click.echo(machine())
    head = ("case", "system", "metric", "median", "low", "high", "unit", "n")
    lines = [head] + [
        (r.case, r.system, r.metric, figure(r.value), figure(r.low), figure(r.high), r.unit, str(r.n)) for r in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def figure(value: float) -> str:
    """Three digits, or whole thousands."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Writes one object per line."""
    path.write_text("".join(json.dumps(msgspec.to_builtins(each)) + "\n" for each in rows), "utf-8")


@contextmanager
def canvas(path: Path, panels: int, *, width: float, height: float) -> Iterator[Any]:
    """Panels to draw on, side by side; saved at the end. Needs matplotlib."""
    try:
        import matplotlib  # noqa: PLC0415 - only for those who plot
    except ModuleNotFoundError:
        raise click.ClickException("A plot needs matplotlib: pip install './benchmarks[plot]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    drawn, axes = plt.subplots(1, panels, figsize=(width, height), squeeze=False)
    yield axes[0]
    drawn.tight_layout()
    drawn.savefig(path, dpi=120)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draws the medians with their range, a panel for each metric."""
    metrics = list(dict.fromkeys(each.metric for each in rows))
    with canvas(path, len(metrics), width=4 * len(metrics), height=3.5) as panels:
        for panel, metric in zip(panels, metrics, strict=True):
            chosen = [each for each in rows if each.metric == metric]
            names = [each.case if each.system == "alejo" else f"{each.case} {each.system}" for each in chosen]
            spread = [[each.value - each.low for each in chosen], [each.high - each.value for each in chosen]]
            panel.bar(names, [each.value for each in chosen], yerr=spread, capsize=3)
            panel.set_title(f"{metric} ({chosen[0].unit})")
            panel.tick_params(axis="x", rotation=30)
