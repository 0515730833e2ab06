"""Erasing a user: nothing of theirs is left or can be read, in no process and no file, and a receipt says so."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import lmdb
import msgspec
import pytest

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import Conflict, InvalidArgument, NotFound, StorageFull, Unavailable
from alejo.outcomes import Receipt
from alejo.ownership import Standing
from alejo.settings import Settings
from alejo.settings import read as read_settings
from alejo.storage.keyring import DATA_KEYS
from alejo.storage.store import SYSTEM
from alejo.storage.tables import ERASING, ERASURES
from alejo.types import Ask, FactDraft, MemoryDraft, Page, Scope

from ..conftest import ADA, BOB

SECRET = "xylophonic heron"


async def live(assistant: Assistant, scope: Scope) -> str:
    """A little of everything; returns the session."""
    said = await assistant.conversation.chat(scope, Ask(f"Remember that my {SECRET} is called Luna.", request_id="one"))
    await assistant.memories.remember(scope, MemoryDraft(f"The {SECRET} eats fish.", pinned=True))
    await assistant.facts.add(scope, FactDraft(SECRET, "lives in", "Oslo"))
    await assistant.memories.recall(scope, SECRET, Page(5))
    await assistant.profiles.update(scope, {"language": "en"})
    await assistant.keys.add("phone", tenant=scope.tenant, user=scope.user)
    return said.session_id


async def erased(assistant: Assistant, scope: Scope) -> Receipt:
    preview = await assistant.erasures.preview(scope)
    receipt, _ = await assistant.erase(scope, preview.token)
    return receipt


async def prefix_of(assistant: Assistant) -> bytes:
    """Ada's hash, with which the keys of all her rows begin."""
    vault = await assistant.store.vault(ADA)
    assert vault
    return bytes.fromhex(vault.name)


def rows_of(records: Path, prefix: bytes) -> list[bytes]:
    """The stored keys that hold a user's hash, of whatever table."""
    with lmdb.open(str(records), readonly=True, lock=False) as environment, environment.begin() as txn:
        return [key for key, _ in txn.cursor() if prefix in key]


async def empty(assistant: Assistant, scope: Scope, session: str) -> None:
    """Nothing is found, listed or known of a user."""
    for query in (SECRET, "Luna"):
        hits, _, _ = await assistant.memories.recall(scope, query, Page(10))
        assert hits == []
        context, _ = await assistant.memories.context(scope, query)
        assert "Luna" not in context.text
    assert (await assistant.memories.list(scope, Page(10)))[0] == []
    assert (await assistant.sessions.list(scope, Page(10)))[0] == []
    assert await assistant.memories.pinned(scope) == []
    assert (await assistant.facts.list(scope, Page(10)))[0] == []
    with pytest.raises(NotFound):
        await assistant.sessions.get(scope, session)


async def test_nothing_is_left(settings: Settings, clock: FakeClock) -> None:
    """No row of any table, no word for whoever has a copy of the folder and the master key; others keep all."""
    async with alejo.open(settings=settings, clock=clock) as assistant:
        session = await live(assistant, ADA)
        other = await live(assistant, BOB)
        prefix = await prefix_of(assistant)
        wrapped = [each.value for each in await assistant.storage.scan(DATA_KEYS, prefix)]
        preview = await assistant.erasures.preview(ADA)
        assert {"memory", "message", "session", "turn", "preferences"} <= preview.counts.keys()
        receipt, cleared = await assistant.erase(ADA, preview.token)
        assert cleared
        assert (receipt.tenant, receipt.user, len(receipt.keys)) == (ADA.tenant, ADA.user, 1)
        await empty(assistant, ADA, session)
        assert [key.user for key in await assistant.keys.list()] == [BOB.user]
        assert (await assistant.sessions.get(BOB, other)).id == other
        assert (await assistant.memories.recall(BOB, SECRET, Page(5)))[0]
    left = rows_of(settings.data_path / "records", prefix)
    assert left == []
    for path in settings.data_path.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert not any(each in data for each in wrapped), path
    async with alejo.open(settings=settings, clock=clock) as assistant:
        await empty(assistant, ADA, session)
        assert await assistant.erasures.verify(receipt) is Standing.ERASED


