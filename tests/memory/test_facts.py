"""Facts: what is true as of a date, as it was known on another, whatever was added, corrected, restored, forgotten."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

import alejo
from alejo import Assistant, testing
from alejo.clock import FakeClock
from alejo.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from alejo.hooks import hookimpl
from alejo.memory.entities import key, normal
from alejo.memory.index import Index
from alejo.memory.timeline import PAST, Stated, Timeline
from alejo.settings import Settings
from alejo.types import (
    Ask,
    Cardinality,
    Fact,
    FactDraft,
    Filter,
    Layer,
    Memory,
    MemoryDraft,
    Message,
    MessageDraft,
    Page,
    RecallPlan,
    Scope,
    Standing,
)

from ..conftest import ADA, BOB

DAY = 86_400_000_000
ONE, MANY, FIXED = Cardinality.ONE, Cardinality.MANY, Cardinality.FIXED


def lives(place: str, **more: Any) -> FactDraft:
    """That the user lives somewhere, where one lives in one place at a time."""
    return FactDraft("user", "lives in", place, **{"cardinality": ONE, **more})


async def add(assistant: Assistant, draft: FactDraft) -> Memory:
    """The memory of a fact of Ada's."""
    return (await assistant.facts.add(ADA, draft)).memory


async def objects(assistant: Assistant, **wanted: Any) -> list[str]:
    """The objects of the facts of Ada's that pass, those that began last first."""
    memories, _ = await assistant.facts.list(ADA, Page(), **wanted)
    return [memory.fact.object for memory in memories if memory.fact]


async def test_a_contradiction_closes_what_was_true(bare: Assistant, clock: FakeClock) -> None:
    """The next place ends the one before, which is out of recall but not lost, and says what superseded it."""
    rome = await add(bare, lives("Rome"))
    clock.advance(100)
    change = await bare.facts.add(ADA, lives("Berlin"))
    (closed,) = change.changed
    assert (closed.id, closed.superseded_by) == (rome.id, change.memory.id)
    assert closed.fact is not None
    assert closed.fact.valid_to == clock.now()
    assert await objects(bare) == ["Berlin"]
    assert await objects(bare, superseded=True) == ["Berlin", "Rome"]
    assert await objects(bare, as_of=rome.sent_at) == ["Rome"]
    assert await objects(bare, as_of=clock.now()) == ["Berlin"]
    hits, _, _ = await bare.memories.recall(ADA, "lives in", Page())
    assert [hit.memory.text for hit in hits] == ["user lives in Berlin"]
    hits, _, _ = await bare.memories.recall(ADA, "lives in", Page(), Filter(as_of=rome.sent_at))
    assert [hit.memory.superseded_by for hit in hits] == [change.memory.id]
    hits, _, _ = await bare.memories.recall(ADA, "lives in", Page(), Filter(include_superseded=True))
    assert len(hits) == 2


async def test_what_was_true_earlier_does_not_close_what_is(bare: Assistant, clock: FakeClock) -> None:
    """A fact that comes late takes its place before the others; one over within another's time is an exception."""
    berlin = await add(bare, lives("Berlin"))
    clock.advance(100)
    before = await add(bare, lives("Rome", valid_to=berlin.sent_at))
    assert before.fact is not None
    assert before.fact.valid_from is None
    await add(bare, lives("Paris", valid_from=berlin.sent_at - 3 * DAY))
    await add(bare, lives("Oslo", valid_from=berlin.sent_at + 10, valid_to=berlin.sent_at + 20))
    assert await objects(bare) == ["Oslo", "Berlin"]
    assert await objects(bare, as_of=berlin.sent_at - 4 * DAY) == ["Rome"]
    assert await objects(bare, as_of=berlin.sent_at - 2 * DAY) == ["Paris"]
    assert await objects(bare, as_of=berlin.sent_at + 15) == ["Oslo"]
    assert await objects(bare, as_of=clock.now()) == ["Berlin"]


