"""Our own JSON lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from alejo.cli.formats import read
from alejo.errors import InvalidArgument
from alejo.types import Role

from .samples import ALEJO, write


def test_sessions_and_messages_are_read(tmp_path: Path) -> None:
    """Sessions keep title and parent; messages keep speaker, role and their time in UTC."""
    walk, mill = read(write(tmp_path, "own.jsonl", ALEJO))
    assert (walk.title, walk.parent, mill.parent) == ("A walk", "", walk.origin)
    first, second = walk.messages
    assert (first.text, first.speaker, first.role) == ("We saw a heron.", "Ada", Role.USER)
    assert first.sent_at == 1_714_548_600_000_000
    assert (second.role, second.sent_at) == (Role.ASSISTANT, None)


def test_origins_are_the_same_every_time_and_apart(tmp_path: Path) -> None:
    """Reading twice gives the same origins; no two items share one, even when ids hold the separator or are long."""
    tricky = ALEJO.replace('"s2"', '"s1:m1"').replace('"m1", "text"', f'"{"x" * 300}", "text"')
    again = [read(write(tmp_path, "own.jsonl", tricky)) for _ in range(2)]
    assert again[0] == again[1]
    origins = [one.origin for one in again[0]] + [draft.origin for one in again[0] for draft in one.messages]
    assert len(set(origins)) == len(origins) == 5
    assert all(len(origin) <= 256 for origin in origins)


def test_an_appended_file_keeps_what_it_had(tmp_path: Path) -> None:
    """Messages without an id keep their origin when more are written behind them."""
    before = read(write(tmp_path, "own.jsonl", ALEJO))
    after = read(write(tmp_path, "own.jsonl", ALEJO + '{"type": "message", "session": "s2", "text": "At the mill."}\n'))
    assert after[1].messages[0] == before[1].messages[0]
    assert after[1].messages[1].origin != after[1].messages[0].origin


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{nonsense", "line 7: "),
        ('{"type": "picture"}', "line 7: Invalid value 'picture' - at `$.type`"),
        ('{"type": "session"}', "line 7: Object missing required field `id`"),
        ('{"type": "session", "id": "s1"}', "line 7: id: the session 's1' is there already"),
        ('{"type": "session", "id": ""}', "line 7: id: is empty"),
        ('{"type": "session", "id": "s3", "parent": "s9"}', "line 7: parent: no session 's9'"),
        ('{"type": "session", "id": "s3", "titel": "x"}', "line 7: Object contains unknown field `titel`"),
        ('{"type": "message", "session": "s9", "text": "x"}', "line 7: session: no session 's9'"),
        ('{"type": "message", "session": "s1", "id": "m1", "text": "x"}', "line 7: id: the message 'm1'"),
        ('{"type": "message", "session": "s1", "text": 3}', "line 7: Expected `str`, got `int` - at `$.text`"),
        ('{"type": "message", "session": "s1", "text": "x", "sent_at": "May"}', "line 7: Invalid RFC3339"),
        ('{"type": "message", "session": "s1", "text": "x", "role": "king"}', "line 7: Invalid enum value 'king'"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    """A line that is wrong refuses the whole file and is named with its field."""
    with pytest.raises(InvalidArgument) as caught:
        read(write(tmp_path, "own.jsonl", ALEJO + line + "\n"))
    assert caught.value.message.startswith("own.jsonl, ")
    assert complaint in caught.value.message
