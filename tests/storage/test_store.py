"""Rows over the real backend: typed, sealed, and refused when anything about them is wrong."""

from __future__ import annotations

import asyncio
import base64
import enum
import itertools
import random
import types
import typing
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo.errors import Conflict, DataLoss, StorageFull
from alejo.storage import Delete, Put, tables
from alejo.storage.keyring import DATA_KEYS, HEADER_BYTES, Keyring, data_key_row
from alejo.storage.lmdb import LmdbStorage
from alejo.storage.store import SYSTEM, Row, Store
from alejo.storage.tables import API_KEYS, AUDIT, CHANGES, MEMORIES, MESSAGES, SESSIONS, Table
from alejo.types import Layer, Memory, Message, Role, Scope, Session, SessionState, Value

MASTER = bytes(range(32))
ME, YOU, NOBODY = Scope("local", "me"), Scope("local", "you"), Scope("local", "nobody")
NUMBERS = Table("number", int)
TABLES = sorted((table for table in vars(tables).values() if isinstance(table, Table)), key=lambda table: table.name)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[LmdbStorage]:
    opened = LmdbStorage.open(tmp_path / "records", map_size=1 << 26, max_size=1 << 28)
    yield opened
    await opened.close()


def store_over(storage: LmdbStorage, *, users: int = 100, retire_bits: int = 26) -> Store:
    return Store(storage, Keyring(MASTER, retire_bits=retire_bits), users=users)


def message(number: int, text: str = "My dog is called Luna.") -> Message:
    return Message(f"{number:032x}", "b" * 32, number, Role.USER, text, 1_000 + number, 2_000, metadata={"a": "é"})


def memory(number: int, text: str = "Her dog is called Luna.") -> Memory:
    return Memory(f"{number:032x}", Layer.SEMANTIC, "fact", text, 1_000 + number, 2_000)


def key_of(number: int) -> bytes:
    return number.to_bytes(8, "big")


async def put(store: Store, scope: Scope, table: Table[Any], rows: dict[bytes, Any]) -> int:
    writer = await store.writer(scope)
    for key, value in rows.items():
        writer.put(table, key, value)
    return await writer.commit()


async def test_rows_come_back(storage: LmdbStorage) -> None:
    """A row is read as it was put, with the version of its commit, whatever its type."""
    store = store_over(storage)
    writer = await store.writer(ME)
    writer.put(MESSAGES, b"k", message(1))
    writer.put(NUMBERS, b"k", 7)
    writer.put(tables.MEMORIES_BY_TIME, b"k", "é" * 32)
    version = await writer.commit()
    assert await store.get(ME, MESSAGES, b"k") == Row(b"k", message(1), version)
    assert await store.get(ME, NUMBERS, b"k") == (b"k", 7, version)
    assert await store.get(ME, tables.MEMORIES_BY_TIME, b"k") == (b"k", "é" * 32, version)
    assert await store.get(ME, MESSAGES, b"other") is None


async def test_many_rows_come_back(storage: LmdbStorage) -> None:
    """Many rows come in the order of their keys; what is gone or was altered is None, and hides none of the others."""
    store = store_over(storage)
    keys = [key_of(number) for number in range(5)]
    version = await put(store, ME, MESSAGES, {key: message(number) for number, key in enumerate(keys[:4])})
    rows = [Row(key, message(number), version) for number, key in enumerate(keys[:4])]
    assert await store.many(ME, MESSAGES, [keys[2], keys[4], keys[0], keys[2]]) == [rows[2], None, rows[0], rows[2]]
    assert await store.many(ME, MESSAGES, []) == []
    assert await store.many(NOBODY, MESSAGES, keys[:2]) == [None, None]
    await storage.commit([Put(MESSAGES.name, Keyring(MASTER).prefix(ME) + keys[1], b"altered")])
    assert await store.many(ME, MESSAGES, keys) == [rows[0], None, *rows[2:], None]
    assert await store.sound(ME, MESSAGES, keys[1]) is None
    assert store.refused == 2


