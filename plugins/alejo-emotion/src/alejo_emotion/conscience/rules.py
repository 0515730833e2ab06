"""The rules of the conscience: read from a file, and matched all at once.

The patterns are matched by RE2 as one automaton (R. Cox, "Regular Expression Matching in the Wild", 2010), so the work
is linear in the text's length, whatever the text.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import msgspec
import re2

from alejo.errors import StartupError
from alejo.types import Ruling

SHIPPED = Path(__file__).with_name("rules.toml")
_NAMED = re.compile(r"\{([a-z_]+)\}")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'", "\u201c": '"', "\u201d": '"'})
_NO_WORD = re.compile(r"[^\w\u0900-\u097f' ]+")
_LEAST = 2  # words of a language that tell it
_MEMORY = 64 << 20  # bytes that the automaton may take


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule; the texts it must hold for and those it must spare stand beside it."""

    name: str
    category: str
    verdict: Ruling
    severity: float
    about: tuple[str, ...]
    reason: str
    any: tuple[str, ...]
    unless: tuple[str, ...] = ()
    holds: tuple[str, ...]
    spares: tuple[str, ...] = ()


class Tongue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said in a language, and the words that tell it and that confirm."""

    words: str
    yes: str
    support: str
    refuse: str
    injected: str
    ask: str
    withheld: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    words: dict[str, str]
    rule: list[Rule]
    languages: dict[str, Tongue]


class Rules:
    """What holds for a text. Raises StartupError for a file that is no set of rules."""

    def __init__(self, path: Path = SHIPPED) -> None:
        try:
            file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
            self.rules: tuple[Rule, ...] = tuple(file.rule)
            self.languages = list(file.languages.values())
            self._signs = [frozenset(_words(each.words)) for each in self.languages]
            self._yes = frozenset(_plain(yes) for each in self.languages for yes in each.yes.split(","))
            self._owners: list[tuple[int, bool]] = []
            self._set = _automaton(file, self._owners)
        except (OSError, UnicodeDecodeError, ValueError, KeyError, msgspec.ValidationError, re2.error) as error:
            raise StartupError(f"{path}: the rules of the conscience cannot be read: {error}.", exit_code=78) from None

    def holding(self, text: str, about: str) -> Sequence[Rule]:
        """The rules that hold for a text, the most severe first."""
        found, spared = set[int](), set[int]()
        for number in self._set.Match(normal(text)) or ():  # None when there is none
            rule, spares = self._owners[number]
            (spared if spares else found).add(rule)
        held = [self.rules[number] for number in found - spared]
        return sorted((rule for rule in held if about in rule.about), key=lambda rule: (-rule.severity, rule.name))

    def tongue(self, text: str) -> Tongue:
        """The language to answer a text in: the one with most of its commonest words there, else the first."""
        words = _words(text)
        counts = [sum(word in signs for word in words) for signs in self._signs]
        best = max(range(len(counts)), key=counts.__getitem__)
        return self.languages[best if counts[best] >= _LEAST else 0]

    def confirms(self, text: str) -> bool:
        """Whether a text does nothing but say yes."""
        return _plain(text) in self._yes


def _words(text: str) -> list[str]:
    return _NO_WORD.sub(" ", normal(text)).split()


def _plain(text: str) -> str:
    return " ".join(_words(text))


def normal(text: str) -> str:
    """A text as rules see it: one form of its characters, lower case, plain apostrophes, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold().split())


def _automaton(file: _File, owners: list[tuple[int, bool]]) -> re2.Set:
    """All patterns of all rules as one; `owners` says, by its number, whose each is and whether it spares."""
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    patterns = re2.Set.SearchSet(options)
    for number, rule in enumerate(file.rule):
        for pattern, spares in [*((each, False) for each in rule.any), *((each, True) for each in rule.unless)]:
            patterns.Add(_NAMED.sub(lambda found: file.words[found[1]], pattern))
            owners.append((number, spares))
    patterns.Compile()
    return patterns
