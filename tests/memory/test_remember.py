"""Remembering with a memory plugin that refuses: what it refuses is not remembered, what was said is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from importlib.metadata import EntryPoint, distribution, entry_points
from typing import Any

import pytest

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import InvalidArgument
from alejo.hooks import hookimpl
from alejo.settings import Settings
from alejo.storage.tables import MEMORIES
from alejo.types import (
    Accepted,
    Answer,
    Ask,
    Degraded,
    Kept,
    MemoryDraft,
    Message,
    MessageDraft,
    Page,
    PluginState,
    RecallPlan,
)

from ..conftest import ADA


class Picky:
    """A memory strategy that keeps everything and refuses what is bad."""

    async def keep(self, message: Message) -> Sequence[MemoryDraft]:
        """The message as it is."""
        if "bad" in message.text:
            raise InvalidArgument.field("text", "is bad")
        return (MemoryDraft(message.text),)

    async def complete(self, draft: MemoryDraft) -> MemoryDraft:
        """Nothing to add."""
        if "bad" in draft.text:
            raise InvalidArgument.field("text", "is bad")
        return draft

    async def plan(self, query: str) -> RecallPlan:
        """The plain plan, or one without a meaning."""
        return PLANS.get(query, RecallPlan())


NAN = float("nan")
PLANS = {
    "a weight below nothing": RecallPlan(kind_weights={"note": -1.0}),
    "a weight that is none": RecallPlan(kind_weights={"note": NAN}),
    "a weight without end": RecallPlan({"recency": float("inf")}),
    "a weight of nothing known": RecallPlan({"smell": 1.0}),
    "a speaker beyond all": RecallPlan(speakers={"Ann": 2.0}),
    "a half-life of nothing": RecallPlan(recency_half_life=0.0),
    "a coverage that is none": RecallPlan(min_coverage=NAN),
}


@hookimpl
def alejo_register_memory(settings: dict[str, Any]) -> Picky:
    """The hook of the plugin that this module is."""
    return Picky()


@pytest.fixture(params=["alejo-memory", "a-stranger"])
async def picky(request: pytest.FixtureRequest, settings: Settings, clock: FakeClock) -> AsyncIterator[Assistant]:
    """An assistant with the built-in brain and that strategy, on the server's loop and on one of its own."""
    plugin = EntryPoint("picky", __name__, "alejo")
    if request.param == "alejo-memory":
        vars(plugin).update(dist=distribution(request.param))
    brain = [each for each in entry_points(group="alejo") if each.name == "brain"]
    async with alejo.open(settings=settings, clock=clock, entry_points=[*brain, plugin]) as opened:
        assert {each.state for each in opened.plugins.statuses()} == {PluginState.ACTIVE}
        yield opened


async def test_a_refused_message_is_kept_and_answered(picky: Assistant) -> None:
    """A turn whose message the memory plugin refuses is answered; it says what was missing, and is told so again."""
    ask = Ask("This is bad.", request_id="r")
    events = [event async for event in picky.conversation.stream(ADA, ask)]
    assert isinstance(events[0], Accepted)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert Degraded("memory", "picky", "rejected") in answer.degraded
    assert (await picky.memories.list(ADA, Page()))[0] == []
    messages, _ = await picky.sessions.messages(ADA, answer.session_id, Page())
    assert [message.id for message in messages] == [answer.user_message.id, answer.message.id]
    again = await picky.conversation.chat(ADA, ask)
    assert (again.replayed, again.degraded) == (True, answer.degraded)
    good = await picky.conversation.chat(ADA, Ask("This is good.", answer.session_id))
    assert Degraded("memory", "picky", "rejected") not in good.degraded
    assert [memory.text for memory in (await picky.memories.list(ADA, Page()))[0]] == ["This is good."]


async def test_a_refused_message_among_many_harms_none(picky: Assistant) -> None:
    """Of messages and things remembered together, those refused by the plugin are kept as they are, and the others."""
    session, _ = await picky.sessions.create(ADA)
    outcomes = await picky.memories.remember_many(
        ADA,
        [
            ("1", MessageDraft(session.id, "bad")),
            ("2", MessageDraft(session.id, "good")),
            ("3", MemoryDraft("bad thing")),
        ],
    )
    made = [[memory.text for memory in each.memories] for each in outcomes if isinstance(each, Kept)]
    assert made == [[], ["good"], ["bad thing"]]
    messages, _ = await picky.sessions.messages(ADA, session.id, Page())
    assert [(message.seq, message.text) for message in messages] == [(1, "bad"), (2, "good")]
    assert (await picky.sessions.get(ADA, session.id)).message_count == 2
    assert len(await picky.store.scan(ADA, MEMORIES)) == 2


@pytest.mark.parametrize("query", PLANS)
async def test_a_plan_without_a_meaning_is_a_failure_of_its_plugin(picky: Assistant, query: str) -> None:
    """A recall planned with numbers that mean nothing is answered by the plain plan, and says so."""
    await picky.memories.remember(ADA, MemoryDraft(query))
    hits, _, degraded = await picky.memories.recall(ADA, query, Page())
    assert [hit.memory.text for hit in hits] == [query]
    assert degraded == [Degraded("memory", "picky", "failed")]
