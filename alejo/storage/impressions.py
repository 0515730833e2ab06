"""What turns left of feeling: appended as they end, summed up a few at a time, and taken out again with their messages.

A turn only appends, so those of one user never refuse each other. Who sums up what was appended moves it into rows that
are found by their turn, in a commit that expects the sums as they were read; whoever takes an impression out writes the
sums anew as well, even where it was not among them yet. So of two only one gets through, and the other looks again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from alejo.errors import Conflict
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import EMOTIONS, FELT, IMPRESSIONS, Felt
from alejo.types import Correction, Emotions, Impression, Scope

_KEY = b"\0"
_MOST = 512  # that wait to be summed up
_DUE = 32  # so many are to be, unless it is being done
_FIRST = 4  # and so many of a user of whom no sums are kept yet: until then every look reads them all
_STEP = 256
_TRIES = 8
_USERS = 256
_SEQUENCE = 8  # bytes of a key: of the commit that appended it
_FORGOTTEN = Impression()  # in the place of one that was taken out, so that it is not brought in again


class Standing(NamedTuple):
    """The sums of a user with the version of their row, and what waits to be added to them, oldest first."""

    sums: Emotions
    version: int | None
    waiting: Sequence[Row[Felt]]

    @property
    def emotions(self) -> Emotions:
        """All of it."""
        found = self.sums
        for row in self.waiting:
            found = found.plus(row.value.impression)
        return found

    @property
    def empty(self) -> bool:
        """Whether nothing is kept."""
        return self.version is None and not self.waiting


async def standing(store: Store, scope: Scope, half_lives: tuple[int, int] | None = None) -> Standing:
    """How it stands with a user; `half_lives` of the mood and of what is usual, in µs, are those to go on with."""
    while True:
        waiting = await store.scan(scope, FELT, limit=_MOST)
        row = await store.get(scope, EMOTIONS, _KEY)
        sums = row.value if row is not None else Emotions()
        older = row is None or not waiting or row.version < int.from_bytes(waiting[0].key[:_SEQUENCE], "big")
        if older or await store.get(scope, FELT, waiting[0].key) is not None:
            break  # else it was summed up in between
    if half_lives is not None:
        sums = msgspec.structs.replace(sums, mood_half_life=half_lives[0], usual_half_life=half_lives[1])
    return Standing(sums, row.version if row is not None else None, waiting)


class _Hot(NamedTuple):
    """A user's emotions as of a version of the sums and of the last key that waits, and how many wait."""

    version: int
    last: bytes
    emotions: Emotions
    waiting: int


class Hot:
    """The emotions of those who speak, kept in memory as of what is on disk, which every look makes sure of."""

    def __init__(self, store: Store, half_lives: tuple[int, int]) -> None:
        self._store = store
        self._half_lives = half_lives
        self._users: OrderedDict[Scope, _Hot] = OrderedDict()

    async def look(self, scope: Scope) -> tuple[Emotions, bool]:
        """How a user feels, and whether it is time to sum up."""
        hot = self._users.pop(scope, None)
        if hot is not None:
            rows = await self._store.scan(scope, FELT, after=hot.last, limit=_MOST)
            # Whoever sums up or takes out writes the sums, so as of this version these rows are all there are.
            if await self._store.version(scope, EMOTIONS, _KEY) == hot.version:
                return self._kept(scope, hot, rows)
        known = await standing(self._store, scope, self._half_lives)
        if known.version is None:
            return known.emotions, len(known.waiting) >= _FIRST  # an erased user's would look the same
        return self._kept(scope, _Hot(known.version, b"", known.sums, 0), known.waiting)

    def known(self, scope: Scope, found: Standing) -> Emotions:
        """All of what was found, which need not be added up again where that is in memory."""
        hot = self._users.get(scope)
        if hot is not None and found.waiting and (hot.version, hot.last) == (found.version, found.waiting[-1].key):
            return hot.emotions
        return found.emotions

    def _kept(self, scope: Scope, hot: _Hot, rows: Sequence[Row[Felt]]) -> tuple[Emotions, bool]:
        emotions, waiting = hot.emotions, hot.waiting + len(rows)
        for row in rows:
            emotions = emotions.plus(row.value.impression)
        self._users[scope] = _Hot(hot.version, rows[-1].key if rows else hot.last, emotions, waiting)
        while len(self._users) > _USERS:
            self._users.popitem(last=False)
        return emotions, waiting >= _DUE


def note(writer: Writer, turn: bytes, impression: Impression) -> None:
    """Adds to the batch of a turn what it left."""
    writer.append(FELT, Felt(turn, impression))


