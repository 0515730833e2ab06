"""Each format read from a file written by hand, and what is none refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from alejo_bench import corpora

from alejo.types import Role

LOCOMO: dict[str, Any] = {
    "sample_id": "conv-1",
    "conversation": {
        "speaker_a": "Nora",
        "speaker_b": "Emil",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Nora", "dia_id": "D1:1", "text": "I bought a kayak.", "blip_caption": "a red kayak"},
            {"speaker": "Emil", "dia_id": "D1:2", "text": "Where will you keep it?"},
        ],
        "session_2_date_time": "9:00 am on 1 June, 2023",
        "session_2": [{"speaker": "Nora", "dia_id": "D2:1", "text": "The kayak is in my uncle's barn."}],
        "session_3_date_time": "9:00 am on 2 June, 2023",
    },
    "qa": [
        {"question": "What did Nora buy?", "evidence": ["D1:1"], "category": 4, "answer": "a kayak"},
        {"question": "Where is the kayak?", "evidence": ["D:1:02; D2:1"], "category": 1},
        {"question": "Who built the barn?", "evidence": ["D9:9"], "category": 5},
        {"question": "What did Emil buy?", "evidence": ["D1:1", "D9:9"], "category": 5},
    ],
}
HAYSTACK: dict[str, Any] = {
    "question_id": "q-1",
    "question_type": "single-session-user",
    "question": "Which bread did I bake?",
    "question_date": "2023/05/30 (Tue) 23:40",
    "haystack_dates": ["2023/05/20 (Sat) 02:21", "2023/05/21 (Sun) 10:00"],
    "haystack_sessions": [
        [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello to you."}],
        [{"role": "user", "content": "I baked rye bread.", "has_answer": True}],
    ],
}


def write(folder: Path, tree: Any, name: str = "data.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(tree), "utf-8")
    return file


@pytest.mark.parametrize("tree", [LOCOMO, [LOCOMO]], ids=["one", "list"])
def test_locomo_is_read(tmp_path: Path, tree: Any) -> None:
    """Turns have their words, captions and dates; evidence is found in odd spellings, what is no turn dropped."""
    corpus = corpora.read(write(tmp_path, tree))
    (conversation,) = corpus.conversations
    assert (corpus.name, conversation.id) == ("locomo", "conv-1")
    assert [turn.line for turn in conversation.turns.values()] == [
        "Nora: I bought a kayak. [photo: a red kayak]",
        "Emil: Where will you keep it?",
        "Nora: The kayak is in my uncle's barn.",
    ]
    assert conversation.turns["D1:1"].sent_at == 1_683_554_160_000_000
    assert [sorted(each.gold) for each in conversation.questions] == [["D1:1"], ["D1:2", "D2:1"], ["D1:1"]]
    assert corpus.cases == ["1", "4", "5", "1-4", "all"]
    assert [each.cases for each in conversation.questions] == [("4", "1-4", "all"), ("1", "1-4", "all"), ("5", "all")]


def test_a_folder_holds_a_conversation_a_file(tmp_path: Path) -> None:
    """Files of a folder are read together; two of the same id are refused."""
    write(tmp_path, LOCOMO, "a.json")
    write(tmp_path, LOCOMO | {"sample_id": "conv-2"}, "b.json")
    assert [each.id for each in corpora.read(tmp_path).conversations] == ["conv-1", "conv-2"]
    write(tmp_path, LOCOMO, "c.json")
    with pytest.raises(click.ClickException, match="same id"):
        corpora.read(tmp_path)


def test_longmemeval_is_read(tmp_path: Path) -> None:
    """Each question is a user of its own with its haystack, roles and date; one that nothing answers is left out."""
    unanswerable = HAYSTACK | {"question_id": "q-2_abs", "haystack_sessions": [[], []]}
    corpus = corpora.read(write(tmp_path, [HAYSTACK, unanswerable]))
    (conversation,) = corpus.conversations
    assert corpus.name == "longmemeval"
    assert [turn.role for turn in conversation.turns.values()] == [Role.USER, Role.ASSISTANT, Role.USER]
    (question,) = conversation.questions
    assert question.gold == {"1:0"}
    assert question.cases == ("single-session-user", "all")
    assert question.asked == 1_685_490_000_000_000


def test_our_own_corpus_is_read() -> None:
    """What ships is of ten users and eight pairs of people in three languages, and every question its evidence."""
    corpus = corpora.read(None)
    assert corpus.name == "own"
    assert len(corpus.conversations) == 18
    assert {"de", "en", "es", "multi", "temporal"} <= set(corpus.cases)
    assert corpora.count(corpus.conversations) == "18 conversations, 3,697 turns, 643 questions"
    assert all(
        each.gold <= each_turns.keys()
        for one in corpus.conversations
        for each_turns in [one.turns]
        for each in one.questions
    )


@pytest.mark.parametrize(
    ("tree", "what"),
    [
        ({"conversation": {"speaker_a": "Nora"}, "qa": []}, "session_1"),
        ([{"question": "?"}], "none of the known formats"),
        ([HAYSTACK | {"question_date": "yesterday"}], "yesterday"),
        ([{key: value for key, value in HAYSTACK.items() if key != "question_type"}], "question_type"),
        (LOCOMO | {"qa": [{"question": "?"}]}, "category"),
        ([HAYSTACK | {"haystack_sessions": [[{"role": "boss", "content": ""}], []]}], "boss"),
        ([], "none of the known formats"),
        (7, "none of the known formats"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, tree: Any, what: str) -> None:
    """A file that is none of the formats is refused with its name and what is wrong with it."""
    with pytest.raises(click.ClickException, match=what) as refused:
        corpora.read(write(tmp_path, tree))
    assert "data.json" in refused.value.message
