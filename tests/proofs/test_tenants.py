"""Whatever a user sends, with whosever identifiers, tokens and names: no word of another user comes back."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

import alejo
from alejo import settings
from alejo.server.methods import Method
from alejo.v1 import chat_pb2, jobs_pb2, memory_pb2, ownership_pb2, reminders_pb2, sessions_pb2

from .caller import METHODS, Caller, Reply
from .canaries import Canaries
from .house import SECONDS, House, free_port
from .size import size

TENANTS = 3
USERS = size(20, 100)
CALLS = size(60, 500)  # of each method, with another user's things
# Names that are prefixes of each other, or would end a name, a path, a key or a filter if they were not kept apart.
NAMES = (
    "al",
    "ali",
    "alice",
    "alice:",
    "al/ice",
    "al\0ice",
    "al\0",
    "al%",
    "al%00ice",
    "../alice",
    "' OR 1=1 --",
    "AL",
)
# What a caller may hear of its own words is no leak, so it says others' words only in these places.
WORDS = ("code", "gate", "cousin", "boats", "summer", "the code of the gate", "What is the code of the gate?")

# What may be stated, and asked for.
FACT = {"subject": "Ana", "relation": "lives in", "object": "Rome", "entity": "Ana", "topic": "code"}
UNSET = {"page_token": 0.8, "data": 0.1}  # how often a field is left out, else a quarter
_SIZES = (64, 100, 1000)
NUMBERS = {"page_size": _SIZES, "token_budget": _SIZES, "limit": _SIZES, "usefulness": (1, 2)}
NUMBERS |= dict.fromkeys(("valence", "arousal", "trust", "familiarity"), (0.25, 1))
# Without a preview of one's own, and without a picture, nothing is real.
GUARDED = {"OwnershipService/EraseUser", "VisionService/FindSimilar", "VisionService/UploadImage"}
# What is changed of each, as a mask names it.
CHANGES = {"session": ["title"], "memory": ["pinned", "importance"], "preferences": ["model", "language"]}


class User:
    """One user, what it has said, and everything that others could get hold of but its words."""

    def __init__(self, name: str, caller: Caller, canaries: Canaries) -> None:
        self.caller = caller
        self.canaries = canaries
        self.things: dict[str, list[str]] = {}
        self.lived = 0  # how many calls of its own it has made
        # Some are of this user alone, some are of every user.
        self.request_ids = (f"{name if number % 2 else 'request'}-{number}" for number in itertools.count())

    def note(self, *names: str, value: str) -> None:
        for name in names:
            self.things.setdefault(name, []).append(value)

    async def say(self, name: str, request: Message, response: Any) -> Any:
        """A call that must succeed; every identifier in the answer is noted."""
        reply = await self.caller.say(name, request)
        assert reply.code == "OK", reply
        return response.FromString(reply.raw)

    async def live(self) -> None:
        """Sessions, turns, memories with canaries in every field, and page tokens of everything."""
        word = self.canaries.word
        sessions, memory = "SessionsService/", "MemoryService/"
        for number in range(2):
            request_id = next(self.request_ids)
            self.note("request_id", value=request_id)
            self.note("origin", value=f"origin-{number}")
            create = sessions_pb2.CreateSessionRequest(
                request_id=request_id, title=word(), metadata={"who": word()}, origin=f"origin-{number}"
            )
            made = await self.say(sessions + "CreateSession", create, sessions_pb2.CreateSessionResponse)
            self.note("session_id", "id", "parent_id", value=made.session.id)
            await self._talk(made.session.id)
            listing = sessions_pb2.ListMessagesRequest(session_id=made.session.id, page_size=1)
            await self._pages(sessions + "ListMessages", listing, sessions_pb2.ListMessagesResponse)
        found = await self.say(
            memory + "ListMemories", memory_pb2.ListMemoriesRequest(page_size=3), memory_pb2.ListMemoriesResponse
        )
        for one in found.memories:
            self.note("memory_id", "memory_ids", "id", value=one.id)
            self.note("etag", value=one.etag)
        for name, request, response in (
            (
                sessions + "ListSessions",
                sessions_pb2.ListSessionsRequest(page_size=1),
                sessions_pb2.ListSessionsResponse,
            ),
            (memory + "ListMemories", memory_pb2.ListMemoriesRequest(page_size=1), memory_pb2.ListMemoriesResponse),
            (memory + "Recall", memory_pb2.RecallRequest(query="code", page_size=1), memory_pb2.RecallResponse),
        ):
            await self._pages(name, request, response)
        jobs = await self.say("JobsService/ListJobs", jobs_pb2.ListJobsRequest(), jobs_pb2.ListJobsResponse)
        for job in jobs.jobs:
            self.note("job_id", "job_ids", value=job.id)
        self.lived = len(self.caller.sent)

    async def _pages(self, name: str, request: Any, response: Any) -> None:
        """Two pages, and the token between them."""
        request.page_token = (await self.say(name, request, response)).next_page_token
        assert request.page_token
        self.note("page_token", value=request.page_token)
        await self.say(name, request, response)

    async def _talk(self, session: str) -> None:
        word = self.canaries.word
        for text in (f"The code of the gate is {word()}.", f"My cousin {word()} paints boats.", "What is the code?"):
            request_id = next(self.request_ids)
            chat = chat_pb2.ChatRequest(request_id=request_id, session_id=session, text=text, metadata={"who": word()})
            answer = await self.say("ChatService/Chat", chat, chat_pb2.ChatResponse)
            self.note("request_id", value=request_id)
            self.note("message_id", "id", value=answer.user_message.id)
        wanted = reminders_pb2.CreateReminderRequest(text=f"Call {word()}")
        wanted.due_at.FromSeconds(int(time.time()) + 86_400)
        promised = await self.say("RemindersService/CreateReminder", wanted, reminders_pb2.CreateReminderResponse)
        self.note("reminder_id", "id", value=promised.reminder.id)
        request_id, origin = next(self.request_ids), f"memory of {session}"
        self.note("request_id", value=request_id)
        self.note("origin", value=origin)
        draft = memory_pb2.MemoryDraft(
            text=f"{word()} sang in summer", speaker=word(), metadata={"who": word()}, pinned=True, origin=origin
        )
        kept = await self.say(
            "MemoryService/Remember",
            memory_pb2.RememberRequest(request_id=request_id, memory=draft),
            memory_pb2.RememberResponse,
        )
        self.note("memory_id", "memory_ids", "id", value=kept.memories[0].id)

    async def all(self) -> list[Reply]:
        """All that it can list."""
        sessions = sessions_pb2.ListSessionsRequest(page_size=1000)
        replies = [await self.caller.say("SessionsService/ListSessions", sessions)]
        for session_id in self.things["session_id"]:
            listing = sessions_pb2.ListMessagesRequest(session_id=session_id, page_size=1000)
            replies.append(await self.caller.say("SessionsService/ListMessages", listing))
        memories = memory_pb2.ListMemoriesRequest(page_size=1000)
        replies.append(await self.caller.say("OwnershipService/ExportUser", ownership_pb2.ExportUserRequest()))
        return [*replies, await self.caller.say("MemoryService/ListMemories", memories)]


class Thief(msgspec.Struct):
    """Makes requests out of another user's things."""

    chance: random.Random
    things: dict[str, list[str]]

    def request(self, method: Method) -> Message:
        return self._fill(method.request())

    def _fill(self, message: Message) -> Message:
        oneofs: Any = message.DESCRIPTOR.oneofs
        chosen = {self.chance.choice(oneof.fields).name for oneof in oneofs}
        for field in message.DESCRIPTOR.fields:
            if field.containing_oneof is not None and field.name not in chosen:
                continue
            if field.name == "due_at":
                message.due_at.FromSeconds(int(time.time()) + 86_400)  # type: ignore[attr-defined]
                continue
            if self.chance.random() < (UNSET | dict.fromkeys(FACT, 0.05)).get(field.name, 0.25):
                continue
            self._set(message, field)
        return message

    def _set(self, message: Message, field: Any) -> None:
        name = field.name
        if field.message_type is not None:
            if field.message_type.full_name == "google.protobuf.FieldMask":
                kind = message.DESCRIPTOR.name.removeprefix("Update").removesuffix("Request").lower()
                getattr(message, name).paths[:] = CHANGES[kind]
            elif not field.is_repeated and field.message_type.full_name.startswith("alejo."):
                self._fill(getattr(message, name))
                getattr(message, name).SetInParent()
        elif field.is_repeated:
            if field.type == FieldDescriptor.TYPE_STRING and name in self.things:
                getattr(message, name).extend(self.chance.sample(self.things[name], 2))
        elif field.type == FieldDescriptor.TYPE_STRING:
            setattr(message, name, self._string(name))
        elif name == "data" and message.DESCRIPTOR.name == "ImportUserRequest":
            message.data = self._export()  # type: ignore[attr-defined]
        elif field.type == FieldDescriptor.TYPE_BOOL:
            setattr(message, name, self.chance.random() < 0.5)
        elif name in NUMBERS:
            setattr(message, name, self.chance.choice(NUMBERS[name]))

    def _export(self) -> bytes:
        """An export that names another's memories and sessions as its own."""
        session, memory = (self.chance.choice(self.things[name]) for name in ("session_id", "memory_id"))
        lines = [
            {"type": "export", "version": 1, "alejo": "0", "at": 1},
            {"type": "session", "id": session, "state": "active", "created_at": 1, "updated_at": 1},
            {
                "type": "memory",
                "id": memory,
                "layer": "semantic",
                "kind": "note",
                "text": self.chance.choice(WORDS),
                "sent_at": 1,
                "recorded_at": 1,
                "sources": [self.chance.choice(self.things["memory_id"])],
            },
            {"type": "end", "lines": 3},
        ]
        return b"\n".join(json.dumps(line).encode() for line in lines) + b"\n"

    def _string(self, name: str) -> str:
        if name in self.things:
            # Of the right sort mostly, else of any: a memory's identifier where a session's belongs.
            sort = name if self.chance.random() < 0.8 else self.chance.choice(list(self.things))
            return self.chance.choice(self.things[sort])
        return {"query": self.chance.choice(WORDS), "text": self.chance.choice(WORDS), "name": "brain"}.get(
            name, FACT.get(name, "")
        )


