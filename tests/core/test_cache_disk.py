"""The cache on disk and the tiers over it, as Python sees them."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alejo._core import CacheDisk, CacheTier, FakeClock, InvalidValue


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def disk(tmp_path: Path, clock: FakeClock) -> Iterator[CacheDisk]:
    opened = CacheDisk(tmp_path / "cache", size=1 << 20, ttl=100, clock=clock)
    yield opened
    opened.close()


def keep(disk: CacheDisk, key: str, value: bytes, user: str | None = None, lives: float = math.inf) -> None:
    disk.put([(key, value, user, disk.generation(user), lives)])


def test_it_survives_being_closed(tmp_path: Path) -> None:
    """What was put is there when the folder is opened again, and a closed cache says that it is closed."""
    disk = CacheDisk(tmp_path / "cache")
    keep(disk, "café", b"value", "ann")
    with pytest.raises(OSError, match="busy"):
        CacheDisk(tmp_path / "cache")
    disk.close()
    disk.close()
    for call in (lambda: disk.get("café"), disk.sweep, lambda: disk.generation("ann"), lambda: CacheTier(over=disk)):
        with pytest.raises(ValueError, match="closed"):
            call()
    again = CacheDisk(tmp_path / "cache")
    found = again.find("café")
    assert found is not None
    assert found[0] == b"value"
    assert 604_700 < found[2] <= 604_800
    assert again.get("cafe") is None
    assert (again.counters().entries, again.counters().hits, again.counters().misses) == (1, 1, 1)
    again.close()


def test_times_forgetting_and_bounds(disk: CacheDisk, clock: FakeClock) -> None:
    """A value goes after its own time or the tier's, with its user, or when it is the oldest and there is no room."""
    keep(disk, "short", b"1", lives=5)
    keep(disk, "long", b"2")
    keep(disk, "hers", b"3", "ann")
    clock.advance(5)
    assert disk.get("short") is None
    assert disk.find("long") == (b"2", 0, 95.0)
    disk.forget("ann")
    assert disk.get("hers") is None
    assert disk.sweep() == 2
    for number in range(1000):
        keep(disk, f"{number}", b"x" * 1000)
    assert disk.get("long") is None
    assert disk.get("999") is not None
    assert disk.counters().weight <= 1 << 19
    keep(disk, "999", b"x" * (1 << 18))
    assert disk.get("999") is None
    disk.validate()
    disk.clear()
    assert disk.counters().entries == 0
    clock.advance(100)
    assert disk.sweep() == 0


def test_what_leaves_memory_can_go_below_and_come_back(disk: CacheDisk, clock: FakeClock) -> None:
    """An entry that had to make room or lay idle is laid aside with all it needs to live on; an expired one is not."""
    tier = CacheTier(entries=2, ttl=50, idle=10, over=disk, clock=clock)
    tier.put("a", b"1", "ann")
    tier.put("b", b"2", "bob", lives=7)
    tier.put("c", b"3")
    assert tier.demoted() == [("a", b"1", "ann", 0, 50.0)]
    assert tier.demoted() == []
    clock.advance(10)
    assert tier.get("c") is None
    tier.put("d", b"4", "dan")
    rows = tier.demoted(everything=True)
    assert sorted(rows, key=lambda row: row[0]) == [("c", b"3", None, 0, 40.0), ("d", b"4", "dan", 0, 50.0)]
    assert len(tier) == 0
    disk.put(rows)
    found = disk.find("d")
    assert found == (b"4", 0, 50.0)
    tier.put("d", found[0], "dan", since=found[1], lives=found[2])
    assert tier.get("d") == b"4"
    tier.validate()


@pytest.mark.parametrize("forget", ["disk", "tier", "other"])
def test_forgetting_a_user_reaches_every_tier_and_wins_over_loads(disk: CacheDisk, forget: str) -> None:
    """A user's values are gone from all tiers at once, and none comes back that began to be made before."""
    tier, other = CacheTier(over=disk), CacheTier(entries=1, over=disk)
    began = tier.generation("ann")
    for each in (tier, other):
        each.put("hers", b"1", "ann")
        each.put("his", b"2", "bob")
    keep(disk, "hers", b"1", "ann")
    match forget:
        case "disk":
            disk.forget("ann")
        case "tier":
            assert tier.forget("ann") == 1
        case _:
            other.forget("ann")
    assert tier.get("hers") is None
    assert disk.get("hers") is None
    assert other.demoted() == []
    tier.put("hers", b"late", "ann", since=began)
    disk.put([("hers", b"late", "ann", began, 10.0)])
    assert tier.get("hers") is None
    assert disk.get("hers") is None
    assert tier.get("his") == other.get("his") == b"2"
    tier.put("hers", b"new", "ann", since=tier.generation("ann"))
    assert tier.get("hers") == b"new"
    disk.clear()
    assert tier.get("his") is None
    tier.put("his", b"3", "bob")
    assert (tier.get("his"), tier.get("hers")) == (b"3", None)
    tier.validate()


