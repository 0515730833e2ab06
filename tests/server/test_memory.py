"""Memories over the wire, with the real rooms behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import generate_latest

from alejo.memory import Memories
from alejo.types import Scope
from alejo.v1 import memory_pb2 as pb

from .house import House, details, drained, house, refused, within

SERVICE = "alejo.v1.MemoryService"


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, parrot=False) as home:
        yield home


def note(text: str, request_id: str = "") -> pb.RememberStreamRequest:
    return pb.RememberStreamRequest(remember={"request_id": request_id, "memory": {"text": text}})


async def test_a_memory_lives(shelf: House) -> None:
    """Remember, Get, Update with a mask, List, Recall, BuildContext and Forget tell of the same memory."""
    made = await within(
        shelf.unary(f"{SERVICE}/Remember", pb.RememberResponse)(
            pb.RememberRequest(request_id="r", memory={"text": "The key is under the mat.", "importance": 0.0})
        )
    )
    (memory,) = made.memories
    assert memory.importance == 0.0
    assert memory.kind == "note"
    changed = await within(
        shelf.unary(f"{SERVICE}/UpdateMemory", pb.UpdateMemoryResponse)(
            pb.UpdateMemoryRequest(
                memory={"id": memory.id, "pinned": True, "text": "ignored", "etag": memory.etag},
                update_mask={"paths": ["pinned"]},
            )
        )
    )
    assert changed.memory.pinned
    assert changed.memory.text == memory.text
    assert changed.memory.etag != memory.etag
    got = await within(
        shelf.unary(f"{SERVICE}/GetMemory", pb.GetMemoryResponse)(pb.GetMemoryRequest(memory_id=memory.id))
    )
    assert got.memory == changed.memory
    listed = await within(shelf.unary(f"{SERVICE}/ListMemories", pb.ListMemoriesResponse)(pb.ListMemoriesRequest()))
    assert list(listed.memories) == [got.memory]
    found = await within(
        shelf.unary(f"{SERVICE}/Recall", pb.RecallResponse)(pb.RecallRequest(query="where is the key"))
    )
    assert found.hits[0].memory == got.memory
    assert found.hits[0].evidence
    context = await within(
        shelf.unary(f"{SERVICE}/BuildContext", pb.BuildContextResponse)(pb.BuildContextRequest(query="key"))
    )
    assert memory.text in context.text
    assert context.items[0].memory_id == memory.id
    gone = await within(
        shelf.unary(f"{SERVICE}/Forget", pb.ForgetResponse)(pb.ForgetRequest(memory_ids=[memory.id, "f" * 32]))
    )
    assert gone.memories_forgotten == 1
    refusal = await refused(
        shelf.unary(f"{SERVICE}/GetMemory", pb.GetMemoryResponse)(pb.GetMemoryRequest(memory_id=memory.id))
    )
    assert refusal.code is grpc.StatusCode.NOT_FOUND
    assert refusal.details["ResourceInfo"].resource_name == memory.id


async def test_an_old_etag_is_refused(shelf: House) -> None:
    """An update that carries the etag of an older version is refused with ABORTED."""
    made = await within(
        shelf.unary(f"{SERVICE}/Remember", pb.RememberResponse)(pb.RememberRequest(memory={"text": "one"}))
    )
    update = shelf.unary(f"{SERVICE}/UpdateMemory", pb.UpdateMemoryResponse)
    memory = made.memories[0]
    await within(update(pb.UpdateMemoryRequest(memory={"id": memory.id, "text": "two", "etag": memory.etag})))
    refusal = await refused(
        update(pb.UpdateMemoryRequest(memory={"id": memory.id, "text": "three", "etag": memory.etag}))
    )
    assert refusal.code is grpc.StatusCode.ABORTED


class Counted:
    """The real memories, noting how many things came in one call."""

    def __init__(self, memories: Memories) -> None:
        self._memories = memories
        self.sizes: list[int] = []

    async def remember_many(self, scope: Scope, items: Sequence[Any]) -> list[Any]:
        self.sizes.append(len(items))
        return list(await self._memories.remember_many(scope, items))


async def test_what_arrives_together_is_committed_together(tmp_path: Path) -> None:
    """Answers come in the order of the requests, wrong ones in their place, and far fewer commits than requests."""
    async with house(tmp_path, parrot=False) as first:
        counted = Counted(first.assistant.memories)
        first.assistant.memories = counted  # type: ignore[assignment]
        await first.server.drain(0.0)
        from alejo.server import Server  # noqa: PLC0415  a second server over the counted rooms

        server = Server(first.assistant)
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            home = House(first.assistant, server, channel, first._written)
            asks = [note(f"thing {n}" if n % 10 else "", f"r{n}") for n in range(300)]
            call = home.stream(f"{SERVICE}/RememberStream", pb.RememberStreamResponse, many=True)
            answers = await drained(call(iter(asks)))
        await server.drain(0.0)
    assert len(answers) == len(asks)
    for number, answer in enumerate(answers):
        if number % 10:
            assert answer.remembered.request_id == f"r{number}"
            assert answer.remembered.memories[0].text == f"thing {number}"
        else:
            field = details(answer.failure.details)[1]["BadRequest"].field_violations[0].field
            assert field == "remember.memory.text"
    assert sum(counted.sizes) == 270
    assert len(counted.sizes) < 100
    assert max(counted.sizes) <= 64


async def test_one_request_is_not_kept_waiting(shelf: House) -> None:
    """A single frame on an open stream is answered without another one coming."""
    call = shelf.stream(f"{SERVICE}/RememberStream", pb.RememberStreamResponse, many=True)()
    for number in range(3):
        await call.write(note(f"thing {number}"))
        assert (await within(call.read())).remembered.memories[0].text == f"thing {number}"
    await call.done_writing()
    assert await within(call.read()) is grpc.aio.EOF


async def test_recalls_of_a_stream_come_in_order(shelf: House) -> None:
    """Each recall is answered in turn; one that is wrong is told in its place, and the stream goes on."""
    remember = shelf.unary(f"{SERVICE}/Remember", pb.RememberResponse)
    for word in ("apple", "pear", "plum"):
        await within(remember(pb.RememberRequest(memory={"text": f"A {word} is a fruit."})))
    queries = ["plum", "", "apple", "pear"]
    asks = [pb.RecallStreamRequest(recall={"query": query, "page_size": 1}) for query in queries]
    answers = await drained(shelf.stream(f"{SERVICE}/RecallStream", pb.RecallStreamResponse, many=True)(iter(asks)))
    assert [answer.WhichOneof("result") for answer in answers] == ["recalled", "failure", "recalled", "recalled"]
    for query, answer in zip(queries, answers, strict=True):
        assert query == "" or query in answer.recalled.hits[0].memory.text


async def test_what_the_cache_does_is_among_the_metrics(shelf: House) -> None:
    """A scrape tells hits, misses and loads of every tier, and what the tiers hold."""
    await within(
        shelf.unary(f"{SERVICE}/Remember", pb.RememberResponse)(
            pb.RememberRequest(memory={"text": "The key is under the mat."})
        )
    )
    ask = shelf.unary(f"{SERVICE}/Recall", pb.RecallResponse)
    first, second = [await within(ask(pb.RecallRequest(query="key"))) for _ in range(2)]
    assert first == second
    text = generate_latest(shelf.server.metrics.registry).decode()
    for line in (
        'alejo_cache_hits_total{tier="responses"} 1.0',
        'alejo_cache_loads_total{tier="responses"} 1.0',
        'alejo_cache_misses_total{tier="disk"} ',
        'alejo_cache_load_seconds_total{tier="embeddings"} ',
        "alejo_cache_disk_bytes 0.0",
    ):
        assert line in text
    assert "alejo_cache_memory_bytes 0.0" not in text


async def test_history_and_preview(shelf: House) -> None:
    """A change is in the history with its key; a preview's token forgets what it showed, and cannot go with ids."""
    remember = shelf.unary(f"{SERVICE}/Remember", pb.RememberResponse)
    (memory,) = (await within(remember(pb.RememberRequest(memory={"text": "The key is under the mat."})))).memories
    change = pb.UpdateMemoryRequest(memory={"id": memory.id, "text": "The key is in the drawer."})
    await within(shelf.unary(f"{SERVICE}/UpdateMemory", pb.UpdateMemoryResponse)(change))
    history = shelf.unary(f"{SERVICE}/GetHistory", pb.GetHistoryResponse)
    (version,) = (await within(history(pb.GetHistoryRequest(memory_id=memory.id)))).versions
    assert (version.number, version.memory.text, version.change) == (1, memory.text, "update")
    assert version.until.ToMicroseconds() >= memory.recorded_at.ToMicroseconds()
    preview = shelf.unary(f"{SERVICE}/PreviewForget", pb.PreviewForgetResponse)
    shown = await within(preview(pb.PreviewForgetRequest(query="key in the drawer")))
    assert [one.id for one in shown.memories] == [memory.id]
    forget = shelf.unary(f"{SERVICE}/Forget", pb.ForgetResponse)
    error = await refused(forget(pb.ForgetRequest(memory_ids=[memory.id], preview=shown.preview)))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (await within(forget(pb.ForgetRequest(preview=shown.preview)))).memories_forgotten == 1
    error = await refused(forget(pb.ForgetRequest(preview=shown.preview)))
    assert error.code is grpc.StatusCode.ABORTED
    assert error.info.reason == "PREVIEW_CHANGED"
    error = await refused(history(pb.GetHistoryRequest(memory_id=memory.id)))
    assert error.code is grpc.StatusCode.NOT_FOUND


