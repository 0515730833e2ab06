"""What a text speaks of, told by lists of words in several languages: `ideas.toml`."""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from itertools import chain, combinations
from pathlib import Path

FILE = Path(__file__).with_name("ideas.toml")
_WORD = re.compile(r"[\w\u0900-\u097f]+(?:['-][\w\u0900-\u097f]+)*")
_JOINT = re.compile(r"['-]")
_KNOWN = 1 << 13  # words whose ideas are kept


@cache
def _lists() -> tuple[dict[str, list[str]], dict[str, list[str]], int]:
    """The ideas of whole words, those of beginnings, and how long the longest beginning is."""
    whole: dict[str, list[str]] = {}
    begun: dict[str, list[str]] = {}
    for idea, words in tomllib.loads(FILE.read_text(encoding="utf-8")).items():
        for word in dict.fromkeys(words.split()):
            (begun if word.endswith("*") else whole).setdefault(word.rstrip("*"), []).append(idea)
    return whole, begun, max(map(len, begun))


@lru_cache(_KNOWN)
def _of(word: str) -> tuple[str, ...]:
    whole, begun, longest = _lists()
    found = [*whole.get(word, ())]
    for length in range(min(len(word), longest), 0, -1):
        found += begun.get(word[:length], ())
    if found or not _JOINT.search(word):
        return tuple(dict.fromkeys(found))
    return tuple(idea for part in _JOINT.split(word) for idea in _of(part))


def ideas(plain: str) -> list[str]:
    """The ideas of a text as `rules.normal` gives it, in its order, as often as they come."""
    return [idea for word in _WORD.findall(plain) for idea in _of(word)]


def together(plain: str) -> str:
    """The ideas of a text, and each two of them as one word: what says more together than apart."""
    found = sorted(set(ideas(plain)))
    return " ".join(chain(found, map("".join, combinations(found, 2))))
