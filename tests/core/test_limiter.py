"""The limiter, as Python sees it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo._core import DamagedIndex, InvalidValue, Limiter, SharedLimiter


def test_a_burst_passes_and_then_the_rate() -> None:
    """Fifty at once, the next is told to come in a tenth of a second, and then it passes."""
    limiter = Limiter((10.0, 50))
    told = [limiter.decide("me", now=1.0) for _ in range(50)]
    assert [one.remaining for one in told] == list(reversed(range(50)))
    assert all(one and one.retry_after == 0.0 for one in told)
    refused = limiter.decide("me", now=1.0)
    assert (refused.allowed, refused.remaining, refused.retry_after) == (False, 0, 0.1)
    assert repr(refused) == "Decision(allowed=False, remaining=0, retry_after=0.1)"
    assert limiter.decide("you", now=1.0)
    assert limiter.decide("me", now=1.1)


def test_classes_have_quotas_of_their_own() -> None:
    """A key that used up one quota still has the other, and costs count in both."""
    limiter = Limiter((1.0, 2), (100.0, 1000))
    assert limiter.decide("me", 2, now=1.0)
    assert not limiter.decide("me", now=1.0)
    assert limiter.decide("me", 999, quota=1, now=1.0).remaining == 1
    assert limiter.decide("me", 0, quota=1, now=1.0).remaining == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.floats(0, 2)), max_size=80))
def test_decisions_are_those_of_a_bucket_that_fills(steps: list[tuple[str, int, float]]) -> None:
    """What is remaining is what a leaky bucket holds, whether idle keys were taken back in between or not."""
    limiter, now = Limiter((4.0, 5)), 1.0
    held: dict[str, tuple[float, float]] = {}
    for key, cost, later in steps:
        now += later
        tokens, seen = held.get(key, (5.0, now))
        tokens = min(5.0, tokens + (now - seen) * 4)
        told = limiter.decide(key, cost, now=now)
        if abs(tokens - round(tokens)) > 1e-6:  # on the edge the last nanosecond decides
            assert told.allowed == (tokens >= cost)
            assert told.remaining == int(tokens - cost * told.allowed)
        held[key] = tokens - cost * told.allowed, now
        if cost == 0:
            limiter.reclaim(now)
        limiter.validate()


def test_idle_keys_take_no_memory() -> None:
    """A key whose burst is whole again is forgotten."""
    limiter = Limiter((10.0, 50))
    for number in range(1000):
        limiter.decide(str(number), now=1.0)
    assert len(limiter) == 1000
    limiter.reclaim(1.2)
    assert len(limiter) == 0


def test_the_machines_clock_is_used_when_no_time_is_given() -> None:
    """Without a time the burst passes once, with the coarse clock and the precise one."""
    for quota in ((0.001, 5), (5.0, 4)):
        limiter = Limiter(quota)
        assert sum(limiter.decide("me").allowed for _ in range(quota[1])) == quota[1]
        assert not limiter.decide("me")


def test_threads_share_one_burst() -> None:
    """However many threads ask, a burst passes once."""
    limiter = Limiter((0.001, 500))
    with ThreadPoolExecutor(8) as pool:
        passed = pool.map(lambda _: sum(limiter.decide("me").allowed for _ in range(500)), range(8))
        assert sum(passed) == 500


@pytest.mark.parametrize("quota", [(0.0, 1), (float("nan"), 1), (-1.0, 5), (1.0, 0), (1e9, 1)])
def test_what_means_nothing_is_refused(quota: tuple[float, int]) -> None:
    """A quota nobody could keep or break, a class that is not there, a cost above the burst."""
    with pytest.raises(InvalidValue):
        Limiter(quota)
    limiter = Limiter((1.0, 5))
    with pytest.raises(InvalidValue, match="never be paid"):
        limiter.decide("me", 6)
    with pytest.raises(InvalidValue, match="class"):
        limiter.decide("me", quota=1)
    with pytest.raises(InvalidValue, match="time"):
        limiter.decide("me", now=-1.0)
    with pytest.raises(InvalidValue):
        Limiter()


HAMMER = """
import os, sys
from alejo._core import SharedLimiter
limiter = SharedLimiter(sys.argv[1], (1.0, 300_000))
while limiter.decide("me", now=1.0):
    os.write(1, b".")
"""


def test_killed_processes_lose_nothing(tmp_path: Path) -> None:
    """Processes that share a table are killed in the midst of it: the burst passes once over all of them."""
    table = tmp_path / "table"
    limiter = SharedLimiter(table, (1.0, 300_000))
    passed = killed = 0
    while limiter.decide("me", 0, now=1.0).remaining:
        crowd = [subprocess.Popen([sys.executable, "-c", HAMMER, table], stdout=subprocess.PIPE) for _ in range(2)]
        for one in crowd:
            assert one.stdout is not None
            passed += len(one.stdout.read(1000))
            killed += one.poll() is None
            one.kill()
            passed += len(one.communicate()[0])
    limiter.validate()
    assert killed
    assert 300_000 - killed <= passed <= 300_000, "who is killed may have been allowed one it could not tell of"


def test_processes_share_a_table(tmp_path: Path) -> None:
    """What one limiter allowed another over the same file knows, also when the first is gone."""
    told = [SharedLimiter(tmp_path / "table", (10.0, 3)).decide("me", now=1.0).remaining for _ in range(3)]
    assert told == [2, 1, 0]
    limiter = SharedLimiter(tmp_path / "table", (10.0, 3))
    assert limiter.decide("me", now=1.0).retry_after == 0.1
    assert limiter.decide("me", now=1.1)
    assert SharedLimiter(tmp_path / "other", (0.001, 3)).decide("me").remaining == 2


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    """Another file is not touched, and a folder that is not there is named as such."""
    (tmp_path / "table").write_bytes(b"a letter to a friend" * 100)
    with pytest.raises(DamagedIndex):
        SharedLimiter(tmp_path / "table", (10.0, 3))
    assert (tmp_path / "table").read_bytes() == b"a letter to a friend" * 100
    with pytest.raises(OSError, match="not found"):
        SharedLimiter(tmp_path / "no" / "table", (10.0, 3))
