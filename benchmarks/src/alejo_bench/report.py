"""What a benchmark found: rows, a table for people, JSON lines for programs, a plot."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec


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


def row(bench: str, case: str, system: str, version: str, metric: str, unit: str, rounds: Sequence[float]) -> Row:
    """The row of a metric's rounds."""
    value = statistics.median(rounds)
    return Row(bench, case, system, version, metric, value, min(rounds), max(rounds), unit, len(rounds))


def show(rows: Sequence[Row]) -> None:
    """Prints the table, under the machine it was measured on."""
    click.echo(f"{platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}")
    head = ("case", "system", "metric", "median", "low", "high", "unit", "n")
    lines = [head] + [
        (r.case, r.system, r.metric, _figure(r.value), _figure(r.low), _figure(r.high), r.unit, str(r.n)) for r in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Writes one object per line."""
    path.write_text("".join(json.dumps(msgspec.to_builtins(each)) + "\n" for each in rows), "utf-8")


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draws the medians with their range, a panel for each metric. Needs matplotlib."""
    try:
        import matplotlib  # noqa: PLC0415 - only for those who plot
    except ModuleNotFoundError:
        raise click.ClickException("A plot needs matplotlib: pip install './benchmarks[plot]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    metrics = list(dict.fromkeys(each.metric for each in rows))
    figure, panels = plt.subplots(1, len(metrics), figsize=(4 * len(metrics), 3.5), squeeze=False)
    for panel, metric in zip(panels[0], metrics, strict=True):
        chosen = [each for each in rows if each.metric == metric]
        names = [each.case if each.system == "alejo" else f"{each.case} {each.system}" for each in chosen]
        spread = [[each.value - each.low for each in chosen], [each.high - each.value for each in chosen]]
        panel.bar(names, [each.value for each in chosen], yerr=spread, capsize=3)
        panel.set_title(f"{metric} ({chosen[0].unit})")
        panel.tick_params(axis="x", rotation=30)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
