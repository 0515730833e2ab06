"""Ways of saying something, as patterns of words, and what of a text they find: always in time linear in its length.

A pattern is words with parentheses, "|" and "?" as in regular expressions, and

    <name>        a class of words
    {slot}        any words, {slot!} those up to a comma, {slot:name} those of a class

Matching is by RE2 (https://github.com/google/re2), which never tries anything twice.
"""

# ruff: noqa: RUF001  marks of several scripts stand here
from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import re2

from .quoting import QUOTING, Part

_MARKS = r"""\s,.;:!?¿¡"“”„«»‹›()\[\]{}<>…।*+/=%&|–—·•^×÷√€$"""
_TOKEN = re.compile(
    rf"\d+(?:[.,:]\d+)*(?![^\W\d_])|[^{_MARKS}\-'’`]+(?:[.'’`][^{_MARKS}\-'’`]+)*|->|→|=>|\*\*|[^\s'’`]", re.IGNORECASE
)
_LEFT_OUT = str.maketrans("", "", "'’`\u093c")  # the nukta, too: it is left out as often as not
_PART = re.compile(r"\{(\w+)(!?)(?::(\w+))?\}|\{(\w+):\s|<(\w+)>|([()|?*+}])|([^\s(){}<>|?*+]+)")
_MARK = str.maketrans("“”„«»…¿¡–—", '""""".?!--')
_GAP = r'(?: [,:;.!?"-])*'
_SPECIAL = {
    "[word]": r"[^ ,.;:!?()\"]+",
    "[n]": r"\d+(?:[.,]\d+)*",
    "[clock]": r"\d{1,2}(?:[:.]\d\d)?(?:am|pm|h|hrs|uhr)?",
    "[ordinal]": r"\d{1,2}(?:st|nd|rd|th)",
    "[year]": r"[12]\d\d\d",
    "[zu]": r"\w+zu\w+n",  # an infinitive such as "anzurufen"
    "[arrow]": "(?:->|=>|\u2192)",
    "[date]": r"\d{1,4}[.:]\d{1,2}(?:[.:]\d{2,4})?",
}
_FREE = {"": r"[^ ].*?", "!": r"[^ ,;:](?:[^,;(–—]*?[^ ,;(–—])??"}


def fold(word: str) -> str:
    """A word in lower case, without accents and apostrophes; a mark as the one of ASCII that it is like."""
    word = word.lower()
    if len(word) == 1:
        word = word.translate(_MARK)
    if not word.isascii():
        word = unicodedata.normalize("NFKD", word.replace("ß", "ss").replace("\u0901", "\u0902"))
        word = "".join(mark for mark in word if not "\u0300" <= mark <= "\u036f")
    return word.translate(_LEFT_OUT)


class Tokens:
    """The words and marks of a part of a text, folded, and where they stand in it."""

    def __init__(
        self,
        text: str,
        start: int,
        end: int,
        change: Callable[[str], str] | None = None,
        parts: Sequence[Part] = (),
    ) -> None:
        """`change` puts other words in the place of some; `parts` are what is read, of quotations the words alone."""
        parts = parts or (Part(start, end),)
        self.spans = [
            match.span()
            for part in parts
            for match in _TOKEN.finditer(text, part.begin, part.end)
            if not part.is_quoted or text[match.start()].isalnum() or match[0] in QUOTING
        ]
        self._unread = (parts[-1].end, end)
        words = [fold(text[begin:close]) for begin, close in self.spans]
        self.words = words if change is None else [change(word) for word in words]
        self._text = text
        self._set_folded()

    def _set_folded(self) -> None:
        places, at = [], 0
        for word in self.words:
            places.append(at + 1)  # each stands after a blank
            at += 1 + len(word)
        self.places = places
        self.folded = "".join(f" {word}" for word in self.words)

    def at(self, token: int) -> str:
        """The folded words from one on."""
        return self.folded[self.places[token] - 1 :] if token < len(self.places) else ""

    def token(self, place: int) -> int:
        """The number of the word that begins at a place of `folded`, or after it."""
        return bisect_left(self.places, place)

    def said(self, start: int, end: int) -> str:
        """What is written where `folded` has these characters; if that is the last that was read, also what follows."""
        first, last = self.token(start), bisect_right(self.places, max(start, end - 1)) - 1
        begin, close = self._unread
        close = close if begin < close and last == len(self.spans) - 1 else self.spans[last][1]
        return self._text[self.spans[first][0] : close].strip(" ,;:\u2013\u2014-")


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 16 << 20
    return options


