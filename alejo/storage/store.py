"""What the rest of ALEJO stores with: typed rows, sealed before they reach a backend and opened after they leave it.

There is no way around it: a row is encoded (MessagePack, array-like), sealed with its user's data key for exactly its
table and key, and refused with DataLoss if anything of that does not hold when it is read. A store that is `plain`, by
the owner's choice, hands its rows over as they are encoded, and with them whose they are; what is kept beside the
records, such as the cache, is sealed there too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, cast

import msgspec
from cryptography.exceptions import InvalidTag

from alejo.errors import Conflict, DataLoss, StorageFull, Unavailable
from alejo.storage import Append, Delete, Expect, Freeing, Operation, Put, Record, Storage
from alejo.storage.keyring import DATA_KEYS, HEADER_BYTES, PREFIX_BYTES, Keyring, SealingKey, data_key_row
from alejo.storage.tables import ERASING, SCOPES, T, Table
from alejo.types import Scope

SYSTEM = Scope("", "")  # what belongs to no user: the API keys
_WAY = "way to the writer"
USERS = 4096  # kept ready at once; about 3 KiB each

# What opening a record may raise: altered or moved, too short, or of another shape.
_UNFIT = (InvalidTag, ValueError, KeyError, msgspec.MsgspecError)


class Row(NamedTuple, Generic[T]):
    """A stored row. `key` is what follows tenant and user; `version` the sequence of the commit that wrote it."""

    key: bytes
    value: T
    version: int


class _Clear:
    """Stands for a data key where nothing is sealed."""

    retired = False

    def seal(self, table: str, plain: bytes, key: bytes) -> bytes:
        return plain

    def open(self, table: str, sealed: bytes, key: bytes) -> bytes:
        return sealed


_CLEAR = _Clear()


class _Clears(dict[bytes, Any]):
    """The data keys where nothing is sealed, and so nothing says by which."""

    def __missing__(self, header: bytes) -> _Clear:
        return _CLEAR


class _User:
    """A user's prefix and data keys, by the header of what they sealed; `current` seals. `vault` seals in any case.

    `life` is the version of the first key's row: after an erasure it is gone, or another, and `alive` does not hold.
    """

    __slots__ = ("alive", "current", "keys", "life", "number", "prefix", "vault")

    def __init__(
        self, prefix: bytes, keys: dict[bytes, SealingKey], current: SealingKey, number: int, life: int, *, plain: bool
    ) -> None:
        self.prefix = prefix
        self.life = life
        self.alive = Expect(DATA_KEYS, data_key_row(prefix, 1), life)
        self.keys: dict[bytes, Any] = _Clears() if plain else keys
        self.current: SealingKey | _Clear = _CLEAR if plain else current
        self.number = number
        self.vault = Vault(prefix, keys, current)


class Vault:
    """Seals a user's values that are kept beside the records. `name` is the user's, as only the master key tells."""

    __slots__ = ("_current", "_keys", "_prefix", "name")

    def __init__(self, prefix: bytes, keys: dict[bytes, SealingKey], current: SealingKey) -> None:
        self.name = prefix.hex()
        self._prefix = prefix
        self._keys = keys
        self._current = current

    def seal(self, place: str, key: str, value: bytes) -> bytes:
        """The sealed form of a value for this place, which is no table's name, and key."""
        return self._current.seal(place, value, self._prefix + key.encode())

    def open(self, place: str, key: str, sealed: bytes) -> bytes | None:
        """What was sealed for this place and key; None if it was altered, or sealed with another key."""
        try:
            return self._keys[sealed[:HEADER_BYTES]].open(place, sealed, self._prefix + key.encode())
        except _UNFIT:
            return None


class Sealing:
    """Seals a value for its key, once that is known; see Append."""

    __slots__ = ("_plain", "_table", "_user")

    def __init__(self, user: _User, table: str, plain: bytes) -> None:
        self._user = user
        self._table = table
        self._plain = plain

    def __call__(self, key: bytes) -> bytes:
        return self._user.current.seal(self._table, self._plain, key)

    def departing(self) -> bytes:
        """The value sealed for the way to the process that commits it; `Store.arrived` is the other end."""
        return self._user.vault.seal(_WAY, self._table, self._plain)


