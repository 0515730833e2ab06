"""What keeps vectors, by its contract: the scan of the core and FAISS alike; and recall over either."""

from __future__ import annotations

import asyncio
import sys
from array import array
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alejo
from alejo._core import DamagedIndex, InvalidValue
from alejo.clock import FakeClock
from alejo.errors import InvalidArgument, StartupError
from alejo.memory import faiss, vectors
from alejo.memory import index as memory_index
from alejo.memory.vectors import KINDS, VectorIndex, empty, load
from alejo.settings import Settings, read
from alejo.types import Filter, Kept, MemoryDraft, Page

from ..conftest import ADA

DIMENSIONS = 24
OFF = {"scan": 0.02, "faiss": 1e-5}  # cosines by codes of a byte, and by whole numbers


def rows(count: int, dimensions: int = DIMENSIONS, seed: int = 3) -> list[bytes]:
    """Random directions of length 1, the same ones every time."""
    made = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return [row.tobytes() for row in made / np.linalg.norm(made, axis=1, keepdims=True)]


def cosine(one: bytes, other: bytes) -> float:
    return float(np.frombuffer(one, np.float32) @ np.frombuffer(other, np.float32))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind there is."""
    return str(request.param)


STEPS = st.lists(st.tuples(st.integers(0, 11), st.integers(-8, 15)), max_size=60)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, of=st.sampled_from(KINDS), limit=st.integers(0, 14))
def test_it_holds_what_a_dictionary_would(steps: list[tuple[int, int]], of: str, limit: int) -> None:
    """After any changes, and out of a dump, the best are those of multiplying all there are."""
    some = rows(16)
    index, model = empty(of, DIMENSIONS), dict[int, bytes]()
    for number, which in steps:
        if which < 0:
            assert index.remove(number) == (model.pop(number, None) is not None)
        else:
            index.upsert(number, some[which])
            model[number] = some[which]
    for each in (index, load(of, index.dump())):
        each.validate()
        assert len(each) == len(model)
        found = each.search(some[0], limit)
        scores = {number: cosine(some[0], row) for number, row in model.items()}
        best = sorted(scores.values(), reverse=True)[: limit or None]
        assert [score for _, score in found] == pytest.approx(best, abs=OFF[of])
        assert all(score == pytest.approx(scores[number], abs=OFF[of]) for number, score in found)
        assert found == sorted(found, key=lambda hit: (-hit[1], hit[0]))
        if vectors.outside(each):
            bits = 0b101011010101
            among = each.among(some[0], limit, bits.to_bytes(2, "little"))
            passing = [number for number in model if bits >> number & 1]
            assert len(among) == min(limit or 16, len(passing))
            assert {number for number, _ in among} <= set(passing)
            assert dict(each.cosines(some[0], [*range(20)])) == pytest.approx(scores, abs=OFF[of])


def test_what_is_no_vector_is_refused(kind: str) -> None:
    """Other dimensions, numbers that are none or too large, and buffers of other types; nothing is changed."""
    index = empty(kind, 2)
    index.upsert(1, array("f", [3, 4]))
    wrong = [b"", b"abc", b"abcd", array("f", [1, 2, 3]), array("f", [float("nan"), 0]), array("f", [1e30, 0])]
    for each in wrong:
        with pytest.raises(InvalidValue):
            index.upsert(1, each)
        with pytest.raises(InvalidValue):
            index.search(each, 1)
    with pytest.raises(TypeError):
        index.upsert(1, array("d", [1, 2]))
    for dimensions in (0, 8193):
        with pytest.raises(InvalidValue):
            empty(kind, dimensions)
    assert index.search(array("f", [1, 1]), 5) == [(1, pytest.approx(7.0, rel=0.01))]


def test_what_is_no_dump_is_refused(kind: str) -> None:
    """What is cut, of another kind or nothing at all gives no index."""
    index = empty(kind, DIMENSIONS)
    for number, row in enumerate(rows(9)):
        index.upsert(number, row)
    dumped = index.dump()
    other = empty("faiss" if kind == "scan" else "scan", DIMENSIONS).dump()
    for wrong in (b"", dumped[:20], dumped[:-1], other):
        with pytest.raises(DamagedIndex):
            load(kind, wrong)


def test_many_threads_search_while_one_changes_it(kind: str) -> None:
    """Searches see whole vectors while others come, go and are compacted."""
    some = rows(600)
    index: VectorIndex = empty(kind, DIMENSIONS)
    for number, row in enumerate(some[:500]):
        index.upsert(number, row)

    def look(thread: int) -> None:
        for number in range(thread, 400, 4):
            assert index.search(some[number], 1)[0] == (number, pytest.approx(1.0, abs=OFF[kind]))

    with ThreadPoolExecutor(4) as pool:
        looking = [pool.submit(look, thread) for thread in range(4)]
        for number in range(500, 600):
            index.upsert(number, some[number])
            index.remove(number - 100)
            if vectors.outside(index):
                index.compact()
        for each in looking:
            each.result()
    assert len(index) == 500
    index.validate()


def test_gaps_and_growth_are_seen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of gaps is too much; beyond so many vectors a byte a number is kept, found by nearly as well."""
    some = rows(5000, 32)
    index = faiss.FaissVectors(32)
    for number, row in enumerate(some):
        index.upsert(number, row)
    for number in range(500):
        index.remove(number)
    assert not index.wasteful
    index.remove(500)
    assert index.wasteful
    before, size = index.search(some[700], 20), index.nbytes
    index.compact()
    assert not index.wasteful
    assert index.search(some[700], 20) == before
    assert index.nbytes < size
    monkeypatch.setattr(faiss, "LARGE", 2000)
    assert index.wasteful
    index.compact()
    coded = index.search(some[700], 20)
    assert [score for _, score in coded] == pytest.approx([score for _, score in before], abs=0.01)
    assert index.nbytes < size / 1.5
    for number in range(501, 1200):
        index.remove(number)
    assert some[700] not in index.dump()
    index.compact()
    assert index.search(some[2000], 20) == load("faiss", index.dump()).search(some[2000], 20)
    index.validate()


