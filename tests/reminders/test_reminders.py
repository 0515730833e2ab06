"""Reminders: made once, told until they are acknowledged, taken back, and forgotten with the message that asked."""

from __future__ import annotations

import asyncio

import pytest

import alejo
import alejo.types
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import FailedPrecondition, InvalidArgument, NotFound
from alejo.reminders import reminders as room
from alejo.settings import Settings
from alejo.storage.tables import QUOTES, REMINDERS, REMINDERS_BY_TIME, REMINDERS_OF
from alejo.types import Ask, Page, Reminder, ReminderState

from ..conftest import ADA, BOB

HOUR = 3_600_000_000
DAY = 24 * HOUR


async def make(assistant: Assistant, text: str, hours: float, **given: str) -> Reminder:
    due = assistant.clock.now() + round(hours * HOUR)
    return await assistant.reminders.create(ADA, text, due, **given)


async def texts(assistant: Assistant, *states: ReminderState) -> list[str]:
    return [each.text for each in (await assistant.reminders.list(ADA, Page(100), states))[0]]


async def due(assistant: Assistant) -> list[str]:
    return [each.text for each in await assistant.reminders.due(ADA)]


async def test_a_reminder_falls_due_at_its_time(bare: Assistant, clock: FakeClock) -> None:
    """It is told from its time on, again and again, until it is acknowledged, and is nobody else's."""
    made = await make(bare, "bread", 1)
    assert await due(bare) == []
    clock.advance(3600)
    assert await due(bare) == await due(bare) == ["bread"]
    assert await bare.reminders.due(BOB) == []
    heard = await bare.reminders.acknowledge(ADA, made.id)
    assert (heard.state, heard.delivered_at) == (ReminderState.DELIVERED, clock.now())
    assert await due(bare) == []
    assert await bare.reminders.acknowledge(ADA, made.id) == heard


async def test_what_is_not_due_cannot_be_acknowledged(bare: Assistant, clock: FakeClock) -> None:
    """An acknowledgement that comes too early, or of another time, changes nothing."""
    made = await make(bare, "bread", 1)
    assert await bare.reminders.acknowledge(ADA, made.id) == made
    clock.advance(3600)
    assert await bare.reminders.acknowledge(ADA, made.id, made.due - 1) == made
    assert await due(bare) == ["bread"]


async def test_what_recurs_is_due_again(bare: Assistant, clock: FakeClock) -> None:
    """An acknowledgement leads to the next time beyond now; one that comes twice does not skip it."""
    made = await make(bare, "tablets", 1, recurrence="FREQ=DAILY", zone="Europe/Vienna")
    clock.advance(3600 + 3 * 86400)  # nobody listened for three days: it is told once
    (told,) = await bare.reminders.due(ADA)
    heard = await bare.reminders.acknowledge(ADA, made.id, told.due)
    assert (heard.state, heard.due) == (ReminderState.PENDING, made.due + 4 * DAY)
    assert await bare.reminders.acknowledge(ADA, made.id, told.due) == heard
    clock.advance(86400)
    assert await bare.reminders.acknowledge(ADA, made.id, told.due) == heard
    assert await due(bare) == ["tablets"]


async def test_a_dismissed_one_is_not_told(bare: Assistant, clock: FakeClock) -> None:
    """What is taken back is not told, whether it was to come, was due or recurs; the second time is no change."""
    coming, now = await make(bare, "bread", 3), await make(bare, "milk", 1)
    again = await make(bare, "tablets", 1, recurrence="FREQ=DAILY", zone="UTC")
    clock.advance(3600)
    for each in (coming, now, again):
        gone, pending = await bare.reminders.dismiss(ADA, each.id)
        assert (gone.state, pending) == (ReminderState.DISMISSED, True)
        assert await bare.reminders.dismiss(ADA, each.id) == (gone, False)
    clock.advance(10 * 86400)
    assert await due(bare) == []
    with pytest.raises(NotFound):
        await bare.reminders.dismiss(BOB, coming.id)


async def test_lists_have_an_order(bare: Assistant, clock: FakeClock) -> None:
    """Those to come stand by when they are due, behind them the others by when they ended, page by page."""
    third, first, second = await make(bare, "c", 3), await make(bare, "a", 1), await make(bare, "b", 2)
    assert await texts(bare) == ["a", "b", "c"]
    clock.advance(3600)
    await bare.reminders.acknowledge(ADA, first.id)
    await bare.reminders.dismiss(ADA, second.id)
    assert await texts(bare) == ["c", "a", "b"]
    assert await texts(bare, ReminderState.PENDING) == [third.text]
    assert await texts(bare, ReminderState.DISMISSED) == ["b"]
    pages, token = [], ""
    while found := await bare.reminders.list(ADA, Page(1, token)):
        pages += [each.text for each in found[0]]
        token = found[1]
        if not token:
            break
    assert pages == ["c", "a", "b"]


