"""The cache on disk beside what people keep such things in: 1 KiB values under string keys, all in the page cache.

l3_get_s   reads of random keys that are there, each call for itself, per second; a copy as bytes comes out
l3_put_s   writes of new keys that nothing waits for: `1KiB` each in a transaction of its own, `1KiB-batch` 256 together

diskcache and Redis have no batch of their own kind, so they write one by one; Redis is measured if one answers on
127.0.0.1:6379, in a database that is flushed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import lmdb

from alejo import __version__
from alejo._core import CacheDisk

from .report import Row, row

VALUE = random.Random(7).randbytes(1024)
BATCH = 256
ROOM = 1 << 30


class System(NamedTuple):
    """A store to be measured, by its calls; the last closes it."""

    name: str
    version: str
    get: Callable[[str], Any]
    put: Callable[[str], Any]
    put_batch: Callable[[list[str]], Any] | None
    close: Callable[[], Any]


def _ours(folder: Path) -> System:
    disk = CacheDisk(folder / "alejo", size=ROOM)

    def put(key: str) -> None:
        disk.put([(key, VALUE, None, 0, math.inf)])

    def put_batch(keys: list[str]) -> None:
        disk.put([(key, VALUE, None, 0, math.inf) for key in keys])

    return System("alejo", __version__, disk.get, put, put_batch, disk.close)


def _lmdb(folder: Path) -> System:
    environment = lmdb.open(str(folder / "lmdb"), map_size=ROOM, sync=False, readahead=False)

    def get(key: str) -> bytes | None:
        with environment.begin() as txn:
            found: bytes | None = txn.get(key.encode())
            return found

    def put(key: str) -> None:
        with environment.begin(write=True) as txn:
            txn.put(key.encode(), VALUE)

    def put_batch(keys: list[str]) -> None:
        with environment.begin(write=True) as txn:
            for key in keys:
                txn.put(key.encode(), VALUE)

    return System("lmdb", lmdb.__version__, get, put, put_batch, environment.close)


def _diskcache(folder: Path) -> System:
    cache = importlib.import_module("diskcache").Cache(str(folder / "diskcache"), size_limit=ROOM)
    version = importlib.metadata.version("diskcache")
    return System("diskcache", version, cache.get, lambda key: cache.set(key, VALUE), None, cache.close)


def _redis() -> System | None:
    redis = importlib.import_module("redis")
    client = redis.Redis(db=15)
    try:
        client.flushdb()
    except redis.ConnectionError:
        return None
    version = importlib.metadata.version("redis")
    return System("redis", version, client.get, lambda key: client.set(key, VALUE), None, client.flushdb)


@contextmanager
def _systems(*, peers: bool) -> Iterator[list[System]]:
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as name:
        found = [_ours(Path(name)), _lmdb(Path(name))]
        if peers:
            found += [_diskcache(Path(name)), *filter(None, [_redis()])]
        try:
            yield found
        finally:
            for system in found:
                system.close()


def run(options: Any) -> list[Row]:
    """Every figure; rounds are interleaved."""
    rounds, count, batches = (3, 2_000, 20) if options.quick else (9, 10_000, 100)
    chance = random.Random(3)
    found: dict[tuple[str, str, str], list[float]] = {}
    with _systems(peers=options.peers) as systems:
        for number in range(rounds + 1):
            keys = [f"round-{number}/key-{place}" for place in range(count)]
            asked = chance.choices(keys, k=count)
            many = [[f"round-{number}/{batch}-{place}" for place in range(BATCH)] for batch in range(batches)]
            for system in systems:
                figures = {
                    ("1KiB", "l3_put_s"): _rate(system.put, keys),
                    ("1KiB", "l3_get_s"): _rate(system.get, asked),
                }
                if system.put_batch is not None:
                    figures["1KiB-batch", "l3_put_s"] = BATCH * _rate(system.put_batch, many)
                if number:  # the first round warms up
                    for (case, metric), value in figures.items():
                        found.setdefault((case, metric, system.name), []).append(value)
        versions = {system.name: system.version for system in systems}
    return [
        row("core", case, name, versions[name], metric, "1/s", values) for (case, metric, name), values in found.items()
    ]


def _rate(call: Callable[[Any], Any], arguments: list[Any]) -> float:
    start = time.perf_counter()
    for argument in arguments:
        call(argument)
    return len(arguments) / (time.perf_counter() - start)