async def test_a_correction_was_never_true_and_is_undone(bare: Assistant, clock: FakeClock) -> None:
    """What replaces a fact has its time, the fact is true as of no date; restoring exchanges them, again and again."""
    rome = await add(bare, lives("Rome", valid_from=DAY))
    clock.advance(1)
    change = await bare.facts.correct(ADA, rome.id, FactDraft("", "", "Oslo"))
    assert change.memory.fact is not None
    assert (change.memory.fact.valid_from, change.memory.fact.cardinality) == (DAY, ONE)
    (old,) = change.changed
    assert old.fact is not None
    assert (old.fact.standing, old.superseded_by) == (Standing.REPLACED, change.memory.id)
    assert await objects(bare, as_of=2 * DAY) == ["Oslo"]
    with pytest.raises(FailedPrecondition):
        await bare.facts.correct(ADA, rome.id, FactDraft("", "", "Bonn"))
    for wrong, right, place in [(rome.id, change.memory.id, "Rome"), (change.memory.id, rome.id, "Oslo")] * 2:
        clock.advance(1)
        restored = await bare.facts.restore(ADA, wrong)
        assert [each.id for each in restored.changed] == [right]
        assert await objects(bare, as_of=2 * DAY) == [place]
    with pytest.raises(FailedPrecondition):
        await bare.facts.restore(ADA, change.memory.id)
    history, _ = await bare.memories.history(ADA, rome.id, Page())
    assert {each.change for each in history} == {"correction", "restoration"}


async def test_what_is_for_good_is_replaced(bare: Assistant) -> None:
    """Another birthday is a correction: a thing that cannot change was never otherwise."""
    first = await add(bare, FactDraft("user", "birthday", "3 May", cardinality=FIXED))
    change = await bare.facts.add(ADA, FactDraft("user", "birthday", "4 May", cardinality=FIXED))
    assert [each.fact.standing for each in change.changed if each.fact] == [Standing.REPLACED]
    assert first.fact is not None
    assert first.fact.valid_from is None
    assert await objects(bare, as_of=0) == ["4 May"]


async def test_what_was_known_then(bare: Assistant, clock: FakeClock) -> None:
    """As known at a time there is nothing that was recorded later, and nothing is closed that was closed later."""
    await add(bare, lives("Rome", valid_from=DAY))
    before = clock.now()
    clock.advance(10)
    await add(bare, lives("Oslo", valid_from=2 * DAY))
    assert await objects(bare, as_of=3 * DAY) == ["Oslo"]
    assert await objects(bare, as_of=3 * DAY, known_at=before) == ["Rome"]
    assert await objects(bare, known_at=before) == ["Rome"]
    assert await objects(bare, known_at=before - 1) == []


async def test_a_fact_is_added_once(bare: Assistant) -> None:
    """The same request has one effect; the same statement adds nothing; another body under the id is refused."""
    first = await bare.facts.add(ADA, lives("Rome"), request_id="r")
    again = await bare.facts.add(ADA, lives("Rome"), request_id="r")
    assert (again.memory, again.existed) == (first.memory, True)
    same = await bare.facts.add(ADA, lives(" rome "))
    assert (same.memory.id, same.existed) == (first.memory.id, True)
    with pytest.raises(AlreadyExists):
        await bare.facts.add(ADA, lives("Oslo"), request_id="r")
    assert await objects(bare) == ["Rome"]


async def test_facts_added_at_once_know_of_each_other(bare: Assistant) -> None:
    """Of many places stated at the same time one is where the user lives, whoever was faster."""
    drafts = [lives(f"Place {n}", valid_from=(n + 1) * DAY) for n in range(8)]
    await asyncio.gather(*(bare.facts.add(ADA, draft) for draft in drafts))
    assert await objects(bare) == ["Place 7"]
    for n in range(8):
        assert await objects(bare, as_of=(n + 1) * DAY) == [f"Place {n}"]