async def test_a_request_makes_one(bare: Assistant, clock: FakeClock) -> None:
    """The same request id makes one reminder, also when its time has come by then."""
    moment = clock.now() + HOUR
    made = await bare.reminders.create(ADA, "bread", moment, request_id="r")
    clock.advance(7200)
    assert await bare.reminders.create(ADA, "bread", moment, request_id="r") == made


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("text", {"text": "  "}),
        ("text", {"text": "x" * 1025}),
        ("due_at", {"due": 0}),
        ("time_zone", {"zone": "Mars/Base"}),
        ("recurrence", {"recurrence": "FREQ=NEVER", "zone": "UTC"}),
        ("time_zone", {"recurrence": "FREQ=DAILY"}),
    ],
)
async def test_wrong_ones_are_refused(bare: Assistant, field: str, given: dict[str, object]) -> None:
    """What cannot be meant is refused by the name of its field, and nothing is kept."""
    whole: dict[str, object] = {"text": "bread", "due": bare.clock.now() + HOUR} | given
    with pytest.raises(InvalidArgument) as refused:
        await bare.reminders.create(ADA, **whole)  # type: ignore[arg-type]  # by their names
    assert refused.value.violations[0][0] == field
    assert await texts(bare) == []


async def test_there_is_an_end_to_them(bare: Assistant, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many that are pending no more are made, and those that ended long ago leave."""
    monkeypatch.setattr(room, "MOST", 3)
    made = [await make(bare, f"{number}", 1 + number) for number in range(3)]
    with pytest.raises(FailedPrecondition):
        await make(bare, "more", 1)
    await bare.reminders.dismiss(ADA, made[0].id)
    clock.advance(31 * 86400)
    await make(bare, "more", 1)
    assert await texts(bare) == ["1", "2", "more"]
    assert len(await bare.store.scan(ADA, REMINDERS_BY_TIME)) == len(await bare.store.scan(ADA, REMINDERS)) == 3


async def asked(assistant: Assistant) -> tuple[alejo.types.Answer, Reminder]:
    """A message that is remembered, and a reminder made from it."""
    answer = await assistant.chat("My dentist is in Ghent.", scope=ADA)
    source, moment = answer.user_message, assistant.clock.now() + HOUR
    return answer, await assistant.reminders.create(ADA, "the dentist in Ghent", moment, source=source)


async def test_forgetting_takes_it_along(assistant: Assistant) -> None:
    """With the words of the message that asked for it go the reminder, its places, and an answer that quoted it."""
    answer, reminder = await asked(assistant)
    listed = await assistant.conversation.chat(ADA, Ask("/list reminders", answer.session_id))
    assert reminder.text in listed.message.text
    memories, _ = await assistant.memories.list(ADA, Page(10))
    await assistant.memories.forget(ADA, [each.id for each in memories if each.message_id == answer.user_message.id])
    for table in (REMINDERS, REMINDERS_BY_TIME, REMINDERS_OF):
        assert await assistant.store.scan(ADA, table) == []
    assert await assistant.store.scan(ADA, QUOTES, bytes.fromhex(reminder.id)) == []
    messages, _ = await assistant.sessions.messages(ADA, listed.session_id, Page(100))
    assert not any("Ghent" in each.text for each in messages)
    with pytest.raises(FailedPrecondition):
        await assistant.reminders.create(ADA, "again", assistant.clock.now() + HOUR, source=answer.user_message)


async def test_a_deleted_session_takes_it_along(assistant: Assistant) -> None:
    """Nothing is left of reminders that were made in a session that is deleted."""
    answer, _ = await asked(assistant)
    await assistant.sessions.delete(ADA, answer.session_id)
    for table in (REMINDERS, REMINDERS_BY_TIME, REMINDERS_OF):
        assert await assistant.store.scan(ADA, table) == []


async def test_forgetting_and_making_at_once_leave_nothing(assistant: Assistant) -> None:
    """Of a reminder that is made while its message is being forgotten nothing is left, whichever comes first."""
    for _ in range(5):
        answer = await assistant.chat("My dentist is in Ghent.", scope=ADA)
        memories, _ = await assistant.memories.list(ADA, Page(10))
        source, moment = answer.user_message, assistant.clock.now() + HOUR
        await asyncio.gather(
            assistant.memories.forget(ADA, [each.id for each in memories]),
            assistant.reminders.create(ADA, "Ghent", moment, source=source),
            return_exceptions=True,
        )
        assert await assistant.store.scan(ADA, REMINDERS) == []


async def test_it_is_there_after_a_restart(settings: Settings, clock: FakeClock) -> None:
    """What was made is told by another process that opens the folder later."""
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as first:
        await make(first, "bread", 1)
    clock.advance(3600)
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as second:
        assert await due(second) == ["bread"]
