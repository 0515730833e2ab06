"""Sentences that patterns of commands say, drawn at random, with the words of each slot."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import alejo_brain
import msgspec
from alejo_brain.grammar import _PART
from alejo_brain.languages import Way

_FOLDER = Path(alejo_brain.__file__).parent / "languages"
_SPECIAL = {
    "[word]": ("Anna", "Rex", "Mira", "Tom"),
    "[n]": ("3", "12", "20", "45"),
    "[clock]": ("9", "5pm", "18:30", "7am"),
    "[ordinal]": ("3rd", "21st"),
    "[year]": ("2019", "2031"),
    "[arrow]": ("->",),
    "[date]": ("3.4.", "12.05.2024"),
}
_OFTEN = {"": 1.0, "+": 1.0, "?": 0.35, "*": 0.3}  # how likely what a sign follows is said
_DEEP = 12
_LED, _TAILED, _LONGEST = 0.3, 0.15, 300

Fill = Mapping[tuple[str, str], Sequence[str]]  # what may stand in a slot of a command; ("", "") is for all others


class Said(msgspec.Struct, frozen=True):
    """A sentence, its command, and the arguments it stands for."""

    text: str
    command: str
    given: dict[str, str]
    slots: dict[str, str]


def sentences(language: str, fill: Fill, each: int, seed: int) -> Iterator[Said]:
    """Of each pattern of a language that is not asked back so many."""
    source = tomllib.loads((_FOLDER / f"{language}.toml").read_text("utf-8"))
    teller = _Teller(source, fill, random.Random(seed))
    for command, body in source.items():
        if isinstance(body, list):
            for way in msgspec.convert(body, list[Way]):
                for pattern in way.say if way.sure else ():
                    for _ in range(each):
                        said = teller.said(command, pattern)
                        if len(said[0].split()) > 2 and len(said[0]) <= _LONGEST:
                            yield Said(said[0], command, way.give, said[1])


class _Teller:
    """Says what a pattern may stand for."""

    def __init__(self, source: Mapping[str, Any], fill: Fill, chance: random.Random) -> None:
        self._source, self._fill, self._chance = source, fill, chance
        bodies = {name: body if isinstance(body, str) else "|".join(body) for name, body in source["classes"].items()}
        bodies |= {"number": "|".join(("[n]", *source["numbers"])), "cue": source["cue"]}
        self._classes = {name: f"({body})" for name, body in bodies.items()}

    def said(self, command: str, pattern: str) -> tuple[str, dict[str, str]]:
        """A sentence of a pattern, politely or not, and its slots."""
        words = self._read(pattern, command, 0)
        if self._chance.random() < _LED:
            words = self._read(self._chance.choice((self._source["lead"], self._source["asks"])), command, 0) + words
        if self._chance.random() < _TAILED:
            words += self._read(self._source["polite"], command, 0)
        text, slots, opened = "", {}, {}
        for word, slot in words:
            if slot and not word:
                if slot not in opened:
                    opened[slot] = len(text)
                elif text[opened[slot] :].strip():
                    slots[slot] = text[opened[slot] :].strip()
                continue
            text += word if not text or word in ",.:;!?)" else f" {word}"
        return text + self._chance.choice(("", "", ".", "?")), slots

    def _read(self, pattern: str, command: str, depth: int) -> list[tuple[str, str]]:
        parts = iter([part.groups() for part in _PART.finditer(pattern)])
        return self._spoken(_tree(parts), command, depth)

    def _spoken(self, rows: list[Any], command: str, depth: int) -> list[tuple[str, str]]:
        words: list[tuple[str, str]] = []
        for node, sign in self._chance.choice(rows):
            if self._chance.random() < _OFTEN[sign]:
                words += self._one(node, command, depth)
        return words

    def _one(self, node: Any, command: str, depth: int) -> list[tuple[str, str]]:
        sort, name, more = node
        if depth > _DEEP:
            return []
        if sort == "word":
            return [(self._chance.choice(_SPECIAL[name]) if name in _SPECIAL else name, "")]
        if sort == "group":
            within = self._spoken(more, command, depth + 1)
            return [("", name), *within, ("", name)] if name else within
        if sort == "class" or more:
            kind = more or name
            if kind == "any":
                free = self._chance.choice(self._fill["", ""]).split()[: self._chance.randint(1, 4)]
                within = [(word, "") for word in free]
            else:
                within = self._read(self._classes[kind], command, depth + 1)
        else:
            within = [(word, "") for word in self._chance.choice(self._filling(command, name)).split()]
        return within if sort == "class" else [("", name), *within, ("", name)]

    def _filling(self, command: str, slot: str) -> Sequence[str]:
        return self._fill.get((command, slot)) or self._fill["", ""]


def _tree(parts: Iterator[Any]) -> list[Any]:
    """What is between two parentheses: rows of nodes, each with the sign behind it."""
    rows: list[Any] = [[]]
    for slot, _, kind, opened, name, sign, word in parts:
        if sign in {")", "}"}:
            break
        if sign == "|":
            rows.append([])
        elif sign in {"?", "*", "+"}:
            rows[-1][-1] = (rows[-1][-1][0], sign)
        elif opened or sign == "(":
            rows[-1].append((("group", opened or "", _tree(parts)), ""))
        elif slot:
            rows[-1].append((("slot", slot, kind or ""), ""))
        elif name:
            rows[-1].append((("class", name, ""), ""))
        else:
            rows[-1].append((("word", word, ""), ""))
    return rows