async def test_a_fact_goes_with_its_source(bare: Assistant) -> None:
    """Forgetting what a fact was derived from forgets the fact; what that had closed stays so until it is restored."""
    rome = await add(bare, lives("Rome", valid_from=DAY))
    source = (await bare.memories.remember(ADA, MemoryDraft("Moved to Oslo!"))).memories[0]
    oslo = await add(bare, lives("Oslo", valid_from=2 * DAY, sources=(source.id,)))
    await bare.memories.forget(ADA, [source.id])
    with pytest.raises(NotFound):
        await bare.memories.get(ADA, oslo.id)
    assert await objects(bare, as_of=3 * DAY) == []
    await bare.facts.restore(ADA, rome.id)
    assert await objects(bare, as_of=3 * DAY) == ["Rome"]


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (FactDraft("", "likes", "tea"), "fact.subject"),
        (FactDraft("user", " ", "tea"), "fact.relation"),
        (FactDraft("user", "likes", "t" * 1025), "fact.object"),
        (FactDraft("user", "likes", "tea", 5, 5), "fact.valid_to"),
        (FactDraft("user", "likes", "tea", confidence=float("nan")), "fact.confidence"),
        (FactDraft("user", "likes", "tea", sources=("x",)), "fact.sources[0]"),
    ],
)
async def test_what_states_nothing_is_refused(bare: Assistant, draft: FactDraft, field: str) -> None:
    """A draft without one of its parts, or with an end before its beginning, is refused, and named."""
    with pytest.raises(InvalidArgument) as caught:
        await bare.facts.add(ADA, draft)
    assert [path for path, _ in caught.value.violations] == [field]


async def test_a_fact_is_its_users(bare: Assistant) -> None:
    """Another user sees no fact, corrects none and restores none."""
    rome = await add(bare, lives("Rome"))
    assert await bare.facts.list(BOB, Page()) == ([], "")
    assert not (await bare.facts.neighbourhood(BOB, "Rome")).facts
    with pytest.raises(NotFound):
        await bare.facts.correct(BOB, rome.id, lives("Oslo"))
    with pytest.raises(NotFound):
        await bare.facts.restore(BOB, rome.id)


async def test_a_list_has_pages(bare: Assistant) -> None:
    """Pages go on behind the last fact, whatever came meanwhile, and a token is good for its own question alone."""
    for n in range(5):
        await add(bare, FactDraft("user", "likes", f"thing {n}", valid_from=n))
    first, token = await bare.facts.list(ADA, Page(2))
    await add(bare, FactDraft("user", "likes", "the newest"))
    second, token = await bare.facts.list(ADA, Page(2, token))
    third, end = await bare.facts.list(ADA, Page(2, token))
    assert [each.fact.object for each in (*first, *second, *third) if each.fact] == [
        f"thing {n}" for n in (4, 3, 2, 1, 0)
    ]
    assert end == ""
    with pytest.raises(InvalidArgument):
        await bare.facts.list(ADA, Page(2, token), entity="user")


async def test_an_entity_is_known_by_all_its_names(bare: Assistant) -> None:
    """A name, another name and whose sister it is lead to one entity, and two hops reach what it is linked to."""
    await add(bare, FactDraft("user", "sister", "Anna", object_kind="sister"))
    await add(bare, FactDraft("Anna", "also known as", "Annie"))
    await add(bare, FactDraft("my sister", "likes", "jazz"))
    await add(bare, FactDraft("user's sister", "lives in", "Rome", object_kind="place"))
    await add(bare, FactDraft("ANNIE", "age", "31", object_kind="value"))
    for name in ("Anna", "annie", "user\u2019s  sister"):
        found, _ = await bare.facts.list(ADA, Page(), entity=name)
        assert {each.fact.object for each in found if each.fact} == {"Anna", "Annie", "Rome", "31", "jazz"}
    around = await bare.facts.neighbourhood(ADA, "me", depth=2)
    assert [(each.name, each.distance) for each in around.entities] == [
        ("user", 0),
        ("Anna", 1),
        ("Rome", 2),
        ("jazz", 2),
    ]
    anna = around.entities[1]
    assert (anna.aliases, anna.kinds) == (("Annie", "user's sister"), ("sister",))
    near = await bare.facts.neighbourhood(ADA, "Annie", most=1)
    assert (len(near.facts), near.more) == (1, True)
    # With a second sister it is no longer certain whom "my sister" means.
    await add(bare, FactDraft("user", "sister", "Eva"))
    found, _ = await bare.facts.list(ADA, Page(), entity="Anna")
    assert {each.fact.object for each in found if each.fact} == {"Anna", "Annie", "31"}


