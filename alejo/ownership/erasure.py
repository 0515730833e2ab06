"""Erasing a user: their data keys are destroyed, then all their rows deleted, and a receipt says so.

The keys go first, in one commit with a mark that the user is being erased: from then on nothing of theirs can be read,
by no process, and until the last row is gone nothing new of theirs is taken. Whoever is killed in between leaves the
mark, and whoever opens the folder next finishes. What is known of an erasure afterwards is under a hash, no name.

A receipt holds the fingerprints of the keys and bears the folder's mark, so it can be checked later that it was given
here, and that none of these keys has come back, as from a backup.
"""

from __future__ import annotations

import asyncio
import base64
import enum
import hmac
from collections.abc import AsyncIterator
from hashlib import blake2b

import msgspec

from alejo.clock import Clock
from alejo.errors import Conflict, InvalidArgument, Unavailable
from alejo.outcomes import ErasePreview, Receipt
from alejo.queue.rows import USERS
from alejo.storage import Delete, Expect, Record, Storage, audit
from alejo.storage.keyring import DATA_KEYS, PREFIX_BYTES, Keyring
from alejo.storage.store import SYSTEM, Row, Store
from alejo.storage.tables import API_KEYS, ERASING, ERASURES, SCOPES, TABLES, Erasure
from alejo.types import Scope

_STEP = 500
_TRIES = 8
_DIGEST = 16
_TOKEN, _RECEIPT = b"erase token", b"erase receipt"


class Standing(enum.StrEnum):
    """What a receipt is worth now."""

    ERASED = "erased"
    UNDER_WAY = "under way"
    RESTORED = "restored"


