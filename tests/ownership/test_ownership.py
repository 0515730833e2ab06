"""Exports and imports: a user brought in elsewhere is the same user, once, and without what was forgotten there."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import alejo
from alejo import Assistant
from alejo.errors import InvalidArgument
from alejo.ownership.lines import line, read
from alejo.settings import read as read_settings
from alejo.storage import tables
from alejo.storage.redaction import note_quote
from alejo.storage.rows import put_memory
from alejo.types import Ask, FactDraft, Image, Layer, Memory, MemoryDraft, MessageDraft, Page, Role, Scope

from ..conftest import ADA, BOB

WORDS = st.text(min_size=1, max_size=40).filter(str.strip)
TIMES = st.integers(-(10**15), 4 * 10**15)
NAMES = st.sampled_from(["Ana", "Ben", "Rome", "Brest"])
LABELS = st.dictionaries(WORDS, st.text(max_size=20), max_size=2)
IMAGES = st.builds(Image, st.binary(max_size=40), st.just("image/png"), st.text(max_size=9))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("session"), WORDS, LABELS, WORDS),
        st.tuples(
            st.just("message"), WORDS, st.sampled_from(Role), TIMES, st.lists(IMAGES, max_size=2), st.integers(0, 9)
        ),
        st.tuples(st.just("memory"), WORDS, st.sampled_from(Layer), TIMES, LABELS, st.floats(0, 1)),
        st.tuples(st.just("fact"), NAMES, st.sampled_from(["lives in", "likes"]), NAMES, st.none() | TIMES),
        st.tuples(st.just("prefer"), st.sampled_from(["de", "en"])),
        st.tuples(st.just("remind"), WORDS, st.booleans()),
        st.tuples(st.just("update"), WORDS, st.integers(0, 9)),
        st.tuples(st.just("derive"), WORDS, st.integers(0, 9)),
        st.tuples(st.just("quote"), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(st.just("forget"), st.integers(0, 9)),
    ),
    max_size=12,
)


LATELY = {"export", "import"}


async def lines(assistant: Assistant, scope: Scope) -> list[bytes]:
    """A user's export."""
    return [each async for each in assistant.ownership.export(scope)]


async def body(assistant: Assistant, scope: Scope) -> list[bytes]:
    """The same without what tells of exports and imports themselves."""
    return [each for each in (await lines(assistant, scope))[1:-1] if json.loads(each).get("action") not in LATELY]


async def bring(assistant: Assistant, scope: Scope, data: bytes, cut: int = 1 << 20) -> Any:
    """Brings an export in, `cut` bytes at a time."""
    intake = assistant.ownership.intake(scope)
    for start in range(0, len(data), cut):
        await intake.take(data[start : start + cut])
    return await intake.end()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Assistant]]:
    """An assistant with a loop of its own, as one test has many examples."""
    path = tmp_path_factory.mktemp("ownership")
    chosen = read_settings({"HOME": str(path)}, {"data.path": str(path / "data"), "data.map_size_mb": 16})
    with asyncio.Runner() as runner:
        context = alejo.open(settings=chosen, entry_points=[])
        yield runner, runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


async def state(assistant: Assistant, scope: Scope, kind: str, what: list[Any]) -> None:
    """States a fact, what is preferred, or what to be reminded of."""
    if kind == "remind":
        due, zone = assistant.clock.now() + 3_600_000_000, "Europe/Vienna"
        made = await assistant.reminders.create(scope, f"to {what[0]}", due, recurrence="FREQ=DAILY", zone=zone)
        if what[1]:
            await assistant.reminders.dismiss(scope, made.id)
        return
    if kind == "fact":
        await assistant.facts.add(scope, FactDraft(*what[:3], valid_from=what[3]))
    else:
        await assistant.profiles.update(scope, {"language": what[0]})


