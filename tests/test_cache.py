"""What need not be made again: one load for all who ask, two tiers, and nothing kept that was forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import alejo
from alejo import Assistant
from alejo._core import CacheDisk
from alejo.cache import Cache, Vault, Vaults
from alejo.clock import FakeClock
from alejo.errors import StartupError, Unavailable
from alejo.settings import read
from alejo.types import Scope

from .conftest import ADA, BOB


class Loads:
    """A value that can be made, how often it was, and a gate before it is done."""

    def __init__(self, value: bytes = b"value") -> None:
        self.value = value
        self.count = 0
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> bytes:
        self.count += 1
        self.begun.set()
        await self.open.wait()
        return self.value


@pytest.fixture
async def owner(bare: Assistant) -> Assistant:
    """An assistant whose users have data keys."""
    for scope in (ADA, BOB):
        await bare.remember("so that there is a data key", scope=scope)
    return bare


Make = Callable[..., Cache]


@pytest.fixture
async def make(owner: Assistant, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Make]:
    """Caches over a folder of the test's own, one after the other."""
    made: list[Cache] = []

    def one(**limits: float) -> Cache:
        made.append(Cache(owner.store, clock, CacheDisk(tmp_path / "l3"), **limits))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for cache in made:
        await cache.close()


async def test_many_wait_for_one_load(make: Make) -> None:
    """However many ask at once, a value is made once; later it is there."""
    space, load = make()["responses"], Loads()
    load.open.clear()
    waiting = [asyncio.create_task(space.fetch(ADA, "key", load)) for _ in range(50)]
    await load.begun.wait()
    load.open.set()
    assert await asyncio.gather(*waiting) == [b"value"] * 50
    assert await space.fetch(ADA, "key", load) == b"value"
    assert load.count == 1
    counts = space.counts()
    assert (counts.hits, counts.misses, counts.loads, counts.failures) == (1, 50, 1, 0)


async def test_one_who_goes_away_stops_nothing(make: Make) -> None:
    """A waiter that is cancelled leaves the load to the others, and to the cache when nobody else is left."""
    space, load = make()["responses"], Loads()
    load.open.clear()
    first, second = (asyncio.create_task(space.fetch(ADA, "key", load)) for _ in range(2))
    await load.begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    load.open.set()
    assert await second == b"value"
    assert load.count == 1


async def test_a_load_that_fails_fails_for_all_and_is_not_kept(make: Make) -> None:
    """All who wait get the error; who asks afterwards has it made anew."""
    space = make()["responses"]
    gate = asyncio.Event()

    async def fail() -> bytes:
        await gate.wait()
        raise Unavailable("not now")

    waiting = [asyncio.create_task(space.fetch(ADA, "key", fail)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    for one in waiting:
        with pytest.raises(Unavailable):
            await one
    assert await space.fetch(ADA, "key", Loads()) == b"value"
    assert space.counts().failures == 1


async def test_forgetting_wins_over_a_load(make: Make) -> None:
    """Who asks after a user was forgotten does not get what began before, and it is not kept; others lose nothing."""
    cache = make()
    space, old, new, his = cache["responses"], Loads(b"old"), Loads(b"new"), Loads(b"his")
    await space.fetch(BOB, "key", his)
    old.open.clear()
    before = asyncio.create_task(space.fetch(ADA, "key", old))
    await old.begun.wait()
    await cache.forget(ADA)
    assert await space.fetch(ADA, "key", new) == b"new"
    old.open.set()
    assert await before == b"old"
    assert await space.fetch(ADA, "key", old) == b"new"
    assert await space.fetch(BOB, "key", his) == b"his"
    assert his.count == 1


async def test_values_go_down_and_come_up_again(make: Make) -> None:
    """What memory has no room for is found on disk, and what is in memory at the end is there after a restart."""
    cache = make(entries=2)
    space, loads = cache["responses"], [Loads(f"{number}".encode()) for number in range(10)]
    for number, load in enumerate(loads):
        await space.fetch(ADA, f"{number}", load)
    await cache.demote()
    for number, load in enumerate(loads):
        assert await space.fetch(ADA, f"{number}", load) == load.value
        await cache.demote()
    assert [load.count for load in loads] == [1] * 10
    assert cache.counts()["disk"].hits == 10
    await cache.close()
    again = make()
    for number, load in enumerate(loads):
        assert await again["responses"].fetch(ADA, f"{number}", load) == load.value
        assert await again["embeddings"].fetch(ADA, f"{number}", Loads(b"another")) == b"another"
    assert [load.count for load in loads] == [1] * 10
    await again.forget(ADA)
    await again.sweep()
    assert again.counts()["disk"].entries == 0


async def test_only_sealed_values_reach_the_disk_and_only_their_own_open(
    make: Make, owner: Assistant, tmp_path: Path
) -> None:
    """Neither a value nor a user's name is in the folder, and a sealed value under another key is a miss."""
    scope = Scope("acme", "augusta ada king-noel")  # no name so short that sealed bytes hold it by chance
    await owner.remember("so that there is a data key", scope=scope)
    cache = make()
    await cache["responses"].fetch(scope, "key", Loads(b"the spare key is under the pot"))
    await cache.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "l3").iterdir())
    assert b"spare key" not in stored
    assert scope.user.encode() not in stored
    disk = CacheDisk(tmp_path / "l3")
    vault = await cache.vaults.vault(scope)
    assert vault is not None
    place = cache["responses"].place_of(vault.name + "key")
    found = disk.find(place)
    assert found is not None
    disk.put([(place + "2", found[0], vault.name, disk.generation(vault.name), 60.0)])
    disk.close()
    assert await make()["responses"].fetch(scope, "key2", Loads(b"made")) == b"made"


