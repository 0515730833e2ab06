"""Contexts put together from what is kept: where the user is, what they want, what was felt."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import NotFound, StartupError
from alejo.settings import read
from alejo.types import Ask, Layer, MemoryDraft, MessageDraft, Page

from ..conftest import ADA, BOB

HOUR = 3_600_000_000
NEW_YEAR = 1_704_067_200_000_000  # 1 January 2024, 0:00 UTC


async def shown(assistant: Assistant, query: str, **fields: Any) -> dict[str, str]:
    """The text of each section."""
    context, _ = await assistant.memories.context(ADA, query, **fields)
    assert context.tokens <= (fields.get("token_budget") or 2048)
    sections: dict[str, str] = {}
    for item in context.items:
        sections[item.section] = f"{sections.get(item.section, '')}\n{item.text}".strip()
    return sections


async def test_times_are_told_where_the_session_is(bare: Assistant) -> None:
    """Days and dates are those of the session's time zone, else of what the user prefers, else of the setting."""
    remembering = MemoryDraft("I fly to Lima tomorrow", sent_at=NEW_YEAR, layer=Layer.EPISODIC)
    await bare.memories.remember(ADA, remembering)
    home, _ = await bare.sessions.create(ADA, metadata={"time_zone": "America/Lima"}, title="Trip")
    there = await shown(bare, "Lima", session_id=home.id)
    assert there["recalled"] == "Said before, quoted:\n31 December 2023\nUser: I fly to Lima tomorrow [1 January 2024]"
    assert there["session"].startswith('This session:\n"Trip"; now ')
    assert there["session"].endswith("America/Lima")
    assert "1 January 2024\nUser: I fly to Lima tomorrow [2 January 2024]" in (await shown(bare, "Lima"))["recalled"]
    await bare.profiles.update(ADA, {"time_zone": "America/Lima"})
    assert "31 December 2023" in (await shown(bare, "Lima"))["recalled"]


async def test_what_the_user_wants_is_always_there(bare: Assistant) -> None:
    """How the user wants things done is in every context, facts where they fit the question."""
    for text, layer in (
        ("Answer in French", Layer.PROCEDURAL),
        ("I own a canoe", Layer.SEMANTIC),
        ("hail fell", Layer.EPISODIC),
    ):
        await bare.memories.remember(ADA, MemoryDraft(text, layer=layer))
    found = await shown(bare, "canoe")
    assert found["procedural"].endswith("User: Answer in French")
    assert found["facts"].endswith("User: I own a canoe")
    assert "recalled" not in found
    assert (await bare.memories.context(BOB, "canoe"))[0].items == ()


async def test_the_mood_is_that_of_the_last_turn(assistant: Assistant) -> None:
    """What was felt in the session's last turn is told, and nothing where nothing was."""
    told = await assistant.conversation.chat(ADA, Ask("I am so happy and proud, I won the race!"))
    assert "joy" in (await shown(assistant, "race", session_id=told.session_id))["emotion"]
    session, _ = await assistant.sessions.create(ADA)
    await assistant.memories.remember(ADA, MessageDraft(session.id, "The table is brown."))
    assert "emotion" not in await shown(assistant, "race", session_id=session.id)
    with pytest.raises(NotFound):
        await shown(assistant, "race", session_id="00" * 16)


async def test_a_small_budget_is_kept(assistant: Assistant) -> None:
    """However little there is room for, the context is within it, and the best hit is what it has."""
    session, _ = await assistant.sessions.create(ADA, title="A long title of a session")
    for number in range(30):
        text = f"On day {number} I met {'a heron' if number == 7 else 'somebody'} in the long grass beside the river"
        await assistant.memories.remember(ADA, MessageDraft(session.id, text))
    found = await shown(assistant, "When did I meet the heron?", session_id=session.id, token_budget=64)
    assert "heron" in found["recalled"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("context.time_zone", "Mars/Olympus"), ("context.quotas.facts", 1.5), ("context.quotas.pinned", -0.1)],
)
async def test_a_setting_that_cannot_be_meant_is_named(environment: dict[str, str], name: str, value: Any) -> None:
    """A time zone there is not, and a quota that is no part, are refused at the start."""
    with pytest.raises(StartupError, match=name):
        async with alejo.open(settings=read(environment, {name: value}), clock=FakeClock(), entry_points=[]):
            pass


async def first(assistant: Assistant, query: str, texts: str) -> int:
    """When the first of the hits with this text was said."""
    hits, _, _ = await assistant.memories.recall(ADA, query, Page())
    return next(hit.memory.sent_at for hit in hits if hit.memory.text == texts)


async def test_a_question_names_its_times_where_the_user_is(assistant: Assistant) -> None:
    """What a question calls yesterday is the day before where the user is, also when it was answered before."""
    at = assistant.clock.now() - 40 * HOUR  # 13 November 2023, 6:13 UTC; now is the 14th, and the 15th in Tokyo
    await assistant.memories.remember(ADA, MemoryDraft("I ate soup", sent_at=at))

    async def dated() -> bool:
        hits, _, _ = await assistant.memories.recall(ADA, "What did I eat yesterday?", Page())
        return any(each.name == "date" and each.share > 0 for each in hits[0].evidence)

    assert await dated()
    await assistant.profiles.update(ADA, {"time_zone": "Asia/Tokyo"})
    assert not await dated()


async def test_a_question_may_name_the_birthday(assistant: Assistant) -> None:
    """A question about the user's birthday finds what was said then, if they have told the day."""
    days = [int(datetime(2023, month, 12, 9, tzinfo=UTC).timestamp()) * 1_000_000 for month in (4, 6, 9)]
    for day in days:
        await assistant.memories.remember(ADA, MemoryDraft("I ate cake", sent_at=day))
    await assistant.conversation.chat(ADA, Ask("My birthday is on 12 June."))
    assert await first(assistant, "What did I eat on my birthday?", "I ate cake") == days[1]