async def live(assistant: Assistant, scope: Scope, steps: list[tuple[Any, ...]]) -> None:
    """Makes what the steps say."""
    session = ""
    messages: list[Any] = []
    memories: list[str] = []
    for number, (kind, *what) in enumerate(steps):
        if kind == "session":
            made, _ = await assistant.sessions.create(
                scope, title=what[0], metadata=what[1], origin=f"{what[2]}{number}", request_id=f"session-{number}"
            )
            session = made.id
        elif kind == "message" and session:
            draft = MessageDraft(session, what[0], what[1], sent_at=what[2], images=tuple(what[3]), origin=str(number))
            messages.append((await assistant.memories.remember(scope, draft)).message)
        elif kind == "memory":
            draft_ = MemoryDraft(what[0], what[1], sent_at=what[2], metadata=what[3], importance=what[4])
            kept = await assistant.memories.remember(scope, draft_, request_id=f"memory-{number}")
            memories.append(kept.memories[0].id)
        elif kind in {"fact", "prefer", "remind"}:
            await state(assistant, scope, kind, what)
        elif memories and kind == "update":
            await assistant.memories.update(scope, memories[what[1] % len(memories)], {"text": what[0]})
        elif memories and kind == "derive":
            writer = await assistant.store.writer(scope)
            memory = assistant.memories._remember.put(writer, MemoryDraft(what[0], Layer.SEMANTIC))
            source = memories[what[1] % len(memories)]
            put_memory(writer, msgspec.structs.replace(memory, sources=(source,)))
            await writer.commit()
        elif memories and messages and kind == "quote":
            writer = await assistant.store.writer(scope)
            answer = msgspec.structs.replace(messages[what[1] % len(messages)], request_key=bytes([number] * 16))
            note_quote(writer, memories[what[0] % len(memories)], answer)
            await writer.commit()
        elif memories and kind == "forget":
            await assistant.memories.forget(scope, [memories.pop(what[0] % len(memories))])


def test_an_export_brought_in_is_the_same_user(folder: tuple[asyncio.Runner, Assistant]) -> None:
    """Whatever a user has, its export brought in elsewhere exports as the same lines; a second time nothing doubles."""
    runner, assistant = folder
    numbers = itertools.count()

    @hypothesis_settings(max_examples=25, deadline=None)
    @given(STEPS, st.integers(1, 999))
    def same(steps: list[tuple[Any, ...]], cut: int) -> None:
        async def there_and_back() -> None:
            number = next(numbers)
            here, there = Scope("here", str(number)), Scope("there", str(number))
            await live(assistant, here, steps)
            data = b"".join(await lines(assistant, here))
            told = await bring(assistant, there, data, cut)
            assert await body(assistant, there) == await body(assistant, here)
            again = await bring(assistant, there, data, cut)
            assert (again.added, again.there) == ({}, told.added)
            assert await body(assistant, there) == await body(assistant, here)

        runner.run(there_and_back())

    same()


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Assistant]:
    """An assistant over another folder, with another master key."""
    environment = {"HOME": str(tmp_path / "other")}
    async with alejo.open(settings=read_settings(environment, {"data.map_size_mb": 16})) as opened:
        yield opened


async def test_into_another_folder(assistant: Assistant, other: Assistant) -> None:
    """Turns, answers and pictures come along: a request sent again is answered as before; forgetting reaches it all."""
    photo = Ask("Look at this", request_id="photo", images=(Image(b"no picture", "image/png", "a heron"),))
    await assistant.conversation.chat(ADA, photo)
    told = await assistant.conversation.chat(ADA, Ask("My cousin Mia paints boats.", request_id="told"))
    asked = await assistant.conversation.chat(ADA, Ask("What does my cousin paint?", request_id="asked"))
    assert "boats" in asked.message.text
    await bring(other, ADA, b"".join(await lines(assistant, ADA)))
    assert await body(other, ADA) == await body(assistant, ADA)
    again = await other.conversation.chat(ADA, Ask("What does my cousin paint?", request_id="asked"))
    assert again.replayed
    assert again.message == asked.message
    messages, _ = await other.sessions.messages(ADA, told.session_id, Page())
    assert messages == (await assistant.sessions.messages(ADA, told.session_id, Page()))[0]
    hits, _, _ = await other.memories.recall(ADA, "Who paints boats?", Page())
    assert "Mia" in hits[0].memory.text
    await other.memories.forget(ADA, [hit.memory.id for hit in hits if "boats" in hit.memory.text])
    assert not [each for each in await lines(other, ADA) if b"boats" in each]
    assert (await other.memories.list(BOB, Page()))[0] == []


