"""Forgetting: what falls with a memory, what is shown before it goes, and what a memory was before it was changed."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from alejo import Assistant
from alejo.errors import Conflict, InvalidArgument, NotFound
from alejo.storage.rows import put_memory
from alejo.storage.tables import DERIVED, MEMORIES, MESSAGES, VERSIONS
from alejo.types import Filter, Layer, Memory, MemoryDraft, Message, MessageDraft, Page

from ..conftest import ADA, BOB


async def remember(assistant: Assistant, text: str, **fields: object) -> Memory:
    """A memory of Ada's."""
    return (await assistant.memories.remember(ADA, MemoryDraft(text, **fields))).memories[0]  # type: ignore[arg-type]


async def derive(assistant: Assistant, text: str, *sources: Memory, source: Message | None = None) -> Memory:
    """A memory of Ada's that was made out of others, in the way of whatever derives."""
    writer = await assistant.store.writer(ADA)
    for each in sources:
        writer.expect(MEMORIES, bytes.fromhex(each.id), each.version)
    draft = MemoryDraft(text, Layer.SEMANTIC)
    memory = assistant.memories._remember.put(writer, draft, source)
    put_memory(writer, msgspec.structs.replace(memory, sources=tuple(each.id for each in sources)))
    return msgspec.structs.replace(memory, version=await writer.commit())


async def texts(assistant: Assistant, wanted: Filter = Filter()) -> set[str]:  # noqa: B008
    """What Ada's memories say."""
    found, _ = await assistant.memories.list(ADA, Page(1000), wanted)
    return {memory.text for memory in found}


async def test_what_was_derived_goes_too(bare: Assistant) -> None:
    """Forgetting a memory forgets what was made out of it, and out of that, at once; what has other sources stays."""
    a, b = await remember(bare, "Lisbon in May"), await remember(bare, "Porto in June")
    summary = await derive(bare, "A summer in Portugal", a, b)
    await derive(bare, "Likes Portugal", summary)
    await derive(bare, "Was in Porto", b)
    assert await bare.memories.forget(ADA, [a.id]) == (3, 0)
    assert await texts(bare) == {"Porto in June", "Was in Porto"}
    assert await bare.memories.forget(ADA, [b.id]) == (2, 0)
    for table in (MEMORIES, DERIVED, VERSIONS):
        assert await bare.store.scan(ADA, table) == []


async def test_a_fact_takes_the_words_it_was_said_with(bare: Assistant) -> None:
    """A fact that is forgotten takes the memory of the message it was taken from along, but not that one's others."""
    session, _ = await bare.sessions.create(ADA)
    kept = await bare.memories.remember(ADA, MessageDraft(session.id, "I live in Rome and my dog is Rex"))
    message = kept.message
    assert message
    said = await remember(bare, "I live in Rome and my dog is Rex")
    writer = await bare.store.writer(ADA)
    said = msgspec.structs.replace(
        said, message_id=message.id, message_seq=1, session_id=session.id, sent_at=message.sent_at
    )
    put_memory(writer, said)
    said = msgspec.structs.replace(said, version=await writer.commit())
    rome = await derive(bare, "lives in Rome", said, source=message)
    await derive(bare, "has a dog called Rex", said, source=message)
    assert await bare.memories.forget(ADA, [rome.id], keep_messages=True) == (1, 0)
    rome = await derive(bare, "lives in Rome", said, source=message)
    assert await bare.memories.forget(ADA, [rome.id]) == (2, 1)
    assert await texts(bare) == {"has a dog called Rex"}
    assert [row.value.text for row in await bare.store.scan(ADA, MESSAGES)] == [""]


async def test_what_was_derived_from_other_words_is_stale(bare: Assistant) -> None:
    """Other words of a memory make what was derived from it stale, out of recall and lists until it has new words."""
    source = await remember(bare, "Lisbon in May")
    child = await derive(bare, "A summer in Lisbon", source)
    await bare.memories.update(ADA, source.id, {"pinned": True})
    assert not (await bare.memories.get(ADA, child.id)).stale
    await bare.memories.update(ADA, source.id, {"text": "Porto in May"})
    assert (await bare.memories.get(ADA, child.id)).stale
    assert await texts(bare) == {"Porto in May"}
    assert await texts(bare, Filter(include_superseded=True)) == {"Porto in May", "A summer in Lisbon"}
    hits, _, _ = await bare.memories.recall(ADA, "summer in Lisbon", Page())
    assert [hit.memory.text for hit in hits] == ["Porto in May"]
    await bare.memories.update(ADA, child.id, {"text": "A summer in Porto"})
    assert await texts(bare) == {"Porto in May", "A summer in Porto"}


async def test_what_is_derived_while_its_source_goes(bare: Assistant) -> None:
    """Of a memory that is forgotten while others are derived from it, nothing is left."""
    source = await remember(bare, "Lisbon")
    made = [derive(bare, f"Lisbon {number}", source) for number in range(20)]
    _, *others = await asyncio.gather(bare.memories.forget(ADA, [source.id]), *made, return_exceptions=True)
    assert all(isinstance(each, Memory | Conflict) for each in others), others
    assert await texts(bare) == set()


