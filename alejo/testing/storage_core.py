"""The core level: what every storage backend holds, in one process."""

from __future__ import annotations

import asyncio

from alejo.errors import Conflict, Unavailable
from alejo.storage import Append, Delete, Expect, Operation, Put, Record, Storage

from .conformance import core, fill, keys_of, raises, same


@core
async def put_then_get(storage: Storage) -> None:
    """A record is got as it was put, with its commit's sequence as version."""
    value = bytes(range(256)) * 20
    sequence = await storage.commit([Put("t", b"k", value), Put("t", b"empty", b"")])
    same(await storage.get("t", b"k"), Record(b"k", value, sequence))
    same(await storage.get("t", b"empty"), Record(b"empty", b"", sequence))


@core
async def absent_is_none(storage: Storage) -> None:
    """What was never put is None, and scans of it are empty."""
    same(await storage.get("t", b"k"), None)
    same(await storage.scan("t", b""), [])
    same(await storage.scan("t", b"", reverse=True), [])


@core
async def many_are_got_in_their_order(storage: Storage) -> None:
    """Many records are got as they are asked for, and None where there is none."""
    sequence = await storage.commit([Put("t", b"a", b"1"), Put("t", b"b", b"2"), Put("other", b"c", b"3")])
    one, two = Record(b"a", b"1", sequence), Record(b"b", b"2", sequence)
    same(await storage.many("t", [b"b", b"c", b"a", b"b"]), [two, None, one, two])
    same(await storage.many("t", []), [])


@core
async def overwriting_changes_version(storage: Storage) -> None:
    """A second put replaces the value and the version; others keep theirs."""
    first = await storage.commit([Put("t", b"a", b"1"), Put("t", b"b", b"1")])
    second = await storage.commit([Put("t", b"a", b"2")])
    same(await storage.scan("t", b""), [Record(b"a", b"2", second), Record(b"b", b"1", first)])


@core
async def delete_removes(storage: Storage) -> None:
    """A deleted record is gone from get and scan; deleting nothing is no error."""
    await fill(storage, [b"a", b"b", b"c"])
    await storage.commit([Delete("t", b"b"), Delete("t", b"never")])
    same(await storage.get("t", b"b"), None)
    same(await keys_of(storage), [b"a", b"c"])


@core
async def last_operation_wins(storage: Storage) -> None:
    """Operations of a batch are applied in their order."""
    await storage.commit([Put("t", b"a", b"1"), Delete("t", b"a"), Put("t", b"a", b"2"), Put("t", b"b", b"1")])
    await storage.commit([Put("t", b"b", b"2"), Delete("t", b"b")])
    record = await storage.get("t", b"a")
    same(record and record.value, b"2")
    same(await storage.get("t", b"b"), None)


@core
async def sequence_rises(storage: Storage) -> None:
    """Each commit returns a greater sequence number, from 1 on."""
    numbers = [await storage.commit([Put("t", b"k", b"")]) for _ in range(5)]
    numbers.append(await storage.commit([Delete("t", b"k")]))
    same(numbers, sorted(set(numbers)))
    same(numbers[0] > 0, True)


@core
async def tables_are_apart(storage: Storage) -> None:
    """The same key in two tables is two records, also where a name and a key run together."""
    await storage.commit(
        [Put("a", b"bc", b"1"), Put("ab", b"c", b"2"), Put("a_", b"\0c", b"3"), Put("a", b"_\0c", b"4")]
    )
    for table, key, value in [("a", b"bc", b"1"), ("ab", b"c", b"2"), ("a_", b"\0c", b"3"), ("a", b"_\0c", b"4")]:
        record = await storage.get(table, key)
        same(record and record.value, value)
    same(await keys_of(storage, table="a"), [b"_\0c", b"bc"])
    same(await keys_of(storage, table="ab"), [b"c"])
    same(await keys_of(storage, table="a", reverse=True), [b"bc", b"_\0c"])


@core
async def keys_sort_as_bytes(storage: Storage) -> None:
    """Scans are in the order of bytes, whatever order they were put in."""
    keys = [b"\0", b"\0\0", b"\0\1", b"\1", b"A", b"a", b"a\0", b"a\xff", b"b", b"\x7f", b"\x80", b"\xff", b"\xff\xff"]
    await fill(storage, keys[::-1])
    same(await keys_of(storage), sorted(keys))
    same(await keys_of(storage, reverse=True), sorted(keys, reverse=True))


@core
async def longest_key(storage: Storage) -> None:
    """Keys of 1 to 400 bytes and table names of 32 letters work."""
    table, key = "T" * 32, b"\xff" * 400
    await storage.commit([Put(table, key, b"1"), Put(table, key[:-1], b"2")])
    record = await storage.get(table, key)
    same(record and record.value, b"1")
    same(await keys_of(storage, key[:-1], table), [key[:-1], key])
    same(await keys_of(storage, key, table, reverse=True), [key])
    same(await keys_of(storage, table=table, after=key), [])


