"""What the words of a message are about, told by lists of words in several languages: `ideas.toml`."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from pathlib import Path

from .grammar import fold

_FILE = Path(__file__).with_name("ideas.toml")
_KNOWN = 1 << 13  # words whose ideas are kept
_NEAR = 4  # ideas between two that are still together


@cache
def _lists() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The ideas of whole words, and those of beginnings."""
    whole: dict[str, list[str]] = {}
    begun: dict[str, list[str]] = {}
    for idea, words in tomllib.loads(_FILE.read_text("utf-8")).items():
        for word in dict.fromkeys(fold(each) for each in words.split()):
            (begun if word.endswith("*") else whole).setdefault(word.rstrip("*"), []).append(idea)
    return whole, begun


@lru_cache(_KNOWN)
def ideas(word: str) -> tuple[str, ...]:
    """The ideas of a folded word."""
    whole, begun = _lists()
    found = [*whole.get(word, ())]
    for length in range(len(word), 2, -1):
        found += begun.get(word[:length], ())
    return tuple(dict.fromkeys(found)) or (("number",) if word[0].isdigit() else ())


def together(words: list[str]) -> str:
    """The ideas of folded words, and each two that stand near each other, in their order, as one word."""
    said: list[str] = []
    near: list[tuple[str, ...]] = []
    for word in words:
        here = ideas(word)
        if here:
            said += here
            said += [f"{one}0{other}" for before in near[-_NEAR:] for one in before for other in here]
            near.append(here)
    if words:
        said += [f"begin0{idea}" for idea in ideas(words[0])] + [f"end0{idea}" for idea in ideas(words[-1])]
    return " ".join(said)
