"""The limiter beside ten lines of Python and what people would install, in one process, closed loop, in CPU time.

limiter_ns   one decision that lets the request pass: `1key` of one caller, `100k` of 100,000 callers in random order;
             the state in a memory-mapped table is `shared-1key` and `shared-100k`
limiter_mb   what 1,000,000 callers that owe something take beside their names (`1M`), and after they were idle
             (`1M-idle`); each system in a process of its own
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alejo import __version__
from alejo._core import Limiter, SharedLimiter

from .report import Row, row

PLENTY = (1_000_000.0, 10_000_000)  # requests a second, burst: nobody is refused
SPARE = (0.1, 50)  # a caller owes something for 10 s after a request
CALLERS = 1_000_000
Decide = Callable[[str], object]
Make = Callable[[float, int], Decide]


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


def _ours(rate: float, burst: int) -> Decide:
    return Limiter((rate, burst)).decide


def _by_hand(rate: float, burst: int) -> Decide:
    return Gcra(rate, burst).decide


def _token_bucket(rate: float, burst: int) -> Decide:
    buckets: Any = importlib.import_module("token_bucket")
    decide: Decide = buckets.Limiter(rate, burst, buckets.MemoryStorage()).consume
    return decide


def _limits(rate: float, burst: int) -> Decide:
    limits: Any = importlib.import_module("limits")
    window = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
    return partial(window.hit, limits.RateLimitItemPerMinute(int(60 * rate)))


def _throttled(rate: float, burst: int) -> Decide:
    throttled: Any = importlib.import_module("throttled")
    quota = throttled.per_min(int(60 * rate), burst=burst)
    store = throttled.MemoryStore(options={"MAX_SIZE": 2 * CALLERS})
    decide: Decide = throttled.Throttled(using="gcra", quota=quota, store=store).limit
    return decide


OURS = ("alejo", __version__, _ours)
BY_HAND = ("dict", "10 lines", _by_hand)
PEERS = {"token-bucket": _token_bucket, "limits": _limits, "throttled-py": _throttled}


def run(options: Any) -> list[Row]:
    """Every case, the systems in turn within each round."""
    rounds, calls = (3, 50_000) if options.quick else (9, 300_000)
    systems = [OURS, BY_HAND]
    if options.peers:
        systems += [(name, version(name), make) for name, make in PEERS.items()]
    names = [f"user-{number}" for number in range(100_000)]
    many = random.Random(1).choices(names, k=calls)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        for case, keys in (("1key", ["user-0"] * calls), ("100k", many)):
            made = [("", name, release, make(*PLENTY)) for name, release, make in systems]
            made.insert(1, ("shared-", *OURS[:2], SharedLimiter(Path(folder) / case, PLENTY).decide))
            times: list[list[float]] = [[] for _ in made]
            for number in range(rounds + 1):
                for (*_, decide), found in zip(made, times, strict=True):
                    taken = _nanoseconds(decide, keys)
                    if number:  # the first round warms up
                        found.append(taken)
            for (prefix, name, release, _), found in zip(made, times, strict=True):
                rows.append(row("core", prefix + case, name, release, "limiter_ns", "ns", found))
    return rows + _memory(systems, 1 if options.quick else 3)


def _nanoseconds(decide: Decide, keys: Sequence[str]) -> float:
    start = time.process_time_ns()
    for key in keys:
        decide(key)
    return (time.process_time_ns() - start) / len(keys)


def _memory(systems: Sequence[tuple[str, str, Make]], rounds: int) -> list[Row]:
    rows: list[Row] = []
    spawn = multiprocessing.get_context("spawn")
    for name, release, make in systems:
        with spawn.Pool(1, maxtasksperchild=1) as process:
            taken = [process.apply(_held, (make,)) for _ in range(rounds)]
        rows.append(row("core", "1M", name, release, "limiter_mb", "MB", taken))
    with spawn.Pool(1, maxtasksperchild=1) as process:
        left = [process.apply(_left) for _ in range(rounds)]
    return [*rows, row("core", "1M-idle", *OURS[:2], "limiter_mb", "MB", left)]


def _held(make: Make) -> float:
    """What a limiter takes for its callers, in MB."""
    names = [f"user-{number}" for number in range(CALLERS)]
    decide = make(*SPARE)
    before = _resident()
    for name in names:
        decide(name)
    gc.collect()
    return _resident() - before


def _left() -> float:
    """What ours still has when its callers were idle, in MB."""
    names = [f"user-{number}" for number in range(CALLERS)]
    limiter = Limiter(SPARE)
    before = _resident()
    for name in names:
        limiter.decide(name, now=1.0)
    limiter.reclaim(1e6)
    return _resident() - before


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
