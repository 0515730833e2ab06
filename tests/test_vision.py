"""Pictures over the wire: in parts, whole or not at all, and found by their likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import EntryPoint, entry_points

import grpc
import pytest

import alejo
from alejo import Assistant
from alejo.client import Client, connect
from alejo.errors import AlreadyExists, InvalidArgument, NotFound, PluginFailed, ResourceExhausted
from alejo.identity import LOCAL
from alejo.memory.pictures import PERCEPT
from alejo.server import Server, vision
from alejo.settings import Settings
from alejo.storage.tables import AUDIT, MEMORIES
from alejo.types import Filter, Image, MemoryDraft, Page
from alejo.v1 import vision_pb2 as pb
from alejo.v1 import vision_pb2_grpc

from . import pictures
from .pictures import shown

ONE, LIKE, FAR = "00ff00ff00ff00ff", "00ff00ff00ff00f0", "ff00ff00ff00ff00"


@pytest.fixture
async def home(settings: Settings) -> AsyncIterator[Assistant]:
    points = [point for point in entry_points(group="alejo") if point.name != "vision"]
    eye = EntryPoint("eye", pictures.__name__, "alejo")
    async with alejo.open(settings=settings, entry_points=[*points, eye]) as opened:
        yield opened


@pytest.fixture
async def server(home: Assistant) -> AsyncIterator[Server]:
    started = Server(home, tcp=False, metrics=False)
    await started.start()
    yield started
    await started.drain(0.0)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with connect(f"unix:{server.socket_path}") as connected:
        yield connected


@pytest.fixture
async def stub(server: Server) -> AsyncIterator[vision_pb2_grpc.VisionServiceStub]:
    async with grpc.aio.insecure_channel(f"unix:{server.socket_path}") as channel:
        yield vision_pb2_grpc.VisionServiceStub(channel)


async def sent(stub: vision_pb2_grpc.VisionServiceStub, frames: Sequence[pb.UploadImageRequest]) -> str:
    """What an upload of these frames is refused with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.UploadImage(iter(frames))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return caught.value.details() or ""


async def test_a_picture_is_seen_and_remembered(home: Assistant, client: Client) -> None:
    """One that comes in many parts is seen whole; the same request again makes no second memory."""
    large = Image(shown(ONE, "The locker code is heron").data + b" " * 1_000_000, caption="my locker")
    percept, memory = await client.pictures.see(large, request_id="once")
    assert percept.text.startswith("The locker code is heron")
    assert memory is not None
    assert memory.kind == PERCEPT
    hits, _ = await client.recall("locker code")
    assert hits[0].memory.id == memory.id
    _, again = await client.pictures.see(large, request_id="once")
    assert again == memory
    with pytest.raises(AlreadyExists):
        await client.pictures.see(shown(FAR), request_id="once")
    done = [row.value.action for row in await home.store.scan(LOCAL, AUDIT)]
    assert done.count("remember") == 1


async def test_a_picture_joins_a_session(client: Client) -> None:
    """With a session the picture itself is kept, as a message; its memory goes with that."""
    session, _ = await client.create_session()
    _, memory = await client.pictures.see(shown(ONE, "Bring the ladder"), session_id=session.id)
    assert memory is not None
    messages, _ = await client.messages(session.id)
    assert [(each.text, len(each.images), each.id) for each in messages] == [("", 1, memory.message_id)]
    await client.delete_session(session.id)
    with pytest.raises(NotFound):
        await client.memory(memory.id)
    with pytest.raises(NotFound):
        await client.pictures.see(shown(ONE), session_id="0" * 32)


async def test_only_looking_keeps_nothing(home: Assistant, client: Client) -> None:
    """What is only looked at leaves no record, and no fact is read in any picture."""
    percept, memory = await client.pictures.see(shown(ONE, "I live in Oslo."), look_only=True)
    assert (percept.perceptual_hash, memory) == (ONE, None)
    assert await home.store.scan(LOCAL, MEMORIES) == []
    await client.pictures.see(shown(ONE, "I live in Oslo."))
    assert (await client.facts())[0] == []