class Erasures:
    """Erases users of one folder."""

    def __init__(self, storage: Storage, store: Store, keyring: Keyring, clock: Clock) -> None:
        self._storage = storage
        self._store = store
        self._keyring = keyring
        self._clock = clock

    async def preview(self, scope: Scope) -> ErasePreview:
        """What erasing a user would take: nothing is changed."""
        prefix = self._keyring.prefix(scope)
        keys = [fingerprint(record) for record in await self._keys(prefix)]
        counts = await self._count(prefix)
        if not keys or not counts:
            return ErasePreview({})
        place = _place(keys)
        token = base64.urlsafe_b64encode(place + self._keyring.mark(_TOKEN, prefix + place)).decode()
        return ErasePreview(counts, token)

    async def erase(self, scope: Scope, token: str) -> Receipt:
        """Erases the user of a preview's token; the same token again gives the same receipt.

        Raises InvalidArgument for another token, Conflict when the user has other keys since, StorageFull, Unavailable.
        """
        prefix = self._keyring.prefix(scope)
        place = self._opened(prefix, token)
        for _ in range(_TRIES):
            row = await self._store.get(SYSTEM, ERASURES, place)
            if row is not None:
                done = row.value if row.value.done else await self._finish(place, row)
                return self._receipt(scope, done)
            try:
                await self._begin(scope, prefix, place)
            except Conflict as error:
                if error.reason == "PREVIEW_CHANGED":
                    raise
        raise Unavailable("The user is being written by somebody else; try again.", retry_after=1.0)

    async def resume(self) -> int:
        """Finishes what others began and did not end; how many."""
        rows = await self._store.scan(SYSTEM, ERASING, limit=_STEP)
        for row in rows:
            erasure = await self._store.get(SYSTEM, ERASURES, row.value)
            if erasure is not None:
                await self._finish(row.value, erasure)
        return len(rows)

    async def verify(self, receipt: Receipt) -> Standing:
        """What a receipt is worth now. Raises InvalidArgument for one this folder did not give, or not like this."""
        if not hmac.compare_digest(receipt.seal.encode(), self._seal(receipt).encode()):
            raise InvalidArgument.field("receipt", "was not given by this folder, or was altered since")
        prefix = self._keyring.prefix(Scope(receipt.tenant, receipt.user))
        if {fingerprint(record).hex() for record in await self._keys(prefix)} & set(receipt.keys):
            return Standing.RESTORED
        under_way = await self._store.get(SYSTEM, ERASING, prefix)
        return Standing.ERASED if under_way is None else Standing.UNDER_WAY

    async def _begin(self, scope: Scope, prefix: bytes, place: bytes) -> None:
        """Destroys the keys."""
        records = await self._keys(prefix)
        keys = [fingerprint(record) for record in records]
        if not keys or _place(keys) != place:
            raise Conflict("What would be erased has changed since the preview.", reason="PREVIEW_CHANGED")
        counts, now = await self._count(prefix), self._clock.now()
        writer = await self._store.writer(SYSTEM)
        writer.expect(ERASING, prefix, None)
        writer.put(ERASING, prefix, place)
        writer.put(ERASURES, place, Erasure(prefix, now, tuple(keys), counts))
        for record in records:
            writer.add(Expect(DATA_KEYS, record.key, record.version))
            writer.add(Delete(DATA_KEYS, record.key))
        async for key in self._calling(scope):
            writer.delete(API_KEYS, key)
        writer.delete(USERS, prefix)
        audit.record(writer, "user.erase", place.hex(), now)
        writer.frees = True
        await writer.commit()
        await self._store.life(scope)  # lets go of the keys here

    async def _finish(self, place: bytes, row: Row[Erasure]) -> Erasure:
        """Deletes every row, and then the mark; whoever else does it as well only meets that mark gone."""
        prefix = row.value.user
        done = msgspec.structs.replace(row.value, done=True)
        mark = await self._store.get(SYSTEM, ERASING, prefix)
        if mark is None or mark.value != place:
            return done
        guard = Expect(ERASING.name, self._keyring.prefix(SYSTEM) + prefix, mark.version)
        try:
            for table in self._tables():
                while records := await self._storage.scan(table, prefix, limit=_STEP):
                    await self._storage.commit([guard, *(Delete(table, record.key) for record in records)])
            writer = await self._store.writer(SYSTEM)
            writer.expect(ERASING, prefix, mark.version)
            writer.delete(ERASING, prefix)
            writer.put(ERASURES, place, done)
            writer.frees = True
            await writer.commit()
        except Conflict:
            if await self._store.get(SYSTEM, ERASING, prefix) is not None:
                raise
        return done

    def _tables(self) -> list[str]:
        """Those with rows of users; whose they are, which a storage for people needs to know, goes last."""
        return [*sorted(TABLES - {SCOPES.name}), SCOPES.name]

    async def _count(self, prefix: bytes) -> dict[str, int]:
        counts: dict[str, int] = {}
        for table in self._tables():
            count, after = 0, b""
            while records := await self._storage.scan(table, prefix, after=after, limit=_STEP):
                count, after = count + len(records), records[-1].key
                await asyncio.sleep(0)
            if count and table != SCOPES.name:
                counts[table] = count
        return counts

    async def _keys(self, prefix: bytes) -> list[Record]:
        return await self._storage.scan(DATA_KEYS, prefix, limit=1_000)

    async def _calling(self, scope: Scope) -> AsyncIterator[bytes]:
        """The API keys that act for this user alone: they hold the user's name."""
        after = b""
        while rows := await self._store.scan(SYSTEM, API_KEYS, after=after, limit=_STEP):
            for row in rows:
                if (row.value.tenant, row.value.user) == (scope.tenant, scope.user):
                    yield row.key
            after = rows[-1].key

    def _opened(self, prefix: bytes, token: str) -> bytes:
        try:
            whole = base64.b64decode(token, altchars=b"-_", validate=True)
        except ValueError:
            whole = b""
        place, mark = whole[:_DIGEST], whole[_DIGEST:]
        if not hmac.compare_digest(mark, self._keyring.mark(_TOKEN, prefix + place)):
            raise InvalidArgument.field("preview", "is not the token of a preview of erasing this user")
        return place

    def _receipt(self, scope: Scope, done: Erasure) -> Receipt:
        keys = tuple(key.hex() for key in done.keys)
        receipt = Receipt(scope.tenant, scope.user, done.at, keys, done.counts)
        return msgspec.structs.replace(receipt, seal=self._seal(receipt))

    def _seal(self, receipt: Receipt) -> str:
        counts = sorted(receipt.counts.items())
        told = (receipt.tenant, receipt.user, receipt.erased_at, receipt.keys, counts)
        return self._keyring.mark(_RECEIPT, msgspec.msgpack.encode(told)).hex()


def fingerprint(record: Record) -> bytes:
    """What tells a data key from any other, without telling it: a digest of its sealed form, which is random."""
    return blake2b(record.key[PREFIX_BYTES:] + record.value, digest_size=_DIGEST).digest()


def _place(keys: list[bytes]) -> bytes:
    return blake2b(b"".join(keys), digest_size=_DIGEST).digest()
