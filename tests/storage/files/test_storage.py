"""The folder as storage: its log, its users, and other processes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import alejo
from alejo.errors import StartupError
from alejo.identity import LOCAL
from alejo.storage import Put
from alejo.storage.files import FilesStorage
from alejo.storage.files.names import alike
from alejo.storage.keyring import Keyring
from alejo.storage.rows import put_memory
from alejo.storage.store import Store
from alejo.storage.tables import CHANGES, MEMORIES
from alejo.types import Layer, Memory, Scope
from tests.proofs.size import FULL

from .conftest import Opener, pages

HOSTILE = ["anna", "ANNA", "Ánna", "../anna", "a/b", "a:b", "con", "..", "-rf", "a" * 128, "\u202eanna", "東京", " "]


def memory(number: int, text: str = "green tea") -> Memory:
    return Memory(f"{number:032x}", Layer.SEMANTIC, "note", f"{text} {number}", number, number)


async def put(store: Store, scope: Scope, *memories: Memory) -> None:
    writer = await store.writer(scope)
    for each in memories:
        put_memory(writer, each)
    await writer.commit()


def over(notes: Path) -> Store:
    return Store(FilesStorage.open(notes), Keyring(bytes(32)), plain=True)


async def test_users_of_any_name_have_folders_of_their_own(notes: Path) -> None:
    """Whatever users are called, each has a folder in users/ that no system takes for another's, and finds it again."""
    scopes = [Scope(tenant, user) for tenant in ("local", "../acme") for user in HOSTILE]
    store = over(notes)
    for number, scope in enumerate(scopes):
        await put(store, scope, memory(number))
    await store.close()
    folders = os.listdir(notes / "users")
    assert len({alike(name) for name in folders}) == len(folders) == len(scopes)
    told = [json.loads((notes / "users" / name / "user.json").read_text()) for name in folders]
    assert {Scope(**each) for each in told} == set(scopes)
    assert sorted(path.name for path in notes.parent.iterdir()) == ["notes"]
    store = over(notes)
    for number, scope in enumerate(scopes):
        assert [row.value for row in await store.scan(scope, MEMORIES)] == [memory(number)]
    await store.close()


async def test_a_second_folder_of_a_user_is_told(opened: Opener, notes: Path) -> None:
    """A copy of a user's folder is nobody's: it is named and left alone."""
    async with opened() as assistant:
        await assistant.remember("green tea")
    folder = notes / "users/copy"
    folder.mkdir()
    (folder / "user.json").write_bytes((notes / "users/me/user.json").read_bytes())
    async with opened() as assistant:
        assert isinstance(assistant.storage, FilesStorage)
        (told,) = assistant.storage.refused
        assert str(told) == "users/copy/user.json:1: says that it is the folder of who has users/me"


async def test_what_one_process_writes_another_reads(notes: Path) -> None:
    """Each sees the other's commits and new logs at its next read; an edit is one change, whoever sees it first."""
    one, other = over(notes), over(notes)
    for number in range(20):
        await put((one, other)[number % 2], LOCAL, memory(number))
        rows = await (other, one)[number % 2].scan(LOCAL, MEMORIES)
        assert len(rows) == number + 1
        if number == 10:
            storage: Any = one._storage  # as `alejo compact` does
            await storage.compact()
    path = pages(notes)[0]
    path.write_text(path.read_text().replace("green", "black"))
    for store in (one, other, one):
        storage = store._storage
        await storage.look()
        assert "black tea 0" in {row.value.text for row in await store.scan(LOCAL, MEMORIES)}
        assert len(await store.scan(LOCAL, CHANGES)) == 21
    await one.close()
    await other.close()
    store = over(notes)
    assert len(await store.scan(LOCAL, MEMORIES)) == 20
    await store.close()


