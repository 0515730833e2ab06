"""What expressions of time mean: periods that recur or do not, and what is done with them.

Times are those of the wall: datetimes without a zone, `fold` told. Weeks begin on Monday, seasons are the northern
meteorological ones, a winter bears the year in which it begins. The other conventions are
in benchmarks/corpora/temporal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from .periods import (
    DAY,
    HOUR,
    UNKNOWN,
    Period,
    Range,
    day_at,
    day_of,
    edge_of,
    fixed,
    floor,
    holiday_of,
    iso_week,
    length,
    next_month,
    step,
    unit_at,
    whole,
)

_FURTHEST = 12  # cycles that are looked at: leap days may be eight years apart
_ASIDE = 2  # and so many the other way, for what begins in another cycle than its own


class Calendar:
    """The meanings of what languages say, seen from a moment. Every method makes a period of what its words name.

    `tense` tells whether the sentence is about the "future", or tells what is "past"; `anchor` is asked for days that
    only the user's own data know.
    """

    def __init__(self, now: datetime, *, tense: Callable[[], str], anchor: Callable[[str], datetime | None]) -> None:
        self.now = now
        self._tense = tense
        self._anchor = anchor

    # Occurrences of a period, seen from now.

    def _around(self, period: Period, way: int = -1) -> Iterator[Range]:
        """Occurrences from the present cycle on, backwards or, with 1, forwards."""
        if not period.unit:
            found = period.make(self.now)
            if found:
                yield found
            return
        here = floor(self.now, period.unit)
        for place in range(-_ASIDE if period.moved else 0, _FURTHEST + 1):
            found = period.make(step(here, period.unit, way * place) if place else here)
            if found:
                yield found

    def bare(self, period: Period, *, announced: bool = False) -> Range | None:
        """What is meant when only named: the latest that has begun, or in a sentence about the future the next.

        Of what is `announced` ("the exam is on Friday"), the first that is not over.
        """
        if not period.unit:
            return period.make(self.now)
        if announced:
            return next((each for each in self._around(period, 1) if each[1] > self.now), None)
        return self._next(period) if self._tense() == "future" else self._begun(period, self.now)

    def _begun(self, period: Period, moment: datetime) -> Range | None:
        return next((each for each in self._around(period) if each[0] <= moment), None)

    def _next(self, period: Period) -> Range | None:
        return next((each for each in self._around(period, 1) if each[0] > self.now), None)

    def _ended(self, period: Period, count: int) -> Range | None:
        over = (each for each in self._around(period) if each[1] <= self.now)
        return next(islice(over, count - 1, None), None)

    def _pin(self, found: Range | None) -> Period:
        return fixed(*found) if found else UNKNOWN

    # Names.

    def it(self, period: Period) -> Period:
        """The period as it is."""
        return period

    def iso(self, date: str) -> Period:
        """A date as YYYY-MM-DD."""
        start = datetime.fromisoformat(date)
        return fixed(start, start + DAY)

    def date(self, day: int, month: int, year: int | None = None) -> Period:
        """A day of a month, of a year or of every year that has it."""
        if year is not None:
            start = datetime(year, month, day)
            return fixed(start, start + DAY)
        datetime(2000, month, day)  # a day that no year has is none
        return Period("year", lambda cycle: day_of(cycle, month, day))

    def dates(self, first: int, last: int, month: int, year: int | None = None) -> Period:
        """Days of a month, both included."""
        return self.range(self.date(first, month, year), self.date(last, month, year))

    def monthday(self, day: int) -> Period:
        """A day of every month that has it."""
        return Period("month", lambda cycle: day_of(cycle, cycle.month, day))

    def month(self, month: int) -> Period:
        """A month of every year."""

        def make(cycle: datetime) -> Range:
            first = cycle.replace(month=month)
            return first, next_month(first)

        return Period("year", make)

    def weekday(self, weekday: int) -> Period:
        """A day of every week, 1 for Monday."""
        return Period("week", lambda cycle: (cycle + (weekday - 1) * DAY, cycle + weekday * DAY))

    def season(self, season: int) -> Period:
        """Three months of every year, from the one given."""
        return self.month(season).map(lambda each: (each[0], step(each[0], "month", 3)))

    def holiday(self, holiday: str) -> Period:
        """What is kept every year, from a formula or from two."""
        first, _, last = holiday.partition("..")
        start, end = holiday_of(first), holiday_of(last or first)
        return Period("year", lambda cycle: (start(cycle.year), end(cycle.year) + DAY))

    def anchor(self, anchor: str) -> Period:
        """A day of every year that only the user's data know; 28 February where there is no 29th."""
        day = self._anchor(anchor)
        if day is None:
            return UNKNOWN
        return Period("year", lambda cycle: day_of(cycle, day.month, day.day) or day_of(cycle, day.month, day.day - 1))

    def year(self, year: int) -> Period:
        """A year."""
        return fixed(datetime(year, 1, 1), datetime(year + 1, 1, 1))

    def decade(self, decade: int) -> Period:
        """Ten years; of two digits, those of the 20th century."""
        first = decade if decade > 99 else 1900 + decade
        return fixed(datetime(first, 1, 1), datetime(first + 10, 1, 1))

    def century(self, century: int) -> Period:
        """The 20th is 1901 to 2000."""
        return fixed(datetime(century * 100 - 99, 1, 1), datetime(century * 100 + 1, 1, 1))

    def quarter(self, n: int) -> Period:
        """The n-th quarter of every year."""
        return self.season(3 * n - 2)

    def half(self, n: int) -> Period:
        """The first or second half of every year."""
        return self.month(6 * n - 5).map(lambda each: (each[0], step(each[0], "month", 6)))

    def fortnight(self, n: int, outer: Period) -> Period:
        """The first 15 days of a month, or what follows them."""
        return outer.map(
            lambda each: (each[0], each[0] + 15 * DAY) if n == 1 else (each[0] + 15 * DAY, next_month(each[0]))
        )

    def week_number(self, n: int) -> Period:
        """A week of the year, as ISO 8601 counts."""
        return Period("year", lambda cycle: iso_week(cycle.year, n), moved=True)

    def week_of(self, period: Period) -> Period:
        """The week that holds it."""
        return period.map(lambda each: (floor(each[0], "week"), floor(each[0], "week") + 7 * DAY), moved=True)

    # Which of them.

    def last(self, period: Period, count: int = 1) -> Period:
        """The latest that has ended, or the one so many before."""
        return self._pin(self._ended(period, count))

    def before_last(self, period: Period) -> Period:
        """The one before the last."""
        return self._pin(self._ended(period, 2))

    def next(self, period: Period) -> Period:
        """The first that begins after now."""
        return self._pin(self._next(period))

    def this(self, period: Period) -> Period:
        """The running one, or the one of the current larger unit."""
        found = next((each for each in self._around(period) if each[0] <= self.now < each[1]), None)
        return self._pin(found or period.make(floor(self.now, period.unit)))

    def offset(self, offset: int) -> Period:
        """A day so many days from today."""
        start = floor(self.now, "day") + offset * DAY
        return fixed(start, start + DAY)

    def dark(self, dark: list[int]) -> Period:
        """Hours of a day so many days from today."""
        days, first, last = dark
        return self.part(self.offset(days), [first, last])

    def within(self, inner: Period, outer: Period) -> Period:
        """The occurrence of one period that begins in another."""
        return self.nth(1, inner, outer)

    def nth(self, n: int, inner: Period, outer: Period) -> Period:
        """The n-th in another period, -1 for the last; a week belongs where its Thursday is."""

        def find(each: Range) -> Range | None:
            if not inner.unit:
                return None
            late = 3 * DAY if inner.unit == "week" and length(inner.make(floor(each[0], "week"))) == 7 else 0 * DAY
            cycle, found = floor(each[0], inner.unit), []
            while cycle < each[1]:
                one = inner.make(cycle)
                if one and each[0] <= one[0] + late < each[1]:
                    found.append(one)
                cycle = step(cycle, inner.unit, 1)
            place = n - 1 if n > 0 else n
            return found[place] if -len(found) <= place < len(found) else None

        return outer.map(find)

    def edge(self, edge: str, period: Period) -> Period:
        """Early in it, in its middle, or late."""
        return period.map(lambda each: edge_of(each, edge))

    # Hours.

    def part(self, day: Period, hours: list[float]) -> Period:
        """Hours of a day, which may reach beyond it."""
        return day.map(lambda each: (each[0] + hours[0] * HOUR, each[0] + hours[1] * HOUR))

    def this_part(self, hours: list[float]) -> Period:
        """Hours of today."""
        return self.part(self.offset(0), hours)

    def daily(self, hours: list[float]) -> Period:
        """Hours of every day."""
        return self.part(whole("day"), hours)

    def clock(self, hour: float, half_day: int | None = None) -> list[float]:
        """The hour that begins at a time of the clock."""
        start = hour if half_day is None else hour % 12 + half_day
        return [start, start + 1]

    def about(self, hours: list[float]) -> list[float]:
        """From an hour before to an hour after."""
        return [hours[0] - 1, hours[0] + 1]

    def between_hours(self, first: float, last: float, half_day: int | None = None) -> list[float]:
        """From one time of the clock to another."""
        end = self.clock(last, half_day)[0]
        start = self.clock(first, half_day)[0]
        return [start if start < end else start - 12, end]

    def night_to(self, day: Period) -> Period:
        """The night in which a day begins."""
        return self.part(day, [-2, 6])

    # Counting.

    def ago(self, count: Any, unit: str) -> Period:
        """A unit so many before the present one; hours are centred on the moment."""
        few, many = count if isinstance(count, list) else (count, count)
        if unit == "weekend":
            return self.last(whole(unit), few)
        start, end = (step(self.now, unit, -many), step(self.now, unit, -few))
        return unit_at(start, end, unit)

    def ahead(self, count: Any, unit: str) -> Period | None:
        """A unit so many after the present one; nothing in a sentence that tells what was ("read in two weeks")."""
        if self._tense() == "past":
            return None
        few, many = count if isinstance(count, list) else (count, count)
        return None if unit == "weekend" else unit_at(step(self.now, unit, few), step(self.now, unit, many), unit)

    def exactly(self, count: int, unit: str) -> Period:
        """The day so many units ago."""
        start = floor(step(self.now, unit, -_most(count)), "day")
        return fixed(start, start + DAY)

    def past(self, unit: str, count: Any = 1) -> Period:
        """The time from so many units ago to now."""
        start = step(self.now, unit, -_most(count))
        return fixed(start if unit in {"hour", "minute"} else floor(start, "day"), self.now)

    def coming(self, unit: str, count: Any = 1) -> Period:
        """The time from now to the end of the day in so many units."""
        end = step(self.now, unit, _most(count))
        return fixed(self.now, end if unit in {"hour", "minute"} else floor(end, "day") + DAY)

    def before(self, unit: str, period: Period, count: Any = 1) -> Period:
        """The day so many units before a day."""
        return period.map(lambda each: day_at(step(each[0], unit, -_most(count))), moved=True)

    def after(self, unit: str, period: Period, count: Any = 1) -> Period:
        """The day so many units after a day."""
        return period.map(lambda each: day_at(step(each[1] - DAY, unit, _most(count))), moved=True)

    def run_up(self, unit: str, period: Period, count: Any = 1) -> Period:
        """The span of so many units up to a day."""
        return period.map(lambda each: (step(each[0], unit, -_most(count)), each[0]), moved=True)

    def wake(self, unit: str, period: Period, count: Any = 1) -> Period:
        """The span of so many units that follows a day."""
        return period.map(lambda each: (each[1], step(each[1], unit, _most(count))), moved=True)

    def last_before(self, inner: Period, outer: Period) -> Period:
        """The latest of one period that is over when another begins."""
        return outer.map(lambda each: self._beside(inner, each[0], -1), moved=True)

    def first_after(self, inner: Period, outer: Period) -> Period:
        """The first of one period that begins when another is over."""
        return outer.map(lambda each: self._beside(inner, each[1], 1), moved=True)

    def _beside(self, inner: Period, moment: datetime, way: int) -> Range | None:
        if not inner.unit:
            return None
        cycle = floor(moment, inner.unit)
        for place in range(-1, _FURTHEST):
            found = inner.make(step(cycle, inner.unit, way * place))
            if found and (found[1] <= moment if way < 0 else found[0] >= moment):
                return found
        return None

    def near(self, period: Period) -> Period:
        """From three days before it to three days after."""
        return period.map(lambda each: (each[0] - 3 * DAY, each[1] + 3 * DAY), moved=True)

    # From here to there.

    def since(self, period: Period) -> Period:
        """From its start to now."""
        found = period.make(self.now) if not period.unit else self._begun(period, self.now)
        return fixed(found[0], self.now) if found and found[0] <= self.now else UNKNOWN

    def until(self, period: Period) -> Period:
        """From now to its end."""
        found = period.make(self.now) if not period.unit else self._next(period)
        return fixed(self.now, found[1]) if found and found[1] > self.now else UNKNOWN

    def range(self, first: Period, last: Period) -> Period:
        """From the start of one to the end of another, both included."""
        return self._joined(first, last, lambda a, b: (a[0], b[1]))

    def between(self, first: Period, last: Period) -> Period:
        """What lies strictly between two."""
        return self._joined(first, last, lambda a, b: (a[1], b[0]))

    def _joined(self, first: Period, last: Period, join: Callable[[Range, Range], Range]) -> Period:
        def make(a: Range) -> Range | None:
            b = self._beside(last, a[0], 1) if last.unit else last.make(a[0])
            return join(a, b) if b and a[0] <= b[0] else None

        if first.unit and not last.unit:
            end = last.make(self.now)
            start = end and self._begun(first, end[0])
            return self._pin(join(start, end) if start and end else None)
        return first.map(make)


def _most(count: Any) -> int:
    return max(count) if isinstance(count, list) else int(count)
