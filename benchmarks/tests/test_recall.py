"""A tiny corpus goes the whole way: imported, asked about, counted, shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import numpy as np
import pytest
from alejo_bench import corpora, found, recall, recall_model, recall_ours
from alejo_bench.cli import Options

from alejo.embedding import shipped
from alejo.types import Evidence, Hit, Layer, Memory

from .test_corpora import HAYSTACK, LOCOMO, write


def test_a_conversation_is_imported_and_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every case and system has each metric with its interval; what is named in the question is found."""
    rows = recall.run(Options(write(tmp_path, LOCOMO), quick=False, peers=False, ablation=True))
    table = {(row.case, row.system, row.metric): row for row in rows}
    for case in ("1", "4", "1-4", "all"):
        for system in ("alejo", "alejo+lexical", "alejo-speaker", "bm25"):
            for metric in recall.METRICS:
                row = table[case, system, metric]
                assert 0 <= row.low <= row.value + 1e-9 <= row.high + 2e-9 <= 1 + 3e-9
    assert table["4", "alejo", "recall@5"].value == 1.0
    assert table["4", "alejo", "recall_at_500_tokens"].value == 1.0
    assert table["all", "alejo", "recall@10"].n == 3
    assert ("1-4", "alejo", "recall@10_over_bm25") in table
    assert ("1-4", "alejo-speaker", "recall@10_over_alejo") in table
    assert table["all", "alejo", "recall_p50_ms"].value > 0
    assert ("wordpiece", "alejo", "estimate_error") in table
    recall.show(rows)
    assert "R@500tok" in capsys.readouterr().out


def test_a_haystack_is_asked_about_on_its_day(tmp_path: Path) -> None:
    """A LongMemEval file runs, at the moment its question is asked."""
    rows = recall.run(Options(write(tmp_path, [HAYSTACK]), quick=False, peers=False))
    (value,) = [row.value for row in rows if (row.case, row.system, row.metric) == ("all", "alejo", "recall@5")]
    assert value == 1.0


class Table:
    """The table that ships, in the place of a transformer."""

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        return np.frombuffer(shipped().embed_many(list(texts)), "f4").reshape(len(texts), -1)


def test_a_model_finds_alone_and_within(tmp_path: Path) -> None:
    """A model's cosines rank all turns; in place of the table its vectors are all made before it is asked."""
    corpus = corpora.read(write(tmp_path, LOCOMO))
    model = recall_model.Model("table", Table())
    alone = recall_model.ask(corpus, model)
    assert [set(items) for _, _, items, _ in alone] == [{"D1:1", "D1:2", "D2:1"}] * 3
    turns = asyncio.run(recall_ours.fill(corpus, tmp_path))
    within = asyncio.run(recall_ours.ask(corpus, tmp_path, turns, None, model))
    assert within[0].items[0] == "D1:1"


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    """A folder that holds no model is an error that names it."""
    with pytest.raises(click.ClickException, match=str(tmp_path)):
        recall_model.read(tmp_path)


def test_what_a_hit_carries_along_counts_as_items() -> None:
    """A hit's own message comes first, then the messages of whatever else is in it; one without a message is "" ."""
    own, other = (Memory("m", Layer.EPISODIC, "note", "", 0, 0, message_id=each) for each in ("own", "other"))
    assert list(recall_ours.places(Hit(own, 1.0, 1.0, (Evidence("lexical", 1.0),)))) == ["own"]
    derived = msgspec.structs.replace(own, message_id="", sources=("first", "second"))
    assert list(recall_ours.places(Hit(derived, 1.0, 1.0))) == ["", "first", "second"]
    carrying = msgspec.structs.replace(
        Hit(own, 1.0, 1.0), evidence=(other, (msgspec.structs.replace(own, message_id=""),))
    )
    assert list(recall_ours.places(carrying)) == ["own", "other", ""]
    assert found.measures(list(recall_ours.places(carrying)), frozenset({"other"}))[5] == 0.5
