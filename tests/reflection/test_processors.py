"""Processors of plugins: what reflectors find is written once, beside its sources, and refused if it cannot be so."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from alejo import testing
from alejo.app import Assistant
from alejo.clock import FakeClock
from alejo.hooks import hookimpl
from alejo.ids import Ids
from alejo.jobs import JobState
from alejo.queue.register import Register
from alejo.queue.stored import StoredQueue
from alejo.reflection import Piece, Worker
from alejo.reflection.processors import EPISODE, Reflecting
from alejo.roles import MemoryStrategy, Reflector, Work
from alejo.storage.tables import EPISODES, MEMORIES
from alejo.types import (
    Cardinality,
    EpisodeDraft,
    FactDraft,
    Filter,
    Findings,
    Layer,
    Memory,
    MemoryDraft,
    Message,
    MessageDraft,
    Page,
    ProcedureDraft,
    RecallPlan,
)

from ..conftest import ADA

KIND = "reflection"
DAY = 86_400_000_000


class Whole:
    """A memory strategy that keeps every message in its own words."""

    async def keep(self, message: Message) -> Sequence[MemoryDraft]:
        return (MemoryDraft(message.text, Layer.EPISODIC, "statement", importance=0.5),)

    async def complete(self, draft: MemoryDraft) -> MemoryDraft:
        return draft

    async def plan(self, query: str) -> RecallPlan:
        return RecallPlan(min_similarity=-1)

    @hookimpl
    def alejo_register_memory(self, settings: object) -> MemoryStrategy:
        return self


class Found:
    """A reflector that finds what a function of the work says."""

    def __init__(self, find: Callable[[Work], Findings]) -> None:
        self.name = "found"
        self.wants = ("appraisals", "episode", "facts", "meaning")
        self.find = find
        self.works: list[Work] = []

    async def reflect(self, work: Work) -> Findings:
        self.works.append(work)
        return self.find(work)

    @hookimpl
    def alejo_register_reflectors(self) -> Sequence[Reflector]:
        return [self]


class House:
    """An assistant with a worker of one processor."""

    def __init__(self, assistant: Assistant, name: str) -> None:
        self.assistant = assistant
        clock = assistant.clock
        self.queue = StoredQueue(assistant.store, Ids(clock), clock, {KIND: (name,)}, chance=random.Random(3))
        self.register = Register(assistant.store, self.queue.lines)
        self.processor = Reflecting(
            name,
            assistant.store,
            assistant.indexes,
            assistant.facts,
            assistant.plugins,
            assistant.profiles.get,
            Ids(clock),
            clock,
            assistant.zones,
        )
        self.worker = Worker(assistant.store, self.queue, clock, {KIND: [self.processor]})
        self.session = ""
        self.seq = 0

    async def say(self, *lines: str, speaker: str = "", at: int | None = None) -> list[str]:
        """Says lines in the session, each with a memory of it; the ids of the memories."""
        if not self.session:
            self.session = (await self.assistant.sessions.create(ADA))[0].id
        made = []
        for line in lines:
            kept = await self.assistant.memories.remember(
                ADA, MessageDraft(self.session, line, speaker=speaker, sent_at=at)
            )
            made += [memory.id for memory in kept.memories]
            self.seq += 1
        writer = await self.assistant.store.writer(ADA)
        await self.queue.enqueue(writer, ADA, self.session, KIND, self.seq)
        await writer.commit()
        return made

    async def reflect(self) -> None:
        while await self.worker.once():
            pass

    async def memories(self, kind: str) -> list[Memory]:
        return (await self.assistant.memories.list(ADA, Page(100), Filter(kinds=(kind,))))[0]


@asynccontextmanager
async def house(find: Callable[[Work], Findings]) -> AsyncIterator[tuple[House, Found]]:
    found = Found(find)
    async with testing.assistant(found, Whole, clock=FakeClock()) as assistant:
        yield House(assistant, "found"), found


def ids(work: Work) -> tuple[str, ...]:
    return tuple(said.message.id for said in work.messages)


def growing(work: Work) -> Findings:
    """One episode that goes on and on."""
    before = work.episode.sources if work.episode else ()
    replaces = work.episode.id if work.episode else ""
    words = " ".join(said.message.text for said in work.messages)
    return Findings((EpisodeDraft("All", words, (*before, *ids(work)), 0.7, replaces, open=True),))


async def test_an_open_episode_is_replaced_under_its_id() -> None:
    """What comes next joins the last episode: one memory, with all sources, that bears its first moment."""
    async with house(growing) as (at, _):
        first = await at.say("I sowed beans.", "They came up.")
        await at.reflect()
        (episode,) = await at.memories(EPISODE)
        second = await at.say("We ate the beans.")
        await at.reflect()
        (grown,) = await at.memories(EPISODE)
        assert (grown.id, grown.sent_at) == (episode.id, episode.sent_at)
        assert (grown.text, grown.sources) == ("We ate the beans.", (*first, *second))
        assert grown.importance == 0.7
        hits = await at.assistant.recall("Who ate the beans?", scope=ADA)
        assert grown.id in [hit.memory.id for hit in hits]


async def test_forgetting_a_source_takes_what_was_made_of_it() -> None:
    """With a message go the episode, fact and procedure made of it, and what is said next begins another episode."""

    def find(work: Work) -> Findings:
        fact = FactDraft("user", "grows", "beans", sources=ids(work)[-1:])
        return Findings(growing(work).episodes, (fact,), (ProcedureDraft("Call them beans.", ids(work)),))

    async with house(find) as (at, found):
        (memory,) = await at.say("I sowed beans.")
        await at.reflect()
        kinds = (EPISODE, "fact", "instruction")
        assert [len(await at.memories(kind)) for kind in kinds] == [1, 1, 1]
        await at.assistant.memories.forget(ADA, [memory])
        assert [len(await at.memories(kind)) for kind in kinds] == [0, 0, 0]
        await at.say("Peas are better.")
        await at.reflect()
        assert found.works[-1].episode is None
        assert [said.message.text for said in found.works[-1].earlier] == [""]
        assert [episode.text for episode in await at.memories(EPISODE)] == ["Peas are better."]


async def test_what_cannot_be_right_is_refused_as_a_whole() -> None:
    """Findings with a source from elsewhere, or none, or wrong numbers end dead with a word why, and write nothing."""
    ok = ("0" * 32,)
    cases: dict[str, Callable[[Work], Findings]] = {
        "unknown_source": lambda work: Findings((EpisodeDraft("A", "B", ok),)),
        "no_source": lambda work: Findings(facts=(FactDraft("a", "b", "c"),)),
        "bad_episode": lambda work: Findings((EpisodeDraft("A", "word " * 61, ids(work)),)),
        "bad_fact": lambda work: Findings(facts=(FactDraft("a", "b", "c", confidence=2, sources=ids(work)),)),
        "bad_procedure": lambda work: Findings(procedures=(ProcedureDraft("Do.", ids(work), kind="song"),)),
    }
    for code, find in cases.items():
        async with house(find) as (at, _):
            await at.say("I sowed beans.")
            for _ in range(20):
                await at.reflect()
                at.assistant.clock.advance(400)  # type: ignore[attr-defined]
            (job,), _ = await at.register.list(ADA, Page(10), states=(JobState.DEAD,))
            assert job.attempts[-1].failure.code == code
            assert await at.memories(EPISODE) == []


async def test_an_episode_is_made_anew_of_the_words_that_are_kept() -> None:
    """Where a memory was given other words, what comes next makes the last episode anew of these."""

    def whole(work: Work) -> Findings:
        every = [said for said in (*work.earlier, *work.messages) if said.memories]
        text = " ".join(said.message.text for said in every)
        replaces = work.episode.id if work.episode else ""
        sources = tuple(said.message.id for said in every)
        return Findings((EpisodeDraft("All", text, sources, replaces=replaces, open=True),))

    async with house(whole) as (at, _):
        first, _ = await at.say("I sowed beans.", "They came up.")
        await at.reflect()
        await at.say("We ate them.")
        await at.reflect()
        assert [each.text for each in await at.memories(EPISODE)] == ["I sowed beans. They came up. We ate them."]
        await at.assistant.memories.update(ADA, first, {"text": "I sowed peas."})
        assert await at.memories(EPISODE) == []
        await at.say("All gone.")
        await at.reflect()
        (episode,) = await at.memories(EPISODE)
        assert (episode.text, episode.stale) == ("I sowed peas. They came up. We ate them. All gone.", False)


async def test_an_episode_that_its_user_changed_is_left_alone() -> None:
    """What a user wrote of an episode stays; what is said next begins another."""
    async with house(growing) as (at, _):
        await at.say("I sowed beans.")
        await at.reflect()
        (episode,) = await at.memories(EPISODE)
        await at.assistant.memories.update(ADA, episode.id, {"text": "The bean year."})
        await at.say("Peas now.")
        await at.reflect()
        assert sorted(each.text for each in await at.memories(EPISODE)) == ["Peas now.", "The bean year."]


async def test_a_later_way_supersedes_one_of_its_topic() -> None:
    """Of one topic and context one way holds; where it applies elsewhere, or is about something else, both do."""
    drafts = iter(
        [
            ("Use metric units.", "units", ""),
            ("Use cups.", "units", "i bake"),
            ("Keep it short.", "length", ""),
            ("Use imperial units.", "units", ""),
        ]
    )

    def find(work: Work) -> Findings:
        text, topic, context = next(drafts)
        return Findings(procedures=(ProcedureDraft(text, ids(work), topic=topic, context=context),))

    async with house(find) as (at, _):
        for line in "abcd":
            await at.say(line)
            await at.reflect()
        found = await at.memories("instruction")
        assert sorted(each.text for each in found) == ["Keep it short.", "Use cups.", "Use imperial units."]
        assert {each.layer for each in found} == {Layer.PROCEDURAL}
        everything = Filter(kinds=("instruction",), include_superseded=True)
        old = [each for each in (await at.assistant.memories.list(ADA, Page(9), everything))[0] if each.superseded_by]
        assert [each.text for each in old] == ["Use metric units."]


async def test_a_fact_closes_what_it_contradicts() -> None:
    """Where somebody lives there is one of at a time: the old place ends where the new one begins, and is kept."""
    places = iter(["Rome", "Porto"])

    def find(work: Work) -> Findings:
        fact = FactDraft("Ada", "lives in", next(places), sources=ids(work), cardinality=Cardinality.ONE)
        return Findings(facts=(fact,))

    async with house(find) as (at, _):
        for day in (0, 1):
            await at.say("I moved.", speaker="Ada", at=10**15 + day * DAY)
            await at.reflect()
        now, _ = await at.assistant.facts.list(ADA, Page(9), entity="Ada")
        then, _ = await at.assistant.facts.list(ADA, Page(9), entity="Ada", as_of=10**15 + DAY // 2)
        assert [[memory.fact and memory.fact.object for memory in each] for each in (now, then)] == [
            ["Porto"],
            ["Rome"],
        ]
        assert now[0].speaker == "Ada"


async def test_a_second_application_changes_nothing() -> None:
    """The same messages reflected on again leave the same facts and ways."""

    def find(work: Work) -> Findings:
        fact = FactDraft("user", "grows", "beans", sources=ids(work)[-1:])
        return Findings(facts=(fact,), procedures=(ProcedureDraft("Call them beans.", ids(work)[-1:], topic="name"),))

    async with house(find) as (at, _):
        await at.say("I sowed beans.")
        await at.reflect()
        before = [(await at.memories(kind)) for kind in ("fact", "instruction")]
        page = await at.assistant.sessions.messages(ADA, at.session, Page(9))
        piece = Piece((await at.register.list(ADA, Page(9)))[0][0], page[0])
        effects = await at.processor.process(ADA, [piece])
        writer = await at.assistant.store.writer(ADA)
        await effects(writer)
        await writer.commit()
        assert [(await at.memories(kind)) for kind in ("fact", "instruction")] == before


async def test_what_is_imported_is_reflected_on(assistant: Assistant) -> None:
    """A conversation that was said elsewhere becomes episodes and facts of its speakers, which go with its session."""
    session, _ = await assistant.sessions.create(ADA)
    talk = [("Mia", "I adopted a parrot from the shelter."), ("Cleo", "I sold my old boat to Karl.")]
    talk += [("Mia", "My parrot eats walnuts and figs."), ("Cleo", "Where do you live now, Mia?"), ("Mia", "In Porto.")]
    for place, (speaker, text) in enumerate(talk):
        draft = MessageDraft(session.id, text, speaker=speaker, sent_at=10**15 + place * 60_000_000)
        await assistant.memories.remember(ADA, draft)
    await assistant.reflection.settled()
    stated = [each.text for each in (await assistant.facts.list(ADA, Page(99)))[0]]
    assert {
        "Mia adopted a parrot from the shelter.",
        "Cleo sold their old boat to Karl.",
        "Mia lives in Porto.",
    } <= set(stated)
    (episode,) = (await assistant.memories.list(ADA, Page(9), Filter(kinds=(EPISODE,))))[0]
    assert "Cleo: sold their old boat to Karl" in episode.text
    assert await assistant.store.scan(ADA, EPISODES)
    await assistant.sessions.delete(ADA, session.id)
    assert await assistant.store.scan(ADA, EPISODES) == []
    assert await assistant.store.scan(ADA, MEMORIES) == []
