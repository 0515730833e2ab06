"""What is made of what was said behind the answers, and at what cost: `reflection_quality`, `reflection_speed`
and `reflection_learning`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import corpora, reflection_learning, reflection_quality, reflection_speed
from .report import Row

if TYPE_CHECKING:
    from .options import Options


def run(options: Options) -> list[Row]:
    """The rows of every part."""
    rows = reflection_quality.measure(corpora.read(options.data), options.judge, options.verdicts)
    if options.judge:
        return rows
    return rows + reflection_learning.measure(quick=options.quick) + reflection_speed.measure(quick=options.quick)