class Writer:
    """A batch of one user under way. Rows are encoded and sealed as they are put; `commit` makes them durable.

    `frees` is set by whoever frees room with it: then it is not refused by a storage that is full.
    """

    __slots__ = ("_batch", "_encode", "_prefix", "_seal", "_storage", "_user", "_users", "frees")

    def __init__(
        self,
        storage: Storage,
        user: _User,
        batch: list[Operation] | None = None,
        users: list[tuple[_User, Callable[[], object]]] | None = None,
    ) -> None:
        self._storage = storage
        self._user = user
        self._users = [] if users is None else users  # who must be there yet, and what is done if one may not be
        self._prefix = user.prefix
        self._seal = user.current.seal
        self._encode = _ENCODER.encode
        self._batch: list[Operation] = [] if batch is None else batch
        self.frees = False

    def put(self, table: Table[T], key: bytes, value: T) -> None:
        """Writes a row, new or not."""
        name = table.name
        whole = self._prefix + key
        self._batch.append(Put(name, whole, self._seal(name, self._encode(value), whole)))

    def delete(self, table: Table[Any], key: bytes) -> None:
        """Removes a row, there or not."""
        self._batch.append(Delete(table.name, self._prefix + key))

    def expect(self, table: Table[Any], key: bytes, version: int | None) -> None:
        """Makes the commit raise Conflict unless the row has this version; None means it must be absent."""
        self._batch.append(Expect(table.name, self._prefix + key, version))

    def add(self, operation: Operation) -> None:
        """Adds an operation as a storage knows it, for whoever takes records out that nobody can open any more."""
        self._batch.append(operation)

    def append(self, table: Table[T], value: T, prefix: bytes = b"") -> int:
        """Adds a row under `prefix` ‖ sequence (8 bytes) ‖ place in the batch (2 bytes), and returns that place.

        The value is taken now.
        """
        seal = Sealing(self._user, table.name, self._encode(value))
        self._batch.append(Append(table.name, self._prefix + prefix, seal))
        return len(self._batch) - 1

    @property
    def batch(self) -> tuple[Operation, ...]:
        """What is in it, for whoever commits it in another way."""
        return tuple(self._batch)

    async def commit(self) -> int:
        """Applies the batch, all or nothing; returns its sequence once it is on disk, leaving the writer empty.

        Raises Conflict, StorageFull or Unavailable; then nothing of the batch is kept.
        """
        alive = (user.alive for user, _ in self._users)  # nothing is sealed with a key that is gone
        batch = (Freeing if self.frees else list)([*self._batch, *alive])
        self._batch.clear()  # not a new list: a writer beside this one adds to it too
        try:
            return await self._storage.commit(batch)
        except Conflict:
            for _, let_go in self._users:
                let_go()
            raise


def loose(prefix: bytes, batch: list[Operation]) -> Writer:
    """A writer that fills `batch` with rows of a plain store, for the storage itself to commit."""
    clear = cast("SealingKey", _CLEAR)
    return Writer(cast("Storage", None), _User(prefix, {}, clear, 0, 0, plain=True), batch)


