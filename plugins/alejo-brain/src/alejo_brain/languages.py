"""The languages in which commands are understood: data, a file each in the folder `languages`.

lead, asks      what may stand before a command; `asks` makes a request of a question
tail, remark    what may stand after it, and how a sentence begins that is no part of it
joins           after which words a command may begin in the middle of a sentence
keys, others    words that are recognised with a typing mistake, and those that only look like one
short           other spellings of a word
yes, no         how a question is answered
classes         names for patterns; a table gives what each word stands for
ask             how to ask back about a command
[[NAME]]        how the command NAME is asked for, see `Way`
"""

# ruff: noqa: RUF001  marks of several scripts stand here
from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import msgspec
from rapidfuzz.distance import OSA

from alejo.types import CommandSpec

from .arithmetic import Numbers
from .grammar import Pattern, Patterns, Tokens, compiled, fold

_ANSWER = 60  # characters of the longest message that may be a yes or a no
_FOLDER = Path(__file__).parent / "languages"
_NOTATION = re.compile(r"[()|?*+<>]")
_CHOICE = re.compile(r"[()?*+<>{}]")
_SLOT = re.compile(r"\{(\w+)\}")
_NUMBERS = frozenset({"integer", "number"})
_PLUGINS = 1000  # commands whose phrases are kept compiled
_WORDS = 4096  # words whose correction is kept
_KEY = 4  # letters of the shortest word that is recognised with a mistake


class Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Patterns of one kind for a command.

    `give` are arguments these stand for, `deny` words that cannot be an argument, with "*" what begins or ends so.
    `inside`: it may begin in the middle of a sentence; `remarks`: a remark may follow; `alone`: it is all of the
    message; `asked`: a question of this form is meant so, too; `pair`: it may take two sentences; `next`: the argument
    that the next sentence is; `whole`: the argument that goes to the end of the sentence, remarks or not; `sure`: not
    asked back.
    """

    say: list[str]
    give: dict[str, str] = {}
    deny: list[str] = []
    inside: bool = True
    remarks: bool = True
    alone: bool = False
    asked: bool = True
    pair: bool = False
    next: str = ""
    whole: str = ""
    sure: bool = True


_PLAIN = Way([])


class Form(msgspec.Struct, frozen=True):
    """A pattern with the way it belongs to."""

    command: str
    way: Way
    pattern: Pattern
    deny: frozenset[str]

    def denies(self, words: str) -> bool:
        """Whether folded words cannot be an argument."""
        return words in self.deny or any(
            words.startswith(each[:-1]) if each.endswith("*") else each[:1] == "*" and words.endswith(each[1:])
            for each in self.deny
        )


class Forms:
    """The ways of asking for one thing, which are compiled when they are first asked."""

    def __init__(self, forms: Sequence[Form]) -> None:
        self._forms = forms
        self._patterns = Patterns([form.pattern for form in forms])

    def fitting(self, folded: str) -> list[Form]:
        """Those by which it may be asked for in some folded words."""
        return [self._forms[place] for place in self._patterns.matching(folded)]


class Language:
    """One language, compiled as far as it was asked for."""

    def __init__(self, code: str, source: Mapping[str, Any]) -> None:
        self.code = code
        self.classes: dict[str, str] = {"any": r" [^ ].*?"}
        self.values: dict[str, dict[str, str]] = {}
        self._forms: dict[str, Forms] = {}
        self._phrases: dict[CommandSpec, Forms] = {}
        self.numbers = Numbers(
            {fold(word): value for word, value in source["numbers"].items()},
            {fold_all(word): sign for word, sign in source["operators"].items()},
            source["point"],
            source.get("link", ""),
        )
        self.classes["number"] = self._compiled(f"(minus)? ([n]|({'|'.join(self.numbers.words())})+)")
        for name, body in source["classes"].items():
            words = body if isinstance(body, str) else "|".join(sorted(body, key=len, reverse=True))
            if isinstance(body, dict):
                self.values[name] = {fold_all(word): value for word, value in body.items()}
            self.classes[name] = self._compiled(f"({words})")
        self.lead = Pattern(f"({source['lead']}|{source['asks']})", self.classes, open_end=True)
        self.asks = Pattern(source["asks"], self.classes, open_end=True)
        self.yes, self.no = (Pattern(f"({source[name]})+", self.classes) for name in ("yes", "no"))
        self.prepositions = frozenset(map(fold, source["prepositions"].split()))
        self.joins = frozenset(source["joins"].split())
        self.ask: dict[str, str] = source["ask"]
        self._short = {fold(word): fold(other) for word, other in source["short"].items()}
        self._keys = {fold(word) for word in source["keys"].split()}
        self._others = {fold(word) for word in source["others"].split()}
        self.corrected = lru_cache(_WORDS)(self._correct)
        tail, polite = (f"(?:{self._compiled(source[name])})*" for name in ("tail", "polite"))
        remark = rf"(?: [,.;:(!?–—-]+(?:{self._compiled(source['remark'])})(?: .*)?)?"
        self._ends = tail, polite, remark
        self.classes["cue"] = self._compiled(f"({source['cue']})")
        self.cue = Pattern(source["cue"], self.classes, open_end=True)
        self.sum_end = Pattern(source["sum_end"], self.classes, tail)
        self._sums = source["sums"]
        self._ways = {name: body for name, body in source.items() if isinstance(body, list)}
        self.known = frozenset({*self._ways, "calculate"})  # the commands whose phrases stand here

    @cached_property
    def sums(self) -> tuple[Patterns, list[tuple[Pattern, str]]]:
        """The sums in words, each with its expression."""
        sums = [(Pattern(said, self.classes, self._ends[0]), given) for said, given in self._sums.items()]
        return Patterns([pattern for pattern, _ in sums]), sums

    def forms(self, command: str) -> Forms:
        """How a command is asked for."""
        if command not in self._forms:
            ways = msgspec.convert(self._ways.get(command, []), list[Way])
            self._forms[command] = Forms([form for way in ways for form in self._of(command, way)])
        return self._forms[command]

    def _of(self, command: str, way: Way) -> Iterator[Form]:
        deny = frozenset(map(fold_all, way.deny))
        for said in way.say:
            yield Form(command, way, self.pattern(said, way), deny)

    def _compiled(self, body: str) -> str:
        return compiled(body, self.classes, {})

    def pattern(self, said: str, way: Way, classes: Mapping[str, str] | None = None) -> Pattern:
        """A pattern with what may follow it."""
        classes = classes or self.classes
        tail, polite, remark = self._ends
        if way.whole or not way.remarks:
            return Pattern(said, classes, polite if way.whole else tail)
        # After free words only what begins like a remark is one.
        is_free = said.endswith("}") and not said.endswith("!}")
        return Pattern(said, classes, tail, remark if is_free else r"(?: [,.;(!?–—-](?: .*)?)?")

    def phrases(self, spec: CommandSpec) -> Forms:
        """The ways in which a plugin says that its command is asked for."""
        if spec not in self._phrases:
            if len(self._phrases) > _PLUGINS:
                self._phrases.clear()
            said = [_NOTATION.sub(" ", phrase) for phrase in spec.phrases]
            classes = self.classes | {f"argument_{name}": body for name, body in self._sorts(spec).items()}
            strict = [_SLOT.sub(lambda slot: _sorted(slot[1], classes), phrase) for phrase in said]
            self._phrases[spec] = Forms(
                [
                    Form(spec.name, _PLAIN, self.pattern(phrase, _PLAIN, classes), frozenset())
                    for phrase in dict.fromkeys((*strict, *said))
                ]
            )
        return self._phrases[spec]

    def _sorts(self, spec: CommandSpec) -> dict[str, str]:
        """What the arguments of a command may be, of those for which the schema tells it in words."""
        wanted = msgspec.json.decode(spec.schema).get("properties", {}) if spec.schema else {}
        counted = [name for name, each in wanted.items() if _type(each) in _NUMBERS]
        choices = {name: "|".join(map(str, each["enum"])) for name, each in wanted.items() if _type(each) == "enum"}
        numbers = dict.fromkeys(counted, self.classes["number"])
        return numbers | {name: self._compiled(f"({_CHOICE.sub(' ', body)})") for name, body in choices.items()}

    def _correct(self, word: str) -> str:
        """A folded word, or the key word that it is a mistyped form of: one letter off, or two that changed places."""
        word = self._short.get(word, word)
        if len(word) < _KEY or word in self._keys or word in self._others:
            return word
        for key in self._keys:
            if key[0] == word[0] and abs(len(key) - len(word)) <= 1 and OSA.distance(key, word, score_cutoff=1) <= 1:
                return key
        return word


def _type(schema: object) -> str:
    """What sort of value a schema wants, as far as patterns know it."""
    if not isinstance(schema, dict):
        return ""
    return "enum" if "enum" in schema else str(schema.get("type", ""))


def _sorted(slot: str, classes: Mapping[str, str]) -> str:
    return f"{{{slot}:argument_{slot}}}" if f"argument_{slot}" in classes else f"{{{slot}}}"


def fold_all(words: str) -> str:
    """Folded words."""
    return " ".join(map(fold, words.split()))


@cache
def language_of(code: str) -> Language:
    """A language by its code; reading one takes some hundredths of a second, once."""
    return Language(code, tomllib.loads((_FOLDER / f"{code}.toml").read_text("utf-8")))


@cache
def languages() -> dict[str, Language]:
    """All languages by their code."""
    return {path.stem: language_of(path.stem) for path in sorted(_FOLDER.glob("*.toml"))}


def agreed(text: str) -> bool | None:
    """Whether a message says yes or no and nothing else."""
    for language in languages().values() if len(text) <= _ANSWER else ():
        tokens = Tokens(text, 0, len(text))
        first = next((place for place, word in enumerate(tokens.words) if word[0].isalnum()), -1)
        if first >= 0 and language.no.match(tokens, first) is not None:
            return False
        if first >= 0 and language.yes.match(tokens, first) is not None:
            return True
    return None
