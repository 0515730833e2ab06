"""Which commands of other plugins a message may ask for: those with a telling word of theirs in it, mistyped or not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from alejo.types import CommandSpec

from .grammar import Tokens

_SLOT = re.compile(r"\{[^}]*\}")
_SMALL = frozenset(
    "the and for with from into that this what when who how are was will can you your all any out off on in to of a an "  # noqa: SIM905  words read better in a row
    "is it my me at by".split()
)
_KEY = 4  # letters of the shortest word that is recognised with a mistake


class Others:
    """The words of commands' phrases, each with whose they are."""

    def __init__(self, specs: Sequence[CommandSpec]) -> None:
        self._whose: dict[str, set[str]] = {}
        self._near: dict[str, str] = {}  # a word with a letter less, and the word
        for spec in specs:
            for phrase in spec.phrases:
                words = Tokens(_SLOT.sub(" ", phrase), 0, len(phrase)).words
                telling = [word for word in words if word[0].isalnum() and word not in _SMALL] or words
                for word in telling:
                    self._whose.setdefault(word, set()).add(spec.name)
                    if len(word) >= _KEY:
                        self._near.update(dict.fromkeys(_less(word), word))

    def word(self, word: str) -> str:
        """A word as phrases have it: one letter off, or two that changed places; else as it is."""
        if word in self._whose or len(word) < _KEY:
            return word
        return next((self._near[less] for less in (word, *_less(word)) if less in self._near), word)

    def named(self, words: Iterable[str]) -> set[str]:
        """The commands that some words may ask for."""
        return {name for word in words for name in self._whose.get(self.word(word), ())} if self._whose else set()


def _less(word: str) -> Iterator[str]:
    return (word[:place] + word[place + 1 :] for place in range(1, len(word)))


@lru_cache(maxsize=64)
def others(specs: tuple[CommandSpec, ...]) -> Others:
    """Those of some commands."""
    return Others(specs)