async def test_history(bare: Assistant) -> None:
    """Every former version is there, newest first, with what changed it and until when; forgetting takes them all."""
    memory = await remember(bare, "one")
    for text in ("two", "three"):
        await bare.memories.update(ADA, memory.id, {"text": text})
    found, token = await bare.memories.history(ADA, memory.id, Page(1))
    assert [(each.number, each.memory.text, each.change, each.actor) for each in found] == [(2, "two", "update", "")]
    rest, end = await bare.memories.history(ADA, memory.id, Page(10, token))
    assert ([each.memory.text for each in rest], end) == (["one"], "")
    assert rest[0].memory == msgspec.structs.replace(memory, version=0)
    with pytest.raises(NotFound):
        await bare.memories.history(BOB, memory.id, Page())
    await bare.memories.forget(ADA, [memory.id])
    with pytest.raises(NotFound):
        await bare.memories.history(ADA, memory.id, Page())
    assert await bare.store.scan(ADA, VERSIONS) == []


async def test_history_is_bounded(bare: Assistant) -> None:
    """No more former versions are kept than is set, the newest ones; with fewer set the surplus goes with a change."""
    memory = await remember(bare, "0")
    for keep, number, kept in ((3, 5, [4, 3, 2]), (1, 6, [5]), (0, 7, [])):
        bare.memories._versions._keep = keep
        for each in range(1, number + 1):
            await bare.memories.update(ADA, memory.id, {"text": str(each)})
        found, _ = await bare.memories.history(ADA, memory.id, Page())
        assert [each.memory.text for each in found] == [str(each) for each in kept]


async def test_preview_and_forget(bare: Assistant) -> None:
    """A preview by words shows what would go and what falls with it, changes nothing, and its token takes just that."""
    boat = await remember(bare, "The red boat lies in the harbour")
    await derive(bare, "Owns something that floats", boat)
    await remember(bare, "The harbour is closed in winter")
    preview = await bare.memories.preview(ADA, "red boat")
    assert [each.text for each in preview.memories] == ["The red boat lies in the harbour"]
    assert [each.text for each in preview.falling] == ["Owns something that floats"]
    assert len(await texts(bare)) == 3
    assert await bare.memories.forget(ADA, preview=preview.token, request_id="once") == (2, 0)
    assert await texts(bare) == {"The harbour is closed in winter"}
    assert await bare.memories.forget(ADA, preview=preview.token, request_id="once") == (2, 0)


async def test_preview_by_filter(bare: Assistant) -> None:
    """Without a query a preview means all that the filter lets through; with neither it is refused."""
    await remember(bare, "a", kind="note")
    await remember(bare, "b", kind="plan")
    preview = await bare.memories.preview(ADA, " ", Filter(kinds=("plan",)))
    assert [each.text for each in preview.memories] == ["b"]
    with pytest.raises(InvalidArgument, match="query"):
        await bare.memories.preview(ADA, " ")
    assert (await bare.memories.preview(BOB, "anything")).token == ""


async def test_preview_counts_messages(assistant: Assistant) -> None:
    """A preview tells how many messages would lose their words, and none with keep_messages."""
    await assistant.chat("My cousin paints boats.", scope=ADA)
    await assistant.chat("What does my cousin paint?", scope=ADA)
    preview = await assistant.memories.preview(ADA, "cousin paints boats")
    kept = await assistant.memories.preview(ADA, "cousin paints boats", keep_messages=True)
    assert (preview.messages, kept.messages) == (2, 0)
    count, messages = await assistant.memories.forget(ADA, preview=preview.token)
    assert (count, messages) == (len(preview.memories) + len(preview.falling), 2)


async def test_a_preview_that_is_no_longer_true(bare: Assistant) -> None:
    """What was changed, forgotten or derived since a preview makes its token refused, and nothing goes."""
    for meddle in ("update", "forget", "derive"):
        boat, other = await remember(bare, "A red boat"), await remember(bare, "A red boat too")
        preview = await bare.memories.preview(ADA, "red boat")
        if meddle == "update":
            await bare.memories.update(ADA, boat.id, {"pinned": True})
        elif meddle == "forget":
            await bare.memories.forget(ADA, [other.id])
        else:
            await derive(bare, "Something else", boat)
        before = await texts(bare)
        with pytest.raises(Conflict, match="since the preview") as refused:
            await bare.memories.forget(ADA, preview=preview.token)
        assert refused.value.reason == "PREVIEW_CHANGED"
        assert await texts(bare) == before
        await bare.memories.forget(ADA, [boat.id, other.id])


async def test_a_token_of_nothing(bare: Assistant) -> None:
    """Nothing but a whole token of this user's own is taken for one."""
    await remember(bare, "A red boat")
    await bare.memories.remember(BOB, MemoryDraft("A red boat"))
    token = (await bare.memories.preview(ADA, "red boat")).token
    others = (await bare.memories.preview(BOB, "red boat")).token
    altered = [token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in (0, 9, 60)]
    for wrong in ("x", "é", "AAAA", token[:-4], token + "AAAA", others, *altered):
        with pytest.raises(InvalidArgument, match="preview"):
            await bare.memories.forget(ADA, preview=wrong)
    assert await texts(bare) == {"A red boat"}
