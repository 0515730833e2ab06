"""Facts over the wire, with the real rooms behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import alejo
from alejo import Assistant
from alejo.client import Client, connect
from alejo.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from alejo.identity import LOCAL
from alejo.server import Server
from alejo.settings import Settings
from alejo.storage.tables import AUDIT
from alejo.types import Cardinality, FactDraft, Filter, Page

DAY = 86_400_000_000


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


async def test_a_fact_lives(home: Assistant, client: Client) -> None:
    """Add, Correct, Restore, List and GetNeighbourhood tell of the same fact, and each change is in the audit."""
    rome = await client.add_fact(FactDraft("user", "resides in", "Rome", DAY), request_id="r")
    assert rome.memory.fact is not None
    assert (rome.memory.fact.relation, rome.memory.fact.cardinality) == ("lives in", Cardinality.ONE)
    assert (await client.add_fact(FactDraft("user", "resides in", "Rome", DAY), request_id="r")).existed
    oslo = await client.add_fact(FactDraft("user", "lives in", "Oslo", 9 * DAY))
    assert [(each.id, each.superseded_by) for each in oslo.changed] == [(rome.memory.id, oslo.memory.id)]
    bonn = await client.correct_fact(rome.memory.id, FactDraft("", "", "Bonn"))
    assert [each.fact.object for each in (await client.facts(as_of=2 * DAY))[0] if each.fact] == ["Bonn"]
    restored = await client.restore_fact(rome.memory.id)
    assert [each.id for each in restored.changed] == [bonn.memory.id]
    everything, _ = await client.facts(entity="me", relation="lives in", superseded=True)
    assert len(everything) == 3
    assert (await client.facts(known_at=0))[0] == []
    around = await client.neighbourhood("user", depth=2, limit=1)
    assert [each.name for each in around.entities] == ["user", "Oslo"]
    hits, _ = await client.recall("Where does the user live?", Page(10), Filter(as_of=2 * DAY))
    assert [hit.memory.text for hit in hits] == ["The user lives in Rome."]
    done = [row.value.action for row in await home.store.scan(LOCAL, AUDIT)]
    assert [each for each in done if each.startswith("fact.")] == [
        "fact.add",
        "fact.add",
        "fact.correct",
        "fact.restore",
    ]


async def test_what_is_wrong_is_named(client: Client) -> None:
    """A wrong field, another body under an id, a fact there is not, one that nothing superseded: each has its error."""
    with pytest.raises(InvalidArgument) as caught:
        await client.add_fact(FactDraft("", "likes", "", confidence=2.0))
    assert {path for path, _ in caught.value.violations} == {"fact.subject", "fact.object", "fact.confidence"}
    with pytest.raises(InvalidArgument):
        await client.add_fact(FactDraft("user", "likes", "tea", 9, 3))
    made = await client.add_fact(FactDraft("user", "likes", "tea"), request_id="r")
    with pytest.raises(AlreadyExists):
        await client.add_fact(FactDraft("user", "likes", "gin"), request_id="r")
    with pytest.raises(NotFound):
        await client.correct_fact("0" * 32, FactDraft("", "", "gin"))
    with pytest.raises(NotFound):
        await client.add_fact(FactDraft("user", "likes", "gin", sources=("0" * 32,)))
    with pytest.raises(FailedPrecondition):
        await client.restore_fact(made.memory.id)