async def test_scans_run_in_key_order(storage: LmdbStorage) -> None:
    """A scan gives the rows below a prefix, in either order, beyond a key, up to its limit; keys lack the scope."""
    store = store_over(storage)
    rows = {b"a" + key_of(number): message(number) for number in range(10)}
    await put(store, ME, MESSAGES, rows | {b"b": message(99)})
    await put(store, YOU, MESSAGES, {b"a" + key_of(5): message(55)})

    async def seqs(**how: Any) -> list[int]:
        return [row.value.seq for row in await store.scan(ME, MESSAGES, b"a", **how)]

    assert await seqs() == list(range(10))
    assert await seqs(limit=3) == [0, 1, 2]
    assert await seqs(after=b"a" + key_of(7)) == [8, 9]
    assert await seqs(after=b"a" + key_of(2), reverse=True) == [1, 0]
    assert await seqs(reverse=True, limit=2) == [9, 8]
    assert [row.key for row in await store.scan(ME, MESSAGES)] == [*rows, b"b"]


async def test_appended_rows_open(storage: LmdbStorage) -> None:
    """Rows whose keys only the commit knows are sealed for those keys and come back in order."""
    store = store_over(storage)
    for first in (0, 2):
        writer = await store.writer(ME)
        writer.append(CHANGES, tables.Change("put", str(first)))
        writer.append(AUDIT, tables.AuditEntry("act", str(first), 1), b"p")
        writer.append(CHANGES, tables.Change("put", str(first + 1)))
        sequence = await writer.commit()
    changes = await store.scan(ME, CHANGES)
    assert [row.value.memory_id for row in changes] == ["0", "1", "2", "3"]
    assert changes[-1].key == sequence.to_bytes(8, "big") + (2).to_bytes(2, "big")
    assert [row.value.subject for row in await store.scan(ME, AUDIT, b"p")] == ["0", "2"]


async def test_expectations_hold(storage: LmdbStorage) -> None:
    """A batch whose expectation fails is a Conflict and leaves nothing; a delete removes the row."""
    store = store_over(storage)
    version = await put(store, ME, SESSIONS, {b"s": Session("s", SessionState.CREATED, 1, 1)})
    for wrong in (None, version + 1):
        writer = await store.writer(ME)
        writer.put(MESSAGES, b"k", message(1))
        writer.expect(SESSIONS, b"s", wrong)
        with pytest.raises(Conflict):
            await writer.commit()
    assert await store.get(ME, MESSAGES, b"k") is None
    writer = await store.writer(ME)
    writer.expect(SESSIONS, b"s", version)
    writer.delete(SESSIONS, b"s")
    await writer.commit()
    assert await store.get(ME, SESSIONS, b"s") is None


async def test_users_do_not_meet(storage: LmdbStorage) -> None:
    """The same table and key are another row for each user, for a user of another tenant, and for the system."""
    store = store_over(storage)
    scopes = [ME, YOU, Scope("else", "me"), SYSTEM]
    for number, scope in enumerate(scopes):
        await put(store, scope, MESSAGES, {b"k": message(number)})
    for number, scope in enumerate(scopes):
        assert [row.value.seq for row in await store.scan(scope, MESSAGES)] == [number]


async def test_a_stranger_has_nothing(storage: LmdbStorage) -> None:
    """A user who never wrote reads nothing, and reading leaves nothing behind."""
    store = store_over(storage)
    assert await store.get(NOBODY, MESSAGES, b"k") is None
    assert await store.scan(NOBODY, MESSAGES) == []
    assert await storage.scan(DATA_KEYS, b"") == []


async def test_the_first_writers_agree_on_a_key(storage: LmdbStorage) -> None:
    """Twenty first writers in four stores at once make one data key, and everyone reads everything."""
    stores = [store_over(storage) for _ in range(4)]
    await asyncio.gather(
        *(put(stores[number % 4], ME, MESSAGES, {key_of(number): message(number)}) for number in range(20))
    )
    assert len(await storage.scan(DATA_KEYS, b"")) == 1
    for store in stores:
        assert [row.value.seq for row in await store.scan(ME, MESSAGES)] == list(range(20))


