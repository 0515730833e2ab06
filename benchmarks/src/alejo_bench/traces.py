"""Sequences of keys a cache is asked for, the same every time, and what the best cache there can be makes of them.

zipf   100,000 keys, popularity by Zipf's law with exponent 1; capacity 10 %
scan   the same, and every 50,000 reads 15,000 keys that never come again
shift  the same without the scan, but who is popular moves on by 500 ranks every 10,000 reads
chat   200 live sessions of 5,000 users; each turn reads the user's profile, the session's last 6 turns and 4 of the
       user's 50 memories by Zipf, and leaves a new turn; a session lasts 20 turns on average; capacity 5 %
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

KEYS = 100_000


class Trace(NamedTuple):
    """Reads in their order; those of the first `warm` do not count."""

    reads: list[str]
    capacity: int
    warm: int


def zipf(chance: random.Random, keys: Sequence[str], count: int) -> list[str]:
    """So many of `keys`, the first the likeliest."""
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(keys) + 1)))
    return chance.choices(keys, cum_weights=weights, k=count)


def _names() -> list[str]:
    return [f"key-{number}" for number in range(KEYS)]


def _plain(count: int) -> Trace:
    return Trace(zipf(random.Random(1), _names(), count), KEYS // 10, count // 5)


def _scan(count: int) -> Trace:
    plain, reads = zipf(random.Random(2), _names(), count), list[str]()
    for start in range(0, count, 50_000):
        reads += plain[start : start + 50_000]
        reads += [f"scan-{start + number}" for number in range(15_000)]
    return Trace(reads[:count], KEYS // 10, count // 5)


def _shift(count: int) -> Trace:
    names = _names()
    ranks = zipf(random.Random(3), [str(rank) for rank in range(KEYS)], count)
    reads = [names[(int(rank) + number // 10_000 * 500) % KEYS] for number, rank in enumerate(ranks)]
    return Trace(reads, KEYS // 10, count // 5)


def _chat(count: int) -> Trace:
    chance = random.Random(4)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, 51)))
    numbers = itertools.count()
    live = [(chance.randrange(5000), list[str]()) for _ in range(200)]
    reads: list[str] = []
    while len(reads) < count:
        at = chance.randrange(200)
        user, turns = live[at]
        memories = chance.choices(range(50), cum_weights=weights, k=4)
        reads += [f"profile-{user}", *turns[-6:], *(f"memory-{user}-{memory}" for memory in memories)]
        turns.append(f"turn-{next(numbers)}")
        reads.append(turns[-1])
        if chance.random() < 1 / 20:
            live[at] = (chance.randrange(5000), [])
    return Trace(reads, len(set(reads)) // 20, count // 5)


TRACES: dict[str, Callable[[int], Trace]] = {"zipf": _plain, "scan": _scan, "shift": _shift, "chat": _chat}


def hits(trace: Trace, get: Callable[[str], bytes | None], put: Callable[[str, bytes], object]) -> int:
    """How many reads hit, if each that misses is put."""
    count = 0
    for number, key in enumerate(trace.reads):
        if get(key) is None:
            put(key, b"")
        elif number >= trace.warm:
            count += 1
    return count


def optimum(trace: Trace) -> int:
    """How many reads hit in a cache that keeps what is read again soonest (Belady 1966)."""
    reads, never = trace.reads, len(trace.reads)
    following, seen = [never] * never, dict[str, int]()
    for number in range(never - 1, -1, -1):
        following[number] = seen.get(reads[number], never)
        seen[reads[number]] = number
    held: dict[str, int] = {}
    farthest: list[tuple[int, str]] = []
    count = 0
    for number, key in enumerate(reads):
        count += key in held and number >= trace.warm
        held.pop(key, None)
        if following[number] == never:
            continue
        held[key] = following[number]
        heapq.heappush(farthest, (-following[number], key))
        while len(held) > trace.capacity:
            next_read, last = heapq.heappop(farthest)
            if held.get(last) == -next_read:
                del held[last]
    return count