async def test_a_memory_is_found_by_every_name(bare: Assistant) -> None:
    """Whoever has several names, or is somebody's sister, is found by any; nobody else is, and a wrong name no more."""
    told = {
        "Rebecca paints boats": await bare.memories.remember(ADA, MemoryDraft("Rebecca paints boats")),
        "Nora sails them": await bare.memories.remember(ADA, MemoryDraft("Nora sails them")),
        "my sisters are far away": await bare.memories.remember(ADA, MemoryDraft("my sisters are far away")),
    }

    async def found(query: str, user: Scope = ADA) -> dict[str, str]:
        hits, _, _ = await bare.memories.recall(user, query, Page(10), Filter(layers=(Layer.EPISODIC,)))
        return {hit.memory.text: hit.evidence[0].detail for hit in hits if hit.memory.text in told}

    assert not await found("What does Becky do?")
    nickname = await add(bare, FactDraft("Rebecca", "also known as", "Becky"))
    await add(bare, FactDraft("user", "sister", "Nora"))
    await add(bare, FactDraft("Nora", "sister", "Rebecca"))
    assert await found("What does Becky do?") == {"Rebecca paints boats": "becky"}
    assert "Rebecca paints boats" in await found("Nora's sister?")
    assert (await found("And my sister?")).keys() == {"Nora sails them", "my sisters are far away"}
    assert not await found("What does Becky do?", BOB)
    await bare.memories.forget(ADA, [nickname.id])
    assert not await found("What does Becky do?")


async def test_a_restart_knows_the_same(settings: Settings, clock: FakeClock) -> None:
    """Facts, and what was believed of them, are as before after the folder was closed and opened again."""
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        await add(assistant, lives("Rome", valid_from=DAY))
        clock.advance(1)
        await add(assistant, lives("Oslo", valid_from=2 * DAY))
        before = await assistant.facts.list(ADA, Page(), superseded=True)
    async with alejo.open(settings=settings, clock=clock, entry_points=[]) as assistant:
        assert await assistant.facts.list(ADA, Page(), superseded=True) == before
        index = await assistant.indexes.get(ADA)
        loaded = Index.load(index.embedder, index.dump())
        assert loaded.facts.find(superseded=True) == index.facts.find(superseded=True)


def test_no_more_is_kept_of_the_past_than_there_is_room_for() -> None:
    """A fact that is corrected and restored for ever keeps its last beliefs."""
    facts = {"a": Stated("a", Fact("user", "likes", "tea", 0)), "b": Stated("b", Fact("user", "likes", "tea", 0, 9))}
    for now in range(1, PAST + 9):
        timeline = Timeline(facts.values(), str)
        timeline.correct("a", Stated("b", Fact("user", "likes", "tea", 1, 9, stated_to=9)))
        timeline.restore("a")
        timeline.restore("b")
        facts |= {each.id: each for each in timeline.changes(now)}
        timeline = Timeline(facts.values(), str)
        timeline.restore("a")
        facts |= {each.id: each for each in timeline.changes(now)}
    assert len(facts["a"].fact.past) == PAST


@given(st.text(max_size=40))
def test_a_name_has_one_form(name: str) -> None:
    """Whatever its characters, a name in its one form stays as it is, and has the key of what it came from."""
    assert normal(normal(name)) == normal(name)
    assert key(normal(name)) == key(name)


async def told(assistant: Assistant, **wanted: Any) -> list[tuple[str, str, str]]:
    """The facts of Ada's as subject, relation and object, in the order of these."""
    memories, _ = await assistant.facts.list(ADA, Page(), **wanted)
    return sorted((each.fact.subject, each.fact.relation, each.fact.object) for each in memories if each.fact)