@core
async def wrong_keys_are_refused(storage: Storage) -> None:
    """A key of no byte or of more than 400, and a table that is no name, are refused; nothing is kept."""
    for operation in [Put("t", b"", b""), Put("t", b"k" * 401, b""), Put("", b"k", b""), Put("a b", b"k", b"")]:
        await raises(ValueError, storage.commit([Put("t", b"other", b""), operation]))
    same(await storage.scan("t", b""), [])


@core
async def prefix_bounds(storage: Storage) -> None:
    """A prefix matches itself and what begins with it, also where it ends with 0xff."""
    keys = [b"a", b"a\xff", b"a\xff\0", b"a\xff\xff", b"a\xff\xffz", b"b", b"\xff", b"\xff\xff", b"\xff\xffz"]
    await fill(storage, keys)
    await fill(storage, [b"a\xff", b"\xff"], "u")  # the table behind
    for prefix in [b"", b"a", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff", b"\xff\xff\xff", b"c", b"\0"]:
        wanted = sorted(key for key in keys if key.startswith(prefix))
        same(await keys_of(storage, prefix), wanted)
        same(await keys_of(storage, prefix, reverse=True), wanted[::-1])


@core
async def after_excludes(storage: Storage) -> None:
    """`after` is left out in both directions, there or not, and may lie outside the prefix."""
    keys = [b"p%d" % number for number in range(10)]
    await fill(storage, [b"o", *keys, b"q"])
    for after in [b"p0", b"p3", b"p3x", b"p9", b"p", b"a", b"o", b"q", b"z", b"\xff\xff"]:
        rising, falling = [key for key in keys if key > after], [key for key in keys[::-1] if key < after]
        same(await keys_of(storage, b"p", after=after), rising)
        same(await keys_of(storage, b"p", after=after, reverse=True), falling)
        same(await keys_of(storage, b"p", after=after, limit=2), rising[:2])
        same(await keys_of(storage, b"p", after=after, limit=2, reverse=True), falling[:2])


@core
async def limits(storage: Storage) -> None:
    """A scan gives at most `limit` records, 100 if not said; none for 0."""
    keys = [number.to_bytes(2, "big") for number in range(250)]
    await fill(storage, keys)
    same(await keys_of(storage), keys[:100])
    same(await keys_of(storage, limit=1000), keys)
    same(await keys_of(storage, limit=1, reverse=True), keys[-1:])
    same(await keys_of(storage, limit=0), [])


@core
async def pages_join(storage: Storage) -> None:
    """Pages made with `after` give every record once, in both directions."""
    keys = [number.to_bytes(2, "big") for number in range(1, 101)]
    await fill(storage, keys)
    for reverse in (False, True):
        seen: list[bytes] = []
        for _ in range(15):
            seen += await keys_of(storage, after=seen[-1] if seen else b"", limit=7, reverse=reverse)
        same(seen, keys[::-1] if reverse else keys)


@core
async def expect_version(storage: Storage) -> None:
    """Expect passes on the record's version only; None means absent."""
    sequence = await storage.commit([Expect("t", b"k", None), Put("t", b"k", b"1")])
    for wrong in (None, sequence + 1, sequence - 1, 0):
        await raises(Conflict, storage.commit([Expect("t", b"k", wrong), Put("t", b"k", b"2")]))
    await raises(Conflict, storage.commit([Expect("t", b"absent", sequence), Put("t", b"k", b"2")]))
    same(await storage.get("t", b"k"), Record(b"k", b"1", sequence))
    await storage.commit([Expect("t", b"k", sequence), Put("t", b"k", b"2")])
    await raises(Conflict, storage.commit([Expect("t", b"k", sequence), Put("t", b"k", b"3")]))
    await storage.commit([Delete("t", b"k")])
    await storage.commit([Expect("t", b"k", None), Put("t", b"k", b"4")])


@core
async def expect_sees_its_batch(storage: Storage) -> None:
    """Expect sees what earlier operations of the batch did, and not what later ones do."""
    first = await storage.commit([Put("t", b"k", b"1")])
    await raises(Conflict, storage.commit([Put("t", b"k", b"2"), Expect("t", b"k", first)]))
    await raises(Conflict, storage.commit([Delete("t", b"k"), Expect("t", b"k", first)]))
    await storage.commit([Expect("t", b"k", first), Delete("t", b"k"), Expect("t", b"k", None), Put("t", b"k", b"2")])
    await raises(Conflict, storage.commit([Put("t", b"new", b""), Expect("t", b"new", None)]))
    same(await storage.get("t", b"new"), None)


@core
async def all_or_nothing(storage: Storage) -> None:
    """A batch that conflicts at its end leaves nothing, whatever it began with."""
    sequence = await storage.commit([Put("t", b"a", b"1"), Put("t", b"b", b"1")])
    batch: list[Operation] = [
        Put("t", b"a", b"2"),
        Delete("t", b"b"),
        Put("t", b"c", b"2"),
        Append("log", b"", lambda key: b"2"),
        Expect("t", b"d", 7),
    ]
    await raises(Conflict, storage.commit(batch))
    same(await storage.scan("t", b""), [Record(b"a", b"1", sequence), Record(b"b", b"1", sequence)])
    same(await storage.scan("log", b""), [])


@core
async def append_keys(storage: Storage) -> None:
    """An appended row's key is prefix ‖ sequence ‖ place, `seal` is given it, and rows are in the order of commits."""
    sealed: list[bytes] = []

    def seal(key: bytes) -> bytes:
        sealed.append(key)
        return b"of " + key

    wanted = []
    for _ in range(3):
        batch: list[Operation] = [
            Append("log", b"p", seal),
            Put("t", b"k", b""),
            Append("log", b"p", seal),
            Append("log", b"q", seal),
        ]
        sequence = await storage.commit(batch)
        stamp = sequence.to_bytes(8, "big")
        wanted += [b"p" + stamp + b"\0\0", b"p" + stamp + b"\0\2"]
        same(await storage.get("log", wanted[-1]), Record(wanted[-1], b"of " + wanted[-1], sequence))
        same(await keys_of(storage, b"q", "log", limit=1, reverse=True), [b"q" + stamp + b"\0\3"])
    same(await keys_of(storage, b"p", "log"), wanted)
    same(set(sealed) >= set(wanted), True)


@core
async def failing_seal(storage: Storage) -> None:
    """When `seal` raises, the caller gets that error, nothing is kept, and the next commit works."""

    def refuse(key: bytes) -> bytes:
        raise LookupError("no key")

    await raises(LookupError, storage.commit([Put("t", b"a", b""), Append("log", b"", refuse), Put("t", b"b", b"")]))
    same(await storage.scan("t", b""), [])
    await fill(storage, [b"c"])
    same(await keys_of(storage), [b"c"])


@core
async def concurrent_commits(storage: Storage) -> None:
    """Of many at once each gets a number of its own; its records have it; one that conflicts fails alone."""
    await fill(storage, [b"taken"])

    async def one(number: int) -> int:
        key = b"%03d" % number
        if number % 10 == 9:
            await raises(Conflict, storage.commit([Put("t", key, b""), Expect("t", b"taken", None)]))
            return -number
        sequence = await storage.commit(
            [Expect("t", key, None), Put("t", key, key), Append("log", b"", lambda at: key)]
        )
        same(await storage.get("t", key), Record(key, key, sequence))
        return sequence

    numbers = await asyncio.gather(*(one(number) for number in range(200)))
    same(len(set(numbers)), 200)
    good = sorted(number for number in numbers if number > 0)
    same([record.version for record in await storage.scan("log", b"", limit=1000)], good)
    same(len(await storage.scan("t", b"", limit=1000)), 181)


@core
async def counters_do_not_lose(storage: Storage) -> None:
    """Read, expect, put, retried on Conflict, counts right under contention."""

    async def add() -> None:
        for _ in range(12):  # of 12 tasks one wins each time
            row = await storage.get("t", b"n")
            value = int(row.value) if row else 0
            expect = Expect("t", b"n", row.version if row else None)
            try:
                await storage.commit([expect, Put("t", b"n", b"%d" % (value + 1))])
            except Conflict:
                continue
            return
        raise AssertionError("every try was a conflict")

    await asyncio.gather(*(add() for _ in range(12)))
    row = await storage.get("t", b"n")
    same(row and row.value, b"12")


@core
async def scans_see_one_moment(storage: Storage) -> None:
    """A scan during commits shows each of them whole or not at all."""
    keys = [b"%02d" % number for number in range(40)]
    await fill(storage, keys)
    done = False

    async def write() -> None:
        for _ in range(30):
            await fill(storage, keys)

    async def read() -> None:
        while not done:
            same(len({record.version for record in await storage.scan("t", b"")}), 1)
            await asyncio.sleep(0)

    reader = asyncio.create_task(read())
    try:
        await write()
    finally:
        done = True
        await reader


@core
async def cancelled_waiters(storage: Storage) -> None:
    """A task cancelled while it waits harms no other; its batch is wholly there or not at all."""
    tasks = [
        asyncio.create_task(storage.commit([Put("t", b"%02d" % number, b""), Put("u", b"%02d" % number, b"")]))
        for number in range(40)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    same([number for number in results[1::2] if not isinstance(number, int)], [])
    await fill(storage, [b"last"])
    kept = await keys_of(storage)
    same(await keys_of(storage, table="u"), kept[:-1])
    same({b"%02d" % number for number in range(1, 40, 2)} <= set(kept), True)


@core
async def close_finishes(storage: Storage) -> None:
    """What was accepted before close succeeds; calls after it raise Unavailable; closing again does nothing."""
    tasks = [asyncio.create_task(storage.commit([Put("t", b"%02d" % number, b"")])) for number in range(20)]
    await asyncio.sleep(0)
    await storage.close()
    same([number for number in await asyncio.gather(*tasks) if number <= 0], [])
    await raises(Unavailable, storage.commit([Put("t", b"k", b"")]))
    await raises(Unavailable, storage.get("t", b"k"))
    await raises(Unavailable, storage.scan("t", b""))
    await storage.close()
