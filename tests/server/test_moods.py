"""How users feel, over the wire, with the real rooms behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import alejo
from alejo import Assistant
from alejo.client import Client, connect
from alejo.errors import InvalidArgument
from alejo.identity import LOCAL
from alejo.server import Server
from alejo.settings import Settings
from alejo.storage.tables import AUDIT
from alejo.types import Ask

ANGRY = "My boss yelled at me again, I hate this job."


@pytest.fixture
async def home(settings: Settings) -> AsyncIterator[Assistant]:
    async with alejo.open(settings=settings) as opened:
        yield opened


@pytest.fixture
async def client(home: Assistant) -> AsyncIterator[Client]:
    server = Server(home, tcp=False, metrics=False)
    await server.start()
    async with connect(f"unix:{server.socket_path}") as connected:
        yield connected
    await server.drain(0.0)


async def test_what_is_felt_is_told_corrected_and_erased(home: Assistant, client: Client) -> None:
    """All that the room tells comes over the wire; corrections hold; a forgotten topic and a reset leave nothing."""
    first = await client.chat(Ask(ANGRY))
    await client.chat(Ask("My boss was unfair, I am angry.", first.session_id))
    told, known = await client.moods.get(), await home.moods.tell(LOCAL)
    assert (told.triggers, told.relationship, told.trajectory) == (
        known.triggers,
        known.relationship,
        known.trajectory,
    )
    assert told.mood.feelings.keys() == known.mood.feelings.keys()
    assert [each.topic for each in told.triggers] == ["boss"]
    assert (await client.moods.correct(valence=0.5)).valence == pytest.approx(0.5, abs=0.01)
    assert (await client.moods.update_relationship(trust=0.9)).trust == pytest.approx(0.9, abs=0.01)
    assert await client.moods.forget("boss")
    assert not await client.moods.forget("boss")
    assert await client.moods.reset() == 2
    assert (await client.moods.get()).mood.appraisals == 0
    done = [row.value for row in await home.store.scan(LOCAL, AUDIT, limit=1000)]
    assert {"mood.correct", "relationship.update", "trigger.forget", "emotions.reset"} <= {each.action for each in done}
    assert not any("boss" in each.subject for each in done)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda client: client.moods.correct(), "valence"),
        (lambda client: client.moods.correct(valence=1.5), "valence"),
        (lambda client: client.moods.correct(arousal=float("nan")), "arousal"),
        (lambda client: client.moods.update_relationship(), "trust"),
        (lambda client: client.moods.update_relationship(familiarity=-1.0), "familiarity"),
        (lambda client: client.moods.forget(""), "topic"),
        (lambda client: client.moods.forget("x" * 65), "topic"),
    ],
)
async def test_what_cannot_be_meant_is_refused(client: Client, call: object, field: str) -> None:
    """A number without a meaning, and nothing at all, are refused with the field."""
    with pytest.raises(InvalidArgument) as refused:
        await call(client)  # type: ignore[operator]
    assert [path for path, _ in refused.value.violations] == [field]
