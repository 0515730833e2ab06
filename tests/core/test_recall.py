"""Recall, as Python sees it; its evidence is held against a model in core_rs/tests/recall.rs."""

from __future__ import annotations

from typing import Any

import pytest

from alejo._core import EVIDENCE, DamagedIndex, InvalidValue, LexicalIndex, Recall, VectorScan
from alejo.embedding import shipped

TABLE = shipped()
PLAIN: dict[str, Any] = {"weights": {"lexical": 1.0, "dense": 1.0}, "now": 0, "half_life": 1.0}


def filled() -> tuple[Recall, LexicalIndex, VectorScan]:
    """A recall of three memories."""
    lexical, vectors = LexicalIndex(), VectorScan(TABLE.dimensions, exact=False)
    recall = Recall(lexical, vectors, TABLE)
    for number, text in enumerate(("my dog is ill", "the puppy is sick", "the train is late")):
        lexical.upsert(number, [text], number)
        vectors.upsert(number, TABLE.embed(text))
        recall.upsert(number, text, session=number + 1, message=number + 10, question=9 * (number > 0))
    return recall, lexical, vectors


def test_words_and_meaning_find_together() -> None:
    """What shares words comes first, what means the same next, and the shares say why."""
    recall, *_ = filled()
    recall.validate()
    hits = recall.rank("dog ill", 10, meaning=TABLE.embed("dog ill"), known="dog ill", min_similarity=0.3, **PLAIN)
    assert [doc for doc, *_ in hits] == [0, 1]
    shares = [dict(zip(EVIDENCE, each, strict=True)) for *_, each in hits]
    assert shares[0]["lexical"] > 0
    assert shares[1]["lexical"] == 0
    assert shares[1]["dense"] > 0.3


def test_what_a_filter_leaves_out_is_not_found() -> None:
    """By kind, session, number, message and question."""
    recall, *_ = filled()
    for narrow in ({"classes": [None]}, {"session": 2}, {"only": [1, 2]}, {"after": 1}):
        assert recall.rank("dog", 10, **narrow, **PLAIN) == []
    assert len(recall.rank("dog", 10, classes=[(0.5, -1.0)], session=1, only=[0], **PLAIN)) == 1
    assert [doc for doc, *_ in recall.rank("dog puppy train", 10, but=[10], **PLAIN)] == [1, 2]
    assert [doc for doc, *_ in recall.rank("dog puppy train", 10, but=[9], **PLAIN)] == [0]


def test_vectors_may_be_elsewhere() -> None:
    """Cosines in the place of a meaning find and weigh the same; what passes is told to whoever has the vectors."""
    recall, _, vectors = filled()
    meaning = TABLE.embed("dog ill")
    cosines = dict(vectors.search(meaning, 0))
    assert recall.rank("dog", 0, cosines=cosines, **PLAIN) == recall.rank("dog", 0, meaning=meaning, **PLAIN)
    assert recall.passing() == (b"\x07", b"")
    assert recall.passing(session=2, spans=[(0, 1)]) == (b"\x02", b"\x02")
    assert recall.passing(only=[0, 2], spans=[(9, 10)]) == (b"\x05", b"")
    with pytest.raises(InvalidValue):
        recall.passing(delay=0.0)


def test_it_comes_back_from_a_dump() -> None:
    """The same is found for the same reasons; other bytes are refused."""
    recall, lexical, vectors = filled()
    again = Recall.load(recall.dump(), lexical, vectors, TABLE)
    again.validate()
    assert len(again) == len(recall) == 3
    assert again.nbytes > 0
    assert again.rank("dog", 0, **PLAIN) == recall.rank("dog", 0, **PLAIN)
    with pytest.raises(DamagedIndex):
        Recall.load(lexical.dump(), lexical, vectors, TABLE)
    assert recall.remove(0)
    assert not recall.remove(0)
    with pytest.raises(DamagedIndex):
        recall.validate()


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": {"smell": 1.0}},
        {"weights": {"dense": 101.0}},
        {"half_life": 0.0},
        {"delay": float("nan")},
        {"min_coverage": float("nan")},
        {"classes": [(2.0, 0.0)]},
        {"meaning": b"1234"},
        {"cosines": {0: float("nan")}},
        {"cosines": {}, "meaning": TABLE.embed("dog")},
    ],
)
def test_what_has_no_meaning_is_refused(wrong: dict[str, Any]) -> None:
    """Unknown evidence, and numbers outside their range."""
    recall, *_ = filled()
    with pytest.raises(InvalidValue):
        recall.rank("dog", 1, **PLAIN | wrong)
    with pytest.raises(InvalidValue):
        recall.upsert(1, "x", importance=float("inf"))
