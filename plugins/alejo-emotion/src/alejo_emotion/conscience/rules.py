"""The rules of the conscience: read from a file, the patterns of all matched at once.

RE2 looks once for the pieces of text that a pattern cannot do without (R. Cox, "Regular Expression Matching in the
Wild", 2010), and tries only those patterns whose pieces are there: of everyday texts hardly any. The work is linear in
the text's length, whatever the text.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import re2

from alejo.errors import StartupError
from alejo.types import Ruling

SHIPPED = Path(__file__).with_name("rules.toml")
_NAMED = re.compile(r"\{([a-z_]+)\}")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'", "\u201c": '"', "\u201d": '"'})
_NO_WORD = re.compile(r"[^\w\u0900-\u097f' ]+")
_LEAST = 2  # words of a language that tell it
_LATEST = 2  # texts that are looked at for more than one thing
_TAKEN = " \u2026 "  # stands where something was taken out
_MEMORY = 4 << 20  # bytes that an automaton may take


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule; the texts it must hold for and those it must spare stand beside it.

    What `unless` matches is excused, and nothing beside it: the rule holds if it holds for what is left of the text.
    """

    name: str
    category: str
    verdict: Ruling
    severity: Annotated[float, msgspec.Meta(ge=0, le=1)]
    about: tuple[Literal["request", "command", "answer"], ...]
    reason: str
    any: tuple[str, ...]
    unless: tuple[str, ...] = ()
    effects: tuple[Literal["reads", "writes", "world"], ...] = ()
    holds: tuple[str, ...]
    spares: tuple[str, ...] = ()


class Excused(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words that say nothing of a category to what is learned, in texts in which `of` stands."""

    category: str
    of: str = "^"
    any: tuple[str, ...]


class Tongue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said in a language, and the words that tell it and that confirm."""

    words: str
    yes: str
    support: str
    refuse: str
    injected: str
    ask: str
    withheld: str
    doubt: str = ""
    worry: str = ""
    line: str = "findahelpline.com"
    emergency: str = "the emergency number of your country"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    words: dict[str, str]
    rule: list[Rule]
    languages: Annotated[dict[str, Tongue], msgspec.Meta(min_length=1)]
    learned: dict[str, str] = {}
    excused: list[Excused] = []


class _Patterns:
    """Patterns of several rules. Raises re2.error for one that is none, KeyError for a word that is not listed."""

    def __init__(self, patterns: Sequence[Sequence[str]], words: Mapping[str, str], *, taking: bool = False) -> None:
        options = re2.Options()
        options.max_mem = _MEMORY
        options.log_errors = False
        self._filter = re2.Filter()
        self._rules: list[int] = []
        self._whole: dict[int, Any] = {}
        for rule, named in enumerate(patterns):
            own = [_NAMED.sub(lambda found: words[found[1]], pattern) for pattern in named]
            for pattern in own:
                self._filter.Add(pattern, options)
                self._rules.append(rule)
            if taking:
                self._whole[rule] = re2.compile("|".join(f"(?:{each})" for each in own), options)
        self._filter.Compile()

    def standing(self, text: str) -> set[int]:
        """The numbers of the rules of which one stands in a text."""
        return {self._rules[each] for each in self._filter.Match(text) or ()}

    def left(self, text: str, rule: int) -> str:
        """A text without what one rule's patterns match in it."""
        left: str = self._whole[rule].sub(_TAKEN, text)
        return left


class Rules:
    """What holds for a text. Raises StartupError for a file that is no set of rules, or has one that fails its texts.

    The rules that ship are tested with the plugin.
    """

    def __init__(self, path: Path = SHIPPED) -> None:
        try:
            file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
            self.rules: tuple[Rule, ...] = tuple(file.rule)
            self.learned = file.learned
            self.languages = file.languages
            self._signs = {code: frozenset(_words(each.words)) for code, each in self.languages.items()}
            self._yes = frozenset(_plain(yes) for each in self.languages.values() for yes in each.yes.split(","))
            self._holding = _Patterns([rule.any for rule in file.rule], file.words)
            self._sparing = _Patterns([rule.unless for rule in file.rule], file.words, taking=True)
            self._excused = file.excused
            self._excusing = _Patterns([each.any for each in file.excused], file.words, taking=True)
            self._excusable = _Patterns([(each.of,) for each in file.excused], file.words)
            for each in self.languages.values():
                for text in (each.ask, each.doubt, each.refuse, each.injected):
                    text.format(reason="")
                for text in (each.support, each.worry):
                    text.format(line="", emergency="")
        except (OSError, ValueError, KeyError, IndexError, re2.error) as error:
            raise StartupError(f"{path}: the rules of the conscience cannot be read: {error}.", exit_code=78) from None
        if path != SHIPPED and (wrong := next(self.wrong(), "")):
            raise StartupError(f"{path}: the rule {wrong}, and stands beside it.", exit_code=78)

    def holding(self, text: str, about: str, effects: Collection[str] = ()) -> Sequence[Rule]:
        """The rules that hold for a text, the most severe first. `effects` are those of a command."""
        plain = normal(text)
        standing = self._holding.standing(plain)
        if not standing:
            return []
        for each in standing & self._sparing.standing(plain):
            if each not in self._holding.standing(self._sparing.left(plain, each)):
                standing.remove(each)
        held = [
            rule
            for rule in (self.rules[each] for each in standing)
            if about in rule.about and (not rule.effects or not set(rule.effects).isdisjoint(effects))
        ]
        return sorted(held, key=lambda rule: (-rule.severity, rule.name))

    def unexcused(self, text: str, category: str) -> str:
        """What is left of a text, as rules see it, for what is learned of a category."""
        left = normal(text)
        for place in sorted(self._excusable.standing(left)):
            if self._excused[place].category == category:
                left = self._excusing.left(left, place)
        return left

    def wrong(self) -> Iterator[str]:
        """Where a rule is not as the texts beside it say."""
        for rule in self.rules:

            def held(text: str, rule: Rule = rule) -> bool:
                return any(rule in self.holding(text, about, rule.effects) for about in rule.about)

            yield from (f"{rule.name} does not hold for {text!r}" for text in rule.holds if not held(text))
            yield from (f"{rule.name} does not spare {text!r}" for text in rule.spares if held(text))

    def language(self, text: str) -> str:
        """The language to answer a text in: the one with most of its commonest words there, else the first."""
        words = _words(text)
        counts = {code: sum(word in signs for word in words) for code, signs in self._signs.items()}
        best = max(counts, key=counts.__getitem__)
        return best if counts[best] >= _LEAST else next(iter(counts))

    def is_first(self, text: str) -> bool:
        """Whether a text is in the first of the languages, or in none that is told."""
        return self.language(text) == next(iter(self.languages))

    def tongue(self, text: str) -> Tongue:
        """What is said in that language."""
        return self.languages[self.language(text)]

    def confirms(self, text: str) -> bool:
        """Whether a text does nothing but say yes."""
        return _plain(text) in self._yes


def _words(text: str) -> list[str]:
    return _NO_WORD.sub(" ", normal(text)).split()


def _plain(text: str) -> str:
    return " ".join(_words(text))


@lru_cache(_LATEST)
def normal(text: str) -> str:
    """A text as rules see it: one form of its characters, lower case, plain apostrophes, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold().split())
