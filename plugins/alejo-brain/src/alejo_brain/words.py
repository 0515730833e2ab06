"""The words that carry a question's meaning, and how many of them a memory has."""

from __future__ import annotations

import re

from .kept import kept
from .tongues import spoken

_WORD = re.compile(r"[^\W_]+")
_STOP = (
    "a an the and or but if of to in on at by for from with about into as than then so too very just also i me my "
    "mine myself you your yours we us our he him his she her hers it its they them their this that these those "
    "there here am is are was were be been being do does did done doing have has had having can could will would "
    "shall should may might must what who whom whose which where when why how not no nor only own same such some "
    "any all each every both more most other s t m re ve d ll don doesn didn isn aren wasn weren hasn haven hadn "
    "won wouldn couldn shouldn tell show know remember recall say said told ever again please still"
)
# Words that ask for something of a thing and are not the thing: a memory that shares only these is about another.
_GENERIC = (
    "name call like live kind type sort thing stuff way time day year month week date hour age old long much many "
    "often far big go went get got make made take took use want need think feel look see come happen people "
    "person one favourite favorite mean start work plan new last first current recent"
)
_ENDINGS = ("ing", "ed", "es", "s", "e")


def stem(word: str) -> str:
    """A word without the commonest English endings, so that "moved" meets "moving"."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


_STOPPED = frozenset(_STOP.split())
_GENERAL = frozenset(stem(word) for word in _GENERIC.split())


@kept(1024)
def content(text: str) -> frozenset[str]:
    """The stems of a text's words without the commonest."""
    return frozenset(stem(word) for word in _WORD.findall(text.lower()) if word not in _STOPPED)


@kept(256)
def telling_words(question: str) -> frozenset[str]:
    """The stems in a question that say what it is about."""
    return content(question) - _GENERAL - {stem(word) for word in spoken(question).small}


def share(telling: frozenset[str], text: str, speaker: str) -> float | None:
    """How many of a question's telling words a memory has, 0 to 1; None when the question has none.

    The name of who said it is left out: it is in the question to say whose words are meant.
    """
    if speaker:
        telling = telling - content(speaker)
    return len(telling & content(text)) / len(telling) if telling else None


@kept(2048)
def within(one: str, other: str) -> bool:
    """Whether words are said in others, as they stand."""
    return re.search(rf"(?<!\w){re.escape(one)}(?!\w)", other) is not None


def bare(text: str) -> str:
    """A text's words alone: equal for texts that differ in nothing but case and punctuation."""
    return " ".join(_WORD.findall(text.lower()))