async def test_what_a_user_states_is_a_fact_at_once(assistant: Assistant, clock: FakeClock) -> None:
    """A statement is a fact once its turn is answered, closes what it contradicts, and goes with its message."""
    await assistant.conversation.chat(ADA, Ask("I live in Rome. My dog is called Luna."))
    clock.advance(400 * 86_400)
    answer = await assistant.conversation.chat(ADA, Ask("I moved to Oslo two months ago."))
    assert await told(assistant) == [("user", "dog", "Luna"), ("user", "lives in", "Oslo")]
    (oslo,) = (await assistant.facts.list(ADA, Page(), entity="Oslo"))[0]
    assert oslo.fact is not None
    assert oslo.message_id == answer.user_message.id
    assert oslo.fact.valid_from is not None
    assert 31 * DAY <= clock.now() - oslo.fact.valid_from <= 93 * DAY
    assert await told(assistant, relation="lives in", as_of=oslo.fact.valid_from - 1) == [("user", "lives in", "Rome")]
    hits, _, _ = await assistant.memories.recall(ADA, "Who is Luna?", Page())
    assert ("dog", "Luna") in {(hit.memory.fact.relation, hit.memory.fact.object) for hit in hits if hit.memory.fact}
    await assistant.memories.forget(ADA, list(oslo.sources))
    assert await told(assistant, relation="lives in") == []
    await assistant.conversation.chat(ADA, Ask("No, I live in Bonn."))
    assert await told(assistant, relation="lives in") == [("user", "lives in", "Bonn")]


async def test_what_was_said_wrongly_is_corrected(assistant: Assistant) -> None:
    """A correction takes the place of the one thing it can mean; of several, and of likings, it takes none."""
    for text in ("My dog is called Luna.", "Actually, my dog is called Lupo.", "I like tea.", "Actually, I like ale."):
        await assistant.conversation.chat(ADA, Ask(text))
    assert await told(assistant, relation="dog") == [("user", "dog", "Lupo")]
    assert [thing for *_, thing in await told(assistant, relation="likes")] == ["ale", "tea"]
    for text in ("I have another dog.", "My dog is called Rex.", "No, my dog is called Max."):
        await assistant.conversation.chat(ADA, Ask(text))
    assert [thing for *_, thing in await told(assistant, relation="dog")] == ["Lupo", "Max", "Rex"]


async def test_what_has_other_words_states_other_things(assistant: Assistant, clock: FakeClock) -> None:
    """Facts follow the words they were read in: they stay, are corrected, come, or go and leave what was before."""

    async def says(text: str, memory_id: str) -> None:
        await assistant.memories.update(ADA, memory_id, {"text": text})
        await assistant.keeper.visit(ADA)

    await assistant.conversation.chat(ADA, Ask("I live in Rome."))
    clock.advance(86_400)
    answer = await assistant.conversation.chat(ADA, Ask("I live in Porto. My dog is called Luna."))
    (porto,) = (await assistant.facts.list(ADA, Page(), entity="Porto"))[0]
    (memory_id,) = porto.sources
    await says("I live in Oslo. My dog is called Luna. My cat is called Tom.", memory_id)
    assert await told(assistant) == [
        ("user", "cat", "Tom"),
        ("user", "dog", "Luna"),
        ("user", "lives in", "Oslo"),
    ]
    (oslo,) = (await assistant.facts.list(ADA, Page(), entity="Oslo"))[0]
    assert (oslo.message_id, oslo.stale) == (answer.user_message.id, False)
    assert porto.id in {each.id for each in (await assistant.facts.list(ADA, Page(), superseded=True))[0]}
    index = await assistant.indexes.get(ADA)
    assert not index.stale
    await says("My cat is called Tom, not Tim.", memory_id)
    assert await told(assistant) == [("user", "cat", "Tom"), ("user", "lives in", "Rome")]
    await says("Well, well.", memory_id)
    assert await told(assistant) == [("user", "lives in", "Rome")]
    assert not (await assistant.indexes.get(ADA)).stale


