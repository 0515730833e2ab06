"""Emotions over turns: kept once for each turn, told to the brain, gone with what was said, off for who wants that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import EntryPoint, distribution, entry_points
from pathlib import Path
from typing import Any

import pytest
from alejo_emotion import Living

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import PluginFailed
from alejo.hooks import hookimpl
from alejo.roles import Moment, Turn
from alejo.settings import read
from alejo.storage import impressions
from alejo.storage.tables import EMOTIONS, FELT, IMPRESSIONS
from alejo.types import Ask, Degraded, Emotions, Impression, Lived, Page, Scope

from ..conftest import ADA, BOB
from ..races.led import second

HOUR = 3600.0
ANGRY = "My boss yelled at me again, I hate this job."


class Listener:
    """Notes the turns it is given."""

    turns: list[Turn] = []

    async def respond(self, turn: Turn) -> AsyncIterator[str]:
        """Says that it heard."""
        Listener.turns.append(turn)
        yield "I heard you."


class Heart(Living):
    """The built-in emotion model, which a test may break."""

    broken = False

    async def live(self, moment: Moment) -> Lived:
        """What the built-in one says, or an error."""
        if Heart.broken:
            raise RuntimeError("the heart broke")
        return await super().live(moment)


@hookimpl
def alejo_register_emotion(settings: dict[str, Any]) -> Heart:
    """The hook of the plugin that this module is."""
    return Heart()


@hookimpl
def alejo_register_brain(settings: dict[str, Any]) -> Listener:
    """The hook of the plugin that this module is."""
    return Listener()


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is known of the plugins is shared by these tests: each plugin's first import is tried once."""
    return tmp_path_factory.mktemp("verdicts")


@pytest.fixture
def environment(environment: dict[str, str], verdicts: Path) -> dict[str, str]:
    """An environment whose every folder but that one is the test's own."""
    return {**environment, "XDG_CACHE_HOME": str(verdicts)}


@pytest.fixture
async def live(environment: dict[str, str], clock: FakeClock) -> AsyncIterator[Assistant]:
    """An assistant with the built-in memory plugin, a brain that listens and a heart that may break."""
    Listener.turns = []
    Heart.broken = False
    here = EntryPoint("listener", __name__, "alejo")
    vars(here).update(dist=distribution("alejo-brain"))
    installed = [each for each in entry_points(group="alejo") if each.name == "memory"]
    chosen = read(environment, {"data.map_size_mb": 16, "reflection.workers": 0})
    async with alejo.open(settings=chosen, clock=clock, entry_points=[here, *installed]) as opened:
        yield opened


async def emotions(assistant: Assistant, scope: Scope = ADA) -> Emotions:
    return (await impressions.standing(assistant.store, scope)).emotions


async def say(assistant: Assistant, *texts: str, scope: Scope = ADA) -> str:
    session_id = ""
    for text in texts:
        session_id = (await assistant.conversation.chat(scope, Ask(text, session_id))).session_id
    return session_id


async def forget(assistant: Assistant, word: str) -> None:
    found, _ = await assistant.memories.list(ADA, Page(100))
    await assistant.memories.forget(ADA, [memory.id for memory in found if word in memory.text])


async def test_the_mood_follows_what_is_said_and_returns(live: Assistant, clock: FakeClock) -> None:
    """What was felt makes the mood, which after hours is what is usual again."""
    await say(live, ANGRY, "I am so sad about my boss.")
    told = (await live.moods.tell(ADA)).mood
    assert told.valence < -0.3
    assert "anger" in told.feelings
    assert told.appraisals == 2
    clock.advance(48 * HOUR)
    later = (await live.moods.tell(ADA)).mood
    assert later.valence == pytest.approx(later.usual_valence, abs=0.01)
    assert told.valence < later.usual_valence < 0
    assert later.feelings == {}


async def test_a_brain_is_told_how_to_speak(live: Assistant) -> None:
    """A turn brings its brain the mood and a tone, in which no word of the user is."""
    await say(live, ANGRY)
    (turn,) = Listener.turns
    assert turn.mood is not None
    assert turn.tone is not None
    assert turn.mood.valence < 0
    assert turn.tone.guidance
    assert not {"boss", "job", "yelled"} & set(turn.tone.guidance.casefold().split())


