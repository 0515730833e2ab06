"""The life of indexes: made when their user first speaks, following the change log, dropped when memory is short.

What took long to make is kept as a snapshot: the index as it was at one change of the log, sealed in a file beside the
records (alejo.storage.blobs). It is written in the background, when a sixteenth of the memories changed, when the index
is dropped, and at the end; what changed since is followed. A snapshot that cannot be used, whatever the reason, is as
good as none: the index is made from the records. One that holds forgotten words cannot be read any more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Collection
from itertools import islice
from typing import TypeVar

from alejo import __version__
from alejo._core import DamagedIndex, InvalidValue, give_back
from alejo.cache import Cache
from alejo.embedding import shipped
from alejo.errors import AlejoError, DataLoss, PluginFailed
from alejo.memory import vectors
from alejo.memory.embedders import BATCH, Embedder, PluginEmbedder, TableEmbedder, model_of
from alejo.memory.index import Index
from alejo.plugins import PluginHost
from alejo.storage.blobs import Blobs, withdraw
from alejo.storage.store import Store
from alejo.storage.tables import CHANGES, MEMORIES
from alejo.types import Degraded, Scope

T = TypeVar("T")

_STEP = 250  # what is indexed at a time, some 25 ms
_USERS = 1024
_MIB = 1 << 20
_FORMAT = 7  # of what an index holds, beside what the core's own dumps say of theirs
_MADE = f"{__version__} {_FORMAT}"
_WORTH = 500  # memories from which on a snapshot is quicker than the records
_CHANGED = 16  # a snapshot is old when a 16th of the memories changed, and no fewer than _WORTH
_PAUSE = 60.0  # seconds from a forget to the next snapshot
_LARGE = 8 * _MIB  # so much that it is worth giving back to the system
_AT_END = 5.0  # seconds that writing snapshots may take at the end


class _Seat:
    """An index and how far it has followed the change log."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.lock = asyncio.Lock()
        self.loaded = False
        self.loading: asyncio.Task[None] | None = None
        self.changed = 0  # memories since the snapshot
        self.withdrawn = False  # something in it was changed or forgotten, so it is none any more
        self.bytes = 0
        self.life: int | None = None  # of the user
        self.used = 0.0
        self.measured = 0  # how many memories it had when its bytes were counted


