"""From a record of writes and syncs, the files a power cut could leave; one process checks each."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import struct
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from alejo.storage import Put
from alejo.storage.lmdb import LmdbStorage

HEAD = struct.Struct("=IIQQ")
WRITE, SYNC, TRUNCATE, ACK, MSYNC, LINK = range(1, 7)
SECTOR = 512
KINDS = ("none", "all", "some", "torn")
SECONDS = 20
VERDICTS = {0: "ok", 10: "lost", 11: "wrong", 12: "unopenable", 13: "unwritable"}
State = dict[tuple[str, bytes], tuple[int, bytes]]


class Event(NamedTuple):
    """One call that reached the file, or an acknowledgement."""

    kind: int
    durable: bool
    offset: int
    data: bytes


class Cut(NamedTuple):
    """A power cut: what was durable, what was on its way, and the last sequence number acknowledged."""

    durable: bytearray
    pending: list[Event]
    acknowledged: int


def read(record: bytes) -> Iterator[Event]:
    """The events of a record."""
    at = 0
    while at < len(record):
        kind, durable, offset, length = HEAD.unpack_from(record, at)
        at += HEAD.size
        yield Event(kind, bool(durable), offset, record[at : at + length])
        at += length


def cuts(events: list[Event]) -> Iterator[Cut]:
    """A cut during each write, before each sync is done, and after each acknowledgement; valid until the next."""
    durable, pending, acknowledged = bytearray(), list[Event](), 0
    named = all(event.kind != LINK for event in events)
    for event in events:
        if event.kind == MSYNC:
            raise AssertionError("the file is written through a map, which the record does not see")
        named = named or event.kind == LINK
        if event.kind == ACK:
            acknowledged = max(acknowledged, int.from_bytes(event.data, "big"))
            yield Cut(durable, pending, acknowledged)
            continue
        if event.kind not in {SYNC, LINK}:
            pending.append(event)
        yield Cut(durable, pending, acknowledged) if named else Cut(bytearray(), [], acknowledged)
        if event.kind == SYNC:
            for earlier in pending:
                apply(durable, earlier)
            pending = []
        elif event.durable:
            apply(durable, pending.pop())


def apply(image: bytearray, event: Event) -> None:
    """Does to the image what the call did to the file."""
    if event.kind == TRUNCATE:
        image[event.offset :] = bytes(max(event.offset - len(image), 0))
        return
    end = event.offset + len(event.data)
    if len(image) < end:
        image.extend(bytes(end - len(image)))
    image[event.offset : end] = event.data


def build(cut: Cut, variant: int, rng: random.Random) -> bytes:
    """What a disk may hold after the cut: of what was on its way nothing, all, some of the writes, some sectors."""
    image = bytearray(cut.durable)
    for event in cut.pending:
        if variant == 1 or (variant > 1 and variant % 2 == 0 and rng.random() < 0.5):
            apply(image, event)
        elif variant > 1 and variant % 2 == 1:
            for at in range(0, len(event.data), SECTOR):
                if rng.random() < 0.5:
                    apply(image, Event(WRITE, False, event.offset + at, event.data[at : at + SECTOR]))
    return bytes(image)


def images(events: list[Event], wanted: int, seed: str) -> Iterator[tuple[str, bytes, int]]:
    """About `wanted` different images, if there are as many: how each was made, the file, what was acknowledged."""
    seen: set[bytes] = set()
    stride = max(1, 4 * sum(1 for _ in cuts(events)) // wanted)
    for variant in itertools.count():
        before = len(seen)
        for place, cut in enumerate(cuts(events)):
            if place % stride or (variant >= 4 and len(seen) >= wanted):
                continue
            image = build(cut, variant, random.Random(f"{seed} {place} {variant}"))
            digest = hashlib.sha256(image + cut.acknowledged.to_bytes(8, "big")).digest()
            if digest not in seen:
                seen.add(digest)
                yield KINDS[variant] if variant < 4 else KINDS[2 + variant % 2], image, cut.acknowledged
        if variant >= 4 and len(seen) == before:
            return


def states(history: list[Any]) -> list[State]:
    """What the storage holds after each sequence number, from 0 on."""
    every: list[State] = [{}]
    for place, (sequence, rows) in enumerate(history, 1):
        assert sequence == place, "sequence numbers have a gap"
        state = dict(every[-1])
        for table, key, value in rows:
            if value is None:
                state.pop((table, bytes.fromhex(key)), None)
            else:
                state[table, bytes.fromhex(key)] = (sequence, bytes.fromhex(value))
        every.append(state)
    return every


async def judge(folder: Path, acknowledged: int, every: list[State], *, write: bool) -> int:
    """Opens an image as the server would: 0, or the number of a verdict."""
    try:
        storage = LmdbStorage.open(folder, map_size=1 << 20, max_size=1 << 26)
    except Exception:  # noqa: BLE001  # every way not to open is the same verdict
        return 12
    rows = {
        (table, record.key): (record.version, record.value)
        for table in sorted({table for state in every for table, _ in state})
        for record in await storage.scan(table, b"", limit=1 << 30)
    }
    # Each batch appends a row, so that the newest version tells which state it claims to be.
    sequence = max((version for version, _ in rows.values()), default=0)
    if sequence < acknowledged:
        return 10
    if sequence >= len(every) or rows != every[sequence]:
        return 11
    if write:
        try:
            if await storage.commit([Put("t", b"after", b"")]) != sequence + 1:
                return 13
        except Exception:  # noqa: BLE001  # every way not to write is the same verdict
            return 13
    return 0


def verdict(folder: Path, image: bytes, acknowledged: int, every: list[State], *, write: bool) -> str:
    """Judges one image in a process of its own, which it may kill."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if image:
        (folder / "data.mdb").write_bytes(image)
    return in_a_child(lambda: judge(folder, acknowledged, every, write=write))


def in_a_child(work: Callable[[], Coroutine[Any, Any, int]]) -> str:
    """The verdict that `work` comes to in a process of its own; or the signal that ended that."""
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # LMDB's assertions and Python's reports
        signal.alarm(SECONDS)
        code = 12
        try:
            code = asyncio.run(work())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return VERDICTS[os.WEXITSTATUS(status)]


def main() -> None:
    """Arguments: the record, the history, a folder to build in, how many images, a seed. Prints verdicts as JSON."""
    record, history, folder, wanted, seed = sys.argv[1:]
    told = json.loads(Path(history).read_text())
    every = states(told["history"])
    events = list(read(Path(record).read_bytes()))
    counted: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for made, (kind, image, acknowledged) in enumerate(images(events, int(wanted), seed)):
        counted[verdict(Path(folder), image, acknowledged, every, write=made % 10 == 0)] += 1
        kinds[kind] += 1
    print(
        json.dumps(
            {
                "verdicts": counted,
                "kinds": kinds,
                "acknowledged": sum(event.kind == ACK for event in events),
                "syncs": sum(event.kind == SYNC or (event.kind == WRITE and event.durable) for event in events),
                "stats": told["stats"],
            }
        )
    )


if __name__ == "__main__":
    main()
