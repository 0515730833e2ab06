"""What people do to the files is what is remembered."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import alejo
from alejo.errors import Conflict, FailedPrecondition, NotFound
from alejo.identity import LOCAL
from alejo.storage.files import FilesStorage
from alejo.storage.tables import AUDIT, CHANGES, DERIVED, MEMORIES, MEMORIES_BY_TIME, VERSIONS
from alejo.types import FactDraft, Layer, MemoryDraft, MessageDraft, Page

from .conftest import Opener, pages


async def texts(assistant: alejo.Assistant, query: str) -> list[str]:
    return [hit.memory.text for hit in await assistant.recall(query)]


async def changes(assistant: alejo.Assistant) -> list[tuple[str, str]]:
    return [(row.value.op, row.value.memory_id) for row in await assistant.store.scan(LOCAL, CHANGES, limit=1000)]


def edit(path: Path, old: str, new: str) -> None:
    """Changes a file in its place, as some editors do."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def save(path: Path, text: str) -> None:
    """Writes a file beside and renames it, as other editors do."""
    beside = path.with_name(".beside")
    beside.write_text(text)
    beside.rename(path)


def refused(assistant: alejo.Assistant) -> list[str]:
    assert isinstance(assistant.storage, FilesStorage)
    return [str(each) for each in assistant.storage.refused]


async def test_an_edited_text_is_a_new_version(opened: Opener, notes: Path) -> None:
    """A changed text is found at the next recall, as a new version with its step of the change log; old etags fail."""
    async with opened() as assistant:
        before = await assistant.remember("I like green tea")
        edit(pages(notes)[0], "green tea", "black coffee")
        assert await texts(assistant, "coffee") == ["I like black coffee"]
        assert await texts(assistant, "green tea") == []
        after = await assistant.memories.get(LOCAL, before.id)
        assert after.version > before.version
        assert (after.sent_at, after.recorded_at) == (before.sent_at, before.recorded_at)
        assert await changes(assistant) == [("put", before.id)] * 2
        former = (await assistant.memories.history(LOCAL, before.id, Page()))[0]
        assert [(each.memory.text, each.actor) for each in former] == [("I like green tea", "files")]
        entries = await assistant.store.scan(LOCAL, AUDIT)
        assert [(row.value.action, row.value.actor) for row in entries][-1] == ("memory.update", "files")
        with pytest.raises(Conflict):
            await assistant.memories.update(LOCAL, before.id, {"text": "tea"}, etag=f"{before.version:x}")
        await assistant.memories.update(LOCAL, before.id, {"pinned": True}, etag=f"{after.version:x}")
        assert "pinned: true" in pages(notes)[0].read_text()
        assert pages(notes)[0].read_text().endswith("\n\nI like black coffee\n")


@pytest.mark.parametrize("running", [True, False])
async def test_every_way_to_change_the_folder(opened: Opener, notes: Path, running: bool) -> None:
    """Fields and texts changed, files added, moved, renamed and removed: seen while it runs, and when it starts."""

    async def check(assistant: alejo.Assistant) -> None:
        assert sorted(await texts(assistant, "tea")) == ["black tea", "green tea", "mint tea", "white tea"]
        listed = (await assistant.memories.list(LOCAL, Page()))[0]
        found = {memory.text: memory for memory in listed}
        assert set(found) == {"black tea", "green tea", "mint tea", "white tea"}
        assert found["green tea"].id == made["green tea"]
        assert found["green tea"].speaker == "Anna"
        assert found["green tea"].metadata == {"topic": "drinks", "season": "winter"}
        assert found["white tea"].id == made["red tea"]
        assert found["mint tea"].id == made["mint tea"]
        assert found["mint tea"].layer is Layer.PROCEDURAL
        assert found["black tea"].layer is Layer.SEMANTIC
        assert found["black tea"].sent_at == 1_600_000_000_000_000
        assert len(await assistant.store.scan(LOCAL, MEMORIES_BY_TIME)) == 4
        assert refused(assistant) == []
        with pytest.raises(NotFound):
            await assistant.memories.get(LOCAL, made["old tea"])

    def change() -> None:
        home = notes / "users/me/memories"
        path = {text: next(each for each in pages(notes) if text in each.name) for text in made}
        edit(path["green tea"], "---\n\n", "speaker: Anna\nmetadata:\n  topic: drinks\n  season: winter\n---\n\n")
        save(path["red tea"], path["red tea"].read_text().replace("red tea", "white tea"))
        (home / "procedural").mkdir()
        path["mint tea"].rename(home / "procedural" / "Mint.md")
        path["old tea"].unlink()
        (home / "semantic").mkdir()
        (home / "semantic" / "note.md").write_text("black tea\n")
        os.utime(home / "semantic" / "note.md", (1_600_000_000, 1_600_000_000))

    async with opened() as assistant:
        made = {text: (await assistant.remember(text)).id for text in ("green tea", "red tea", "mint tea", "old tea")}
        if running:
            change()
            await check(assistant)
    if not running:
        change()
    for _ in range(2):
        async with opened() as assistant:
            before = await changes(assistant)
            await check(assistant)
            assert await changes(assistant) == before, "a start is no change"


