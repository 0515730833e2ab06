"""A backup: whole, sealed, and refused when it is not what was written."""

from __future__ import annotations

import base64
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

import alejo
from alejo.clock import FakeClock, SystemClock
from alejo.errors import StartupError
from alejo.settings import Settings
from alejo.storage import Put, backup
from alejo.storage.folder import MARKER, Folder

WORDS = "The lighthouse keeper paints blue boats."
FLIPS = 300


@pytest.fixture
async def folder(settings: Settings) -> Folder:
    """A data folder in which something was said."""
    async with alejo.open(settings=settings, entry_points=[]) as assistant:
        for number in range(20):
            await assistant.remember(f"{WORDS} {number}")
        return assistant.folder


def take(folder: Folder, file: Path) -> tuple[backup.Manifest, int]:
    return backup.back_up(folder, folder.records_path, file, SystemClock())


def refused(call: Callable[[], object]) -> StartupError:
    with pytest.raises(StartupError) as caught:
        call()
    assert caught.value.message.endswith(".")
    assert caught.value.hint
    return caught.value


async def remembered(path: Path, folder: Folder) -> list[str]:
    """What a restored folder remembers."""
    overrides = {"data.path": str(path), "data.key_file": str(folder.key_file), "data.map_size_mb": 16}
    async with alejo.open(overrides=overrides, entry_points=[]) as assistant:
        hits = await assistant.recall("lighthouse", limit=100)
        return sorted(hit.memory.text for hit in hits)


async def test_what_is_restored_is_what_was_kept(folder: Folder, tmp_path: Path) -> None:
    """A restored folder opens with the same key and remembers the same; it can be written to."""
    (folder.path / "plugins.json").write_text('{"off": []}')
    file, there = tmp_path / "b.tar", tmp_path / "there"
    manifest, closed = take(folder, file)
    assert closed == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert backup.verify(file, folder.key_file) == backup.restore(file, there, folder.key_file) == manifest
    assert manifest.records > 60
    assert manifest.folder == folder.id
    assert sorted(path.name for path in there.iterdir()) == [MARKER, "plugins.json", "records"]
    assert (there / "plugins.json").read_text() == '{"off": []}'
    assert {stat.S_IMODE(path.stat().st_mode) for path in there.rglob("*")} == {0o600, 0o700}
    assert await remembered(there, folder) == sorted(f"{WORDS} {number}" for number in range(20))
    take(Folder.open(there, folder.key_file), tmp_path / "again.tar")


async def test_neither_words_nor_the_key_are_in_it(folder: Folder, tmp_path: Path) -> None:
    """A backup holds nothing in clear: no word that was said, no key in any form."""
    take(folder, tmp_path / "b.tar")
    content = (tmp_path / "b.tar").read_bytes()
    encoded = folder.key_file.read_bytes().split()[1]
    assert b"lighthouse" not in content
    assert encoded not in content
    assert base64.b64decode(encoded) not in content


async def test_what_was_deleted_is_not_in_it(folder: Folder, settings: Settings, tmp_path: Path) -> None:
    """The sealed bytes of a memory that was forgotten before are in no later backup, though the data file has them."""
    async with alejo.open(settings=settings, entry_points=[]) as assistant:
        (hit,) = await assistant.recall("lighthouse 7", limit=1)
        scope = alejo.types.Scope("local", "me")
        place = assistant.store._keyring.prefix(scope) + bytes.fromhex(hit.memory.id)
        record = await assistant.storage.get("memory", place)
        assert record
        await assistant.memories.forget(scope, [hit.memory.id])
    assert record.value in (folder.records_path / "data.mdb").read_bytes()
    take(folder, tmp_path / "b.tar")
    assert record.value not in (tmp_path / "b.tar").read_bytes()


async def test_every_alteration_is_noticed(folder: Folder, tmp_path: Path) -> None:
    """One flipped bit or a missing end is refused, or it lies where it changes nothing that is restored."""
    file, chance = tmp_path / "b.tar", random.Random(7)
    manifest, _ = take(folder, file)
    whole = file.read_bytes()
    with backup.Archive(file) as archive:
        rows = list(archive.records())
    harmless = 0
    for _ in range(FLIPS):
        place = chance.randrange(len(whole))
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        try:
            found = backup.verify(file, None)
        except StartupError:
            continue
        harmless += 1
        assert (found.records, found.members) == (manifest.records, manifest.members)
        with backup.Archive(file) as archive:
            assert list(archive.records()) == rows
    assert harmless < FLIPS / 2
    end = whole.rstrip(b"\0")
    for size in [0, 1, 511, 512, 1000, *(chance.randrange(len(end)) for _ in range(50))]:
        file.write_bytes(whole[:size])
        assert refused(lambda: backup.verify(file, None)).exit_code == 74


