"""What mem0's `get_all`, `search` and REST API give, saved as JSON: an object with `results`, or the list itself.

Each memory becomes a memory of the semantic layer, said when it was created; its metadata, categories, agent and run
become labels. One file is of one user. Scores, hashes and graph relations are left out.
"""

from __future__ import annotations

from typing import Any

from alejo.types import Layer, MemoryDraft

from .conversation import Conversation, iso, labels, wrong

_LABELS = ("agent_id", "app_id", "run_id", "actor_id", "role", "categories")


def fits(tree: Any) -> bool:
    """Whether the parsed file looks like this format."""
    items = _items(tree)
    return items is not None and bool(items) and isinstance(items[0], dict) and isinstance(items[0].get("memory"), str)


def parse(tree: Any, name: str) -> list[Conversation]:
    """The memories. Raises InvalidArgument naming the field, or if they are of several users."""
    items = _items(tree)
    if items is None:
        raise wrong(name, "results: is missing or not a list")
    memories = tuple(_memory(item, f"{name}, memory {index + 1}") for index, item in enumerate(items))
    users = sorted({str(item["user_id"]) for item in items if item.get("user_id")})
    if len(users) > 1:
        raise wrong(name, f"user_id: holds the memories of {len(users)} users; export one at a time")
    relations = tree.get("relations") if isinstance(tree, dict) else None
    left = [f"{len(relations)} relations of the graph"] if relations else []
    if expiring := sum(bool(item.get("expiration_date")) for item in items):
        left.append(f"the expiry of {expiring} memories")
    return [Conversation("", memories=memories, left_out=tuple(left))]


def _items(tree: Any) -> list[Any] | None:
    if isinstance(tree, dict):
        tree = tree.get("results", tree.get("memories"))
    return tree if isinstance(tree, list) else None


def _memory(item: Any, place: str) -> MemoryDraft:
    if not isinstance(item, dict):
        raise wrong(place, "is not an object")
    for field in ("id", "memory"):
        if not isinstance(item.get(field), str) or not item[field].strip():
            raise wrong(place, f"{field}: is missing or not a text")
    metadata = item.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise wrong(place, "metadata: is not an object")
    own = {key: item[key] for key in _LABELS if item.get(key)}
    return MemoryDraft(
        item["memory"],
        Layer.SEMANTIC,
        sent_at=iso(item.get("created_at"), f"{place}, created_at"),
        metadata=labels({**metadata, **own}),
        origin=f"mem0:{item['id']}"[:256],
    )