async def test_a_file_that_is_no_record_is_left_alone(opened: Opener, notes: Path) -> None:
    """It is named with line and reason and never written over; its record is neither changed nor lost meanwhile."""
    async with opened() as assistant:
        memory = await assistant.remember("I like green tea")
        path = pages(notes)[0]
        edit(path, "importance: 0.5" if "importance" in path.read_text() else "kind: note", "importance: much")
        broken = path.read_text()
        (path.parent / "empty.md").write_text("---\nkind: note\n---\n\n")
        (path.parent / "twin.md").write_text(broken.replace("importance: much\n", "kind: note\n"))
        assert await texts(assistant, "green tea") == ["I like green tea"]
        told = refused(assistant)
        assert len(told) == 3
        assert told[0].startswith(f"{path.relative_to(notes)}:3: importance:")
        assert "empty.md:4: has no text" in told[1]
        assert f"says it is what {path.relative_to(notes)} is" in told[2]
        with pytest.raises(FailedPrecondition, match=r"changed by hand and cannot be read: .*:3: importance"):
            await assistant.memories.update(LOCAL, memory.id, {"text": "tea"})
        assert path.read_text() == broken
    async with opened() as assistant:
        assert path.read_text() == broken
        assert len(refused(assistant)) == 3
        (path.parent / "twin.md").unlink()
        (path.parent / "empty.md").unlink()
        edit(path, "importance: much", "kind: note\nimportance: 0.9")
        assert (await assistant.memories.get(LOCAL, memory.id)).importance == 0.9
        assert refused(assistant) == []


async def test_an_edit_wins_over_a_write(opened: Opener, notes: Path) -> None:
    """A write of a record whose file was just edited meets the edit as a version: it is refused, or made anew on it."""
    async with opened() as assistant:
        assert isinstance(assistant.storage, FilesStorage)
        memory = await assistant.remember("I like green tea")
        assistant.storage.rest = 1e9
        await texts(assistant, "tea")
        row = await assistant.store.get(LOCAL, MEMORIES, bytes.fromhex(memory.id))
        assert row is not None
        edit(pages(notes)[0], "green", "white")
        writer = await assistant.store.writer(LOCAL)
        writer.expect(MEMORIES, row.key, row.version)
        writer.put(MEMORIES, row.key, row.value)
        with pytest.raises(Conflict):
            await writer.commit()
        assert "white tea" in pages(notes)[0].read_text()
        assert (await assistant.memories.update(LOCAL, memory.id, {"pinned": True})).text == "I like white tea"


async def test_messages_and_sessions_can_be_edited(opened: Opener, notes: Path) -> None:
    """A message's text and a session's title change with their files, also where they are kept in memory."""
    async with opened() as assistant:
        session, _ = await assistant.sessions.create(LOCAL, title="Tea / time?")
        for text in ("one", "two", "three"):
            await assistant.memories.remember(LOCAL, MessageDraft(session.id, text))
        await assistant.sessions.messages(LOCAL, session.id, Page())
        folder = pages(notes, "users/me/sessions/*")[0]
        assert "Tea time" in folder.name
        assert sorted(each.name for each in folder.iterdir())[:2] == ["0001 user.md", "0002 user.md"]
        edit(folder / "0002 user.md", "two", "zwei")
        edit(folder / "session.json", "Tea / time?", "Coffee")
        (folder / "0003 user.md").unlink()
        messages, _ = await assistant.sessions.messages(LOCAL, session.id, Page())
        assert [message.text for message in messages] == ["one", "zwei"]
        assert (await assistant.sessions.get(LOCAL, session.id)).title == "Coffee"
        await assistant.memories.remember(LOCAL, MessageDraft(session.id, "four"))
        assert (folder / "0004 user.md").exists()
        (folder / "session.json").unlink()
        assert (await assistant.sessions.get(LOCAL, session.id)).title == "Coffee"
        assert "stays until its folder is removed" in refused(assistant)[0]
        shutil.rmtree(folder)
        assert (await assistant.sessions.list(LOCAL, Page()))[0] == []
        assert refused(assistant) == []


