"""Sums as people write them, in words and signs, as an expression of digits, + - * / ** and parentheses."""

# ruff: noqa: RUF001  marks of several scripts stand here
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
_GROUPS = {".": re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?"), ",": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")}
_SIGNS = {"+": "+", "-": "-", "–": "-", "*": "*", "×": "*", "·": "*", "x": "*", "/": "/", "÷": "/", ":": "/"}
_SIGNS |= {"**": "**", "^": "**"}
_MOST = 60  # words of a sum
_LONGEST = 4  # words of an operator, or of what joins a number


class Sum(NamedTuple):
    """An expression, the word it ends before, how many operators it has, and of what sort they are.

    `signs`: none is a word; `plain`: one is a sign that stands in no date, score or range.
    """

    expression: str
    end: int
    operators: int
    signs: bool

    @property
    def plain(self) -> bool:
        """Whether it can be nothing but a sum."""
        return any(sign in self.expression for sign in "+*(")


class Numbers:
    """The numbers and operators of a language."""

    def __init__(self, words: Mapping[str, float], operators: Mapping[str, str], point: str, link: str = "") -> None:
        """`point` is the decimal mark; with `link` units stand before tens, all in one word: "dreiundzwanzig"."""
        self._words = dict(words)
        if link:
            small = [(word, value) for word, value in words.items() if 1 <= value <= 9]
            tens = [(word, value) for word, value in words.items() if 20 <= value <= 90]
            self._words |= {f"{unit}{link}{ten}": one + more for unit, one in small for ten, more in tens}
        self._operators = {tuple(word.split()): sign for word, sign in operators.items()}
        self._point = point

    def words(self) -> Sequence[str]:
        """The words for numbers."""
        return list(self._words)

    def any(self, words: Sequence[str], first: int) -> bool:
        """Whether a word from one on is of a number."""
        return any(word in self._words or word[0].isdigit() for word in words[first:])

    def number(self, words: Sequence[str], first: int = 0) -> tuple[str, int] | None:
        """The number that words begin with, and where it ends."""
        if first < len(words) and _DIGITS.fullmatch(words[first]):
            text = words[first]
            if _GROUPS[self._point].fullmatch(text):
                text = text.replace("," if self._point == "." else ".", "")
            text = text.replace(",", ".") if self._point == "," else text
            return (text, first + 1) if text.count(".") <= 1 and "," not in text and ":" not in text else None
        total, part, at, is_one = 0.0, 0.0, first, False
        while at < len(words) and at - first < _MOST and words[at] in self._words:
            value = self._words[words[at]]
            if value >= 1000:
                total, part = total + max(part, 1) * value, 0
            elif value == 100:
                part = max(part, 1) * value
            else:
                part += value
            at, is_one = at + 1, True
            if at + 1 < len(words) and words[at] in {"and", "y", "und"} and part >= 20 and words[at + 1] in self._words:
                at += 1
        return (f"{total + part:g}" if total + part < 1e6 else str(int(total + part)), at) if is_one else None

    def sum(self, words: Sequence[str], first: int) -> Sum | None:
        """The longest expression that begins at a word, if there is an operator in it."""
        made: list[str] = []
        at, operators, opened, signs, best = first, 0, 0, True, None
        while at < len(words) and at - first < _MOST:
            while at < len(words) and words[at] == "(":
                made.append("(")
                opened, at = opened + 1, at + 1
            if at + 1 < len(words) and words[at] in {"-", "–"} and (not made or made[-1] == "("):
                made.append("-")
                at += 1
            found = self.number(words, at)
            if found is None:
                return best
            made.append(found[0])
            at = found[1]
            while at < len(words) and words[at] == ")" and opened:
                made.append(")")
                opened, at = opened - 1, at + 1
            if operators and not opened:
                best = Sum("".join(made), at, operators, signs)
            sign, taken = self._operator(words, at)
            if not sign:
                return best
            signs = signs and words[at] in _SIGNS
            made.append(sign)
            at, operators = at + taken, operators + 1
        return best

    def _operator(self, words: Sequence[str], at: int) -> tuple[str, int]:
        for length in range(_LONGEST, 0, -1):
            sign = self._operators.get(tuple(words[at : at + length]))
            if sign:
                return sign, length
        return (_SIGNS.get(words[at], ""), 1) if at < len(words) else ("", 0)
