"""What commands are measured with is not among what is learned from, and only what is labelled is counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from alejo_bench import commands, commands_fit
from alejo_bench.cli import Options
from alejo_bench.report import Row


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _value(rows: list[Row], case: str, metric: str) -> tuple[float, int]:
    return next((row.value, row.n) for row in rows if (row.case, row.metric) == (case, metric))


def test_no_text_is_measured_that_is_learned_from() -> None:
    """The parts that measure share no text with each other, nor with what is learned from."""
    parts: dict[str, Counter[str]] = {"learned": Counter(_plain(each.text) for each in commands_fit.learning())}
    for path in commands.OWN:
        for each in commands.utterances(path):
            if each.part != "open":
                parts.setdefault(each.part, Counter())[_plain(each.text)] += 1
    assert {part: len(texts) for part, texts in parts.items() if part != "learned"} == {"blind": 202, "blind-2": 254}
    shared = Counter(text for texts in parts.values() for text in texts)
    assert max(shared.values()) == 1
    assert all(max(texts.values()) == 1 for part, texts in parts.items() if part != "learned")


def test_arguments_that_are_not_labelled_are_not_counted(tmp_path: Path) -> None:
    """Of a text whose arguments are null only the command counts."""
    said = [
        {"text": "remember that my dog is called Luna", "command": "remember", "arguments": None},
        {"text": "forget my dog", "command": "forget", "arguments": {"query": "my cat"}},
    ]
    path = tmp_path / "said.jsonl"
    path.write_text("\n".join(json.dumps({**each, "language": "en"}) for each in said))
    rows = commands.run(Options(path, quick=True, peers=False))
    assert _value(rows, "all", "accuracy") == (1.0, 2)
    assert _value(rows, "all", "with_arguments") == (0.0, 1)
