"""Words that nobody else says, and the search for them in whatever form they may have been written."""

from __future__ import annotations

import base64
import random
import string
from pathlib import Path


class Canaries:
    """Words that all begin with one marker of this run. The marker is searched, so a part of a word is found too."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.marker = self._letters(10)
        self.needles = forms(self.marker)
        self.words: list[str] = []

    def _letters(self, count: int) -> str:
        # Without vowels there is nothing to stem, and no word of any language.
        return "".join(self._chance.choices("bcdfghjklmnpqrstvwxz", k=count))

    def word(self) -> str:
        """A new one."""
        self.words.append(self.marker + self._letters(10))
        return self.words[-1]

    def seen(self, data: bytes) -> list[str]:
        """The forms in which one is in `data`."""
        small = data.lower()
        return [form for form, needle in self.needles.items() if needle in (data if "base64" in form else small)]

    def found(self, folder: Path) -> dict[str, list[str]]:
        """Every file below a folder that holds one, and in which forms; file names count too."""
        found = {}
        for path in folder.rglob("*"):
            data = str(path).encode() + b"\n" + (path.read_bytes() if path.is_file() else b"")
            if forms_seen := self.seen(data):
                found[str(path.relative_to(folder))] = forms_seen
        return found


CASES = (str.lower, str.upper, str.capitalize)


def forms(word: str) -> dict[str, bytes]:
    """A word of small ASCII letters in each encoding; all but base64 are searched in small letters."""
    found = {encoding: word.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")}
    for case in CASES:
        data = case(word).encode()
        found[f"hex {case.__name__}"] = data.hex().encode()
        for before in range(3):
            # The first and last characters depend on what stands beside the word.
            coded = base64.b64encode(b"\0" * before + data).rstrip(b"=")
            found[f"base64 {case.__name__} {before}"] = coded[-(-before * 4 // 3) : -1]
    return found


def garble(word: str, form: str) -> bytes:
    """The word amid others, written in the form that `Canaries.seen` calls by this name."""
    kind, *how = form.split()
    if not how:
        return f"It is {string.capwords(word)}, they say.".encode(form)
    text = f"It is {getattr(word, how[0])()}, they say.".encode()
    return base64.b64encode(b"-" * int(how[1]) + text) if kind == "base64" else text.hex().upper().encode()
