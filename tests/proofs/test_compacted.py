"""What was forgotten is, once the files were made anew, in none of them: not even sealed, nor in a cache."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

import alejo
from alejo.errors import FailedPrecondition
from alejo.settings import read
from alejo.storage.keyring import NONCE_BYTES
from alejo.storage.tables import MEMORIES, MESSAGES, VERSIONS, Table
from alejo.types import MemoryDraft, Page, Scope

from .house import SECONDS, House

ADA = Scope("acme", "ada")


def held(folder: Path, value: bytes) -> list[str]:
    """The files below a folder that hold the bytes."""
    return [path.name for path in folder.rglob("*") if path.is_file() and value in path.read_bytes()]


async def sealed(assistant: alejo.Assistant, table: Table[object]) -> list[bytes]:
    """The sealed values of a table of Ada's, as they stand in the file."""
    prefix = assistant.folder.keyring.prefix(ADA)
    return [row.value for row in await assistant.storage.scan(table.name, prefix, limit=1000)]


async def test_no_sealed_byte_is_left(environment: dict[str, str], chance: random.Random) -> None:
    """Of forgotten memories, of what they were before and of the messages they came from, no sealed byte is left."""
    settings = read(environment, {"data.map_size_mb": 16, "reflection.workers": 0})  # whose rows come and go
    folder = settings.data_path
    async with alejo.open(settings=settings) as assistant:
        for number in range(30):
            await assistant.chat(f"My cousin number {number} paints boats in the harbour of Brest.", scope=ADA)
        kept = await assistant.memories.remember(ADA, MemoryDraft("The mill is old."))
        await assistant.memories.update(ADA, kept.memories[0].id, {"text": "The mill is very old."})
        await assistant.chat("What does my cousin paint?", scope=ADA)
        before = [each for table in (MEMORIES, MESSAGES, VERSIONS) for each in await sealed(assistant, table)]
        await assistant.memories.recall(ADA, "What does my cousin paint?", Page(10))
        await assistant.cache.demote(everything=True)
        cached = (assistant.folder.cache_path / "data.mdb").read_bytes()
        memories, _ = await assistant.memories.list(ADA, Page(1000))
        assert len(memories) >= 30
        await assistant.memories.forget(ADA, [memory.id for memory in memories])
        stays = {each for table in (MEMORIES, MESSAGES, VERSIONS) for each in await sealed(assistant, table)}
        gone = [each for each in before if each not in stays]
        assert len(gone) >= 60
        assert any(held(folder, each) for each in gone), "they were gone before, which proves nothing"
        assert assistant.residue()
        await assistant.compact()
        assert assistant.residue() is None
        left = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        # Behind the nonce a sealed value is as good as random: any part of it would be told.
        assert [each for each in gone if each[-NONCE_BYTES * 2 :] in left or each[16:48] in left] == []
        parts = [cached[at : at + 24] for at in chance.sample(range(len(cached) - 24), 5000)]
        telling = [part for part in parts if len(set(part)) > 18]
        assert telling
        assert [part for part in telling if part in left] == []
        assert (await assistant.chat("What does my cousin paint?", scope=ADA)).message.text
    assert [each for each in gone if held(folder, each)] == []


async def test_beside_a_server(house: House) -> None:
    """A server makes its files anew at a call and goes on; beside a second process that has them open it refuses."""
    await house.start()
    async with house.client("ada") as client:
        kept = await client.remember(MemoryDraft("The code of the gate is 1234."))
        await client.forget([kept.memories[0].id])
        before, after = await client.compact()
        assert 0 < after <= before
        await client.remember(MemoryDraft("The mill is old."))
        chosen = alejo.settings.read(house.environment, {})
        async with alejo.open(settings=chosen, entry_points=[]) as other:
            with pytest.raises(FailedPrecondition) as refused:
                await client.compact()
            assert refused.value.reason == "RECORDS_IN_USE"
            with pytest.raises(FailedPrecondition):
                await other.compact()
        await client.compact()
        assert [each.text for each in (await client.memories())[0]] == ["The mill is old."]
    await house.stop()


async def test_a_server_does_it_by_itself(house: House) -> None:
    """So long after something was forgotten as is set, a server makes its files anew unasked."""
    house.environment["ALEJO_DATA_COMPACT_HOURS"] = "0.00001"
    await house.start()
    async with house.client("ada") as client, asyncio.timeout(SECONDS):
        kept = await client.remember(MemoryDraft("The code of the gate is 1234."))
        await client.forget([kept.memories[0].id])
        while not any('"compacted"' in line for line in house.log):
            await client.info()
    await house.stop()