async def test_the_same_preview_gives_the_same_receipt(bare: Assistant) -> None:
    """Asked again it is done once; another user's token, an old one, and one that is none are refused."""
    await bare.memories.remember(ADA, MemoryDraft("tea"))
    await bare.memories.remember(BOB, MemoryDraft("tea"))
    preview = await bare.erasures.preview(ADA)
    assert preview.counts["memory"] == 1
    for scope, token in ((BOB, preview.token), (ADA, ""), (ADA, "AAAA"), (ADA, preview.token[:-4] + "AAAA")):
        with pytest.raises(InvalidArgument):
            await bare.erase(scope, token)
    first, second = await asyncio.gather(bare.erase(ADA, preview.token), bare.erase(ADA, preview.token))
    assert first[0] == second[0] == (await bare.erase(ADA, preview.token))[0]
    await bare.memories.remember(ADA, MemoryDraft("coffee"))
    assert (await bare.erase(ADA, preview.token))[0] == first[0]
    hits, _, _ = await bare.memories.recall(ADA, "coffee", Page(5))
    assert [hit.memory.text for hit in hits] == ["coffee"]
    assert (await bare.erasures.preview(Scope("acme", "nobody"))).token == ""
    assert await bare.erasures.verify(first[0]) is Standing.ERASED


async def test_a_receipt_is_known_again(bare: Assistant) -> None:
    """One that was altered is refused, and one whose key came back with an old copy says so."""
    await bare.memories.remember(ADA, MemoryDraft("tea"))
    prefix = await prefix_of(bare)
    (key,) = await bare.storage.scan(DATA_KEYS, prefix)
    receipt = await erased(bare, ADA)
    for field, value in (("user", "bob"), ("erased_at", 1), ("keys", ()), ("counts", {}), ("seal", "é")):
        with pytest.raises(InvalidArgument):
            await bare.erasures.verify(msgspec.structs.replace(receipt, **{field: value}))
    await bare.storage.commit([alejo.storage.Put(DATA_KEYS, key.key, key.value)])
    assert await bare.erasures.verify(receipt) is Standing.RESTORED


OTHER = """
import asyncio, json, sys
import alejo
from alejo import log
from alejo.errors import AlejoError
from alejo.settings import read
from alejo.types import Ask, MemoryDraft, Page, Scope

async def main():
    given, session, query = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
    scope = Scope("acme", "ada")
    async with alejo.open(settings=read(given, {"data.map_size_mb": 16, "cache.disk_mb": int(sys.argv[4])})) as there:
        async def seen():
            hits, _, _ = await there.memories.recall(scope, query, Page(5))
            context, _ = await there.memories.context(scope, query)
            facts, _ = await there.facts.list(scope, Page(5))
            listed, _ = await there.memories.list(scope, Page(5))
            said = []
            try:
                said, _ = await there.sessions.messages(scope, session, Page(5))
            except AlejoError:
                pass
            return len(hits), query in context.text, len(facts), len(listed), len(said)
        print(json.dumps(await seen()), flush=True)
        sys.stdin.readline()
        print(json.dumps(await seen()), flush=True)
        try:
            await there.conversation.chat(scope, Ask("And then?", session))
        except AlejoError as error:
            print(json.dumps(error.reason), flush=True)
        kept = await there.memories.remember(scope, MemoryDraft("a new life with tea"))
        hits, _, _ = await there.memories.recall(scope, f"{query} tea", Page(5))
        print(json.dumps([kept.memories[0].id, [hit.memory.id for hit in hits]]), flush=True)

log.configure("error")  # stdout is for answers
asyncio.run(main())
"""


@pytest.mark.parametrize("cached", [0, 16])
async def test_another_process_sees_it_at_once(
    settings: Settings, clock: FakeClock, environment: dict[str, str], cached: int
) -> None:
    """Whoever has the user in memory finds nothing, and what is told there after is the first of a new life."""
    async with alejo.open(settings=settings, clock=clock) as here:
        session = await live(here, ADA)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", OTHER, json.dumps(environment), session, SECRET, str(cached)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdin
        assert child.stdout
        assert all(json.loads(await child.stdout.readline()))
        preview = await here.erasures.preview(ADA)
        receipt, cleared = await here.erase(ADA, preview.token)
        assert not cleared  # the other has the files open
        child.stdin.write(b"\n")
        told = [json.loads(line) async for line in child.stdout]
        assert await child.wait() == 0
        assert told[:2] == [[0, False, 0, 0, 0], "NOT_FOUND"]
        assert told[2][1] == [told[2][0]]
        hits, _, _ = await here.memories.recall(ADA, f"{SECRET} tea", Page(5))
        assert [hit.memory.id for hit in hits] == told[2][1]
        assert await here.erasures.verify(receipt) is Standing.ERASED


