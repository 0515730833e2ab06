"""What of a message only quotes somebody: no command of whoever writes it, and read no further than is needed."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

_QUOTE = re.compile(r'(?:(?<!\w)"|[“„«])[^"“”„«»]*["”“»]')
_CLOSING = frozenset('"”“»')
QUOTING = frozenset('"“”„«»')
_READ = 100  # characters at the beginning of a quotation, and as many at its end


class Part(NamedTuple):
    """Characters of a text, and whether they only quote."""

    begin: int
    end: int
    is_quoted: bool = False


class Quotes:
    """Where a text quotes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._spans = [match.span() for match in _QUOTE.finditer(text)] if not QUOTING.isdisjoint(text) else []
        self._begins = [begin for begin, _ in self._spans]

    def end(self, place: int) -> int:
        """Where the quotation ends in which a place is, -1 if in none."""
        at = bisect_right(self._begins, place) - 1
        return self._spans[at][1] if at >= 0 and place < self._spans[at][1] else -1

    def outside(self, begin: int, end: int, most: int) -> tuple[str, int]:
        """What a part of the text says outside of quotations, so many characters of it at most; and where that ends."""
        said: list[str] = []
        for first, last in self._within(begin, end):
            said.append(self._text[begin : min(first, begin + most)])
            most -= len(said[-1])
            begin = last
            if most <= 0:
                break
        said.append(self._text[begin : max(begin, min(end, begin + most))])
        return "".join(said), max(begin, min(end, begin + most))

    def read(self, begin: int, end: int, most: int) -> list[Part]:
        """What is read of a part, so many characters at most: of a long quotation only its ends."""
        parts, read = [], begin
        for first, last in self._within(begin, end):
            ends = [(first, last)] if last - first <= 2 * _READ else [(first, first + _READ), (last - _READ, last)]
            parts += [Part(read, first), *(Part(*each, is_quoted=True) for each in ends)]
            read = last
        return _upto(most, [*parts, Part(read, end)])

    def _within(self, begin: int, end: int) -> list[tuple[int, int]]:
        """The quotations that are whole within a part."""
        near = self._spans[max(0, bisect_right(self._begins, begin) - 1) : bisect_right(self._begins, end)]
        return [(first, last) for first, last in near if begin <= first and last <= end]


def _upto(most: int, parts: list[Part]) -> list[Part]:
    """The first parts that together have so many characters at most, the last of them cut."""
    kept = []
    for part in parts:
        if most <= 0:
            break
        kept.append(part._replace(end=min(part.end, part.begin + most)))
        most -= part.end - part.begin
    return kept


def unopened(words: str) -> str:
    """Words without the mark of a quotation that begins with them and does not end in them."""
    return words[1:] if words[:1] in QUOTING and not _CLOSING.intersection(words[1:]) else words
