"""The learner that fine-tunes, against a real API: once, over kills, with figures before and after."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from alejo_brain import FineTuner, OpenAI
from alejo_brain.tuning import LEAST, POLL_SECONDS, State, f1
from hypothesis import given
from hypothesis import strategies as st

from alejo.completions import Endpoint
from alejo.errors import ModelFailed
from alejo.roles import Lesson
from alejo.testing.model_server import ModelServer
from alejo.types import Learned, Pair, Session, SessionState

PAIRS = tuple(Pair(f"What is number {i}?", f"You said: What is number {i}?", "s", f"m{i}", i) for i in range(100))
SESSION = Session("s", SessionState.COMPLETED, 0, 0)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def tuner(server: ModelServer) -> AsyncIterator[FineTuner]:
    tuner = FineTuner(OpenAI(Endpoint(server.openai)), "parrot")
    yield tuner
    await tuner.close()


def lesson(state: bytes = b"", pairs: tuple[Pair, ...] = PAIRS) -> Lesson:
    return Lesson(SESSION, state, 0, pairs)


async def followed(tuner: FineTuner, state: bytes = b"", pairs: tuple[Pair, ...] = PAIRS) -> tuple[list[str], Learned]:
    """Calls until nothing is left to follow; each call twice with the same state, as after a kill."""
    outcomes = []
    while True:
        await tuner.learn(lesson(state, pairs))
        learned = await tuner.learn(lesson(state, pairs))
        outcomes.append(learned.outcome)
        if learned.again is None:
            return outcomes, learned
        state = learned.state


async def test_a_model_is_tuned_once_and_measured(server: ModelServer, tuner: FineTuner) -> None:
    """Whatever step is done twice, one job is begun; at its end are figures, a model, and no file is left behind."""
    state, outcomes = b"", []
    while True:
        learned = await tuner.learn(lesson(state))
        outcomes.append(learned.outcome)
        if learned.outcome in ("preparing", "brought", "tuning") and outcomes.count(learned.outcome) == 1:
            assert (await tuner.learn(lesson(state))).outcome == learned.outcome
        if learned.again is None:
            break
        state = learned.state
    assert outcomes[:3] == ["preparing", "brought", "tuning"]
    assert (outcomes[-1], server.tuning.begun) == ("tuned", 1)
    done = msgspec.json.decode(learned.state, type=State)
    assert (done.result, done.phase) == ("ft:parrot:alejo:ftjob-1", "")
    figures = {metric.name: metric for metric in learned.metrics}
    assert figures["answer_f1"].before == figures["answer_f1"].after == 1.0
    assert figures["answer_f1"].n > 0
    assert figures["valid_loss"].before > figures["valid_loss"].after
    assert (server.tuning.brought, server.tuning.files) == (2, {})


async def test_nothing_is_begun_with_too_little_or_nothing_new(server: ModelServer, tuner: FineTuner) -> None:
    """Few pairs are no lesson, and those that a model knows are none again."""
    assert (await tuner.learn(lesson(pairs=PAIRS[:LEAST]))).outcome == "too_few_pairs"
    _, learned = await followed(tuner)
    assert (await tuner.learn(lesson(learned.state))).outcome == "nothing_new"
    assert server.tuning.begun == 1


async def test_what_is_held_back_is_not_trained_on(server: ModelServer, tuner: FineTuner) -> None:
    """The questions that are asked before and after stand in the file for validation alone."""
    state = (await tuner.learn(lesson())).state
    await tuner.learn(lesson(state))
    train, held = (set(content.splitlines()) for content in server.tuning.files.values())
    assert train.isdisjoint(held)
    assert len(train) + len(held) == len(PAIRS)


async def test_a_job_that_fails_says_so(server: ModelServer, tuner: FineTuner) -> None:
    """A job that the endpoint gives up ends the lesson with its state, and its files are taken away."""
    server.tuning.failing = True
    state, learned = b"", Learned()
    while learned.again is not None or not state:
        learned = await tuner.learn(lesson(state))
        state = learned.state
    assert learned.outcome == "tuning_failed"
    assert server.tuning.files == {}


async def test_an_endpoint_that_is_down_leaves_the_place(server: ModelServer, tuner: FineTuner) -> None:
    """A step that cannot be done raises, and the same state goes on from there."""
    state = (await tuner.learn(lesson())).state
    away = FineTuner(OpenAI(Endpoint("http://127.0.0.1:9/v1")), "parrot")
    with pytest.raises(ModelFailed) as failed:
        await away.learn(lesson(state))
    assert failed.value.why == "unavailable"
    await away.close()
    assert (await tuner.learn(lesson(state))).outcome == "brought"


async def test_a_running_job_is_looked_at_again(tuner: FineTuner) -> None:
    """While it trains, the host is asked to come back, with the losses so far."""
    state = b""
    for _ in range(5):
        learned = await tuner.learn(lesson(state))
        state = learned.state
    assert (learned.outcome, learned.again) == ("tuning", POLL_SECONDS)
    assert {metric.name for metric in learned.metrics} == {"train_loss", "valid_loss"}


@given(st.text(max_size=40), st.text(max_size=40))
def test_likeness_is_a_part(one: str, other: str) -> None:
    """It is 0 to 1, the same both ways, and 1 of a text with itself."""
    assert 0 <= f1(one, other) == f1(other, one) <= 1
    assert f1(one, one) in (0, 1)
