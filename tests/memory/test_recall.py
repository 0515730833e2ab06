"""The order of a recall: that of weighing every match, whatever the plan and the filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo import Assistant
from alejo._core import EVIDENCE
from alejo.embedding import shipped
from alejo.memory.embedders import TableEmbedder
from alejo.memory.index import Index
from alejo.memory.recall import Found, evidence, rank
from alejo.types import EVERYTHING, Fact, Filter, Layer, Memory, MemoryDraft, MessageDraft, Page, RecallPlan

from ..conftest import ADA

HALF_LIFE = 1 << 20  # µs; ages that are whole half-lives have one recency, whoever reckons it
NOW = 50 * HALF_LIFE
WORDS = st.lists(st.sampled_from(["apple", "pear", "plum", "fig"]), max_size=4).map(" ".join)
KINDS = st.sampled_from(["fact", "question", "remark"])

MOMENT = st.none() | st.integers(0, NOW)

MEMORIES = st.builds(
    Memory,
    id=st.just(""),
    layer=st.sampled_from([Layer.SEMANTIC, Layer.WORKING]),
    kind=KINDS,
    text=WORDS,
    sent_at=st.integers(0, 60).map(HALF_LIFE.__mul__),
    recorded_at=st.just(0),
    speaker=st.sampled_from(["", "Fig", "Ada"]),
    session_id=st.sampled_from(["a", "b"]),
    message_id=st.sampled_from(["", "m", "n"]),
    archived=st.booleans(),
    metadata=st.sampled_from([{}, {"colour": "red"}]),
    fact=st.none() | st.builds(Fact, st.just("user"), st.just("likes"), WORDS, MOMENT, MOMENT),
    superseded_by=st.sampled_from(["", "x"]),
)
FILTERS = st.just(EVERYTHING) | st.builds(
    Filter,
    layers=st.sampled_from([(), (Layer.WORKING,)]),
    session_id=st.sampled_from(["", "a", "nowhere"]),
    sent_after=st.none() | st.integers(0, NOW),
    sent_before=st.none() | st.integers(0, NOW),
    speaker=st.sampled_from(["", "ada"]),
    kinds=st.lists(KINDS, max_size=2).map(tuple),
    metadata=st.sampled_from([{}, {"colour": "red"}]),
    include_archived=st.booleans(),
    include_superseded=st.booleans(),
    as_of=MOMENT,
)
PLANS = st.builds(
    RecallPlan,
    weights=st.dictionaries(st.sampled_from(EVIDENCE), st.sampled_from([0.1, 1.0, -0.5])),
    recency_half_life=st.just(HALF_LIFE / 1e6),
    kind_weights=st.dictionaries(KINDS | st.just("unheard of"), st.sampled_from([0.0, 0.2, 1.0, 3.0])),
    min_coverage=st.sampled_from([0.0, 0.4]),
)


EMBEDDER = TableEmbedder(shipped())
Change = tuple[int, Memory | None]


def filled(changes: list[Change]) -> Index:
    """An index after these memories came and went, by number."""
    index = Index(EMBEDDER)
    for number, memory in changes:
        if memory is None:
            index.remove(str(number))
        else:
            fields = {name: getattr(memory, name) for name in memory.__struct_fields__}
            index.put(Memory(**fields | {"id": str(number)}))
    return index


HISTORIES = st.builds(
    lambda memories, changes: [*enumerate(memories), *changes],
    st.lists(MEMORIES, max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.none() | MEMORIES), max_size=20),
)
MOST = st.integers(0, 30)
BUT = st.sampled_from(["", "m"])


@given(HISTORIES, WORDS, FILTERS, PLANS, MOST, BUT)
def test_a_recall_gives_what_passes_the_best_first(
    changes: list[Change], query: str, wanted: Filter, plan: RecallPlan, most: int, but: str
) -> None:
    """Whatever the plan, each hit passes the filter, its shares are its score, and it is said if there are more."""
    index = filled(changes)
    found, more = rank(index, query, wanted, plan, NOW, most=most, but=but)
    for each in found:
        entry = index.entries[each.doc]
        assert entry.passes(wanted)
        assert not (but and entry.message_id == but)
        assert plan.kind_weights.get(entry.kind, 1.0) > 0
        assert each.score == pytest.approx(sum(each.shares), abs=1e-4)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    everything, _ = rank(index, query, wanted, plan, NOW, most=1000, but=but)
    assert (found, more) == (everything[:most], len(everything) > most)


@given(HISTORIES, WORDS, FILTERS, PLANS)
def test_an_index_with_a_past_is_as_one_without(
    changes: list[Change], query: str, wanted: Filter, plan: RecallPlan
) -> None:
    """What is found, and why, depends on the memories there are, not on those that were."""
    index = filled(changes)
    index.recall.validate()
    last = dict(changes)
    fresh = filled([(number, memory) for number, memory in last.items() if memory is not None])

    def told(which: Index) -> dict[str, Found]:
        found, _ = rank(which, query, wanted, plan, NOW, most=1000)
        return {which.entries[each.doc].id: each for each in found}

    before, after = told(index), told(fresh)
    assert before.keys() == after.keys()
    for memory_id, each in before.items():
        assert each.shares == pytest.approx(after[memory_id].shares, abs=1e-4)


def memory(number: int, text: str, *, speaker: str = "") -> Memory:
    """A memory of long ago."""
    return Memory(str(number), Layer.SEMANTIC, "fact", text, 0, 0, speaker)


def share(found: Found, name: str) -> float:
    """One share of a hit."""
    return found.shares[EVIDENCE.index(name)]


def found(index: Index, query: str, plan: RecallPlan | None = None) -> list[Found]:
    """What a recall gives now."""
    return rank(index, query, EVERYTHING, plan or RecallPlan(), NOW, most=10)[0]


def test_what_shares_no_word_is_found_by_its_meaning() -> None:
    """A memory that means the same is found, what means something else is not, and the evidence says why."""
    index = filled([(0, memory(0, "My doctor prescribed pills")), (1, memory(1, "The meeting is on Tuesday"))])
    (hit,) = found(index, "medicine")
    assert (hit.doc, hit.coverage) == (0, 0.0)
    assert share(hit, "dense") > 0.2
    assert found(index, "medicine", RecallPlan(min_similarity=0.9)) == []
    index.remove("0")
    assert found(index, "medicine") == []
    index.vectors.validate()


def test_who_is_named_is_believed() -> None:
    """Of two who say the same, the one whose name is in the question comes first, as long as it names only one."""
    said = [(0, memory(0, "I like tea", speaker="Ann Lee")), (1, memory(1, "I like tea", speaker="Bob"))]
    index = filled(said)
    assert [each.doc for each in found(index, "What does Bob like?")] == [1, 0]
    assert [each.doc for each in found(index, "What does ann like?")] == [0, 1]
    assert share(found(index, "Do Ann and Bob like it?")[0], "speaker") == 0
    index.put(memory(1, "I like tea", speaker="Carl"))
    assert share(found(index, "What does Bob like?")[0], "speaker") == 0
    (first, *_) = found(index, "What did you say about tea?", RecallPlan(speakers={"Carl": 1.0}))
    assert first.doc == 1


def test_what_the_table_does_not_know_is_found_by_words_alone() -> None:
    """In scripts of which the table knows nothing, everything would mean the same."""
    index = filled([(0, memory(0, "Мой кот спит")), (1, memory(1, "Завтра будет дождь")), (2, memory(2, "ขอบคุณมาก"))])
    assert [each.doc for each in found(index, "Где мой кот?")] == [0]
    assert found(index, "สวัสดีครับ") == []


def test_what_a_filter_refuses_starves_nobody() -> None:
    """However many better ones a filter refuses, the few it lets through are all found."""
    index = Index(EMBEDDER)
    for number in range(3000):
        speaker = "rare" if number % 1000 == 999 else "common"
        text = "apple" if speaker == "rare" else "apple apple"
        index.put(Memory(str(number), Layer.SEMANTIC, "fact", text, 0, 0, speaker, str(number), message_id=speaker))
    for query in ("apple", "apples"):
        for wanted, but in ((Filter(speaker="rare"), ""), (EVERYTHING, "common")):
            hits, more = rank(index, query, wanted, RecallPlan(), NOW, most=2, but=but)
            assert ([each.doc for each in hits], more) == ([999, 1999], True)
            hits, more = rank(index, query, wanted, RecallPlan(), NOW, most=3, but=but)
            assert ([each.doc for each in hits], more) == ([999, 1999, 2999], False)


def test_beyond_the_first_hundred_words_decide() -> None:
    """However far a walk goes, it meets every match once, and its first pages do not depend on it."""
    index = Index(EMBEDDER)
    for number in range(400):
        index.put(memory(number, "apple " * (1 + number % 7) + "pear " * (number % 3)))
    short, more = rank(index, "apple", EVERYTHING, RecallPlan(), NOW, most=50)
    long, no_more = rank(index, "apple", EVERYTHING, RecallPlan(), NOW, most=1000)
    assert (short, more, no_more) == (long[:50], True, False)
    assert {each.doc for each in long} == set(range(400))
    assert len(long) == 400


def test_what_matters_is_told_and_the_rest_in_sum() -> None:
    """Evidence is told the strongest first, small shares together, and all of it is the score."""
    shares = [0.0] * len(EVIDENCE)
    shares[0], shares[1], shares[2], shares[3], shares[6] = 2.0, -0.5, 0.05, 0.03, 1.0
    told = evidence(shares, "apple, pear")
    assert [(each.name, each.detail) for each in told] == [
        (EVIDENCE[0], "apple, pear"),
        (EVIDENCE[6], ""),
        (EVIDENCE[1], ""),
        ("other", ""),
    ]
    assert sum(each.share for each in told) == pytest.approx(sum(shares))


def test_who_asks_how_many_or_where_is_told_that() -> None:
    """Of what is alike in all else the memory that tells a number, or a place, is found first by who asks for one."""
    said = ("The cousins arrived late", "The cousins arrived late, all seven", "The cousins arrived late in Porto")
    index = filled([(number, memory(number, text)) for number, text in enumerate(said)])
    plan = RecallPlan({"tells": 1.0})
    for query, first in (("How many cousins arrived?", 1), ("Where did the cousins arrive?", 2)):
        assert found(index, query, plan)[0].doc == first


async def test_a_hit_tells_no_words_of_its_neighbours(assistant: Assistant) -> None:
    """A message is found by what stands beside it in its session too, but only its own words are told of it."""
    session, _ = await assistant.sessions.create(ADA)
    for text in ("My cousin plays the violin.", "He practises every morning before work."):
        await assistant.memories.remember(ADA, MessageDraft(session.id, text))
    hits, _, _ = await assistant.memories.recall(ADA, "violin in the morning", Page())
    details = {hit.memory.text: share.detail for hit in hits for share in hit.evidence if share.name == "lexical"}
    assert details == {
        "My cousin plays the violin.": "violin",
        "He practises every morning before work.": "morning",
    }


async def test_the_same_question_leads_to_who_answered_it(assistant: Assistant) -> None:
    """What stands beside the same question, asked before, is found by it if somebody else spoke next."""
    session, _ = await assistant.sessions.create(ADA)
    question, answer = "Where does your cousin keep the violin?", "Up in the attic, near the window."
    for speaker, text in (("Ada", "The kettle is leaking again."), ("Ada", question), ("Bob", answer)):
        await assistant.memories.remember(ADA, MessageDraft(session.id, text, speaker=speaker))

    async def covering() -> dict[str, str]:
        hits, _ = await assistant.memories.recall_for(ADA, question, 10, "f" * 32)
        return {hit.memory.text: hit.memory.id for hit in hits if hit.coverage}

    found = await covering()
    assert answer in found
    await assistant.memories.forget(ADA, [found[answer]])
    assert await covering() == {}


async def test_a_time_beyond_all_clocks_is_now(bare: Assistant) -> None:
    """A memory of a time too late for the index is found, as fresh as one of now."""
    for text, sent_at in (("apple one", None), ("apple two", 1 << 63)):
        await bare.memories.remember(ADA, MemoryDraft(text, sent_at=sent_at))
    hits, _, _ = await bare.memories.recall(ADA, "apple", Page())
    assert [hit.memory.text for hit in hits] == ["apple one", "apple two"]
    assert [share.share for share in hits[0].evidence if share.name == "recency"] == [
        share.share for share in hits[1].evidence if share.name == "recency"
    ]