async def _credentials(house: House) -> list[list[tuple[str, str]]]:
    """The metadata of each user: a key of their own, or their tenant's and their name where a header can carry it."""
    chosen = settings.read(house.environment, {})
    async with alejo.open(settings=chosen, entry_points=[]) as assistant:
        add = assistant.keys.add
        tenants = ["t", "t:al", "t\0"]
        assert len(tenants) == TENANTS
        every = ("read", "write", "operator")
        keys = [(await add("any", tenant=tenant, scopes=every))[1] for tenant in tenants]
        made = []
        for number in range(USERS):
            # Users of other tenants have the same names.
            turn, tenant = divmod(number, TENANTS)
            name = NAMES[turn] if turn < len(NAMES) else f"{NAMES[turn % len(NAMES)]}{turn}"
            if "\0" in name:
                _, token = await add("one", tenant=tenants[tenant], user=name)
                made.append([("authorization", f"Bearer {token}")])
            else:
                made.append([("authorization", f"Bearer {keys[tenant]}"), ("x-alejo-user", name)])
        return made


async def test_no_word_of_another_user(house: House, chance: random.Random) -> None:
    """Users call every method with each other's identifiers and tokens, and hear only themselves, wherever told."""
    metrics = free_port()
    house.environment["ALEJO_LIMITS_CONNECTIONS_PER_ADDRESS"] = str(2 * USERS)  # each has a connection
    house.environment |= {"ALEJO_SERVER_METRICS_ADDRESS": f"127.0.0.1:{metrics}", "ALEJO_LOG_LEVEL": "debug"}
    house.environment |= {"ALEJO_LIMITS_REQUESTS_PER_SECOND": "0"}  # a call that is refused proves nothing
    credentials = await _credentials(house)
    await house.start()
    async with AsyncExitStack() as stack:
        users = []
        for number, metadata in enumerate(credentials):
            channel = await stack.enter_async_context(house.channel())
            caller = Caller(channel, *metadata)
            users.append(User(str(number), caller, Canaries(chance)))
            await users[-1].live()
        before = [[reply.raw for reply in await user.all()] for user in users]
        for user, owned in zip(users, before, strict=True):
            assert all(user.canaries.seen(raw) for raw in owned), "a user who hears nothing proves nothing"

        codes: dict[str, Counter[str]] = {name: Counter() for name in METHODS}
        for name, requests, user in _thefts(users, chance):
            reply = await user.caller.say(name, *requests)
            codes[name][reply.code] += 1
            heard = [each for each in users if each is not user and each.canaries.seen(reply.raw)]
            assert not heard, f"{name} {requests} told another's words: {reply}"
        for user, owned in zip(users, before, strict=True):
            after = b"".join(reply.raw for reply in await user.all())
            assert [each for each in users if each.canaries.seen(after)] == [user]
            gone = [word for word in user.canaries.words if word in b"".join(owned).decode(errors="replace")]
            assert not [word for word in gone if word.encode() not in after], "another has changed or deleted it"
        told = await asyncio.to_thread(_scraped, metrics)
    await house.stop()
    assert b"alejo_calls_total" in told
    everywhere = told + "\n".join(house.log).encode()
    assert [user for user in users if user.canaries.seen(everywhere)] == []
    print({name: dict(counts) for name, counts in codes.items()})
    for name, counts in codes.items():
        assert counts["INTERNAL"] + counts["UNKNOWN"] == 0, name
        # ABORTED is what an etag of something else gets.
        real = sum(counts[code] for code in ("OK", "NOT_FOUND", "FAILED_PRECONDITION", "ABORTED"))
        assert real >= CALLS / 10 or name in GUARDED, f"{name} {counts}: hardly any calls were real ones"


def _scraped(port: int) -> bytes:
    """What the metrics say."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
        return bytes(answer.read())


def _thefts(users: list[User], chance: random.Random) -> Iterator[tuple[str, tuple[Message, ...], User]]:
    """Calls with another user's things, and the very calls that others have made, but for those that hold words."""
    for name, method in METHODS.items():
        for _ in range(CALLS):
            user, other = chance.sample(users, 2)
            thief = Thief(chance, other.things)
            yield (
                name,
                tuple(
                    thief.request(method) for _ in range(3 if method.asks_many and method.name != "ImportUser" else 1)
                ),
                user,
            )
    for _ in range(CALLS // 2):
        user, other = chance.sample(users, 2)
        for name, requests in list(other.caller.sent[: other.lived]):
            if not any(other.canaries.seen(request.SerializeToString()) for request in requests):
                yield name, requests, user
