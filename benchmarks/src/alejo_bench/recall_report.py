"""What was found, for people: a line for each case and system, and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from . import found
from .report import Row, canvas, machine

_SHOWN = (*found.METRICS, "recall_at_500_tokens")
_TITLES = (*(f"R@{depth}" for depth in found.DEPTHS), "hit@10", "MRR", "NDCG@10", "R@500tok")
_COMPARED = ("alejo", "alejo+lexical", "bm25")
_SPEED = ("recall_p50_ms", "recall_p99_ms")


def show(rows: Sequence[Row]) -> None:
    """Prints percents with half their interval, then the paired differences and what is not of a case.

    What ALEJO is without one evidence is shown for the whole alone.
    """
    click.echo(machine())
    whole = _whole(rows)
    rows = [each for each in rows if not each.system.startswith("alejo-") or each.case == whole]
    places = {(each.case, each.system, each.metric): each for each in rows}
    table = [("case", "n", "system", *_TITLES)]
    for case, system in dict.fromkeys((each.case, each.system) for each in rows if each.metric in _SHOWN):
        cells = [_percent(places[case, system, metric]) for metric in _SHOWN]
        table.append((case, str(places[case, system, _SHOWN[0]].n), system, *cells))
    _print(table)
    differences = [each for each in rows if each.metric.startswith("recall@10_over_")]
    _print([("recall@10", "", "", ""), *((each.case, each.system, *_difference(each)) for each in differences)])
    rest = [each for each in rows if each.metric in _SPEED or each.metric.startswith("estimate")]
    _print([(each.case, each.system, each.metric, f"{each.value:.3g} {each.unit}") for each in rest])


def _whole(rows: Sequence[Row]) -> str:
    """The case in which systems are compared."""
    return "1-4" if any(each.case == "1-4" for each in rows) else "all"


def _percent(row: Row) -> str:
    return f"{row.value * 100:.1f}±{(row.high - row.low) * 50:.1f}"


def _difference(row: Row) -> tuple[str, str]:
    interval = f"{row.value * 100:+.1f} [{row.low * 100:+.1f}, {row.high * 100:+.1f}]"
    return f"over {row.metric.partition('_over_')[2]}", interval


def _print(table: Sequence[tuple[str, ...]]) -> None:
    click.echo()
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draws recall by depth for each system, and recall@10 by case for ours beside the compared."""
    places = {(each.case, each.system, each.metric): each for each in rows}
    whole = _whole(rows)
    found_by = dict.fromkeys(each.system for each in rows if each.metric in _SHOWN)
    systems = [each for each in found_by if not each.startswith("alejo-")]
    with canvas(path, 2, width=11, height=4.5) as (depths, kinds):
        for system in systems:
            own = [places[whole, system, f"recall@{depth}"] for depth in found.DEPTHS]
            (line,) = depths.plot(found.DEPTHS, [each.value for each in own], marker="o", label=system)
            low, high = [each.low for each in own], [each.high for each in own]
            depths.fill_between(found.DEPTHS, low, high, alpha=0.15, color=line.get_color())
        depths.set(xscale="log", xlabel="items", ylabel="recall", title=f"case {whole}")
        depths.set_xticks(found.DEPTHS, [str(depth) for depth in found.DEPTHS])
        depths.minorticks_off()
        depths.legend(fontsize=8)
        cases = list(dict.fromkeys(each.case for each in rows if each.metric in _SHOWN))
        for number, system in enumerate(_COMPARED):
            own = [places[case, system, "recall@10"] for case in cases]
            spread = [[each.value - each.low for each in own], [each.high - each.value for each in own]]
            left = [place + (number - 1) * 0.27 for place in range(len(cases))]
            kinds.bar(left, [each.value for each in own], 0.26, yerr=spread, capsize=2, label=system)
        kinds.set_xticks(range(len(cases)), cases, rotation=30)
        kinds.set_title("recall@10 by case")
        kinds.set_ylim(0, 1.2)
        kinds.legend(fontsize=8, ncols=len(_COMPARED))
