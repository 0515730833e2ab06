"""A request that is sent several times, at once, out of order and across kills, has one effect and one answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec

from alejo.client import Client
from alejo.errors import AlejoError, Unavailable
from alejo.types import Answer, Ask, Kept, MemoryDraft, MessageDraft, Session

from .house import SECONDS, House
from .writers import every, together, told

REQUESTS = 500
MOST = 5  # how often one is sent
SENDERS = 24
USERS = 5
KILLS = 2


class Made(msgspec.Struct, frozen=True):
    """What a request did, by identifiers and words: the same each time it is told."""

    ids: tuple[str, ...]
    texts: tuple[str, ...] = ()


Send = Callable[[Client], Awaitable[Answer | Kept | Session]]


class Request(msgspec.Struct, frozen=True, eq=False):
    """One effect that is wanted once."""

    id: str
    user: str
    word: str
    kind: str
    target: str  # the session it goes to, or the memory it is about

    async def send(self, client: Client) -> Made:
        text = f"My cousin {self.word} paints boats."
        match self.kind:
            case "chat":
                return _answered(await client.chat(Ask(text, self.target, self.id)))
            case "new":
                return _answered(await client.chat(Ask(text, "", self.id)))
            case "command":
                return _answered(await client.chat(Ask(f"Remember that {text}", self.target, self.id)))
            case "session":
                session, _ = await client.create_session(title=self.word, request_id=self.id)
                return Made((session.id,), (session.title,))
            case "memory":
                return _kept(await client.remember(MemoryDraft(text), request_id=self.id))
            case "forget":
                return Made(tuple(map(str, await client.forget([self.target], request_id=self.id))))
        return _kept(await client.remember(MessageDraft(self.target, text, speaker="Ann"), request_id=self.id))

    @property
    def effects(self) -> Counter[str]:
        """How many sessions, messages and memories with its word there shall be."""
        kinds = {"session": ("session",), "memory": ("memory",), "forget": ()}
        return Counter(kinds.get(self.kind, ("message", "memory")))


KINDS = ("chat", "new", "command", "session", "memory", "message", "forget")


def _answered(answer: Answer) -> Made:
    pair = answer.user_message, answer.message
    return Made((answer.turn_id, answer.session_id, *(each.id for each in pair)), tuple(each.text for each in pair))


def _kept(kept: Kept) -> Made:
    made = [(each.id, each.text) for each in kept.memories]
    made += [(kept.message.id, kept.message.text)] if kept.message else []
    return Made(*map(tuple, zip(*made, strict=True)))


class Post:
    """Sends what waits, in any order, and keeps what every sending was answered."""

    def __init__(self, house: House, chance: random.Random) -> None:
        self.answers: dict[str, list[Made]] = {}
        self.waiting: list[Request] = []
        self.sent = self.lost = 0
        self._house = house
        self._chance = chance

    async def deliver(self, kill_at: int | None = None) -> None:
        """Sends until nothing waits, or until so many are answered; then the server is killed amid the others."""
        async with AsyncExitStack() as stack:
            users = sorted({request.user for request in self.waiting})
            clients = {user: await stack.enter_async_context(self._house.client(user)) for user in users}
            reached = asyncio.Event()
            tasks = [asyncio.create_task(self._send(clients, reached, kill_at)) for _ in range(SENDERS)]
            if kill_at is not None:
                watch = asyncio.create_task(reached.wait())
                await asyncio.wait([watch, *tasks], timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
                watch.cancel()
                await self._house.kill()
            async with asyncio.timeout(2 * SECONDS):
                await together(tasks)
            assert kill_at is None or reached.is_set()

    async def _send(self, clients: dict[str, Client], reached: asyncio.Event, kill_at: int | None) -> None:
        while self.waiting:
            request = self.waiting.pop()
            self.sent += 1
            try:
                made = await request.send(clients[request.user])
            except Unavailable:
                self.lost += 1
                self.waiting.insert(self._chance.randrange(len(self.waiting) + 1), request)
                if kill_at is not None:
                    return
                continue
            except AlejoError as error:
                raise AssertionError(f"{request} was answered {error!r}") from error
            self.answers.setdefault(request.id, []).append(made)
            if kill_at is not None and sum(map(len, self.answers.values())) >= kill_at:
                reached.set()


async def _requests(house: House, chance: random.Random) -> list[Request]:
    """The requests, and what they are about."""
    requests = []
    for user in (f"user-{number}" for number in range(USERS)):
        async with house.client(user) as client:
            sessions = [(await client.create_session(title="plain"))[0].id for _ in range(3)]
            for number in range(REQUESTS // USERS):
                word = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=12))
                kind, target = chance.choice(KINDS), chance.choice(sessions)
                if kind == "forget":
                    target = (await client.remember(MemoryDraft(word))).memories[0].id
                requests.append(Request(f"{user}-{number}", user, word, kind, target))
    return requests


async def _effects(house: House, requests: list[Request]) -> dict[str, Counter[str]]:
    """What there is of each request's word."""
    there: dict[str, Counter[str]] = {request.word: Counter() for request in requests}

    def count(kind: str, text: str) -> None:
        for word in text.replace(".", " ").split():
            if word in there:
                there[word][kind] += 1

    for user in sorted({request.user for request in requests}):
        async with house.client(user) as client:
            for session in await every(client.sessions):
                count("session", session.title)
                for message in await every(lambda page, of=session.id: client.messages(of, page)):  # type: ignore[misc]
                    if message.role == 1:
                        count("message", message.text)
            for memory in await told(client):
                count("memory", memory.text)
    return there


async def test_retries(house: House, chance: random.Random) -> None:
    """500 requests, each sent 1 to 5 times at random across 2 kills, have one effect each and one answer each."""
    await house.start()
    requests = await _requests(house, chance)
    post = Post(house, chance)
    post.waiting = [request for request in requests for _ in range(chance.randint(1, MOST))]
    chance.shuffle(post.waiting)
    copies = len(post.waiting)
    for number in range(KILLS):
        await post.deliver(copies * (number + 1) // (KILLS + 1) + chance.randrange(100))
        await house.start()
    await post.deliver()

    assert sum(map(len, post.answers.values())) == copies
    differing = {each: made for each, made in post.answers.items() if len(set(made)) > 1}
    assert not differing, f"told differently: {differing}"
    wrong = {
        request.id: (request, there)
        for request, there in zip(requests, (await _effects(house, requests)).values(), strict=True)
        if +there != +request.effects
    }
    assert not wrong, f"not done once: {wrong}"
    await house.stop()
    print(f"{REQUESTS} requests sent {post.sent} times, {post.lost} times cut off by {KILLS} kills: one effect each")


async def test_one_request_id_for_two_things(house: House) -> None:
    """Of two different messages that are sent at once under one request id, one is answered and the other refused."""
    await house.start()
    async with house.client("ada") as client, house.client("ada") as other:
        for number in range(20):
            asks = [Ask(f"My cousin {name} paints boats.", "", f"{number}") for name in ("Ann", "Bert")]
            calls = client.chat(asks[0]), other.chat(asks[1])
            results = await asyncio.gather(*calls, return_exceptions=True)
            kinds = sorted(type(result).__name__ for result in results)
            assert kinds == ["AlreadyExists", "Answer"], f"{number}: {results}"
    await house.stop()
