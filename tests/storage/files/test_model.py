"""A server and a person write to one folder by turns, and both to a model."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from alejo.identity import LOCAL
from alejo.storage.files import FilesStorage
from alejo.storage.keyring import Keyring
from alejo.storage.rows import put_memory, remove_memory
from alejo.storage.store import Store
from alejo.storage.tables import CHANGES, MEMORIES, MEMORIES_BY_TIME
from alejo.types import Layer, Memory
from tests.proofs.size import size

from .conftest import pages

WORDS = ("green tea", "black coffee", "snow in Zürich", "a cat", "two\nlines", "---", "id: none")


class Folder:
    """The folder, opened anew now and then, and what it should hold: texts by identifier."""

    def __init__(self, notes: Path, seed: int) -> None:
        self.notes = notes
        self.rng = random.Random(seed)
        self.held: dict[str, str] = {}
        self.open()

    def open(self) -> None:
        self.storage = FilesStorage.open(self.notes)
        self.store = Store(self.storage, Keyring(bytes(32)), plain=True)

    async def again(self) -> None:
        await self.store.close()
        self.open()

    async def put(self) -> None:
        """The server keeps a memory, new or changed."""
        known = self.rng.random() < 0.5 and self.held
        identifier = self.rng.choice(sorted(self.held)) if known else f"{self.rng.getrandbits(128):032x}"
        self.held[identifier] = self.rng.choice(WORDS)
        said = int(identifier[:6], 16)
        writer = await self.store.writer(LOCAL)
        put_memory(writer, Memory(identifier, self.rng.choice(list(Layer)), "note", self.held[identifier], said, said))
        await writer.commit()

    async def remove(self) -> None:
        """The server forgets one."""
        rows = await self.store.scan(LOCAL, MEMORIES)
        if rows:
            row = self.rng.choice(rows)
            writer = await self.store.writer(LOCAL)
            remove_memory(writer, row.value)
            await writer.commit()
            del self.held[row.value.id]

    def _some(self) -> tuple[Path, str] | None:
        found = pages(self.notes)
        path = self.rng.choice(found) if found else None
        return path and (path, next(line[4:] for line in path.read_text().split("\n") if line.startswith("id: ")))

    async def edit(self) -> None:
        """The person changes a text."""
        if some := self._some():
            head, _, _ = some[0].read_text().partition("\n---\n\n")
            self.held[some[1]] = self.rng.choice(WORDS)
            some[0].write_text(f"{head}\n---\n\n{self.held[some[1]]}\n")
            await self.storage.look()

    async def move(self) -> None:
        """The person names a file otherwise, or puts it into another layer."""
        if some := self._some():
            folder = some[0].parents[1] / self.rng.choice(("semantic", "mine"))
            folder.mkdir(exist_ok=True)
            some[0].rename(folder / f"{self.rng.getrandbits(32)}.md")
            await self.storage.look()

    async def drop(self) -> None:
        """The person removes a file."""
        if some := self._some():
            some[0].unlink()
            del self.held[some[1]]
            await self.storage.look()

    async def check(self) -> None:
        """Storage, files and lists are what the model says."""
        rows = await self.store.scan(LOCAL, MEMORIES, limit=1000)
        assert {row.value.id: row.value.text for row in rows} == self.held
        assert sorted(row.value for row in await self.store.scan(LOCAL, MEMORIES_BY_TIME)) == sorted(self.held)
        assert len(pages(self.notes)) == len(self.held)
        assert self.storage.refused == []
        last = {row.value.memory_id: row.value.op for row in await self.store.scan(LOCAL, CHANGES, limit=10_000)}
        assert {identifier for identifier, op in last.items() if op == "put"} == set(self.held)


@pytest.mark.parametrize("seed", range(size(2, 40)))
async def test_both_write_by_turns(notes: Path, seed: int) -> None:
    """Whatever they do in whatever order, and whenever it is opened anew, storage and files hold the same."""
    folder = Folder(notes, seed)
    await folder.put()
    steps = (folder.put, folder.put, folder.remove, folder.edit, folder.edit, folder.move, folder.drop, folder.again)
    for _ in range(size(50, 200)):
        await folder.rng.choice(steps)()
        await folder.check()
    await folder.store.close()
