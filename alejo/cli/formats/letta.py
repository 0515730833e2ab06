"""What Letta writes of an agent: its agent file (.af), and lists of its API saved as JSON.

An agent file's messages become a session, its memory blocks pinned memories, the persona's procedural; passages of the
archive become memories. A list is of messages (with `message_type`) or of passages (with `text`). What is not between
user and assistant is left out and told: prompts, tools and their calls, reasoning, files. Identifiers in an agent file
are made anew with every export, so what makes an item the same is what it says, and when.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

from alejo.types import Layer, MemoryDraft, MessageDraft, Role

from .conversation import Conversation, iso, labels, wrong

_ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "user_message": Role.USER,
    "assistant_message": Role.ASSISTANT,
}
_LEFT = {"tools": "tools", "files": "files", "sources": "sources", "groups": "groups", "mcp_servers": "MCP servers"}
_SEND = "send_message"  # the tool by which older agents speak


def fits(tree: Any) -> bool:
    """Whether the parsed file looks like this format."""
    if isinstance(tree, list):
        first = tree[0] if tree else None
        return isinstance(first, dict) and ("message_type" in first or ("text" in first and "created_at" in first))
    return isinstance(tree, dict) and ("agents" in tree or "core_memory" in tree)


def parse(tree: Any, name: str) -> list[Conversation]:
    """A session for each agent, with its memories. Raises InvalidArgument naming the field."""
    if isinstance(tree, list):
        said = [item for item in tree if isinstance(item, dict) and "message_type" in item]
        agent = {"messages": said, "passages": [item for item in tree if item not in said]}
        return [_agent(agent, {}, name)]
    if not isinstance(tree, dict):
        raise wrong(name, "is not an object or a list")
    blocks = {item.get("id"): item for item in _list(tree, "blocks", name) if isinstance(item, dict)}
    agents = _list(tree, "agents", name) if "agents" in tree else [tree]
    if len(agents) == 1 and isinstance(agents[0], dict):
        kept = [*_list(agents[0], "passages", name), *([] if agents[0] is tree else _list(tree, "passages", name))]
        agents = [{**agents[0], "passages": kept}]
    found = [_agent(agent, blocks, f"{name}, agent {index + 1}") for index, agent in enumerate(agents)]
    left = tuple(
        f"{len(tree[key])} {what}" for key, what in _LEFT.items() if isinstance(tree.get(key), list) and tree[key]
    )
    return [*found, Conversation("", left_out=left)] if left else found


def _agent(agent: Any, blocks: dict[Any, Any], place: str) -> Conversation:
    if not isinstance(agent, dict):
        raise wrong(place, "is not an object")
    title = str(agent.get("name") or "Letta")[:256]
    left: Counter[str] = Counter()
    messages: dict[str, MessageDraft] = {}
    for index, item in enumerate(_list(agent, "messages", place)):
        draft = _message(item, title, f"{place}, message {index + 1}", left)
        if draft is not None:
            messages.setdefault(draft.origin, draft)
    own = [blocks[each] for each in _list(agent, "block_ids", place) if each in blocks]
    own += [*_list(agent, "memory_blocks", place), *_list(agent, "core_memory", place)]
    memories = [_block(item, f"{place}, block {index + 1}") for index, item in enumerate(own)]
    memories += [_passage(item, f"{place}, passage {i + 1}") for i, item in enumerate(_list(agent, "passages", place))]
    if agent.get("system"):
        left["system prompts"] += 1
    return Conversation(
        _origin("agent", title) if messages else "",
        title,
        messages=tuple(messages.values()),
        memories=tuple(memory for memory in memories if memory is not None),
        left_out=tuple(f"{count} {what}" for what, count in left.items()),
    )


def _message(item: Any, title: str, place: str, left: Counter[str]) -> MessageDraft | None:
    if not isinstance(item, dict):
        raise wrong(place, "is not an object")
    kind = item.get("message_type") or item.get("role")
    said = _said(item, place)
    role = _ROLES.get(str(kind))
    if role is None:
        left[f"messages that are {str(kind).removesuffix('_message').replace('_', ' ')}"] += 1
        return None
    if not said:
        left["messages without words, such as calls of tools"] += 1
        return None
    moment = iso(item.get("date") or item.get("created_at"), f"{place}, {'date' if 'date' in item else 'created_at'}")
    speaker = item.get("name") if role is Role.USER and isinstance(item.get("name"), str) else ""
    origin = _origin("message", title, role.name, str(moment), said)
    return MessageDraft("", said, role, str(speaker or "")[:128], sent_at=moment, origin=origin)


def _said(item: dict[str, Any], place: str) -> str:
    """The words of a message: its text, that of an older agent's call to speak, or what its envelope holds."""
    content = item.get("content", item.get("text"))
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "\n".join(part for part in parts if isinstance(part, str))
    if content is not None and not isinstance(content, str):
        raise wrong(place, "content: is not a text or a list of parts")
    spoken = [_spoken(call) for call in item.get("tool_calls") or () if isinstance(call, dict)]
    if any(spoken):  # what stands beside a call to speak are the agent's thoughts
        return "\n".join(filter(None, spoken))
    return _unpacked((content or "").strip())


def _spoken(call: dict[str, Any]) -> str:
    function = call.get("function")
    if not isinstance(function, dict) or function.get("name") != _SEND:
        return ""
    try:
        arguments = json.loads(str(function.get("arguments")))
    except (ValueError, RecursionError):
        return ""
    return str(arguments.get("message") or "").strip() if isinstance(arguments, dict) else ""


def _unpacked(text: str) -> str:
    """Older agents get a message as JSON, and heartbeats and alerts of the machine in the same way."""
    if not text.startswith("{"):
        return text
    try:
        packed = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(packed, dict) or not isinstance(packed.get("type"), str):
        return text
    return str(packed.get("message") or "").strip() if packed["type"] == "user_message" else ""


def _block(item: Any, place: str) -> MemoryDraft | None:
    if not isinstance(item, dict) or not isinstance(item.get("value"), str):
        raise wrong(place, "value: is missing or not a text")
    label, value = str(item.get("label") or ""), item["value"].strip()
    if not value:
        return None
    layer = Layer.PROCEDURAL if label == "persona" else Layer.SEMANTIC
    origin = _origin("block", label, value)
    return MemoryDraft(value, layer, pinned=True, metadata=labels({"letta_block": label}), origin=origin)


def _passage(item: Any, place: str) -> MemoryDraft | None:
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise wrong(place, "text: is missing or not a text")
    text, metadata = item["text"].strip(), item.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise wrong(place, "metadata: is not an object")
    if not text:
        return None
    moment = iso(item.get("created_at"), f"{place}, created_at")
    tags = {"letta_tags": item["tags"]} if item.get("tags") else {}
    origin = _origin("passage", str(moment), text)
    return MemoryDraft(text, Layer.SEMANTIC, sent_at=moment, metadata=labels({**metadata, **tags}), origin=origin)


def _list(item: dict[str, Any], field: str, place: str) -> list[Any]:
    found = item.get(field) or []
    if not isinstance(found, list):
        raise wrong(place, f"{field}: is not a list")
    return found


def _origin(kind: str, *parts: str) -> str:
    return f"letta:{kind}:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]}"
