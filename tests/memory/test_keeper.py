"""What becomes of memories with time: weighed, merged, summarised, archived, and found again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

import alejo
from alejo import Assistant
from alejo.clock import FakeClock
from alejo.errors import StartupError
from alejo.ids import Ids
from alejo.memory.activity import Activity
from alejo.memory.indexes import Indexes
from alejo.memory.keeper import Keeper
from alejo.memory.layers import Layers, Signals
from alejo.memory.summary import summarise
from alejo.settings import Settings, read
from alejo.storage.journal import Journal
from alejo.storage.tables import RECALLS
from alejo.types import Ask, Filter, Layer, Memory, MemoryDraft, MessageDraft, Page, SessionState

from ..conftest import ADA

DAY = 86_400.0
SPOKEN = ("Tom broke his left arm", "Nina sold the red boat", "The choir sang in Lisbon")


@pytest.fixture
async def house(settings: Settings, clock: FakeClock) -> AsyncIterator[Assistant]:
    """An assistant with its plugins, whose keeper comes when it is called."""
    async with alejo.open(settings=settings, clock=clock, overrides=None) as opened:
        yield opened


async def tell(assistant: Assistant, *texts: str, layer: Layer = Layer.EPISODIC, session: str = "") -> list[str]:
    """Remembers things; returns their ids."""
    drafts = [MemoryDraft(text, layer, "statement", session_id=session, importance=0.3) for text in texts]
    kept = [await assistant.memories.remember(ADA, draft) for draft in drafts]
    return [each.memories[0].id for each in kept]


async def texts(assistant: Assistant, query: str, wanted: Filter = Filter()) -> list[str]:  # noqa: B008 - a value
    hits, _, _ = await assistant.memories.recall(ADA, query, Page(10), wanted)
    return [hit.memory.text for hit in hits]


async def everything(assistant: Assistant) -> dict[str, Memory]:
    found, _ = await assistant.memories.list(ADA, Page(1000), Filter(include_archived=True))
    return {memory.id: memory for memory in found}


async def test_what_was_never_recalled_is_archived_after_thirty_days(bare: Assistant, clock: FakeClock) -> None:
    """It is summarised then; what was recalled, is pinned, matters or is a fact stays."""
    old, recalled, pinned, grave = await tell(bare, *SPOKEN, "The house burnt down")
    (fact,) = await tell(bare, "Ada's birthday is in May", layer=Layer.SEMANTIC)
    await bare.memories.update(ADA, pinned, {"pinned": True})
    await bare.memories.update(ADA, grave, {"importance": 0.9})
    another = (await tell(bare, "Tom went to the circus"))[0]
    assert await texts(bare, "Who sold the boat?") == ["Nina sold the red boat"]
    assert not (await bare.keeper.visit(ADA)).archived
    clock.advance(31 * DAY)
    done = await bare.keeper.visit(ADA)
    assert (done.archived, done.summaries, done.done) == (2, 1, True)
    found = await everything(bare)
    assert {each for each, memory in found.items() if memory.archived} == {old, another}
    assert not found[recalled].archived
    assert not found[fact].archived
    (summary,) = (memory for memory in found.values() if memory.kind == "summary")
    assert summary.sources == (old, another)
    assert summary.text.splitlines() == ["Tom broke his left arm", "Tom went to the circus"]
    clock.advance(31 * DAY)
    assert not (await bare.keeper.visit(ADA)).archived


async def test_the_archive_is_found_when_asked_or_when_nothing_else_is_good(bare: Assistant, clock: FakeClock) -> None:
    """An archived memory does not stand between hot ones, but is found where they say little of what is asked."""
    (old,) = await tell(bare, "The wombat ate my passport in Sydney")
    clock.advance(31 * DAY)
    await bare.keeper.visit(ADA)
    await tell(bare, "Sydney is far away", "My new passport came")
    assert (await everything(bare))[old].archived
    assert "The wombat ate my passport in Sydney" not in await texts(bare, "passport")
    assert (await texts(bare, "passport", Filter(include_archived=True)))[:1] != []
    assert "The wombat ate my passport in Sydney" in await texts(bare, "passport", Filter(include_archived=True))
    assert (await texts(bare, "wombat zoology ate lunch"))[0] == "The wombat ate my passport in Sydney"


async def test_a_summary_goes_with_what_it_was_made_of(bare: Assistant, clock: FakeClock) -> None:
    """When something is forgotten that was summarised, no summary keeps its words; the others stay."""
    old, other = await tell(bare, "Tom broke his left arm", "Nina sold the red boat")
    clock.advance(31 * DAY)
    assert (await bare.keeper.visit(ADA)).summaries == 1
    await bare.memories.forget(ADA, [old])
    left = await everything(bare)
    assert set(left) == {other}
    assert not any("arm" in text for text in await texts(bare, "Who broke an arm?"))


async def test_what_leaves_the_working_layer_is_summarised(bare: Assistant, clock: FakeClock) -> None:
    """Beyond 100 items of a session, and at its end; what matters or was recalled becomes episodic instead."""
    session, _ = await bare.sessions.create(ADA)
    remarks = [f"Remark {n} about gull {n * 7}" for n in range(103)]
    ids = await tell(bare, *remarks, layer=Layer.WORKING, session=session.id)
    await bare.memories.update(ADA, ids[1], {"importance": 0.9})
    clock.advance(10.0)
    done = await bare.keeper.visit(ADA)
    assert (done.archived, done.promoted, done.summaries) == (2, 1, 1)
    found = await everything(bare)
    assert found[ids[1]].layer is Layer.EPISODIC
    assert [found[each].archived for each in ids[:4]] == [True, False, True, False]
    await bare.sessions.update(ADA, session.id, state=SessionState.COMPLETED)
    assert (await bare.keeper.visit(ADA)).archived == 100
    left = [memory for memory in (await everything(bare)).values() if memory.layer is Layer.WORKING]
    assert all(memory.archived for memory in left)


async def test_what_is_said_twice_is_one_memory(bare: Assistant, clock: FakeClock) -> None:
    """The later one counts how often, names the earlier ones and matters more; other words, or speakers, stay apart."""
    session, _ = await bare.sessions.create(ADA)
    source = (await bare.memories.remember(ADA, MessageDraft(session.id, "x"))).message
    assert source is not None
    said = ["I love the sea.", "i love the SEA!", "I love the sea", "I do not love the sea"]
    drafts = [MemoryDraft(text, Layer.EPISODIC, "statement", importance=0.3) for text in said]
    drafts[1] = msgspec.structs.replace(drafts[1], model="a")
    made = [await bare.memories.remember(ADA, draft, source=source) for draft in drafts]
    other = MemoryDraft("I love the sea", Layer.EPISODIC, "statement", speaker="Bob", importance=0.3)
    await bare.memories.remember(ADA, other, source=source)
    clock.advance(10.0)
    assert (await bare.keeper.visit(ADA)).merged == 2
    found = await everything(bare)
    first, second, third, fourth = (found[each.memories[0].id] for each in made)
    assert (first.archived, second.archived, third.archived, fourth.archived) == (True, True, False, False)
    assert (third.repetitions, third.model) == (3, "a")
    assert set(third.sources) >= {second.id}
    assert third.importance > 0.3
    assert sum(not memory.archived for memory in found.values()) == 3


async def test_a_feeling_and_a_surprise_matter(house: Assistant, clock: FakeClock) -> None:
    """What was said with feeling, and asked to be remembered, matters more than its words alone."""
    await house.conversation.chat(ADA, Ask("The bus number 12 goes to the harbour."))
    await house.conversation.chat(ADA, Ask("I am so happy and excited, our daughter was born, I love her!"))
    before = {memory.text: memory.importance for memory in (await everything(house)).values()}
    clock.advance(10.0)
    done = await house.keeper.visit(ADA)
    assert done.weighed == len(before) == 2
    after = {memory.text: memory.importance for memory in (await everything(house)).values()}
    glad, plain = sorted(before, key=lambda text: "bus" in text)
    assert after[glad] - before[glad] > after[plain] - before[plain]
    assert after[glad] > before[glad]


def test_importance_is_a_sum_of_signals() -> None:
    """Each signal adds its weight, repetition less with every time, and it never exceeds 1."""
    layers = Layers()
    assert layers.importance(0.3, Signals()) == 0.3
    assert layers.importance(0.3, Signals(emotion=1.0)) == 0.5
    assert layers.importance(0.3, Signals(surprise=0.5, wished=True)) == 0.55
    assert layers.importance(0.3, Signals(times=2)) == 0.4
    assert layers.importance(0.3, Signals(times=4)) == 0.45
    assert layers.importance(0.9, Signals(emotion=1.0, wished=True)) == 1.0


async def test_two_keepers_do_it_once(bare: Assistant, clock: FakeClock) -> None:
    """Of two keepers that visit a user at once one does all of it, and the other nothing twice."""
    await tell(bare, *(f"On day {n} the gull {n * 7} flew" for n in range(300)))
    clock.advance(31 * DAY)
    store, ids = bare.store, Ids(clock)
    indexes = Indexes(store, bare.cache)
    journal = Journal(store, ids, clock)
    other = Keeper(
        store, journal, indexes, Activity(), bare._layers_of, 300.0, ids, clock, bare.memories.forget, bare.facts
    )
    first, second = await asyncio.gather(bare.keeper.visit(ADA), other.visit(ADA))
    again = await other.visit(ADA)
    assert first.archived + second.archived + again.archived >= 300
    found = await everything(bare)
    assert sum(memory.archived for memory in found.values()) == 300
    sources = [each for memory in found.values() for each in memory.sources]
    assert len(sources) == len(set(sources)) == 300


async def test_recalls_are_noted_in_one_commit(bare: Assistant) -> None:
    """Recalls write nothing; the keeper writes down all of them together, and a forgotten memory leaves no count."""
    (one, two) = await tell(bare, "Tom broke his left arm", "Nina sold the red boat")
    before = await bare.store.writer(ADA)
    sequence = await before.commit()
    for _ in range(20):
        await texts(bare, "Who broke an arm?")
        await texts(bare, "Who sold the boat?")
    assert await (await bare.store.writer(ADA)).commit() <= sequence + 1
    await bare.keeper.visit(ADA)
    count = await bare.store.get(ADA, RECALLS, bytes.fromhex(one))
    assert count is not None
    assert count.value.count == 20
    await bare.memories.forget(ADA, [one])
    assert await bare.store.get(ADA, RECALLS, bytes.fromhex(one)) is None
    assert await bare.store.get(ADA, RECALLS, bytes.fromhex(two)) is not None


async def test_the_archive_is_forgotten_only_if_the_policy_says_so(settings: Settings, clock: FakeClock) -> None:
    """With memory.layers.forget_archived_days what was archived goes for good, and nothing else."""
    policy = {"memory.layers.forget_archived_days": 60.0, "data.path": str(settings.data_path)}
    async with alejo.open(
        settings=read({"HOME": str(settings.data_path.parent)}, policy | {"data.map_size_mb": 16}),
        clock=clock,
        entry_points=[],
    ) as assistant:
        (old,) = await tell(assistant, "Tom broke his left arm")
        (fact,) = await tell(assistant, "Ada's birthday is in May", layer=Layer.SEMANTIC)
        clock.advance(31 * DAY)
        assert (await assistant.keeper.visit(ADA)).archived == 1
        clock.advance(31 * DAY)
        assert (await assistant.keeper.visit(ADA)).forgotten == 1
        assert set(await everything(assistant)) == {fact}
        assert old


@pytest.mark.parametrize(
    ("name", "value"),
    [("working_items", 0), ("episodic_days", -1.0), ("important", float("nan")), ("emotion_weight", -0.1)],
)
def test_a_policy_that_cannot_be_meant_is_refused(environment: dict[str, str], name: str, value: float) -> None:
    """The error names the setting."""
    with pytest.raises(StartupError, match=f"memory.layers.{name}"):
        Layers.of(read(environment, {f"memory.layers.{name}": value}))


def test_a_summary_is_made_of_what_tells_most() -> None:
    """Sentences keep their order and speaker, say little twice, and fit."""
    told = [
        Memory(str(n), Layer.EPISODIC, "statement", text, n, n, speaker)
        for n, (speaker, text) in enumerate(
            [
                ("Tom", "We moved to Lisbon in May. It was hot."),
                ("Nina", "Yes! Lisbon in May. The dog Luna came with us to Lisbon."),
                ("Tom", "Luna hates the dog next door."),
            ]
        )
    ]
    text = summarise(told, 120)
    assert len(text) <= 120
    assert text.splitlines()[0].startswith("Tom: We moved to Lisbon in May.")
    assert "Luna" in text
    assert summarise(told, 5) == ""
    assert summarise([], 600) == ""


async def test_what_was_derived_is_made_anew(bare: Assistant, clock: FakeClock) -> None:
    """A summary has the new words of what it tells of, is found by them again, and no longer by the old ones."""
    told = await tell(bare, *SPOKEN)
    clock.advance(31 * DAY)
    await bare.keeper.visit(ADA)
    (summary,) = [each for each in (await everything(bare)).values() if each.kind == "summary"]
    assert "Lisbon" in summary.text
    await bare.memories.update(ADA, told[2], {"text": "The choir sang in Madrid"})
    assert (await bare.memories.get(ADA, summary.id)).stale
    await bare.keeper.visit(ADA)
    renewed = await bare.memories.get(ADA, summary.id)
    assert not renewed.stale
    assert "Madrid" in renewed.text
    assert "Lisbon" not in renewed.text
    assert renewed.sources == summary.sources
    assert renewed.text in await texts(bare, "choir Madrid")
    await bare.keeper.visit(ADA)
    assert await bare.memories.get(ADA, summary.id) == renewed


async def test_what_was_merged_stands_for_itself_again(house: Assistant, clock: FakeClock) -> None:
    """When an earlier one of the same words gets others, the later one is found by its own, and names it no more."""
    session, _ = await house.sessions.create(ADA)
    for _ in range(2):
        said = MessageDraft(session.id, "My sister paints boats.", speaker="Ada")
        await house.memories.remember(ADA, said)
    clock.advance(60)
    await house.keeper.visit(ADA)
    merged = [each for each in (await everything(house)).values() if each.repetitions == 2]
    assert merged
    for each in merged:
        await house.memories.update(ADA, each.sources[0], {"text": "My brother sells cars."})
        assert (await house.memories.get(ADA, each.id)).stale
    await house.keeper.visit(ADA)
    for each in merged:
        now = await house.memories.get(ADA, each.id)
        assert (now.stale, now.sources, now.repetitions, now.text) == (False, (), 1, each.text)
