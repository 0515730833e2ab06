"""The rules of the conscience: read from a file, the patterns of each matched at once.

They are matched by RE2 as an automaton for each rule (R. Cox, "Regular Expression Matching in the Wild", 2010), so the
work is linear in the text's length, whatever the text. One for all rules would have states for all that their patterns
may come to together: it takes five times as long, and more memory, wherever a text is new.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import re2

from alejo.errors import StartupError
from alejo.types import Ruling

SHIPPED = Path(__file__).with_name("rules.toml")
_NAMED = re.compile(r"\{([a-z_]+)\}")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'", "\u201c": '"', "\u201d": '"'})
_NO_WORD = re.compile(r"[^\w\u0900-\u097f' ]+")
_LEAST = 2  # words of a language that tell it
_MEMORY = 4 << 20  # bytes that an automaton may take


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule; the texts it must hold for and those it must spare stand beside it."""

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


class _File(msgspec.Struct, forbid_unknown_fields=True):
    words: dict[str, str]
    rule: list[Rule]
    languages: Annotated[dict[str, Tongue], msgspec.Meta(min_length=1)]
    learned: dict[str, str] = {}


class _Patterns:
    """Patterns as one automaton. Raises re2.error for one that is none, KeyError for a word that is not listed."""

    def __init__(self, patterns: Sequence[str], words: Mapping[str, str]) -> None:
        options = re2.Options()
        options.max_mem = _MEMORY
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        for pattern in patterns:
            self._set.Add(_NAMED.sub(lambda found: words[found[1]], pattern))
        self._none = [self._set.Add("")]  # stands everywhere: if not even that does, the automaton has failed
        self._set.Compile()

    def stands(self, text: str) -> bool:
        """Whether one of them stands in a text."""
        found = self._set.Match(text)
        if not found:
            raise RuntimeError("the rules of the conscience ran out of memory")
        return bool(found != self._none)


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
            self._holding = [_Patterns(rule.any, file.words) for rule in file.rule]
            self._sparing = [_Patterns(rule.unless, file.words) for rule in file.rule]
            for each in self.languages.values():
                each.ask.format(reason="")
                each.doubt.format(reason="")
                each.refuse.format(reason="")
                each.injected.format(reason="")
        except (OSError, ValueError, KeyError, IndexError, re2.error) as error:
            raise StartupError(f"{path}: the rules of the conscience cannot be read: {error}.", exit_code=78) from None
        if path != SHIPPED and (wrong := next(self.wrong(), "")):
            raise StartupError(f"{path}: the rule {wrong}, and stands beside it.", exit_code=78)

    def holding(self, text: str, about: str, effects: Collection[str] = ()) -> Sequence[Rule]:
        """The rules that hold for a text, the most severe first. `effects` are those of a command."""
        plain = normal(text)
        held = [
            rule
            for rule, holding, sparing in zip(self.rules, self._holding, self._sparing, strict=True)
            if about in rule.about
            and (not rule.effects or not set(rule.effects).isdisjoint(effects))
            and holding.stands(plain)
            and not sparing.stands(plain)
        ]
        return sorted(held, key=lambda rule: (-rule.severity, rule.name))

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


def normal(text: str) -> str:
    """A text as rules see it: one form of its characters, lower case, plain apostrophes, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold().split())