async def test_what_was_forgotten_stays_away(bare: Assistant) -> None:
    """What was forgotten or deleted since an export is not brought back by it, and is told."""
    session, _ = await bare.sessions.create(ADA, title="About boats")
    await bare.memories.remember(ADA, MessageDraft(session.id, "The boat is red."))
    kept = await bare.memories.remember(ADA, MemoryDraft("The boat is red."))
    await bare.memories.update(ADA, kept.memories[0].id, {"text": "The boat is blue."})
    stays = await bare.memories.remember(ADA, MemoryDraft("The mill is old."))
    data = b"".join(await lines(bare, ADA))
    await bare.memories.forget(ADA, [kept.memories[0].id])
    await bare.sessions.delete(ADA, session.id)
    before = await body(bare, ADA)
    told = await bring(bare, ADA, data)
    assert told.forgotten == {"session": 1, "message": 1, "memory": 1, "version": 1}
    assert await body(bare, ADA) == before
    assert [each.id for each in (await bare.memories.list(ADA, Page()))[0]] == [stays.memories[0].id]


async def test_an_id_that_was_forgotten_is_only_in_the_audit(assistant: Assistant) -> None:
    """What a turn recalled and how it was liked is told without what was forgotten since."""
    first = await assistant.conversation.chat(ADA, Ask("My cousin Mia paints boats."))
    second = await assistant.conversation.chat(ADA, Ask("My cousin is at home.", first.session_id))
    gone = second.recalled[0].memory.id
    await assistant.learning.likings.give(ADA, gone, helpful=True)
    await assistant.memories.forget(ADA, [gone])
    held = {json.loads(each)["type"] for each in await lines(assistant, ADA) if gone.encode() in each}
    assert held == {"audit"}


async def test_an_import_that_was_cut(bare: Assistant) -> None:
    """An export cut anywhere is refused at its end, a session of it is there whole or not; the whole completes it."""
    session, _ = await bare.sessions.create(ADA, title="About boats")
    for number in range(5):
        await bare.memories.remember(ADA, MessageDraft(session.id, f"Boat {number} is red."))
        await bare.memories.remember(ADA, MemoryDraft(f"Boat {number} is blue."))
    data = b"".join(await lines(bare, ADA))
    chance = random.Random(7)
    for end in sorted(chance.sample(range(1, len(data) - 1), 20)):
        with pytest.raises(InvalidArgument, match="line"):
            await bring(bare, BOB, data[:end])
        for each in (await bare.sessions.list(BOB, Page()))[0]:
            assert len((await bare.sessions.messages(BOB, each.id, Page()))[0]) == each.message_count
    await bring(bare, BOB, data)
    ours = [each for each in await body(bare, ADA) if b'"audit"' not in each]
    assert [each for each in await body(bare, BOB) if b'"audit"' not in each] == ours


