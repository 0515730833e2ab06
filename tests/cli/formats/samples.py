"""Small conversations in each format, and how they go wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ALEJO = """\
{"type": "session", "id": "s1", "title": "A walk"}
{"type": "message", "session": "s1", "id": "m1", "text": "We saw a heron.", "speaker": "Ada",\
 "sent_at": "2024-05-01T09:30:00+02:00"}
{"type": "message", "session": "s1", "role": "assistant", "text": "Where?"}

{"type": "session", "id": "s2", "parent": "s1"}
{"type": "message", "session": "s2", "text": "At the mill."}
"""

LOCOMO: dict[str, Any] = {
    "sample_id": "own-1",
    "conversation": {
        "speaker_a": "Ada",
        "speaker_b": "Ben",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ada", "dia_id": "D1:1", "text": "I planted a pear tree."},
            {"speaker": "Ben", "dia_id": "D1:2", "text": "Look at mine!", "blip_caption": "a tree in a pot"},
        ],
        "session_2_date_time": "12:05 am on 9 June, 2023",
        "session_2": [],
        "session_10_date_time": "12:05 am on 10 June, 2023",
        "session_10": [{"speaker": "Ada", "dia_id": "D10:1", "text": "It has leaves now."}],
    },
}


def node(node_id: str, parent: str | None, role: str, parts: list[Any], **message: Any) -> dict[str, Any]:
    """A node of a ChatGPT conversation's tree."""
    content = {"content_type": "text", "parts": parts}
    return {"id": node_id, "parent": parent, "message": {"author": {"role": role}, "content": content, **message}}


CHATGPT: list[dict[str, Any]] = [
    {
        "conversation_id": "c1",
        "title": "Soup",
        "create_time": 1_700_000_000.5,
        "current_node": "n5",
        "mapping": {
            "root": {"id": "root", "parent": None, "message": None},
            "n1": node("n1", "root", "system", [""], create_time=None),
            "n2": node("n2", "n1", "user", ["The red pot burns my lentils."], create_time=1_700_000_001.25),
            "left": node("left", "n2", "assistant", ["An answer that was replaced."]),
            "n3": node("n3", "n2", "tool", ["hidden"], metadata={"is_visually_hidden_from_conversation": True}),
            "n4": node("n4", "n3", "assistant", ["Gently.", {"asset_pointer": "x"}, "With salt."], create_time=None),
            "n5": node("n5", "n4", "user", ["Thanks"], create_time=1_700_000_009),
        },
    },
    {"id": "empty", "title": None, "create_time": None, "mapping": {"r": {"parent": None, "message": None}}},
]


MEM0: dict[str, Any] = {
    "results": [
        {
            "id": "m-1",
            "memory": "Likes green tea",
            "hash": "0" * 32,
            "metadata": {"source": "chat", "weight": 2},
            "categories": ["food"],
            "created_at": "2024-05-01T09:30:00+02:00",
            "updated_at": None,
            "user_id": "ada",
            "run_id": "r1",
        },
        {
            "id": "m-2",
            "memory": "Lives in Brest",
            "user_id": "ada",
            "created_at": None,
            "expiration_date": "2030-01-01",
        },
    ],
    "relations": [{"source": "ada", "relationship": "lives_in", "target": "brest"}],
}


def letta(role: str, content: Any, second: int = 0, **more: Any) -> dict[str, Any]:
    """A message of an agent file."""
    moment = f"2025-10-31T22:56:{56 + second}.459100+00:00"
    return {"id": f"message-{second}", "role": role, "content": content, "created_at": moment, **more}


LETTA: dict[str, Any] = {
    "agents": [
        {
            "id": "agent-0",
            "name": "Sam",
            "system": "You are helpful.",
            "block_ids": ["block-0", "block-1"],
            "messages": [
                letta("system", [{"type": "text", "text": "You are helpful."}]),
                letta("user", [{"type": "text", "text": "I sail on Sundays."}]),
                letta("assistant", [{"type": "text", "text": "With whom?"}], 1),
                letta("tool", [{"type": "text", "text": "ok"}], 1),
                letta("user", '{"type": "user_message", "message": "Alone.", "time": "now"}', 2),
                letta("user", '{"type": "heartbeat", "reason": "tool"}', 2),
                letta(
                    "assistant",
                    "I shall praise.",
                    3,
                    tool_calls=[{"function": {"name": "send_message", "arguments": '{"message": "Brave."}'}}],
                ),
            ],
            "passages": [{"text": "The boat is red.", "created_at": "2025-10-31T22:56:56Z", "tags": ["boat"]}],
        }
    ],
    "blocks": [
        {"id": "block-0", "label": "human", "value": "\nFirst name: Chad\n"},
        {"id": "block-1", "label": "persona", "value": "I am Sam."},
    ],
    "tools": [{"id": "tool-0", "name": "send_message"}],
    "files": [],
}


def write(folder: Path, name: str, content: Any) -> Path:
    """A file with a text or a JSON tree."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
