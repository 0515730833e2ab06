"""Which command a message is, with typed arguments and how sure that is; or none, as for most messages.

A message has sentences, and a command may begin with each of them, or within one after a comma or a word such as "so".
What stands before it politely is left out, and the rest is compared with how the languages' data and the commands'
own phrases say it. Only so many beginnings are looked at, and each only so far: the time is bounded for any message.
"""

# ruff: noqa: RUF001  marks of several scripts stand here
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from alejo.types import CommandSpec

from .grammar import Tokens, fold
from .intent import KNOWN, PIECE, Intent, Intents, Piece, intents
from .languages import Form, Language, fold_all, language_of
from .others import Others, others
from .quoting import Quotes, unopened
from .spans import Spans
from .values import Times, Unfit, iso, typed

SURE = 0.8  # the least confidence with which a command is run
UNSURE = 0.5  # the least with which it is asked back
_SENTENCES = 6  # at the beginning, and as many at the end
_EDGE = 4000  # characters at each end of a long message
_SHORT = 40  # characters
_REACH = 700  # characters of a sentence that are looked at
_BEGINNINGS = 5  # at each end, within a sentence
_SCORE = 0.2  # what the score of a command counts beside how surely a pattern says it
_HARMLESS = frozenset({"reads"})  # effects of a command that is run without a pattern; any other is asked back
_MEANT = -0.1  # what only has the form of being told, as talk often has, is run unasked from this score on
_LIKELIER = 0.25  # how much more a command must be likely where its pattern alone would be asked back
_DOUBT = 0.1  # so near the score that is enough it is asked back
_SUM = re.compile(r"\d\s*[-+*/x×·÷:^%−]+\s*\(*\d")
_ZONE = re.compile(r"[tz](?:ime|eit)[ -]?zone|zona horaria", re.IGNORECASE)
_END = re.compile(r"[.!?\u2026\u0964\uff01\uff1f\u3002]+[\"'\u201d\u2019\u00bb)]*|\n+")
_ABBREVIATED = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|nr|prof|sra?|frau|hr|fr|no|vs|approx|ca|inc|etc|z\.b|e\.g|i\.e|\d\d?))$", re.I
)
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


class Wanted(NamedTuple):
    """Commands of which the patterns are tried, what reads times, and how other plugins' words are spelled."""

    specs: Sequence[CommandSpec]
    times: Times
    foreign: Others


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


def interpret(text: str, specs: Sequence[CommandSpec], times: Times = iso, by: Intents | None = None) -> Reading | None:
    """The command that a message is, among those offered, if that is at least UNSURE.

    `times` reads what is said of times; `by` are other weights than ship.
    """
    if text.lstrip().startswith("/"):
        return None
    offered = {spec.name: spec for spec in specs}
    quotes = Quotes(text)
    sentences = _sentences(text, quotes)
    by = by or intents()
    found, spoken = by.found(pieces(text, quotes))
    likely = {intent.command: intent.score for intent in found if intent.command in offered}
    foreign = others(tuple(spec for spec in specs if spec.name not in KNOWN))
    named = foreign.named(
        word
        for begin, end in sentences
        for word in Tokens(text, begin, end, parts=quotes.read(begin, end, _REACH)).words
    )
    if "calculate" in offered and _SUM.search(text, 0, _EDGE):
        likely.setdefault("calculate", 0.0)
    if "prefer" in offered and _ZONE.search(text, 0, _EDGE):  # the weights know it as a word of clocks alone
        likely["prefer"] = max(likely.get("prefer", 0.0), 0.0)
    if not likely and not named:
        return None
    wanted = Wanted([offered[name] for name in (*likely, *named)], times, foreign)
    read = _by_patterns(text, sentences, quotes, _spoken(text, spoken), wanted)
    fitting = [
        each
        for each in read
        if each.confidence >= SURE or likely.get(each.command, 0.0) > by.weights.likely + _LIKELIER
    ]
    best = max(fitting, key=lambda each: each.confidence + _SCORE * likely.get(each.command, 0.0), default=None)
    if best and _may_be_talk(best, text, sentences) and likely[best.command] < _MEANT:
        best = best._replace(confidence=min(best.confidence, 0.6))
    return best or _alone(found, offered, spoken, by.spans)


