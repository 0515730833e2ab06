"""What a question asks for: what kind of thing, of whom, and which of its words say what it is about."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from .tongues import Tongue, spoken

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_POSSESSIVE = re.compile(r"'s?$")


class Asked(msgspec.Struct, frozen=True):
    """A question. `kind` is one of the language's kinds, "" for none; `several` says that a list is wanted.

    `stems` are of the words that say what it is about; `capitals` are its names, as they are written.
    """

    tongue: Tongue
    kind: str
    several: bool
    stems: frozenset[str]
    capitals: frozenset[str]
    first: bool  # of the one who asks
    denied: bool  # "Don't I …?"
    head: str  # the stem of what the asked-for is called, "boat" of "what kind of boat did I buy", "" for nothing
    often: bool  # how many times something happened


def plain(text: str) -> str:
    """A text with one kind of apostrophe, of the same length."""
    return text.replace("\u2019", "'")


def bare(word: str) -> str:
    """A word in small letters without a possessive."""
    return _POSSESSIVE.sub("", word.lower())


@lru_cache(maxsize=256)
def read(question: str) -> Asked:
    """What is asked."""
    text = plain(question)
    tongue = spoken(text)
    found = _WORD.findall(text)
    kind = next((kind for kind, pattern in tongue.kinds if pattern.search(text)), "")
    small = [bare(word) for word in found]
    stems = frozenset(tongue.stem(word) for word in small if word not in tongue.small)
    capitals = frozenset(_POSSESSIVE.sub("", word) for word in found[1:] if word[0].isupper() and len(word) > 1)
    denied = not tongue.negations.isdisjoint(word.lower() for word in found)
    headed = tongue.head.search(text)
    head = tongue.stem(bare(headed[1].split()[-1])) if headed else ""
    often = tongue.times.search(text) is not None
    several = tongue.several.search(text) is not None
    return Asked(tongue, kind, several, stems, capitals, not tongue.first.isdisjoint(small), denied, head, often)
