"""What reflection's quality is reckoned from: support by sources and budget, facts drawn, verdicts without words."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
import pytest
from alejo_bench import reflection_quality as quality
from alejo_bench.corpora import Conversation, Corpus, Question, Session, Turn

from alejo.types import Role

TURNS = tuple(
    Turn(f"D1:{number}", text, "Mia", Role.USER, number)
    for number, text in enumerate(("I moved to Porto in spring, into a small flat.", "I sold my old boat to Karl."), 1)
)
ASKED = (
    Question("Where does Mia live?", frozenset({"D1:1"}), ("1",), answer="Porto"),
    Question("Who bought the boat?", frozenset({"D1:1"}), ("1",), answer="Karl"),
)
CORPUS = Corpus("own", (Conversation("c1", (Session(TURNS),), ASKED),))
MADE = {
    "c1": [
        quality.Made("Mia moved to Porto.", ("D1:1",), 0.5, True),
        quality.Made("Mia sold the boat to Karl.", ("D1:2",), 0.9, True),
    ]
}


def test_support_asks_for_words_and_source() -> None:
    """An answer is supported where its words stand in what was made of a turn that answers, within the budget."""
    rows = {(row.case, row.metric): row.value for row in quality._support(CORPUS, MADE)}
    assert rows["1 whole", "answer_support"] == 0.5  # Karl's is made of another turn
    assert rows["1 at 5%", "answer_support"] == 0
    assert rows["all at 5%", "share"] == 0


def test_verdicts_hold_no_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged is kept by number; an unjudged fact counts as wrong, and a line without a verdict is refused."""
    monkeypatch.setattr(quality, "JUDGED", tmp_path / "kept.jsonl")
    drawn = quality._drawn(CORPUS, MADE)
    given = list(quality._judgeable(drawn))
    assert {each.fact for each in given} == {made.text for made in MADE["c1"]}
    file = tmp_path / "facts.jsonl"
    quality._write(file, given)
    with pytest.raises(click.ClickException, match="no verdict"):
        quality._keep(drawn, file)
    quality._write(file, [msgspec.structs.replace(given[0], verdict=True)])
    quality._keep(drawn, file)
    kept = (tmp_path / "kept.jsonl").read_text()
    assert not any(word in kept for word in ("Porto", "boat", "Karl", "Mia"))
    judged = {each.fact: each.verdict for each in quality._read(quality.JUDGED, quality.Verdict)}
    assert quality._precision(drawn, judged).value == 0.5
