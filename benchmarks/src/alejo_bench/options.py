"""What a benchmark is told."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Options(msgspec.Struct, frozen=True):
    """How a benchmark runs."""

    data: Path | None
    quick: bool
    peers: bool
    model: Path | None = None
    ablation: bool = False
    judge: Path | None = None
    verdicts: Path | None = None
