"""Which command a message is, with typed arguments and how sure that is; or none, as for most messages.

A message has sentences, and a command may begin with each of them, or within one after a comma or a word such as "so".
What stands before it politely is left out, and the rest is compared with how the languages' data and the commands'
own phrases say it. Only so many beginnings are looked at, and each only so far: the time is bounded for any message.
"""

# ruff: noqa: RUF001  marks of several scripts stand here
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from alejo.types import CommandSpec

from .grammar import Tokens, fold
from .languages import Form, Language, fold_all, languages
from .values import Unfit, typed

SURE = 0.8  # the least confidence with which a command is run
UNSURE = 0.5  # the least with which it is asked back
_SENTENCES = 6  # at the beginning, and as many at the end
_EDGE = 4000  # characters at each end of a long message
_REACH = 700  # characters of a sentence that are looked at
_BEGINNINGS = 5  # at each end, within a sentence
_SHORT = 400  # characters of a message in which mistyped words are looked for
_END = re.compile(r"[.!?\u2026\u0964\uff01\uff1f\u3002]+[\"'\u201d\u2019\u00bb)]*|\n+")
_ABBREVIATED = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|nr|prof|sra?|frau|hr|fr|no|vs|approx|ca|inc|etc|z\.b|e\.g|i\.e|\d\d?))$", re.I
)
_QUOTED = re.compile(r"[\"“„«][^\"“”„«»]{0,300}[\"”“»]")
_HINDI = re.compile(r"[\u0900-\u097f]")
_CORRECTED = 5  # words
_ASKING = frozenset("?？؟")
_BREAKS = frozenset(",:;–—-(")


class Reading(NamedTuple):
    """A command as it was understood, its arguments by name, and how sure that is, 0 to 1."""

    command: str
    arguments: dict[str, Any]
    confidence: float
    language: str = "en"


class Beginning(NamedTuple):
    """Where a command may begin: the words of a sentence from there on."""

    tokens: Tokens
    first: int
    is_inside: bool
    is_alone: bool
    is_question: bool
    is_asked: bool  # a request is politely made of it
    after: str  # what the next sentence says
    is_pair: bool = False


def interpret(text: str, specs: Sequence[CommandSpec]) -> Reading | None:
    """The command that a message is, among those offered, if that is at least UNSURE."""
    offered = {spec.name: spec for spec in specs}
    chosen = languages()
    spoken = (
        [chosen["hi"]] if _HINDI.search(text[: 2 * _REACH]) else [each for code, each in chosen.items() if code != "hi"]
    )
    best = _best(text, offered, spoken, mistyped=False)
    if best is None and len(text) <= _SHORT:
        words = Tokens(text, 0, len(text)).words
        wrong = [language for language in spoken if language.mistypes(words)]
        best = _best(text, offered, wrong, mistyped=True)
    return best


def _best(text: str, offered: dict[str, CommandSpec], spoken: Sequence[Language], *, mistyped: bool) -> Reading | None:
    best: Reading | None = None
    for language in spoken:
        change = language.corrected if mistyped else language.usual
        for beginning in _beginnings(text, language, change):
            for reading in _read(beginning, language, offered):
                if best is None or reading.confidence > best.confidence:
                    best = reading
    if best is not None and mistyped:
        best = best._replace(confidence=best.confidence - 0.05)
    return best if best is not None and best.confidence >= UNSURE else None


def _sentences(text: str) -> list[tuple[int, int]]:
    """Where sentences are, without their closing marks; of a long text those at the beginning and at the end."""
    if len(text) > 2 * _EDGE:
        begin = len(text) - _EDGE
        return _between(text, 0, _EDGE)[:_SENTENCES] + _between(text, begin, len(text))[-_SENTENCES:]
    found = _between(text, 0, len(text))
    return found if len(found) <= 2 * _SENTENCES else found[:_SENTENCES] + found[-_SENTENCES:]


