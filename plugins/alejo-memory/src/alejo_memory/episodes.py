"""Episodes: a session in parts, each with a title and a summary in the words that were said.

A part ends where nothing was said for an hour, or where the topic changes: at the gap between two messages about which
the messages before and behind mean the least alike, by the depth score of TextTiling (Hearst 1997), here of vectors in
the place of words. A summary is made of the clauses that together tell most for their length (budgeted maximum
coverage, greedily: Filatova and Hatzivassiloglou 2004), under who said them, in their order. What is said next may join
the last part, which is then made anew.
"""

from __future__ import annotations

import asyncio
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import sqrt
from operator import mul
from typing import NamedTuple

from alejo.roles import Work
from alejo.types import EpisodeDraft, Findings, Mention, Said

from .reading import Sort, sort
from .telling import Telling, clauses, content

FEWEST = 3  # messages of an episode: what is less stands for itself
_LEAST, _MOST = 5, 20  # messages between two changes of topic
_WINDOW = 3  # messages that are compared on each side of a gap
_DEPTH = 0.5  # of a change of topic
_NUMBERS = 64  # of a vector that are compared; the first tell most
_PAUSE = 3_600_000_000  # µs
_LONGEST, _SHORTEST = 60, 16  # words of a summary
_SHARE = 0.085  # of the words that were said
_TITLE = 4  # words
_AT_HAND = 1024  # messages whose clauses are kept
_TELLING = 2  # words that tell something, at least, in a clause of a summary
_NAMED = 1.0
_NAMES = re.compile(r"(?<=[\w,] )[A-Z]\w+|\d+")
_AGAIN, _OWN, _FIXED = 0.3, 1.3, 3  # what a word is worth that is said again, and what one tells of oneself; words
_PLAIN, _FELT, _NEW = 0.3, 0.4, 0.2  # what an episode matters at least, and by what was felt and how new it is


class _Line(NamedTuple):
    """A clause that may stand in a summary: whose it is, its place, and the words that tell something."""

    speaker: str
    place: int
    text: str
    words: frozenset[str]
    names: int  # of these, how many are names or numbers
    own: bool  # what its speaker tells of themselves
    length: int


class Episodic:
    """The reflector of what happened."""

    name = "episodic"
    wants = ("appraisals", "episode", "meaning", "times")

    async def reflect(self, work: Work) -> Findings:
        """See Reflector."""
        of_it = frozenset(work.episode.sources if work.episode else ())
        waiting = [each for each in work.earlier if each.message.id in of_it or each.message.seq > work.told]
        said = [each for each in (*waiting, *work.messages) if each.message.id in of_it or _tells(each)]
        drafts: list[EpisodeDraft] = []
        parts = list(_parts(said))
        for part in parts:
            goes_on = not of_it.isdisjoint(each.message.id for each in part)
            replaces = work.episode.id if work.episode and goes_on and not drafts else ""
            await asyncio.sleep(0)  # many parts must not stop the others
            if goes_on or len(part) >= FEWEST:
                drafts.append(_draft(part, replaces, open=part is parts[-1]))
        return Findings(tuple(each for each in drafts if each.summary))


def _tells(said: Said) -> bool:
    return bool(said.memories) and sort(said.message.text) in (Sort.STATEMENT, Sort.QUESTION)


def _parts(said: Sequence[Said]) -> Iterator[list[Said]]:
    """The messages in parts, by the pauses between them and the topics they have."""
    start = 0
    for place, (before, after) in enumerate(pairwise(said), 1):
        if not 0 <= after.message.sent_at - before.message.sent_at <= _PAUSE:
            yield from _topics(said[start:place])
            start = place
    yield from _topics(said[start:])


def _topics(said: Sequence[Said]) -> Iterator[list[Said]]:
    """The messages between two pauses in parts of one topic each; what may still belong to the last is in it."""
    start = 0
    alike = _cohesion(said)
    while (end := _change(alike, start, len(said))) is not None:
        yield list(said[start:end])
        start = end
    if said[start:]:
        yield list(said[start:])


def _change(alike: Sequence[float], start: int, end: int) -> int | None:
    """Where the topic changes first behind `start`, if it does; what gets too long ends where it changes most."""
    deepest, where = 0.0, None
    for place in range(start + _LEAST, min(end - _WINDOW, start + _MOST) + 1):
        depth = _depth(alike[start + 1 : min(end, start + _MOST + _WINDOW)], place - start - 1)
        if depth > deepest:
            deepest, where = depth, place
    return where if where is not None and (deepest >= _DEPTH or end - start >= _MOST + _WINDOW) else None


def _depth(alike: Sequence[float], place: int) -> float:
    """How much less alike both sides of a gap are than where they are most alike to its left and right."""
    left = right = alike[place]
    for each in reversed(alike[:place]):
        if each < left:
            break
        left = each
    for each in alike[place + 1 :]:
        if each < right:
            break
        right = each
    return left + right - 2 * alike[place]


