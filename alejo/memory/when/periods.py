"""Periods: what recurs with the calendar, or does not. Times are those of the wall: datetimes without a zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

Range = tuple[datetime, datetime]
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200}
_SPANS = {"minute": timedelta(minutes=1), "hour": HOUR, "day": DAY, "week": 7 * DAY}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOLIDAY = re.compile(
    r"(?:(?P<nth>-?\d) (?P<weekday>\w+) )?"
    r"(?:easter(?P<days>[+-]\d+)?|(?P<month>\d\d)-(?P<day>\d\d))(?: (?P<more>[+-]\d+))?"
)


class Period(NamedTuple):
    """What recurs with a unit of the calendar: `make` gives the occurrence of the cycle that begins at a moment.

    Without a unit it is one range, whatever the cycle. `moved` if occurrences may lie outside their cycles.
    """

    unit: str
    make: Callable[[datetime], Range | None]
    moved: bool = False

    def map(self, change: Callable[[Range], Range | None], *, moved: bool = False) -> Period:
        """The period whose occurrences are changed so."""

        def make(cycle: datetime) -> Range | None:
            found = self.make(cycle)
            return found and change(found)

        return Period(self.unit, make, moved or self.moved)


def fixed(start: datetime, end: datetime) -> Period:
    """A period that does not recur."""
    return Period("", lambda _: (start, end))


UNKNOWN = Period("", lambda _: None)


def step(moment: datetime, unit: str, count: int) -> datetime:
    """So many units later; of months the day is kept, or the last day if there is none."""
    if unit == "fortnight":
        unit, count = "week", 2 * count
    if unit in _SPANS:
        return moment + count * _SPANS[unit]
    months = moment.year * 12 + moment.month - 1 + count * _MONTHS[unit]
    first = moment.replace(year=months // 12, month=months % 12 + 1, day=1)
    return first + min(moment.day - 1, (next_month(first) - first).days - 1) * DAY


def next_month(first: datetime) -> datetime:
    return (first + 31 * DAY).replace(day=1)


def floor(moment: datetime, unit: str) -> datetime:
    """Where the unit begins that a moment is in."""
    if unit == "minute":
        return moment.replace(second=0, microsecond=0)
    if unit == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "week":
        return day - day.weekday() * DAY
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    if unit == "year":
        return day.replace(month=1, day=1)
    if unit == "decade":
        return day.replace(year=day.year // 10 * 10, month=1, day=1)
    if unit == "century":
        return day.replace(year=(day.year - 1) // 100 * 100 + 1, month=1, day=1)
    return day


def whole(unit: str) -> Period:
    """A unit of the calendar, as a period."""
    if unit == "weekend":
        return Period("week", lambda cycle: (cycle + 5 * DAY, cycle + 7 * DAY))
    return Period(unit, lambda cycle: (cycle, step(cycle, unit, 1)))


def easter(year: int) -> datetime:
    """Western Easter Sunday, by the anonymous Gregorian algorithm (Meeus, Jones and Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 19 * m) // 433
    month = (h + m - 7 * n + 90) // 25
    return datetime(year, month, (h + m - 7 * n + 33 * month + 19) % 32)


@cache
def holiday_of(formula: str) -> Callable[[int], datetime]:
    """The day of a year that a formula gives: MM-DD, easter and days, `-4 sunday 12-25`, each with days added."""
    parts = _HOLIDAY.fullmatch(formula)
    if parts is None:
        raise ValueError(f"no holiday is given by {formula!r}")
    more = int(parts["more"] or 0) * DAY

    def day(year: int) -> datetime:
        if not parts["month"]:
            return easter(year) + int(parts["days"] or 0) * DAY + more
        first = datetime(year, int(parts["month"]), int(parts["day"]))
        if parts["nth"]:
            nth = int(parts["nth"])
            first += (_WEEKDAYS.index(parts["weekday"]) - first.weekday()) % 7 * DAY
            first += 7 * (nth - 1 if nth > 0 else nth) * DAY
        return first + more

    return day


def length(found: Range | None) -> int:
    return (found[1] - found[0]).days if found else 0


def day_of(cycle: datetime, month: int, day: int) -> Range | None:
    try:
        start = cycle.replace(month=month, day=day)
    except ValueError:
        return None
    return start, start + DAY


def day_at(moment: datetime) -> Range:
    start = floor(moment, "day")
    return start, start + DAY


def unit_at(start: datetime, end: datetime, unit: str) -> Period:
    """From the unit that holds a moment to the one that holds a later; hours and minutes stand around it."""
    if unit == "fortnight":
        unit = "week"
    if unit in {"hour", "minute"}:
        half = _SPANS[unit] / 2
        return fixed(start - half, end + half)
    return fixed(floor(start, unit), step(floor(end, unit), unit, 1))


def iso_week(year: int, week: int) -> Range | None:
    try:
        start = datetime.fromisocalendar(year, week, 1)
    except ValueError:
        return None
    return start, start + 7 * DAY


def edge_of(found: Range, edge: str) -> Range:
    """The early, middle or late part of a week, month, season, year, decade or century; of less, all of it."""
    start, end = found
    place = ("early", "mid", "late").index(edge)
    days = length(found)

    def months(*cuts: int) -> Range:
        return step(start, "month", cuts[place]), step(start, "month", cuts[place + 3])

    if days < 7:
        return found
    if days == 7:
        first, last = ((0, 2), (2, 3), (3, 5))[place]
        return start + first * DAY, start + last * DAY
    if days <= 31:
        return start + 10 * place * DAY, (start + 10 * (place + 1) * DAY if place < 2 else end)
    if days <= 92:
        return months(0, 1, 2, 1, 2, 3)
    if days <= 366:
        return months(0, 4, 9, 3, 8, 12)
    years = days // 365
    cuts = (0, years * 4 // 10, years * 7 // 10, years)
    return step(start, "year", cuts[place]), step(start, "year", cuts[place + 1])
