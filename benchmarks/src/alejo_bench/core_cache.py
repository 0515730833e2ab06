"""The cache in memory: 10,000 entries of 1 KiB under string keys, in CPU time, rounds interleaved.

get_hit_ns      a get that hits
put_ns          a put that overwrites
mixed_ops_s     90 gets to 10 puts, popularity by Zipf, per second of CPU; by one thread and by two
get_many_ratio  a `get_many` of 64 keys ÷ 64 single gets
opt_ratio       hits ÷ those of a cache that knows the future (Belady's, which may also decline a key); the traces
                are in `traces.py`
"""

from __future__ import annotations

import importlib
import importlib.metadata
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import click

from alejo import __version__
from alejo._core import CacheTier

from . import traces
from .report import Row, row

ENTRIES = 10_000
KEYS = [f"user-{number % 97}/turn-{number}" for number in range(ENTRIES)]
VALUE = b"x" * 1024

Get = Callable[[str], bytes | None]
Put = Callable[[str, bytes], object]


class Locked:
    """cachetools' cache under the lock its documentation asks for."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self._lock = threading.RLock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            found: bytes | None = self._cache.get(key)
            return found

    def put(self, key: str, value: bytes) -> None:
        with self._lock:
            self._cache[key] = value


class System:
    """A cache to be measured, by its two calls."""

    def __init__(self, name: str, version: str, make: Callable[[int], tuple[Get, Put]]) -> None:
        self.name, self.version, self.make = name, version, make


def _ours(entries: int) -> tuple[Get, Put]:
    tier = CacheTier(entries=entries, weight=1 << 40)
    return tier.get, tier.put


def _dict(_: int) -> tuple[Get, Put]:
    held = dict[str, bytes]()
    return held.get, held.__setitem__


def systems(options: Any) -> list[System]:
    """Ours, a plain dict, and the peers if they are wanted."""
    found = [System("alejo", __version__, _ours), System("dict", "", _dict)]
    if not options.peers:
        return found
    cachebox, cachetools, moka = map(importlib.import_module, ("cachebox", "cachetools", "moka_py"))

    def mapped(make: Callable[[int], Any]) -> Callable[[int], tuple[Get, Put]]:
        def pair(entries: int) -> tuple[Get, Put]:
            cache = make(entries)
            return cache.get, getattr(cache, "insert", None) or cache.__setitem__

        return pair

    def tools(entries: int) -> tuple[Get, Put]:
        cache = Locked(cachetools.TTLCache(entries, 3600))
        return cache.get, cache.put

    def moka_ttl(entries: int) -> tuple[Get, Put]:
        cache = moka.Moka(entries, ttl=3600)
        return cache.get, cache.set

    def version(name: str) -> str:
        return importlib.metadata.version(name)

    return [
        *found,
        System("cachebox.LRUCache", version("cachebox"), mapped(cachebox.LRUCache)),
        System("cachebox.TTLCache", version("cachebox"), mapped(lambda size: cachebox.TTLCache(size, 3600))),
        System("moka_py.Moka", version("moka-py"), moka_ttl),
        System("cachetools.TTLCache+RLock", version("cachetools"), tools),
    ]


def run(options: Any) -> list[Row]:
    """Every figure."""
    return _costs(options) + _many(options) + _ratios(options)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _costs(options: Any) -> list[Row]:
    rounds = 5 if options.quick else 15
    chance = random.Random(1)
    order = chance.sample(KEYS, ENTRIES)
    mixed = [(key, chance.random() < 0.1) for key in traces.zipf(chance, KEYS, 3 * ENTRIES)]
    made = [(system, *system.make(ENTRIES)) for system in systems(options)]
    costs: dict[tuple[str, str, str], list[float]] = {}
    for number in range(rounds + 1):
        for system, get, put in made:
            if not number:
                _puts(put, KEYS)
            for name, (metric, _), scale, work in _works(get, put, order, mixed):
                taken = scale(_seconds(work))
                if number:  # the first round warms up
                    costs.setdefault((name, metric, system.name), []).append(taken)
    units = {"get_hit_ns": "ns", "put_ns": "ns", "mixed_ops_s": "1/s"}
    versions = {system.name: system.version for system, _, _ in made}
    return [
        row("core", case, name, versions[name], metric, units[metric], found)
        for (case, metric, name), found in costs.items()
    ]


def _works(
    get: Get, put: Put, order: list[str], mixed: list[tuple[str, bool]]
) -> list[tuple[str, tuple[str, str], Callable[[float], float], Callable[[], None]]]:
    each = 1e9 / len(order)
    return [
        ("1KiB", ("get_hit_ns", "ns"), lambda taken: taken * each, lambda: _gets(get, order)),
        ("1KiB", ("put_ns", "ns"), lambda taken: taken * each, lambda: _puts(put, order)),
        ("1thread", ("mixed_ops_s", "1/s"), lambda taken: len(mixed) / taken, lambda: _mix(get, put, mixed)),
        ("2threads", ("mixed_ops_s", "1/s"), lambda taken: 2 * len(mixed) / taken, lambda: _twice(get, put, mixed)),
    ]


def _gets(get: Get, keys: list[str]) -> None:
    for key in keys:
        get(key)


def _puts(put: Put, keys: list[str]) -> None:
    for key in keys:
        put(key, VALUE)


def _mix(get: Get, put: Put, mixed: list[tuple[str, bool]]) -> None:
    for key, write in mixed:
        if write:
            put(key, VALUE)
        else:
            get(key)


def _twice(get: Get, put: Put, mixed: list[tuple[str, bool]]) -> None:
    threads = [threading.Thread(target=_mix, args=(get, put, mixed)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _many(options: Any) -> list[Row]:
    tier = CacheTier(entries=ENTRIES, weight=1 << 40)
    _puts(tier.put, KEYS)
    order = random.Random(2).sample(KEYS, ENTRIES)
    batches = [order[start : start + 64] for start in range(0, ENTRIES - 63, 64)]
    flat = [key for batch in batches for key in batch]
    ratios = []
    for _ in range(5 if options.quick else 15):
        single = _seconds(lambda: _gets(tier.get, flat))
        ratios.append(_seconds(lambda: [tier.get_many(batch) for batch in batches]) / single)
    return [row("core", "64", "alejo", __version__, "get_many_ratio", "ratio", ratios)]


def _ratios(options: Any) -> list[Row]:
    rows = []
    for case, make in traces.TRACES.items():
        click.echo(f"core cache: trace {case}", err=True)
        trace = make(300_000 if options.quick else 1_000_000)
        best = traces.optimum(trace)
        for system in systems(options):
            if system.name == "dict" or (options.quick and system.name.startswith("cachetools")):
                continue
            ratio = traces.hits(trace, *system.make(trace.capacity)) / best
            rows.append(row("core", case, system.name, system.version, "opt_ratio", "ratio", [ratio]))
    return rows