def _cohesion(said: Sequence[Said]) -> list[float]:
    """For each message how much alike those before it and those from it on mean, -1 to 1."""
    vectors = [
        array("f", each.meaning)[:_NUMBERS] if each.meaning else array("f", bytes(4 * _NUMBERS)) for each in said
    ]
    found = [0.0]
    for place in range(1, len(said)):
        before = _sum(vectors[max(0, place - _WINDOW) : place])
        found.append(_cosine(before, _sum(vectors[place : place + _WINDOW])))
    return found


def _sum(vectors: Sequence[array[float]]) -> list[float]:
    return [sum(column) for column in zip(*vectors, strict=True)]


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    size = sqrt(sum(map(mul, one, one)) * sum(map(mul, other, other)))
    return sum(map(mul, one, other)) / size if size else 0.0


def _draft(part: Sequence[Said], replaces: str, *, open: bool) -> EpisodeDraft:  # noqa: A002
    lines = list(_lines(part))
    counts = Counter(word for line in lines for word in line.words)
    spoken = sum(len(each.message.text.split()) for each in part)
    chosen = _choose(lines, counts, max(_SHORTEST, min(_LONGEST, round(spoken * _SHARE))))
    return EpisodeDraft(
        _title(chosen, counts),
        _written(chosen),
        tuple(each.message.id for each in part),
        _importance(part),
        replaces,
        open=open,
    )


def _lines(part: Sequence[Said]) -> Iterator[_Line]:
    names = {name for said in part for name in content(said.message.speaker)}
    for place, said in enumerate(part):
        speaker = said.message.speaker
        for text, words, own in _clauses(said.message.text, speaker, said.times):
            if len(words - names) >= _TELLING:
                size = len(text.split())
                yield _Line(speaker, place, text, words - names, len(_NAMES.findall(text)), own, size)


@lru_cache(_AT_HAND)
def _clauses(text: str, speaker: str, times: tuple[Mention, ...]) -> tuple[tuple[str, frozenset[str], bool], ...]:
    """The clauses of a message, the words of each that tell something, and whether its speaker tells of themselves.

    As the last episode is made anew with every turn, so would be those of all its messages.
    """
    found = []
    for clause in clauses(text, speaker, times):
        said = f"{clause.relation} {clause.object}" if isinstance(clause, Telling) else clause
        found.append((said.strip(" .,!"), content(said), isinstance(clause, Telling)))
    return tuple(found)


def _choose(lines: Sequence[_Line], counts: Counter[str], room: int) -> list[_Line]:
    """The lines that together tell most for their length, of at most so many words with who says them.

    What a line is worth only falls as others are chosen, so only the best is reckoned anew (Minoux 1978).
    """
    chosen: list[_Line] = []
    told: set[str] = set()
    waiting = [(-_worth(line, told, counts), number) for number, line in enumerate(lines)]
    heapify(waiting)
    size = 0
    while waiting and size < room - _TELLING:
        worth, number = heappop(waiting)
        line = lines[number]
        now = -_worth(line, told, counts)
        if now > worth:  # it tells less than it did
            heappush(waiting, (now, number))
            continue
        if not now:
            break
        more = len(_written([*chosen, line]).split())
        if more <= room:
            size = more
            chosen.append(line)
            told |= line.words
    return sorted(chosen, key=lambda line: line.place)


def _worth(line: _Line, told: set[str], counts: Counter[str]) -> float:
    new = sum(1 + _AGAIN * min(counts[word] - 1, 2) for word in line.words - told)
    new += _NAMED * line.names * bool(line.words - told)
    return new * (_OWN if line.own else 1.0) / (line.length + _FIXED)


def _written(lines: Sequence[_Line]) -> str:
    """The lines in their order, each speaker named where another spoke before."""
    parts: list[str] = []
    speaker: str | None = None
    for line in sorted(lines, key=lambda each: each.place):
        name = f"{line.speaker}: " if line.speaker and line.speaker != speaker else ""
        mark = ". " if name and parts else "; " if parts else ""
        parts.append(f"{mark}{name}{line.text}")
        speaker = line.speaker
    return "".join(parts)


def _title(lines: Sequence[_Line], counts: Counter[str]) -> str:
    """The words that were said most, in their order."""
    order = list(dict.fromkeys(word for line in lines for word in re.findall(r"[^\W_]+", line.text.casefold())))
    best = sorted((word for word in counts if word in order), key=lambda word: (-counts[word], order.index(word)))
    return ", ".join(sorted(best[:_TITLE], key=order.index)) or "…"


def _importance(part: Sequence[Said]) -> float:
    """How much an episode matters: by what was felt most in it, and how much what was said differs."""
    felt = [each.appraisal for each in part if each.appraisal is not None]
    strongest = max((max(abs(each.valence), each.arousal) for each in felt), default=0.0)
    alike = _cohesion(part)[1:]
    new = 1 - max(0.0, sum(alike) / len(alike)) if alike else 0.0
    return round(min(1.0, _PLAIN + _FELT * strongest + _NEW * new), 3)
