"""The cache in memory, as Python sees it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo._core import CacheTier, FakeClock, InvalidValue


def test_a_hit_is_the_callers_own_object() -> None:
    """What comes back is what was put, not a copy of it, under any equal key; and what goes is let go of."""
    tier, value = CacheTier(), b"x" * 1000
    before = sys.getrefcount(value)
    tier.put("caf\u00e9", value)
    assert tier.get("".join(["caf", "\u00e9"])) is value
    assert tier.get_many(["tea", "caf\u00e9", "caf\u00e9"]) == [None, value, value]
    assert tier.remove("caf\u00e9")
    assert not tier.remove("caf\u00e9")
    assert sys.getrefcount(value) == before


def test_times_to_live_and_to_idle() -> None:
    """An entry goes after its time to live however often it is read, and after its time to idle if it is not."""
    clock = FakeClock()
    tier = CacheTier(ttl=10, idle=4, clock=clock)
    tier.put("read", b"1")
    tier.put("left", b"2")
    for _ in range(3):
        clock.advance(3)
        assert tier.get("read") == b"1"
    assert tier.get("left") is None
    clock.advance(1)
    assert tier.get("read") is None
    tier.put("again", b"3")
    clock.advance(4)
    assert len(tier) == 1
    assert tier.sweep() == 1
    found = tier.counters()
    assert (found.hits, found.misses, found.evictions, found.expired) == (3, 2, 0, 3)
    assert (found.entries, found.weight) == (0, 0)


def test_all_of_a_user_go_at_once() -> None:
    """Forgetting a user takes their entries and nobody else's, and an overwritten entry belongs to its last user."""
    tier = CacheTier()
    for number in range(300):
        tier.put(f"{number}", b"", user=f"user-{number % 3}")
    tier.put("0", b"", user="user-1")
    tier.put("plain", b"")
    assert tier.forget("user-0") == 99
    assert tier.forget("user-0") == 0
    assert tier.forget("nobody") == 0
    assert tier.get("0") == b""
    assert len(tier) == 202
    tier.validate()
    tier.clear()
    assert (len(tier), tier.forget("user-1")) == (0, 0)


def test_it_is_bounded_in_entries_and_in_bytes() -> None:
    """Neither bound is ever exceeded, and a value heavier than the whole cache only takes out the old one."""
    tier = CacheTier(entries=100, weight=50_000)
    for number in range(1000):
        tier.put(f"{number}", b"x" * (number % 2000))
        assert len(tier) <= 100
        assert tier.counters().weight <= 50_000
    tier.put("999", b"x" * 50_000)
    assert tier.get("999") is None
    tier.validate()
    assert tier.counters().evictions == 1000 - len(tier)


def test_a_scan_leaves_what_is_read_again() -> None:
    """A hundred keys that are read stay through a scan of ten times the capacity."""
    tier, keys = CacheTier(entries=1000), [f"hot-{number}" for number in range(100)]
    for key in keys:
        tier.put(key, b"")
    assert None not in tier.get_many(keys)
    for number in range(10_000):
        tier.put(f"cold-{number}", b"")
    assert None not in tier.get_many(keys)


@given(st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=40), st.none() | st.text(max_size=2))))
def test_with_room_enough_it_is_a_dict(steps: list[tuple[str, bytes | None, str | None]]) -> None:
    """A cache that never fills holds exactly what was put, whatever the strings."""
    tier, model = CacheTier(), dict[str, bytes]()
    for key, value, user in steps:
        if value is None:
            assert tier.remove(key) == (model.pop(key, None) is not None)
        else:
            tier.put(key, value, user)
            model[key] = value
    tier.validate()
    assert len(tier) == len(model)
    keys = [key for key, _, _ in steps]
    assert tier.get_many(keys) == [model.get(key) for key in keys]


@pytest.mark.parametrize(
    "wrong",
    [
        {"entries": 0},
        {"entries": 2**31 + 1},
        {"ttl": 0.0},
        {"ttl": -1.0},
        {"idle": float("nan")},
        {"small": 0.0},
        {"small": 1.0},
    ],
)
def test_limits_without_a_meaning_are_refused(wrong: dict[str, Any]) -> None:
    """A wrong limit is a ValueError when the cache is made."""
    with pytest.raises(InvalidValue):
        CacheTier(**wrong)


class Text(str):
    """A string whose hash is code."""

    __slots__ = ()

    def __hash__(self) -> int:
        raise AssertionError

    __eq__ = str.__eq__


class Bytes(bytes):
    """Bytes whose end may be code."""


@pytest.mark.parametrize(
    "work",
    [
        lambda tier: tier.get(Text("x")),
        lambda tier: tier.get(b"x"),
        lambda tier: tier.get_many(["x", Text("x")]),
        lambda tier: tier.get_many([None]),
        lambda tier: tier.put(Text("x"), b""),
        lambda tier: tier.put("x", Bytes()),
        lambda tier: tier.put("x", bytearray()),
        lambda tier: tier.remove(Text("x")),
    ],
)
def test_only_exact_strings_and_bytes(work: Callable[[CacheTier], object]) -> None:
    """A subclass, which could run code while the cache is locked, is a TypeError, and nothing was changed."""
    tier = CacheTier()
    tier.put("x", b"1")
    with pytest.raises(TypeError):
        work(tier)
    assert tier.get("x") == b"1"
    tier.validate()


def test_endless_times_and_a_clock_that_runs_on() -> None:
    """An infinite time to live never ends; a clock is moved forward only."""
    clock = FakeClock()
    tier = CacheTier(ttl=float("inf"), idle=float("inf"), clock=clock)
    tier.put("x", b"1")
    clock.advance(1e9)
    assert tier.get("x") == b"1"
    with pytest.raises(InvalidValue):
        clock.advance(-1)


def test_many_threads_share_a_cache() -> None:
    """Whatever threads do to it at once, a key's value is one that was put under it, and the invariants hold."""
    tier = CacheTier(entries=200, weight=40_000)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for number in range(5000):
            key = f"{int(chance.paretovariate(0.5)) % 500}"
            match chance.randrange(20):
                case 0:
                    tier.forget(f"user-{number % 7}")
                case 1:
                    tier.remove(key)
                case 2 | 3 | 4 | 5 | 6:
                    tier.put(key, f"{key} of {number}".encode(), f"user-{number % 7}")
                case _:
                    value = tier.get(key)
                    assert value is None or value.startswith(f"{key} of ".encode())

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, seed) for seed in range(8)]:
            future.result(timeout=60)
    tier.validate()
