"""What need not be made again: values of users, in memory, over what of them is sealed on disk.

A value is looked for in memory, then on disk, then made, once however many ask for it. What memory has no room for, and
at the end all of it, goes to the disk, sealed with its user's data key; reading never waits for that. A user who is
forgotten loses every value at once, in every process that has the folder open, and nothing that began to be made
before comes back.

A key stands for one value only: what a value depends on is part of its key, down to the version of the user's records.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from alejo._core import CacheDisk, CacheTier
from alejo.begun import Rest
from alejo.errors import AlejoError, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from alejo.clock import Clock
    from alejo.types import Scope

NAMESPACES = ("responses", "embeddings", "completions")
_TIDY_SECONDS = 1.0
_SWEEP_SECONDS = 600.0
_BATCH = 256

# A key, its value, its user and their generation, and the seconds it lives yet.
_Row = tuple[str, bytes, str | None, int, float]


class Vault(Protocol):
    """What seals the values of one user, whose `name` it gives without telling who they are."""

    name: str

    def seal(self, place: str, key: str, value: bytes) -> bytes:
        """The sealed form of a value for this place and key."""
        ...

    def open(self, place: str, key: str, sealed: bytes) -> bytes | None:
        """What was sealed for this place and key; None if it was altered or another's."""
        ...


class Vaults(Protocol):
    """Where vaults are."""

    async def vault(self, scope: Scope) -> Vault | None:
        """A user's vault; None if they have no key."""
        ...

    async def vault_of(self, name: str) -> Vault | None:
        """The vault of this name; None if its user has no key any more."""
        ...


class Counts(NamedTuple):
    """What a namespace has done, or the disk below them all, which makes nothing and fails to keep."""

    hits: int
    misses: int
    evictions: int
    expired: int
    entries: int
    bytes: int
    loads: int = 0
    failures: int = 0
    load_seconds: float = 0.0


class _Flight(NamedTuple):
    """A value being made, for a generation of its user."""

    since: int
    task: asyncio.Task[bytes]