async def test_what_is_said_last_is_so_now(assistant: Assistant, clock: FakeClock) -> None:
    """Who lived somewhere this morning and says to have moved last month is there now, and was where they said."""
    first = await assistant.conversation.chat(ADA, Ask("I live in Porto."))
    clock.advance(3600)
    await assistant.conversation.chat(ADA, Ask("I moved to Lisbon last month."))
    assert await told(assistant) == [("user", "lives in", "Lisbon")]
    assert await told(assistant, as_of=first.user_message.sent_at + 1) == [("user", "lives in", "Porto")]


async def test_what_is_brought_in_is_of_who_said_it(assistant: Assistant) -> None:
    """An imported message speaks for its speaker, as does each of many at once, in their order."""
    session, _ = await assistant.sessions.create(ADA)
    said = [("Mel", "I live in Rome."), ("Mel", "I moved to Oslo."), ("Caro", "I'm from Sweden. How are you?")]
    drafts = [MessageDraft(session.id, text, speaker=name, sent_at=n) for n, (name, text) in enumerate(said)]
    await assistant.memories.remember_many(ADA, [("", draft) for draft in drafts])
    assert await told(assistant) == [("Caro", "is from", "Sweden"), ("Mel", "lives in", "Oslo")]
    assert await told(assistant, as_of=0) == [("Caro", "is from", "Sweden"), ("Mel", "lives in", "Rome")]
    kept = await assistant.memories.remember(ADA, MemoryDraft("My sister is called Eva."))
    assert [memory.fact.object for memory in kept.memories if memory.fact] == ["Eva"]
    assert await told(assistant, entity="my sister") == [("user", "sister", "Eva")]


async def test_a_broken_reader_of_facts_is_named(settings: Settings) -> None:
    """A plugin whose facts fail keeps the message, and the answer says what was missing."""

    class Broken:
        async def keep(self, message: Message) -> Sequence[MemoryDraft]:
            return [MemoryDraft(message.text)]

        async def complete(self, draft: MemoryDraft) -> MemoryDraft:
            return draft

        async def plan(self, query: str) -> RecallPlan:
            return RecallPlan()

        async def facts(self, message: Message) -> Sequence[FactDraft]:
            return [FactDraft("", "likes", "tea")]

        def alejo_register_memory(self, settings: dict[str, Any]) -> Any:
            return self

    Broken.alejo_register_memory = hookimpl(Broken.alejo_register_memory)  # type: ignore[method-assign]
    async with testing.assistant(Broken()) as assistant:
        answer = await assistant.conversation.chat(ADA, Ask("I like tea."))
        assert "memory" in {missing.role for missing in answer.degraded}
        assert await told(assistant) == []
        assert len((await assistant.memories.list(ADA, Page()))[0]) == 1


class Told(NamedTuple):
    """A fact of the model: what was stated, and what is believed of it."""

    begin: float
    end: float
    line: tuple[str, str]
    object: str
    negated: bool
    cardinality: Cardinality
    standing: Standing = Standing.HELD
    heir: str = ""  # of one that is not held
    ended: tuple[float, str] | None = None  # by one that was forgotten since


