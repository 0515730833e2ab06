"""A language of time expressions, compiled from its data: words to characters, rules to one expression per stage.

A sentence becomes a string of one character per word, a cascade of stages rewrites it from the left, each match into
the character of what it gives (Abney, "Partial parsing via finite-state cascades", 1996), and what is of the class
`time` at last is an expression of time. A rule's name is the method of `Calendar` that is its meaning.
"""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from .calendar import Calendar
from .periods import Period, whole

# Of a folded text: words, what is written with figures, and marks.
TOKEN = re.compile(
    r"[^\W\d_]+(?:'(?!s\b)[^\W\d_]+)*|'s\b|\d{4}-\d\d-\d\d(?!\d)|\d{1,2}[./]\d{1,2}[./]\d{4}(?!\d)|\d{1,2}:\d\d(?!\d)"
    r"|\d{1,3}0s\b|\d{1,2}(?:st|nd|rd|th|\u00ba|\u00aa|\.(?=\s+[^\W\d_]))|\d+|[^\w\s']"
)
_FOLD = str.maketrans("áàâäéèêëíìîïóòôöúùûüñç\u2019", "aaaaeeeeiiiioooouuuunc'")
_ENDS = frozenset(".!?;\u2026\u00bf\u00a1")
_ELEMENT = re.compile(r"\{(?:(\w+):)?([\w|]+)\}|\(\?<?[!=]|[()|?]|[^\s(){}|?]+")
_OPTION = re.compile(r"\(\?<?[!=][^()]*\)|\([^()]*\)\?|[^\s()]+\?")  # what need not be there
_DEMAND = re.compile(r"\{(?:\w+:)?([\w|]+)\}|\([^()]*\)|[^\s(){}]+")
_YEARS = range(1500, 2200)
_DAYS = range(1, 32)
# The characters that stand for what no language lists.
_DATE, _CLOCK, _DECADE, _ORDINAL, _NUMBER, _AMOUNT, _YEAR, _OTHER = "DCZONAY_"
_BUILT_IN = {
    "date": _DATE,
    "clock": _CLOCK,
    "decade": _DECADE,
    "ordinal": _ORDINAL,
    "number": _NUMBER,
    "count": _NUMBER + _AMOUNT,
    "year": _YEAR,
}
_PERIODS = {"period", "inner", "outer"}  # arguments for which a unit is that unit of the calendar
_FIRST_FREE = 0xE000  # the private use area of Unicode


# Words on either side of a time that may say that something takes place then, and the tense; of each its end tells.
_NEAR, _FAR, _LONG = 24, 80, 32

Anchor = Callable[[str], datetime | None]


def _around(words: Sequence[str], first: int, last: int, reach: int) -> tuple[list[str], list[str]]:
    """So many words of the sentence at most that stand before the first and behind the last, each cut to what tells."""
    start, end = first, last + 1
    while start > max(0, first - reach) and words[start - 1] not in _ENDS:
        start -= 1
    while end < min(len(words), last + 1 + reach) and words[end] not in _ENDS:
        end += 1
    return [word[-_LONG:] for word in words[start:first]], [word[-_LONG:] for word in words[last + 1 : end]]


class _Rule(NamedTuple):
    gives: str  # the character
    meaning: str
    slots: tuple[tuple[str, str], ...]  # name and classes
    first: int  # its first group


def fold(text: str) -> str:
    """A text as words are compared: lower-case, without accents, as long as it was."""
    return text.lower() if text.isascii() else text.replace("\u0130", "I").lower().translate(_FOLD)


