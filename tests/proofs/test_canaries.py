"""What users say stands in no file and in no log."""

from __future__ import annotations

import asyncio
import json
import random
import struct
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from google.protobuf.message import Message

import alejo
from alejo.settings import Settings
from alejo.types import Ask, Image, MemoryDraft, MessageDraft, Scope
from alejo.v1 import chat_pb2, memory_pb2, ownership_pb2, plugins_pb2, sessions_pb2

from .caller import Caller
from .canaries import Canaries, garble
from .house import SECONDS, House

PLANTED = 100
TURNS = 1000
AT_ONCE = 32
USERS = 20

Telling = Callable[[alejo.Assistant, Scope, str], Awaitable[object]]


@pytest.fixture
def canaries(chance: random.Random) -> Canaries:
    return Canaries(chance)


def picture(comment: str) -> bytes:
    """A PNG of one grey pixel with a comment."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = chunk(b"tEXt", b"Comment\0" + comment.encode()) + chunk(b"IDAT", zlib.compress(b"\0\x80"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


async def _draft(assistant: alejo.Assistant, scope: Scope, word: str) -> None:
    draft = MemoryDraft(f"{word} sings", kind=word, speaker=word, metadata={word: word}, origin=word)
    await assistant.memories.remember(scope, draft, request_id=word)


async def _session(assistant: alejo.Assistant, scope: Scope, word: str) -> None:
    session, _ = await assistant.sessions.create(
        scope, title=word, metadata={word: word}, origin=word, request_id=f"{word}-create"
    )
    draft = MessageDraft(session.id, f"{word} called.", speaker=word, metadata={word: word}, origin=f"{word}-message")
    await assistant.memories.remember(scope, draft, request_id=f"{word}-message")
    await assistant.sessions.update(scope, session.id, title=f"{word} again", request_id=f"{word}-update")


async def _update(assistant: alejo.Assistant, scope: Scope, word: str) -> None:
    memory = await assistant.remember("Something plain.", scope=scope)
    changes = {"text": f"{word} dances", "metadata": {"who": word}, "kind": word, "pinned": True}
    await assistant.memories.update(scope, memory.id, changes, request_id=word)


def _photo(word: str) -> Ask:
    return Ask(f"Look at {word.upper()}.", images=(Image(picture(word), "image/png", f"{word} in the garden"),))


# Every place where a user's own words may stand, names and labels too.
PLACES: tuple[Telling, ...] = (
    lambda assistant, scope, word: assistant.chat(f"My cousin {word} paints boats.", scope=scope),
    lambda assistant, scope, word: assistant.chat(f"Remember that the code {word} opens the gate.", scope=scope),
    lambda assistant, scope, word: assistant.chat(f"Who is the brother of {word}?", scope=scope),
    lambda assistant, scope, word: assistant.conversation.chat(scope, Ask("It rains.", metadata={word: word})),
    lambda assistant, scope, word: assistant.conversation.chat(scope, _photo(word)),
    _draft,
    _session,
    _update,
    lambda assistant, scope, word: assistant.chat("My name is hidden.", scope=Scope(scope.tenant, word)),
    lambda assistant, scope, word: assistant.chat("My tenant is hidden.", scope=Scope(word, scope.user)),
    lambda assistant, scope, word: assistant.keys.add(word, tenant=word, user=word),
)


async def test_nothing_said_is_in_a_file(settings: Settings, tmp_path: Path, canaries: Canaries) -> None:
    """Of 100 canaries in every place of 1,000 turns, none is in any file in any encoding, open or closed."""
    room = asyncio.Semaphore(AT_ONCE)
    words = [canaries.word() for _ in range(PLANTED)]

    async def turn(assistant: alejo.Assistant, number: int) -> None:
        scope = Scope("acme", f"user-{number % USERS}")
        async with room:
            if number < PLANTED:
                await PLACES[number % len(PLACES)](assistant, scope, words[number])
            else:  # asks about one of its own, so that answers quote it
                await assistant.chat(f"Who is {words[number % PLANTED]}, number {number}?", scope=scope)

    async with alejo.open(settings=settings) as assistant:
        await asyncio.gather(*(turn(assistant, number) for number in range(PLANTED)))
        answer = await assistant.chat(f"What does my cousin {words[0]} paint?", scope=Scope("acme", "user-0"))
        assert f"{words[0]} paints boats" in answer.message.text
        await asyncio.gather(*(turn(assistant, number) for number in range(PLANTED, PLANTED + TURNS)))
        assert canaries.found(tmp_path) == {}
    assert canaries.found(tmp_path) == {}
    assert (settings.data_path / "records" / "data.mdb").stat().st_size > 1 << 20, "so little data proves nothing"


def test_the_search_finds(tmp_path: Path, canaries: Canaries) -> None:
    """The search finds a canary in each of its forms, amid other words and in letters of any case."""
    for form in canaries.needles:
        (tmp_path / form).write_bytes(garble(canaries.word(), form))
    (tmp_path / f"{canaries.word()}.txt").touch()
    found = canaries.found(tmp_path)
    assert [form for form in canaries.needles if form not in found.get(form, [])] == []
    assert len(found) == len(canaries.needles) + 1
    assert Canaries(random.Random(7)).found(tmp_path) == {}


TELLTALE = """
    from alejo.hooks import hookimpl
    from alejo.roles import Observer

    class Telltale(Observer):
        async def message_received(self, message):
            raise ValueError(f"{message.text} {message!r}")

        async def response_generated(self, question, answer):
            raise Exception(question, answer)

        async def memory_formed(self, memory):
            raise RuntimeError(memory.text) from KeyError(memory.text)

    @hookimpl
    def alejo_register_observers():
        return [Telltale()]
