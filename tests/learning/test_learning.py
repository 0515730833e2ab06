"""Learning in an assistant: from the end of a session to other weights, and back out again."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence

import pytest

import alejo
from alejo import testing
from alejo._core import EVIDENCE
from alejo.clock import FakeClock
from alejo.errors import FailedPrecondition, InvalidArgument, NotFound
from alejo.hooks import hookimpl
from alejo.learning.rows import LEARNERS, POOLS
from alejo.memory.recall import measured
from alejo.reflection.worker import DOWN_SECONDS
from alejo.roles import Learner, Lesson
from alejo.settings import Settings
from alejo.storage.rows import time_key
from alejo.storage.tables import FEEDBACK, FEEDBACK_BY_TIME, PAIRS, TOPICS, Feedback, Liking
from alejo.types import FactDraft, Learned, Metric, Page, Scope, SessionState

from ..conftest import ADA, BOB

EVE = Scope("other", "eve")


@pytest.fixture
async def live(settings: Settings) -> AsyncIterator[alejo.Assistant]:
    """An assistant whose clock goes on, so that work for later is done."""
    async with alejo.open(settings=settings) as opened:
        yield opened


async def hold(assistant: alejo.Assistant, *texts: str, scope: Scope = ADA) -> tuple[str, list[alejo.types.Answer]]:
    """A session in which this is said; it ends and is learned from."""
    answers = [await assistant.chat(texts[0], scope=scope)]
    session_id = answers[0].session_id
    answers += [await assistant.chat(text, session_id=session_id, scope=scope) for text in texts[1:]]
    await end(assistant, session_id, scope)
    return session_id, answers


async def end(assistant: alejo.Assistant, session_id: str, scope: Scope = ADA) -> None:
    await assistant.sessions.update(scope, session_id, state=SessionState.COMPLETED)
    await assistant.reflection.settled()


async def exported(assistant: alejo.Assistant, scope: Scope = ADA, **options: bool) -> list[dict[str, str]]:
    return [json.loads(each) async for each in assistant.learning.export(scope, "plain", **options)]


SAID = ("My dog is called Luna.", "I prefer tea to coffee.", "What is my dog called?")


async def test_a_session_that_ends_is_learned_from(live: alejo.Assistant) -> None:
    """Its topics, preferences and pairs are stored, and every stage tells the log, once."""
    session_id, _ = await hold(live, *SAID)
    row = await live.store.get(ADA, TOPICS, bytes.fromhex(session_id))
    assert row
    assert "dog" in {topic.text for topic in row.value.topics}
    preferred = [await live.memories.get(ADA, each) for each in row.value.preferences]
    assert [memory.text for memory in preferred] == [SAID[1]]
    pairs = await exported(live)
    assert [pair["instruction"] for pair in pairs] == list(SAID)
    assert "Luna" in pairs[2]["output"]
    assert {pair["context"] for pair in pairs} == {session_id}
    log, token = await live.learning.log(ADA, Page(10))
    assert sorted(entry.stage for entry in log) == ["learner.ranking", "log", "pairs", "topics"]
    assert token == ""
    learnt = await live.learning.statistics(ADA)
    assert (learnt.said.sessions, learnt.said.asked, learnt.said.answered) == (1, 3, 3)
    assert learnt.stages["pairs"].made == 3
    assert learnt.preferences == 1
    assert await live.learning.statistics(BOB) == await live.learning.statistics(EVE)  # nothing


async def test_personal_data_stay_out_on_request(live: alejo.Assistant) -> None:
    """Names that facts know and addresses are in the lines only where they are wanted."""
    await hold(live, *SAID, "My sister's mail is ada@example.org.")
    assert "Luna" in json.dumps(await exported(live))
    told = json.dumps(await exported(live, personal=False))
    assert "[name]" in told
    assert "[email]" in told
    assert "Luna" not in told
    assert "example.org" not in told


async def test_forgetting_takes_it_out_of_what_was_learned(live: alejo.Assistant) -> None:
    """What is forgotten stands in no pair and no topic, nor does what was liked of a turn that said it."""
    session_id, answers = await hold(live, *SAID)
    recalled = answers[2].recalled[0].memory
    await live.learning.likings.give(ADA, recalled.id, helpful=True)
    await live.memories.forget(ADA, [recalled.id])
    assert "Luna" not in json.dumps(await exported(live))
    row = await live.store.get(ADA, TOPICS, bytes.fromhex(session_id))
    assert row
    assert not any("Luna" in topic.text for topic in row.value.topics)
    assert await live.store.scan(ADA, FEEDBACK) == []
    with pytest.raises(NotFound):
        await live.learning.likings.give(ADA, recalled.id, helpful=True)
    await live.sessions.delete(ADA, session_id)
    assert await live.store.scan(ADA, TOPICS) == await live.store.scan(ADA, PAIRS) == []


async def test_feedback_is_of_a_recalled_memory(live: alejo.Assistant) -> None:
    """It is of the turn that is named or the last that recalled the memory, else refused; the last word counts."""
    _, answers = await hold(live, *SAID, "Who is Luna?")
    memory = answers[2].recalled[0].memory
    likings = live.learning.likings
    for helpful in (True, False):
        given = await likings.give(ADA, memory.id, helpful=helpful, turn=answers[2].request_id)
    assert [each.said for each in given.likings if each.memory_id == memory.id] == [-1.0]
    newest = await likings.give(ADA, memory.id, helpful=True, request_id="once")
    assert newest.at > given.at
    assert await likings.give(ADA, memory.id, helpful=True, request_id="once") == newest
    for turn, memory_id in (("", "0" * 32), ("no such turn", memory.id), (answers[0].request_id, memory.id)):
        with pytest.raises(NotFound):
            await likings.give(ADA, memory_id, helpful=True, turn=turn)
    with pytest.raises(NotFound):
        await likings.give(BOB, memory.id, helpful=True, turn=answers[2].request_id)


async def test_what_a_session_shows_is_feedback(live: alejo.Assistant) -> None:
    """A memory that the answer says was of use, one that the user corrects was wrong; what they say counts instead."""
    first = await live.chat("I live in Oslo.", scope=ADA)
    asked = await live.chat("Where do I live?", session_id=first.session_id, scope=ADA)
    used = asked.recalled[0].memory
    assert used.text in asked.message.text
    await end(live, first.session_id)
    (row,) = [row for row in await live.store.scan(ADA, FEEDBACK) if row.value.at == asked.user_message.recorded_at]
    assert {each.shown for each in row.value.likings if each.memory_id == used.id} == {0.5}
    after = await live.learning.likings.give(ADA, used.id, helpful=False, turn=asked.request_id)
    assert [(each.said, each.shown) for each in after.likings if each.memory_id == used.id] == [(-1.0, 0.5)]


async def judge(assistant: alejo.Assistant, scope: Scope, questions: int, *, seed: int = 1, at: int = 1) -> None:
    """Feedback of somebody who likes what means the same, whatever its words."""
    dice = random.Random(seed)
    writer = await assistant.store.writer(scope)
    for number in range(questions):
        likings = []
        for place in range(5):
            shares = dict.fromkeys(EVIDENCE, 0.0) | {"lexical": dice.random(), "lexical_own": dice.random()}
            shares["dense"] = dice.random() + (place == number % 5)
            raw = measured([shares[name] for name in EVIDENCE], [1.0] * len(EVIDENCE))
            likings.append(Liking(f"{place:032x}", raw, 1.0 if place == number % 5 else -1.0))
        key, time = dice.randbytes(16), assistant.clock.now() + at + number
        writer.put(FEEDBACK, key, Feedback(time, tuple(likings)))
        writer.put(FEEDBACK_BY_TIME, time_key(time) + key, key)
    await writer.commit()


async def test_weights_that_gain_are_used(live: alejo.Assistant) -> None:
    """Enough feedback changes how recall weighs for this user and, as weights, for those of the tenant; not for others.

    What is told of a hit still adds up; going back goes back, and old feedback does not bring the weights again.
    """
    await hold(live, *SAID, scope=BOB)
    shipped, _ = await live.memories.plan("dog", BOB)
    await judge(live, ADA, 200)
    await hold(live, *SAID)
    (version,) = await live.learning.weights.versions(ADA)
    assert version.learner == "ranking"
    gained = {metric.name: metric for metric in version.metrics}
    assert gained["ndcg@10"].after > gained["ndcg@10"].before
    plan, _ = await live.memories.plan("dog", ADA)
    assert plan.weights["dense"] > shipped.weights["dense"]
    assert plan.weights["recency"] == shipped.weights["recency"]
    (hit, *_), _, _ = await live.memories.recall(ADA, "What is the dog called?", Page(3))
    assert sum(each.share for each in hit.evidence) == pytest.approx(hit.score)
    assert (await live.memories.plan("dog", BOB))[0] == shipped  # what is shared must prove itself first

    used = await live.learning.weights.roll_back(ADA)
    assert used.number == 0
    assert (await live.memories.plan("dog", ADA))[0] == shipped
    await hold(live, *SAID)
    assert len(await live.learning.weights.versions(ADA)) == 1
    assert (await live.learning.weights.roll_back(ADA, 1)).weights == version.weights
    with pytest.raises(NotFound):
        await live.learning.weights.roll_back(ADA, 2)


async def test_users_of_a_tenant_share_weights_alone(live: alejo.Assistant) -> None:
    """What several users fitted is used by one who gave no feedback, when it gains for the next ones; not elsewhere."""
    fay = Scope(ADA.tenant, "fay")
    shipped, _ = await live.memories.plan("dog", fay)
    for number, scope in enumerate((ADA, BOB)):
        await judge(live, scope, 120, seed=number)
        await hold(live, "Hello there.", scope=scope)
    pool = live.learning.weights.pool(fay)
    assert pool == Scope(ADA.tenant, "")
    (version,) = await live.learning.weights.versions(pool)
    plan, _ = await live.memories.plan("dog", fay)
    assert plan.weights["dense"] == version.weights["dense"] > shipped.weights["dense"]
    assert (await live.memories.plan("dog", EVE))[0] == shipped
    assert (await live.learning.roll_back_shared(fay)).number == 0
    assert (await live.memories.plan("dog", fay))[0] == shipped
    row = await live.store.get(pool, POOLS, b"\0")
    assert row is not None
    assert row.value.weights
    assert row.value.tests == 0
    with pytest.raises(NotFound):
        await live.learning.roll_back_shared(fay, 2)


class Keen:
    """A learner that follows what it began elsewhere, then is done; and one that always fails."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    @hookimpl
    def alejo_register_learners(self) -> Sequence[Learner]:
        return (Following(self.seen), Failing())


