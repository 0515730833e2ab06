"""Two servers on the records of one folder, each call to one of them by chance: they answer like one simple model."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import lmdb
import msgspec
import pytest

from alejo.client import Client
from alejo.types import Ask, Filter, Memory, MemoryDraft, MessageDraft, Page

from .house import House
from .size import size
from .writers import every, together

OPERATIONS = size(400, 100_000)
USERS = 6
MOST = 60  # memories of a user, so that lists stay short
EVERYTHING = Filter(include_archived=True, include_superseded=True)


def told(memories: Iterable[Memory]) -> list[Memory]:
    """What was told, without what reflection made of it behind the answers."""
    return [memory for memory in memories if not memory.sources]


class Known(msgspec.Struct):
    """A memory as the model has it: the word is in no other."""

    word: str
    text: str
    archived: bool = False
    pinned: bool = False


class Model:
    """One user: what was acknowledged, by whichever server, and nothing else."""

    def __init__(self, user: str, chance: random.Random) -> None:
        self.user = user
        self.session = ""
        self.messages = 0
        self.memories: dict[str, Known] = {}
        self.done = 0
        self._chance = chance

    async def run(self, clients: list[Client], count: int) -> None:
        session, _ = await clients[0].create_session()
        self.session = session.id
        kinds = (
            "remember",
            "remember",
            "message",
            "update",
            "archive",
            "pin",
            "forget",
            "recall",
            "list",
            "chat",
            "get",
        )
        for _ in range(count):
            kind = self._chance.choice(kinds)
            if len(self.memories) >= MOST:
                kind = "forget"
            elif not self.memories and kind not in {"message", "chat"}:
                kind = "remember"
            await getattr(self, kind)(self._chance.choice(clients))
            self.done += 1
            if self._chance.random() < 0.3:
                await self.recall(self._chance.choice(clients))
        for client in clients:
            await self.list(client)
            await self.look(client)

    def _new(self) -> str:
        return "".join(self._chance.choices("bcdfghjklmnpqrstvwxz", k=10))

    def _any(self) -> str:
        return self._chance.choice(list(self.memories))

    async def remember(self, client: Client) -> None:
        word = self._new()
        kept = await client.remember(MemoryDraft(f"The parcel {word} lies in the attic."))
        self._keep(kept.memories[0].id, word, kept.memories[0].text)

    async def message(self, client: Client) -> None:
        word = self._new()
        draft = MessageDraft(self.session, f"My cousin {word} paints boats.", speaker="Grandmother")
        kept = await client.remember(draft)
        self._keep(kept.memories[0].id, word, draft.text)
        self.messages += 1

    async def chat(self, client: Client) -> None:
        word = self._new()
        text = f"My uncle {word} mends clocks."
        answer = await client.chat(Ask(text, self.session))
        assert answer.user_message.text == text
        self.messages += 2
        hits, _ = await client.recall(word, Page(50))
        (memory,) = (hit.memory for hit in hits if hit.memory.text == text)
        self._keep(memory.id, word, text)

    def _keep(self, memory_id: str, word: str, text: str) -> None:
        assert memory_id not in self.memories
        self.memories[memory_id] = Known(word, text)

    async def update(self, client: Client) -> None:
        memory_id, word = self._any(), self._new()
        text = f"The parcel {word} was sent on."
        await client.update_memory(memory_id, {"text": text})
        known = self.memories[memory_id]
        known.word, known.text = word, text

    async def archive(self, client: Client) -> None:
        memory_id = self._any()
        known = self.memories[memory_id]
        known.archived = not known.archived
        await client.update_memory(memory_id, {"archived": known.archived})

    async def pin(self, client: Client) -> None:
        memory_id = self._any()
        known = self.memories[memory_id]
        known.pinned = not known.pinned
        await client.update_memory(memory_id, {"pinned": known.pinned})

    async def forget(self, client: Client) -> None:
        memory_id = self._any()
        forgotten, _ = await client.forget([memory_id], keep_messages=True)
        gone = self.memories.pop(memory_id)
        listed = await every(lambda page: client.memories(page, EVERYTHING))
        assert forgotten >= 1  # what reflection made of it goes along, and
        assert not [each for each in listed if memory_id in (each.id, *each.sources)]
        hits, _ = await client.recall(gone.word, Page(50), EVERYTHING)
        assert gone.text not in {hit.memory.text for hit in hits}, f"{self.user}: {gone} is still found"

    async def recall(self, client: Client) -> None:
        if self.memories:
            known = self.memories[self._any()]
            hits, _ = await client.recall(known.word, Page(50), EVERYTHING)
            found = [each.text for each in told(hit.memory for hit in hits) if known.word in each.text]
            assert found == [known.text], f"{self.user}: {known} recalls {hits}"

    async def get(self, client: Client) -> None:
        memory_id = self._any()
        memory = await client.memory(memory_id)
        assert self._told(memory.text, memory.archived, memory.pinned) == self.memories[memory_id]

    def _told(self, text: str, archived: bool, pinned: bool) -> Known:
        (word,) = (known.word for known in self.memories.values() if known.word in text)
        return Known(word, text, archived, pinned)

    async def list(self, client: Client) -> None:
        listed = await every(lambda page: client.memories(page, EVERYTHING))
        found = {memory.id: memory for memory in told(listed)}
        assert found.keys() == self.memories.keys(), f"{self.user}: {found.keys() ^ self.memories.keys()}"
        for memory_id, known in self.memories.items():
            memory = found[memory_id]
            assert (memory.text, memory.archived, memory.pinned) == (known.text, known.archived, known.pinned)

    async def look(self, client: Client) -> None:
        messages = await every(lambda page: client.messages(self.session, page))
        assert len(messages) == self.messages == (await client.session(self.session)).message_count


@pytest.fixture
def sister(house: House, tmp_path: Path) -> House:
    """A second server, with a folder of its own for all but the records and the key."""
    records = str(house.data / "records")
    key = str(tmp_path / "config" / "alejo" / "key")
    (tmp_path / "sister").mkdir()
    # Nothing is refused for a while that is busy: a refusal here would be a difference there.
    house.environment["ALEJO_LIMITS_QUEUE_SECONDS"] = "20"
    return House(
        tmp_path / "sister",
        limits_queue_seconds="20",
        data_storage=f"lmdb:{records}",
        key_file=key,
        memory_keeper_seconds="1",
    )


async def test_two_servers_are_one(house: House, sister: House, chance: random.Random) -> None:
    """What either acknowledged the other knows in the next call; nothing differs, and nothing stays locked."""
    house.environment["ALEJO_MEMORY_KEEPER_SECONDS"] = "1"
    began = time.monotonic()
    try:
        await house.start()
        await sister.start()
        models = [Model(f"user-{number}", chance) for number in range(USERS)]
        async with AsyncExitStack() as stack:
            reach = [
                [await stack.enter_async_context(one.client(model.user)) for one in (house, sister)] for model in models
            ]
            await together(
                [model.run(clients, OPERATIONS // USERS) for model, clients in zip(models, reach, strict=True)]
            )
        await house.stop()
        await sister.stop()
    finally:
        await sister.close()
    done = sum(model.done for model in models)
    print(f"{done} operations in {time.monotonic() - began:.0f} s, {sum(model.messages for model in models)} messages")
    assert done == OPERATIONS // USERS * USERS
    with lmdb.open(str(house.data / "records"), readonly=True, create=False) as environment:
        assert environment.readers().splitlines()[1:] == []