async def test_keys_are_renewed(storage: LmdbStorage) -> None:
    """Keys that retire are followed by new ones; all their rows stay readable, also to who knew the first key only."""
    early, store = store_over(storage), store_over(storage, retire_bits=1)
    await put(early, ME, MESSAGES, {key_of(0): message(0)})
    for number in range(1, 60):
        await put(store, ME, MESSAGES, {key_of(number): message(number)})
    assert len(await storage.scan(DATA_KEYS, b"")) > 3
    for reader in (early, store, store_over(storage)):
        assert [row.value.seq for row in await reader.scan(ME, MESSAGES)] == list(range(60))
        assert reader.refused == 0


async def test_few_users_are_kept_ready(storage: LmdbStorage) -> None:
    """A store that keeps two users' keys at hand serves ten all the same."""
    store = store_over(storage, users=2)
    for number in range(10):
        await put(store, Scope("local", str(number)), MESSAGES, {b"k": message(number)})
    for number in range(10):
        row = await store.get(Scope("local", str(number)), MESSAGES, b"k")
        assert row is not None
        assert row.value.seq == number


async def fill(store: Store, numbers: typing.Iterator[int], size: int) -> None:
    for number in numbers:
        await put(store, ME, MESSAGES, {key_of(number): message(number, "x" * size)})


async def test_a_full_disk_lets_go(tmp_path: Path) -> None:
    """When there is no room, not even for the next data key, a user can still read and delete."""
    storage = LmdbStorage.open(tmp_path / "small", map_size=1 << 20, max_size=1 << 20)
    store = store_over(storage, retire_bits=1)
    numbers = itertools.count()
    for size in (50_000, 2_000, *(1 for _ in range(30))):  # each attempt asks for a new data key by a chance of 1/2
        with pytest.raises(StorageFull):
            await fill(store, numbers, size)
    with pytest.raises(StorageFull):
        await store.writer(YOU)
    rows = await store.scan(ME, MESSAGES, limit=10_000)
    assert len(rows) > 10
    for row in rows:
        writer = await store.writer(ME)
        writer.delete(MESSAGES, row.key)
        await writer.commit()
    assert await store.scan(ME, MESSAGES) == []
    await storage.close()


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a row's type."""
    arguments = typing.get_args(hint)
    match typing.get_origin(hint) or hint:
        case typing.Annotated:
            bound = next((each for each in hint.__metadata__ if isinstance(each, msgspec.Meta)), msgspec.Meta())
            return st.floats(bound.ge, bound.le) if arguments[0] is float and bound.le is not None else of(arguments[0])
        case typing.Union | types.UnionType:
            return st.one_of(*map(of, arguments))
        case builtin if builtin is dict:
            return st.dictionaries(of(arguments[0]), of(arguments[1]), max_size=4)
        case builtin if builtin is tuple:
            return st.lists(of(arguments[0]), max_size=3).map(tuple)
        case plain if plain in SIMPLE:
            return SIMPLE[plain]
        case kind if issubclass(kind, enum.Enum):
            return st.sampled_from(kind)
        case kind:
            assert issubclass(kind, Value)
            hints = typing.get_type_hints(kind, include_extras=True)
            return st.builds(kind, **{name: of(hints[name]) for name in kind.__struct_fields__})


SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    bytes: st.binary(),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False),
    type(None): st.none(),
}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator[tuple[asyncio.Runner, Store]]:
    """A store with a loop of its own, as one test function has many examples."""
    with asyncio.Runner() as runner:

        async def opened() -> LmdbStorage:
            return LmdbStorage.open(tmp_path_factory.mktemp("all") / "records", map_size=1 << 26, max_size=1 << 28)

        store = store_over(runner.run(opened()))
        yield runner, store
        runner.run(store.close())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_row_comes_back(everything: tuple[asyncio.Runner, Store], table: Table[Any]) -> None:
    """Any value of any table's row type is read exactly as it was put."""
    runner, store = everything

    @settings(max_examples=25, deadline=None)
    @given(st.binary(min_size=1, max_size=60), of(table.row))
    def comes_back(key: bytes, value: Any) -> None:
        async def there_and_back() -> Row[Any] | None:
            await put(store, ME, table, {key: value})
            return await store.get(ME, table, key)

        row = runner.run(there_and_back())
        assert row is not None
        assert (row.key, row.value) == (key, value)

    comes_back()


