"""What users prefer: checked, sealed, seen by turns and by the keeper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from alejo import Assistant, testing
from alejo.clock import FakeClock
from alejo.errors import AlreadyExists, Conflict, InvalidArgument
from alejo.hooks import hookimpl
from alejo.roles import Turn
from alejo.types import Ask, Layer, MemoryDraft, Preferences

from .conftest import ADA, BOB


async def test_preferences_are_each_users_own(bare: Assistant) -> None:
    """Nothing is preferred until it was said; what was said lasts, and is of its user alone."""
    assert await bare.profiles.get(ADA) == Preferences()
    kept = await bare.profiles.update(ADA, {"model": "small", "others": {"tone": "dry"}})
    assert kept.version > 0
    assert await bare.profiles.get(ADA) == kept
    again = await bare.profiles.update(ADA, {"language": "de-AT", "time_zone": "Europe/Vienna"})
    assert (again.model, again.language, again.others) == ("small", "de-AT", {"tone": "dry"})
    assert await bare.profiles.get(BOB) == Preferences()
    prefix = bare.folder.keyring.prefix(ADA)
    (record,) = await bare.storage.scan("preferences", prefix)
    assert b"small" not in record.value


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"language": "not a tag"}, "language"),
        ({"episodic_days": -1.0}, "episodic_days"),
        ({"episodic_days": float("nan")}, "episodic_days"),
        ({"context_tokens": 7}, "context_tokens"),
        ({"version": 3}, "update_mask"),
    ],
)
async def test_what_cannot_be_meant_is_refused(bare: Assistant, changes: dict[str, Any], field: str) -> None:
    """The error names the field, and nothing is changed."""
    with pytest.raises(InvalidArgument, match=field):
        await bare.profiles.update(ADA, changes)
    assert await bare.profiles.get(ADA) == Preferences()


async def test_two_who_change_them_at_once(bare: Assistant) -> None:
    """Neither change is lost; one of an older version is refused, and a request sent again changes nothing."""
    await asyncio.gather(bare.profiles.update(ADA, {"model": "a"}), bare.profiles.update(ADA, {"language": "de"}))
    both = await bare.profiles.get(ADA)
    assert (both.model, both.language) == ("a", "de")
    await bare.profiles.update(ADA, {"model": "b"}, request_id="r")
    with pytest.raises(Conflict):
        await bare.profiles.update(ADA, {"model": "c"}, version=both.version)
    await bare.profiles.update(ADA, {"model": "d"})
    assert (await bare.profiles.update(ADA, {"model": "b"}, request_id="r")).model == "d"
    with pytest.raises(AlreadyExists):
        await bare.profiles.update(ADA, {"model": "e"}, request_id="r")


class Telling:
    """A brain that says what its user prefers."""

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        context = await turn.desk.context()
        yield f"{turn.preferences.model} {context.tokens <= 64}"

    @hookimpl
    def alejo_register_brain(self, settings: Any) -> Telling:
        return self


async def test_a_turn_knows_them() -> None:
    """The brain gets the preferred model, and a context as large as is preferred."""
    async with testing.assistant(Telling()) as assistant:
        for number in range(30):
            await assistant.memories.remember(ADA, MemoryDraft(f"The boat number {number} is red.", pinned=True))
        assert (await assistant.conversation.chat(ADA, Ask("Which boat?"))).message.text == " False"
        await assistant.profiles.update(ADA, {"model": "small", "context_tokens": 64})
        assert (await assistant.conversation.chat(ADA, Ask("Which boat?"))).message.text == "small True"


async def test_the_keeper_goes_by_them(bare: Assistant, clock: FakeClock) -> None:
    """Who wants what happened to stay longer, or shorter, in recall than is set gets that."""
    await bare.profiles.update(ADA, {"episodic_days": 7.0})
    for scope in (ADA, BOB):
        await bare.memories.remember(scope, MemoryDraft("Nina sold the boat", Layer.EPISODIC, importance=0.3))
    clock.advance(8 * 86_400.0)
    assert (await bare.keeper.visit(ADA)).archived == 1
    assert (await bare.keeper.visit(BOB)).archived == 0


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        ("Set my time zone to Asia/Tokyo", "Asia/Tokyo"),
        ("Change my timezone to tokyo.", "Asia/Tokyo"),
        ("Stell meine Zeitzone auf Wien", "Europe/Vienna"),
        ("Pon mi zona horaria en Europe/Madrid", "Europe/Madrid"),
        ("Set my time zone to Atlantis", ""),
    ],
)
async def test_a_time_zone_is_set_by_talking(assistant: Assistant, said: str, zone: str) -> None:
    """A zone or its city is kept at once; what is neither is refused and changes nothing."""
    answer = (await assistant.chat(said, scope=ADA)).message.text
    assert (await assistant.profiles.get(ADA)).time_zone == zone
    assert (zone or "I could not keep that: preferences.time_zone: is no time zone") in answer