class _Stage:
    """The rules of a stage as one expression. A line without any of what it `needs` is left as it is."""

    def __init__(self, expression: str, rules: dict[str, _Rule], needs: set[str]) -> None:
        self.rules = rules
        self.needs = frozenset(needs)
        self._expression = expression

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The expression, compiled for the first line that may hold it."""
        return re.compile(self._expression)


class Language:
    """One language. Its words are known from the start, its rules when it is first read.

    Whatever makes no sense in its data raises ValueError.
    """

    def __init__(self, path: Path) -> None:
        data = tomllib.loads(path.read_text("utf-8"))
        self.name = path.stem
        self.common = frozenset(fold(data["common"]).split())
        self._future = re.compile(rf"(?<!\w)(?:{fold(data['future'])})(?!\w)")
        self._past = re.compile(rf"(?<!\w)(?:{fold(data['past'])})(?!\w)")
        self._announced = [re.compile(rf"(?<!\w)(?:{fold(each)})") for each in data.get("announced", ())]
        self._day_first = data.get("numeric") == "day first"
        self._groups: dict[str, str] = data.get("groups", {})
        self._classes: dict[str, dict[str, Any]] = {
            name: {" ".join(TOKEN.findall(fold(word))): value for word, value in words.items()}
            for name, words in data["classes"].items()
        }
        self._codes: dict[str, str] = {}  # of words and of what rules give
        self._joined: dict[str, tuple[str, str]] = {}
        self._making = threading.Lock()
        self._lines = [[line for line in stage["rules"].splitlines() if line] for stage in data["stages"]]
        self._gives = {line.split(".")[0] for stage in self._lines for line in stage}
        for one, two in data.get("compounds", ()):
            self._joined.update({a + b: (a, b) for a in self._classes[one] for b in self._classes[two]})
        self.triggers = frozenset(self._joined).union(
            *(
                [part for part in word.split() if part != "'s"][-1:]
                for name, words in self._classes.items()
                if name not in data["weak"]
                for word in words
            )
        )

    @cached_property
    def stages(self) -> list[_Stage]:
        """The rules, in their order. Making them gives words their characters."""
        with self._making:
            stages = [self._stage(lines) for lines in self._lines]
            self._codes.update({word: self._word(one) + self._word(two) for word, (one, two) in self._joined.items()})
        return stages

    @cached_property
    def _telling(self) -> re.Pattern[str]:
        """A part of a line that may say something of time."""
        telling = {self._codes[word] for word in self.triggers if word in self._codes}
        return re.compile(
            rf"[^{_OTHER}]*[{_DATE}{_CLOCK}{_DECADE}{_ORDINAL}{_NUMBER}{_YEAR}{''.join(sorted(telling))}][^{_OTHER}]*"
        )

    def _word(self, word: str) -> str:
        """The characters of a word, or of words; a mark stands for itself."""
        return "".join(
            self._codes.setdefault(each, each if each in ",-" else chr(_FIRST_FREE + len(self._codes)))
            for each in TOKEN.findall(fold(word))
        )

    def _code(self, given: str) -> str:
        """The character of what rules give."""
        return self._codes.setdefault(f"<{given}>", chr(_FIRST_FREE + len(self._codes)))

    def _class(self, names: str) -> list[str]:
        """What stands for one or more classes, of words, given by rules or built in; the longest first."""
        options: set[str] = set()
        for name in "|".join(self._groups.get(each, each) for each in names.split("|")).split("|"):
            if name in self._gives:
                options.add(self._code(name))
            elif name in self._classes or name in _BUILT_IN:
                options |= set(_BUILT_IN.get(name, ""))
                options |= {"".join(map(self._word, each.split())) for each in self._classes.get(name, ())}
            else:
                raise ValueError(f"{self.name}: there is no class {name!r}")
        return sorted(options, key=lambda each: (-len(each), each))

    def _stage(self, lines: Sequence[str]) -> _Stage:
        branches: list[str] = []
        rules: dict[str, _Rule] = {}
        needs: set[str] = set()
        groups = 0
        for line in lines:
            made, pattern = line.split(maxsplit=1)
            gives, meaning = made.split(".")
            if not hasattr(Calendar, meaning):
                raise ValueError(f"{self.name}: {meaning!r} means nothing")
            name = f"r{len(rules)}"
            elements = list(_ELEMENT.finditer(pattern))
            slots = tuple((each[1] or each[2], each[2]) for each in elements if each[2] and each[1] != "_")
            rules[name] = _Rule(self._code(gives), meaning, slots, groups + 2)
            branches.append(f"(?P<{name}>{''.join(map(self._expression, elements))})")
            needs |= self._need(pattern)
            groups += 1 + len(slots)
        return _Stage("|".join(branches), rules, needs)

    def _expression(self, element: re.Match[str]) -> str:
        text, name, classes = element[0], element[1], element[2]
        if classes:
            return f"{'(?:' if name == '_' else '('}{'|'.join(self._class(classes))})"
        if text in ")|?" or text.startswith("(?"):
            return text
        return "(?:" if text == "(" else self._word(text)

    def _need(self, pattern: str) -> set[str]:
        """Characters of which a line holds one where the rule matches, of a rare word if it asks for one."""
        options: list[tuple[int, int, set[str]]] = []
        for element in _DEMAND.finditer(_OPTION.sub(" ", pattern)):
            classes, words = element[1], TOKEN.findall(fold(element[0]))
            if classes:
                chars = {each[-1] for each in self._class(classes)}
                options.append((2 if self._groups.get(classes) else 1, len(chars), chars))
            else:
                chars = {self._word(word) for word in words if word != "|"}
                options.append((0 if self.common.isdisjoint(words) else 3, len(chars), chars))
        return min(options, key=lambda each: each[:2])[2]

    def read(self, words: list[str], now: datetime, anchor: Anchor) -> list[tuple[int, int, Period, Calendar]]:
        """What the words of a text say of time: the first word, the last, the period, the calendar to read it in."""
        stages, known = self.stages, self._codes
        codes = [known.get(word, _OTHER) if word[0] > "9" else self._figure(word) for word in words]
        line = "".join(codes)
        places: Sequence[int] = range(len(words))
        if len(line) > len(words):
            places = [place for place, code in enumerate(codes) for _ in code]
            words = [part for word in words for part in self._joined.get(word, (word,))]
        found: list[tuple[int, int, Period, Calendar]] = []
        for match in self._telling.finditer(line):  # no rule reaches over a word that none knows
            first, last = match.span()
            calendar = Calendar(now, tense=partial(self._tense, words, first), anchor=anchor)
            items: list[Any] = [(places[at], places[at], words[at]) for at in range(first, last)]
            found += [(*each, calendar) for each in self._cascade(stages, match[0], items, calendar)]
        return found

    def announces(self, words: Sequence[str], first: int, last: int) -> bool:
        """Whether the words around a time, the first to the last, say that something takes place then."""
        before, after = _around(words, first, last, _NEAR)
        around = " ".join([*before, "@", *after])
        return any(pattern.search(around) for pattern in self._announced)

    def _tense(self, words: Sequence[str], place: int) -> str:
        """Whether the sentence of a word is about what is to come, or tells what was: "future", "past" or neither."""
        before, after = _around(words, place, place, _FAR)
        sentence = " ".join([*before, words[place], *after])
        return "future" if self._future.search(sentence) else "past" if self._past.search(sentence) else ""

    def _cascade(
        self, stages: Sequence[_Stage], line: str, items: list[Any], calendar: Calendar
    ) -> list[tuple[int, int, Period]]:
        for stage in stages:
            if not stage.needs.isdisjoint(line):
                line = self._rewrite(line, items, stage.pattern, stage.rules, calendar)
        time = self._code("time")
        return [item for code, item in zip(line, items, strict=True) if code == time]

    def _figure(self, word: str) -> str:
        """The character of a mark, or of what is written with figures."""
        if word in self._codes or not word[0].isdecimal():
            return self._codes.get(word, _OTHER)
        if word.isdecimal():
            value = int(word) if len(word) < 5 else 0
            return _NUMBER if value in _DAYS else _YEAR if value in _YEARS else _AMOUNT
        if word[-1] == "s":
            return _DECADE
        return _CLOCK if ":" in word else _ORDINAL if len(word) < 6 else _DATE

    def _rewrite(
        self, line: str, items: list[Any], pattern: re.Pattern[str], rules: Mapping[str, _Rule], calendar: Calendar
    ) -> str:
        place = 0
        while match := pattern.search(line, place):
            rule = rules[str(match.lastgroup)]
            start, end = match.span()
            value = self._mean(rule, match, items, calendar)
            if value is None:
                place = start + 1
                continue
            items[start:end] = [(items[start][0], items[end - 1][1], value)]
            line = line[:start] + rule.gives + line[end:]
            place = start
        return line

    def _mean(self, rule: _Rule, match: re.Match[str], items: Sequence[Any], calendar: Calendar) -> Any:
        told: dict[str, Any] = {}
        for place, (name, classes) in enumerate(rule.slots, rule.first):
            start, end = match.span(place)
            if start >= 0:
                value = self._value(classes, [item[2] for item in items[start:end]])
                told[name] = whole(value) if name in _PERIODS and isinstance(value, str) else value
        try:
            return getattr(calendar, rule.meaning)(**told)
        except (ValueError, OverflowError):  # no such day, or beyond what a calendar holds
            return None

    def _value(self, classes: str, said: Sequence[Any]) -> Any:
        """What a class says of the words that stand in a slot; of what a rule gave, that."""
        if not isinstance(said[0], str):
            return said[0]
        words = " ".join(said)
        for name in classes.split("|"):
            value = self._classes.get(name, {}).get(words)
            if value is not None:
                return value
        return self._literal(words)

    def _literal(self, word: str) -> Any:
        if len(word) == 10 and word[4] == "-":
            return word
        if len(parts := re.split(r"[./]", word)) == 3:
            first, second, year = map(int, parts)
            if not self._day_first and first <= 12:
                if second <= 12 and first != second:
                    raise ValueError(f"{word} may be read in two ways")
                first, second = second, first
            return f"{year:04}-{second:02}-{first:02}"
        if ":" in word:
            hours, minutes = map(int, word.split(":"))
            return hours + minutes / 60
        return int(re.sub(r"\D+", "", word))
