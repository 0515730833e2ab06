"""What was forgotten or deleted is in no answer any more, not even in one that was given before and is asked again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

import alejo
from alejo import settings
from alejo.types import Page, Scope
from alejo.v1 import chat_pb2, memory_pb2, ownership_pb2, sessions_pb2, types_pb2

from .caller import Caller, Reply
from .canaries import Canaries
from .house import House

CHAT, REMEMBER, FORGET = "ChatService/Chat", "MemoryService/Remember", "MemoryService/Forget"
CREATE, UPDATE, DELETE = (f"SessionsService/{verb}Session" for verb in ("Create", "Update", "Delete"))


class Talk:
    """One user's calls, in one session and a second one, about one word that is never asked for by itself."""

    def __init__(self, caller: Caller, canaries: Canaries) -> None:
        self.caller = caller
        self.canaries = canaries
        self.word = canaries.word()
        self.first = self.second = ""
        self.forgotten: list[str] = []
        self._number = 0

    def _id(self) -> str:
        self._number += 1
        return f"request-{self._number}"

    async def begin(self) -> None:
        self.first, self.second = await self.session(), await self.session()

    async def session(self, **fields: object) -> str:
        reply = await self.ok(CREATE, sessions_pb2.CreateSessionRequest(request_id=self._id(), **fields))  # type: ignore[arg-type]
        return sessions_pb2.CreateSessionResponse.FromString(reply.raw).session.id

    async def ok(self, name: str, request: Message) -> Reply:
        reply = await self.caller.say(name, request)
        assert reply.code == "OK", reply
        return reply

    async def chat(self, text: str, session: str = "", **fields: object) -> str:
        """Says something and returns the answer."""
        request = chat_pb2.ChatRequest(request_id=self._id(), session_id=session or self.first, text=text, **fields)  # type: ignore[arg-type]
        return chat_pb2.ChatResponse.FromString((await self.ok(CHAT, request)).raw).message.text

    async def remember(self, item: memory_pb2.MemoryDraft | memory_pb2.MessageDraft) -> None:
        kind = "memory" if isinstance(item, memory_pb2.MemoryDraft) else "message"
        await self.ok(REMEMBER, memory_pb2.RememberRequest(request_id=self._id(), **{kind: item}))  # type: ignore[arg-type]

    async def memories(self) -> list[types_pb2.Memory]:
        """Those that hold the word."""
        reply = await self.ok("MemoryService/ListMemories", memory_pb2.ListMemoriesRequest(page_size=1000))
        found = memory_pb2.ListMemoriesResponse.FromString(reply.raw).memories
        return [memory for memory in found if self.canaries.seen(memory.SerializeToString())]

    async def forget(self) -> None:
        """Forgets every memory with the word."""
        ids = [memory.id for memory in await self.memories()]
        assert ids
        self.forgotten += ids
        await self.ok(FORGET, memory_pb2.ForgetRequest(request_id=self._id(), memory_ids=ids))

    async def delete(self) -> None:
        """Deletes the first session."""
        await self.ok(DELETE, sessions_pb2.DeleteSessionRequest(request_id=self._id(), session_id=self.first))

    async def told(self) -> dict[str, list[str]]:
        """Every answer in which the word still is, old requests sent again and all that can be listed and found."""
        leaks: dict[str, list[str]] = {}
        for (name, requests), reply in zip(list(self.caller.sent), await self.caller.again(), strict=True):
            if self.canaries.seen(reply.raw):
                leaks.setdefault("again " + name, []).append(f"{requests[0]} → {reply}")
        for name, request in self._looks():
            reply = await self.caller.say(name, request)
            if self.canaries.seen(reply.raw):
                leaks.setdefault(name, []).append(f"{request} → {reply}")
        return leaks

    def _looks(self) -> list[tuple[str, Message]]:
        looks: list[tuple[str, Message]] = [("SessionsService/ListSessions", sessions_pb2.ListSessionsRequest())]
        everything = memory_pb2.MemoryFilter(include_archived=True)
        looks.append(("MemoryService/ListMemories", memory_pb2.ListMemoriesRequest(filter=everything)))
        for session in (self.first, self.second):
            looks += [
                ("SessionsService/ListMessages", sessions_pb2.ListMessagesRequest(session_id=session)),
                ("SessionsService/GetSession", sessions_pb2.GetSessionRequest(session_id=session)),
            ]
        for query in (self.word, "What is the code of the gate?", "cousin paints boats", "the garden photo"):
            recall = memory_pb2.RecallRequest(query=query, filter=everything, page_size=50)
            looks += [
                ("MemoryService/Recall", recall),
                ("MemoryService/RecallStream", memory_pb2.RecallStreamRequest(recall=recall)),
                *[
                    ("MemoryService/BuildContext", memory_pb2.BuildContextRequest(query=query, session_id=session))
                    for session in ("", self.first, self.second)
                ],
                ("MemoryService/PreviewForget", memory_pb2.PreviewForgetRequest(query=query, filter=everything)),
            ]
        looks += [("MemoryService/GetHistory", memory_pb2.GetHistoryRequest(memory_id=each)) for each in self.forgotten]
        looks.append(("OwnershipService/ExportUser", ownership_pb2.ExportUserRequest()))
        looks += [
            (CHAT, chat_pb2.ChatRequest(text="What is the code of the gate?", session_id=self.second)),
            (CHAT, chat_pb2.ChatRequest(text="What do you remember about the cousin who paints boats?")),
            (CHAT, chat_pb2.ChatRequest(text="list memories")),
        ]
        return looks


