"""What is made of what was said behind the answers: `alejo bench reflection`. See `reflection_quality`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import corpora, reflection_quality
from .report import Row

if TYPE_CHECKING:
    from .cli import Options


def run(options: Options) -> list[Row]:
    """The rows of every part."""
    return reflection_quality.measure(corpora.read(options.data), options.judge, options.verdicts)