class Following:
    name = "following"
    wants = ("pairs",)

    def __init__(self, seen: list[bytes]) -> None:
        self.seen = seen

    async def learn(self, lesson: Lesson) -> Learned:
        self.seen.append(lesson.state)
        if lesson.state == b"sent":
            return Learned(b"done", "trained", metrics=(Metric("loss", 2.0, 1.0),))
        assert [pair.question for pair in lesson.pairs] in ([], ["Hello"])
        return Learned(b"sent", "sent", again=0.0)


class Curious:
    """A learner that shows what it is given."""

    name = "curious"
    wants = ("pairs",)

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    @hookimpl
    def alejo_register_learners(self) -> Sequence[Learner]:
        return (self,)

    async def learn(self, lesson: Lesson) -> Learned:
        self.told += [(pair.question, pair.answer) for pair in lesson.pairs]
        return Learned()


@pytest.mark.parametrize("personal", [True, False])
async def test_learners_are_given_no_personal_data_where_that_is_set(personal: bool) -> None:
    """With learning.personal off neither an address nor the name of an entity reaches a learner."""
    curious = Curious()
    async with testing.assistant(curious, **{"learning.personal": personal}) as assistant:
        await assistant.facts.add(ADA, FactDraft("user", "sister", "Ottilie"))
        await hold(assistant, "I am Zelda, my sister is called Ottilie; write to zelda@example.org.")
    ((question, _),) = curious.told
    assert ("zelda@example.org" in question, "Ottilie" in question) == (personal, personal)


