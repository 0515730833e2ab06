"""The words that carry feeling, and those that turn or scale them, read once from the package's tables."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from alejo import PhraseFinder

REACH = 3  # how many words back a negation or an intensifier still counts


class Entry(msgspec.Struct, frozen=True):
    """How a word or phrase feels; the emotions with their shares of its strength."""

    valence: float
    arousal: float
    emotions: tuple[tuple[str, float], ...]


class Modifier(msgspec.Struct, frozen=True):
    """What a word or phrase does to the feeling that follows: it negates it, or multiplies it by a factor."""

    words: str
    negates: bool
    factor: float


class Lexicon(msgspec.Struct, frozen=True):
    """Entries by their forms, and modifiers, in the order of the lists that are looked for in texts."""

    entries: dict[str, Entry]
    modifiers: tuple[Modifier, ...]
    finder: PhraseFinder


def _rows(name: str) -> list[list[str]]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def _emotions(column: str) -> tuple[tuple[str, float], ...]:
    named = (part.partition(":") for part in column.split() if part != "-")
    return tuple((name, float(share or 1.0)) for name, _, share in named)


@cache
def lexicon() -> Lexicon:
    """The tables. Raises InvalidValue when a form is not one that the tokens of a text can spell."""
    entries: dict[str, Entry] = {}
    for forms, valence, arousal, emotions in _rows("lexicon.tsv"):
        entries |= dict.fromkeys(forms.split("|"), Entry(float(valence), float(arousal), _emotions(emotions)))
    modifiers = tuple(
        Modifier(words, kind == "negate", 1.0 if kind == "negate" else float(kind))
        for words, kind in _rows("modifiers.tsv")
    )
    return Lexicon(entries, modifiers, PhraseFinder(list(entries), [each.words for each in modifiers], REACH))