class Model:
    """What is true, reckoned point by point instead of by intervals."""

    def __init__(self) -> None:
        self.facts: dict[str, Told] = {}

    def contradict(self, one: Told, other: Told) -> bool:
        if one.line != other.line:
            return False
        if one.object == other.object:
            return one.negated != other.negated
        return not one.negated and not other.negated and MANY not in (one.cardinality, other.cardinality)

    def after(self, fact_id: str) -> list[tuple[float, str]]:
        """What ends a fact, whenever that is: what contradicts it, is later, and not over before."""
        fact = self.facts[fact_id]
        return sorted(
            (other.begin, each)
            for each, other in self.facts.items()
            if other.standing is Standing.HELD
            and self.contradict(fact, other)
            and other.begin > float("-inf")
            and (other.begin, each) > (fact.begin, fact_id)
            and not other.end < fact.end
        )

    def ended(self, fact_id: str) -> tuple[float, str]:
        """When a believed fact ends, and what ends it."""
        fact = self.facts[fact_id]
        first = fact.ended or (fact.end, "")
        found = [each for each in self.after(fact_id) if each < first]
        return found[0] if found else first

    def settle(self) -> None:
        """What ends before what was forgotten had ended it, forgets that."""
        for each, fact in self.facts.items():
            if fact.ended and self.ended(each) != fact.ended:
                self.facts[each] = fact._replace(ended=None)

    def true(self, fact_id: str, day: float, there: set[str]) -> bool:
        """Whether a fact is true on a day; of what excepts it only what is still there counts."""
        fact = self.facts[fact_id]
        if fact.standing is not Standing.HELD or not fact.begin <= day < self.ended(fact_id)[0]:
            return False
        return not any(
            other.standing is Standing.HELD
            and self.contradict(fact, other)
            and other.begin > fact.begin
            and other.begin <= day < self.ended(each)[0]
            for each, other in self.facts.items()
            if each in there
        )

    def add(self, new_id: str, new: Told) -> bool:
        """Adds a fact; whether it was not known."""
        for each, old in sorted(self.facts.items(), key=lambda one: one[1].begin):
            alike = (old.line, old.object, old.negated) == (new.line, new.object, new.negated)
            if old.standing is not Standing.HELD or not alike:
                continue
            if old.begin < new.end and new.begin < self.ended(each)[0]:
                begin, end = min(old.begin, new.begin), old.end if new.end == float("inf") else new.end
                if (begin, end) == (old.begin, old.end):
                    return False
                new = new._replace(begin=begin, end=end)
                self.drop(each, Standing.REPLACED, new_id)
                break
        self.facts[new_id] = new
        for each, old in list(self.facts.items()):
            if new.cardinality is FIXED and old.standing is Standing.HELD and self.contradict(old, new):
                self.drop(each, Standing.REPLACED, new_id)
        return True

    def drop(self, fact_id: str, standing: Standing, heir: str) -> None:
        self.facts[fact_id] = self.facts[fact_id]._replace(standing=standing, heir=heir, ended=None)

    def restore(self, fact_id: str) -> None:
        """Takes back what superseded a fact."""
        fact = self.facts[fact_id]
        heir = self.ended(fact_id)[1] if fact.standing is Standing.HELD else fact.heir
        while heir in self.facts and self.facts[heir].standing is not Standing.HELD and heir != fact_id:
            heir = self.facts[heir].heir
        if heir in self.facts and heir != fact_id and fact.standing is not Standing.WITHDRAWN:
            self.drop(heir, Standing.WITHDRAWN if fact.standing is Standing.HELD else Standing.REPLACED, fact_id)
        self.facts[fact_id] = fact._replace(standing=Standing.HELD, heir="", ended=None)

    def superseded(self, fact_id: str) -> bool:
        fact = self.facts[fact_id]
        return fact.standing is not Standing.HELD or bool(self.ended(fact_id)[1])

    def forget(self, fact_id: str) -> None:
        """What a forgotten fact has ended stays ended."""
        for each, fact in list(self.facts.items()):
            if fact.standing is Standing.HELD and self.ended(each)[1] == fact_id:
                self.facts[each] = fact._replace(ended=self.ended(each))
        del self.facts[fact_id]


DAYS = st.integers(0, 12)
# Corrections and restorings of what there is are met most often where there is little of it.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "correct", "restore", "restore", "forget"]),
        st.sampled_from([("user", "lives in", ONE), ("user", "likes", MANY), ("Anna", "birthday", FIXED)]),
        st.sampled_from("ABC"),
        st.sampled_from([False, False, False, True]),
        st.none() | DAYS,
        st.none() | DAYS,
        st.integers(0, 50),
    ),
    max_size=14,
)
START = 1_600_000_000_000_000


def moment(day: float) -> int | None:
    return None if abs(day) == float("inf") else START + int(day) * DAY