async def test_a_trigger_takes_more_than_one_mention(live: Assistant) -> None:
    """A topic is a trigger when strong feeling came with it again, and says by how many messages."""
    await say(live, ANGRY)
    assert (await live.moods.tell(ADA)).triggers == ()
    await say(live, "My boss was unfair, I am angry.", "The weather is mild.")
    (trigger,) = (await live.moods.tell(ADA)).triggers
    assert (trigger.topic, trigger.count) == ("boss", 2)
    assert trigger.valence < -0.2
    assert [reason.name for reason in trigger.why] == ["mean", "usual"]


async def test_the_relationship_grows_with_what_is_told(live: Assistant) -> None:
    """Turns and facts told of oneself make somebody familiar, kind words make trust, and both say why."""
    await say(live, "My name is Ada.", "My sister is called Bea.", "Thank you, you are lovely!")
    told = (await live.moods.tell(ADA)).relationship
    assert told.turns == 3
    assert 0 < told.familiarity < 0.5 < told.trust
    names = {reason.name for reason in told.why}
    assert {"trust: disclosures", "trust: warmth", "familiarity: turns"} <= names


async def test_one_of_a_kind_is_told_as_one(live: Assistant) -> None:
    """What reasons count is spoken of as one, or as several."""
    for text, turns in (("My name is Ada.", "1 turn"), ("It rains.", "2 turns")):
        await say(live, text)
        told = (await live.moods.tell(ADA)).relationship
        assert {reason.name: reason.detail for reason in told.why}["familiarity: turns"] == turns


async def test_sessions_make_a_trajectory(live: Assistant, clock: FakeClock) -> None:
    """Each session is a point, the oldest first."""
    sad = await say(live, ANGRY)
    clock.advance(HOUR)
    glad = await say(live, "I am so happy today!", "I love it.")
    told = (await live.moods.tell(ADA)).trajectory
    assert [(point.session_id, point.turns) for point in told] == [(sad, 1), (glad, 2)]
    assert told[0].valence < 0 < told[1].valence


async def test_a_turn_counts_once(live: Assistant) -> None:
    """A request that is sent again, and impressions that are summed up, count nothing twice."""
    ask = Ask(ANGRY, request_id="r1")
    for _ in range(3):
        await live.conversation.chat(ADA, ask)
    assert (await emotions(live)).counts["turns"] == 1
    for _ in range(70):
        await say(live, "Fine.")
    await live.moods.close()
    before = await emotions(live)
    assert before.counts["turns"] == 71
    assert len(await live.store.scan(ADA, FELT, limit=100)) < 64
    await asyncio.gather(*(impressions.settle(live.store, ADA) for _ in range(8)))
    assert await live.store.scan(ADA, FELT) == []
    assert (await emotions(live)).counts == before.counts
    assert len(await live.store.scan(ADA, IMPRESSIONS, limit=100)) == 71


async def test_the_first_turns_are_summed_up_early(live: Assistant) -> None:
    """A turn reads what the one before left, not what all did: from the fifth on there are sums to go on from."""
    for _ in range(6):
        await say(live, "Fine.")
        await live.moods.close()
    waiting = await live.store.scan(ADA, FELT, limit=100)
    assert len(waiting) <= 2
    assert (await emotions(live)).counts["turns"] == 6


async def test_turns_of_one_user_do_not_refuse_each_other(live: Assistant) -> None:
    """Many sessions at the same time all count, and none waits for another."""
    await asyncio.gather(*(say(live, ANGRY, "It is fine.") for _ in range(24)))
    await live.moods.close()
    found = await emotions(live)
    assert found.counts["turns"] == 48
    assert len(found.sessions) == 24


@pytest.mark.parametrize("summed", [False, True])
async def test_a_forgotten_memory_takes_its_feeling_along(live: Assistant, summed: bool) -> None:
    """Forgetting leaves the sums as if the message had never been, whether it was among them yet or not."""
    await say(live, "The weather is mild.")
    before = await emotions(live)
    await say(live, "My quokka died, I am heartbroken.")
    assert "quokka" in (await emotions(live)).topics
    if summed:
        await impressions.settle(live.store, ADA)
    await forget(live, "quokka")
    after = await emotions(live)
    assert after.topics == before.topics
    assert after.counts == before.counts
    assert after.mood.valence == pytest.approx(before.mood.valence)
    kept = [row.value for row in await live.store.scan(ADA, IMPRESSIONS)]
    assert Impression() in kept
    assert not any("quokka" in each.topics for each in kept)