async def test_altered_records_are_refused(storage: LmdbStorage) -> None:
    """Of 1,000 records with a flipped bit, cut, lengthened or put in another's place, 1,000 are refused and counted.

    Swaps are between users, tenants, tables, keys and data keys; before it, each was readable.
    """
    chance = random.Random(2)
    scopes = [ME, YOU, Scope("else", "me")]
    writers = {scope: store_over(storage, retire_bits=3) for scope in scopes}
    places: list[tuple[Scope, Table[Any], bytes]] = []
    for number in range(100):
        for scope, store in writers.items():
            await put(store, scope, MESSAGES, {key_of(number): message(number)})
            await put(store, scope, MEMORIES, {key_of(number): memory(number)})
            places += [(scope, MESSAGES, key_of(number)), (scope, MEMORIES, key_of(number))]
    store = store_over(storage)
    keyring = Keyring(MASTER)
    sealed = {}
    for scope, table, key in places:
        assert await store.get(scope, table, key) is not None
        record = await storage.get(table.name, keyring.prefix(scope) + key)
        assert record is not None
        sealed[scope, table.name, key] = record.value

    refused = 0
    for _ in range(10):
        targets = chance.sample(places, 100)
        altered = {}
        for scope, table, key in targets:
            value = sealed[scope, table.name, key]
            another = sealed[scope, table.name, chance.choice([k for k in map(key_of, range(100)) if k != key])]
            other_table = MEMORIES if table is MESSAGES else MESSAGES
            other_scope = chance.choice([other for other in scopes if other != scope])
            at = chance.randrange(len(value))
            altered[scope, table.name, key] = chance.choice(
                [
                    value[:at] + bytes((value[at] ^ 1 << chance.randrange(8),)) + value[at + 1 :],
                    value[:at],
                    value + b"\0",
                    another,
                    sealed[scope, other_table.name, key],
                    sealed[other_scope, table.name, key],
                    _other_header(value, [v for (s, _, _), v in sealed.items() if s == scope]),
                ]
            )
        await storage.commit([Put(name, keyring.prefix(scope) + key, v) for (scope, name, key), v in altered.items()])
        for scope, table, key in targets:
            with pytest.raises(DataLoss) as caught:
                await store.get(scope, table, key)
            assert str(caught.value) == "A stored record was altered or cannot be opened, so it was not used."
            refused += 1
            assert store.refused == refused
        with pytest.raises(DataLoss):
            await store.scan(targets[0][0], targets[0][1], limit=1_000)
        refused += 1
        await storage.commit(
            [
                Put(table.name, keyring.prefix(scope) + key, sealed[scope, table.name, key])
                for scope, table, key in targets
            ]
        )
    assert refused == 1_010


def _other_header(value: bytes, all_sealed: list[bytes]) -> bytes:
    """The value under the header of another data key of the same user."""
    header = next(other[:HEADER_BYTES] for other in all_sealed if other[:HEADER_BYTES] != value[:HEADER_BYTES])
    return header + value[HEADER_BYTES:]


async def test_a_row_of_another_shape_is_refused(storage: LmdbStorage) -> None:
    """A record that opens but does not hold what its table says is refused."""
    store = store_over(storage)
    await put(store, ME, Table("message", int), {b"k": 7})
    with pytest.raises(DataLoss):
        await store_over(storage).get(ME, MESSAGES, b"k")


async def test_rows_of_later_versions_open(storage: LmdbStorage) -> None:
    """A row with fields added at its end is read, without them; one from before a field takes the default."""

    class Later(tables.Change, frozen=True):
        why: str = "because"

    later: Table[Later] = Table("change", Later)
    store, other = store_over(storage), store_over(storage)
    await put(store, ME, later, {b"k": Later("put", "m", "new")})
    row = await other.get(ME, CHANGES, b"k")
    assert row is not None
    assert row.value == tables.Change("put", "m")
    await put(other, ME, CHANGES, {b"k": tables.Change("put", "m")})
    old = await store.get(ME, later, b"k")
    assert old is not None
    assert old.value.why == "because"


