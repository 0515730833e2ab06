"""Memories: remembered once, found at once, explained, changed by those who read them, forgotten for good."""

from __future__ import annotations

import asyncio
import random

import pytest

import alejo
from alejo import Assistant
from alejo.cache import Cache
from alejo.clock import FakeClock
from alejo.errors import AlejoError, AlreadyExists, Conflict, DataLoss, FailedPrecondition, InvalidArgument, NotFound
from alejo.memory.indexes import Indexes
from alejo.memory.memories import format_etag
from alejo.settings import Settings
from alejo.storage import Put
from alejo.types import EVERYTHING, Ask, Filter, Kept, Layer, MemoryDraft, MessageDraft, Page, Role, SessionState

from ..conftest import ADA, BOB


async def remember(assistant: Assistant, text: str, **fields: object) -> alejo.types.Memory:  # type: ignore[name-defined]
    """A memory of Ada's."""
    return (await assistant.memories.remember(ADA, MemoryDraft(text, **fields))).memories[0]  # type: ignore[arg-type]


async def found(assistant: Assistant, query: str, wanted: Filter = EVERYTHING) -> list[str]:
    """The texts a recall of Ada's finds, best first."""
    hits, _, _ = await assistant.memories.recall(ADA, query, Page(), wanted)
    return [hit.memory.text for hit in hits]


async def test_what_was_written_is_recalled_next(bare: Assistant) -> None:
    """A memory is found by the very next call, by its user alone."""
    await remember(bare, "The bicycle is in the cellar.")
    assert await found(bare, "Where is my bicycle?") == ["The bicycle is in the cellar."]
    assert await bare.memories.recall(BOB, "Where is my bicycle?", Page()) == ([], "", [alejo.types.Degraded("memory")])  # type: ignore[attr-defined]


async def test_another_process_is_seen(settings: Settings, bare: Assistant) -> None:
    """What another holder of the same folder remembers and forgets is seen by the next recall."""
    assert await found(bare, "bicycle") == []
    cache = Cache(bare.store, bare.clock)
    other = type(bare.memories)(
        bare.store,
        bare.memories._journal,
        bare.memories._requests,
        type(bare.memories._indexes)(bare.store, cache),
        bare.plugins,
        bare.memories._remember,
        bare.memories._versions,
        bare.activity,
        cache,
        bare.clock,
        bare.events,
        bare.zones,
    )
    kept = await other.remember(ADA, MemoryDraft("A bicycle"))
    assert await found(bare, "bicycle") == ["A bicycle"]
    await other.forget(ADA, [kept.memories[0].id])
    assert await found(bare, "bicycle") == []


@pytest.mark.parametrize("count", [999, 1000, 1001])
async def test_any_number_of_changes_is_followed(bare: Assistant, count: int) -> None:
    """However many memories are new since the last recall, changed and forgotten among them, the next one knows."""
    assert await found(bare, "apple") == []
    kept = await bare.memories.remember_many(ADA, [("", MemoryDraft(f"apple {n}")) for n in range(count - 2)])
    first, last = (each.memories[0].id for each in (kept[0], kept[-1]) if isinstance(each, Kept))
    await bare.memories.update(ADA, first, {"text": "pear"})
    await bare.memories.forget(ADA, [last])
    index = await bare.memories._indexes.get(ADA)
    assert len(index.entries) == count - 3
    assert await found(bare, "pear") == ["pear"]
    assert await found(bare, str(count - 3)) == []


async def test_every_hit_explains_itself(assistant: Assistant) -> None:
    """The shares of the evidence add up to the score, and the matched words are named."""
    await remember(assistant, "The bicycle is in the cellar.")
    await remember(assistant, "The cellar is damp.")
    hits, _, degraded = await assistant.memories.recall(ADA, "bicycle in the cellar", Page())
    assert degraded == []
    for hit in hits:
        assert hit.score == pytest.approx(sum(share.share for share in hit.evidence))
        assert 0 < hit.coverage <= 1
    (words,) = [share.detail for share in hits[0].evidence if share.name == "lexical"]
    assert "bicycl" in words
    assert hits[0].coverage > hits[1].coverage