def test_without_a_disk_forgetting_wins_over_loads_too() -> None:
    """A tier alone keeps nothing aside, and nothing that began before its user was forgotten."""
    tier = CacheTier(entries=1)
    began = tier.generation("ann")
    tier.forget("ann")
    tier.put("hers", b"late", "ann", since=began)
    assert tier.get("hers") is None
    tier.put("a", b"")
    tier.put("b", b"")
    assert tier.demoted() == []


def test_another_process_shares_it_and_forgets(tmp_path: Path, disk: CacheDisk) -> None:
    """A process of its own finds what is kept here, and what it forgets is gone from memory here."""
    tier = CacheTier(over=disk)
    tier.put("hers", b"1", "ann")
    keep(disk, "shared", b"2")
    code = (
        "import sys; from alejo._core import CacheDisk, FakeClock\n"
        "disk = CacheDisk(sys.argv[1], size=1 << 20, ttl=100, clock=FakeClock())\n"
        "assert disk.get('shared') == b'2'\n"
        "disk.forget('ann')\n"
        "disk.put([('back', b'3', None, disk.generation(None), 10.0)])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "cache")], check=True)
    assert tier.get("hers") is None
    assert disk.find("back") == (b"3", 0, 10.0)


step = st.one_of(
    st.tuples(st.just("fetch"), st.integers(0, 11), st.sampled_from(["ann", "bob", None])),
    st.tuples(st.just("forget"), st.just(0), st.sampled_from(["ann", "bob"])),
    st.tuples(st.just("wait"), st.integers(0, 40), st.none()),
    st.tuples(st.just("change"), st.integers(0, 11), st.none()),
    st.tuples(st.just("demote"), st.just(0), st.none()),
    st.tuples(st.just("reopen"), st.just(0), st.none()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(step, max_size=60))
def test_two_tiers_never_serve_what_is_over(steps: list[tuple[str, int, str | None]], tmp_path: Path) -> None:
    """Whatever goes up and down between the tiers, a value is served only within its time and its user's generation."""
    clock, folder = FakeClock(), tmp_path / "cache"
    disk = CacheDisk(folder, size=1 << 20, ttl=90, clock=clock)
    disk.clear()
    tier = CacheTier(entries=4, ttl=60, idle=25, over=disk, clock=clock)
    now, made, forgotten = 0, dict[str, tuple[bytes, int]](), dict[str | None, int]()
    for number, (action, key_number, user) in enumerate(steps):
        match action:
            case "fetch":
                key = f"{user}/{key_number}"
                value = tier.get(key)
                if value is None and (found := disk.find(key)) is not None:
                    value = found[0]
                    tier.put(key, value, user, since=found[1], lives=found[2])
                if value is not None:
                    expected, at = made[key]
                    assert value == expected
                    assert now - at < 60
                    assert at >= forgotten.get(user, -1)
                else:
                    made[key] = (f"{key} made at step {number}".encode(), now)
                    tier.put(key, made[key][0], user)
            case "forget":
                tier.forget(str(user))
                forgotten[user] = now
                made = {key: value for key, value in made.items() if not key.startswith(f"{user}/")}
            case "wait":
                clock.advance(key_number)
                now += key_number
            case "change":
                key = f"None/{key_number}"
                made[key] = (f"changed at step {number}".encode(), now)
                tier.put(key, made[key][0])
                disk.remove(key)
            case "demote":
                disk.put(tier.demoted())
                disk.sweep()
            case _:
                disk.put(tier.demoted(everything=True))
                disk.close()
                disk = CacheDisk(folder, size=1 << 20, ttl=90, clock=clock)
                tier = CacheTier(entries=4, ttl=60, idle=25, over=disk, clock=clock)
        tier.validate()
        disk.validate()
    disk.close()


def test_many_threads_share_it(disk: CacheDisk) -> None:
    """Whatever threads do to it at once, a key's value is one that was put under it, and the invariants hold."""
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for number in range(300):
                key = f"{(number * 7 + seed) % 40}"
                if number % 3:
                    found = disk.get(key)
                    assert found is None or found.startswith(f"{key} of ".encode())
                else:
                    keep(disk, key, f"{key} of {number}".encode() * 300, f"user-{number % 5}")
                if number % 100 == seed:
                    disk.forget(f"user-{seed % 5}")
        except BaseException as error:  # noqa: BLE001  told by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    disk.validate()


@pytest.mark.parametrize("wrong", [{"size": 1000}, {"size": 1 << 47}, {"ttl": 0.0}, {"ttl": float("nan")}])
def test_limits_without_a_meaning_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """A wrong limit is a ValueError, and makes no folder; neither is a key kept that is too long."""
    with pytest.raises(InvalidValue):
        CacheDisk(tmp_path / "none", **wrong)
    assert not (tmp_path / "none").exists()
    disk = CacheDisk(tmp_path / "cache")
    with pytest.raises(InvalidValue):
        keep(disk, "x" * 65_536, b"")
    disk.close()


def test_a_folder_that_cannot_be_used_is_an_os_error(tmp_path: Path) -> None:
    """A file where the folder should be is an OSError."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be used"):
        CacheDisk(tmp_path / "file")
