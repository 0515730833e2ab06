"""The format of LoCoMo (Maharana et al., ACL 2024): two speakers, sessions with a date, photos as captions.

A file holds one sample, a list of samples, or a bare conversation. Dates carry no offset and are read as UTC.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from typing import Any

from alejo.types import MessageDraft

from .conversation import Conversation, wrong

_SESSION = re.compile(r"session_(\d+)")


def fits(tree: Any) -> bool:
    """Whether the parsed file looks like this format."""
    first = tree[0] if isinstance(tree, list) and tree else tree
    return isinstance(first, dict) and "speaker_a" in first.get("conversation", first)


def parse(tree: Any, name: str) -> list[Conversation]:
    """The sessions of every sample. Raises InvalidArgument naming the field."""
    samples = tree if isinstance(tree, list) else [tree]
    sessions: list[Conversation] = []
    for index, sample in enumerate(samples):
        place = f"{name}, sample {index + 1}" if isinstance(tree, list) else name
        conversation = sample.get("conversation", sample) if isinstance(sample, dict) else None
        if not isinstance(conversation, dict):
            raise wrong(place, "conversation: is not an object")
        identity = str(sample.get("sample_id") or _digest(conversation))
        numbers = sorted(int(found[1]) for key in conversation if (found := _SESSION.fullmatch(key)))
        if not numbers:
            raise wrong(place, "conversation: has no session_1")
        held = [number for number in numbers if conversation[f"session_{number}"]]
        sessions += [_session(conversation, number, f"locomo:{identity}", place) for number in held]
    return sessions


def _session(conversation: dict[str, Any], number: int, identity: str, place: str) -> Conversation:
    key = f"session_{number}"
    sent_at = _moment(conversation.get(f"{key}_date_time"), f"{place}, {key}_date_time")
    turns = conversation[key]
    if not isinstance(turns, list):
        raise wrong(f"{place}, {key}", "is not a list of turns")
    messages = [_message(turn, sent_at, identity, f"{place}, {key}[{index}]") for index, turn in enumerate(turns)]
    if len({message.origin for message in messages}) < len(messages):
        raise wrong(f"{place}, {key}", "dia_id: two turns have the same")
    speakers = f"{conversation.get('speaker_a')} and {conversation.get('speaker_b')}"
    return Conversation(
        f"{identity}:{key}",
        f"{speakers}, session {number}",
        metadata={"date": str(conversation[f"{key}_date_time"])},
        messages=tuple(messages),
    )


def _message(turn: Any, sent_at: int, identity: str, place: str) -> MessageDraft:
    if not isinstance(turn, dict):
        raise wrong(place, "is not an object")
    for field in ("dia_id", "speaker", "text"):
        if not isinstance(turn.get(field), str):
            raise wrong(place, f"{field}: is missing or not a text")
    text = turn["text"]
    if caption := turn.get("blip_caption"):
        text = f"{text} [photo: {caption}]".strip()
    metadata = {"dia_id": turn["dia_id"]}
    return MessageDraft(
        "",
        text,
        speaker=turn["speaker"],
        sent_at=sent_at,
        metadata=metadata,
        origin=f"{identity}:{turn['dia_id']}",
    )


def _moment(value: Any, place: str) -> int:
    try:
        moment = datetime.datetime.strptime(str(value), "%I:%M %p on %d %B, %Y").replace(tzinfo=datetime.UTC)
    except ValueError:
        raise wrong(place, f'is {value!r}, not like "1:56 pm on 8 May, 2023"') from None
    return int(moment.timestamp()) * 1_000_000


def _digest(conversation: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(conversation, sort_keys=True).encode()).hexdigest()[:32]
