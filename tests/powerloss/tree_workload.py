"""Writes a seeded mix of batches to a folder of files under the recorder, and what each of them was to a file beside.

Arguments: the folder, the file for the history, "safe" or what is left out, batches, seed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import msgspec

from alejo.clock import FakeClock
from alejo.errors import Conflict
from alejo.ids import Ids
from alejo.storage import Append, Delete, Expect, Operation, Put
from alejo.storage.files import FilesStorage
from alejo.storage.journal import message_key
from alejo.types import Image, Layer, Memory, Message, Role, Scope, Session, SessionState

WORKERS = 3
PREFIX = bytes(range(32))
WORDS = ("tea", "coffee", "cat", "dog", "Zürich", "snow", "violin", "green", "red", "winter")
ENCODE = msgspec.msgpack.Encoder().encode


class Writer:
    """One of those who write at once, with records of its own."""

    def __init__(self, rng: random.Random, ids: Ids) -> None:
        self.rng = rng
        self.ids = ids
        self.memories: dict[str, int] = {}
        self.sessions: dict[str, int] = {}

    def memory(self, identifier: str) -> Operation:
        text = " ".join(self.rng.choices(WORDS, k=self.rng.choice((1, 5, 20))))
        layer = self.rng.choice(list(Layer))
        said = 1_600_000_000_000_000 + self.rng.randrange(10**15)
        made = Memory(identifier, layer, "note", text, said, said, pinned=self.rng.random() < 0.5)
        return Put("memory", PREFIX + bytes.fromhex(identifier), ENCODE(made))

    def speak(self, session: str) -> list[Operation]:
        count = self.sessions[session] = self.sessions.get(session, 0) + 1
        image = (Image(self.rng.randbytes(700), "image/png"),) if self.rng.random() < 0.3 else ()
        said = Message(self.ids.new(), session, count, Role.USER, self.rng.choice(WORDS), count, count, images=image)
        row = Session(session, SessionState.ACTIVE, 1, count, "Tea", "", count)
        return [
            Put("session", PREFIX + bytes.fromhex(session), ENCODE(row)),
            Put("message", PREFIX + message_key(session, count, count), ENCODE(said)),
        ]

    def compose(self) -> list[Operation]:
        """A batch."""
        batch: list[Operation] = []
        for _ in range(self.rng.randint(1, 3)):
            known, kind = sorted(self.memories), self.rng.random()
            if kind < 0.3 or not known:
                batch.append(self.memory(self.ids.new()))
            elif kind < 0.5:
                batch.append(self.memory(self.rng.choice(known)))
            elif kind < 0.65:
                identifier = self.rng.choice(known)
                del self.memories[identifier]
                batch.append(Delete("memory", PREFIX + bytes.fromhex(identifier)))
            elif kind < 0.85:
                start = len(self.sessions) < 2 and self.rng.random() < 0.5
                batch += self.speak(self.ids.new() if start or not self.sessions else min(self.sessions))
            else:
                batch.append(Put("t", self.rng.randbytes(2), self.rng.randbytes(self.rng.choice((0, 30, 3000)))))
        return batch


def rows(batch: list[Operation]) -> dict[tuple[str, bytes], bytes | None]:
    """What a batch does, by table and key."""
    done: dict[tuple[str, bytes], bytes | None] = {}
    for step in batch:
        if isinstance(step, Put):
            done[step.table, step.key] = step.value
        elif isinstance(step, Delete):
            done[step.table, step.key] = None
    return done


async def work(storage: FilesStorage, writer: Writer, count: int, ack: int, history: list[Any]) -> None:
    """Commits, acknowledges in the record, and now and then meets a conflict."""
    for _ in range(count):
        batch = writer.compose()
        done = rows(batch)
        appended: list[bytes] = []

        def seal(key: bytes, appended: list[bytes] = appended) -> bytes:
            appended[:] = [key]
            return b"row " + key

        batch.append(Append("log", b"l", seal))
        if writer.rng.random() < 0.1:
            try:
                await storage.commit([Put("t", b"never", b""), Expect("t", b"absent", 1)])
            except Conflict:
                pass
            else:
                raise AssertionError("the conflict was not seen")
        sequence = await storage.commit(batch)
        os.write(ack, sequence.to_bytes(8, "big"))
        done["log", appended[0]] = b"row " + appended[0]
        for (table, key), value in done.items():
            if table == "memory" and value is not None:
                writer.memories[key[32:].hex()] = sequence
        told = [(table, key.hex(), None if value is None else value.hex()) for (table, key), value in done.items()]
        history.append((sequence, told))


async def run(root: Path, count: int, seed: int) -> list[Any]:
    """Runs the writers; the history of what was acknowledged."""
    storage = FilesStorage.open(root)
    ids = Ids(FakeClock())
    ack = os.open(root.with_suffix(".ack"), os.O_WRONLY | os.O_CREAT)
    scope = ENCODE(Scope("local", "me"))
    sequence = await storage.commit([Put("scope", PREFIX, scope), Put("log", b"first", b"")])
    os.write(ack, sequence.to_bytes(8, "big"))
    history: list[Any] = [(sequence, [("scope", PREFIX.hex(), scope.hex()), ("log", b"first".hex(), "")])]
    writers = [Writer(random.Random(seed * 100 + number), ids) for number in range(WORKERS)]
    for part in range(2):
        await asyncio.gather(*(work(storage, each, count // WORKERS // 2, ack, history) for each in writers))
        if not part:
            await storage.compact()
    await storage.close()
    return sorted(history)


def main() -> None:
    """Leaves the history."""
    root, into, safety, count, seed = sys.argv[1:]
    if safety == "nosync":
        os.fsync = os.fdatasync = lambda descriptor: None  # type: ignore[assignment]
    elif safety == "nonames":
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if os.readlink(f"/proc/self/fd/{descriptor}").endswith("/new"):
                return
            real(descriptor)

        os.fsync = fsync  # type: ignore[assignment]
    Path(into).write_text(json.dumps(asyncio.run(run(Path(root), int(count), int(seed)))))


main()