async def test_a_copy_without_what_is_alejos_own_is_taken_whole(opened: Opener, notes: Path, tmp_path: Path) -> None:
    """Only users/, as a clone of a repository has it: sessions, messages and memories are what they were."""
    async with opened() as assistant:
        session, _ = await assistant.sessions.create(LOCAL, title="Tea")
        await assistant.memories.remember(LOCAL, MessageDraft(session.id, "one"))
        draft = MemoryDraft("green tea", Layer.PROCEDURAL, speaker="Anna", metadata={"a": "b"}, pinned=True)
        memory = (await assistant.memories.remember(LOCAL, draft)).memories[0]
        messages = (await assistant.sessions.messages(LOCAL, session.id, Page()))[0]
    shutil.move(notes, tmp_path / "old")
    shutil.copytree(tmp_path / "old" / "users", notes / "users")
    os.mkdir(notes / ".git")
    files = {path: path.read_bytes() for path in pages(notes, "users/**/*.*")}
    for _ in range(2):
        async with opened() as assistant:
            found = await assistant.memories.get(LOCAL, memory.id)
            assert found == alejo.types.Memory(**{**_fields(memory), "version": found.version})
            assert (await assistant.sessions.messages(LOCAL, session.id, Page()))[0] == messages
            assert await texts(assistant, "tea") == ["green tea"]
            assert {path: path.read_bytes() for path in files} == files


def _fields(memory: alejo.Memory) -> dict[str, object]:
    return {name: getattr(memory, name) for name in memory.__struct_fields__}


async def test_notes_that_a_person_brings(opened: Opener, notes: Path) -> None:
    """A folder of somebody's notes, made before the first start, is what is remembered; the notes stay as they are."""
    home = notes / "users/me/memories"
    home.mkdir(parents=True)
    (home / "cat.md").write_text("My cat is called Miso.\n\nShe likes tuna.")
    (home / "picture.png").write_bytes(b"none of ours")
    (home / "link.md").symlink_to(home / "cat.md")
    async with opened() as assistant:
        assert await texts(assistant, "Miso") == ["My cat is called Miso.\n\nShe likes tuna."]
        before = await changes(assistant)
        (home / "cat.md").rename(home / "Miso.md")
        assert await texts(assistant, "Miso") == ["My cat is called Miso.\n\nShe likes tuna."]
        assert {change[1] for change in await changes(assistant)} == {before[0][1]}, "moved, it is the same memory"
    assert (home / "Miso.md").read_text() == "My cat is called Miso.\n\nShe likes tuna."
    async with opened() as assistant:
        memory = (await assistant.recall("Miso"))[0].memory
        await assistant.memories.update(LOCAL, memory.id, {"pinned": True})
    assert (home / "Miso.md").read_text().startswith(f"---\nid: {memory.id}\nlayer: episodic\n")


async def test_what_is_derived_follows(opened: Opener, notes: Path) -> None:
    """What was derived from a memory is stale when its text is edited, and goes with its file; facts are readable."""
    async with opened() as assistant:
        source = await assistant.remember("I live in Bern")
        draft = FactDraft("user", "lives in", "Bern", sources=(source.id,), valid_from=1_600_000_000_000_000)
        fact = (await assistant.facts.add(LOCAL, draft)).memory
        path = next(each for each in pages(notes) if fact.id in each.read_text().split("sources")[0])
        assert '"relation": "lives in"' in path.read_text()
        assert '"valid_from": "2020-09-13T12:26:40Z"' in path.read_text()
        own = next(each for each in pages(notes) if each != path)
        edit(own, "I live in Bern", "I live in Basel")
        assert (await assistant.memories.get(LOCAL, fact.id)).stale
        assert "stale: true" in path.read_text()
        own.unlink()
        with pytest.raises(NotFound):
            await assistant.memories.get(LOCAL, fact.id)
        assert pages(notes) == []
        for table in (MEMORIES, MEMORIES_BY_TIME, VERSIONS, DERIVED):
            assert await assistant.store.scan(LOCAL, table) == []


@pytest.mark.parametrize("running", [True, False])
async def test_a_folder_that_is_away_is_not_forgotten(opened: Opener, notes: Path, running: bool) -> None:
    """As long as all of a user's folder is missing it is named and nothing is forgotten; back again, all is there."""

    async def check(assistant: alejo.Assistant) -> None:
        await texts(assistant, "tea")
        assert "is missing; nothing in it is forgotten" in refused(assistant)[0]
        (notes / "away").rename(notes / "users/me")
        assert await texts(assistant, "tea") == ["green tea"]
        assert (await assistant.memories.get(LOCAL, memory.id)).text == "green tea"
        assert refused(assistant) == []

    async with opened() as assistant:
        memory = await assistant.remember("green tea")
        if running:
            (notes / "users/me").rename(notes / "away")
            await check(assistant)
    if not running:
        (notes / "users/me").rename(notes / "away")
        async with opened() as assistant:
            await check(assistant)
