"""Words of days and times in several languages, from calendar.toml."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import NamedTuple

_TOKEN = re.compile(r"\d+(?:[:.h]\d{2}\b)?|\d+|[\u0900-\u0963\u0971-\u097f]+|[^\W\d_]+(?:['\u2019][^\W\d_]+)?|[@]")
_MERGED = (
    ("christmas eve", "christmaseve"),
    ("new years eve", "newyearseve"),
    ("new year's eve", "newyearseve"),
    ("new year's day", "newyearsday"),
    ("new years day", "newyearsday"),
    ("new years", "newyears"),
    ("new year's", "newyears"),
    ("new year", "newyear"),
    ("o'clock", "oclock"),
    ("day after tomorrow", "ubermorgen"),
    ("day before yesterday", "vorgestern"),
    ("pasado manana", "ubermorgen"),
    ("forty-five", "fortyfive"),
    ("forty five", "fortyfive"),
    ("cuarenta y cinco", "cuarentaycinco"),
    ("first thing", ""),
    ("a.m.", "am "),
    ("p.m.", "pm "),
    ("heute morgen", "heute morning"),
    ("jeden morgen", "jeden morning"),
    ("tagmorgen", "tag morning"),
    ("por la manana", "morning"),
    ("de la manana", "morning"),
    ("am morgen", "morning"),
)
_GLUED = re.compile(r"(?<=\d)(am|pm|st|nd|rd|th|h|uhr)\b")
_PARTED = re.compile(r"(?<=tag)(?=(?:morgen|mittag|nachmittag|abend|nacht)\b)|(?<=woch)(?=(?:abend|mittag)\b)")


def fold(text: str) -> str:
    """Small letters without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    return "".join(each for each in plain if not unicodedata.combining(each))


def _table(section: dict[str, str]) -> dict[str, int]:
    """Values by word, of a section of lists "VALUE WORD WORD|…" by language."""
    found: dict[str, int] = {}
    for line in section.values():
        for entry in line.split("|"):
            value, *words = entry.split()
            found.update(dict.fromkeys(words, int(value)))
    return found


def _units(section: dict[str, str]) -> dict[str, str]:
    return {word: entry.split()[0] for line in section.values() for entry in line.split("|") for word in entry.split()}


_READ = tomllib.loads(fold(Path(__file__).with_name("calendar.toml").read_text("utf-8")))
NUMBERS = _table(_READ["numbers"])
ORDINALS = _table(_READ["ordinals"])
UNITS = _units(_READ["units"])
WEEKDAYS = _table(_READ["weekdays"])
MONTHS = _table(_READ["months"])
DAYS = _table(_READ["days"])
PARTS = _table(_READ["parts"])
WORDS = {name: frozenset(words.split()) for name, words in _READ["words"].items()}
CITIES = {word.replace("_", " "): city for city, words in _READ["cities"].items() for word in words.split()}
HOLIDAYS = {word: name for name, words in _READ["holidays"].items() for word in words.split()}


class Unread(Exception):
    """The words name no day or time that is known here."""


class Token(NamedTuple):
    """A word, folded, or a number."""

    word: str
    number: int | None = None
    minute: int | None = None  # of a time such as 8:30

    def is_(self, name: str) -> bool:
        """Whether it is one of the words of that name."""
        return self.word in WORDS[name]


def tokens(text: str) -> list[Token]:
    """The words and numbers of a text; numbers in words too."""
    folded = fold(text)
    for words, merged in _MERGED:
        folded = folded.replace(words, merged)
    folded = _PARTED.sub(" ", _GLUED.sub(r" \1", folded))
    found = []
    for match in _TOKEN.finditer(folded):
        word = match[0]
        if word[0].isdecimal():
            hour, _, minute = re.sub(r"[.h]", ":", word).partition(":")
            found.append(Token(word, int(hour[:9]), int(minute) if minute else None))
        else:
            found.append(Token(word, NUMBERS.get(word)))
    return found