async def test_whoever_is_killed_is_finished(settings: Settings, clock: FakeClock) -> None:
    """From the moment the keys are gone nothing is read or taken, and the next start deletes what is left."""
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        await assistant.memories.remember(ADA, MemoryDraft("tea"))
        preview = await assistant.erasures.preview(ADA)
        prefix = await prefix_of(assistant)
        place = assistant.erasures._opened(prefix, preview.token)
        await assistant.erasures._begin(ADA, prefix, place)
        with pytest.raises(Unavailable, match="being erased"):
            await assistant.memories.remember(ADA, MemoryDraft("more tea"))
        assert (await assistant.memories.list(ADA, Page(5)))[0] == []
        copy = settings.data_path.with_name("copy")
    shutil.copytree(settings.data_path, copy)
    assert rows_of(copy / "records", prefix)
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        row = await assistant.store.get(SYSTEM, ERASURES, place)
        assert row is not None
        assert row.value.done
        assert await assistant.store.scan(SYSTEM, ERASING) == []
        await assistant.memories.remember(ADA, MemoryDraft("a new tea"))
        assert len((await assistant.memories.list(ADA, Page(5)))[0]) == 1


async def test_those_who_write_meanwhile_lose_nothing(bare: Assistant) -> None:
    """What is acknowledged while a user is erased is either gone with the rest or there in their next life."""
    await bare.memories.remember(ADA, MemoryDraft("the first"))
    after: list[str] = []
    done = asyncio.Event()

    async def write(number: int) -> None:
        while not done.is_set():
            try:
                made = await bare.memories.remember(ADA, MemoryDraft(f"{number} says more"))
            except (Unavailable, Conflict):
                await asyncio.sleep(0)
                continue
            after.append(made.memories[0].id)

    writers = [asyncio.create_task(write(number)) for number in range(4)]
    for _ in range(3):
        while not (await bare.erasures.preview(ADA)).token:  # noqa: ASYNC110 - until something is there again
            await asyncio.sleep(0)
        receipt = await erased(bare, ADA)
    left = {memory.id for memory in (await bare.memories.list(ADA, Page(1000)))[0]}
    done.set()
    await asyncio.gather(*writers)
    now, token = await bare.memories.list(ADA, Page(1000))
    assert not token
    assert left <= {memory.id for memory in now} <= set(after)
    assert {memory.id for memory in now} == set(after[-len(now) :]) if now else True
    assert await bare.erasures.verify(receipt) is Standing.ERASED


async def test_files_for_people_go(environment: dict[str, str], tmp_path: Path) -> None:
    """Kept as files that people read, a user's go as well, and no word is in any other."""
    settings = read_settings(environment, {"data.path": f"files:{tmp_path / 'notes'}"})
    async with alejo.open(settings=settings) as assistant:
        session = await live(assistant, ADA)
        await live(assistant, BOB)
        await erased(assistant, ADA)
        await empty(assistant, ADA, session)
        assert (await assistant.memories.recall(BOB, SECRET, Page(5)))[0]
    mine = [path for path in (tmp_path / "notes").rglob("*") if path.is_file() and ADA.user in str(path)]
    assert mine == []
    async with alejo.open(settings=settings) as assistant:
        await empty(assistant, ADA, session)


async def test_a_full_storage_forgets_and_erases(environment: dict[str, str], clock: FakeClock) -> None:
    """When there is no room for anything new, memories, sessions and users can go, and then there is room again."""
    chosen = read_settings(environment, {"data.map_size_mb": 1, "data.max_size_mb": 1, "reflection.workers": 0})
    async with alejo.open(settings=chosen, clock=clock) as assistant:
        answer = await assistant.chat("My dog is called Luna.", scope=ADA)
        kept: list[str] = []
        with suppress(StorageFull):
            while True:
                memory = await assistant.remember(f"Number {len(kept)}: " + "so it was. " * 100, scope=BOB)
                kept.append(memory.id)
        with pytest.raises(StorageFull):
            await assistant.chat("He is old.", session_id=answer.session_id, scope=ADA)
        (luna, *_), _, _ = await assistant.memories.recall(ADA, "Luna", Page(1))
        assert (await assistant.memories.forget(ADA, [luna.memory.id]))[0] > 0
        assert (await assistant.sessions.delete(ADA, answer.session_id))[0] == 2
        for memory_id in kept[:30]:
            assert (await assistant.memories.forget(BOB, [memory_id]))[0] == 1
        preview = await assistant.erasures.preview(BOB)
        await assistant.erase(BOB, preview.token)
        assert (await assistant.chat("He is old.", scope=ADA)).message.text
