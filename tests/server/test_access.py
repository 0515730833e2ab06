"""Who may call what: a matrix made from the descriptors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from alejo.server import methods as room
from alejo.server.methods import ACCESS, Access, Method, methods
from alejo.v1 import admin_pb2, chat_pb2

from .house import House, Refusal, drained, house, within

Code = grpc.StatusCode
METHODS = list(methods(reflection=True))


class Keyring(SimpleNamespace):
    """The metadata of every sort of caller."""

    home: House
    tenant: str
    bound: str
    revoked: str


@pytest.fixture
async def ring(tmp_path: Path) -> AsyncIterator[Keyring]:
    async with house(tmp_path, server__local_user=False) as home:
        keys = home.assistant.keys
        tokens = {
            "tenant": (await keys.add("tenant", tenant="acme"))[1],
            "bound": (await keys.add("bound", tenant="acme", user="ana"))[1],
            "revoked": (await keys.add("old", tenant="acme"))[1],
        }
        await keys.revoke("old")
        yield Keyring(home=home, **tokens)


async def code(home: House, method: Method, metadata: list[tuple[str, str]]) -> Code:
    """How a call of a method with an empty request ends."""
    try:
        if not method.gives_many:
            await within(home.unary(method.label)(b"", metadata=metadata))
        elif method.name == "Watch":
            call = home.stream(method.label)(b"", metadata=metadata)
            await within(call.read())
            call.cancel()
        else:
            frames: Any = iter([b""]) if method.asks_many else b""
            await drained(home.stream(method.label, many=method.asks_many)(frames, metadata=metadata))
    except grpc.aio.AioRpcError as error:
        if error.code() is not Code.CANCELLED:
            Refusal(error)
        return error.code()
    return Code.OK


def bearer(token: str, user: str = "") -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}"), *([("x-alejo-user", user)] if user else [])]


async def test_no_method_answers_a_stranger(ring: Keyring) -> None:
    """Without a key, with a wrong, a mangled or a revoked one, every method but health and reflection is closed."""
    wrong = ring.tenant[:-4] + ("aaaa" if not ring.tenant.endswith("aaaa") else "bbbb")
    strangers = {
        "none": [],
        "only a name": [("x-alejo-user", "ana")],
        "wrong": bearer(wrong, "ana"),
        "revoked": bearer(ring.revoked, "ana"),
        "no token": [("authorization", "Bearer "), ("x-alejo-user", "ana")],
        "another scheme": [("authorization", f"Basic {ring.tenant}"), ("x-alejo-user", "ana")],
    }
    found = {
        (method.label, name): await code(ring.home, method, metadata)
        for method in METHODS
        for name, metadata in strangers.items()
    }
    closed = {place for place, how in found.items() if how is Code.UNAUTHENTICATED}
    assert closed == {place for place in found if ACCESS[place[0]] is not Access.OPEN}


async def test_no_key_acts_for_another_user(ring: Keyring) -> None:
    """A bound key may name only its own user, and a tenant's key must name one, in every method."""
    for method in METHODS:
        if method.access is Access.OPEN:
            continue
        assert await code(ring.home, method, bearer(ring.bound, "eve")) is Code.PERMISSION_DENIED, method.label
        assert await code(ring.home, method, bearer(ring.tenant)) is Code.INVALID_ARGUMENT, method.label
        assert await code(ring.home, method, bearer(ring.tenant, "x" * 129)) is Code.INVALID_ARGUMENT, method.label


async def test_who_passes_is_who_the_key_says(ring: Keyring) -> None:
    """The scope of a call is the key's tenant and the named or bound user."""
    chat = ring.home.unary("alejo.v1.ChatService/Chat", chat_pb2.ChatResponse)
    for metadata in (bearer(ring.bound), bearer(ring.bound, "ana"), bearer(ring.tenant, "eve")):
        await within(chat(chat_pb2.ChatRequest(text="hi"), metadata=metadata))
    assert [(one.tenant, one.user) for one in ring.home.parrot.scopes] == [
        ("acme", "ana"),
        ("acme", "ana"),
        ("acme", "eve"),
    ]


async def test_settings_are_for_operators(ring: Keyring) -> None:
    """A key without the scope operator may not read the settings; one with it may; what is secret is hidden."""
    method = next(one for one in METHODS if one.name == "GetSettings")
    assert await code(ring.home, method, bearer(ring.bound)) is Code.PERMISSION_DENIED
    assert await code(ring.home, method, bearer(ring.tenant, "eve")) is Code.PERMISSION_DENIED
    _, token = await ring.home.assistant.keys.add("boss", tenant="acme", scopes=["operator"])
    get = ring.home.unary(method.label, admin_pb2.GetSettingsResponse)
    shown = await within(get(admin_pb2.GetSettingsRequest(), metadata=bearer(token, "eve")))
    values = {one.name: one.value for one in shown.settings}
    assert values["server.local_user"] == "false"
    assert list(values) == sorted(values)


async def test_the_local_user_needs_no_key(home: House) -> None:
    """A caller on this machine is local/me, or whom it names; but a key that is wrong is not overlooked."""
    chat = home.unary("alejo.v1.ChatService/Chat", chat_pb2.ChatResponse)
    await within(chat(chat_pb2.ChatRequest(text="hi")))
    await within(chat(chat_pb2.ChatRequest(text="hi"), metadata=[("x-alejo-user", "eve")]))
    assert [(one.tenant, one.user) for one in home.parrot.scopes] == [("local", "me"), ("local", "eve")]
    method = next(one for one in METHODS if one.name == "Chat")
    assert await code(home, method, bearer("nonsense")) is Code.UNAUTHENTICATED
    assert await code(home, method, [("authorization", "Bearer ")]) is Code.UNAUTHENTICATED


def test_a_method_without_a_row_is_refused() -> None:
    """A new RPC stops the server from starting until it has a row in ACCESS, and no row is left of an old one."""
    assert {one.label for one in METHODS} == set(ACCESS)
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="new.proto", package="alejo.v1", syntax="proto3")
    file.message_type.add(name="NewRequest")
    file.service.add(name="ChatService").method.add(
        name="Shout", input_type=".alejo.v1.NewRequest", output_type=".alejo.v1.NewRequest"
    )
    pool.AddSerializedFile(file.SerializeToString())
    with pytest.raises(KeyError, match=r"ChatService/Shout"):
        list(room._of(pool.FindFileByName("new.proto")))