@lru_cache(maxsize=128)
def _automaton(source: str) -> Any:
    """An expression, compiled: some ten kilobytes each, so only those in use are kept."""
    return re2.compile(source, _options())


class Pattern:
    """One way of saying something."""

    def __init__(
        self, source: str, classes: Mapping[str, str], tail: str = "", rest: str = "", *, open_end: bool = False
    ) -> None:
        """`classes` are compiled, `tail` and `rest` expressions of what may follow; with `open_end` anything may."""
        self.slots: dict[str, str] = {}  # the class of each
        self.body = compiled(source, classes, self.slots)
        end = "(?: |$)" if open_end else rf"{tail}{_GAP}{rest}$"
        self.source = f"({self.body}){end}"

    @property
    def _match(self) -> Any:
        return _automaton(self.source)

    def words(self, tokens: Tokens, first: int) -> int:
        """How many words it takes from one on, 0 if none."""
        begin = tokens.places[first] - 1 if first < len(tokens.places) else len(tokens.folded)
        match = self._match.match(tokens.folded[begin:])
        return tokens.token(begin + match.end(1)) - first if match else 0

    def match(self, tokens: Tokens, first: int) -> dict[str, str] | None:
        """The slots as they stand in the text, of what is said from a word on to the end."""
        begin = tokens.places[first] - 1
        match = self._match.match(tokens.folded[begin:])
        if match is None:
            return None
        index = self._match.groupindex
        return {
            slot: tokens.said(begin + match.start(index[slot]), begin + match.end(index[slot]))
            for slot in self.slots
            if match.group(index[slot])
        }


class Patterns:
    """Many patterns, of which it is asked at once which match."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._set: Any = None  # a set of nothing cannot be asked
        if patterns:
            self._set = re2.Set.MatchSet(_options())
            for pattern in patterns:
                self._set.Add(pattern.source)
            self._set.Compile()

    def matching(self, folded: str) -> Sequence[int]:
        """The places of those that match from the beginning."""
        return sorted(self._set.Match(folded) or ()) if self._set else ()


def compiled(source: str, classes: Mapping[str, str], slots: dict[str, str]) -> str:
    """The regular expression of a pattern, over words that each stand after a blank; `slots` gets those it has."""
    return _Written(source, classes, slots).either()


def joined(rows: Sequence[str]) -> str:
    """One of several expressions. What may stand before any of them is written once: RE2 makes a tree of the rest."""
    if len(rows) > 1 and all(row.startswith(_GAP) for row in rows):
        return f"{_GAP}(?:{'|'.join(row[len(_GAP) :] for row in rows)})"
    return rows[0] if len(rows) == 1 else f"(?:{'|'.join(rows)})"


class _Written:
    """Reads a pattern and writes it as an expression without an "|" outside of parentheses."""

    def __init__(self, source: str, classes: Mapping[str, str], slots: dict[str, str]) -> None:
        self._parts = [part.groups() for part in _PART.finditer(source)]
        self._classes = classes
        self._slots = slots
        self._at = 0

    def either(self) -> str:
        """What is between two parentheses."""
        rows = [self._row()]
        while self._sign() == "|":
            self._at += 1
            rows.append(self._row())
        return joined(rows)

    def _sign(self) -> str:
        return str(self._parts[self._at][5] or "") if self._at < len(self._parts) else ")"

    def _row(self) -> str:
        made = []
        while self._sign() not in {"|", ")", "}"}:
            is_any = self._parts[self._at][4] == "any"
            one = self._one()
            if (sign := self._sign()) in {"?", "*", "+"}:
                self._at += 1
                # Of whatever may be there as little as possible.
                one = f"(?:{one}){'??' if is_any and sign == '?' else sign}"
            made.append(one)
        return "".join(made)

    def _one(self) -> str:
        slot, short, kind, opened, name, sign, word = self._parts[self._at]
        self._at += 1
        if slot or opened:
            self._slots[slot or opened] = kind or ""
        if slot:
            return f"(?P<{slot}>{self._classes[kind]})" if kind else f"{_GAP} (?P<{slot}>{_FREE[short]})"
        if opened or sign == "(":
            within = self.either()
            self._at += 1  # what closes it
            return f"(?P<{opened}>{within})" if opened else within
        return self._classes[name] if name else f"{_GAP} {_SPECIAL.get(word) or re.escape(fold(word))}"
