"""From a record of what was done to a folder, the folders a power cut could leave; each is opened and judged.

Nothing that was not synced need be there: of a file's content not, without a sync of the file; of names not, without
one of their folder. What is there may be any part of it. A rename is there whole or not at all.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import random
import shutil
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from images import in_a_child
from images import judge as records

from alejo.storage import Put
from alejo.storage.files import FilesStorage

HEAD = struct.Struct("=IIQIIQ")
OPEN, CREATE, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK, ACK, KEPT = range(1, 13)
NAMES = {CREATE, RENAME, UNLINK, MKDIR, RMDIR, LINK}
KINDS = ("none", "all", "some", "torn")
SECTOR = 512
TABLES = ("scope", "session", "message", "memory", "t", "log")
State = dict[tuple[str, bytes], tuple[int, bytes]]


class Event(NamedTuple):
    """A call that was done. A name is noted with the file it is of."""

    kind: int
    file: int
    offset: int
    a: str
    b: str
    data: bytes

    @property
    def folders(self) -> set[str]:
        """The folders whose sync makes it durable."""
        return {str(PurePosixPath(path).parent) for path in (self.a, self.b) if path}


class Disk:
    """What was done: durable, or on its way."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}  # as the process sees them; folders are 0
        self.durable: dict[str, int] = {}
        self.pending: list[Event] = []  # of names
        self.contents: dict[int, bytearray] = {}  # durable, by file
        self.writes: dict[int, list[Event]] = {}
        self.opened: dict[int, tuple[int, str]] = {}
        self.acknowledged = 0
        self._files = 0

    def take(self, event: Event) -> None:
        """Follows one call."""
        if event.kind == ACK:
            self.acknowledged = max(self.acknowledged, int.from_bytes(event.data, "big"))
        elif event.kind == CREATE:
            self._files += 1
            self.contents[self._files], self.writes[self._files] = bytearray(), []
            self.opened[event.file] = self._files, event.a
            self._name(event._replace(file=self._files))
        elif event.kind == OPEN:
            self.opened[event.file] = self.names.get(event.a, 0), event.a
        elif event.kind in {RENAME, LINK}:  # of a file, whatever its other names come to
            self._name(event._replace(file=self.names[event.a]))
        elif event.kind in NAMES:
            self._name(event)
        else:
            file, path = self.opened[event.file]
            if event.kind == KEPT:
                write(self.contents[file], self.writes[file].pop())
            elif event.kind != SYNC:
                self.writes[file].append(event)
            elif file:
                for each in self.writes[file]:
                    write(self.contents[file], each)
                self.writes[file] = []
            else:
                self._sync_names(path or ".")

    def _name(self, event: Event) -> None:
        name(self.names, event)
        self.pending.append(event)

    def _sync_names(self, folder: str) -> None:
        for event in [event for event in self.pending if folder in event.folders]:
            if name(self.durable, event):
                self.pending.remove(event)

    def image(self, variant: int, rng: random.Random) -> dict[str, bytes | None]:
        """What may be there after a cut now: files with their contents, folders with None."""
        some = variant > 1
        names = dict(self.durable)
        for event in self.pending:
            if variant == 1 or (some and rng.random() < 0.5):
                name(names, event)
        found: dict[str, bytes | None] = {}
        made: dict[int, bytes] = {}
        for path, file in names.items():
            if file and file not in made:
                made[file] = self._content(file, variant, rng)
            found[path] = made[file] if file else None
        return found

    def _content(self, file: int, variant: int, rng: random.Random) -> bytes:
        content = bytearray(self.contents[file])
        for event in self.writes[file]:
            if variant == 1 or (variant > 1 and variant % 2 == 0 and rng.random() < 0.5):
                write(content, event)
            elif variant > 1 and variant % 2 == 1:
                for at in range(0, len(event.data), SECTOR):
                    if rng.random() < 0.5:
                        write(content, event._replace(offset=event.offset + at, data=event.data[at : at + SECTOR]))
        return bytes(content)


def name(names: dict[str, int], event: Event) -> bool:
    """Does to names what a call did; False if the folder it was done in is not there."""
    parent = str(PurePosixPath(event.b or event.a).parent)
    if parent != "." and parent not in names and event.kind in {CREATE, RENAME, MKDIR, LINK}:
        return False
    if event.kind == CREATE:
        names[event.a] = event.file
    elif event.kind == MKDIR:
        names[event.a] = 0
    elif event.kind == RENAME:
        names.pop(event.a, None)
        names[event.b] = event.file
    elif event.kind == LINK:
        names[event.b] = event.file
    elif event.kind == UNLINK or not any(path.startswith(f"{event.a}/") for path in names):
        names.pop(event.a, None)
    return True


