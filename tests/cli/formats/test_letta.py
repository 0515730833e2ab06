"""Reading what Letta writes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from alejo.cli.formats import read
from alejo.errors import InvalidArgument
from alejo.types import Layer, Role

from .samples import LETTA, write


def test_an_agent_is_read(tmp_path: Path) -> None:
    """What user and agent said becomes a session, its blocks pinned memories; the rest is told."""
    agent, rest = read(write(tmp_path, "agent.af", LETTA))
    assert agent.title == "Sam"
    assert [(each.role, each.text) for each in agent.messages] == [
        (Role.USER, "I sail on Sundays."),
        (Role.ASSISTANT, "With whom?"),
        (Role.USER, "Alone."),
        (Role.ASSISTANT, "Brave."),
    ]
    assert agent.messages[0].sent_at == 1_761_951_416_459_100
    human, persona, passage = agent.memories
    assert (human.text, human.layer, human.pinned) == ("First name: Chad", Layer.SEMANTIC, True)
    assert (persona.layer, persona.metadata) == (Layer.PROCEDURAL, {"letta_block": "persona"})
    assert (passage.text, passage.pinned, passage.metadata) == ("The boat is red.", False, {"letta_tags": '["boat"]'})
    assert set(agent.left_out) == {
        "1 messages that are system",
        "1 messages that are tool",
        "1 messages without words, such as calls of tools",
        "1 system prompts",
    }
    assert rest.left_out == ("1 tools",)


def test_the_same_agent_exported_again(tmp_path: Path) -> None:
    """Identifiers of the file do not count: what was said is the same item, however it is numbered."""
    again = copy.deepcopy(LETTA)
    for number, message in enumerate(again["agents"][0]["messages"]):
        message["id"] = f"message-{number + 40}"
    before, after = (read(write(tmp_path, "agent.af", tree))[0] for tree in (LETTA, again))
    assert before == after


def test_lists(tmp_path: Path) -> None:
    """Lists of messages and of passages, as the API gives them, are read alone too."""
    messages = [
        {"id": "m1", "date": "2025-10-31T22:56:56+00:00", "message_type": "user_message", "content": "Hello"},
        {"id": "m2", "date": "2025-10-31T22:56:57+00:00", "message_type": "reasoning_message", "reasoning": "Hm"},
        {"id": "m3", "date": "2025-10-31T22:56:58+00:00", "message_type": "assistant_message", "content": "Hi"},
    ]
    (found,) = read(write(tmp_path, "messages.json", messages))
    assert [each.text for each in found.messages] == ["Hello", "Hi"]
    assert found.left_out == ("1 messages that are reasoning",)
    passages = [{"id": "p1", "text": "The boat is red.", "created_at": "2025-10-31T22:56:56Z", "metadata": {"a": 1}}]
    (found,) = read(write(tmp_path, "passages.json", passages))
    assert (found.origin, [each.text for each in found.memories]) == ("", ["The boat is red."])


def test_an_older_agent_file(tmp_path: Path) -> None:
    """The first form of the format, an agent by itself with its core memory, is read."""
    agent = {key: each for key, each in LETTA["agents"][0].items() if key not in {"block_ids", "passages"}}
    (found,) = read(write(tmp_path, "old.af", agent | {"core_memory": LETTA["blocks"]}))
    assert len(found.messages) == 4
    assert [each.text for each in found.memories] == ["First name: Chad", "I am Sam."]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("agents",), {}, "agents: is not a list"),
        (("agents", 0), 3, "agent 1: is not an object"),
        (("agents", 0, "messages", 0, "content"), 3, "message 1: content: is not a text"),
        (("agents", 0, "messages", 1, "created_at"), "soon", "created_at: is 'soon'"),
        (("blocks", 0, "value"), None, "block 1: value: is missing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, path: tuple[Any, ...], value: Any, said: str) -> None:
    """A file that is wrong is refused by its place and field."""
    tree: Any = copy.deepcopy(LETTA)
    place = tree
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    if value == {}:
        place[path[-1]] = {"a": 1}
    with pytest.raises(InvalidArgument, match=said):
        read(write(tmp_path, "agent.af", tree))