@pytest.mark.parametrize("summed", [False, True])
async def test_a_deleted_session_takes_its_feeling_along(live: Assistant, summed: bool) -> None:
    """With a session go its impressions, its point and what it added."""
    await say(live, "The weather is mild.")
    before = await emotions(live)
    session_id = await say(live, ANGRY, "My boss again.")
    if summed:
        await impressions.settle(live.store, ADA)
    await live.sessions.delete(ADA, session_id)
    after = await emotions(live)
    assert (after.topics, after.sessions, after.counts) == (before.topics, before.sessions, before.counts)
    left = [*await live.store.scan(ADA, IMPRESSIONS), *await live.store.scan(ADA, FELT)]
    assert len(left) == 1


async def test_a_topic_is_forgotten_everywhere(live: Assistant) -> None:
    """A forgotten trigger is in no sum and no impression; what is felt of it later counts anew."""
    await say(live, ANGRY, "My boss was unfair, I am angry.")
    assert await live.moods.forget_trigger(ADA, "Boss", request_id="f1")
    assert await live.moods.forget_trigger(ADA, "Boss", request_id="f1")
    assert not await live.moods.forget_trigger(ADA, "boss")
    assert (await live.moods.tell(ADA)).triggers == ()
    assert not any("boss" in row.value.topics for row in await live.store.scan(ADA, IMPRESSIONS))
    await say(live, ANGRY)
    assert (await emotions(live)).topics["boss"].count == 1


async def test_the_user_corrects_what_is_told(live: Assistant, clock: FakeClock) -> None:
    """What the user says of their mood and of the relationship holds, and goes on from there, with the reason."""
    await say(live, ANGRY)
    told = await live.moods.correct_mood(ADA, valence=0.4, arousal=None, request_id="c1")
    assert told.mood.valence == pytest.approx(0.4, abs=0.01)
    assert "corrected" in {reason.name for reason in told.mood.why}
    told = await live.moods.correct_mood(ADA, valence=-0.2, arousal=0.9)
    assert told.mood.valence == pytest.approx(-0.2, abs=0.01)
    assert told.mood.arousal == pytest.approx(0.9, abs=0.01)
    told = await live.moods.update_relationship(ADA, trust=0.9, familiarity=None)
    told = await live.moods.update_relationship(ADA, trust=None, familiarity=0.6)
    assert (told.relationship.trust, told.relationship.familiarity) == pytest.approx((0.9, 0.6), abs=0.01)
    assert told.mood.valence == pytest.approx(-0.2, abs=0.01)
    clock.advance(48 * HOUR)
    later = await live.moods.tell(ADA)
    assert later.mood.valence == pytest.approx(later.mood.usual_valence, abs=0.01)
    assert later.relationship.trust == pytest.approx(0.9, abs=0.01)


async def test_nothing_is_kept_of_who_wants_nothing_kept(live: Assistant) -> None:
    """With the preference off nothing is kept nor told, and what was kept goes; it begins anew when it is on again."""
    await say(live, ANGRY)
    await live.profiles.update(ADA, {"others": {"emotions": "off"}})
    await say(live, ANGRY)
    assert Listener.turns[-1].mood is None
    assert Listener.turns[-1].tone is None
    for table in (EMOTIONS, FELT, IMPRESSIONS):
        assert await live.store.scan(ADA, table) == []
    assert (await live.moods.tell(ADA)).mood.appraisals == 0
    await live.profiles.update(ADA, {"others": {}})
    await say(live, ANGRY)
    assert (await live.moods.tell(ADA)).mood.appraisals == 1


async def test_a_reset_leaves_nothing(live: Assistant) -> None:
    """A reset deletes sums, impressions and corrections, of this user alone, and is done once."""
    await say(live, *["My boss again."] * 20)
    await say(live, ANGRY, scope=BOB)
    await live.moods.correct_mood(ADA, valence=0.4, arousal=None)
    assert await live.moods.reset(ADA, request_id="x1") == 20
    for table in (EMOTIONS, FELT, IMPRESSIONS):
        assert await live.store.scan(ADA, table) == []
    assert await live.moods.reset(ADA, request_id="x1") == 20
    assert (await emotions(live, BOB)).counts["turns"] == 1


async def test_a_turn_goes_on_without_judgement(live: Assistant) -> None:
    """A plugin that fails to judge what stays of a turn degrades it; the turn is answered and leaves nothing."""
    Heart.broken = True
    answer = await live.conversation.chat(ADA, Ask(ANGRY))
    assert answer.appraisal is not None
    assert answer.degraded == (Degraded("emotion", "listener", "failed"),)
    assert Listener.turns[-1].mood is None
    assert (await impressions.standing(live.store, ADA)).empty