async def test_memories_are_looked_after_when_asked(shelf: House) -> None:
    """What was done is counted, and an index that is as it should be differs in nothing."""
    remember = shelf.unary(f"{SERVICE}/Remember", pb.RememberResponse)
    await within(remember(pb.RememberRequest(memory={"text": "The key is under the mat."})))
    tidy = shelf.unary(f"{SERVICE}/TidyMemories", pb.TidyMemoriesResponse)
    done = await within(tidy(pb.TidyMemoriesRequest(verify_index=True)))
    assert (done.archived, done.forgotten, done.index_differences, done.done) == (0, 0, 0, True)


async def test_preferences_over_the_wire(shelf: House) -> None:
    """What is set changes, the mask empties, and an old etag is refused."""
    update = shelf.unary(f"{SERVICE}/UpdatePreferences", pb.UpdatePreferencesResponse)
    read = shelf.unary(f"{SERVICE}/GetPreferences", pb.GetPreferencesResponse)
    wanted = {"model": "small", "time_zone": "Europe/Vienna", "others": {"tone": "dry"}}
    first = (await within(update(pb.UpdatePreferencesRequest(preferences=wanted)))).preferences
    assert (await within(read(pb.GetPreferencesRequest()))).preferences == first
    emptied = pb.UpdatePreferencesRequest(update_mask={"paths": ["model"]}, preferences={"etag": first.etag})
    assert (await within(update(emptied))).preferences.model == ""
    error = await refused(update(emptied))
    assert error.code is grpc.StatusCode.ABORTED
    error = await refused(update(pb.UpdatePreferencesRequest(preferences={"time_zone": "Europe/Atlantis"})))
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