def write(content: bytearray, event: Event) -> None:
    """Does to a file what a call did."""
    if event.kind == TRUNCATE:
        content[event.offset :] = bytes(max(event.offset - len(content), 0))
        return
    content.extend(bytes(max(event.offset + len(event.data) - len(content), 0)))
    content[event.offset : event.offset + len(event.data)] = event.data


def read(record: bytes) -> Iterator[Event]:
    """The events of a record."""
    at = 0
    while at < len(record):
        kind, file, offset, a, b, size = HEAD.unpack_from(record, at)
        at += HEAD.size
        paths = record[at : at + a].decode(), record[at + a : at + a + b].decode()
        at += a + b
        yield Event(kind, file, offset, *paths, record[at : at + size])
        at += size


def images(events: list[Event], wanted: int, seed: str) -> Iterator[tuple[str, dict[str, bytes | None], int]]:
    """About `wanted` different images: how each was made, the folder, what was acknowledged."""
    seen: set[bytes] = set()
    stride = max(1, 4 * len(events) // wanted)
    for variant in itertools.count():
        before, disk = len(seen), Disk()
        for place, event in enumerate(events):
            disk.take(event)
            if place % stride != variant % stride or len(seen) >= wanted:
                continue
            image = disk.image(variant, random.Random(f"{seed} {place} {variant}"))
            digest = hashlib.sha256(repr((sorted(image.items()), disk.acknowledged)).encode()).digest()
            if digest not in seen:
                seen.add(digest)
                yield KINDS[variant] if variant < 4 else KINDS[2 + variant % 2], image, disk.acknowledged
        if len(seen) >= wanted or (variant >= 4 and len(seen) == before):
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


async def held(storage: FilesStorage) -> State:
    """All records."""
    return {
        (table, record.key): (record.version, record.value)
        for table in TABLES
        for record in await storage.scan(table, b"", limit=1 << 30)
    }


async def judge(root: Path, acknowledged: int, every: list[State]) -> str:
    """Opens an image as the server would, writes to it, and opens it again."""
    try:
        storage = FilesStorage.open(root)
        found = await held(storage)
        sequence = max((version for version, _ in found.values()), default=0)
        if sequence < acknowledged:
            return "lost"
        if sequence >= len(every) or found != every[sequence] or storage.refused:
            return "wrong"
        files = sum(not name.endswith(".png") for _, _, names in os.walk(root / "users") for name in names)
        if files != sum(table in TABLES[:4] for table, _ in found):
            return "left over"
        if await storage.commit([Put("t", b"after", b"")]) != sequence + 1:
            return "unwritable"
        found = await held(storage)
        await storage.close()
        again = FilesStorage.open(root)
        same = await held(again) == found
        await again.close()
    except Exception as error:  # noqa: BLE001  # every way not to work is a verdict
        return f"{type(error).__name__}: {error}"
    return "ok" if same else "changed"


def build(root: Path, image: dict[str, bytes | None]) -> None:
    """Makes the folder of an image."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for path in sorted(filter(None, image)):
        content = image[path]
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)


def judged(root: Path, acknowledged: int, every: list[State], kind: str) -> str:
    """The verdict on an image of this kind of storage."""
    if kind == "files":
        return asyncio.run(judge(root, acknowledged, every))
    return in_a_child(lambda: records(root, acknowledged, every, write=True))


def main() -> None:
    """Arguments: the record, the history, a folder to build in, how many images, a seed, the kind of the storage.

    Prints verdicts as JSON.
    """
    record, history, folder, wanted, seed, storage = sys.argv[1:]
    os.fsync = os.fdatasync = lambda descriptor: None  # the images need not outlive a power cut themselves
    told = json.loads(Path(history).read_text())
    every = states(told["history"] if storage == "lmdb" else told)
    events = list(read(Path(record).read_bytes()))
    counted: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for kind, image, acknowledged in images(events, int(wanted), seed):
        build(Path(folder), image)
        counted[judged(Path(folder), acknowledged, every, storage)] += 1
        kinds[kind] += 1
    renames, syncs = (sum(event.kind == kind for event in events) for kind in (RENAME, SYNC))
    told = {"verdicts": counted, "kinds": kinds, "events": len(events), "commits": len(every) - 1}
    print(json.dumps(told | {"syncs": syncs, "renames": renames}))


if __name__ == "__main__":
    main()