async def test_without_judgement_nothing_is_told(bare: Assistant) -> None:
    """Where nobody judges what stays of turns, asking for it says that the role is vacant."""
    with pytest.raises(PluginFailed) as failed:
        await bare.moods.tell(ADA)
    assert (failed.value.plugin, failed.value.why) == ("", "vacant")


async def brought(assistant: Assistant, data: bytes, scope: Scope) -> None:
    """Brings an export in, a little at a time."""
    intake = assistant.ownership.intake(scope)
    for start in range(0, len(data), 300):
        await intake.take(data[start : start + 300])
    await intake.end()


async def exported(assistant: Assistant, scope: Scope = ADA) -> bytes:
    return b"".join([line async for line in assistant.ownership.export(scope)])


async def test_what_was_felt_moves_with_its_user(live: Assistant) -> None:
    """An export brought in elsewhere tells the same mood and relationship, once, however often it is brought."""
    await say(live, ANGRY, "My boss was unfair, I am angry.", "My sister is called Bea.")
    await live.moods.update_relationship(ADA, trust=0.9, familiarity=None)
    data = await exported(live)
    for _ in range(2):
        await brought(live, data, BOB)
    here, there = await live.moods.tell(ADA), await live.moods.tell(BOB)
    assert there.mood.valence == pytest.approx(here.mood.valence, abs=0.002)
    assert there.triggers == here.triggers
    assert there.relationship == here.relationship
    assert there.trajectory == here.trajectory
    assert (await emotions(live, BOB)).counts["turns"] == 3


async def test_what_was_forgotten_is_not_brought_back(live: Assistant) -> None:
    """An export made before a memory was forgotten, or all was reset, brings nothing of that back."""
    await say(live, "The weather is mild.", "My quokka died, I am heartbroken.")
    data = await exported(live)
    await forget(live, "quokka")
    await brought(live, data, ADA)
    assert (await emotions(live)).counts["turns"] == 1
    assert "quokka" not in (await emotions(live)).topics
    await live.moods.reset(ADA)
    await brought(live, data, ADA)
    assert (await impressions.standing(live.store, ADA)).emotions.counts == {}


async def test_a_reminder_in_time_is_a_promise_kept(live: Assistant, clock: FakeClock) -> None:
    """A reminder that is heard when it falls due makes trust, once; one that is heard late does not."""
    await say(live, "Fine.")
    before = (await live.moods.tell(ADA)).relationship.trust
    for late in (60.0, 7200.0):
        made = await live.reminders.create(ADA, "the bread", clock.now() + 3_600_000_000)
        clock.advance(HOUR + late)
        for _ in range(2):
            await live.reminders.acknowledge(ADA, made.id, made.due)
    told = (await live.moods.tell(ADA)).relationship
    assert (await emotions(live)).counts["promises"] == 1
    assert told.trust > before
    assert "trust: promises" in {reason.name for reason in told.why}
    assert len((await live.moods.tell(ADA)).trajectory) == 1


async def test_two_servers_agree(live: Assistant) -> None:
    """Two servers over the same records tell the same after every turn, whoever summed up, forgot or reset."""
    other = second(live)
    both = (live, other)
    for number in range(80):
        await say(both[number % 2], ANGRY if number % 3 else "My quokka died.")
    for each in both:
        await each.moods.close()
        assert (await emotions(each)).counts["turns"] == 80
        assert len(await each.store.scan(ADA, FELT, limit=100)) < 80
    await forget(live, "quokka")
    for each in both:
        await say(each, "My boss again.")
        assert Listener.turns[-1].mood is not None
        assert Listener.turns[-1].mood.appraisals == (await emotions(each)).counts["turns"]
        assert "quokka" not in (await emotions(each)).topics
    await other.moods.reset(ADA)
    await say(live, "Fine.")
    assert Listener.turns[-1].mood.appraisals == 1
    await other.conversation.close()


async def test_what_was_felt_strongly_is_found_first(live: Assistant, clock: FakeClock) -> None:
    """Of two memories that say as much of what is asked, the one that was felt matters more, and is recalled first."""
    await say(live, "I met Rosa at the harbour.")
    await say(live, "I MET ROSA at the lake!!! I am so happy, I love it!")
    clock.advance(3600.0)
    await live.keeper.visit(ADA)
    hits = [hit.memory for hit in await live.recall("Where did I meet Rosa?", scope=ADA)]
    calm, felt = (next(each for each in hits if word in each.text) for word in ("harbour", "lake"))
    assert felt.importance > calm.importance
    assert hits.index(felt) < hits.index(calm)
