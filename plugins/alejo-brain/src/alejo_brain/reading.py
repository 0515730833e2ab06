"""What a message asks for, read from its words alone: a command and its arguments, a question, a courtesy, or none."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

QUESTION_MARKS = ("?", "\uff1f", "\u061f", "\u2e2e", "\u037e")  # Latin, full-width, Arabic, reversed, Greek

# Politeness before a command.
_LEAD = re.compile(
    r"\W*(?:(?:hey|hi|hello|ok|okay|so|well|alejo|please|kindly|(?:can|could|would|will)\s+you|"
    r"i\s+want\s+you\s+to|i(?:'d|\s+would)\s+like\s+you\s+to)\b[\s,!:]*)*",
    re.IGNORECASE,
)
# With what a command begins; all others need not be looked at twice.
_BEGINS = re.compile(
    r"(?:help|whats?|how|tell|show|list|time|date|memories|recall|everything|all|do|don't|dont|search|look|remind|"
    r"remember|memori[sz]e|keep|make|note|forget|delete|erase|remove)\b",
    re.IGNORECASE,
)
# One class each, so that no run of blanks or marks is tried in more than one way: a message may have 32,768 characters.
_END = r"[\s.!?]*$"
_REST = r"(?P<rest>.+)$"
_MIND = r"(?:remember|memori[sz]e|keep\s+in\s+mind|don'?t\s+forget|do\s+not\s+forget)"
_KNOW = r"(?:remember|recall|know)"


def _pattern(body: str) -> re.Pattern[str]:
    return re.compile(body, re.IGNORECASE | re.DOTALL)


# The first that matches decides. A pattern without `rest` is a command without arguments.
_SPOKEN: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "help",
        _pattern(r"(?:help(?:\s+me)?|what\s+(?:can|do)\s+you\s+do|what\s+commands\b.*|how\s+do\s+you\s+work)" + _END),
    ),
    (
        "date",
        _pattern(
            r"(?:(?:tell\s+me\s+)?what(?:'?s|\s+is)?\s+(?:the\s+)?(?:current\s+)?(?:time|date|day)"
            r"(?:\s+(?:is\s+it|it\s+is|is\s+today))?(?:\s+(?:now|today))?|what(?:'?s|\s+is)\s+today(?:'?s\s+date)?|time|date)"
            + _END
        ),
    ),
    (
        "list",
        _pattern(
            r"(?:(?:list|show)(?:\s+me)?(?:\s+all)?(?:\s+of)?(?:\s+my|\s+your|\s+the)?\s+(?:memories|notes|memory)"
            r"|list(?:\s+everything)?|memories|(?:list|show\s+me|tell\s+me)\s+(?:everything|all|what)\s+you\s+"
            + _KNOW
            + r"(?:\s+about\s+me)?"
            r"|what\s+(?:do|can)\s+you\s+" + _KNOW + r"(?:\s+about\s+(?:me|myself|us))?)" + _END
        ),
    ),
    (
        "recall",
        _pattern(
            r"(?:recall\s+(?:what\s+you\s+" + _KNOW + r"\s+about\s+)?"
            r"|(?:tell\s+me\s+)?(?:what|everything|all)\s+(?:(?:do|can)\s+)?you\s+(?:still\s+)?"
            + _KNOW
            + r"\s+(?:about|of)\s+"
            r"|do\s+you\s+(?:still\s+)?(?:remember|recall)\s+|what\s+did\s+i\s+(?:say|tell\s+you)\s+about\s+"
            r"|(?:search|look)\s+(?:(?:in\s+)?(?:my|your)\s+memor(?:y|ies)\s+)?for\s+|remind\s+me\s+(?:about|of)\s+)"
            + _REST
        ),
    ),
    ("remember", _pattern(_MIND + r"\s*(?:,\s*)?(?:that\s+|this\s*[:,]\s*|:\s*)" + _REST)),
    (
        "remember",
        _pattern(_MIND + r"\s+(?!(?:when|how|what|who|where|why|the\s+time|me|it|this|that)\b)(?P<rest>[^?]+)$"),
    ),
    ("remember", _pattern(r"(?:make\s+a\s+)?note(?:\s+to\s+(?:self|myself|me))?(?:\s+that\s+|\s*:\s*)" + _REST)),
    ("forget", _pattern(r"forget(?:\s+(?:it|that|this|about\s+it))?" + _END)),
    (
        "forget",
        _pattern(
            r"(?:forget|(?:delete|erase|remove)\s+(?=(?:the\s+memor|what\s+you|what\s+i|everything\s+you)))\s*[:,]?\s*"
            r"(?:(?:the\s+(?:memory|fact)|what\s+i\s+(?:said|told\s+you)|(?:what|everything)\s+you\s+"
            + _KNOW
            + r"|everything)\s+)?"
            r"(?:that|about|of)?\b\s*" + _REST
        ),
    ),
)
_FIRST = re.compile(r"(?P<slash>/?)(?P<name>[A-Za-z][\w-]*)(?:\s(?P<rest>.*))?$", re.DOTALL)
_ALIASES = {"memories": "list", "note": "remember", "search": "recall", "time": "date"}
# "Weather was lovely" tells something of the weather; "weather Bonn" wants the command.
_TELLING = frozenset(
    {
        "is",
        "was",
        "are",
        "were",
        "has",
        "had",
        "have",
        "can",
        "will",
        "would",
        "and",
        "or",
        "of",
        "in",
        "on",
        "that",
        "makes",
    }
)

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


class Call(msgspec.Struct, frozen=True):
    """A command's name and the text after it."""

    name: str
    arguments: str


def plain(text: str) -> str:
    """A text with one kind of apostrophe, of the same length."""
    return text.replace("\u2019", "'")


def call(text: str, names: Iterable[str]) -> Call | None:
    """The command that a message speaks of, among the brain's own and the `names` that plugins offer, or None."""
    known = set(names)
    first = _FIRST.match(text.strip())
    if first is not None and first["slash"]:
        name = first["name"].lower()
        return Call(name if name in known else _ALIASES.get(name, name), (first["rest"] or "").strip())
    read = plain(text)
    lead = _LEAD.match(read)
    begin = lead.end() if lead else 0
    if _BEGINS.match(read, begin):
        for name, pattern in _SPOKEN:
            if match := pattern.match(read, begin):
                return Call(name, _argument(name, text, match))
    if first is not None and first["name"].lower() in known - OWN:
        rest = (first["rest"] or "").strip()
        if rest.split(" ", 1)[0].lower() not in _TELLING:
            return Call(first["name"].lower(), rest)
    return None


OWN = frozenset(name for name, _ in _SPOKEN)


def _argument(name: str, text: str, match: re.Match[str]) -> str:
    if "rest" not in match.re.groupindex:
        return ""
    start, end = match.span("rest")
    words = text[start:end].strip()
    # What is to be kept is kept to its last mark, if that is not of "Could you …?"; what is looked for is a phrase.
    return words.rstrip("?") if name == "remember" else words.rstrip(".!?").rstrip()


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
