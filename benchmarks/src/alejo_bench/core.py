"""The Rust core, part by part, against what people would pick instead, in the same process; `--peers` brings those.

Each module `core_PART.py` has the figures of one part and says what they are.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import alejo_bench
from alejo._core import debug_build

from . import peers
from .report import Row


def run(options: Any) -> list[Row]:
    """Every part there is; the rows of one figure follow each other."""
    if debug_build():
        raise SystemExit("alejo._core is a debug build; there is nothing to measure.")
    if options.peers:
        peers.attach("core")
    names = [module.name for module in pkgutil.iter_modules(alejo_bench.__path__) if module.name.startswith("core_")]
    parts = [importlib.import_module(f"alejo_bench.{name}") for name in names]
    rows = [row for part in parts if hasattr(part, "run") for row in part.run(options)]
    places = list(dict.fromkeys((row.metric, row.case) for row in rows))
    return sorted(rows, key=lambda row: places.index((row.metric, row.case)))  # those that compare, side by side