@pytest.fixture
def without_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python in which FAISS cannot be imported."""
    monkeypatch.delitem(sys.modules, "alejo.memory.faiss")
    monkeypatch.delattr(alejo.memory, "faiss")
    monkeypatch.setitem(sys.modules, "faiss", None)


def kept_in(environment: dict[str, str], kind: str) -> Settings:
    """Settings by which vectors are kept so."""
    free = {"server.address": "127.0.0.1:0", "data.map_size_mb": 16, "memory.vector_index": kind}
    return read(environment, free)


@pytest.mark.usefixtures("without_faiss")
async def test_it_says_what_is_missing(environment: dict[str, str]) -> None:
    """Without FAISS the start fails with the command that installs it, and for an unknown kind with those there are."""
    for kind, said in (("faiss", "not installed"), ("annoy", "scan or faiss")):
        with pytest.raises(StartupError, match=said) as refused:
            async with alejo.open(settings=kept_in(environment, kind), entry_points=[]):
                pass
        assert refused.value.exit_code == 78


SAID = [
    f"{who} {what} the {thing}"
    for who in ("Ada", "the puppy", "my sister", "a train")
    for what in ("likes", "lost", "painted", "repaired", "was late for")
    for thing in ("violin", "railway", "storm", "garden")
]
ASKED = ("who mended a fiddle?", "the dog and thunder", "train", "what is missing", "flowers")
NARROW = (Filter(), Filter(kinds=("b",)), Filter(metadata={"n": "7"}), Filter(sent_after=1_030_000_000, kinds=("a",)))


async def found(assistant: alejo.Assistant) -> list[list[tuple[str, float]]]:
    """What each question finds through each filter, with the scores."""
    return [
        [(hit.memory.text, hit.score) for hit in (await assistant.memories.recall(ADA, query, Page(30), wanted))[0]]
        for query in ASKED
        for wanted in NARROW
    ]


async def test_recall_is_the_same_over_either(environment: dict[str, str], clock: FakeClock) -> None:
    """What is found is the same for nearly the same score, also over vectors made anew after the setting changed."""
    async with alejo.open(settings=kept_in(environment, "scan"), clock=clock) as assistant:
        drafts = [
            MemoryDraft(text, kind="ab"[at % 2], sent_at=10**9 + at * 10**6, metadata={"n": str(at % 9)})
            for at, text in enumerate(SAID * 8)
        ]
        await assistant.memories.remember_many(ADA, [("", draft) for draft in drafts])
        scanned = await found(assistant)
    for restarted in range(2):
        async with alejo.open(settings=kept_in(environment, "faiss"), clock=clock) as assistant:
            index = await assistant.indexes.get(ADA)
            assert restarted or len(index.pending) >= len(drafts)
            while index.pending:
                await asyncio.sleep(0)
                index = await assistant.indexes.get(ADA)
            assert vectors.outside(index.vectors)
            index.vectors.validate()
            for one, other in zip(scanned, await found(assistant), strict=True):
                assert [score for _, score in other] == pytest.approx([score for _, score in one], abs=0.05)
                assert len({text for text, _ in one} ^ {text for text, _ in other}) <= len(one) // 5


async def test_a_long_search_is_off_the_loop(
    environment: dict[str, str], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a search is long it finds the same in a thread, while memories come and go."""
    async with alejo.open(settings=kept_in(environment, "faiss"), clock=clock) as assistant:
        made = await assistant.memories.remember_many(ADA, [("", MemoryDraft(text)) for text in SAID])
        before = await found(assistant)
        monkeypatch.setattr(memory_index, "_LONG", 0)
        await assistant.cache.forget(ADA)
        assert await found(assistant) == before

        async def change() -> None:
            for kept in made[:30]:
                assert isinstance(kept, Kept)
                await assistant.memories.forget(ADA, [kept.memories[0].id])

        await asyncio.gather(change(), *(found(assistant) for _ in range(3)))
        hits, _, _ = await assistant.memories.recall(ADA, SAID[0], Page(50))
        assert hits
        assert not {hit.memory.text for hit in hits} & set(SAID[:30])


async def test_nothing_is_no_memory(bare: alejo.Assistant) -> None:
    """A text of nothing is refused by its field; nothing is kept of it."""
    for nothing in ("", " \n"):
        with pytest.raises(InvalidArgument, match="text"):
            await bare.memories.remember(ADA, MemoryDraft(nothing))
    assert not (await bare.indexes.get(ADA)).ids