def _may_be_talk(reading: Reading, text: str, sentences: Sequence[tuple[int, int]]) -> bool:
    """Whether people say things in this form without asking for anything: what begins with "remember" asks."""
    if reading.command == "remember":
        return text.find(str(reading.arguments.get("text", ""))) >= sentences[0][1]
    return reading.command == "correct"


def _by_patterns(
    text: str, sentences: Sequence[tuple[int, int]], quotes: Quotes, spoken: Sequence[Language], wanted: Wanted
) -> list[Reading]:
    """The readings of a message that patterns of some commands give, in the first language in which there are any."""
    for each in spoken:
        beginnings = _beginnings(text, sentences, quotes, each, wanted.foreign)
        if found := [reading for beginning in beginnings for reading in _read(beginning, each, wanted)]:
            return found
    return []


def pieces(text: str, quotes: Quotes | None = None) -> Iterator[Piece]:
    """What is scored: a short message as a whole, and each sentence; nothing of what is only quoted."""
    quotes = quotes or Quotes(text)
    sentences = _sentences(text, quotes)
    spans = [(0, len(text))] if len(text) <= PIECE else []
    if len(text) > PIECE or len(sentences) > 1:
        spans += [(begin, min(end + 1, len(text))) for begin, end in sentences]
    for begin, end in spans:
        own, read = quotes.outside(begin, end, PIECE)
        if own == text[begin:read] or any(map(str.isalnum, own)):
            yield Piece(text[begin:read], own)


def _spoken(text: str, ranked: Sequence[str]) -> list[Language]:
    """The languages in which a message is read."""
    if _HINDI.search(text[: 2 * _REACH]):
        return [language_of("hi")]
    tried = 2 if len(text) > _SHORT else 3  # of few words nobody knows whose they are
    return [language_of(code) for code in [code for code in ranked if code != "hi"][:tried]]


def _alone(
    found: Sequence[Intent], offered: Mapping[str, CommandSpec], spoken: Sequence[str], spans: Spans
) -> Reading | None:
    """A command that no pattern fits, if it is likely enough; what does more than read is not sure."""
    likeliest = next((intent for intent in found if intent.command in offered), None)
    if likeliest is None or likeliest.excess < 0:
        return None
    said = spans.found(likeliest.command, likeliest.piece)
    if likeliest.command == "remind":
        said.setdefault("when", "")
    is_sure = likeliest.excess > _DOUBT and _HARMLESS.issuperset(offered[likeliest.command].effects)
    return Reading(likeliest.command, {**likeliest.given, **said}, 0.85 if is_sure else 0.6, spoken[0])


def _sentences(text: str, quotes: Quotes) -> list[tuple[int, int]]:
    """Where sentences are, without their closing marks; of a long text those at the beginning and at the end."""
    if len(text) > 2 * _EDGE:
        begin = len(text) - _EDGE
        first, last = _between(text, 0, _EDGE, quotes)[:_SENTENCES], _between(text, begin, len(text), quotes)
        read = first[-1][1] if first else 0
        return first + [each for each in last[-_SENTENCES:] if each[0] >= read]
    found = _between(text, 0, len(text), quotes)
    return found if len(found) <= 2 * _SENTENCES else found[:_SENTENCES] + found[-_SENTENCES:]


