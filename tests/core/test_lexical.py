"""The lexical index, as Python sees it."""

from __future__ import annotations

import itertools
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo._core import DamagedIndex, InvalidValue, LexicalIndex

WORDS = ["dog", "cat", "luna", "walk", "beach", "train", "lisbon", "violin", "mango", "rain"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


def filled(documents: dict[int, str], b: float = 0.0) -> LexicalIndex:
    """An index of these documents."""
    index = LexicalIndex([(1.0, b, True)])
    for number, text in documents.items():
        index.upsert(number, [text])
    return index


def search(index: LexicalIndex, query: str, limit: int = 0) -> list[tuple[int, float, float]]:
    """The documents by BM25 alone, as (number, score, coverage)."""
    hits = index.rank(query, limit, now=0, half_life=1, recency_weight=0, weights=[], min_coverage=0)
    return [(number, score, coverage) for number, score, _, _, coverage in hits]


def test_a_question_finds_what_answers_it() -> None:
    """The best document shares the rarest words, and the hit says how much of the question it covers."""
    index = filled({1: "My dog is called Luna.", 2: "My cat is called Tiger", 3: "It rained in Lisbon"})
    (best, score, coverage), (second, *_) = search(index, "What is my dog called?")
    assert (best, second) == (1, 2)
    assert score > 0
    assert coverage == 1.0
    assert [word for word, _ in index.explain([1], "What is my dog called?")[0]] == ["dog", "called"]


def test_a_word_nobody_wrote_lowers_the_coverage() -> None:
    """An unknown word counts as the rarest there can be, so a half-answered question is less than half covered."""
    index = filled({1: "My dog is called Luna.", 2: "rain"})
    ((_, _, coverage),) = search(index, "dog xylophone")
    assert 0 < coverage < 0.5
    assert search(index, "xylophone") == []


def test_fields_weigh_what_they_are_given() -> None:
    """The same words in a heavier field score higher, and fields add up."""
    index = LexicalIndex([(0.25, 0.0, True), (1.0, 0.0, True)])
    index.upsert(1, ["violin"])
    index.upsert(2, ["", "violin"])
    index.upsert(3, ["violin", "rain violin"])
    assert [number for number, *_ in search(index, "violin")] == [3, 2, 1]


def test_a_short_field_counts_more_where_length_does() -> None:
    """With b, the same word weighs more in a shorter text; without, the same."""
    texts = {1: "violin rain rain rain", 2: "violin"}
    assert [number for number, *_ in search(filled(texts, 0.75), "violin")] == [2, 1]
    assert len({score for _, score, _ in search(filled(texts), "violin")}) == 1


def test_neighbours_of_a_session_are_heard() -> None:
    """A word counts for those around it in its session, by offset, in the fields that are heard, and goes with it."""
    index = LexicalIndex([(1.0, 0.0, True), (1.0, 0.0, False)], window={-1: 0.5, 1: 0.25})
    said = [("rain", 1), ("violin", 1), ("mango", 1), ("train", 2), ("beach", None)]
    for number, (text, session) in enumerate(said):
        index.upsert(number, [text, f"speaker{number}"], time=number, session=session)
    assert [number for number, *_ in search(index, "violin")] == [1, 2, 0]
    assert [number for number, *_ in search(index, "speaker1")] == [1]
    assert [number for number, *_ in search(index, "train")] == [3]
    assert [word for word, _ in index.explain([2], "loud violin mango")[0]] == ["mango", "violin"]
    assert [word for word, _ in index.explain([2], "loud violin mango", own=True)[0]] == ["mango"]
    index.remove(1)
    assert search(index, "violin") == []
    assert [number for number, *_ in search(index, "rain")] == [0, 2]


def test_kind_and_age_weigh() -> None:
    """A kind multiplies both shares, recency is a part of the best match and halves with age, and None leaves out."""
    index = LexicalIndex()
    for number, kind, time in ((1, 0, 100), (2, 0, 90), (3, 1, 100), (4, 2, 100), (5, 9, 999)):
        index.upsert(number, ["dog"], kind, time)
    hits = index.rank("dog", 9, now=100, half_life=10, recency_weight=0.5, weights=[1, 0.2, None], min_coverage=0)
    best = search(index, "dog", 1)[0][1]
    assert [(number, lexical, recency) for number, _, lexical, recency, _ in hits] == [
        (1, best, best / 2),
        (5, best, best / 2),
        (2, best, best / 4),
        (3, best * 0.2, best / 2 * 0.2),
    ]
    assert all(score == lexical + recency for _, score, lexical, recency, _ in hits)


def test_what_covers_too_little_is_left_out() -> None:
    """Below the least coverage a document is not found."""
    index = filled({1: "dog dog dog", 2: "dog cat"})
    for coverage, numbers in ((0.0, [2, 1]), (0.9, [2]), (1.1, [])):
        hits = index.rank("dog cat", 9, now=0, half_life=1, recency_weight=0, weights=[], min_coverage=coverage)
        assert [number for number, *_ in hits] == numbers


@pytest.mark.parametrize(
    "wrong",
    [
        {"half_life": 0.0},
        {"half_life": float("nan")},
        {"recency_weight": float("inf")},
        {"weights": [1.0, -0.1]},
        {"weights": [float("nan")]},
        {"min_coverage": float("nan")},
    ],
)
def test_a_weighing_without_a_meaning_is_refused(wrong: dict[str, Any]) -> None:
    """A number that cannot be weighed by is a ValueError, even where nothing matches."""
    plain: dict[str, Any] = {"now": 0, "half_life": 1.0, "recency_weight": 0.0, "weights": [], "min_coverage": 0.0}
    with pytest.raises(InvalidValue):
        LexicalIndex().rank("dog", 1, **(plain | wrong))


def test_equals_come_by_number_and_a_limit_cuts() -> None:
    """Ties are broken by the smaller number, so pages are stable; limit 0 gives everything."""
    index = filled(dict.fromkeys((5, 3, 2**64 - 1, 0, 9), "rain"))
    assert [number for number, *_ in search(index, "rain")] == [0, 3, 5, 9, 2**64 - 1]
    assert [number for number, *_ in search(index, "rain", 2)] == [0, 3]


def test_a_change_is_visible_at_once() -> None:
    """A replaced text is no longer found, a removed document neither, and a second removal says so."""
    index = filled({1: "dog", 2: "dog"})
    index.upsert(1, ["cat"])
    assert [number for number, *_ in search(index, "dog")] == [2]
    assert index.remove(2)
    assert not index.remove(2)
    assert search(index, "dog") == []
    assert len(index) == 1


@given(st.lists(st.tuples(st.integers(0, 12), st.none() | TEXTS), max_size=30), st.sampled_from([0.0, 0.75]), TEXTS)
def test_an_index_is_its_last_documents(changes: list[tuple[int, str | None]], b: float, query: str) -> None:
    """However it came about, an index answers exactly as one built from what it holds."""
    index, documents = filled({}, b), dict[int, str]()
    for number, text in changes:
        if text is None:
            assert index.remove(number) == (documents.pop(number, None) is not None)
        else:
            index.upsert(number, [text])
            documents[number] = text
    index.validate()
    assert len(index) == len(documents)
    assert search(index, query) == search(filled(documents, b), query)
    assert {number for number, *_ in search(index, query)} == {
        number for number, text in documents.items() if set(text.split()) & set(query.split())
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"k1": -1.0},
        {"k1": float("nan")},
        {"fields": []},
        {"fields": [(1.0, 0.0, True)] * 9},
        {"fields": [(1.0, 1.5, True)]},
        {"fields": [(0.0, 0.0, True)]},
        {"fields": [(float("nan"), 0.0, True)]},
        {"window": {0: 0.5}},
        {"window": {5: 0.5}},
        {"window": {1: 1.5}},
        {"language": "xx"},
    ],
)
def test_parameters_without_a_meaning_are_refused(wrong: dict[str, Any]) -> None:
    """A wrong parameter is a ValueError when the index is made, not a wrong score later."""
    with pytest.raises(InvalidValue):
        LexicalIndex(**wrong)


