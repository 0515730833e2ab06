"""When something happened: the times that memories name, as dates, or the day something was said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from alejo.types import Hit, Memory, Mention

from .asked import Asked, plain
from .extracting import Found, sentences, split
from .phrases import day, moment
from .tongues import Tongue, english

_WORD = re.compile(r"\w")
_TIMED = 0.25  # what a time in it is worth, of the score of the best
_DAY = 86_400_000_000
_MONTH = 31  # days
_MENTIONS = 50  # times of one memory that are looked at


def dated(asked: Asked, hits: Sequence[Hit], times: Sequence[Sequence[Mention]], place: tzinfo) -> Found | None:
    """The time that answers when, of the memories that fit best; `times` are what each of them names.

    `place` is the zone in which it is told.
    """
    best = max((hit.score for hit in hits), default=0.0) or 1.0
    found: list[Found] = []
    for hit, named in zip(hits, times, strict=False):
        relative = hit.score / best
        found.append(Found(_day(asked.tongue, hit.memory.sent_at, place), "", hit, relative, relative))
        for sentence, answer in _answers(asked.tongue, hit.memory, named, place):
            shared = asked.stems.intersection(word.stem for word in split(plain(sentence), asked.tongue))
            worth = relative + _TIMED + len(shared) / max(1, len(asked.stems)) / 2
            found.append(Found(answer, sentence, hit, worth, relative))
    return max(found, key=lambda each: each.weight, default=None)


def _answers(tongue: Tongue, memory: Memory, named: Sequence[Mention], place: tzinfo) -> list[tuple[str, str]]:
    """The times that sentences name, with each: a date, with the time of day if that is said, or that alone."""
    spoken = list(sentences(memory.text))
    clocks = {each: found[0] for each in spoken if (found := tongue.clock.search(each))}
    dates = []
    for mention in named[:_MENTIONS]:
        sentence = next((each for each in spoken if mention.words in each), "")
        clock = clocks.get(sentence, "")
        if not clock or _WORD.search(mention.words.replace(clock, "")):
            date = said(tongue, mention, memory.sent_at, place)
            dates.append((sentence, date if not clock or clock in date else f"{date}, {clock}"))
    dated = {sentence for sentence, _ in dates}
    return [*dates, *((each, clock[0].upper() + clock[1:]) for each, clock in clocks.items() if each not in dated)]


def said(tongue: Tongue, mention: Mention, at: int, place: tzinfo) -> str:
    """A time that was named in what was said `at` a moment, as one that anybody understands at any time."""
    if not mention.date:
        return mention.words
    first, last = moment(mention.start, place), moment(mention.end - 1, place)
    days = (mention.end - mention.start) // _DAY
    weekday = first.weekday()
    if days == 7 and mention.end <= at + _DAY:
        return tongue.dates["week"].format(date=_day(tongue, at, place))
    if days == 2 and weekday == 5:
        over = mention.end <= at + _DAY
        return tongue.dates["weekend" if over else "then"].format(
            date=_day(tongue, at if over else mention.start, place)
        )
    season = next((each for each in tongue.dates["seasons"].split() if each.casefold() in mention.words.casefold()), "")
    if season and days > _MONTH:
        return tongue.dates["season"].format(season=season, year=first.year)
    if first.date() == (last - timedelta(microseconds=1)).date():
        name = tongue.dates["days"].split()[weekday]
        date = _day(tongue, mention.start, place)
        named = name.casefold() in mention.words.casefold()
        return tongue.dates["weekday"].format(weekday=name, date=date) if named else date
    if mention.words.casefold().startswith(tongue.dates["since"].split()[0]):
        since = tongue.dates["since"].format(begin=_day(tongue, mention.start, place))
        return since[0].upper() + since[1:]
    return mention.date if tongue is english() else _range(tongue, first, last)


def _range(tongue: Tongue, first: datetime, last: datetime) -> str:
    """A year, a month, or from one day to another."""
    after = last + timedelta(microseconds=1)
    if (first.day, after.day) == (1, 1) and (first.month, after.month, after.year) == (1, 1, first.year + 1):
        return str(first.year)
    if (first.day, after.day) == (1, 1) and (after.year - first.year) * 12 + after.month - first.month == 1:
        return tongue.dates["monthly"].format(month=tongue.dates["months"].split()[first.month - 1], year=first.year)
    return tongue.dates["range"].format(begin=day(first.date(), tongue), end=day(last.date(), tongue))


def _day(tongue: Tongue, at: int, place: tzinfo) -> str:
    return day(moment(at, place).date(), tongue)