class Both:
    """The assistant and the model, led by the same steps; what is known at which time is noted."""

    def __init__(self, assistant: Assistant, clock: FakeClock) -> None:
        self.assistant = assistant
        self.clock = clock
        self.model = Model()
        self.known: list[tuple[int, Model]] = []
        self.forgotten: set[str] = set()

    async def take(self, steps: Sequence[Any]) -> None:
        for verb, (subject, relation, cardinality), thing, negated, first, last, which in steps:
            self.clock.advance(1)
            ids = sorted(self.model.facts)
            chosen = ids[which % len(ids)] if ids else ""
            begin = float("-inf") if first is None else first
            end = float("inf") if last is None or last <= begin else last
            if verb == "add":
                told = Told(begin, end, (subject, relation), thing, negated, cardinality)
                await self.add(told)
            elif verb == "forget" and chosen:
                await self.assistant.memories.forget(ADA, [chosen])
                self.model.forget(chosen)
                self.forgotten.add(chosen)
            elif verb == "restore" and chosen:
                await self.restore(chosen)
            elif verb == "correct" and chosen:
                await self.correct(chosen, thing, negated=negated)
            self.model.settle()
            self.known.append((self.clock.now(), copy.deepcopy(self.model)))

    async def add(self, told: Told) -> None:
        # Said at its beginning, or after its end if it has no beginning: what is left open then means just that.
        said = moment(told.begin) if told.begin > float("-inf") else 1 << 55
        draft = FactDraft(
            *told.line,
            told.object,
            moment(told.begin),
            moment(told.end),
            negated=told.negated,
            cardinality=told.cardinality,
            sent_at=said,
        )
        if told.begin == float("-inf") and told.end == float("inf") and told.cardinality is not FIXED:
            return  # cannot be said: it begins when it is said
        change = await self.assistant.facts.add(ADA, draft)
        assert self.model.add("new", told) is not change.existed
        self.rename(change.memory.id)

    def rename(self, memory_id: str) -> None:
        """Gives the model's new fact the id it has."""
        facts = {memory_id if each == "new" else each: fact for each, fact in self.model.facts.items()}
        self.model.facts = {
            each: fact._replace(heir=memory_id if fact.heir == "new" else fact.heir) for each, fact in facts.items()
        }

    async def correct(self, chosen: str, thing: str, *, negated: bool) -> None:
        old = self.model.facts[chosen]
        draft = FactDraft("", "", thing, negated=negated, sent_at=1 << 55)
        if old.standing is not Standing.HELD:
            with pytest.raises(FailedPrecondition):
                await self.assistant.facts.correct(ADA, chosen, draft)
            return
        change = await self.assistant.facts.correct(ADA, chosen, draft)
        self.model.drop(chosen, Standing.REPLACED, "new")
        self.model.add("new", Told(old.begin, old.end, old.line, thing, negated, old.cardinality))
        if change.existed:
            self.model.drop(chosen, Standing.REPLACED, change.memory.id)
        self.rename(change.memory.id)

    async def restore(self, chosen: str) -> None:
        if self.model.superseded(chosen):
            await self.assistant.facts.restore(ADA, chosen)
            self.model.restore(chosen)
        else:
            with pytest.raises(FailedPrecondition):
                await self.assistant.facts.restore(ADA, chosen)

    async def compare(self, model: Model, known_at: int | None) -> None:
        there = model.facts.keys() - self.forgotten
        for day in range(-1, 14):
            found, _ = await self.assistant.facts.list(ADA, Page(1000), as_of=moment(day), known_at=known_at)
            assert {memory.id for memory in found} == {each for each in there if model.true(each, day, there)}
        found, _ = await self.assistant.facts.list(ADA, Page(1000), known_at=known_at)
        assert {memory.id for memory in found} == {each for each in there if not model.superseded(each)}


async def both_follow(steps: Any) -> None:
    clock = FakeClock()
    async with testing.assistant(clock=clock) as assistant:
        both = Both(assistant, clock)
        await both.take(steps)
        await both.compare(both.model, None)
        for time, model in both.known:
            await both.compare(model, time)


@bounded(max_examples=40, deadline=None)
@given(STEPS)
def test_what_is_true_is_what_a_simple_model_says(steps: Any) -> None:
    """After any history, as of any day and as known at any time, facts are true as the model reckons day by day."""
    asyncio.run(both_follow(steps))
