"""The limiter beside ten lines of Python and what people would install, in one process, closed loop.

limiter_ns   one decision, in ns: `1key` of one caller, `100k` of 100,000 callers in random order; the state in a
             memory-mapped table is `shared-1key` and `shared-100k`
limiter_mb   what 1,000,000 callers that owe something take, in MB, without their names (`1M`), and after they were
             idle (`1M-idle`)
"""

from __future__ import annotations

import gc
import importlib
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alejo import __version__
from alejo._core import Limiter, SharedLimiter

from .report import Row, row

RATE, BURST = 10.0, 50
Decide = Callable[[str], object]


class Gcra:
    """What a careful programmer would write: GCRA over a dict."""

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate
        self._span = burst / rate
        self._arrivals: dict[str, float] = {}

    def decide(self, key: str) -> tuple[bool, float]:
        """Whether a request may go on, and the seconds until it may."""
        now = time.monotonic()
        after = max(self._arrivals.get(key, 0.0), now) + self._interval
        if after - now > self._span:
            return False, after - now - self._span
        self._arrivals[key] = after
        return True, 0.0


def run(options: Any) -> list[Row]:
    """Every case, the systems in turn within each round."""
    rounds, calls = (3, 50_000) if options.quick else (9, 300_000)
    names = [f"user-{number}" for number in range(100_000)]
    many = random.Random(1).choices(names, k=calls)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        for case, keys in (("1key", ["user-0"] * calls), ("100k", many)):
            systems = _systems(Path(folder), case, peers=options.peers)
            times: list[list[float]] = [[] for _ in systems]
            for _ in range(rounds + 1):
                for (*_, decide), found in zip(systems, times, strict=True):
                    found.append(_nanoseconds(decide, keys))
            for (prefix, system, release, _), found in zip(systems, times, strict=True):
                rows.append(row("core", prefix + case, system, release, "limiter_ns", "ns", found[1:]))
    return rows + _memory(1 if options.quick else 3)


def _systems(folder: Path, case: str, *, peers: bool) -> list[tuple[str, str, str, Decide]]:
    """Prefix of the case, name, version and decision of each."""
    systems: list[tuple[str, str, str, Decide]] = [
        ("", "alejo", __version__, Limiter((RATE, BURST)).decide),
        ("shared-", "alejo", __version__, SharedLimiter(folder / case, (RATE, BURST)).decide),
        ("", "dict", "10 lines", Gcra(RATE, BURST).decide),
    ]
    if peers:
        buckets: Any = importlib.import_module("token_bucket")
        bucket = buckets.Limiter(RATE, BURST, buckets.MemoryStorage())
        systems.append(("", "token-bucket", version("token-bucket"), bucket.consume))
        limits: Any = importlib.import_module("limits")
        window = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
        item = limits.RateLimitItemPerSecond(int(RATE))
        systems.append(("", "limits", version("limits"), lambda key: window.hit(item, key)))
    return systems


def _nanoseconds(decide: Decide, keys: Sequence[str]) -> float:
    start = time.perf_counter_ns()
    for key in keys:
        decide(key)
    return (time.perf_counter_ns() - start) / len(keys)


def _memory(rounds: int) -> list[Row]:
    taken: list[float] = []
    left: list[float] = []
    for _ in range(rounds):
        limiter = Limiter((RATE, BURST))
        gc.collect()
        before = _resident()
        for number in range(1_000_000):
            limiter.decide(f"user-{number}", now=1.0)
        taken.append((_resident() - before) / 1e6)
        limiter.reclaim(10.0)
        left.append((_resident() - before) / 1e6)
    prefix = ("alejo", __version__, "limiter_mb", "MB")
    return [row("core", "1M", *prefix, taken), row("core", "1M-idle", *prefix, left)]


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