Begin = Callable[[], Awaitable[Talk]]


@pytest.fixture
async def begin(house: House, chance: random.Random) -> AsyncIterator[Begin]:
    """Begins the talk of another user of one server."""
    await house.start()
    canaries = Canaries(chance)
    async with AsyncExitStack() as stack:

        async def one() -> Talk:
            channel = await stack.enter_async_context(house.channel())
            talk = Talk(Caller(channel, ("x-alejo-user", f"user-{next(numbers)}")), canaries)
            await talk.begin()
            return talk

        numbers = count(1)
        yield one
    await house.stop()


async def _statement(talk: Talk) -> None:
    await talk.chat(f"The code of the gate is {talk.word}.")


async def _quoted(talk: Talk) -> None:
    await talk.chat(f"The code of the gate is {talk.word}.")
    assert talk.word in await talk.chat("What is the code of the gate?")
    assert talk.word in await talk.chat("What is the code of the gate?", talk.second)
    assert talk.word in await talk.chat("What do you remember about the code of the gate?", talk.second)
    assert talk.word in await talk.chat("list memories", talk.second)


async def _command(talk: Talk) -> None:
    assert talk.word in await talk.chat(f"Remember that the code of the gate is {talk.word}.")


async def _caption(talk: Talk) -> None:
    image = types_pb2.Image(data=b"no picture", caption=f"{talk.word} in the garden")
    await talk.chat("Look at the garden photo.", parts=[types_pb2.Part(image=image)], metadata={"who": talk.word})


async def _draft(talk: Talk) -> None:
    text = f"The code of the gate is {talk.word}"
    await talk.remember(memory_pb2.MemoryDraft(text=text, speaker=talk.word, metadata={"code": talk.word}))
    assert talk.word in await talk.chat("What is the code of the gate?")


async def _message(talk: Talk) -> None:
    text = f"My cousin {talk.word} paints boats"
    await talk.remember(memory_pb2.MessageDraft(session_id=talk.first, text=text, speaker="Caroline"))
    assert talk.word in await talk.chat("What does my cousin paint?")


async def _changed(talk: Talk) -> None:
    await talk.chat("The code of the gate is 1234.")
    reply = await talk.ok("MemoryService/ListMemories", memory_pb2.ListMemoriesRequest())
    memory = memory_pb2.ListMemoriesResponse.FromString(reply.raw).memories[0]
    changed = types_pb2.Memory(id=memory.id, text=f"The code of the gate is {talk.word}")
    mask = FieldMask(paths=["text"])
    request = memory_pb2.UpdateMemoryRequest(request_id="update", memory=changed, update_mask=mask)
    await talk.ok("MemoryService/UpdateMemory", request)
    assert talk.word in await talk.chat("What is the code of the gate?")


