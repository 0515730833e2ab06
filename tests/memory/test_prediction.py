"""Looking ahead: what comes again is expected and at hand, a surprise counts, and nothing of the forgotten is kept."""

from __future__ import annotations

import asyncio

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.memory.expecting import named
from alejo.memory.prediction import Prediction
from alejo.settings import read
from alejo.storage.tables import EXPECTATIONS, Expectations
from alejo.types import Answer, Ask, MemoryDraft

from ..conftest import ADA

ROUND = ("What is my dog called?", "Where does my sister Ann live?")
ONE = b"\0"


async def ask(assistant: Assistant, text: str, session_id: str = "") -> Answer:
    """A turn, and what is done when nobody waits."""
    answer = await assistant.conversation.chat(ADA, Ask(text, session_id))
    await assistant.prediction.look_ahead(ADA, answer.session_id)
    return answer


async def rounds(assistant: Assistant, count: int) -> list[Answer]:
    """The same two questions in one session, again and again, by a user whose memories are about other things too."""
    for text in ("My dog is called Luna.", "My sister Ann lives in Porto.", "Tea tastes best at four."):
        await assistant.memories.remember(ADA, MemoryDraft(text))
    for number in range(12):
        await assistant.memories.remember(ADA, MemoryDraft(f"Box {number} has screws of {number} mm."))
    answers: list[Answer] = []
    for _ in range(count):
        for text in ROUND:
            answers.append(await ask(assistant, text, answers[-1].session_id if answers else ""))
    return answers


def surprise(answer: Answer) -> float:
    assert answer.workspace is not None
    return answer.workspace.surprise


async def work(prediction: Prediction) -> None:
    """Waits until what is to be done ahead is done."""
    while prediction._task is not None:
        await asyncio.wait([prediction._task])
    prediction._start()
    assert prediction._task is not None
    await asyncio.wait([prediction._task])


async def model(assistant: Assistant) -> Expectations:
    row = await assistant.store.get(ADA, EXPECTATIONS, ONE)
    return row.value if row is not None else Expectations()


async def test_what_comes_again_is_expected(assistant: Assistant) -> None:
    """Of questions that take turns each one's memory is a hit, at hand, and no surprise; something else surprises."""
    answers = await rounds(assistant, 4)
    outcomes = assistant.prediction.outcomes
    assert outcomes["unready"] == 1
    assert outcomes["hit"] >= 5
    assert surprise(answers[-1]) < surprise(answers[1])
    index = await assistant.indexes.get(ADA)
    assert answers[-2].recalled[0].memory.id in index.held
    misses = outcomes["miss"]
    other = await ask(assistant, "Which screws are in box 7?", answers[0].session_id)
    assert outcomes["miss"] == misses + 1
    assert surprise(other) == 1.0


async def test_a_surprise_raises_salience(assistant: Assistant) -> None:
    """What nobody expected asks for more attention than it does by itself."""
    answers = await rounds(assistant, 3)
    other = await ask(assistant, "Which screws are in box 7?", answers[0].session_id)
    hit = other.recalled[0]
    alone = 0.6 * min(hit.coverage, 1.0) + 0.4 * hit.memory.importance
    assert other.workspace is not None
    focus = next(each for each in other.workspace.foci if each.candidate.reference == hit.memory.id)
    assert alone < focus.candidate.salience <= alone + 0.3 * (1 - alone) + 1e-9


async def test_a_surprise_raises_the_importance_of_what_is_remembered(environment: dict[str, str]) -> None:
    """The memory of a turn that surprised matters more than in a life where nothing is expected, by a bounded part."""
    found = []
    for enabled in (True, False):
        chosen = read(
            environment | {"XDG_DATA_HOME": f"{environment['HOME']}/{enabled}"},
            {"data.map_size_mb": 16, "prediction.enabled": enabled, "memory.layers.surprise_weight": 0.3},
        )
        clock = FakeClock()
        async with alejo.open(settings=chosen, clock=clock) as assistant:
            answers = await rounds(assistant, 2)
            other = await ask(assistant, "Which screws are in box 7?", answers[0].session_id)
            clock.advance(3600)
            await assistant.keeper.visit(ADA)
            memories, _ = await assistant.memories.list(ADA, alejo.types.Page())
            found += [each.importance for each in memories if each.message_id == other.user_message.id]
            assert (surprise(other) == 1.0) is enabled
    assert found[1] < found[0] <= found[1] + 0.3


