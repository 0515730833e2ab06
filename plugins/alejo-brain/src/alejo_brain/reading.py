"""What a message is, read from its words alone: a question, a courtesy, or neither."""

from __future__ import annotations

import re

QUESTION_MARKS = ("?", "\uff1f", "\u061f", "\u2e2e", "\u037e")  # Latin, full-width, Arabic, reversed, Greek

_AUXILIARY = r"(?:is|are|was|were|am|do|does|did|can|could|will|would|shall|should|may|might|has|have|had)(?:n'?t)?"
_SUBJECT = (
    r"(?:i|you|he|she|it|we|they|my|your|his|her|our|their|the|there|this|that|these|those|any\w*|some\w*|[A-Z]\w+)"
)
_ASKING = re.compile(
    rf"^(?:(?:so|and|but|hey|ok|okay)[\s,]+)*(?:(?:what|who|whom|whose|which|where|when|why|how)\b"
    rf"(?:'s|'re|'d|(?:\s+\S+){{0,3}}?\s+{_AUXILIARY})\b|{_AUXILIARY}\s+{_SUBJECT}\b|(?:tell|show)\s+me\b)",
    re.IGNORECASE,
)
# "When I was young …", "What a day" and "How lovely!" begin like questions and are none.
_NOT_ASKING = re.compile(r"^(?:(?:when|where)\s+(?:i|we|my|our)\b|what\s+an?\b|how\s+\w+\s*!)", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[\u3002\uff01\uff1f])|\n+")

_SELF = re.compile(r"\b(?:i|my|me|we|our|us)\b", re.IGNORECASE)

_COURTESIES = (
    ("thanks", r"(?:many\s+)?(?:thanks|thank\s+you|thx|cheers|ty)\b.{0,24}"),
    ("bye", r"(?:good\s?bye|bye|see\s+you|good\s+night|farewell|take\s+care)\b.{0,16}"),
    (
        "hello",
        r"(?:hi|hello|hey|hiya|howdy|greetings|good\s+(?:morning|afternoon|evening|day))\b(?:\s+(?:there|alejo|again|everyone))*",
    ),
    (
        "yes",
        r"(?:ok|okay|yes|yeah|yep|no|nope|sure|right|alright|all\s+right|fine|great|cool|nice|wow|got\s+it|perfect|good)",
    ),
)
_COURTESY = re.compile(
    r"^\W*(?:" + "|".join(f"(?P<{name}>{body})" for name, body in _COURTESIES) + r")\W*$", re.IGNORECASE
)


def plain(text: str) -> str:
    """A text with one kind of apostrophe, of the same length."""
    return text.replace("\u2019", "'")


def tells(text: str) -> bool:
    """Whether a message that asks also says something of the one who asks."""
    return any(_SELF.search(part) and not asks(part) for part in _sentences(text))


def _sentences(text: str) -> list[str]:
    return [part for piece in _SENTENCE.split(plain(text)) if (part := piece.strip())]


def asks(text: str) -> bool:
    """Whether a message wants an answer: it ends in a question, with or without its mark."""
    parts = _sentences(text)
    if not parts:
        return False
    if any(part.rstrip(" \t\"')*\u201d").endswith(QUESTION_MARKS) for part in parts[-2:]):
        return True
    return _ASKING.match(parts[-1]) is not None and _NOT_ASKING.match(parts[-1]) is None


def courtesy(text: str) -> str:
    """Which courtesy a message is and nothing else: "thanks", "bye", "hello", "yes", or "" for none."""
    match = _COURTESY.match(text) if len(text) <= 60 else None
    return match.lastgroup or "" if match else ""