async def test_a_damaged_log_is_refused_and_a_torn_end_is_not(notes: Path) -> None:
    """A line that was acknowledged and cannot be read stops the start; the half of one that was never is dropped."""
    storage = FilesStorage.open(notes)
    for number in range(4):
        await storage.commit([Put("t", b"%d" % number, b"value")])
    await storage.close()
    log = notes / ".alejo/log.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + whole.splitlines(keepends=True)[-1][:-20])
    storage = FilesStorage.open(notes)
    assert len(await storage.scan("t", b"")) == 4
    assert await storage.commit([Put("t", b"next", b"")]) == 5
    await storage.close()
    log.write_bytes(log.read_bytes().replace(b'"32"', b'"33"', 1))
    with pytest.raises(StartupError, match="damaged behind batch 2"):
        FilesStorage.open(notes)


@pytest.mark.parametrize("at", ["once", "the end"])
async def test_forgotten_words_leave_the_log(opened: Opener, notes: Path, at: str) -> None:
    """What a memory was before is gone from every file when it is asked for, and when the run ends in which it went."""
    async with opened() as assistant:
        memory = await assistant.remember("The secret is Xanadu")
        await assistant.memories.update(LOCAL, memory.id, {"text": "The secret is Avalon"})
        await assistant.memories.forget(LOCAL, [memory.id])
        if at == "once":
            assert assistant.residue() is not None
            before, after = await assistant.compact()
            assert after < before
            assert assistant.residue() is None
            _check_gone(notes)
    _check_gone(notes)


def _check_gone(notes: Path) -> None:
    for path in (path for path in pages(notes, "**/*") + pages(notes, ".alejo/*") if path.is_file()):
        content = path.read_bytes()
        assert b"Xanadu" not in content
        assert b"Avalon" not in content
        assert b"WGFuYWR1" not in content, "nor as base64"
    assert not [path for path in pages(notes, "users/me/memories/**/*") if path.is_file()]


async def test_unchanged_files_are_not_written(opened: Opener, notes: Path) -> None:
    """A start, a recall and a change of one memory leave every other file as it is, to the time it was written."""

    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in pages(notes, "users/**/*.*")}

    async with opened() as assistant:
        made = [await assistant.remember(f"tea {number}") for number in range(5)]
    before = state()
    async with opened() as assistant:
        await assistant.recall("tea")
        await assistant.memories.update(LOCAL, made[2].id, {"pinned": True})
    assert [path.name for path, at in state().items() if before[path] != at] == [pages(notes)[2].name]


async def test_a_folder_cannot_lead_elsewhere(opened: Opener, notes: Path, tmp_path: Path) -> None:
    """A folder that is a link out of the notes is not written through; the memory is kept all the same."""
    (tmp_path / "elsewhere").mkdir()
    async with opened() as assistant:
        await assistant.remember("first")
        layer = pages(notes)[0].parent.name
        wanted = next(each for each in Layer if each.name.lower() != layer)
        (notes / "users/me/memories" / wanted.name.lower()).symlink_to(tmp_path / "elsewhere")
        kept = (await assistant.memories.remember(LOCAL, alejo.types.MemoryDraft("second", wanted))).memories[0]
        assert (await assistant.memories.get(LOCAL, kept.id)).text == "second"
    assert os.listdir(tmp_path / "elsewhere") == []
    async with opened() as assistant:
        assert (await assistant.memories.get(LOCAL, kept.id)).text == "second"


async def test_many_memories(notes: Path) -> None:
    """Ten thousand memories (in full size) are written in groups, read again whole, and taken anew without the log."""
    count = 10_000 if FULL else 300
    store = over(notes)
    for start in range(0, count, 500):
        await put(store, LOCAL, *(memory(number) for number in range(start, min(start + 500, count))))
    await store.close()
    for anew in (False, True):
        if anew:
            (notes / ".alejo/log.jsonl").unlink()
        store = over(notes)
        storage: Any = store._storage
        for scope in storage.strangers:
            await store.writer(scope)
        await storage.look()
        rows = await store.scan(LOCAL, MEMORIES, limit=count + 1)
        assert [row.value for row in rows] == [memory(number) for number in range(count)]
        await store.close()