class Store:
    """Typed, sealed rows over a backend. `refused` counts the records that could not be opened and were not served."""

    def __init__(self, storage: Storage, keyring: Keyring, *, users: int = USERS, plain: bool = False) -> None:
        self.refused = 0
        self.plain = plain
        self._storage = storage
        self._keyring = keyring
        self._limit = users
        self._users: OrderedDict[Scope, _User] = OrderedDict()
        self._decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}

    async def get(self, scope: Scope, table: Table[T], key: bytes) -> Row[T] | None:
        """One row, or None. Raises DataLoss if its record cannot be opened."""
        user = self._known(scope)
        whole = (user.prefix if user is not None else self._keyring.prefix(scope)) + key
        record = await self._storage.get(table.name, whole)
        if record is None:
            return None
        user = user or await self._load(scope)
        if user is None:
            return None
        try:
            sealed = record.value
            plain = user.keys[sealed[:HEADER_BYTES]].open(table.name, sealed, whole)
            return Row(key, self._decoder(table).decode(plain), record.version)
        except _UNFIT:
            rows = await self._once_more(scope, table, [Record(whole, record.value, record.version)])
            return rows[0] if rows else None

    async def version(self, scope: Scope, table: Table[Any], key: bytes) -> int | None:
        """The version of a row, which is not opened; None if there is none."""
        user = self._users.get(scope)
        record = await self._storage.get(table.name, (user.prefix if user else self._keyring.prefix(scope)) + key)
        return None if record is None else record.version

    async def many(self, scope: Scope, table: Table[T], keys: Sequence[bytes]) -> list[Row[T] | None]:
        """The rows of these keys, in their order, as of one moment; None for what is gone or cannot be opened."""
        user = self._known(scope) or await self._load(scope)
        if user is None:
            return [None] * len(keys)
        records = await self._storage.many(table.name, [user.prefix + key for key in keys])
        try:
            rows = iter(self._open(user, table, [record for record in records if record is not None]))
            return [None if record is None else next(rows) for record in records]
        except _UNFIT:
            return [await self.sound(scope, table, key) for key in keys]

    async def sound(self, scope: Scope, table: Table[T], key: bytes) -> Row[T] | None:
        """One row; None as well for one whose record cannot be opened, which must not hide others."""
        try:
            return await self.get(scope, table, key)
        except DataLoss:
            return None

    async def scan(
        self,
        scope: Scope,
        table: Table[T],
        prefix: bytes = b"",
        *,
        after: bytes = b"",
        limit: int = 100,
        reverse: bool = False,
    ) -> list[Row[T]]:
        """At most `limit` rows whose key begins with `prefix`, in key order beyond `after` (falling with `reverse`).

        Raises DataLoss if one of their records cannot be opened.
        """
        user = self._known(scope) or await self._load(scope)
        if user is None:
            return []
        beyond = user.prefix + after if after else b""
        records = await self._storage.scan(table.name, user.prefix + prefix, after=beyond, limit=limit, reverse=reverse)
        try:
            return self._open(user, table, records)
        except _UNFIT:
            return await self._once_more(scope, table, records)

    async def salvage(
        self, scope: Scope, table: Table[T], *, after: bytes = b"", limit: int = 1000
    ) -> tuple[list[Row[T]], bytes]:
        """Like `scan` from `after` on, but leaves out what cannot be opened; with the key to go on after, or b""."""
        try:
            rows = await self.scan(scope, table, after=after, limit=limit)
            return rows, rows[-1].key if len(rows) == limit else b""
        except DataLoss:
            user = self._known(scope)
            if user is None:  # it is the data key that cannot be opened
                raise
        beyond = user.prefix + after if after else b""
        records = await self._storage.scan(table.name, user.prefix, after=beyond, limit=limit)
        sound: list[Row[T]] = []
        for record in records:
            try:
                sound += self._open(user, table, [record])
            except _UNFIT:
                self.refused += 1
        return sound, records[-1].key[PREFIX_BYTES:] if len(records) == limit else b""

    async def writer(self, scope: Scope, *, begin: bool = True) -> Writer:
        """A batch for this user. Their first one makes their data key, in a commit of its own.

        Without `begin` it does not: raises Conflict for a user who has no key, as whoever was erased meanwhile.
        """
        if not begin and (self._known(scope) or await self._load(scope)) is None:
            raise Conflict("The user has no records any more.")
        return await self._written(scope, [], [])

    async def beside(self, writer: Writer, scope: Scope) -> Writer:
        """A writer for another user, or the system, whose rows go into the batch of `writer`: one commit for both."""
        return await self._written(scope, writer._batch, writer._users)

    async def _written(
        self, scope: Scope, batch: list[Operation], users: list[tuple[_User, Callable[[], object]]]
    ) -> Writer:
        user = await self._writing(scope)
        users.append((user, partial(self._users.pop, scope, None)))
        return Writer(self._storage, user, batch, users)

    async def life(self, scope: Scope) -> int | None:
        """Which life of a user this is, in every process; None for one who has no records. Another after an erasure."""
        user = self._users.get(scope)
        prefix = user.prefix if user is not None else self._keyring.prefix(scope)
        record = await self._storage.get(DATA_KEYS, data_key_row(prefix, 1))
        life = None if record is None else record.version
        if user is not None and user.life != life:
            self._users.pop(scope, None)
        return life

    async def vault(self, scope: Scope) -> Vault | None:
        """What seals this user's values elsewhere; None for one who has no records. Raises DataLoss."""
        user = self._known(scope) or await self._load(scope)
        return None if user is None else user.vault

    async def vault_of(self, name: str) -> Vault | None:
        """The vault of this name; None if its user has no data key, or none that can be opened."""
        try:
            user = await self._read_keys(bytes.fromhex(name))
        except DataLoss:
            return None
        return None if user is None else user.vault

    async def arrived(self, table: str, key: bytes, sealed: bytes) -> Sealing:
        """What another process would append to a table under a key that begins so. Raises DataLoss."""
        user = await self._read_keys(key[:PREFIX_BYTES])
        plain = user.vault.open(_WAY, table, sealed) if user else None
        if user is None or plain is None:
            self.refused += 1
            raise DataLoss("What came from another process was altered or cannot be opened.")
        return Sealing(user, table, plain)

    async def close(self) -> None:
        """Closes the backend after what was accepted is on disk, and lets go of the keys."""
        self._users.clear()
        await self._storage.close()

    async def _writing(self, scope: Scope) -> _User:
        user = self._known(scope) or await self._load(scope)
        if user is None or user.current.retired:
            user = await self._renew(scope, user)
        return user

    def _known(self, scope: Scope) -> _User | None:
        user = self._users.get(scope)
        if user is not None:
            self._users.move_to_end(scope)
        return user

    def _decoder(self, table: Table[T]) -> msgspec.msgpack.Decoder[T]:
        decoder = self._decoders.get(table.name)
        if decoder is None:
            decoder = self._decoders[table.name] = msgspec.msgpack.Decoder(table.row)
        return decoder

    def _open(self, user: _User, table: Table[T], records: Iterable[Record]) -> list[Row[T]]:
        name, keys, decode = table.name, user.keys, self._decoder(table).decode
        return [
            Row(key[PREFIX_BYTES:], decode(keys[sealed[:HEADER_BYTES]].open(name, sealed, key)), version)
            for key, sealed, version in records
        ]

    async def _once_more(self, scope: Scope, table: Table[T], records: Iterable[Record]) -> list[Row[T]]:
        """Opens records with the keys read anew, as another process may have made one; refuses what still fails."""
        self._users.pop(scope, None)
        user = await self._load(scope)
        if user is None:
            return []
        try:
            return self._open(user, table, records)
        except _UNFIT:
            self.refused += 1
        raise DataLoss("A stored record was altered or cannot be opened, so it was not used.")

    async def _load(self, scope: Scope) -> _User | None:
        """Reads a user's data keys. That there is none is not remembered: another process may make one any time."""
        user = await self._read_keys(self._keyring.prefix(scope))
        if user is not None:
            self._users[scope] = user
            while len(self._users) > self._limit:
                self._users.popitem(last=False)
        return user

    async def _read_keys(self, prefix: bytes) -> _User | None:
        # A key lasts some 67 million records: 1,000 of them are more than a user can fill.
        records = await self._storage.scan(DATA_KEYS, prefix, limit=1_000)
        if not records:
            return None
        try:
            opened = [self._keyring.unwrap(record.key, record.value) for record in records]
        except DataLoss:
            self.refused += 1
            raise
        number = int.from_bytes(records[-1].key[PREFIX_BYTES:], "big")
        return _User(
            prefix, {key.header: key for key in opened}, opened[-1], number, records[0].version, plain=self.plain
        )

    async def _renew(self, scope: Scope, user: _User | None) -> _User:
        """Makes a user's first or next data key; whoever else made it meanwhile was as good."""
        prefix = self._keyring.prefix(scope)
        number = user.number + 1 if user else 1
        row = data_key_row(prefix, number)
        erasing = Expect(ERASING.name, self._keyring.prefix(SYSTEM) + prefix, None)
        made = Put(DATA_KEYS, row, self._keyring.make(prefix, number))
        batch: list[Operation] = [erasing, Expect(DATA_KEYS, row, None), made]
        if user is not None:
            batch.append(user.alive)
        if self.plain:
            batch.append(Put(SCOPES.name, prefix, _ENCODER.encode(scope)))
        try:
            await self._storage.commit(batch)
        except Conflict:
            self._users.pop(scope, None)
        except StorageFull:
            if user is not None:
                return user  # deletes must still work; the key is renewed when there is room
            raise
        renewed = await self._load(scope)
        if renewed is None:
            raise Unavailable("The user's records are being erased.")
        return renewed


_ENCODER = msgspec.msgpack.Encoder()
