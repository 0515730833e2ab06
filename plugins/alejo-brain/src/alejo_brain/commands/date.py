"""The calendar and the clock: today, days from now, days between, weekdays, weeks, leap years, clocks elsewhere."""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import available_timezones

from alejo.roles import Turn

from ..phrases import zone
from .days import add, day
from .describing import described, given
from .lexicon import CITIES, UNITS, WORDS, Unread, fold
from .replies import Locale, heard

_LONGEST = 300  # characters of a question
_LEAD = re.compile(
    r"^(?:(?:please|hey|alejo|ok|so|and|can you|could you|tell me|do you know|i wonder|wat|what)[\s,]+)*(?=\S)"
)
_TIME = re.compile(
    r"^(?:time|clock|(?:current )?time(?: (?:now|is it))?|s? ?(?:is )?the (?:current )?time(?: is it)?|time is it|"
    r"que hora es|hora|wie spat ist es|wieviel uhr ist es|uhrzeit|what time is it)(?: now| right now| jetzt| ahora)?$"
)
_PLACE = re.compile(r"(?:time|hora|uhr|spat)\b.*?\b(?:in|en)\s+(?P<place>.+?)(?: right now| now| jetzt| ahora)?$")
_LEAP = re.compile(r"\b(\d{4})\b.*(?:leap|schaltjahr|bisiesto)|(?:leap|schaltjahr|bisiesto).*\b(\d{4})\b")
_WEEK = re.compile(r"(?:calendar week|week number|which week|what week|kalenderwoche|semana del ano)(?P<rest>.*)$")
_LEFT = re.compile(
    r"(?P<unit>\w+) (?:are |is )?(?:left|remaining|remain) (?:in|of) (?:this |the )?(?P<whole>year|month|week)"
)
_BETWEEN = re.compile(
    r"(?:(?P<unit>days?|weeks?|months?|years?|tage|wochen|dias|semanas)\b.*?)?"
    r"(?:between|from|zwischen|von|entre|desde)\s+(?P<first>.+?)\s+(?:and|to|until|till|und|bis|y|hasta|a)\s+(?P<last>.+)$"
)
_UNTIL = re.compile(
    r"(?P<unit>[a-z]+)\b[^0-9]*?\b(?:until|till|til|to|before|bis(?: zu[mr]?)?|hasta|para|faltan para)\s+(?P<when>.+)$"
)
_SINCE = re.compile(r"(?P<unit>[a-z]+)\b[^0-9]*?\b(?:since|seit|desde|ago was|ago is)\s+(?P<when>.+)$")
_BORN = re.compile(
    r"(?:how old|wie alt|cuantos anos).*?"
    r"(?:born(?: on| in)?|geboren(?: am)?|nacido(?: el)?|nacio(?: el)?)\s+(?P<when>.+)$"
)
_CLOCKS = re.compile(
    r"clocks? (?:go|change|turn)|(?:daylight|summer|winter) ?(?:saving|time)"
    r"|uhren?.*(?:umgestellt|um)|cambi\w+ (?:de|la) hora"
)
# Words around a day that is asked about.
_AROUND = frozenset(
    re.findall(
        r"\w+",
        "what which when is was will be it the date day weekday of week on s falls fall does tell me "
        "welcher welche welches welchen welchem tag wochentag datum ist war wird sein fallt auf der den an am wann "
        "que cual dia fecha es fue era sera cae caera cuando en el la semana de",
    )
)
_TODAY = frozenset({"", "today", "heute", "hoy", "now", "jetzt", "ahora", "todays"})


