"""Sessions: made once per request id or origin, moved only along the table, listed in pages, deleted whole."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from alejo.sessions import TRANSITIONS
from alejo.types import Ask, MemoryDraft, MessageDraft, Page, Session, SessionState

from .conftest import ADA, BOB

S = SessionState
PATHS = {
    S.CREATED: [],
    S.ACTIVE: [S.ACTIVE],
    S.PAUSED: [S.ACTIVE, S.PAUSED],
    S.RESUMED: [S.ACTIVE, S.PAUSED, S.RESUMED],
    S.COMPLETED: [S.COMPLETED],
    S.ARCHIVED: [S.COMPLETED, S.ARCHIVED],
}


async def in_state(assistant: Assistant, state: SessionState) -> Session:
    """A new session, led to a state."""
    session, _ = await assistant.sessions.create(ADA)
    for step in PATHS[state]:
        session = await assistant.sessions.update(ADA, session.id, state=step)
    return session


@pytest.mark.parametrize(("before", "after"), list(itertools.product(S, S)))
async def test_only_the_tables_steps_are_taken(bare: Assistant, before: SessionState, after: SessionState) -> None:
    """Every pair of states is either a step of the table (or none at all) or FAILED_PRECONDITION."""
    session = await in_state(bare, before)
    if after == before or after in TRANSITIONS[before]:
        assert (await bare.sessions.update(ADA, session.id, state=after)).state == after
    else:
        with pytest.raises(FailedPrecondition):
            await bare.sessions.update(ADA, session.id, state=after)
        assert (await bare.sessions.get(ADA, session.id)).state == before


@pytest.mark.parametrize("state", list(S))
async def test_speaking_moves_a_session(bare: Assistant, state: SessionState) -> None:
    """Something said activates a new session, resumes a paused one, and is refused in an ended one."""
    session = await in_state(bare, state)
    draft = MessageDraft(session.id, "Hello")
    if state in {S.COMPLETED, S.ARCHIVED}:
        with pytest.raises(FailedPrecondition):
            await bare.memories.remember(ADA, draft)
        return
    await bare.memories.remember(ADA, draft)
    spoken = {S.CREATED: S.ACTIVE, S.ACTIVE: S.ACTIVE, S.PAUSED: S.RESUMED, S.RESUMED: S.RESUMED}
    assert (await bare.sessions.get(ADA, session.id)).state == spoken[state]


async def test_a_request_id_makes_one_session(bare: Assistant) -> None:
    """The same create sent ten times at once makes one session; another body under its id is ALREADY_EXISTS."""
    made = await asyncio.gather(*(bare.sessions.create(ADA, request_id="r", title="A") for _ in range(10)))
    assert len({session.id for session, _ in made}) == 1
    assert [existed for _, existed in made].count(False) == 1
    with pytest.raises(AlreadyExists):
        await bare.sessions.create(ADA, request_id="r", title="B")


async def test_an_origin_makes_one_session_until_it_is_deleted(bare: Assistant) -> None:
    """The same origin is the same session; after its deletion it may be imported anew; users do not share origins."""
    first, _ = await bare.sessions.create(ADA, origin="import:1")
    again, existed = await bare.sessions.create(ADA, origin="import:1")
    assert (again.id, existed) == (first.id, True)
    other, existed = await bare.sessions.create(BOB, origin="import:1")
    assert (other.id == first.id, existed) == (False, False)
    await bare.sessions.delete(ADA, first.id)
    anew, existed = await bare.sessions.create(ADA, origin="import:1")
    assert (anew.id == first.id, existed) == (False, False)


@pytest.mark.parametrize("size", [1, 3, 5, 10, 100])
async def test_pages_add_up(bare: Assistant, size: int) -> None:
    """Walking the pages gives every session once, newest first, whatever the page size."""
    made = [(await bare.sessions.create(ADA, title=str(number)))[0].id for number in range(10)]
    seen: list[str] = []
    token = ""
    while True:
        page, token = await bare.sessions.list(ADA, Page(size, token))
        assert page
        seen += [session.id for session in page]
        if not token:
            break
    assert seen == made[::-1]


async def test_lists_by_state(bare: Assistant) -> None:
    """A filter by state spans pages, and its token does not continue another list."""
    for state in [S.CREATED, S.PAUSED, S.CREATED, S.PAUSED, S.PAUSED]:
        await in_state(bare, state)
    first, token = await bare.sessions.list(ADA, Page(2), [S.PAUSED])
    rest, _ = await bare.sessions.list(ADA, Page(2, token), [S.PAUSED])
    assert [session.state for session in first + rest] == [S.PAUSED] * 3
    with pytest.raises(InvalidArgument):
        await bare.sessions.list(ADA, Page(2, token))


async def test_messages_list_by_the_time_they_were_said(bare: Assistant) -> None:
    """Messages recorded out of order list in the order they were said, both ways, in pages."""
    session, _ = await bare.sessions.create(ADA)
    for moment in [50, 10, 40, 20, 30, -5]:
        await bare.memories.remember(ADA, MessageDraft(session.id, str(moment), sent_at=moment * 1_000_000))
    texts: list[str] = []
    token = ""
    while True:
        page, token = await bare.sessions.messages(ADA, session.id, Page(4, token))
        texts += [message.text for message in page]
        if not token:
            break
    assert texts == ["-5", "10", "20", "30", "40", "50"]
    newest, _ = await bare.sessions.messages(ADA, session.id, Page(2), descending=True)
    assert [message.text for message in newest] == ["50", "40"]
    assert sorted(message.seq for message in newest) == [1, 3]


async def test_delete_takes_messages_and_memories(assistant: Assistant, clock: FakeClock) -> None:
    """After a delete nothing of the session is got, listed or recalled; other sessions keep theirs."""
    kept = await assistant.conversation.chat(ADA, Ask("The cat slept on the piano."))
    gone = await assistant.conversation.chat(ADA, Ask("The dog slept under the table."))
    messages, memories = await assistant.sessions.delete(ADA, gone.session_id)
    assert (messages, memories) == (2, 1)
    with pytest.raises(NotFound):
        await assistant.sessions.get(ADA, gone.session_id)
    with pytest.raises(NotFound):
        await assistant.sessions.messages(ADA, gone.session_id, Page())
    hits, _, _ = await assistant.memories.recall(ADA, "where did the dog or the cat sleep", Page())
    assert [hit.memory.session_id for hit in hits] == [kept.session_id]


async def test_delete_is_idempotent_by_request_id(bare: Assistant) -> None:
    """A delete sent again under its request id gives the first result; without one it is NOT_FOUND."""
    session, _ = await bare.sessions.create(ADA)
    await bare.memories.remember(ADA, MemoryDraft("A thing of this session", session_id=session.id))
    first = await bare.sessions.delete(ADA, session.id, request_id="d")
    assert first == (0, 1)
    assert await bare.sessions.delete(ADA, session.id, request_id="d") == first
    with pytest.raises(NotFound):
        await bare.sessions.delete(ADA, session.id)


async def test_update_changes_only_what_is_given(bare: Assistant) -> None:
    """A title changes without touching labels; sent again, a request has no second effect and tells how things are."""
    session, _ = await bare.sessions.create(ADA, title="Old", metadata={"a": "1"})
    changed = await bare.sessions.update(ADA, session.id, title="New", request_id="u")
    assert (changed.title, changed.metadata) == ("New", {"a": "1"})
    await bare.sessions.update(ADA, session.id, title="Newer")
    assert (await bare.sessions.update(ADA, session.id, title="New", request_id="u")).title == "Newer"


async def test_parents_must_exist(bare: Assistant) -> None:
    """A session links to a parent of the same user, or is NOT_FOUND."""
    parent, _ = await bare.sessions.create(ADA)
    child, _ = await bare.sessions.create(ADA, parent_id=parent.id)
    assert child.parent_id == parent.id
    with pytest.raises(NotFound):
        await bare.sessions.create(BOB, parent_id=parent.id)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "Europe", "/etc/localtime", "x" * 500])
async def test_an_unknown_time_zone_is_refused(bare: Assistant, name: str) -> None:
    """A session's label that names its time zone names one there is."""
    session, _ = await bare.sessions.create(ADA, metadata={"time_zone": "Europe/Vienna"})
    for refused in (
        bare.sessions.create(ADA, metadata={"time_zone": name}),
        bare.sessions.update(ADA, session.id, metadata={"time_zone": name}),
    ):
        with pytest.raises(InvalidArgument) as error:
            await refused
        assert error.value.violations[0][0] == "metadata[time_zone]"