async def test_a_model_outlives_its_process(environment: dict[str, str], clock: FakeClock) -> None:
    """What was learned is on disk, sealed, by ids alone, and expected by the next process."""
    chosen = read(environment, {"data.map_size_mb": 16})
    async with alejo.open(settings=chosen, clock=clock) as assistant:
        answers = await rounds(assistant, 2)
    async with alejo.open(settings=chosen, clock=clock) as assistant:
        kept = named(await model(assistant))
        assert {answer.recalled[0].memory.id for answer in answers} <= kept
        await ask(assistant, ROUND[0], answers[0].session_id)
        await ask(assistant, ROUND[1], answers[0].session_id)
        assert assistant.prediction.outcomes == {"unready": 1, "hit": 1}


async def test_a_new_session_begins_with_what_its_hour_brings(assistant: Assistant) -> None:
    """The first turn of a session at the usual hour is expected."""
    answers = await rounds(assistant, 2)
    hits = assistant.prediction.outcomes["hit"]
    again = await ask(assistant, ROUND[0])
    assert again.session_id != answers[0].session_id
    assert assistant.prediction.outcomes["hit"] == hits + 1


async def test_forgetting_takes_a_memory_out_of_what_is_expected(assistant: Assistant) -> None:
    """A forgotten memory is neither in the model on disk nor at hand, and is not written down again."""
    answers = await rounds(assistant, 5)
    gone = answers[0].recalled[0].memory.id
    assert gone in named(await model(assistant))
    await assistant.memories.forget(ADA, [gone])
    assert gone not in named(await model(assistant))
    after = await ask(assistant, ROUND[0], answers[0].session_id)
    assert all(hit.memory.id != gone for hit in after.recalled)
    assert gone not in (await assistant.indexes.get(ADA)).held
    for _ in range(8):
        await ask(assistant, ROUND[1], answers[0].session_id)
    assert gone not in named(await model(assistant))


async def test_what_is_at_hand_is_as_it_is_on_disk(assistant: Assistant) -> None:
    """A memory that was made ready and gets other words is recalled in its new ones."""
    answers = await rounds(assistant, 2)
    told = answers[0].recalled[0].memory
    assert told.id in (await assistant.indexes.get(ADA)).held
    await assistant.memories.update(ADA, told.id, {"text": "My dog is called Bella."})
    after = await ask(assistant, ROUND[0], answers[0].session_id)
    assert "My dog is called Bella." in [hit.memory.text for hit in after.recalled]
    assert all("Luna" not in hit.memory.text for hit in after.recalled)


async def test_an_erased_user_leaves_nothing(assistant: Assistant) -> None:
    """Nothing of an erased user is expected, and no row of theirs is written again."""
    answers = await rounds(assistant, 3)
    await assistant.erase(ADA, (await assistant.erasures.preview(ADA)).token)
    await assistant.prediction.look_ahead(ADA, answers[0].session_id)
    await assistant.prediction.close()
    assert await assistant.store.life(ADA) is None


async def test_work_ahead_makes_way_for_turns(assistant: Assistant) -> None:
    """While a turn is under way nothing is done ahead; when all are over it is."""
    answer = await assistant.conversation.chat(ADA, Ask("My dog is called Luna."))
    again = await assistant.conversation.chat(ADA, Ask(ROUND[0], answer.session_id))
    prediction = assistant.prediction
    prediction.began()
    await work(prediction)
    assert prediction.prefetches["done"] == 0
    prediction.ended(ADA, again.session_id)
    await work(prediction)
    assert prediction.prefetches["done"] == 1


async def test_switched_off_it_expects_nothing(environment: dict[str, str], clock: FakeClock) -> None:
    """With prediction.enabled off nothing is counted, kept or a surprise."""
    chosen = read(environment, {"data.map_size_mb": 16, "prediction.enabled": False})
    async with alejo.open(settings=chosen, clock=clock) as assistant:
        answers = await rounds(assistant, 2)
        assert [surprise(answer) for answer in answers] == [0.0] * 4
        assert not assistant.prediction.outcomes
        assert await model(assistant) == Expectations()
