"""Learning over the wire, with the real rooms behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

import alejo
from alejo import Assistant
from alejo.client import Client, connect
from alejo.errors import AlreadyExists, InvalidArgument, NotFound
from alejo.identity import LOCAL
from alejo.lessons import Promoted
from alejo.server import Server
from alejo.settings import Settings
from alejo.storage.tables import AUDIT
from alejo.types import Ask, Metric, Page, SessionState


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


async def test_what_was_learned_is_told(home: Assistant, client: Client) -> None:
    """GetLearning, ListLearningLog and ExportPairs tell of a session that ended; an export is in the audit."""
    told = await client.chat(Ask("My dog is called Luna."))
    await client.chat(Ask("What is my dog called?", told.session_id))
    await client.update_session(told.session_id, state=SessionState.COMPLETED)
    await home.reflection.settled()
    assert await client.learnt() == await home.learning.statistics(LOCAL)
    first, token = await client.learning_log(Page(1))
    rest, end = await client.learning_log(Page(100, token))
    assert ([*first, *rest], end) == await home.learning.log(LOCAL, Page(100))
    plain = b"".join([part async for part in client.export_pairs()]).splitlines()
    assert [json.loads(line)["instruction"] for line in plain] == ["My dog is called Luna.", "What is my dog called?"]
    chat = b"".join([part async for part in client.export_pairs("openai", personal=False)])
    assert [each["role"] for each in json.loads(chat.splitlines()[0])["messages"]] == ["user", "assistant"]
    assert b"Luna" not in chat
    done = [row.value.action for row in await home.store.scan(LOCAL, AUDIT)]
    assert done.count("learning.export") == 2


async def test_feedback_is_given_once(client: Client) -> None:
    """GiveFeedback is of a memory that a turn recalled; a request id stands for one word of it."""
    told = await client.chat(Ask("My dog is called Luna."))
    asked = await client.chat(Ask("What is my dog called?", told.session_id))
    memory_id = asked.recalled[0].memory.id
    for _ in range(2):
        await client.give_feedback(memory_id, helpful=True, turn=asked.request_id, request_id="one")
    with pytest.raises(AlreadyExists):
        await client.give_feedback(memory_id, helpful=False, turn=asked.request_id, request_id="one")
    with pytest.raises(NotFound):
        await client.give_feedback(memory_id, helpful=True, turn=told.request_id)
    with pytest.raises(InvalidArgument) as refused:
        await client.give_feedback("no memory", helpful=True)
    assert refused.value.violations[0][0] == "memory_id"


async def test_weights_are_listed_and_rolled_back(home: Assistant, client: Client) -> None:
    """ListWeights tells versions and which is used; RollBackWeights goes to the one before, or to the one named."""
    assert await client.weights() == Promoted((), 0)
    weights = home.learning.weights
    for weight in (2.0, 3.0):
        writer = await home.store.writer(LOCAL)
        await weights.promote(writer, LOCAL, {"dense": weight}, "test", (Metric("ndcg@10", 0.5, 0.6, 20),))
        await writer.commit()
    told = await client.weights()
    assert [(each.number, each.weights) for each in told.own] == [(2, {"dense": 3.0}), (1, {"dense": 2.0})]
    assert told == await home.learning.promoted(LOCAL)
    assert [await client.roll_back_weights() for _ in range(3)] == [1, 0, 0]
    assert await client.roll_back_weights(2, request_id="r") == await client.roll_back_weights(2, request_id="r") == 2
    with pytest.raises(NotFound):
        await client.roll_back_weights(3)
    assert [await client.roll_back_shared_weights(number) for number in (None, 0)] == [0, 0]
    with pytest.raises(NotFound):
        await client.roll_back_shared_weights(1)