async def test_the_fresher_of_two_alike_comes_first(assistant: Assistant, clock: FakeClock) -> None:
    """Between memories that say the same, recency decides."""
    old = await remember(assistant, "The key is under the mat.")
    clock.advance(90 * 86400)
    new = await remember(assistant, "The key is under the mat.")
    hits, _, _ = await assistant.memories.recall(ADA, "where is the key", Page())
    assert [hit.memory.id for hit in hits] == [new.id, old.id]


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        (Filter(layers=(Layer.SEMANTIC,)), {"apple b"}),
        (Filter(kinds=("fact", "note")), {"apple a", "apple b"}),
        (Filter(speaker="CAROLINE"), {"apple c"}),
        (Filter(sent_after=20_000_000), {"apple b", "apple c"}),
        (Filter(sent_before=20_000_000), {"apple a"}),
        (Filter(sent_after=10_000_000, sent_before=20_000_000), {"apple a"}),
        (Filter(metadata={"colour": "red"}), {"apple c"}),
        (Filter(metadata={"colour": "blue"}), set()),
        (Filter(), {"apple a", "apple b", "apple c"}),
    ],
)
async def test_filters(bare: Assistant, wanted: Filter, texts: set[str]) -> None:
    """Each filter lets through exactly the memories it names, in recall and in list alike."""
    await remember(bare, "apple a", sent_at=10_000_000)
    await remember(bare, "apple b", sent_at=20_000_000, layer=Layer.SEMANTIC, kind="fact")
    await remember(
        bare, "apple c", sent_at=30_000_000, kind="statement", speaker="Caroline", metadata={"colour": "red", "n": "1"}
    )
    assert set(await found(bare, "apple", wanted)) == texts
    listed, _ = await bare.memories.list(ADA, Page(), wanted)
    assert {memory.text for memory in listed} == texts


async def test_archived_ones_wait_to_be_asked_for(bare: Assistant) -> None:
    """An archived memory is found when archived ones are asked for, or when nothing else is good."""
    memory = await remember(bare, "apple")
    await remember(bare, "apple pie")
    await bare.memories.update(ADA, memory.id, {"archived": True})
    assert await found(bare, "apple") == ["apple pie"]
    assert set(await found(bare, "apple", Filter(include_archived=True))) == {"apple", "apple pie"}
    await bare.memories.forget(ADA, [(await bare.memories.list(ADA, Page()))[0][0].id])
    assert await found(bare, "apple") == ["apple"]


