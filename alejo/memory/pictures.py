"""What was seen becomes a memory: recall finds it by its words, and like pictures by its hash, a label of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from alejo.types import Image, Layer, MemoryDraft, Percept, Value

PERCEPT = "percept"  # the kind of such memories
HASH, PART = "perceptual_hash", "part"
NEAR = 10  # bits of 64 by which like pictures differ at most
_HASH = re.compile(r"[0-9a-f]{16}")
_WORD = re.compile(r"[^\W\d_]{3}")  # a line without one, a price or a number, says nothing by itself
_CHARACTERS = 1500


class PictureDraft(Value, frozen=True):
    """A picture to remember, once it was seen. It joins a session's messages where one is named."""

    image: Image
    percept: Percept | None = None
    session_id: str = ""
    sent_at: int | None = None
    origin: str = ""


def draft(percept: Percept, caption: str = "") -> MemoryDraft:
    """The memory of a picture; `caption` is what its sender calls it.

    Its text says how the picture looks, what it is called, what a model says of it, and what of its words tells most.
    """
    told = [percept.summary, *(f"{each.strip().rstrip('.')}." for each in (caption, percept.caption) if each.strip())]
    if words := telling(percept.text):
        told.append(f"It says: {words}")
    told += [f"{each.format}: {each.text}" for each in percept.barcodes]
    labels = {PART: str(percept.part)} | ({HASH: percept.perceptual_hash} if percept.perceptual_hash else {})
    text = " ".join(" ".join(told).split()) or "A picture."
    return MemoryDraft(text, Layer.EPISODIC, PERCEPT, importance=0.5, metadata=labels)


def telling(text: str) -> str:
    """The lines of a text that have words, each once, as far as 1,500 characters go."""
    lines = dict.fromkeys(line for line in text.splitlines() if _WORD.search(line))
    return " · ".join(lines)[:_CHARACTERS].rstrip(" ·")


def hash_of(kind: str, labels: Mapping[str, str]) -> int | None:
    """The perceptual hash of a memory's picture, if it has one."""
    told = labels.get(HASH, "") if kind == PERCEPT else ""
    return int(told, 16) if _HASH.fullmatch(told) else None


def distance(one: int, other: int) -> int:
    """In how many bits two hashes differ."""
    return (one ^ other).bit_count()
