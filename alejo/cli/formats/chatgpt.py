"""The conversations.json of a ChatGPT export: each conversation is a tree of messages.

The branch that was shown last is taken: from `current_node` up its parents. Text parts alone are kept; what was empty,
hidden or not text is left out. A message without a time gets that of the message before it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from alejo.types import MessageDraft, Role

from .conversation import Conversation, wrong

_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM, "tool": Role.TOOL}


def fits(tree: Any) -> bool:
    """Whether the parsed file looks like this format."""
    first = tree[0] if isinstance(tree, list) and tree else tree
    return isinstance(first, dict) and "mapping" in first


def parse(tree: Any, name: str) -> list[Conversation]:
    """The conversations that hold a message, oldest first as exported. Raises InvalidArgument naming the field."""
    conversations = tree if isinstance(tree, list) else [tree]
    found = [_conversation(item, f"{name}, conversation {index + 1}") for index, item in enumerate(conversations)]
    return [conversation for conversation in found if conversation.messages]


def _conversation(item: Any, place: str) -> Conversation:
    if not isinstance(item, dict) or not isinstance(item.get("mapping"), dict):
        raise wrong(place, "mapping: is missing or not an object")
    identity = str(item.get("conversation_id") or item.get("id") or _digest(item))
    origin = f"chatgpt:{identity}"
    moment = _moment(item.get("create_time"), f"{place}, create_time")
    messages = []
    for node_id, message in _branch(item, place):
        where = f"{place}, message {node_id}"
        moment = _moment(message.get("create_time"), f"{where}, create_time") or moment
        if text := _shown_text(message, where):
            role = _role(message, where)
            messages.append(MessageDraft("", text, role, sent_at=moment, origin=f"{origin}:{node_id}"))
    title = item.get("title")
    return Conversation(origin, title[:256] if isinstance(title, str) else "", messages=tuple(messages))


def _branch(item: dict[str, Any], place: str) -> list[tuple[str, dict[str, Any]]]:
    """The messages from the root to the current node."""
    mapping = item["mapping"]
    node_id = item.get("current_node") or _last_leaf(mapping)
    branch: list[tuple[str, dict[str, Any]]] = []
    seen: set[str] = set()
    while node_id:
        node = mapping.get(node_id)
        if not isinstance(node, dict):
            raise wrong(f"{place}, mapping", f"the node {node_id!r} is missing")
        if node_id in seen:
            raise wrong(f"{place}, mapping", f"the node {node_id!r} is its own ancestor")
        seen.add(node_id)
        if isinstance(node.get("message"), dict):
            branch.append((node_id, node["message"]))
        node_id = node.get("parent")
    return branch[::-1]


def _last_leaf(mapping: dict[str, Any]) -> str | None:
    leaves = [node_id for node_id, node in mapping.items() if isinstance(node, dict) and not node.get("children")]
    return leaves[-1] if leaves else None


def _shown_text(message: dict[str, Any], place: str) -> str:
    metadata = message.get("metadata") or {}
    content = message.get("content") or {}
    if not isinstance(content, dict) or not isinstance(metadata, dict):
        raise wrong(place, "content: is not an object")
    if metadata.get("is_visually_hidden_from_conversation"):
        return ""
    parts = content.get("parts") or []
    if not isinstance(parts, list):
        raise wrong(place, "content.parts: is not a list")
    return "\n".join(part for part in parts if isinstance(part, str) and part.strip()).strip()


def _role(message: dict[str, Any], place: str) -> Role:
    author = message.get("author")
    role = _ROLES.get(str(author.get("role"))) if isinstance(author, dict) else None
    if role is None:
        raise wrong(place, "author.role: is none of user, assistant, system, tool")
    return role


def _moment(value: Any, place: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not -6e10 < value < 2.5e11:
        raise wrong(place, "is not a number of seconds")
    return round(value * 1_000_000) or None


def _digest(item: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:32]