async def test_an_altered_data_key_is_refused(storage: LmdbStorage) -> None:
    """A user whose data key was altered, or replaced by another user's, is refused: no read, no write, no new key."""
    store = store_over(storage)
    await put(store, ME, MESSAGES, {b"k": message(1)})
    await put(store, YOU, MESSAGES, {b"k": message(2)})
    keyring = Keyring(MASTER)
    mine, yours = (data_key_row(keyring.prefix(scope), 1) for scope in (ME, YOU))
    wrapped = await storage.get(DATA_KEYS, mine)
    foreign = await storage.get(DATA_KEYS, yours)
    assert wrapped is not None
    assert foreign is not None
    for value in (foreign.value, wrapped.value[:-1] + bytes((wrapped.value[-1] ^ 1,)), b""):
        await storage.commit([Put(DATA_KEYS, mine, value)])
        fresh = store_over(storage)
        with pytest.raises(DataLoss):
            await fresh.get(ME, MESSAGES, b"k")
        with pytest.raises(DataLoss):
            await fresh.writer(ME)
        assert fresh.refused == 2
        assert await fresh.get(YOU, MESSAGES, b"k") is not None
    assert len(await storage.scan(DATA_KEYS, b"")) == 2


async def test_without_their_data_key_records_are_gone(storage: LmdbStorage) -> None:
    """Erasing a user's data key makes their records unreadable for good, and nobody else's."""
    store = store_over(storage)
    await put(store, ME, MESSAGES, {b"k": message(1)})
    await put(store, YOU, MESSAGES, {b"k": message(2)})
    await storage.commit([Delete(DATA_KEYS, data_key_row(Keyring(MASTER).prefix(ME), 1))])
    store = store_over(storage)
    assert await store.get(ME, MESSAGES, b"k") is None
    assert await store.scan(ME, MESSAGES) == []
    await put(store, ME, MESSAGES, {b"new": message(3)})
    with pytest.raises(DataLoss):
        await store.get(ME, MESSAGES, b"k")
    assert (await store.get(ME, MESSAGES, b"new")) is not None
    assert (await store.get(YOU, MESSAGES, b"k")) is not None


async def test_another_master_key_reads_nothing(storage: LmdbStorage) -> None:
    """With another master key the same user has no records at all: not even their place is known."""
    await put(store_over(storage), ME, MESSAGES, {b"k": message(1)})
    stranger = Store(storage, Keyring(MASTER[::-1]))
    assert await stranger.get(ME, MESSAGES, b"k") is None


async def test_no_word_is_readable_in_any_file(storage: LmdbStorage, tmp_path: Path) -> None:
    """Of 100 planted words in every kind of row, and of the names of users, none stands in any file in any encoding."""
    store = store_over(storage)
    canaries = [f"canary-{random.Random(number).getrandbits(64):016x}-é" for number in range(100)]
    scope = Scope(canaries[0], canaries[1])
    for number in range(2, 100, 4):
        first, second, third, fourth = canaries[number : number + 4] if number < 98 else [*canaries[98:], "", ""]
        writer = await store.writer(scope)
        writer.put(MESSAGES, key_of(number), message(number, first * 20))
        writer.put(MEMORIES, key_of(number), memory(number, second))
        writer.put(SESSIONS, key_of(number), Session("s", SessionState.ACTIVE, 1, 1, title=third))
        writer.append(AUDIT, tables.AuditEntry(fourth, "s", 1))
        await writer.commit()
        system = await store.writer(SYSTEM)
        system.put(API_KEYS, key_of(number), tables.ApiKey("k", first, scope.tenant, scope.user, b"", 1))
        await system.commit()
    await storage.close()
    content = all_bytes(tmp_path)
    assert len(content) > 50_000
    assert [canary for canary in canaries if readable(canary, content)] == []
    for planted in (
        canaries[7].encode(),
        canaries[7].encode("utf-16-be"),
        base64.b64encode(b"xy" + canaries[7].encode()),
    ):
        assert readable(canaries[7], content + planted)


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def readable(word: str, content: bytes) -> bool:
    """Whether it stands there in UTF-8, UTF-16, or in the base64 of anything that holds it."""
    plain = word.encode()
    forms = {plain, word.encode("utf-16-le"), word.encode("utf-16-be"), msgspec.json.encode(word)[1:-1]}
    for shift in range(3):
        # Base64 turns 3 bytes into 4 characters: those whose bits all lie in the word are the same in any surroundings.
        whole = plain[shift:]
        forms.add(base64.b64encode(whole[: len(whole) // 3 * 3]))
    return any(form in content for form in forms)
