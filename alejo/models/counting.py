"""What a text may cost in tokens at most, by what it is made of.

A tokenizer of bytes never makes more tokens than there are bytes, and that is what is taken where nothing is known of
a model. What is known is a rate for each kind of text: for words of the Latin alphabet and what stands between them by
the pieces of a word list (BERT's, which ships; J. Devlin et al., 2018), as words that people use are in other lists
too and letters by chance in none; for all beyond ASCII by its bytes, a kind for each page of Unicode.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

from alejo._core import WordPiece
from alejo.embedding import SHIPPED
from alejo.errors import StartupError

Count = Callable[[str], int]
Made = dict[str, tuple[float, int]]  # of each kind of text: its units, and the most tokens it can have

PLAIN = "plain"
_WORD = re.compile(r"(?<![^\W_])[A-Za-z][a-z]{0,23}(?![^\W_])")
_SPACE = re.compile(r" (?=[A-Za-z])")  # which a word takes along
_ALONE = re.compile(r"(?<![^\W_])[b-zB-HJ-Z](?![^\W_])")  # a letter that is no word
_PAGE = 8  # bits of a code point within its page
_MANY = (("han", 0x2E80, 0xA000), ("hangul", 0xAC00, 0xD800), ("rare", 0x10000, 0x110000))


class _Words:
    """How many pieces words have, and how many of them have several: those bring their space apart."""

    def __init__(self, vocabulary: Path) -> None:
        lines = vocabulary.read_text("utf-8").splitlines()
        self._inner = [line.startswith("##") for line in lines]
        self._pieces = WordPiece(vocabulary)

    def units(self, words: str) -> int:
        """The pieces, and one for each word that is none itself."""
        inner = [self._inner[each] for each in self._pieces.ids(words)]
        return len(inner) + sum(after and not before for before, after in pairwise(inner))


@functools.cache
def _words() -> _Words:
    return _Words(SHIPPED / "vocab.txt")


def made(text: str) -> Made:
    """What a text is made of."""
    found: Made = {}
    beyond = Counter() if text.isascii() else Counter(char for char in text if char > "\x7f")
    plain = len(text) - beyond.total()
    if plain:
        words = _WORD.findall(text)
        between = plain - sum(map(len, words)) - len(_SPACE.findall(text))
        found[PLAIN] = (_words().units(" ".join(words)) + len(_ALONE.findall(text)) + max(between, 0), plain)
    for char, times in beyond.items():
        size = times * len(char.encode("utf-8", "surrogatepass"))
        kind = _kind(ord(char))
        units, most = found.get(kind, (0.0, 0))
        found[kind] = (units + size, most + size)
    return found


def together(parts: Iterable[Made]) -> Made:
    """What several texts are made of."""
    total: Made = {}
    for each in parts:
        for kind, (units, most) in each.items():
            before = total.get(kind, (0.0, 0))
            total[kind] = (before[0] + units, before[1] + most)
    return total


def _kind(code: int) -> str:
    return next((name for name, first, end in _MANY if first <= code < end), f"{code >> _PAGE:02x}")


def exact(lines: list[str]) -> dict[str, Count]:
    """What counts the tokens of models, as lines such as "llama3 /models/llama3/tokenizer.json" name it.

    Raises StartupError for a line that is none, a file that cannot be read, and where the library is missing.
    """
    if not lines:
        return {}
    try:
        import tokenizers  # noqa: PLC0415  an extra
    except ImportError:
        why = "model.tokenizers needs the library tokenizers."
        raise StartupError(why, hint="pip install 'alejo[tokenizers]'", exit_code=78) from None
    counts: dict[str, Count] = {}
    for line in lines:
        model, _, file = line.partition(" ")
        try:
            if not file.strip():
                raise ValueError("it names no file")
            counts[model] = _counting(tokenizers.Tokenizer.from_file(file.strip()))
        except Exception as error:  # noqa: BLE001  the library raises what it likes
            why = f"model.tokenizers: {line!r} cannot be used: {error}"
            hint = 'Write it as "MODEL FILE", such as "llama3 /models/llama3/tokenizer.json".'
            raise StartupError(why, hint=hint, exit_code=78) from None
    return counts


def _counting(tokenizer: object) -> Count:
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)  # type: ignore[attr-defined]
