"""Who did what: the audit names the key that called, in every kind of call, and no one for the local user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from alejo.storage.tables import AUDIT, AuditEntry
from alejo.types import Scope
from alejo.v1 import chat_pb2, memory_pb2, sessions_pb2

from .house import House, drained, house, within

CHAT, MEMORY, SESSIONS = "alejo.v1.ChatService", "alejo.v1.MemoryService", "alejo.v1.SessionsService"
Metadata = list[tuple[str, str]]


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[House]:
    """A server with the built-in plugins and a real conversation."""
    async with house(tmp_path, parrot=False, plugins=None) as one:
        yield one


async def audit(home: House, scope: Scope) -> list[AuditEntry]:
    """The audit of a user."""
    return [row.value for row in await home.assistant.store.scan(scope, AUDIT, limit=1000)]


async def do_everything(home: House, metadata: Metadata) -> None:
    """Calls that write, of every kind: single ones, streams of answers, streams both ways."""

    async def call(method: str, request: object, answer: type) -> object:
        return await within(home.unary(method, answer)(request, metadata=metadata))

    told = await call(f"{CHAT}/Chat", chat_pb2.ChatRequest(text="My dog is called Luna."), chat_pb2.ChatResponse)
    stream = home.stream(f"{CHAT}/ChatStream", chat_pb2.ChatStreamResponse)
    await drained(stream(chat_pb2.ChatStreamRequest(chat={"text": "My cat is called Minka."}), metadata=metadata))
    converse = home.stream(f"{CHAT}/Converse", chat_pb2.ConverseResponse, many=True)
    frames = [chat_pb2.ConverseRequest(chat={"text": text}) for text in ("Hello", "Remember that I am tall.")]
    await drained(converse(iter(frames), metadata=metadata))
    kept = await call(
        f"{MEMORY}/Remember", memory_pb2.RememberRequest(memory={"text": "A thing"}), memory_pb2.RememberResponse
    )
    remember = home.stream(f"{MEMORY}/RememberStream", memory_pb2.RememberStreamResponse, many=True)
    one = memory_pb2.RememberStreamRequest(remember={"memory": {"text": "Another"}, "request_id": "one"})
    await drained(remember(iter([one]), metadata=metadata))
    gone = memory_pb2.ForgetRequest(memory_ids=[kept.memories[0].id])  # type: ignore[attr-defined]
    await call(f"{MEMORY}/Forget", gone, memory_pb2.ForgetResponse)
    delete = sessions_pb2.DeleteSessionRequest(session_id=told.session_id)  # type: ignore[attr-defined]
    await call(f"{SESSIONS}/DeleteSession", delete, sessions_pb2.DeleteSessionResponse)


ACTIONS = {"turn", "session.create", "session.delete", "remember", "memory.forget"}


async def test_the_actor_is_the_key_that_called(whole: House) -> None:
    """Every entry that calls with a key make names that key, though another key calls at the same time."""
    keys = [await whole.assistant.keys.add(name, tenant="acme") for name in ("one", "two")]
    users = ["ann", "ben"]
    await asyncio.gather(
        *(
            do_everything(whole, [("authorization", f"Bearer {token}"), ("x-alejo-user", user)])
            for (_, token), user in zip(keys, users, strict=True)
        )
    )
    for (key, _), user in zip(keys, users, strict=True):
        entries = await audit(whole, Scope("acme", user))
        assert {entry.action for entry in entries} >= ACTIONS
        assert {entry.actor for entry in entries} == {key.id}


async def test_the_local_user_has_no_key(whole: House) -> None:
    """The entries of a call without a key name none, also behind calls with one."""
    _, token = await whole.assistant.keys.add("one", tenant="acme", user="ann")
    await do_everything(whole, [("authorization", f"Bearer {token}")])
    await do_everything(whole, [])
    entries = await audit(whole, Scope("local", "me"))
    assert {entry.action for entry in entries} >= ACTIONS
    assert {entry.actor for entry in entries} == {""}


async def test_the_actor_of_a_turn_that_is_cut(tmp_path: Path) -> None:
    """A turn that ends with its call is noted under the key of that call."""
    async with house(tmp_path, parrot=False) as home:
        key, token = await home.assistant.keys.add("one", tenant="acme", user="ann")
        chat = home.unary(f"{CHAT}/Chat", chat_pb2.ChatResponse)
        with pytest.raises(grpc.aio.AioRpcError):
            await within(chat(chat_pb2.ChatRequest(text="Hello"), metadata=[("authorization", f"Bearer {token}")]))
        await home.assistant.conversation.close()
        entries = await audit(home, Scope("acme", "ann"))
        assert [(entry.action, entry.actor) for entry in entries if entry.action == "turn.failed"] == [
            ("turn.failed", key.id)
        ]