class Failing:
    name = "failing"
    wants = ()

    async def learn(self, lesson: Lesson) -> Learned:
        raise RuntimeError("no")


async def test_a_learner_that_fails_stops_nothing(clock: FakeClock) -> None:
    """The others and the log go on; one that follows something is called again with what it kept, and did not fail."""
    keen = Keen()
    async with testing.assistant(keen, clock=clock) as assistant:
        answer = await assistant.chat("Hello", scope=ADA)
        await assistant.sessions.update(ADA, answer.session_id, state=SessionState.COMPLETED)
        async with asyncio.timeout(30):
            while True:
                log, _ = await assistant.learning.log(ADA, Page(50))
                ended = {(entry.stage, entry.outcome) for entry in log}
                if ("learner.following", "trained") in ended and ("learner.failing", "failed") in ended:
                    break
                clock.advance(DOWN_SECONDS)
                await asyncio.sleep(0.01)
        assert {("topics", "done"), ("pairs", "done"), ("log", "done")} <= ended
        assert keen.seen == [b"", b"sent"]
        row = await assistant.store.get(ADA, LEARNERS, b"following")
        assert row
        assert (row.value.state, row.value.outcome) == (b"done", "trained")
        learnt = await assistant.learning.statistics(ADA)
        assert learnt.stages["learner.failing"].failed > 0
        assert learnt.stages["learner.following"].failed == 0


async def test_three_calls_are_enough(live: alejo.Assistant) -> None:
    """A conversation held elsewhere is started, logged and ended, and learned from like any other."""
    track = await live.start("Elsewhere", scope=ADA)
    await track.log("user", "What is Python?")
    await track.log("assistant", "A programming language.")
    for role, content, error in (("nobody", "x", InvalidArgument), ("user", " ", InvalidArgument)):
        with pytest.raises(error):
            await track.log(role, content)
    assert (await track.end()) == (await track.end())
    with pytest.raises(FailedPrecondition):
        await track.log("user", "And Rust?")
    await live.reflection.settled()
    assert await exported(live) == [
        {"instruction": "What is Python?", "output": "A programming language.", "context": track.id}
    ]


async def test_a_corrected_memory_was_wrong(live: alejo.Assistant) -> None:
    """A recalled fact that another one took the place of in the same session is disliked."""
    first = await live.chat("I live in Oslo.", scope=ADA)
    asked = await live.chat("Where do I live?", session_id=first.session_id, scope=ADA)
    facts = {hit.memory.id for hit in asked.recalled if hit.memory.fact is not None}
    assert facts
    await live.chat("I live in Rome now.", session_id=first.session_id, scope=ADA)
    await end(live, first.session_id)
    rows = [row.value for row in await live.store.scan(ADA, FEEDBACK)]
    assert {each.shown for row in rows for each in row.likings if each.memory_id in facts} == {-0.5}