def test_a_refused_document_changes_nothing() -> None:
    """A document of too many texts leaves the one it should replace in place."""
    index = filled({1: "dog"})
    with pytest.raises(InvalidValue, match="fields"):
        index.upsert(1, ["cat", "rain"])
    assert [number for number, *_ in search(index, "dog cat rain")] == [1]
    assert search(index, "cat") == []


def test_a_number_that_is_none_is_refused() -> None:
    """Document numbers are 0 to 2^64-1, kinds 0 to 2^32-1, times of 64 bits, and limits not negative."""
    index = LexicalIndex()
    for work in (
        lambda: index.upsert(-1, []),
        lambda: index.upsert(1, [], -1),
        lambda: index.upsert(1, [], 2**32),
        lambda: index.upsert(1, [], 0, 2**63),
        lambda: index.remove(2**64),
        lambda: search(index, "dog", -1),
    ):
        with pytest.raises(OverflowError):
            work()


def test_an_index_knows_its_size() -> None:
    """A document takes some bytes, far fewer in a large index, and gives most of them back."""
    index = filled({number: f"the {number % 97}th violin of {number % 89} on the train" for number in range(10_000)})
    assert 30 * 10_000 < index.nbytes < 200 * 10_000
    for number in range(10_000):
        index.remove(number)
    assert index.nbytes < 100 * 10_000