def _between(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    found = []
    for mark in _END.finditer(text, begin, end):
        if mark.end() < len(text) and not (text[mark.end()].isspace() or mark[0].isspace()):
            continue  # within a word
        if not (mark[0] == "." and _ABBREVIATED.search(text, max(0, mark.start() - 8), mark.start())):
            found.append((begin, mark.start()))
            begin = mark.end()
    return [(first, last) for first, last in (*found, (begin, end)) if text[first:last].strip()]


def _beginnings(text: str, language: Language, change: Any) -> Iterator[Beginning]:
    sentences = _sentences(text)
    quoted = [match.span() for match in _QUOTED.finditer(text)] if any(mark in text for mark in '"“„«') else []
    for place, (start, end) in enumerate(sentences):
        tokens = Tokens(text, start, min(end, start + _REACH), change)
        if not tokens.words:
            continue
        follows = text[end : end + 3].lstrip('"”’) ')[:1]
        after = text[sentences[place + 1][0] : sentences[place + 1][1]].strip() if place + 1 < len(sentences) else ""
        heads = [0] + [
            at + 1
            for at, word in enumerate(tokens.words[:-1])
            if word in _BREAKS or (at and word in language.joins) or word == "."
        ]
        heads = heads if len(heads) <= 2 * _BEGINNINGS else heads[:_BEGINNINGS] + heads[-_BEGINNINGS:]
        for head in heads:
            is_alone, is_question = len(sentences) == 1 and not head, follows[:1] in _ASKING
            for begin, is_asked in _led(tokens, head, language):
                if not any(a <= tokens.spans[begin][0] < b for a, b in quoted):
                    yield Beginning(tokens, begin, head > 0, is_alone, is_question, is_asked, after)
        if place + 1 < len(sentences):
            both = Tokens(text, start, min(sentences[place + 1][1], start + _REACH), change)
            for begin, is_asked in _led(both, 0, language):
                if not any(a <= both.spans[begin][0] < b for a, b in quoted):
                    yield Beginning(both, begin, False, len(sentences) == 2, False, is_asked, "", True)


def _led(tokens: Tokens, head: int, language: Language) -> Iterator[tuple[int, bool]]:
    """Where a sentence may begin behind its politeness, and whether that makes a request of it."""
    at, is_asked = head, False
    for _ in range(8):
        while at < len(tokens.words) and not tokens.words[at][0].isalnum() and tokens.words[at] not in "(-":
            at += 1
        if at >= len(tokens.words):
            return
        yield at, is_asked
        taken = language.lead.words(tokens, at)
        if not taken:
            return
        is_asked = is_asked or bool(language.asks.words(tokens, at))
        at += taken


def _read(beginning: Beginning, language: Language, offered: dict[str, CommandSpec]) -> Iterator[Reading]:
    folded = beginning.tokens.at(beginning.first)
    forms: list[Form] = []
    for command, any_of in language.may_be(beginning.tokens.words[beginning.first]):
        if command in offered and any_of.match(folded):
            forms += [form for form in language.forms if form.command == command]
    for spec in offered.values():
        forms += language.phrases(spec) if spec.name not in language.known else []
    for form in forms:
        found = form.pattern.match(beginning.tokens, beginning.first) if _applies(form, beginning) else None
        given = None if found is None else _given(form, found, beginning, language, offered[form.command])
        if given is not None:
            yield Reading(form.command, given, _confidence(form, beginning), language.code)
    if "calculate" in offered and language.numbers.any(beginning.tokens.words, beginning.first):
        yield from _calculated(beginning, language)


def _applies(form: Form, beginning: Beginning) -> bool:
    way = form.way
    return (
        (way.inside or not beginning.is_inside)
        and (not way.alone or beginning.is_alone)
        and (way.asked or beginning.is_asked or not beginning.is_question)
        and (way.pair or not beginning.is_pair)
    )


def _given(
    form: Form, found: dict[str, str], beginning: Beginning, language: Language, spec: CommandSpec
) -> dict[str, Any] | None:
    for words in found.values():
        folded = fold_all(words)
        if not folded or form.denies(folded):
            return None
    if form.way.next:
        return {form.way.next: beginning.after} if beginning.after else None
    if form.command == "correct":
        return _corrected(found, language)
    if form.command not in language.known:
        return _typed(spec, found, language)
    values = {
        name: language.values.get(kind, {}).get(fold_all(words), words)
        for name, words in found.items()
        if (kind := form.pattern.slots[name]) is not None and name != "other"
    }
    return {**form.way.give, **values}


def _typed(spec: CommandSpec, found: dict[str, str], language: Language) -> dict[str, Any] | None:
    try:
        return typed(spec, found, language)
    except Unfit:
        return None


def _confidence(form: Form, beginning: Beginning) -> float:
    return (0.95 if form.way.sure else 0.6) * (0.95 if beginning.is_inside else 1.0)


def _corrected(found: dict[str, str], language: Language) -> dict[str, Any] | None:
    """The wrong words and the right ones, cut to those that stand for each other."""
    new = found["new"].split()
    if "was" in found:  # before an arrow there is more than what is wrong
        return {"old": " ".join(found["was"].split()[-len(new) :]), "new": found["new"]}
    old = found["old"].split()
    if len(old) > _CORRECTED:
        return None
    if len(old) == 1 and language.numbers.number([fold(old[0])]):
        new = [word for word in new if language.numbers.number([fold(word)])][-1:] or new
    new = new[-len(old) :]
    while len(old) > 1 and len(new) > 1 and fold(old[0]) in language.prepositions and fold(new[0]) == fold(old[0]):
        old, new = old[1:], new[1:]
    return {"old": " ".join(old).strip('"\u201c\u201d.,'), "new": " ".join(new).strip('"\u201c\u201d.,')}


def _calculated(beginning: Beginning, language: Language) -> Iterator[Reading]:
    """A sum: asked for in words, or all of what is said and no date or score."""
    tokens, first = beginning.tokens, beginning.first
    for pattern, template in language.summed(tokens.words[first]):
        found = pattern.match(tokens, first)
        if found is not None:
            numbers = {name: language.numbers.number(fold_all(words).split()) for name, words in found.items()}
            if all(numbers.values()):
                values = {name: number[0] for name, number in numbers.items() if number}
                yield Reading("calculate", {"expression": template.format(**values)}, 0.95, language.code)
    cue = language.cue.words(tokens, first)
    found_sum = language.numbers.sum(tokens.words, first + cue)
    if found_sum is None:
        yield from _within(beginning, language)
        return
    is_last = found_sum.end == len(tokens.words)
    closed = is_last or language.sum_end.match(tokens, found_sum.end) is not None
    asked = cue or beginning.is_question or beginning.is_asked or not found_sum.signs or not is_last
    if closed and (asked or found_sum.plain or found_sum.operators > 2):
        yield Reading("calculate", {"expression": found_sum.expression}, 0.96, language.code)


def _within(beginning: Beginning, language: Language) -> Iterator[Reading]:
    """A sum at the end of a question, which says with words or signs that it is one."""
    words = beginning.tokens.words
    if not (beginning.is_question or beginning.is_asked):
        return
    for place in range(beginning.first, len(words)):
        found = language.numbers.sum(words, place) if words[place][0].isdigit() else None
        if found is not None and found.end == len(words) and (found.plain or not found.signs):
            yield Reading("calculate", {"expression": found.expression}, 0.85, language.code)
            return
