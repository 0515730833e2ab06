"""The life of indexes: snapshots that are used or ignored, and never hold what was forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.memory.indexes import Indexes
from alejo.settings import Settings
from alejo.storage.blobs import Blobs
from alejo.types import MemoryDraft, Page

from ..conftest import ADA, BOB

MANY = 600


async def fill(assistant: Assistant, count: int = MANY) -> list[str]:
    """Remembers many things; returns their ids."""
    items = [
        ("", MemoryDraft(f"the number {number} is a fruit", metadata={"n": str(number)})) for number in range(count)
    ]
    made = await assistant.memories.remember_many(ADA, items)
    return [kept.memories[0].id for kept in made if isinstance(kept, alejo.types.Kept)]


async def texts(assistant: Assistant, query: str) -> list[str]:
    hits, _, _ = await assistant.memories.recall(ADA, query, Page(20))
    return [hit.memory.text for hit in hits]


def files(settings: Settings) -> list[Path]:
    """The snapshots there are."""
    return sorted((settings.data_path / "indexes").glob("*"))


async def kept(settings: Settings, clock: FakeClock) -> list[str]:
    """A folder with a snapshot; returns the ids of the memories."""
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        ids = await fill(assistant)
        await assistant.indexes.get(ADA)
    assert len(files(settings)) == 1
    return ids


async def test_a_restart_begins_with_a_snapshot(settings: Settings, clock: FakeClock) -> None:
    """What is found after a restart is what was found before, without a memory being indexed anew."""
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        ids = await fill(assistant)
        await assistant.memories.update(ADA, ids[3], {"pinned": True})
        await assistant.memories.update(ADA, ids[4], {"archived": True})
        before = await texts(assistant, "number 17 fruit")
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        assert await texts(assistant, "number 17 fruit") == before
        assert (assistant.indexes.came_back, assistant.indexes.made) == (1, 0)
        assert [memory.id for memory in await assistant.memories.pinned(ADA)] == [ids[3]]
        assert ids[4] in (await assistant.indexes.get(ADA)).hidden
        index = await assistant.indexes.get(ADA)
        index.lexical.validate()
        index.vectors.validate()


async def test_what_changed_since_is_followed(settings: Settings, clock: FakeClock) -> None:
    """Memories that came after the snapshot are found, whatever process they came from."""
    await kept(settings, clock)
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        await assistant.memories.remember(ADA, MemoryDraft("a rare quince"))
        assert await texts(assistant, "quince") == ["a rare quince"]
        assert assistant.indexes.came_back == 1
    assert len(files(settings)) == 1


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def altered(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, emptied, altered, Path.unlink])
async def test_one_that_is_damaged_is_made_again(
    settings: Settings, clock: FakeClock, damage: Callable[[Path], None]
) -> None:
    """A snapshot that is cut, altered or gone is as good as none, and the next one takes its place."""
    await kept(settings, clock)
    damage(files(settings)[0])
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        assert "the number 17 is a fruit" in await texts(assistant, "number 17")
        assert (assistant.indexes.came_back, assistant.indexes.made) == (0, 1)
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        await assistant.indexes.get(ADA)
        assert assistant.indexes.came_back == 1
    assert len(files(settings)) == 1


async def test_one_of_another_version_or_sense_is_made_again(bare: Assistant) -> None:
    """What another version, or another embedder, made is not loaded, and neither is what is no index at all."""
    await fill(bare)
    parts = (await bare.indexes.get(ADA)).dump()
    await bare.indexes.close()
    blobs = Blobs(bare.store, bare.folder.indexes_path)
    for note, wrong in (("0.0.1 9 another", parts), ("", parts), (None, parts[::-1]), (None, parts[:2]), (None, [])):
        fresh = Indexes(bare.store, bare.cache, blobs)
        right = f"{alejo.__version__} 1 {alejo.embedding.table_name()}"
        assert await blobs.write(ADA, right if note is None else note, wrong, await blobs.seen(ADA))
        assert len((await fresh.get(ADA)).entries) == MANY
        assert (fresh.came_back, fresh.made) == (0, 1)
        await fresh.close()


async def test_a_forgotten_word_is_in_no_snapshot(settings: Settings, clock: FakeClock) -> None:
    """When a forget or a change of words returns, the snapshot that holds them cannot be read any more."""
    ids = await kept(settings, clock)
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        blobs = Blobs(assistant.store, assistant.folder.indexes_path)
        assert await blobs.read(ADA) is not None
        assert await assistant.memories.forget(ADA, [ids[17]]) == (1, 0)
        assert await blobs.read(ADA) is None
        assert "the number 17 is a fruit" not in await texts(assistant, "number 17")
        await assistant.indexes.close()
        assert await blobs.read(ADA) is not None
        await assistant.memories.update(ADA, ids[18], {"text": "nothing of the kind"})
        assert await blobs.read(ADA) is None


async def test_a_snapshot_that_is_late_is_not_kept(bare: Assistant) -> None:
    """What was begun before a forget, in this process or another, is not kept after it."""
    ids = await fill(bare)
    await bare.indexes.get(ADA)
    await bare.indexes.close()  # which writes one
    blobs = Blobs(bare.store, bare.folder.indexes_path)
    for _ in range(2):  # with one before, and without
        seen = await blobs.seen(ADA)
        parts = (await bare.indexes.get(ADA)).dump()
        await bare.memories.forget(ADA, [ids.pop()])
        assert not await blobs.write(ADA, "", parts, seen)
        assert await blobs.read(ADA) is None
    assert await blobs.write(ADA, "", [b"another"], await blobs.seen(ADA))
    assert len(list(bare.folder.indexes_path.glob("*"))) == 1


async def test_a_snapshot_is_for_its_user_alone(bare: Assistant) -> None:
    """A snapshot holds no word in clear, and under another user's name it does not open."""
    blobs = Blobs(bare.store, bare.folder.indexes_path)
    await bare.memories.remember(ADA, MemoryDraft("apple"))
    await bare.memories.remember(BOB, MemoryDraft("apple"))
    assert await blobs.write(ADA, "", [b"a secret of Ada's" * 99, b"", b"more"], None)
    found = await blobs.read(ADA)
    assert found == ("", [b"a secret of Ada's" * 99, b"", b"more"])
    (ada,) = bare.folder.indexes_path.glob("*")
    assert b"secret" not in ada.read_bytes()
    assert await blobs.write(BOB, "", [b"a secret of Bob's" * 99, b"", b"more"], None)
    (bob,) = set(bare.folder.indexes_path.glob("*")) - {ada}
    bob.write_bytes(ada.read_bytes())
    assert await blobs.read(BOB) is None