def put(writer: Writer, known: Standing, sums: Emotions) -> None:
    """Puts other sums into a batch, which expects them as they were read."""
    writer.expect(EMOTIONS, _KEY, known.version)
    writer.put(EMOTIONS, _KEY, sums)


async def settle(store: Store, scope: Scope, half_lives: tuple[int, int] | None = None, hot: Hot | None = None) -> None:
    """Sums up what was appended. Whoever else did it meanwhile was as good. Raises StorageFull."""
    for _ in range(_TRIES):
        known = await standing(store, scope, half_lives)
        if not known.waiting:
            return
        writer = await store.writer(scope, begin=False)
        for row in known.waiting:
            writer.delete(FELT, row.key)
            writer.put(IMPRESSIONS, row.value.turn, row.value.impression)
        put(writer, known, known.emotions if hot is None else hot.known(scope, known))
        try:
            await writer.commit()
        except Conflict:
            continue


async def bring(store: Store, scope: Scope, writer: Writer, those: Sequence[Impression | Correction]) -> None:
    """Adds to a batch, which puts the impressions in their rows, what they are to the sums. A correction stands."""
    if not those:
        return
    known = await standing(store, scope)
    sums = known.sums
    for one in those:
        if isinstance(one, Correction):
            sums = msgspec.structs.replace(sums, correction=one)
        elif one != _FORGOTTEN:
            sums = sums.plus(one)
    put(writer, known, sums)


async def take_out(
    store: Store, scope: Scope, writer: Writer, turns: Collection[bytes], *, marked: bool = True
) -> None:
    """Takes out in a batch what turns left, by their keys, as if they had not been.

    A mark stays where one was, unless the whole session goes.
    """
    known = await standing(store, scope)
    if known.empty:
        return
    sums, found = known.sums, False
    for row in known.waiting:
        if row.value.turn in turns:
            writer.delete(FELT, row.key)
            if marked:
                writer.put(IMPRESSIONS, row.value.turn, _FORGOTTEN)
            found = True
    for turn in turns:
        kept = await store.sound(scope, IMPRESSIONS, turn)
        if kept is None or (marked and kept.value == _FORGOTTEN):
            continue
        if marked:
            writer.put(IMPRESSIONS, turn, _FORGOTTEN)
        else:
            writer.delete(IMPRESSIONS, turn)
        sums, found = sums.minus(kept.value), True
    if found:
        put(writer, known, sums)


async def drop(store: Store, scope: Scope, turns: Collection[bytes]) -> None:
    """Takes out what turns of a session left that is being deleted, in a commit of its own."""
    while turns:
        writer = await store.writer(scope)
        await take_out(store, scope, writer, turns, marked=False)
        if not writer.batch:
            return
        writer.frees = True
        with suppress(Conflict):
            await writer.commit()
            return


async def scrub(store: Store, scope: Scope, topic: str) -> bool:
    """Takes a topic out of all impressions that are summed up; whether it was in one. The sums keep it."""
    after, more, found = b"", True, False
    while more:
        rows, last = await store.salvage(scope, IMPRESSIONS, after=after, limit=_STEP)
        writer = await store.writer(scope)
        for row in rows:
            if topic in row.value.topics:
                others = tuple(each for each in row.value.topics if each != topic)
                writer.expect(IMPRESSIONS, row.key, row.version)
                writer.put(IMPRESSIONS, row.key, msgspec.structs.replace(row.value, topics=others))
        if writer.batch:
            found = True
            try:
                await writer.commit()
            except Conflict:  # one of them was taken out meanwhile
                continue
        after, more = last, bool(last)
    return found


async def clear(store: Store, scope: Scope) -> int:
    """Deletes all that is kept of a user's emotions, in many commits; returns of how many turns something was."""
    summed = await _summed(store, scope)
    while True:
        known = await standing(store, scope)
        if known.empty and not summed:
            return 0
        writer = await store.writer(scope, begin=False)
        for row in known.waiting:
            writer.delete(FELT, row.key)
        writer.expect(EMOTIONS, _KEY, known.version)
        writer.delete(EMOTIONS, _KEY)
        with suppress(Conflict):
            await writer.commit()
            break
    for start in range(0, len(summed), _STEP):
        writer = await store.writer(scope, begin=False)
        for key in summed[start : start + _STEP]:
            writer.delete(IMPRESSIONS, key)
        await writer.commit()
    return len(summed) + len(known.waiting)


async def _summed(store: Store, scope: Scope) -> list[bytes]:
    """The keys of the turns that are summed up."""
    keys: list[bytes] = []
    after, more = b"", True
    while more:
        rows, after = await store.salvage(scope, IMPRESSIONS, after=after, limit=_STEP)
        keys += [row.key for row in rows]
        more = bool(after)
    return keys