class Namespace:
    """Values of one kind."""

    def __init__(self, name: str, tier: CacheTier, cache: Cache) -> None:
        self.name = name
        self.tier = tier
        self._place = f"cache_{name}"
        self._cache = cache
        self._flights: dict[str, _Flight] = {}
        self._loads = self._failures = 0
        self._seconds = 0.0

    async def fetch(self, scope: Scope, key: str, load: Callable[[], Awaitable[bytes]]) -> bytes:
        """The value of a user's `key`, made by `load` if no tier has it. Raises what `load` raises.

        Many who ask at once wait for one load, which the first of them begins and a task of its own goes on with, where
        it has to wait for anything; so it may enter no timeout before. One of them who goes away stops nothing; a load
        that fails, fails for all of them and is not kept. Who asks after the user was forgotten does not get what began
        before. For a user without a data key nothing is kept.
        """
        vault = await self._cache.vaults.vault(scope)
        if vault is None:
            return await load()
        whole = vault.name + key
        self._cache.asked(self.name, whole)
        found = self.tier.get(whole)
        if found is not None:
            return found
        since = self.tier.generation(vault.name)
        flight = self._flights.get(whole)
        if flight is None or flight.since != since:
            steps = self._make(vault, whole, since, load).__await__()
            try:
                first = next(steps)
            except StopIteration as end:  # nobody could ask meanwhile, so it needs no task
                await asyncio.sleep(0)  # who asks for one thing after the other must not stop the others
                return cast("bytes", end.value)
            flight = _Flight(since, asyncio.create_task(_rest(Rest(steps, first))))
            self._flights[whole] = flight
            flight.task.add_done_callback(partial(self._landed, whole))
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if flight.task.cancelled():
                raise Unavailable("The cache was closed while a value was being made.") from None
            raise

    def find(self, vault: Vault, key: str) -> tuple[bytes | None, int]:
        """The value of a key, if any tier has it, and what `keep` is to be told if it has to be made."""
        whole = vault.name + key
        self._cache.asked(self.name, whole)
        since = self.tier.generation(vault.name)
        return self.tier.get(whole) or self._kept(vault, whole), since

    def keep(self, vault: Vault, key: str, value: bytes, since: int) -> None:
        """Keeps a value that was made by others; for nothing if its user was forgotten since."""
        self.tier.put(vault.name + key, value, vault.name, since=since)
        self._cache.wake()

    def _kept(self, vault: Vault, key: str) -> bytes | None:
        """What the disk has, brought into memory."""
        kept = self._cache.kept(self._place, vault, key)
        if kept is None:
            return None
        value, generation, lives = kept
        self.tier.put(key, value, vault.name, since=generation, lives=lives)
        self._cache.wake()
        return value

    def _made(self, vault: Vault, key: str, since: int, value: bytes, began: float) -> None:
        self._loads += 1
        self._seconds += self._cache.clock.monotonic() - began
        self.tier.put(key, value, vault.name, since=since)
        self._cache.wake()

    async def _make(self, vault: Vault, key: str, since: int, load: Callable[[], Awaitable[bytes]]) -> bytes:
        kept = self._kept(vault, key)
        if kept is not None:
            return kept
        began = self._cache.clock.monotonic()
        try:
            value = await load()
        except BaseException:
            self._failures += 1
            raise
        self._made(vault, key, since, value, began)
        return value

    def _landed(self, key: str, task: asyncio.Task[bytes]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # whoever waited was told; nobody may be left to be

    def flights(self) -> list[_Flight]:
        """What is being made."""
        return list(self._flights.values())

    def stop(self) -> None:
        """Ends what is being made."""
        for flight in self.flights():
            flight.task.cancel()

    def counts(self) -> Counts:
        """What it has done and what it holds."""
        told = self.tier.counters()
        return Counts(
            told.hits,
            told.misses,
            told.evictions,
            told.expired,
            told.entries,
            told.weight,
            self._loads,
            self._failures,
            self._seconds,
        )

    def place_of(self, key: str) -> str:
        """Where a value lies on the disk."""
        return f"{self._place}\0{key}"

    async def sealed(self, vaults: Vaults, rows: Sequence[_Row]) -> list[_Row]:
        """Rows of this tier as the disk keeps them. What has no vault any more is left out."""
        found: dict[str | None, Vault | None] = {}
        done: list[_Row] = []
        for key, value, user, since, lives in rows:
            if user not in found:
                found[user] = await vaults.vault_of(user or "")
            vault = found[user]
            if vault is not None:
                done.append((self.place_of(key), vault.seal(self._place, key, value), user, since, lives))
        return done


async def _rest(made: Rest[bytes]) -> bytes:
    return await made


class Cache:
    """All namespaces, over one disk or none."""

    def __init__(
        self,
        vaults: Vaults,
        clock: Clock,
        disk: CacheDisk | None = None,
        *,
        entries: int = 10_000,
        ttl: float = 3600.0,
        idle: float = 1800.0,
        trace: Path | None = None,
    ) -> None:
        """Each namespace has `entries` in memory, for `ttl` seconds, `idle` of them without being read.

        The digests of all keys that are asked for are written to the file `trace`, if one is given.
        """
        self.clock = clock
        self.vaults = vaults
        self._disk = disk
        self._sizes = (entries, ttl, idle)
        self._spaces = {name: Namespace(name, self._tier(), self) for name in NAMESPACES}
        self._trace = trace.open("a", encoding="ascii", buffering=1 << 16) if trace is not None else None
        self._timer: asyncio.TimerHandle | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._swept = clock.monotonic()
        self.lost = 0  # rows that could not be sealed or that the disk would not take

    def __getitem__(self, name: str) -> Namespace:
        return self._spaces[name]

    async def forget(self, scope: Scope) -> None:
        """Takes all values of a user out of every tier, of every process that has the folder open."""
        vault = await self.vaults.vault(scope)
        if vault is not None:
            self.erase(vault.name)

    def erase(self, name: str) -> None:
        """The same by the name of the user's vault, for one who has none any more."""
        for space in self._spaces.values():
            space.tier.forget(name)

    def counts(self) -> Mapping[str, Counts]:
        """What each namespace has done and holds, and "disk"."""
        told = {name: space.counts() for name, space in self._spaces.items()}
        if self._disk is not None:
            disk = self._disk.counters()
            told["disk"] = Counts(
                disk.hits, disk.misses, disk.evictions, disk.expired, disk.entries, disk.weight, failures=self.lost
            )
        return told

    def asked(self, name: str, key: str) -> None:
        """Notes that a key was asked for, if that is wanted."""
        if self._trace is not None:
            self._trace.write(f"{name} {blake2b(key.encode(), digest_size=8).hexdigest()}\n")

    def kept(self, place: str, vault: Vault, key: str) -> tuple[bytes, int, float] | None:
        """What the disk has, opened, with its generation and the seconds it lives yet."""
        found = self._disk.find(f"{place}\0{key}") if self._disk is not None else None
        if found is None:
            return None
        value = vault.open(place, key, found[0])
        return None if value is None else (value, found[1], found[2])

    def wake(self) -> None:
        """Sees to it that what leaves memory goes to the disk soon."""
        if self._timer is None and self._tidying is None:
            self._timer = asyncio.get_running_loop().call_later(_TIDY_SECONDS, self._start)

    def _start(self) -> None:
        self._timer = None
        self._tidying = asyncio.create_task(self._tidy())

    async def _tidy(self) -> None:
        try:
            await self.demote()
            if self.clock.monotonic() - self._swept >= _SWEEP_SECONDS:
                await self.sweep()
        finally:
            self._tidying = None

    async def demote(self, *, everything: bool = False) -> None:
        """Takes to the disk what left memory; with `everything`, all that is there."""
        disk = self._disk
        if disk is None:
            return
        async with self._lock:
            for space in self._spaces.values():
                rows = space.tier.demoted(everything=everything)
                for start in range(0, len(rows), _BATCH):
                    batch = rows[start : start + _BATCH]
                    try:
                        await asyncio.to_thread(disk.put, await space.sealed(self.vaults, batch))
                    except (OSError, AlejoError):
                        self.lost += len(batch)  # it is a cache: what it cannot keep is made again

    async def sweep(self) -> None:
        """Takes out of every tier what has outlived its time, and what was of users who were forgotten."""
        self._swept = self.clock.monotonic()
        for space in self._spaces.values():
            space.tier.sweep()
        if self._disk is not None:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._disk.sweep)

    async def renew(self, disk: Callable[[], CacheDisk | None]) -> None:
        """Lets go of the disk with all that it holds, and of what memory holds, and goes on with what `disk` opens.

        The old one is closed by then. Whoever calls sees to it that no other process has it open.
        """
        async with self._lock:
            if waiting := [flight.task for space in self._spaces.values() for flight in space.flights()]:
                await asyncio.wait(waiting)
            for space in self._spaces.values():  # what began meanwhile; from here on nothing waits
                space.stop()
            if self._disk is not None:
                self._disk.close()
            self._disk = disk()
            for space in self._spaces.values():
                space.tier = self._tier()

    def _tier(self) -> CacheTier:
        entries, ttl, idle = self._sizes
        return CacheTier(entries=entries, ttl=ttl, idle=idle, over=self._disk)

    async def close(self) -> None:
        """Ends what is being made, takes all that is in memory to the disk and leaves that."""
        for space in self._spaces.values():
            space.stop()
        if self._timer is not None:
            self._timer.cancel()
        if self._tidying is not None:
            await self._tidying
        await self.demote(everything=True)
        if self._disk is not None:
            await asyncio.to_thread(self._disk.close)
        if self._trace is not None:
            self._trace.close()
