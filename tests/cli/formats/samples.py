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


def write(folder: Path, name: str, content: Any) -> Path:
    """A file with a text or a JSON tree."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