def test_many_threads_share_an_index() -> None:
    """Writers and readers leave the index of the last documents, and nobody waits for ever."""
    index = LexicalIndex()
    last = [dict[int, str]() for _ in range(3)]

    def write(mine: int) -> None:
        chance = random.Random(mine)
        for number in itertools.islice(itertools.cycle(range(mine, 90, 3)), 1500):
            if chance.random() < 0.3:
                index.remove(number)
                last[mine].pop(number, None)
            else:
                text = " ".join(chance.choices(WORDS, k=chance.choice([3, 6, 600])))
                index.upsert(number, [text])
                last[mine][number] = text

    def read() -> None:
        for _ in range(300):
            hits = search(index, "dog luna lisbon")
            assert len({number for number, *_ in hits}) == len(hits)
            index.validate()

    with ThreadPoolExecutor(5) as pool:
        works = [pool.submit(write, mine) for mine in range(3)] + [pool.submit(read) for _ in range(2)]
        for work in works:
            work.result(timeout=30)
    index.validate()
    documents = {number: text for part in last for number, text in part.items()}
    assert search(index, "dog luna lisbon") == search(filled(documents), "dog luna lisbon")


@pytest.fixture
def patient_interpreter() -> Iterator[None]:
    """No thread is made to give way, so another runs only when one lets it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)
    yield
    sys.setswitchinterval(before)


LONG = "violin " * 100_000


@pytest.mark.usefixtures("patient_interpreter")
@pytest.mark.parametrize(
    "work",
    [
        lambda index: search(index, LONG, 10),
        lambda index: index.explain([1], LONG),
        lambda index: index.upsert(1, [LONG]),
    ],
    ids=["rank", "explain", "upsert"],
)
def test_long_work_lets_other_threads_run(work: Callable[[LexicalIndex], object]) -> None:
    """While one thread is inside a long call, another gets the interpreter."""
    index, started, done = filled({1: "violin"}), threading.Event(), threading.Event()

    def call() -> None:
        started.set()
        work(index)
        done.set()

    thread = threading.Thread(target=call)
    thread.start()
    started.wait(10)
    turns = 0
    while not done.wait(0.001):
        turns += 1
    thread.join(10)
    assert turns > 0


def test_it_comes_back_as_it_was() -> None:
    """A dump gives the same index; one of other fields, cut or altered gives none."""
    index = filled({number: " ".join(WORDS[: number % 9]) for number in range(40)}, 0.75)
    index.remove(9)
    dumped = index.dump()
    loaded = LexicalIndex.load(dumped, [(1.0, 0.75, True)])
    loaded.validate()
    assert search(loaded, "walk luna rain") == search(index, "walk luna rain")
    for wrong in (b"", dumped[:-1], dumped[:40] + b"x" + dumped[41:]):
        with pytest.raises(DamagedIndex):
            LexicalIndex.load(wrong, [(1.0, 0.75, True)])
    with pytest.raises(DamagedIndex):
        LexicalIndex.load(dumped, [(1.0, 0.75, True), (1.0, 0.0, True)])