"""


async def test_nothing_said_is_in_the_log(house: House, canaries: Canaries) -> None:
    """Of what was said to a server, well or badly, and raised by a plugin, nothing is in its log or files, nor told."""
    house.plugin("telltale", TELLTALE)
    house.environment["ALEJO_LOG_LEVEL"] = "debug"
    await house.start()
    async with house.channel() as channel:
        caller = Caller(channel, ("x-alejo-user", canaries.word()))
        replies = [await caller.say(name, request) for name, request in _said(canaries)]
        codes = {reply.code for reply in replies}
        assert codes == {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS"}, codes
        plugins = await _trouble(caller)
    assert canaries.seen(plugins) == [], "what a plugin raised is told to everybody"
    await house.stop()
    log = "\n".join(house.log)
    assert "plugin_call_failed" in log
    assert log.count('"call"') > len(replies)
    assert canaries.seen(log.encode()) == [], [line for line in house.log if canaries.seen(line.encode())]
    assert canaries.found(house.folder) == {}


async def _trouble(caller: Caller) -> bytes:
    """What ListPlugins says once the telltale has failed."""
    async with asyncio.timeout(SECONDS):
        while True:
            reply = await caller.say("PluginsService/ListPlugins", plugins_pb2.ListPluginsRequest())
            plugins = plugins_pb2.ListPluginsResponse.FromString(reply.raw).plugins
            if any(plugin.name == "telltale" and plugin.reason for plugin in plugins):
                return reply.raw


def _exports(word: str) -> list[bytes]:
    """An export that holds a word, and some that are wrong about it."""
    header = {"type": "export", "version": 1, "alejo": word, "at": 1}
    memory = {"type": "memory", "id": "0" * 32, "layer": "semantic", "kind": word, "text": word}
    times = {"sent_at": 1, "recorded_at": 1}
    trees = ([header, memory | times, {"type": "end", "lines": 2}], [header, memory | {word: word}], [{"type": word}])
    return [b"".join(json.dumps(line).encode() + b"\n" for line in tree) for tree in trees]


def _said(canaries: Canaries) -> list[tuple[str, Message]]:
    """Requests that hold canaries, good ones and wrong ones."""
    word, other = canaries.word(), canaries.word()
    chat, memory, sessions = "ChatService/Chat", "MemoryService/", "SessionsService/"
    ownership = "OwnershipService/"
    draft = memory_pb2.MemoryDraft(text=f"{word} sings", kind=word, speaker=word, metadata={word: word}, origin=word)
    filter_ = memory_pb2.MemoryFilter(speaker=word, kinds=[word], metadata={word: word})
    return [
        *[(chat, chat_pb2.ChatRequest(text=f"My cousin {word} paints boats, I hate it.")) for _ in range(7)],
        (chat, chat_pb2.ChatRequest(text=f"My cousin {word} sails.", request_id=word, metadata={word: word})),
        (chat, chat_pb2.ChatRequest(text=f"My cousin {other} sails.", request_id=word)),
        (chat, chat_pb2.ChatRequest(text=f"Remember that {word} dances.", session_id=word)),
        (chat, chat_pb2.ChatRequest(text=word, session_id="0" * 32, metadata={"": word, word * 9: word * 99})),
        (chat, chat_pb2.ChatRequest(text=word, session_id="0" * 32)),
        (chat, chat_pb2.ChatRequest(text=word * 2000)),
        ("ChatService/ChatStream", chat_pb2.ChatStreamRequest(chat=chat_pb2.ChatRequest(text=f"/nothing {word}"))),
        ("ChatService/Converse", chat_pb2.ConverseRequest(chat=chat_pb2.ChatRequest(text=f"forget {word}"))),
        (memory + "Remember", memory_pb2.RememberRequest(memory=draft)),
        (memory + "Recall", memory_pb2.RecallRequest(query=word, filter=filter_)),
        (memory + "Recall", memory_pb2.RecallRequest(query=word, page_token=word)),
        (memory + "BuildContext", memory_pb2.BuildContextRequest(query=word, token_budget=1)),
        (memory + "Forget", memory_pb2.ForgetRequest(memory_ids=[word], request_id=word)),
        (memory + "PreviewForget", memory_pb2.PreviewForgetRequest(query=word, filter=filter_)),
        (memory + "Forget", memory_pb2.ForgetRequest(preview=word)),
        *[(ownership + "ImportUser", ownership_pb2.ImportUserRequest(data=each)) for each in _exports(other)],
        (ownership + "ExportUser", ownership_pb2.ExportUserRequest()),
        (sessions + "CreateSession", sessions_pb2.CreateSessionRequest(title=word, origin=word, metadata={word: word})),
        (sessions + "CreateSession", sessions_pb2.CreateSessionRequest(title=word * 20, parent_id=word)),
        ("PluginsService/GetPlugin", plugins_pb2.GetPluginRequest(name=word)),
    ]
