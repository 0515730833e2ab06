"""Importing: everything, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .formats.samples import ALEJO, CHATGPT, LETTA, LOCOMO, MEM0, write
from .home import Home


@pytest.mark.parametrize(
    ("content", "sessions", "messages", "question", "answer"),
    [
        (ALEJO, 2, 3, "Where was the heron? At the mill?", "mill"),
        (LOCOMO, 2, 3, "What did Ada plant?", "pear tree"),
        (CHATGPT, 1, 3, "Which pot burns lentils?", "red pot"),
    ],
    ids=["alejo", "locomo", "chatgpt"],
)
def test_a_second_import_adds_nothing(
    home: Home, content: Any, sessions: int, messages: int, question: str, answer: str
) -> None:
    """Everything arrives and can be asked for; the same file again, also after a restart, adds nothing."""
    path = str(write(home.folder, "file", content))
    first = home.run("import", path).stderr
    assert f"{sessions} sessions and {messages} messages added; 0 sessions and 0 messages" in first
    again = home.run("import", path).stderr
    assert f"0 sessions and 0 messages added; {sessions} sessions and {messages} messages" in again
    assert answer in home.run("chat", lines=f"{question}\n").stdout
    assert sum(one["messages"] for one in home.json("sessions", "list")) == messages + 2


@pytest.mark.parametrize(
    ("content", "memories", "left", "question", "answer"),
    [
        (MEM0, 2, "1 relations of the graph", "Who likes green tea?", "green tea"),
        (LETTA, 3, "1 tools", "What is red?", "boat is red"),
    ],
    ids=["mem0", "letta"],
)
def test_memories_of_elsewhere(home: Home, content: Any, memories: int, left: str, question: str, answer: str) -> None:
    """Memories arrive once and can be asked for, and what cannot be carried over is told."""
    path = str(write(home.folder, "file", content))
    first = home.run("import", path).stderr
    assert f"{memories} memories added, 0 were already there" in first
    assert f"not carried over: {left}" in first
    assert f"0 memories added, {memories} were already there" in home.run("import", path).stderr
    assert answer in home.run("chat", lines=f"{question}\n").stdout


def test_an_import_that_was_killed_goes_on(home: Home) -> None:
    """An import killed with its server half-way and run again has every message once."""
    lines = [json.dumps({"type": "session", "id": "s"})]
    lines += [json.dumps({"type": "message", "session": "s", "text": f"Fact number {n}."}) for n in range(3000)]
    path = str(write(home.folder, "file", "\n".join(lines)))
    server, _ = home.serve()
    running = home.start("import", path)
    while _messages(home) < 100:
        assert running.poll() is None, "it was over before it could be killed"
    running.kill()
    server.kill()
    running.wait()
    server.wait()
    told = home.run("import", path).stderr
    assert "0 sessions and" in told
    assert _messages(home) == 3000
    added, there = (int(told.split(" messages ")[part].rsplit(" ", 1)[1]) for part in (0, 1))
    assert added + there == 3000
    assert there >= 100


def _messages(home: Home) -> int:
    return sum(int(one["messages"]) for one in home.json("sessions", "list"))


def test_a_file_that_is_wrong_imports_nothing(home: Home) -> None:
    """An error in the last line leaves everything out and is one sentence that names the line."""
    path = write(home.folder, "own.jsonl", ALEJO + '{"type": "message", "session": "s1"}\n')
    told = home.run("import", str(path), code=65).stderr
    assert told.splitlines()[0] == "alejo: own.jsonl, line 7: Object missing required field `text`."
    assert home.json("sessions", "list") == []


def test_what_the_server_refuses_is_named(home: Home) -> None:
    """A message that is too long is refused by name; the others arrive; the exit code is 1."""
    long = json.dumps({"type": "message", "session": "s1", "id": "long", "text": "x" * 40_000})
    path = write(home.folder, "own.jsonl", ALEJO + long + "\n")
    told = home.run("import", str(path), code=1).stderr
    assert "3 messages added" in told
    assert "1 refused" in told
    assert "alejo:s1:long" in told


def test_imports_go_to_the_user_that_is_named(home: Home, tmp_path: Path) -> None:
    """One user's import is not another's, and the same file may be imported for both."""
    path = str(write(tmp_path, "file", LOCOMO))
    for user in ("ann", "bob"):
        assert "3 messages added" in home.run("import", path, "--user", user).stderr
    assert home.json("sessions", "list") == []
