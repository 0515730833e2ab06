"""Finds what was said and is promised to nobody: no job of its own, and no processor that is done with it.

By itself the queue leaves none: this is for what was stored before there was a queue, or while it had no room, and for
what a fault may have lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import msgspec

from alejo.clock import Clock
from alejo.queue.rows import USERS
from alejo.queue.stored import StoredQueue
from alejo.storage.store import SYSTEM, Store
from alejo.storage.tables import SESSIONS
from alejo.types import Scope

QUIET = 60.0  # seconds; a session that changed since may be in a turn, which enqueues by itself
_PAGE = 256
_SCOPES = msgspec.msgpack.Decoder(Scope)


class Reconciler:
    """Compares sessions with their jobs. `kinds` are those that every turn is promised to."""

    def __init__(self, store: Store, queue: StoredQueue, clock: Clock, kinds: Collection[str]) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._kinds = kinds

    async def user(self, scope: Scope) -> int:
        """Mends a user's lines; returns how many."""
        mended, after, quiet = 0, b"", self._clock.now() - round(QUIET * 1e6)
        while True:
            rows, after = await self._store.salvage(scope, SESSIONS, after=after, limit=_PAGE)
            for row in rows:
                session = row.value
                if session.message_count and session.updated_at <= quiet:
                    for kind in self._kinds:
                        mended += await self._queue.mend(scope, session.id, kind, session.message_count)
            if not after:
                return mended
            await asyncio.sleep(0)  # many sessions must not stop the others

    async def every(self) -> int:
        """Mends the lines of all users that ever had a job, and forgets those that are gone."""
        mended, after = 0, b""
        while rows := await self._store.scan(SYSTEM, USERS, after=after, limit=_PAGE):
            for row in rows:
                vault = await self._store.vault_of(row.key.hex())
                plain = vault.open("user", vault.name, row.value) if vault else None
                if plain is not None:
                    mended += await self.user(_SCOPES.decode(plain))
                else:
                    writer = await self._store.writer(SYSTEM)
                    writer.delete(USERS, row.key)
                    await writer.commit()
            after = rows[-1].key
        return mended