async def test_without_a_data_key_nothing_is_kept(bare: Assistant) -> None:
    """A user who has no records has nothing in the cache, and each asks for itself."""
    load = Loads()
    for _ in range(2):
        assert await bare.cache["responses"].fetch(ADA, "key", load) == b"value"
    assert load.count == 2
    await bare.cache.forget(ADA)


async def test_closing_ends_what_is_being_made(make: Make) -> None:
    """Who waits while the cache is closed is told that it may be tried again."""
    cache, load = make(), Loads()
    load.open.clear()
    waiting = asyncio.create_task(cache["responses"].fetch(ADA, "key", load))
    await load.begun.wait()
    await cache.close()
    with pytest.raises(Unavailable):
        await waiting


class Lockless:
    """Vaults of which none is found again."""

    def __init__(self, vaults: Vaults) -> None:
        self.vault = vaults.vault

    async def vault_of(self, name: str) -> Vault | None:
        raise Unavailable("The storage cannot be read now.")


async def test_what_cannot_be_sealed_is_lost_and_nothing_else(
    owner: Assistant, clock: FakeClock, tmp_path: Path
) -> None:
    """A storage that fails while values go to the disk costs those values, and keeps nobody from closing."""
    cache = Cache(Lockless(owner.store), clock, CacheDisk(tmp_path / "l3"))
    await cache["responses"].fetch(ADA, "key", Loads())
    await cache.close()
    assert cache.lost == 1
    CacheDisk(tmp_path / "l3").close()


async def test_a_trace_holds_digests_alone(environment: dict[str, str], tmp_path: Path) -> None:
    """With cache.trace every key that is asked for is noted, as a digest."""
    chosen = read(environment, {"cache.trace": str(tmp_path / "trace"), "data.map_size_mb": 16, "cache.disk_mb": 0})
    async with alejo.open(settings=chosen, entry_points=[]) as assistant:
        await assistant.remember("the bicycle is in the cellar")
        for query in ("bicycle", "bicycle", "cellar"):
            assert await assistant.recall(query)
        assert assistant.cache.counts()["responses"].hits == 1
        assert "disk" not in assistant.cache.counts()
    lines = (tmp_path / "trace").read_text().splitlines()
    asked = [line for line in lines if line.startswith("responses ")]
    assert len(asked) == 3
    assert asked[0] == asked[1] != asked[2]
    assert "bicycle" not in "".join(lines)


@pytest.mark.parametrize("wrong", [{"cache.entries": 0}, {"cache.ttl_seconds": 0.0}, {"cache.disk_mb": 1 << 40}])
async def test_settings_without_a_meaning_stop_the_start(environment: dict[str, str], wrong: dict[str, float]) -> None:
    """A wrong size or time is told when the assistant is opened."""
    with pytest.raises(StartupError, match="cache"):
        async with alejo.open(settings=read(environment, {"data.map_size_mb": 16, **wrong}), entry_points=[]):
            pass


async def test_a_folder_that_cannot_be_used_leaves_the_caches_in_memory(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A broken cache folder keeps nobody from starting."""
    (tmp_path / "data" / "alejo").mkdir(parents=True)
    chosen = read(environment, {"data.map_size_mb": 16})
    async with alejo.open(settings=chosen, entry_points=[]) as assistant:
        folder = assistant.folder.cache_path
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("")
    async with alejo.open(settings=chosen, entry_points=[]) as assistant:
        assert "disk" not in assistant.cache.counts()
