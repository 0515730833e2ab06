"""What a recorded server would have found in its caches: its own trace against other policies.

The setting `cache.trace` names the file that a server writes: a line for each key that is asked for, with its namespace
and a digest that tells nothing. `hit_ratio` is the share of reads that hit, after the first fifth, in a cache with room
for a part of the keys (`responses-10%`), if each that misses is kept:

alejo      the cache as it is shipped, S3-FIFO with a small queue of a fifth
S3-FIFO    as published (Yang et al., SOSP 2023): a tenth, and two reads to stay
LRU        what was read lately
optimum    Belady's, which knows the future
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from alejo import __version__
from alejo._core import CacheTier

from . import traces
from .report import Row, row

PARTS = (1, 5, 10, 25)
_MOST = 3

Cache = tuple[Callable[[str], bytes | None], Callable[[str, bytes], object]]


class Lru:
    """What was read least lately goes first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key]

    def put(self, key: str, value: bytes) -> None:
        self._held[key] = value
        if len(self._held) > self._capacity:
            self._held.popitem(last=False)


class S3Fifo:
    """The published policy in the plainest way: small, main and ghost queues, and reads counted up to three."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._small_room = max(1, capacity // 10)
        self._uses: dict[str, int] = {}
        self._small, self._main, self._ghosts = deque[str](), deque[str](), OrderedDict[str, None]()

    def get(self, key: str) -> bytes | None:
        if key not in self._uses:
            return None
        self._uses[key] = min(_MOST, self._uses[key] + 1)
        return b""

    def put(self, key: str, _: bytes) -> None:
        while len(self._uses) >= self._capacity:
            self._evict()
        if key in self._ghosts:
            del self._ghosts[key]
            self._main.append(key)
        else:
            self._small.append(key)
        self._uses[key] = 0

    def _evict(self) -> None:
        if len(self._small) > self._small_room or not self._main:
            key = self._small.popleft()
            if self._uses[key] > 1:
                self._main.append(key)
                self._uses[key] = 0
                return
            self._ghosts[key] = None
            if len(self._ghosts) > self._capacity - self._small_room:
                self._ghosts.popitem(last=False)
        else:
            key = self._main.popleft()
            if self._uses[key]:
                self._main.append(key)
                self._uses[key] -= 1
                return
        del self._uses[key]


def _ours(capacity: int) -> Cache:
    tier = CacheTier(entries=capacity, weight=1 << 40)
    return tier.get, tier.put


def _plain(kind: type[Lru] | type[S3Fifo]) -> Callable[[int], Cache]:
    def make(capacity: int) -> Cache:
        cache = kind(capacity)
        return cache.get, cache.put

    return make


SYSTEMS: dict[str, Callable[[int], Cache]] = {"alejo": _ours, "S3-FIFO": _plain(S3Fifo), "LRU": _plain(Lru)}


def read(path: Path) -> dict[str, list[str]]:
    """The keys of a trace by namespace, in their order. Raises ClickException for a file that is none."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(path.read_text("ascii", errors="replace").splitlines(), 1):
        match line.split():
            case [space, digest]:
                found.setdefault(space, []).append(digest)
            case _:
                raise click.ClickException(f"{path}, line {number}: not a namespace and a digest.")
    return found


def run(options: Any) -> list[Row]:
    """The hit ratio of each policy, by namespace and capacity."""
    if options.data is None:
        raise click.ClickException("Name a trace: alejo bench cache-replay TRACE. The setting cache.trace makes one.")
    rows: list[Row] = []
    for space, reads in read(options.data).items():
        warm = len(reads) // 5
        for part in PARTS:
            trace = traces.Trace(reads, max(1, len(set(reads)) * part // 100), warm)
            found = {name: traces.hits(trace, *make(trace.capacity)) for name, make in SYSTEMS.items()}
            found["optimum"] = traces.optimum(trace)
            for name, hits in found.items():
                version = __version__ if name == "alejo" else ""
                case = f"{space}-{part}%"
                rows.append(
                    row("cache-replay", case, name, version, "hit_ratio", "ratio", [hits / (len(reads) - warm)])
                )
    return rows
