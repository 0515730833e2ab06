"""`alejo learn`, `learning` and `feedback`: what was said elsewhere and how recall did, from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from alejo.cli.folder import PATTERN, claims
from alejo.cli.learn import Refused, read

from .home import Home

SAID = ("What is Python?", "A programming language.", "And Rust?", "Another one.")


def completed(folder: Path, number: int, *said: str, name: str = "", **fields: Any) -> Path:
    """A file of a session, as somebody would have written it a while ago."""
    messages = [
        {"role": "assistant" if place % 2 else "user", "content": text, "timestamp": f"2026-01-02T03:04:{place:02}"}
        for place, text in enumerate(said or SAID)
    ]
    path = folder / f"completed_session_{name or number:0>3}.json"
    told = {"session_id": f"s{number}", "start_time": 1767323000, "end_time": None, "messages": messages}
    path.write_text(json.dumps(told | fields))
    os.utime(path, (1e9, 1e9))
    return path


def stats(home: Home) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(home.run("learning", "stats", "--json").stdout)
    return told


def test_a_folder_is_learned_from(home: Home) -> None:
    """Every session is learned from once, whatever it is called; what is wrong is put aside with the reason."""
    inbox = home.folder / "inbox"
    inbox.mkdir()
    completed(inbox, 1)
    completed(inbox, 1, name="again")
    completed(inbox, 2, "Who was Ada?", "Ada Lovelace wrote ada@example.org.")
    completed(inbox, 3, messages=[{"role": "robot", "content": "Beep"}])
    (inbox / "notes.txt").write_text("not a session")
    home.run("learn", str(inbox), code=1)
    assert sorted(path.name for path in inbox.iterdir()) == ["failed", "notes.txt", "processed", "working"]
    assert len(list((inbox / "processed").iterdir())) == 3
    (reason,) = (inbox / "failed").glob("*.reason.txt")
    assert reason.read_text() == "messages[0].role: 'robot' is none of user, assistant, system, tool\n"
    told = stats(home)
    assert (told["said"]["sessions"], told["stages"]["pairs"]["made"]) == (2, 3)
    assert "2 sessions" in home.run("learning", "stats").stderr
    log = json.loads(home.run("learning", "log", "--json").stdout)
    assert len(log) == 2 * len(told["stages"])
    path = home.folder / "pairs.jsonl"
    home.run("learning", "export", "--format", "openai", "--without-personal-data", "-o", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line)["messages"][0]["content"] for line in path.read_text().splitlines()][:1] == [SAID[0]]
    assert "ada@example.org" not in path.read_text()
    home.run("learning", "export", "-o", str(path), code=73)


def test_feedback_and_weights_have_their_commands(home: Home) -> None:
    """A recalled memory is judged, and the weights that were promoted are listed and taken back."""
    home.run("chat", lines="My dog is called Luna.\nWhat is my dog called?\n")
    memories = json.loads(home.run("memories", "list", "--json").stdout)
    told = next(each["id"] for each in memories if each["text"] == "My dog is called Luna.")
    assert "--helpful" in home.run("feedback", told, code=2).stderr
    home.run("feedback", told, "--helpful")
    assert json.loads(home.run("learning", "weights", "list", "--json").stdout) == []
    assert "no weights of your own" in home.run("learning", "weights", "rollback").stderr
    assert "No shared weights" in home.run("learning", "weights", "rollback", "--shared").stderr


def watcher(home: Home, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "alejo", "learn", "--watch", str(folder)]
    return subprocess.Popen(command, env=home.environment, text=True, stderr=subprocess.PIPE)


def test_killed_watchers_learn_from_each_session_once(home: Home) -> None:
    """Two watchers of a folder, killed in the middle, and one after them: each session is learned from exactly once."""
    inbox = home.folder / "inbox"
    inbox.mkdir()
    for number in range(24):
        completed(inbox, number, f"What is the number after {number * 7}?", f"It is {number * 7 + 1}.")
    watchers = [watcher(home, inbox) for _ in range(2)]
    said = watchers[0].stderr
    assert said
    for line in said:
        if line.startswith("Watching"):
            break  # it begins
    for one in watchers:
        one.send_signal(signal.SIGKILL)
        one.communicate()
    home.run("learn", str(inbox))
    assert len(list((inbox / "processed").iterdir())) == 24
    assert not list((inbox / "working").iterdir())
    told = stats(home)
    assert told["said"]["sessions"] == told["stages"]["pairs"]["sessions"] == 24


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path


def test_a_file_has_one_owner(inbox: Path) -> None:
    """What one has claimed no other gets, until it is let go of; what its owner left behind is claimed again."""
    completed(inbox, 1)
    first = next(claims(inbox))
    assert list(claims(inbox)) == []
    first.release()
    again = next(claims(inbox))
    os.close(again._descriptor)  # as if its process had ended
    (orphan,) = claims(inbox)
    assert orphan.name == first.name
    orphan.processed()
    completed(inbox, 1)
    next(claims(inbox)).processed()
    assert len(list((inbox / "processed").iterdir())) == 2
    assert list(inbox.glob(PATTERN)) == []


def test_a_file_that_is_being_written_is_left(inbox: Path) -> None:
    """A file that was written to this very moment may not be whole; it is taken up later."""
    os.utime(completed(inbox, 1))
    assert list(claims(inbox)) == []


def test_what_was_just_written_is_waited_for(home: Home) -> None:
    """A folder that was filled this very moment is learned from all the same."""
    inbox = home.folder / "inbox"
    inbox.mkdir()
    now = time.time()
    for number in range(20):  # whenever the command looks, one is younger than a second
        written = now + number / 2
        os.utime(completed(inbox, number), (written, written))
    home.run("learn", str(inbox))
    assert len(list((inbox / "processed").iterdir())) == 20


@pytest.mark.parametrize(("data", "reason"), [
    (b"", "truncated"),
    (b"[]", "object"),
    (b'{"session_id": "s"}', "messages"),
    (b'{"session_id": " ", "messages": []}', "session_id is empty"),
    (b'{"session_id": "s", "messages": [{"role": "user"}]}', "content"),
    (b'\xff', "invalid"),
    (b"[" * 100_000, "array"),
])  # fmt: skip
def test_what_is_no_session_is_refused(data: bytes, reason: str) -> None:
    """Anything that is not such a file is refused with the reason."""
    with pytest.raises(Refused) as refused:
        read(data)
    assert reason in str(refused.value).lower()
