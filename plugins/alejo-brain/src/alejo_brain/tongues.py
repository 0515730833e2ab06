"""What the brain knows of languages: how questions are asked, what words do. A language is a file in `tongues`."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
# What may be asked for, in the order in which a language tells them apart; "" for nothing that is known.
KINDS = ("when", "long", "count", "who", "why", "where", "whether", "how", "what", "")
_SETS = (
    "articles",
    "being",
    "breaks",
    "common",
    "fillers",
    "first",
    "kin",
    "negations",
    "numbers",
    "places",
    "reasons",
)


class Tongue:
    """One language."""

    def __init__(self, path: Path) -> None:
        data = tomllib.loads(path.read_text("utf-8"))
        self.code = path.stem
        self.articles, self.being, self.breaks, self.common, self.fillers = (words(data[n]) for n in _SETS[:5])
        self.first, self.kin, self.negations, self.numbers, self.places, self.reasons = (
            words(data[name]) for name in _SETS[5:]
        )
        self.units = words(data["units"])
        self.empty = words(data["empty"])
        self.times = self.units | words(data["times"])
        self.small = self.common | self.articles | self.breaks | self.first
        self.endings = tuple(str(data["endings"]).split())
        self.verb = re.compile(data["verb"])
        self.kinds = [(str(kind), re.compile(str(body), re.IGNORECASE)) for kind, body in data["kinds"].items()]
        self.answers: dict[str, str] = data["answers"]
        self.dates: dict[str, str] = data["dates"]
        self.turned: dict[str, dict[str, str]] = data["turned"]
        self.ago = re.compile(self.dates["ago"], re.IGNORECASE)
        self.several = re.compile(data["several"]["match"], re.IGNORECASE)

    def stem(self, word: str) -> str:
        """A word in small letters without the commonest endings, so that "moved" meets "moving"."""
        for ending in self.endings:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word[: -len(ending)]
                break
        return word[:-1] if len(word) > 4 and word[-1] == word[-2] else word


def words(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


@cache
def tongues() -> dict[str, Tongue]:
    """The languages by their codes."""
    return {path.stem: Tongue(path) for path in sorted((Path(__file__).parent / "tongues").glob("*.toml"))}


def spoken(text: str) -> Tongue:
    """The language that most of a text's common words are of; English, where none says."""
    said = _WORD.findall(text.lower())
    return max(tongues().values(), key=lambda each: (sum(word in each.common for word in said), each.code == "en"))
