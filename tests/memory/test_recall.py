"""The order of a recall: that of weighing every match, whatever the plan and the filter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alejo import Assistant
from alejo.memory.index import Index
from alejo.memory.recall import Candidate, rank
from alejo.types import EVERYTHING, Filter, Layer, Memory, MemoryDraft, Page, RecallPlan

from ..conftest import ADA

HALF_LIFE = 1 << 20  # µs; ages that are whole half-lives have one recency, whoever reckons it
NOW = 50 * HALF_LIFE
WORDS = st.lists(st.sampled_from(["apple", "pear", "plum", "fig"]), max_size=4).map(" ".join)
KINDS = st.sampled_from(["fact", "question", "remark"])

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
)
PLANS = st.builds(
    RecallPlan,
    recency_weight=st.sampled_from([0.0, 0.1, 1.0, -0.5]),
    recency_half_life=st.just(HALF_LIFE / 1e6),
    kind_weights=st.dictionaries(KINDS | st.just("unheard of"), st.sampled_from([0.0, 0.2, 1.0, 3.0])),
    min_coverage=st.sampled_from([0.0, 0.4]),
)


def weigh_all(index: Index, query: str, wanted: Filter, plan: RecallPlan, but: str) -> list[Candidate]:
    """Every match, weighed by itself."""
    matches = index.lexical.rank(query, 0, now=0, half_life=1, recency_weight=0, weights=[], min_coverage=0)
    found = []
    for doc, _, lexical, _, coverage in matches:
        entry = index.entries[doc]
        if coverage < plan.min_coverage or not entry.passes(wanted) or (but and entry.message_id == but):
            continue
        weight = plan.kind_weights.get(entry.kind, 1.0)
        fresh = plan.recency_weight * matches[0][1] * weight
        recency = fresh * 0.5 ** max(0, (NOW - entry.sent_at) // HALF_LIFE)
        found.append((doc, lexical * weight + recency, lexical * weight, recency, coverage))
    return sorted(found, key=lambda each: (-each[1], each[0]))


@given(
    st.lists(MEMORIES, max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.none() | MEMORIES), max_size=20),
    WORDS,
    FILTERS,
    PLANS,
    st.integers(0, 30),
    st.sampled_from(["", "m"]),
)
def test_the_best_are_those_of_weighing_all(
    memories: list[Memory],
    changes: list[tuple[int, Memory | None]],
    query: str,
    wanted: Filter,
    plan: RecallPlan,
    most: int,
    but: str,
) -> None:
    """After any history a recall gives the first of all that pass, in order, and says truly whether there are more."""
    index = Index()
    for number, memory in [*enumerate(memories), *changes]:
        if memory is None:
            index.remove(str(number))
        else:
            index.put(
                Memory(**{name: getattr(memory, name) for name in memory.__struct_fields__} | {"id": str(number)})
            )
    expected = weigh_all(index, query, wanted, plan, but)
    assert rank(index, query, wanted, plan, NOW, most=most, but=but) == (expected[:most], len(expected) > most)


def test_what_a_filter_refuses_starves_nobody() -> None:
    """However many better ones a filter refuses, the few it lets through are all found."""
    index = Index()
    for number in range(3000):
        speaker = "rare" if number % 1000 == 999 else "common"
        text = "apple" if speaker == "rare" else "apple apple"
        index.put(Memory(str(number), Layer.SEMANTIC, "fact", text, 0, 0, speaker, str(number), message_id=speaker))
    for wanted, but in ((Filter(speaker="rare"), ""), (EVERYTHING, "common")):
        found, more = rank(index, "apple", wanted, RecallPlan(), NOW, most=2, but=but)
        assert ([doc for doc, *_ in found], more) == ([999, 1999], True)
        found, more = rank(index, "apple", wanted, RecallPlan(), NOW, most=3, but=but)
        assert ([doc for doc, *_ in found], more) == ([999, 1999, 2999], False)


async def test_a_time_beyond_all_clocks_is_now(bare: Assistant) -> None:
    """A memory of a time too late for the index is found, as fresh as one of now."""
    for text, sent_at in (("apple one", None), ("apple two", 1 << 63)):
        await bare.memories.remember(ADA, MemoryDraft(text, sent_at=sent_at))
    hits, _, _ = await bare.memories.recall(ADA, "apple", Page())
    assert [hit.memory.text for hit in hits] == ["apple one", "apple two"]
    assert hits[0].score == hits[1].score