class Date:
    """Answers questions about days and times."""

    spec = described(
        "date",
        "says the time and the date, and calculates with dates",
        "what day is in 45 days?",
        ("what day is {question}", "how many days until {question}", "what time is it"),
        question="The question, such as: what day is in 45 days, how many days until 3 May, what time is it in Tokyo.",
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """The answer, or that the question was not understood."""
        locale = await heard(turn)
        question = " ".join(fold(given(arguments).get("question", "")).split()).strip(" ?.!\u00bf\u00a1")
        if len(question) > _LONGEST:
            return locale.say("date_unread")
        asked = _LEAD.sub("", question.replace("'s ", " is ").replace("today's", "todays"))
        for answer in (_time, _leap, _clocks, _week, _left, _born, _between, _until, _since, _day):
            try:
                said = answer(asked, locale)
            except (Unread, ValueError, OverflowError):
                continue
            if said:
                return said
        return locale.say("date_unread")


def _time(asked: str, locale: Locale) -> str:
    here = locale.now
    if not asked or _TIME.match(asked) or _TIME.match(f"what {asked}"):
        return locale.say(
            "now_utc", clock=f"{here:%H:%M}", zone=str(locale.zone), weekday=locale.weekday(here), date=locale.day(here)
        )
    match = _PLACE.search(asked)
    if match is None:
        return ""
    place = match["place"].strip()
    there = zone(zone_of(place))
    if there is None:
        return locale.say("place_unknown", place=place)
    at = here.replace(tzinfo=locale.zone).astimezone(there)
    return locale.say(
        "now_at", clock=f"{at:%H:%M}", place=place.title(), weekday=locale.weekday(at), date=locale.day(at)
    )


@cache
def _zones() -> dict[str, str]:
    """Time zones by the last part of their name, folded: a city; by what others call it, and by their whole name."""
    names = [name for name in sorted(available_timezones(), reverse=True) if not name.startswith(("posix", "right"))]
    cities = {_folded(name.rpartition("/")[2]): name for name in names}
    others = {word: cities[city] for word, city in CITIES.items() if city in cities}
    return cities | others | {_folded(name): name for name in names}


def _folded(name: str) -> str:
    return fold(name).replace("_", " ")


def zone_of(place: str) -> str:
    """The IANA name of the time zone of a city, or of one that is named in any letters; "" where none is known."""
    return _zones().get(_folded(place), "")


def _leap(asked: str, locale: Locale) -> str:
    match = _LEAP.search(asked)
    if match is None:
        return ""
    year = int(match[1] or match[2])
    return locale.say("leap" if isleap(year) else "no_leap", year=year)


def _clocks(asked: str, locale: Locale) -> str:
    """When the zone's distance from UTC changes next, within a year and a half."""
    if not _CLOCKS.search(asked):
        return ""
    start = locale.now.replace(tzinfo=locale.zone).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours, offset = 0, start.astimezone(locale.zone).utcoffset()
    for days in range(1, 550):
        if (start + timedelta(days=days)).astimezone(locale.zone).utcoffset() != offset:
            hours = 24 * (days - 1)
            break
    else:
        return locale.say("no_clocks", zone=str(locale.zone))
    while (start + timedelta(hours=hours)).astimezone(locale.zone).utcoffset() == offset:
        hours += 1
    at = (start + timedelta(hours=hours)).astimezone(locale.zone)
    return locale.say(
        "clocks", zone=str(locale.zone), weekday=locale.weekday(at), date=locale.day(at), clock=f"{at:%H:%M}"
    )


def _week(asked: str, locale: Locale) -> str:
    match = _WEEK.search(asked)
    if match is None:
        return ""
    rest = re.sub(
        r"^\s*(?:are we in|is it|is|haben wir|ist|de|of|es)?\s*(?:now|today|heute|hoy)?\s*", "", match["rest"]
    )
    if not rest:
        year, week, _ = locale.now.isocalendar()
        return locale.say("week", week=week, year=year)
    found = day(rest, locale.now)
    year, week, _ = found.isocalendar()
    return locale.say("week_of", date=locale.day(found), week=week, year=year)


def _left(asked: str, locale: Locale) -> str:
    match = _LEFT.search(asked)
    if match is None:
        return ""
    today = locale.now.date()
    starts: dict[str, Callable[[], date]] = {
        "year": lambda: date(today.year + 1, 1, 1),
        "month": lambda: add(datetime(today.year, today.month, 1), 1, "month").date(),
        "week": lambda: today - timedelta(days=today.weekday()) + timedelta(days=7),
    }
    return _counted("until", match["unit"], today, starts[match["whole"]]() - timedelta(days=1), locale)


def _born(asked: str, locale: Locale) -> str:
    match = _BORN.search(asked)
    if match is None:
        return ""
    born, today = day(match["when"], locale.now, back=True), locale.now.date()
    return locale.say("old", count=today.year - born.year - ((today.month, today.day) < (born.month, born.day)))


def _between(asked: str, locale: Locale) -> str:
    match = _BETWEEN.search(asked)
    if match is None:
        return ""
    first = day(match["first"], locale.now)
    last = day(match["last"], datetime.combine(first, locale.now.time()))
    return _counted("between", match["unit"] or "days", first, last, locale)


def _until(asked: str, locale: Locale) -> str:
    match = _UNTIL.search(asked)
    if match is None:
        return ""
    last, unit = day(match["when"], locale.now), _unit(asked)
    return _counted("until", unit, locale.now.date(), last, locale)


def _since(asked: str, locale: Locale) -> str:
    match = _SINCE.search(asked)
    if match is None:
        return ""
    return _counted("ago", _unit(asked), day(match["when"], locale.now, back=True), locale.now.date(), locale)


def _unit(asked: str) -> str:
    return next((word for word in asked.split() if word in UNITS), "days")


def _counted(key: str, word: str, first: date, last: date, locale: Locale) -> str:
    """How many units there are from one day to another; whole ones, of weeks and more."""
    unit = UNITS.get(word, "day")
    days = (last - first).days
    if key == "until" and days < 0:
        key, first, last, days = "ago", last, first, -days
    count = _units(unit, first, last, days)
    if key == "until" and unit in {"hour", "minute"}:  # until that day begins
        left = datetime.combine(last, time()) - locale.now
        count = max(0, left // timedelta(**{f"{unit}s": 1}))
    name = locale.say(f"{unit}s") if count != 1 else locale.say("day" if unit == "day" else f"{unit}_unit")
    told = last if key == "until" else first
    return locale.say(
        key,
        count=count,
        unit=name,
        date=locale.day(told),
        weekday=locale.weekday(told),
        first=locale.day(first),
        last=locale.day(last),
    )


def _units(unit: str, first: date, last: date, days: int) -> int:
    if unit in {"month", "year"}:
        months = (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)
        return months // 12 if unit == "year" else months
    return {"week": days // 7, "hour": days * 24, "minute": days * 1440}.get(unit, days)


def _bare(asked: str) -> str:
    """What is asked about: the words without those around them, as long as a day remains."""
    words = asked.split()
    while words and words[0] in _AROUND and words[:2] not in (["day", "after"], ["day", "before"]):
        words = words[1:]
    while words and words[-1] in _AROUND:
        words = words[:-1]
    return " ".join(words)


def _day(asked: str, locale: Locale) -> str:
    """A day that is named, with its date and weekday."""
    when, today = _bare(asked), locale.now.date()
    if when in _TODAY:
        return locale.say("today", weekday=locale.weekday(today), date=locale.day(today))
    back = bool(re.search(r"\b(?:was|were|war|fue|era)\b", asked)) or bool(WORDS["last"] & set(asked.split()))
    found = day(when, locale.now, back=back)
    key = "was_day" if found < today else "is_day"
    return locale.say(key, date=locale.day(found), weekday=locale.weekday(found))