Telling = Callable[[Talk], Awaitable[None]]
TELLINGS: tuple[Telling, ...] = (_statement, _quoted, _command, _caption, _draft, _message, _changed)


async def test_forgotten(begin: Begin) -> None:
    """A word that stood in forgotten memories is in no answer, in those that quoted it neither."""
    for tell in TELLINGS:
        talk = await begin()
        await tell(talk)
        assert await talk.told(), tell
        await talk.forget()
        assert await talk.told() == {}, tell


async def test_forgotten_by_command(begin: Begin) -> None:
    """A word that the brain was told to forget is in no answer, nor in the words that told it to."""
    talk = await begin()
    await _quoted(talk)
    answer = await talk.chat(f"Forget that the code of the gate is {talk.word}.")
    assert answer.startswith("I forgot"), answer
    assert await talk.told() == {}


async def test_deleted(begin: Begin) -> None:
    """A word said in a session that was deleted is in no answer."""
    for tell in (_statement, _command, _caption, _message, _changed):
        talk = await begin()
        await tell(talk)
        await talk.delete()
        assert await talk.told() == {}, tell


async def test_deleted_quotes(begin: Begin) -> None:
    """A word said in a session that was deleted is in no answer of another session that quoted it."""
    talk = await begin()
    await _quoted(talk)
    await talk.delete()
    assert await talk.told() == {}


async def test_deleted_names(begin: Begin) -> None:
    """The title and labels of a deleted session are in no answer, nor in those to the calls that gave them."""
    talk = await begin()
    talk.first = await talk.session(title=talk.word, metadata={"about": talk.word}, origin="somewhere")
    changed = sessions_pb2.Session(id=talk.first, title=f"{talk.word} again")
    mask = FieldMask(paths=["title"])
    await talk.ok(UPDATE, sessions_pb2.UpdateSessionRequest(request_id="update", session=changed, update_mask=mask))
    await talk.delete()
    assert await talk.told() == {}


async def test_forgotten_while_it_is_read(begin: Begin) -> None:
    """A word that is forgotten while contexts are built of it is in none that is built afterwards."""
    talk = await begin()
    await _statement(talk)
    build = memory_pb2.BuildContextRequest(query="gate", session_id=talk.first)
    forgetting = asyncio.create_task(talk.forget())
    while not forgetting.done():
        await asyncio.gather(*(talk.caller.say("MemoryService/BuildContext", build) for _ in range(8)))
    await forgetting
    reply = await talk.ok("MemoryService/BuildContext", build)
    assert not talk.canaries.seen(reply.raw), reply


async def test_forgotten_while_it_is_quoted(begin: Begin) -> None:
    """A word that is forgotten while answers quote it is in none of them afterwards."""
    talk = await begin()
    await _statement(talk)
    ask = chat_pb2.ChatRequest(text="What is the code of the gate?")
    forgetting = asyncio.create_task(talk.forget())
    rounds = []
    while not forgetting.done():
        rounds += await asyncio.gather(*(talk.caller.say(CHAT, ask) for _ in range(8)))
    await forgetting
    for reply in rounds:
        answer = chat_pb2.ChatResponse.FromString(reply.raw)
        listing = sessions_pb2.ListMessagesRequest(session_id=answer.session_id)
        told = await talk.ok("SessionsService/ListMessages", listing)
        assert not talk.canaries.seen(told.raw), told


async def test_forgotten_by_another_process(house: House, begin: Begin) -> None:
    """A word that a program forgets in the server's data folder is in none of the server's answers."""
    talk = await begin()
    await _statement(talk)
    assert await talk.told()
    scope = Scope("local", "user-1")
    async with alejo.open(settings=settings.read(house.environment, {})) as other:
        memories, _ = await other.memories.list(scope, Page(1000))
        talk.forgotten = [memory.id for memory in memories if talk.word in memory.text]
        await other.memories.forget(scope, talk.forgotten)
    assert await talk.told() == {}
