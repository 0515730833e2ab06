"""One user among many who have said much alike: whatever is recalled, listed or exported, no word of another comes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack

from google.protobuf.message import Message

from alejo.types import MemoryDraft, MessageDraft, Page
from alejo.v1 import memory_pb2, ownership_pb2, sessions_pb2

from .caller import Caller
from .canaries import Canaries
from .house import House
from .size import size

USERS = size(20, 100)
CALLS = size(300, 10_000)
AT_ONCE = 8
MEMORY, SESSIONS = "MemoryService/", "SessionsService/"
WORDS = ["code", "gate", "cousin", "paints", "boats", "summer", "mill", "old", "kept", "harbour"]


async def live(house: House, name: str, canaries: Canaries, chance: random.Random) -> dict[str, list[str]]:
    """A user says and keeps things that share their common words with everybody's; returns their identifiers."""
    async with house.client(name) as client:
        session, _ = await client.create_session(title=f"About {canaries.word()}")
        items: list[MemoryDraft | MessageDraft] = [
            MessageDraft(session.id, f"My cousin {canaries.word()} paints boats at the mill.", speaker="Caroline"),
            *(
                MemoryDraft(f"{' '.join(chance.sample(WORDS, 5))} {canaries.word()}", metadata={"who": canaries.word()})
                for _ in range(8)
            ),
        ]
        kept = [each async for each in client.remember_many([("", item) for item in items])]
        assert not [each for each in kept if isinstance(each, Exception)]
        memories, token = await client.memories(Page(3))
        await client.update_memory(memories[0].id, {"text": f"The mill is old, says {canaries.word()}"})
        return {"session": [session.id], "memory": [each.id for each in memories], "token": [token]}


class Asker:
    """Makes the calls of one user, with others' words, identifiers and tokens."""

    def __init__(self, others: list[dict[str, list[str]]], words: list[str], chance: random.Random) -> None:
        self._others = others
        self._words = words
        self._chance = chance
        self._kinds: tuple[Callable[[], tuple[str, Message]], ...] = (
            lambda: (MEMORY + "Recall", self._recall()),
            lambda: (MEMORY + "RecallStream", memory_pb2.RecallStreamRequest(recall=self._recall())),
            lambda: (MEMORY + "BuildContext", memory_pb2.BuildContextRequest(query=self._query())),
            lambda: (MEMORY + "ListMemories", self._list()),
            lambda: (MEMORY + "GetMemory", memory_pb2.GetMemoryRequest(memory_id=self._of("memory"))),
            lambda: (MEMORY + "GetHistory", memory_pb2.GetHistoryRequest(memory_id=self._of("memory"))),
            lambda: (MEMORY + "PreviewForget", memory_pb2.PreviewForgetRequest(query=self._query())),
            lambda: (SESSIONS + "ListSessions", sessions_pb2.ListSessionsRequest()),
            lambda: (SESSIONS + "ListMessages", sessions_pb2.ListMessagesRequest(session_id=self._of("session"))),
            lambda: ("OwnershipService/ExportUser", ownership_pb2.ExportUserRequest()),
        )

    def ask(self) -> tuple[str, Message]:
        """Any of the calls."""
        return self._chance.choice(self._kinds)()

    def _of(self, kind: str) -> str:
        return self._chance.choice(self._chance.choice(self._others)[kind])

    def _query(self) -> str:
        return " ".join([*self._chance.sample(WORDS, 3), self._chance.choice(self._words)])

    def _filter(self) -> memory_pb2.MemoryFilter:
        wanted = memory_pb2.MemoryFilter(include_archived=True, include_superseded=True)
        if self._chance.random() < 0.3:
            wanted.session_id = self._of("session")
        if self._chance.random() < 0.3:
            wanted.speaker = "Caroline"
        return wanted

    def _recall(self) -> memory_pb2.RecallRequest:
        return memory_pb2.RecallRequest(query=self._query(), filter=self._filter(), page_size=200)

    def _list(self) -> memory_pb2.ListMemoriesRequest:
        if self._chance.random() < 0.3:
            return memory_pb2.ListMemoriesRequest(page_token=self._of("token"), page_size=3)
        return memory_pb2.ListMemoriesRequest(filter=self._filter(), page_size=1000)


async def test_no_foreign_word(house: House, chance: random.Random) -> None:
    """Of thousands of recalls, lists, contexts, previews and exports of one user, none holds a word of the others."""
    await house.start()
    own, foreign = Canaries(chance), Canaries(chance)
    others = [await live(house, f"user-{number}", foreign, chance) for number in range(USERS - 1)]
    await live(house, "me", own, chance)
    asker = Asker(others, [*foreign.words, *own.words], chance)
    counts: Counter[str] = Counter()
    heard = 0
    async with AsyncExitStack() as stack:
        caller = Caller(await stack.enter_async_context(house.channel()), ("x-alejo-user", "me"))
        for _ in range(CALLS // AT_ONCE):
            asked = [asker.ask() for _ in range(AT_ONCE)]
            replies = await asyncio.gather(*(caller.say(name, request) for name, request in asked))
            caller.sent.clear()
            for (name, request), reply in zip(asked, replies, strict=True):
                counts[f"{name} {reply.code}"] += 1
                heard += bool(own.seen(reply.raw))
                assert not foreign.seen(reply.raw), f"{name} {request} told another's words: {reply}"
    await house.stop()
    print(dict(counts))
    assert heard > CALLS / 4, "a user who hears nothing proves nothing"
    assert not [each for each in counts if each.endswith(("INTERNAL", "UNKNOWN"))], counts
