"""Reading what mem0 gives."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from alejo.cli.formats import read
from alejo.errors import InvalidArgument
from alejo.types import Layer

from .samples import MEM0, write


def test_memories_are_read(tmp_path: Path) -> None:
    """Each memory keeps its words, its time and its labels, under its own identity; what cannot be carried is told."""
    (found,) = read(write(tmp_path, "mem0.json", MEM0))
    first, second = found.memories
    assert (found.origin, found.messages) == ("", ())
    assert (first.text, first.layer, first.origin) == ("Likes green tea", Layer.SEMANTIC, "mem0:m-1")
    assert first.sent_at == 1_714_548_600_000_000
    assert first.metadata == {"source": "chat", "weight": "2", "categories": '["food"]', "run_id": "r1"}
    assert second.sent_at is None
    assert found.left_out == ("1 relations of the graph", "the expiry of 1 memories")


def test_other_shapes(tmp_path: Path) -> None:
    """A bare list, and an object with memories, are the same."""
    (whole,) = read(write(tmp_path, "mem0.json", MEM0))
    for tree in (MEM0["results"], {"memories": MEM0["results"]}):
        (found,) = read(write(tmp_path, "mem0.json", tree))
        assert found.memories == whole.memories


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"memory": None}, "memory 2: memory: is missing"),
        ({"id": ""}, "memory 2: id: is missing"),
        ({"metadata": "x"}, "memory 2: metadata: is not an object"),
        ({"created_at": "yesterday"}, "created_at: is 'yesterday', not a time"),
        ({"user_id": "ben"}, "the memories of 2 users"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """A file that is wrong is refused by memory and field."""
    tree = copy.deepcopy(MEM0)
    tree["results"][1] |= change
    with pytest.raises(InvalidArgument, match=said):
        read(write(tmp_path, "mem0.json", tree))
