"""The words that carry feeling, and those that turn or scale them, read once from the package's tables."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

import msgspec

# Words with their apostrophes, emoticons, single emojis and other signs; runs of "!" stay together.
TOKEN = re.compile(
    r"<3|\\o/|>?[:;=][-']?[()\[\]dDpPoO/\\](?![\w/])|[^\W_]+(?:['-][^\W_]+)*|!+|[.,;:?…\n]|"
    r"[\u2600-\u27bf\u2b50\U0001f300-\U0001faff](?:\u200d[\u2600-\u27bf\u2b50\U0001f300-\U0001faff])*"
)


class Entry(msgspec.Struct, frozen=True):
    """How a word or phrase feels; the emotions with their shares of its strength."""

    valence: float
    arousal: float
    emotions: tuple[tuple[str, float], ...]


class Lexicon(msgspec.Struct, frozen=True):
    """Entries by their tokens, the longest phrase that begins with each token, negations, and factors."""

    entries: dict[tuple[str, ...], Entry]
    longest: dict[str, int]
    negations: frozenset[str]
    factors: dict[tuple[str, ...], float]


def tokens(text: str) -> list[str]:
    """A text's tokens as written, with one kind of apostrophe."""
    return TOKEN.findall(text.replace("\u2019", "'"))


def _rows(name: str) -> list[list[str]]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def _emotions(column: str) -> tuple[tuple[str, float], ...]:
    named = (part.partition(":") for part in column.split() if part != "-")
    return tuple((name, float(share or 1.0)) for name, _, share in named)


@cache
def lexicon() -> Lexicon:
    """The tables. Raises ValueError when a form is not one that the tokens of a text can spell."""
    entries: dict[tuple[str, ...], Entry] = {}
    longest: dict[str, int] = {}
    for forms, valence, arousal, emotions in _rows("lexicon.tsv"):
        entry = Entry(float(valence), float(arousal), _emotions(emotions))
        for form in forms.split("|"):
            key = tuple(token.lower() for token in tokens(form))
            if "".join(key) != form.lower().replace(" ", ""):
                raise ValueError(f"lexicon.tsv: {form!r} cannot be found in a text")
            entries[key] = entry
            longest[key[0]] = max(longest.get(key[0], 1), len(key))
    modifiers = {tuple(word.split()): kind for word, kind in _rows("modifiers.tsv")}
    return Lexicon(
        entries=entries,
        longest=longest,
        negations=frozenset(key[0] for key, kind in modifiers.items() if kind == "negate"),
        factors={key: float(kind) for key, kind in modifiers.items() if kind != "negate"},
    )