def _between(text: str, begin: int, end: int, quotes: Quotes) -> list[tuple[int, int]]:
    found = []
    begin, end = max(begin, quotes.end(begin - 1)), max(end, quotes.end(end - 1))
    for mark in _END.finditer(text, begin, end):
        if mark.end() < len(text) and not (text[mark.end()].isspace() or mark[0].isspace()):
            continue  # within a word
        if mark.end() < quotes.end(mark.start()):
            continue  # within a quotation
        is_quoted = mark.end() == quotes.end(mark.start())
        if not (mark[0] == "." and _ABBREVIATED.search(text, max(0, mark.start() - 8), mark.start())):
            found.append((begin, mark.end() if is_quoted else mark.start()))
            begin = mark.end()
    return [(first, last) for first, last in (*found, (begin, end)) if text[first:last].strip()]


def _beginnings(
    text: str, sentences: Sequence[tuple[int, int]], quotes: Quotes, language: Language, foreign: Others
) -> Iterator[Beginning]:
    def change(word: str) -> str:
        return foreign.word(language.corrected(word))

    for place, (start, end) in enumerate(sentences):
        tokens = Tokens(text, start, end, change, quotes.read(start, end, _REACH))
        if not tokens.words:
            continue
        follows = text[end : end + 3].lstrip('"”’) ')[:1]
        after = text[sentences[place + 1][0] : sentences[place + 1][1]].strip() if place + 1 < len(sentences) else ""
        heads = [0] + [
            at + 1
            for at, word in enumerate(tokens.words[:-1])
            if (word in _BREAKS or (at and word in language.joins) or word == ".")
            and quotes.end(tokens.spans[at][0]) < 0
        ]
        heads = heads if len(heads) <= 2 * _BEGINNINGS else heads[:_BEGINNINGS] + heads[-_BEGINNINGS:]
        for head in heads:
            is_alone, is_question = len(sentences) == 1 and not head, follows[:1] in _ASKING
            for begin, is_asked in _led(tokens, head, language):
                if quotes.end(tokens.spans[begin][0]) < 0:
                    yield Beginning(tokens, begin, head > 0, is_alone, is_question, is_asked, after)
        if place + 1 < len(sentences):
            close = sentences[place + 1][1]
            both = Tokens(text, start, close, change, quotes.read(start, close, _REACH))
            for begin, is_asked in _led(both, 0, language):
                if quotes.end(both.spans[begin][0]) < 0:
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


def _read(beginning: Beginning, language: Language, wanted: Wanted) -> Iterator[Reading]:
    folded = beginning.tokens.at(beginning.first)
    for spec in wanted.specs:
        forms = language.forms(spec.name) if spec.name in KNOWN else language.phrases(spec)
        for form in forms.fitting(folded):
            found = form.pattern.match(beginning.tokens, beginning.first) if _applies(form, beginning) else None
            given = None if found is None else _given(form, found, beginning, language, spec, wanted.times)
            if given is not None:
                yield Reading(form.command, given, _confidence(form, beginning), language.code)
    if any(spec.name == "calculate" for spec in wanted.specs) and language.numbers.any(
        beginning.tokens.words, beginning.first
    ):
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
    form: Form,
    found: dict[str, str],
    beginning: Beginning,
    language: Language,
    spec: CommandSpec,
    times: Times,
) -> dict[str, Any] | None:
    found = {name: unopened(words) for name, words in found.items()}
    for words in found.values():
        folded = fold_all(words)
        if not folded or form.denies(folded):
            return None
    if form.way.next:
        return {form.way.next: beginning.after} if beginning.after else None
    if form.command == "correct":
        return _corrected(found, language)
    if form.command not in KNOWN:
        return _typed(spec, found, language, times)
    values = {
        name: language.values.get(kind, {}).get(fold_all(words), words)
        for name, words in found.items()
        if (kind := form.pattern.slots[name]) is not None and name != "other"
    }
    return {**form.way.give, **values}


def _typed(spec: CommandSpec, found: dict[str, str], language: Language, times: Times) -> dict[str, Any] | None:
    try:
        return typed(spec, found, language, times)
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
    patterns, sums = language.sums
    for pattern, template in (sums[place] for place in patterns.matching(tokens.at(first))):
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
