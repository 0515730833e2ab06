"""A writer and what it may rely on: every acknowledged request once, every doubtful one at most once, nothing else."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from alejo.client import Client
from alejo.errors import DeadlineExceeded, Unavailable
from alejo.types import Answer, Ask, Kept, Memory, MemoryDraft, Message, MessageDraft, Page, Role

T = TypeVar("T")
KINDS = ("statement", "question", "command", "stream", "memory", "message")


class Request(msgspec.Struct, frozen=True):
    """Something to be written once. `word` is in no other request."""

    id: str
    kind: str
    word: str

    @property
    def text(self) -> str:
        return {
            "question": f"Who is the brother of {self.word}?",
            "command": f"Remember that the code {self.word} opens the gate.",
        }.get(self.kind, f"My cousin {self.word} paints boats.")


class Effect(msgspec.Struct, frozen=True):
    """What a request made: identifiers and words, without what may differ when it is told again."""

    messages: tuple[tuple[str, int, str], ...] = ()
    memories: tuple[tuple[str, str], ...] = ()


def effect(result: Answer | Kept) -> Effect:
    if isinstance(result, Answer):
        return Effect((_told(result.user_message), _told(result.message)))
    messages = (_told(result.message),) if result.message else ()
    return Effect(messages, tuple((memory.id, memory.text) for memory in result.memories))


def _told(message: Message) -> tuple[str, int, str]:
    return message.id, message.seq, message.text


async def every(page: Callable[[Page], Awaitable[tuple[list[T], str]]]) -> list[T]:
    """Every item of a list, page by page."""
    items, token = await page(Page(1000))
    while token:
        more, token = await page(Page(1000, token))
        items += more
    return items


class Writer:
    """One user with one session. `acknowledged` and `doubtful` are all that it knows of what it wrote."""

    def __init__(self, user: str, chance: random.Random) -> None:
        self.user = user
        self.acknowledged: dict[str, tuple[Request, Effect]] = {}
        self.doubtful: Request | None = None
        self.session_id = ""
        self.resolved: Counter[str] = Counter()
        self._chance = chance
        self._unseen: list[str] = []  # acknowledged since the last check

    def _next(self) -> Request:
        number = len(self.acknowledged)
        if number and self._chance.random() < 0.1:
            return self._chance.choice(list(self.acknowledged.values()))[0]
        word = "".join(self._chance.choices("abcdefghijklmnopqrstuvwxyz", k=12))
        return Request(f"{self.user}-{number}-{word}", self._chance.choice(KINDS), word)

    async def begin(self, client: Client) -> None:
        """Makes the session."""
        if not self.session_id:
            session, _ = await client.create_session(request_id=f"{self.user}-session")
            self.session_id = session.id

    async def write(self, client: Client, most: int | None = None) -> None:
        """Writes one request after the other until the server is gone, or `most`; a doubtful one goes first."""
        try:
            await self.begin(client)
            while most is None or most > 0:
                request = self.doubtful or self._next()
                if request.id not in self.acknowledged:
                    self.doubtful = request
                await self._one(client, request)
                most = None if most is None else most - 1
        except (Unavailable, DeadlineExceeded):
            return

    async def _one(self, client: Client, request: Request) -> None:
        made = effect(await self.send(client, request))
        known = self.acknowledged.get(request.id)
        assert known is None or known[1] == made, f"{request} told again: {made}, first {known}"
        if known is None:
            self.acknowledged[request.id] = (request, made)
            self._unseen.append(request.id)
            self.doubtful = None

    async def send(self, client: Client, request: Request) -> Answer | Kept:
        """Sends one request, once."""
        if request.kind == "memory":
            return await client.remember(MemoryDraft(request.text), request_id=request.id)
        if request.kind == "message":
            draft = MessageDraft(self.session_id, request.text, speaker="Grandmother")
            return await client.remember(draft, request_id=request.id)
        ask = Ask(request.text, self.session_id, request.id)
        if request.kind != "stream":
            return await client.chat(ask)
        async for event in client.stream(ask):
            if isinstance(event, Answer):
                return event
        raise AssertionError(f"{request} had no end")

    async def check(self, client: Client) -> None:
        """Compares what the server has with what it acknowledged. Raises AssertionError naming the difference."""
        if not self.session_id:
            return
        messages = await every(lambda page: client.messages(self.session_id, page))
        self._check_messages(messages)
        session = await client.session(self.session_id)
        assert session.message_count == len(messages), f"{self.user}: {session.message_count} counted"
        await self._check_memories(client)
        self._unseen.clear()

    def _check_messages(self, messages: list[Message]) -> None:
        who = self.user
        assert sorted(message.seq for message in messages) == list(range(1, len(messages) + 1)), f"{who}: gaps"
        there = {message.id: _told(message) for message in messages}
        assert len(there) == len(messages), f"{who}: an id twice"
        for request, made in self.acknowledged.values():
            for told in made.messages:
                assert there.pop(told[0], None) == told, f"{who}: {request} was acknowledged and lost {told}"
        left = [message for message in messages if message.id in there]
        doubt = self.doubtful
        if doubt is None or doubt.kind == "memory":
            assert not left, f"{who}: nobody wrote {left}"
            return
        self.resolved[f"{len(left)} of {1 if doubt.kind == 'message' else 2}"] += 1
        assert [message.role for message in left] in ([], [Role.USER], [Role.USER, Role.ASSISTANT]), f"{who}: {left}"
        assert not left or left[0].text == doubt.text, f"{who}: {left} of {doubt}"

    async def _check_memories(self, client: Client) -> None:
        made = Counter((memory.sources, memory.text) for memory in await every(client.memories) if memory.sources)
        assert not [each for each, count in made.items() if count > 1], f"{self.user}: made twice: {made}"
        memories = await told(client)
        texts = Counter(memory.text for memory in memories)
        twice = [text for text, count in texts.items() if count > 1]
        assert not twice, f"{self.user}: remembered twice: {twice}"
        there = {memory.id: memory.text for memory in memories}
        wanted = set()
        for request, made in self.acknowledged.values():
            for memory_id, text in made.memories:
                assert there.get(memory_id) == text, f"{self.user}: {request} was acknowledged and lost {text!r}"
            wanted.add(kept(request))
        assert wanted <= texts.keys(), f"{self.user}: not remembered: {wanted - texts.keys()}"
        extra = texts.keys() - wanted - ({kept(self.doubtful)} if self.doubtful else set())
        assert not extra, f"{self.user}: nobody told {extra}"
        for request_id in self._unseen[-5:]:
            request = self.acknowledged[request_id][0]
            hits, _ = await client.recall(request.word, Page(50))
            # What stands beside it in the session is found with it, and what reflection made of it may say the same.
            texts = [hit.memory.text for hit in hits if not hit.memory.sources]
            assert texts.count(kept(request)) == 1, f"{self.user}: {request} recalls {hits}"


def kept(request: Request) -> str:
    """What is remembered of a request: the command keeps its argument, all else is kept as it was said."""
    return f"The code {request.word} opens the gate" if request.kind == "command" else request.text


async def told(client: Client) -> list[Memory]:
    """What was told, without what reflection made of it behind the answers."""
    return [memory for memory in await every(client.memories) if not memory.sources]


async def together(calls: list[Any]) -> None:
    """Awaits all, and raises the first error only when none is under way any more."""
    errors = [each for each in await asyncio.gather(*calls, return_exceptions=True) if each is not None]
    if errors:
        raise errors[0]
