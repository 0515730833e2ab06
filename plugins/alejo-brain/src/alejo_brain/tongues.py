"""What the brain knows of languages: how questions are asked, what words do, what it says. A language is a file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .kept import kept

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_ENOUGH = 3  # words of a text that tell its language
_THING = r"(?P<thing>[\w' .-]{2,40}?)\s*\?*$"
_TIME = r"(?P<time>[\w' ,.-]{3,60}?)"
# What may be asked for, in the order in which a language tells them apart; "" for nothing that is known.
KINDS = ("when", "long", "count", "who", "why", "where", "whether", "how", "what", "")


class Tongue:
    """One language: sets of words by what they do, patterns of questions, and sentences."""

    def __init__(self, path: Path) -> None:
        data = tomllib.loads(path.read_text("utf-8"))

        def words(name: str) -> frozenset[str]:
            return frozenset(str(data[name]).split())

        self.code = path.stem
        self.articles, self.being, self.breaks = words("articles"), words("being"), words("breaks")
        self.common, self.empty, self.fillers = words("common"), words("empty"), words("fillers")
        self.first, self.kin, self.negations = words("first"), words("kin"), words("negations")
        self.doubts, self.formerly = words("doubts"), words("formerly")
        self.numbers, self.places, self.reasons = words("numbers"), words("places"), words("reasons")
        self.units = words("units")
        self.timely = self.units | words("times")
        self.small = self.common | self.articles | self.breaks | self.first
        self.endings = tuple(str(data["endings"]).split())
        self.verb = re.compile(data["verb"])
        self.kinds = [(str(kind), re.compile(str(body), re.IGNORECASE)) for kind, body in data["kinds"].items()]
        self.several = re.compile(data["several"]["match"], re.IGNORECASE)
        whose = {name: str(data["asked"][name]) for name in ("whose", "whose's")}
        self.before, self.after, self.past, self.polite = (
            re.compile(data["asked"][name], re.IGNORECASE) for name in ("before", "after", "past", "polite")
        )
        slots = whose | {"thing": _THING}
        self.told = [re.compile(_filled(body, {"time": _TIME}), re.IGNORECASE) for body in data["asked"]["told"]]
        self.spans = [
            (str(kind), str(relation), re.compile(_filled(body, slots), re.IGNORECASE))
            for kind, relations in data["spans"].items()
            for relation, bodies in relations.items()
            for body in bodies
        ]
        self.facts = [
            (str(relation), re.compile(_filled(body, whose), re.IGNORECASE))
            for relation, bodies in data["facts"].items()
            for body in bodies
        ]
        self.roles: dict[str, str] = data["roles"]
        self.head = re.compile(data["head"]["match"], re.IGNORECASE)
        self.times, self.numbered = (re.compile(data["several"][name], re.IGNORECASE) for name in ("times", "numbered"))
        self.ways = {str(name): re.compile(body, re.IGNORECASE) for name, body in data["ways"].items()}
        self.painful = re.compile(data["painful"]["match"], re.IGNORECASE)
        self.answers: dict[str, str] = data["answers"]
        self.dates: dict[str, str] = data["dates"]
        self.ago, self.clock = (re.compile(self.dates[name], re.IGNORECASE) for name in ("ago", "clock"))
        lines = data["says"] | data["sympathy"] | data["courtesies"]
        self.says: dict[str, tuple[str, ...]] = {
            name: (said,) if isinstance(said, str) else tuple(said) for name, said in lines.items()
        }
        self._turned: dict[str, dict[str, str]] = data["turned"]
        self._turns = {
            whose: re.compile(
                rf"\b(?:{'|'.join(sorted(map(re.escape, words), key=len, reverse=True))})\b", re.IGNORECASE
            )
            for whose, words in self._turned.items()
            if words
        }

    def stem(self, word: str) -> str:
        """A word in small letters without the commonest endings, so that "moved" meets "moving"."""
        for ending in self.endings:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word[: -len(ending)]
                break
        return word[:-1] if len(word) > 4 and word[-1] == word[-2] else word

    def number(self, count: int) -> str:
        """A number from 2 on in words, as far as people say it so."""
        words = self.answers["numbers"].split()
        return words[count - 2] if count - 2 < len(words) else str(count)

    def turned(self, text: str, whose: str) -> str:
        """What somebody said of themselves, as it is said to them (`whose` is "user") or of them ("other")."""
        if whose not in self._turns:
            return text
        words = self._turned[whose]
        return self._turns[whose].sub(lambda match: words[match[0].lower()], text.replace("\u2019", "'"))


def _filled(body: str, slots: dict[str, str]) -> str:
    for name, words in slots.items():
        body = body.replace(f"{{{name}}}", words)
    return body


@cache
def tongues() -> dict[str, Tongue]:
    """The languages by their codes."""
    return {path.stem: Tongue(path) for path in sorted((Path(__file__).parent / "tongues").glob("*.toml"))}


def english() -> Tongue:
    """The language in which is spoken where no other is known."""
    return tongues()["en"]


@kept(256)
def spoken(text: str) -> Tongue:
    """The language that most of a text's common words are of; English, where none says."""
    said = _WORD.findall(text.lower())
    return max(tongues().values(), key=lambda each: (sum(word in each.common for word in said), each.code == "en"))


def preferred(language: str, text: str, before: Iterable[str] = ()) -> Tongue:
    """The language of a tag of BCP 47; where it names none that is known, that of a text.

    Too short a text is read behind what its speaker said `before`: "no" is a word of several languages.
    """
    known = tongues().get(language.partition("-")[0].lower())
    return known or spoken(text if len(_WORD.findall(text)) >= _ENOUGH else " ".join([*before, text]))