class Indexes:
    """The indexes of the users who spoke last; others are dropped and come back when they speak.

    So many users are kept, and fewer if they take more than `room` bytes together; whoever speaks is, however many.
    Who is silent for `idle` seconds is dropped by `cool`.
    """

    def __init__(
        self,
        store: Store,
        cache: Cache,
        blobs: Blobs | None = None,
        *,
        users: int = _USERS,
        room: int = 1024 * _MIB,
        idle: float = 1800.0,
        plugins: PluginHost | None = None,
        kind: str = "scan",
    ) -> None:
        self._kind = kind  # of what keeps vectors
        self._plugins = plugins
        self._embeddings: dict[_Seat, asyncio.Task[None]] = {}
        self._store = store
        self._blobs = blobs
        self._users = users
        self._room = room
        self._idle = idle
        self._clock = cache.clock
        self._held = 0
        self._table = shipped()
        self._kept = cache["embeddings"]
        self._seats: OrderedDict[Scope, _Seat] = OrderedDict()
        self._leaving: dict[Scope, _Seat] = {}
        self._saving = asyncio.Lock()  # one at a time, as each takes its index's memory once more
        self._saves: dict[_Seat, asyncio.Task[None]] = {}
        self._closing = asyncio.Event()
        self._dropped = 0  # bytes, which the allocator may have kept
        self.came_back = 0  # indexes that began with a snapshot
        self.made = 0  # and those that were made from the records

    @property
    def held(self) -> int:
        """The bytes that all indexes take."""
        return self._held

    async def get(self, scope: Scope) -> Index:
        """The user's index, up to date with every commit before this call, of any process."""
        seat = self._seat(scope, await self._store.life(scope))
        async with seat.lock:
            if self._plugins is not None and seat.loading is None:
                await self._choose(seat, self._plugins)
            embedder = seat.index.embedder
            if isinstance(embedder, PluginEmbedder) and embedder.vault is None:
                embedder.vault = await self._store.vault(scope)
            if not seat.loaded:
                await self._loaded(scope, seat)
            await self._follow(scope, seat)
        if seat.index.pending and seat not in self._embeddings:
            task = asyncio.get_running_loop().create_task(self._embed(scope, seat))
            self._embeddings[seat] = task
            task.add_done_callback(lambda _: self._embeddings.pop(seat))
        if self._seats.get(scope) is seat:
            self._count(seat)
        if seat.changed >= max(_WORTH, len(seat.index.entries) // _CHANGED):
            self._save_later(scope, seat)
        elif seat.withdrawn and self._worth(seat):
            self._save_later(scope, seat, _PAUSE)  # more may be forgotten
        while len(self._seats) > 1 and (len(self._seats) > self._users or self._held > self._room):
            self._drop(*self._seats.popitem(last=False))
        return seat.index

    def known(self, scope: Scope) -> Collection[str]:
        """The ids of the memories in a user's index as it was when last asked for; none where it is not in memory."""
        seat = self._seats.get(scope)
        return seat.index.ids if seat is not None and seat.loaded else ()

    def _seat(self, scope: Scope, life: int | None) -> _Seat:
        """A user's seat in this life of theirs."""
        held = self._seats.get(scope) or self._leaving.get(scope)
        if held is not None and held.life not in (None, life):
            self.drop(scope)
        seat = self._seats.get(scope)
        if seat is None:
            seat = self._leaving.pop(scope, None) or _Seat(Index(TableEmbedder(self._table), self._kind))
            self._seats[scope] = seat
            self._held += seat.bytes
        else:
            self._seats.move_to_end(scope)
        seat.used = self._clock.monotonic()
        seat.life = life
        return seat

    async def ask(self, scope: Scope, index: Index, work: Callable[[], T]) -> T:
        """What `work` finds in an index: in a thread, where that takes long, and nothing changes it meanwhile."""
        seat = self._seats.get(scope)
        if not index.long or seat is None or seat.index is not index:
            return work()
        async with seat.lock:
            return await asyncio.to_thread(work)

    def _count(self, seat: _Seat) -> None:
        count = len(seat.index.entries)
        if abs(count - seat.measured) * _CHANGED >= max(count, 1):
            self._held -= seat.bytes
            seat.bytes, seat.measured = seat.index.nbytes, count
            self._held += seat.bytes

    def drop(self, scope: Scope) -> None:
        """Lets go of all that is held of a user who was erased; nothing of it is kept."""
        seat = self._seats.pop(scope, None)
        if seat is not None:
            self._held -= seat.bytes
            self._dropped += seat.bytes
        for each in (seat, self._leaving.pop(scope, None)):
            if each is not None and each in self._saves:
                self._saves[each].cancel()

    def _drop(self, scope: Scope, seat: _Seat) -> None:
        self._held -= seat.bytes
        self._dropped += seat.bytes
        if self._blobs is not None and (seat in self._saves or self._worth(seat)):
            self._leaving[scope] = seat  # until it is saved, it can come back
            self._save_later(scope, seat)

    def _worth(self, seat: _Seat) -> bool:
        return seat.changed >= _WORTH or (seat.withdrawn and len(seat.index.entries) >= _WORTH)

    async def _loaded(self, scope: Scope, seat: _Seat) -> None:
        # It goes on when its caller has gone: on a slow machine nobody else would ever see the end of a long one.
        if seat.loading is None:
            seat.loading = asyncio.get_running_loop().create_task(self._load(scope, seat))
        try:
            await asyncio.shield(seat.loading)
        finally:
            if seat.loading.done():
                seat.loading = None

    async def _load(self, scope: Scope, seat: _Seat) -> None:
        index = await self._snapshot(scope, seat.index.embedder)
        if index is not None:
            seat.index, seat.loaded, seat.changed = index, True, 0
            self.came_back += 1
            return
        self.made += 1
        # The log's end is noted before the memories are read: a change in between is met again, which does no harm.
        last = await self._store.scan(scope, CHANGES, limit=1, reverse=True)
        after, more = b"", True
        while more:
            # One altered record is refused where it is asked for; it must not hide all the others.
            rows, after = await self._store.salvage(scope, MEMORIES, after=after, limit=_STEP)
            for row in rows:
                seat.index.put(row.value)
            more = bool(after)
            await _tidied(seat.index)
            await asyncio.sleep(0)  # a large user must not stop the others
        seat.index.version = last[0].key if last else b""
        seat.loaded, seat.changed = True, len(seat.index.entries)

    async def _follow(self, scope: Scope, seat: _Seat) -> None:
        while rows := await self._store.scan(scope, CHANGES, after=seat.index.version, limit=_STEP):
            # What is read is the memory as it is now, so one look at it does for all its changes.
            for memory_id, op in {row.value.memory_id: row.value.op for row in rows}.items():
                memory = None
                if op == "put":
                    with contextlib.suppress(DataLoss):
                        memory = await self._store.get(scope, MEMORIES, bytes.fromhex(memory_id))
                if memory is None:
                    seat.index.remove(memory_id)
                    seat.withdrawn = True
                else:
                    seat.withdrawn |= not seat.index.put(memory.value)
            seat.index.version = rows[-1].key
            seat.changed += len(rows)
            await _tidied(seat.index)
            if len(rows) < _STEP:
                return
            await asyncio.sleep(0)  # nor must one that was busy elsewhere

    async def _choose(self, seat: _Seat, plugins: PluginHost) -> None:
        """Sees to it that the index goes by the embedder there is now; one that fails is asked again next time."""
        slot, embedder = plugins.one("embedder"), seat.index.embedder
        if slot is None:
            if isinstance(embedder, PluginEmbedder) and not plugins.every("embedder"):
                self._turn(seat, TableEmbedder(self._table))
        elif not isinstance(embedder, PluginEmbedder) or embedder.slot is not slot:
            with contextlib.suppress(PluginFailed):
                chosen = PluginEmbedder(plugins, slot, await model_of(plugins, slot), self._kept)
                if chosen.name == embedder.name and chosen.dimensions == embedder.dimensions:
                    seat.index.embedder = chosen
                else:
                    self._turn(seat, chosen)

    def _turn(self, seat: _Seat, embedder: Embedder) -> None:
        if seat.loaded:
            seat.index.turn(embedder)
            seat.changed = len(seat.index.entries)
        else:
            seat.index = Index(embedder, self._kind)

    async def _embed(self, scope: Scope, seat: _Seat) -> None:
        """Makes the vectors that are missing, many at a time; until then recall goes by words."""
        index = seat.index
        while index.pending and self._seats.get(scope) is seat:
            embedder = index.embedder
            docs = list(islice(index.pending, BATCH))
            texts = [await self._text(scope, index, doc) for doc in docs]
            vectors: list[bytes | None] = [None] * len(docs)
            if isinstance(embedder, PluginEmbedder):
                for doc in docs:
                    index.pending.pop(doc, None)
                try:
                    vectors = await embedder.fetch(texts)
                except PluginFailed:
                    if index.embedder is embedder:
                        index.pending.update(dict.fromkeys(docs))
                    return  # the next recall tries again, if the plugin may be asked
            async with seat.lock:
                for doc, text, vector in zip(docs, texts, vectors, strict=True):
                    if index.embedder is embedder and not (embedder.later and doc in index.pending):
                        index.embed(doc, text, vector)
                await _tidied(index)
            seat.changed += len(docs)
            await asyncio.sleep(0)

    async def _text(self, scope: Scope, index: Index, doc: int) -> str:
        entry = index.entries.get(doc)
        with contextlib.suppress(DataLoss):
            row = await self._store.get(scope, MEMORIES, bytes.fromhex(entry.id)) if entry is not None else None
            return row.value.text if row is not None else ""
        return ""

    async def prepare(self, index: Index, query: str) -> list[Degraded]:
        """Makes ready what a query means, where that takes a plugin; what was missing."""
        if isinstance(index.embedder, PluginEmbedder):
            try:
                await index.embedder.ready(index.plain(query))
            except PluginFailed as failure:
                return [Degraded("embedder", failure.plugin, failure.why)]
        return []

    async def _snapshot(self, scope: Scope, embedder: Embedder) -> Index | None:
        """The index as it was kept, if there is one of this version that the log still leads on from."""
        found = await self._blobs.read(scope) if self._blobs is not None else None
        made, _, model = found[0].partition(" by ") if found is not None else ("", "", "")
        if found is None or made != _MADE:
            return None
        try:
            same = model == vectors.model(embedder.name, self._kind)
            index = await asyncio.to_thread(Index.load, embedder, found[1], self._kind, same=same)
            known = await self._store.get(scope, CHANGES, index.version)
        except (DamagedIndex, InvalidValue, ValueError, DataLoss):
            return None
        return index if known is not None else None

    def _save_later(self, scope: Scope, seat: _Seat, pause: float = 0.0) -> None:
        if self._blobs is not None and seat not in self._saves:
            task = asyncio.get_running_loop().create_task(self._save(self._blobs, scope, seat, pause))
            self._saves[seat] = task
            task.add_done_callback(lambda _: self._saved(scope, seat))

    def _saved(self, scope: Scope, seat: _Seat) -> None:
        del self._saves[seat]
        if self._leaving.get(scope) is seat:
            del self._leaving[scope]

    async def _save(self, blobs: Blobs, scope: Scope, seat: _Seat, pause: float) -> None:
        if pause:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            if await blobs.holds(scope):  # what changed took no words away
                seat.withdrawn = False
                return
        with contextlib.suppress(AlejoError):  # it is made again from the records
            async with self._saving:
                seen = await blobs.seen(scope)
                async with seat.lock:  # what is withdrawn from here on is not in what is kept, or keeps it from that
                    await self._follow(scope, seat)
                    changed, seat.changed, seat.withdrawn = seat.changed, 0, False
                    note = f"{_MADE} by {seat.index.model}"
                    parts = await asyncio.to_thread(seat.index.dump)
                if not await blobs.write(scope, note, parts, seen):
                    seat.changed += changed // 2  # another time, but not at once

    async def cool(self) -> None:
        """Drops the indexes of users who were silent for long, and gives back the memory of those that were dropped."""
        self._sleep()
        if self._dropped >= _LARGE:
            self._dropped = 0
            await asyncio.to_thread(give_back)

    def _sleep(self) -> None:
        since = self._clock.monotonic() - self._idle
        while self._seats:
            scope, seat = next(iter(self._seats.items()))
            if seat.used > since:
                return
            self._drop(scope, self._seats.pop(scope))

    async def tidy(self, scope: Scope) -> None:
        """Deletes files of a user that nothing can read any more."""
        if self._blobs is not None and not await self._blobs.holds(scope):
            await self._blobs.discard(scope)

    async def sweep(self) -> None:
        """Deletes the files of users who are gone."""
        if self._blobs is not None:
            await self._blobs.sweep()

    async def verify(self, scope: Scope) -> int:
        """How many memories a user's index knows otherwise than they are stored; if any, it is made anew."""
        index = await self.get(scope)
        wrong = await self._differences(scope, index)
        if wrong:  # or it changed while it was looked at
            await self.get(scope)
            wrong = [each for each in wrong if await self._differs(scope, index, each)]
        if wrong:
            writer = await self._store.writer(scope, begin=False)
            withdraw(writer)
            await writer.commit()
            seat = self._seats.pop(scope, None)
            if seat is not None:
                self._held -= seat.bytes
            await self.get(scope)
        return len(wrong)

    async def _differences(self, scope: Scope, index: Index) -> list[str]:
        unknown = set(index.ids)
        wrong = []
        after, more = b"", True
        while more:
            rows, after = await self._store.salvage(scope, MEMORIES, after=after, limit=_STEP)
            for row in rows:
                unknown.discard(row.value.id)
                if not index.agrees(row.value):
                    wrong.append(row.value.id)
            more = bool(after)
            await asyncio.sleep(0)
        return wrong + sorted(unknown)

    async def _differs(self, scope: Scope, index: Index, memory_id: str) -> bool:
        try:
            row = await self._store.get(scope, MEMORIES, bytes.fromhex(memory_id))
        except DataLoss:
            return False  # it is refused where it is asked for
        return memory_id in index.ids if row is None else not index.agrees(row.value)

    async def close(self) -> None:
        """Keeps what is worth it, as far as there is time."""
        self._closing.set()
        for scope, seat in self._seats.items():
            if self._worth(seat):
                self._save_later(scope, seat)
        loading = [seat.loading for seat in self._seats.values() if seat.loading is not None]
        for task in (*self._embeddings.values(), *loading):
            task.cancel()
        if self._saves:
            _, late = await asyncio.wait(self._saves.values(), timeout=_AT_END)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._seats.clear()


async def _tidied(index: Index) -> None:
    """Makes room in vectors that have become wasteful. Whoever calls lets nobody change the index meanwhile."""
    held = index.vectors
    if vectors.outside(held) and held.wasteful:
        await asyncio.to_thread(held.compact)