async def test_what_is_no_picture_leaves_nothing(home: Assistant, client: Client) -> None:
    """It is refused, and nothing of it is kept."""
    with pytest.raises(InvalidArgument):
        await client.pictures.see(Image(b"not a picture"))
    assert await home.store.scan(LOCAL, MEMORIES) == []


async def test_what_comes_must_be_what_was_announced(stub: vision_pb2_grpc.VisionServiceStub, home: Assistant) -> None:
    """Too much, too little, a size beyond the limit, no head and two heads are refused, and leave nothing."""
    data = shown(ONE).data
    head = pb.ImageHead(size=len(data))
    assert "data" in await sent(stub, [pb.UploadImageRequest(head=head, data=data + b"x")])
    assert "data" in await sent(stub, [pb.UploadImageRequest(head=head, data=data[:-1])])
    assert "size" in await sent(stub, [pb.UploadImageRequest(head={"size": 1 << 25})])
    assert "size" in await sent(stub, [pb.UploadImageRequest(head={"size": 4_000_000, "session_id": "0" * 32})])
    assert "head" in await sent(stub, [pb.UploadImageRequest(data=data)])
    assert "head" in await sent(stub, [pb.UploadImageRequest(head=head, data=b"0"), pb.UploadImageRequest(head=head)])
    assert "data" in await sent(stub, [pb.UploadImageRequest(head=head, data=bytes(1_048_577))])
    assert await sent(stub, [])
    assert await home.store.scan(LOCAL, MEMORIES) == []


async def test_a_cut_upload_leaves_nothing(
    stub: vision_pb2_grpc.VisionServiceStub, server: Server, home: Assistant
) -> None:
    """When the client goes before the end, nothing is kept."""
    assert server._gate is not None
    call = stub.UploadImage()
    await call.write(pb.UploadImageRequest(head={"size": 1000}, data=shown(ONE).data))
    while not server._gate.calls:  # noqa: ASYNC110
        await asyncio.sleep(0)
    call.cancel()
    while server._gate.calls:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert await home.store.scan(LOCAL, MEMORIES) == []


async def test_pictures_have_a_room(home: Assistant) -> None:
    """All that are coming in at a time may have so many bytes; more is refused before a byte of it is read."""
    calls = vision.VisionCalls(home.uploads)
    for _ in range(8):
        calls._take(16 << 20)
    with pytest.raises(ResourceExhausted):
        calls._take(1)


async def test_like_pictures_are_found(client: Client) -> None:
    """By a memory, without itself, or by a hash: nearest first, as far as one asks."""
    kept = {}
    for known in (FAR, LIKE, ONE):
        _, memory = await client.pictures.see(shown(known))
        assert memory is not None
        kept[known] = memory.id
    find = client.pictures.similar
    assert [(memory.id, bits) for memory, bits in await find(kept[ONE])] == [(kept[LIKE], 4)]
    assert [memory.id for memory, _ in await find(perceptual_hash=ONE)] == [kept[ONE], kept[LIKE]]
    assert [memory.id for memory, _ in await find(perceptual_hash=ONE, distance=0)] == [kept[ONE]]
    assert [memory.id for memory, _ in await find(perceptual_hash=ONE, limit=1)] == [kept[ONE]]
    await client.forget([kept[LIKE]])
    assert await find(kept[ONE]) == []


async def test_likes_of_what_is_no_picture(client: Client) -> None:
    """A memory of no picture, a hash that is none, and neither are refused."""
    note = (await client.remember(MemoryDraft("A note."))).memories[0]
    for given in ({"memory_id": note.id}, {"perceptual_hash": "xyz"}, {}):
        with pytest.raises(InvalidArgument):
            await client.pictures.similar(**given)
    with pytest.raises(NotFound):
        await client.pictures.similar("0" * 32)


async def test_without_an_eye(settings: Settings) -> None:
    """Where nothing can look, that is said, and nothing is kept."""
    async with alejo.open(settings=settings, entry_points=[]) as home:
        server = Server(home, tcp=False, metrics=False)
        await server.start()
        async with connect(f"unix:{server.socket_path}") as client:
            with pytest.raises(PluginFailed):
                await client.pictures.see(shown(ONE))
            assert (await client.memories(Page(), Filter(include_archived=True)))[0] == []
        await server.drain(0.0)