@pytest.mark.parametrize("size", [1, 4, 9, 10, 50])
async def test_pages_add_up(bare: Assistant, size: int) -> None:
    """The pages of list and recall together give every memory once; list is newest first."""
    moments = random.Random(size).sample(range(1000), 20)
    await bare.memories.remember_many(
        ADA, [("", MemoryDraft(f"apple {moment}", sent_at=moment * 1_000_000)) for moment in moments]
    )
    for walk in ("list", "recall"):
        seen: list[int] = []
        token = ""
        while True:
            if walk == "list":
                page, token = await bare.memories.list(ADA, Page(size, token))
            else:
                hits, token, _ = await bare.memories.recall(ADA, "apple", Page(size, token))
                page = [hit.memory for hit in hits]
            assert page
            seen += [memory.sent_at // 1_000_000 for memory in page]
            if not token:
                break
        assert sorted(seen) == sorted(moments)
        if walk == "list":
            assert seen == sorted(moments, reverse=True)


async def test_one_effect_per_request_id(bare: Assistant) -> None:
    """The same remember sent many times, at once and after, makes one memory; another body is ALREADY_EXISTS."""
    draft = MemoryDraft("A thing")
    kept = await asyncio.gather(*(bare.memories.remember(ADA, draft, request_id="r") for _ in range(20)))
    assert len({each.memories[0].id for each in kept}) == 1
    assert [each.existed for each in kept].count(False) == 1
    with pytest.raises(AlreadyExists):
        await bare.memories.remember(ADA, MemoryDraft("Another"), request_id="r")
    assert await found(bare, "thing another") == ["A thing"]


async def test_many_share_a_commit_and_fail_alone(bare: Assistant) -> None:
    """Of many remembered together each has its own outcome, in order, and the good ones cost one flush."""
    session, _ = await bare.sessions.create(ADA)
    other, _ = await bare.sessions.create(ADA)
    await bare.memories.remember(ADA, MessageDraft(other.id, "now the queue knows who speaks"))
    before = bare.storage.stats()["groups"]  # type: ignore[attr-defined]
    outcomes = await bare.memories.remember_many(
        ADA,
        [
            ("a", MemoryDraft("first")),
            ("b", MessageDraft("0" * 32, "to nobody")),
            ("c", MessageDraft(session.id, "said one")),
            ("d", MessageDraft(session.id, "said two", role=Role.ASSISTANT)),
        ],
    )
    assert [type(each) for each in outcomes] == [Kept, NotFound, Kept, Kept]
    assert bare.storage.stats()["groups"] == before + 1  # type: ignore[attr-defined]
    messages, _ = await bare.sessions.messages(ADA, session.id, Page())
    assert [(message.seq, message.text) for message in messages] == [(1, "said one"), (2, "said two")]


async def test_repeats_within_many_are_one(bare: Assistant) -> None:
    """A request id or origin that comes twice among many makes one memory."""
    outcomes = await bare.memories.remember_many(
        ADA,
        [
            ("a", MemoryDraft("twin")),
            ("a", MemoryDraft("twin")),
            ("", MemoryDraft("import", origin="o")),
            ("", MemoryDraft("import", origin="o")),
        ],
    )
    assert not any(isinstance(each, AlejoError) for each in outcomes)
    assert [each.existed for each in outcomes if isinstance(each, Kept)] == [False, True, False, True]
    assert len(await found(bare, "twin import")) == 2


async def test_writers_of_one_session_keep_their_numbers_apart(bare: Assistant) -> None:
    """Fifty messages remembered at once in one session are numbered 1 to 50 without gaps."""
    session, _ = await bare.sessions.create(ADA)
    await asyncio.gather(
        *(bare.memories.remember(ADA, MessageDraft(session.id, f"message {number}")) for number in range(50))
    )
    messages, _ = await bare.sessions.messages(ADA, session.id, Page(100))
    assert sorted(message.seq for message in messages) == list(range(1, 51))
    assert (await bare.sessions.get(ADA, session.id)).message_count == 50


async def test_ended_sessions_take_nothing(bare: Assistant) -> None:
    """A message for a completed session is FAILED_PRECONDITION and leaves nothing."""
    session, _ = await bare.sessions.create(ADA)
    await bare.sessions.update(ADA, session.id, state=SessionState.COMPLETED)
    with pytest.raises(FailedPrecondition):
        await bare.memories.remember(ADA, MessageDraft(session.id, "late"))
    assert (await bare.sessions.messages(ADA, session.id, Page()))[0] == []


async def test_update_needs_the_version_that_was_read(bare: Assistant) -> None:
    """With an etag an update is refused once somebody else has changed the memory; recall follows the new text."""
    memory = await remember(bare, "My cousin plays the violin.")
    changed = await bare.memories.update(
        ADA, memory.id, {"text": "The meeting is on Tuesday."}, etag=format_etag(memory.version)
    )
    assert changed.version > memory.version
    with pytest.raises(Conflict):
        await bare.memories.update(ADA, memory.id, {"pinned": True}, etag=format_etag(memory.version))
    assert await found(bare, "violin") == []
    assert await found(bare, "tuesday") == ["The meeting is on Tuesday."]
    with pytest.raises(InvalidArgument):
        await bare.memories.update(ADA, memory.id, {"sent_at": 1})


async def test_what_is_pinned_has_its_version(bare: Assistant) -> None:
    """Pinned memories come with their present version, as any others do."""
    memory = (await bare.memories.remember(ADA, MemoryDraft("The gate", pinned=True))).memories[0]
    assert await bare.memories.pinned(ADA) == [memory]
    changed = await bare.memories.update(ADA, memory.id, {"text": "The door"})
    assert await bare.memories.pinned(ADA) == [changed]


async def test_forgetting_takes_the_message_and_its_quotes(assistant: Assistant) -> None:
    """Forgetting a memory redacts what the user said and every answer that quoted it, and all copies of turns."""
    told = await assistant.conversation.chat(ADA, Ask("My locker code is heron.", request_id="told"))
    asked = await assistant.conversation.chat(ADA, Ask("What is my locker code?", told.session_id, "asked"))
    assert "heron" in asked.message.text
    memory = asked.recalled[0].memory
    assert await assistant.memories.forget(ADA, [memory.id]) == (1, 2)
    messages, _ = await assistant.sessions.messages(ADA, told.session_id, Page())
    assert not any("heron" in message.text for message in messages)
    assert [message.redacted for message in messages] == [True, False, False, True]
    again = await assistant.conversation.chat(ADA, Ask("What is my locker code?", told.session_id, "asked"))
    assert again.replayed
    assert "heron" not in repr(again)
    context, _ = await assistant.memories.context(ADA, "locker code", session_id=told.session_id)
    assert "heron" not in context.text
    with pytest.raises(NotFound):
        await assistant.memories.get(ADA, memory.id)


async def test_forgetting_may_keep_the_messages(assistant: Assistant) -> None:
    """With keep_messages the memory goes and what was said stays."""
    told = await assistant.conversation.chat(ADA, Ask("My locker code is heron."))
    hits, _, _ = await assistant.memories.recall(ADA, "locker code", Page())
    assert await assistant.memories.forget(ADA, [hits[0].memory.id], keep_messages=True) == (1, 0)
    messages, _ = await assistant.sessions.messages(ADA, told.session_id, Page())
    assert messages[0].text == "My locker code is heron."
    assert await found(assistant, "locker code") == []


async def test_forgetting_twice_counts_once(bare: Assistant) -> None:
    """Under a request id a forget has one effect and one result; unknown memories are not counted."""
    memory = await remember(bare, "A thing")
    first = await bare.memories.forget(ADA, [memory.id, memory.id, "0" * 32], request_id="f")
    assert first == (1, 0)
    assert await bare.memories.forget(ADA, [memory.id, memory.id, "0" * 32], request_id="f") == first
    assert await bare.memories.forget(ADA, [memory.id]) == (0, 0)


async def test_a_forgotten_import_stays_forgotten(bare: Assistant) -> None:
    """The same origin imported again after a forget does not bring the memory back."""
    memory = await remember(bare, "A thing", origin="o")
    await bare.memories.forget(ADA, [memory.id])
    again = await bare.memories.remember(ADA, MemoryDraft("A thing", origin="o"))
    assert (again.existed, again.memories) == (True, ())
    assert await found(bare, "thing") == []


async def test_users_cannot_reach_each_other(bare: Assistant) -> None:
    """Another user's memory is NOT_FOUND to get and update, and not counted by forget."""
    memory = await remember(bare, "A secret")
    with pytest.raises(NotFound):
        await bare.memories.get(BOB, memory.id)
    with pytest.raises(NotFound):
        await bare.memories.update(BOB, memory.id, {"pinned": True})
    assert await bare.memories.forget(BOB, [memory.id]) == (0, 0)
    assert (await bare.memories.get(ADA, memory.id)).text == "A secret"


async def test_indexes_take_bounded_memory(bare: Assistant) -> None:
    """Of users with too many memories together those who spoke last are kept; one who comes back finds everything."""
    for scope in (ADA, BOB):
        for number in range(3):
            await bare.memories.remember(scope, MemoryDraft(f"apple {number}"))
    indexes = Indexes(bare.store, bare.cache, room=(await bare.indexes.get(ADA)).nbytes * 3 // 2)
    ada = await indexes.get(ADA)
    assert await indexes.get(ADA) is ada
    bob = await indexes.get(BOB)
    again = await indexes.get(ADA)
    assert again is not ada
    assert len(again.entries) == 3
    assert await indexes.get(BOB) is not bob


async def test_an_altered_memory_does_not_hide_the_others(bare: Assistant, settings: Settings) -> None:
    """A memory whose record was altered is refused with DATA_LOSS; the others are found and listed."""
    kept = [await remember(bare, f"apple {number}") for number in range(5)]
    place = bare.folder.keyring.prefix(ADA) + bytes.fromhex(kept[2].id)
    record = await bare.storage.get("memory", place)
    assert record is not None
    await bare.storage.commit([Put("memory", place, record.value[:-1] + bytes([record.value[-1] ^ 1]))])
    assert set(await found(bare, "apple")) == {"apple 0", "apple 1", "apple 3", "apple 4"}
    assert len((await bare.memories.list(ADA, Page()))[0]) == 4
    bare.memories._indexes._seats.clear()
    assert set(await found(bare, "apple")) == {"apple 0", "apple 1", "apple 3", "apple 4"}
    with pytest.raises(DataLoss):
        await bare.memories.get(ADA, kept[2].id)
