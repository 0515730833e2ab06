"""Which words of a message are a command's arguments, where no pattern says so: what remains after the asking words.

Each word is marked as the one argument, the other, or neither: the row of marks that scores best together (A. Viterbi,
1967), by weights of what a word is, what stands beside it and which mark is before, learned with an averaged perceptron
(M. Collins, 2002) by `alejo bench commands-fit`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zlib import crc32

from .grammar import Tokens
from .ideas import ideas

BITS = 15
NONE, ONE, OTHER = MARKS = (0, 1, 2)
SLOTS: dict[str, tuple[str, ...]] = {
    "remember": ("text",),
    "recall": ("query",),
    "forget": ("query",),
    "date": ("question",),
    "remind": ("text", "when"),
    "correct": ("new", "old"),
}
LONGEST = 80  # words that are looked at
_EDGE = " ,;:.!?¿¡\"'“”„«»()\u2013\u2014-।"
_CLOSE = 3  # words from either end whose place counts


class Spans:
    """Finds arguments."""

    def __init__(self, table: bytes) -> None:
        self._table = memoryview(table).cast("b")

    def found(self, command: str, text: str) -> dict[str, str]:
        """The arguments of a command that a text has, as they stand in it."""
        tokens = Tokens(text, 0, len(text))
        words = tokens.words[:LONGEST]
        marks = self._marks(command, words)
        given = {}
        for mark, slot in enumerate(SLOTS.get(command, ()), 1):
            begin, end = _longest(marks, mark)
            said = text[tokens.spans[begin][0] : tokens.spans[end - 1][1]].strip(_EDGE) if end > begin else ""
            if said:
                given[slot] = said
        return given

    def _marks(self, command: str, words: Sequence[str]) -> list[int]:
        scores = [
            [sum(self._table[3 * place + mark] for place in places) for mark in MARKS]
            for places in map(list, features(command, words))
        ]
        steps = [[self._table[3 * place + mark] for mark in MARKS] for place in transitions(command)]
        return best(scores, steps)


def features(command: str, words: Sequence[str]) -> Iterator[Iterator[int]]:
    """The places in the table of what is known of each word."""
    about = [ideas(word)[:2] for word in words]
    said = ["<", "<", *words, ">", ">"]
    meant = [("<",), *about, (">",)]
    for at, word in enumerate(words):
        before, after = said[at + 1], said[at + 3]
        known = [
            f"w{word}", f"b{before}", f"a{after}", f"bw{before} {word}", f"wa{word} {after}",
            f"bb{said[at]}", f"aa{said[at + 4]}", f"f{min(at, _CLOSE)}", f"l{min(len(words) - at, _CLOSE)}",
            *(f"i{idea}" for idea in meant[at + 1]), *(f"ib{idea}" for idea in meant[at]),
            *(f"ia{idea}" for idea in meant[at + 2]),
        ]  # fmt: skip
        yield (crc32(f"{command} {each}".encode()) >> 32 - BITS for each in known)


def transitions(command: str) -> list[int]:
    """The places in the table of which mark was before; at the beginning, none."""
    return [crc32(f"{command} after {mark}".encode()) >> 32 - BITS for mark in MARKS]


def best(scores: Sequence[Sequence[float]], steps: Sequence[Sequence[float]]) -> list[int]:
    """The row of marks that scores best."""
    totals: list[float] = [steps[NONE][mark] + score for mark, score in enumerate(scores[0])] if scores else []
    came: list[list[int]] = []
    for here in scores[1:]:
        froms = [max(MARKS, key=lambda before: totals[before] + steps[before][mark]) for mark in MARKS]
        totals = [totals[froms[mark]] + steps[froms[mark]][mark] + here[mark] for mark in MARKS]
        came.append(froms)
    marks = [max(MARKS, key=lambda mark: totals[mark])] if scores else []
    for froms in reversed(came):
        marks.append(froms[marks[-1]])
    return marks[::-1]


def _longest(marks: Sequence[int], wanted: int) -> tuple[int, int]:
    """The longest run of a mark: where it begins and ends."""
    most, begin = (0, 0), 0
    for at in range(len(marks) + 1):
        if at == len(marks) or marks[at] != wanted:
            most = max(most, (begin, at), key=lambda run: run[1] - run[0])
            begin = at + 1
    return most