async def test_who_is_dropped_comes_back(bare: Assistant) -> None:
    """A user whose index had to go finds everything, and nothing is indexed anew, be it still being kept or kept."""
    await fill(bare)
    await bare.memories.remember(BOB, MemoryDraft("apple"))
    indexes = Indexes(bare.store, bare.cache, Blobs(bare.store, bare.folder.indexes_path), users=1)
    await indexes.get(ADA)
    await indexes.get(BOB)
    assert indexes.held < 2_000
    assert len((await indexes.get(ADA)).entries) == MANY
    await indexes.get(BOB)
    await indexes.close()
    assert len((await indexes.get(ADA)).entries) == MANY
    assert indexes.came_back > 0
    assert indexes.made == 3  # Ada's once, and Bob's, which is not worth keeping, twice


async def test_an_index_is_compared_with_what_is_stored(bare: Assistant) -> None:
    """What an index lacks, has too much or knows otherwise is counted, and found again when it was made anew."""
    ids = await fill(bare, 9)
    index = await bare.indexes.get(ADA)
    assert await bare.indexes.verify(ADA) == 0
    assert await bare.indexes.get(ADA) is index
    index.remove(ids[3])
    memory = await bare.memories.get(ADA, ids[4])
    index.put(msgspec.structs.replace(memory, text="quite other words"))
    index.put(msgspec.structs.replace(memory, id="00" * 16))
    assert await bare.indexes.verify(ADA) == 3
    assert await bare.indexes.verify(ADA) == 0
    assert "the number 3 is a fruit" in await texts(bare, "number 3")


async def test_who_is_silent_costs_nothing(bare: Assistant, clock: FakeClock) -> None:
    """An index that was not asked for half an hour leaves memory, and comes back with the next word."""
    await fill(bare)
    assert bare.indexes.held == 0  # remembering alone needs none
    clock.advance(10.0)
    await bare.keeper.round()
    assert bare.indexes.held > 100_000
    clock.advance(1000.0)
    await bare.indexes.get(BOB)
    clock.advance(1000.0)
    await bare.keeper.round()
    assert set(bare.indexes._seats) == {BOB}
    assert bare.indexes.held < 20_000  # of an empty one
    assert "the number 17 is a fruit" in await texts(bare, "number 17")


async def test_files_that_nothing_reads_are_deleted(bare: Assistant) -> None:
    """What a forget made unreadable goes with the next visit, and what is of users who are gone with the next sweep."""
    ids = await fill(bare)
    await bare.indexes.get(ADA)
    await bare.indexes.close()
    folder = bare.folder.indexes_path
    (folder / f"{'0' * 64}-00").write_bytes(b"nobody's")
    before = set(folder.glob("*"))
    assert len(before) == 2
    await bare.memories.forget(ADA, ids[:1])
    await bare.keeper.round()
    assert not before & set(folder.glob("*"))  # a new one may be there already


async def test_an_index_is_made_to_its_end(bare: Assistant) -> None:
    """Whoever asked for an index may go before it is there: it is made all the same, once, for whoever asks next."""
    await fill(bare)
    for _ in range(3):
        asked = asyncio.ensure_future(bare.indexes.get(ADA))
        while bare.indexes.made == 0:  # noqa: ASYNC110  a count tells no event
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
    assert len((await bare.indexes.get(ADA)).entries) == MANY
    assert bare.indexes.made == 1