HEADER = b'{"type":"export","version":1,"alejo":"0","at":1}\n'
MEMORY = {"type": "memory", "id": "0" * 32, "layer": "semantic", "kind": "note", "text": "a", "sent_at": 1}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "line 1: is missing"),
        (b"{}\n", "line 1: Object missing required field `type`"),
        (b'{"type":"end","lines":0}\n', "line 1: type: an export begins with its header"),
        (b'{"type":"export","version":2,"alejo":"0","at":1}\n', "line 1: version: 2 is newer"),
        (HEADER + HEADER, "line 2: type: nothing stands behind"),
        (HEADER + b'{"type":"end","lines":1}\n{"type":"end","lines":1}\n', "line 3: type: nothing stands behind"),
        (HEADER + b"\xff\n", "line 2: "),
        (HEADER + b"[" * 100_000 + b"\n", "line 2: "),
        (HEADER + json.dumps(MEMORY).encode() + b"\n", "line 2: Object missing required field `recorded_at`"),
        (HEADER + json.dumps(MEMORY | {"recorded_at": 1, "x": 1}).encode() + b"\n", "unknown field `x`"),
        (HEADER + json.dumps(MEMORY | {"recorded_at": 1, "id": "../../x"}).encode() + b"\n", r"at `\$.id`"),
        (HEADER + json.dumps(MEMORY | {"recorded_at": 1 << 63}).encode() + b"\n", r"at `\$.recorded_at`"),
        (HEADER + json.dumps(MEMORY | {"recorded_at": 1, "layer": "attic"}).encode() + b"\n", r"at `\$.layer`"),
        (HEADER + b'{"type":"audit","key":"00","action":"a","subject":"","at":1}\n', "line 2: key: "),
        (HEADER + b'{"type":"origin","key":"","kind":"memory","id":"' + b"0" * 32 + b'"}\n', "line 2: key: "),
        (HEADER + b'{"type":"quote","subject":"","request":"","answer":""}\n', "line 2: key: subject"),
    ],
)
async def test_a_file_that_is_wrong(bare: Assistant, data: bytes, said: str) -> None:
    """What is no export is refused by line and field, and nothing of it is kept."""
    with pytest.raises(InvalidArgument, match=said):
        await bring(bare, ADA, data)
    assert (await bare.memories.list(ADA, Page()))[0] == []


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_line_is_read_or_refused(data: bytes) -> None:
    """Whatever stands in a line, it is a value or an InvalidArgument."""
    with contextlib.suppress(InvalidArgument):
        read(data, "line 1")


async def test_a_change_meanwhile_is_told(bare: Assistant) -> None:
    """The last line says whether something was written while the export was."""
    await bare.memories.remember(ADA, MemoryDraft("One"))
    assert read((await lines(bare, ADA))[-1], "end")[2].changed is False
    export = bare.ownership.export(ADA)
    await anext(export)
    await bare.memories.remember(ADA, MemoryDraft("Two"))
    *_, end = [each async for each in export]
    assert read(end, "end")[2].changed is True


# What is made again from the rest, and what is no user's.
MADE_AGAIN = {
    "memory_time",
    "reminder_time",
    "reminder_of",
    "change",
    "derived",
    "quoted",
    "blob",
    "upkeep",
    "facts",
    "feedback_time",
    "session_log",
    "episode",
    "model_usage",
    "felt",
    "expectations",
}
NOBODYS = {"api_key", "erasing", "erasure", "model_counts", "scope"}


def test_every_table_is_exported() -> None:
    """Each table of a user is in the export, or is made from what is."""
    known = {each.name for each in vars(tables).values() if isinstance(each, tables.Table)}
    said = {"session", "message", "turn", "quote", "request", "audit"}
    learned = {"topics", "pair", "feedback", "weights", "weights_in_use"}
    felt = {"emotions", "impression"}
    exported = said | learned | felt | {"memory", "memory_version", "recall", "reminder", "preferences", "origin"}
    assert known == exported | MADE_AGAIN | NOBODYS


def test_a_line_says_no_more_than_it_must() -> None:
    """A line has the fields that are not at their default, by name."""
    memory = Memory("0" * 32, Layer.SEMANTIC, "note", "é\u2028", 1, 2, pinned=True)
    said = line(memory)
    assert json.loads(said) == MEMORY | {"text": "é\u2028", "recorded_at": 2, "pinned": True}
    assert read(said, "") == ("memory", b"", memory)