async def test_a_record_that_was_damaged_is_told(folder: Folder, settings: Settings, tmp_path: Path) -> None:
    """A damaged record is kept and counted; a restore refuses it, unless nothing shall be opened."""
    async with alejo.open(settings=settings, entry_points=[]) as assistant:
        (record, *_) = await assistant.storage.scan("memory", b"")
        altered = record.value[:-1] + bytes([record.value[-1] ^ 1])
        await assistant.storage.commit([Put("memory", record.key, altered)])
    file, there = tmp_path / "b.tar", tmp_path / "there"
    manifest, closed = take(folder, file)
    assert closed == 1
    told = refused(lambda: backup.restore(file, there, folder.key_file))
    assert f"1 of {manifest.records} records" in told.message
    assert not there.exists()
    backup.restore(file, there, None)
    assert len(await remembered(there, folder)) == 19


async def test_the_key_is_needed_and_must_be_the_right_one(folder: Folder, tmp_path: Path) -> None:
    """Without the key, or with another one, nothing is restored; a key inside the new folder is refused."""
    file, there = tmp_path / "b.tar", tmp_path / "there"
    take(folder, file)
    other = Folder.open(tmp_path / "other", tmp_path / "other.key", clock=FakeClock())
    assert "is missing" in refused(lambda: backup.restore(file, there, tmp_path / "none")).message
    assert "is not the one" in refused(lambda: backup.verify(file, other.key_file)).message
    inside = there / "key"
    there.mkdir()
    inside.write_bytes(folder.key_file.read_bytes())
    inside.chmod(0o600)
    assert "inside" in refused(lambda: backup.restore(file, there, inside)).message


async def test_nothing_is_replaced(folder: Folder, tmp_path: Path) -> None:
    """A file that is there, a data folder and a folder of something else stay as they are."""
    file = tmp_path / "b.tar"
    file.write_text("mine")
    assert refused(lambda: take(folder, file)).exit_code == 73
    assert file.read_text() == "mine"
    file.unlink()
    take(folder, file)
    assert refused(lambda: backup.restore(file, folder.path, folder.key_file)).exit_code == 73
    thesis = tmp_path / "there" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("mine")
    assert "holds files" in refused(lambda: backup.restore(file, thesis.parent, folder.key_file)).message
    assert thesis.read_text() == "mine"
    assert [path.name for path in thesis.parent.iterdir()] == ["thesis.txt"]


async def test_what_cannot_be_written_leaves_nothing(folder: Folder, tmp_path: Path) -> None:
    """A folder that is not there, or a file in its place, is one sentence."""
    assert "No such file" in refused(lambda: take(folder, tmp_path / "no" / "b.tar")).message
    file = tmp_path / "b.tar"
    take(folder, file)
    told = refused(lambda: backup.restore(file, file / "there", folder.key_file))
    assert told.exit_code == 73
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".alejo-new")]


async def test_newer_formats_are_refused(folder: Folder, tmp_path: Path) -> None:
    """A backup of a newer format, or of newer data, names the update and restores nothing."""
    file = tmp_path / "b.tar"
    take(folder, file)
    whole = file.read_bytes()
    begin = whole.index(b'"format": 1', whole.index(b"manifest.json"))
    file.write_bytes(whole[:begin] + b'"format": 9' + whole[begin + 11 :])
    assert "format 9" in refused(lambda: backup.verify(file, None)).message
    marker = folder.path / MARKER
    marker.write_text(marker.read_text().replace('"format": 1', '"format": 9'))
    file.unlink()
    take(folder, file)
    told = refused(lambda: backup.restore(file, tmp_path / "there", folder.key_file))
    assert "format 9" in told.message
    assert told.hint.startswith("Update ALEJO")


async def test_what_a_killed_one_left_is_cleared(folder: Folder, tmp_path: Path) -> None:
    """A restore goes over what an unfinished one left, and a backup removes the unfinished file of the same name."""
    left = tmp_path / ".alejo-new-b.tar-xyz"
    left.write_bytes(b"half")
    take(folder, tmp_path / "b.tar")
    assert not left.exists()
    there = tmp_path / "there"
    (there / ".alejo-new-restore" / "records").mkdir(parents=True)
    (there / "records").mkdir()
    (there / "plugins.json").write_text("half")
    (there / "records" / "data.mdb").write_bytes(b"half")
    assert "holds files" in refused(lambda: Folder.open(there, folder.key_file)).message
    backup.restore(tmp_path / "b.tar", there, folder.key_file)
    assert len(await remembered(there, folder)) == 20
    assert not (there / ".alejo-new-restore").exists()
