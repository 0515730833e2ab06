"""Reads days and times: "next Monday morning", "in 20 minutes", "halb acht", "el viernes a las 9", "3 May".

Times are those of the wall: datetimes without a zone. What is to come is looked for ahead, and a time that names no day
is its next occurrence; `back` looks for the day that was. A part of the day without a time is when it begins, as
calendar.toml has it, and a day without one is nine o'clock.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from .lexicon import DAYS, HOLIDAYS, MONTHS, ORDINALS, PARTS, UNITS, WEEKDAYS, Token, Unread, fold, tokens
from .repeats import CODES, read_rule, recurs

NINE = time(9)
_ISO = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)(?:[t ](\d\d):(\d\d))?\b")
_DOTTED = re.compile(r"\b(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(\d{4}))?(?!\d)")
_MOST = 100_000  # of a unit
_LONGEST = 300  # characters
_FIXED = {
    "christmas": (12, 25),
    "eve": (12, 24),
    "newyear": (1, 1),
    "sylvester": (12, 31),
    "valentine": (2, 14),
    "halloween": (10, 31),
}


class Moment(NamedTuple):
    """A time of the wall, whether its hour was told, and the rule by which it recurs, if it does."""

    at: datetime
    exact: bool
    rule: str = ""


def moment(text: str, now: datetime) -> Moment:
    """The time that is meant by a text, to come. Raises Unread where it has other words, or names none."""
    if len(text) > _LONGEST:
        raise Unread
    try:
        return _Reader(text, now).moment()
    except (ValueError, OverflowError):
        raise Unread from None


def day(text: str, now: datetime, *, back: bool = False) -> date:
    """The day that is meant by a text. Raises Unread."""
    try:
        reader = _Reader(text, now, back=back)
        found = reader.day()
        if found is None or not reader.ended:
            raise Unread
        return found
    except (ValueError, OverflowError):
        raise Unread from None


def add(start: datetime, count: int, unit: str) -> datetime:
    """A time so many units later; a day that a month lacks is its last. Raises OverflowError, ValueError."""
    if abs(count) > _MOST:
        raise OverflowError
    if unit in {"month", "year"}:
        months = start.year * 12 + start.month - 1 + count * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))
    if unit == "fortnight":
        return start + timedelta(weeks=2 * count)
    return start + timedelta(**{f"{unit}s": count})


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, last = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, last + 1)


def holiday(name: str, year: int) -> date:
    """A holiday of a year."""
    return easter(year) if name == "easter" else date(year, *_FIXED[name])


class _Reader:
    """Walks through the words once; what was understood is behind `place`."""

    def __init__(self, text: str, now: datetime, *, back: bool = False) -> None:
        self.now = now
        self._back = back
        self._fixed: date | None = None
        self._fixed_time: time | None = None
        folded = _ISO.sub(self._iso, fold(text))
        self._tokens: Sequence[Token] = tokens(_DOTTED.sub(self._dotted, folded))
        self.place = 0
        self.told: time | None = None  # the clock's time, as it was said
        self.free = False  # whether no day was told

    def _iso(self, match: re.Match[str]) -> str:
        year, month, day_, hour, minute = match.groups()
        self._fixed = date(int(year), int(month), int(day_))
        if hour:
            self._fixed_time = time(int(hour), int(minute))
        return " "

    def _dotted(self, match: re.Match[str]) -> str:
        first, second, year = int(match[1]), int(match[2]), match[3]
        self._fixed = date(int(year), second, first) if year else self._near(second, first)
        return " "

    # The words.

    @property
    def ended(self) -> bool:
        """Whether nothing is left that says something."""
        return all(token.is_("filler") for token in self._tokens[self.place :])

    def _at(self, ahead: int = 0) -> Token:
        place = self.place + ahead
        return self._tokens[place] if place < len(self._tokens) else Token("")

    def _skip(self) -> None:
        while self.place < len(self._tokens) and self._at().is_("filler") and not self._means():
            self.place += 1

    def _means(self) -> bool:
        """Whether a word that may be a filler begins something here."""
        token, after = self._at(), self._at(1)
        if token.is_("at") and (
            after.number is not None or after.is_("at") or after.is_("half") or after.is_("quarter")
        ):
            return True
        if token.is_("in"):
            return after.number is not None or after.is_("half") or after.word in UNITS
        return token.number is not None and (after.word in UNITS or after.is_("half"))

    # What they mean.

    def moment(self) -> Moment:
        """A time to come."""
        if recurring := self._recurring():
            return recurring
        clock: time | None = self._fixed_time
        found: date | None = self._fixed
        part: int | None = None
        while self.place < len(self._tokens):
            self._skip()
            if self.place >= len(self._tokens):
                break
            begun = self.place
            if (later := self._later()) is not None:
                return later
            if clock is None and (told := self._clock(part)) is not None:
                clock = told
            elif part is None and (hour := self._part()) is not None:
                part = hour
            elif found is None and (named := self.day()) is not None:
                found = named
            if self.place == begun:
                raise Unread
        self.told = clock if part is None else None  # with a part of the day it is known which hour is meant
        return self._whole(found, clock, part)

    def _whole(self, found: date | None, clock: time | None, part: int | None) -> Moment:
        if found is None and clock is None and part is None:
            raise Unread
        self.free = found is None
        if clock is not None and part is not None:
            clock = _in_part(clock, part)
        hour = clock or (time(part % 24) if part is not None else None)
        if found is None:
            assert hour is not None  # noqa: S101  one of them is there
            return Moment(self._next(hour, open_=clock is not None and part is None), clock is not None)
        if part == 24 and clock is None:
            found += timedelta(days=1)
        if hour is None:
            at = datetime.combine(found, NINE)
            if found == self.now.date() and at <= self.now:
                at = self.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            return Moment(at, False)
        if clock is not None and part is None and self._plain and 1 <= hour.hour < 7:
            hour = hour.replace(hour=hour.hour + 12)  # who says three on a day means the afternoon
        at = datetime.combine(found, hour)
        if at <= self.now and found == self.now.date() and self._plain and part is None and hour.hour < 12:
            at += timedelta(hours=12)
        return Moment(at, clock is not None)

    _plain = False  # whether the hour was told without am or pm, so that it may be either

    def _next(self, hour: time, *, open_: bool) -> datetime:
        """The next time that a clock shows this; one that may be of the morning or evening, whichever is first."""
        hours = [hour]
        if open_ and self._plain and 1 <= hour.hour <= 12:
            hours = [hour.replace(hour=hour.hour % 12), hour.replace(hour=hour.hour % 12 + 12)]
        ahead = [datetime.combine(self.now.date(), each) for each in hours]
        return min(at if at > self.now else at + timedelta(days=1) for at in ahead)

    def _later(self) -> Moment | None:
        """ "in 20 minutes", "two hours from now", "an hour before midnight"."""
        begun = self.place
        ahead = self._at().is_("in")
        if ahead:
            self.place += 1
        span = self._span()
        if span is None:
            self.place = begun
            return None
        count, unit = span
        if not ahead and (self._at().is_("after") or self._at().is_("before")):
            back, named = self._at().is_("before"), self.place
            self.place += 1
            if self._at().is_("now"):
                self.place += 1
                return self._shifted(self.now, count, unit)
            rest = _Reader("", self.now)
            rest._tokens = self._tokens[self.place :]
            try:
                start = rest.moment()
            except Unread:
                self.place = named
                raise
            self.place = len(self._tokens)
            return self._shifted(start.at, -count if back else count, unit, exact=start.exact)
        if not ahead and not self._at().is_("hence"):
            self.place = begun
            return None
        if self._at().is_("hence"):
            self.place += 1
            if self._at().is_("now"):
                self.place += 1
        return self._shifted(self.now, count, unit)

    def _shifted(self, start: datetime, count: int, unit: str, *, exact: bool = True) -> Moment:
        """So much later; days and more keep the time of the wall, and may be told one behind it."""
        at = add(start, count, unit)
        if unit in {"second", "minute", "hour"}:
            return Moment(at, True)
        self._skip()
        clock = self._clock(None)
        part = self._part()
        if clock is not None or part is not None:
            return self._whole(at.date(), clock, part)
        if not self.ended:
            raise Unread
        return Moment(at, exact)

    def _span(self) -> tuple[int, str] | None:
        """A number and its unit: "20 minutes", "half an hour", "an hour and a half"."""
        begun, token = self.place, self._at()
        if token.is_("half"):
            self.place += 1
            while self._at().word in {"an", "a"}:
                self.place += 1
            if UNITS.get(self._at().word) == "hour":
                self.place += 1
                return 30, "minute"
        elif token.number is not None and token.minute is None:
            number = token.number
            self.place += 1
            if self._at().is_("half") and UNITS.get(self._at(1).word) == "hour":
                self.place += 2
                return 30, "minute"
            if self._at().word in {"of", "de"}:
                self.place += 1
            unit = UNITS.get(self._at().word)
            if unit is not None:
                self.place += 1
                if unit == "hour" and self._at().word in {"and", "und", "y"}:
                    half = self._at(2) if self._at(1).word in {"a", "eine"} else self._at(1)
                    if half.is_("half"):
                        self.place += 3 if self._at(1).word in {"a", "eine"} else 2
                        return number * 60 + 30, "minute"
                return number, unit
        self.place = begun
        return None

    def _clock(self, part: int | None) -> time | None:
        """A time of a clock."""
        begun = self.place
        said = self._at().is_("at")
        if said:
            self.place += 1
        if said and self._at().word in {"las", "la"}:
            self.place += 1
        token, after = self._at(), self._at(1)
        found: tuple[int, int, int] | None = None  # hour, minute, how many words
        if token.is_("half") and after.is_("past") and self._at(2).number is not None:
            found = self._at(2).number or 0, 30, 3
        elif token.word == "halb" and after.number is not None:
            found = (after.number - 1) % 12 or 12, 30, 2
        elif token.is_("quarter") and after.is_("past") and self._at(2).number is not None:
            found = self._at(2).number or 0, 15, 3
        elif token.is_("quarter") and after.is_("to") and self._at(2).number is not None:
            found = ((self._at(2).number or 0) - 1) % 12 or 12, 45, 3
        elif token.number is not None and after.word not in UNITS | MONTHS:
            found = self._figure(token, said=said)
        if found is None or not 0 <= found[0] <= 24 or not 0 <= found[1] < 60:
            self.place = begun
            return None
        hour, minute, words = found
        self.place += words
        return self._halved(hour % 24, minute, exact=token.minute is not None and hour > 12)

    def _figure(self, token: Token, *, said: bool) -> tuple[int, int, int] | None:
        """An hour in figures or as a word, perhaps with minutes behind it."""
        after, hour = self._at(1), token.number or 0
        if token.minute is not None:
            return hour, token.minute, 1
        if after.is_("am") or after.is_("pm"):
            return hour, 0, 1
        if after.is_("clock"):
            minutes = self._at(2)
            if minutes.number is not None and minutes.number < 60 and after.word == "uhr":
                return hour, minutes.number, 3
            return hour, 0, 2
        if said and after.word == "y" and (self._at(2).is_("half") or self._at(2).is_("quarter")):
            return hour, 30 if self._at(2).is_("half") else 15, 3
        if said and after.word == "menos" and self._at(2).is_("quarter"):
            return (hour - 1) % 12 or 12, 45, 3
        return (hour, 0, 1) if said or _part_follows(after, self._at(2), self._at(3)) else None

    def _halved(self, hour: int, minute: int, *, exact: bool) -> time:
        token = self._at()
        self._plain = False
        if token.is_("pm"):
            self.place += 1
            hour = hour % 12 + 12
        elif token.is_("am") and self._at(1).word not in WEEKDAYS:
            self.place += 1
            hour %= 12
        else:
            if token.is_("clock"):
                self.place += 1
            self._plain = not exact and hour <= 12
        return time(hour, minute)

    def _part(self) -> int | None:
        """A part of the day."""
        begun = self.place
        while self._at().word in {"in", "the", "am", "this", "por", "la", "de", "after", "nach"} and self.place < len(
            self._tokens
        ):
            self.place += 1
        hour = PARTS.get(self._at().word)
        if hour is None:
            self.place = begun
            return None
        self.place += 1
        return hour

    def day(self) -> date | None:
        """A day that is named."""
        self._skip()
        if self._fixed is not None:
            found, self._fixed = self._fixed, None
            return found
        for read in (self._relative, self._weekday, self._dated, self._holiday, self._edge):
            begun = self.place
            named = read()
            if named is not None:
                return named
            self.place = begun
        return None

    def _relative(self) -> date | None:
        token = self._at()
        if token.word in DAYS:
            self.place += 1
            return self.now.date() + timedelta(days=DAYS[token.word])
        span = self._span()
        if span is not None and self._at().is_("ago"):
            self.place += 1
            return add(self.now, -span[0], span[1]).date()
        if token.is_("ago") and span is None:  # vor drei Tagen, hace tres dias
            self.place += 1
            span = self._span()
            return add(self.now, -span[0], span[1]).date() if span is not None else None
        if span is None and token.is_("in"):
            self.place += 1
            span = self._span()
            return add(self.now, *span).date() if span is not None else None
        if span is not None and (self._at().is_("after") or self._at().is_("before")):
            back = self._at().is_("before")
            self.place += 1
            start = self.now.date() if self._at().is_("now") else self.day()
            if start is None:
                return None
            return add(datetime.combine(start, NINE), -span[0] if back else span[0], span[1]).date()
        return None

    def _weekday(self) -> date | None:
        token, week = self._at(), 0
        which = next((name for name in ("next", "last", "this") if token.is_(name)), "")
        if which:
            self.place += 1
            unit = UNITS.get(self._at().word)
            if unit is not None and unit not in {"second", "minute", "hour"}:
                return self._of_unit(which, unit)
        number = WEEKDAYS.get(self._at().word)
        if number is None:
            return None
        self.place += 1
        if self._at().is_("next") and UNITS.get(self._at(1).word) == "week":
            self.place += 2
            week = 7
        today = self.now.date()
        if week:
            return today - timedelta(days=today.weekday()) + timedelta(days=week + number)
        if which == "last" or (self._back and which != "next"):
            return today - timedelta(days=(today.weekday() - number - 1) % 7 + 1)
        return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)

    def _of_unit(self, which: str, unit: str) -> date | None:
        """ "next week", perhaps with a day of it; "next month", its first."""
        self.place += 1
        way = {"next": 1, "last": -1, "this": 0}[which]
        today = self.now.date()
        if unit == "day":
            return today + timedelta(days=way)
        if unit == "week":
            monday = today - timedelta(days=today.weekday()) + timedelta(weeks=way)
            while self._at().is_("filler"):
                self.place += 1
            number = WEEKDAYS.get(self._at().word)
            if number is not None:
                self.place += 1
            return monday + timedelta(days=number or 0)
        return (
            add(datetime.combine(today.replace(day=1), NINE), way, unit)
            .date()
            .replace(**({"month": 1} if unit == "year" else {}))
        )

    def _dated(self) -> date | None:
        token, after = self._at(), self._at(1)
        ordinal = token.number if token.number is not None else ORDINALS.get(token.word)
        if token.word in MONTHS:  # May 3rd
            self.place += 1
            while self._at().word == "the":
                self.place += 1
            ordinal = self._at().number if self._at().number is not None else ORDINALS.get(self._at().word)
            if ordinal is None:
                return None
            self.place += 1
            month = MONTHS[token.word]
        elif ordinal is not None and token.minute is None:  # 3 May, the third of May, 3 de mayo
            self.place += 1
            while self._at().word in {"st", "nd", "rd", "th", "of", "de"}:
                self.place += 1
            if self._at().word not in MONTHS:
                return self._monthday(ordinal) if after.word in {"st", "nd", "rd", "th"} else None
            month = MONTHS[self._at().word]
            self.place += 1
        else:
            return None
        while self._at().word in {"st", "nd", "rd", "th"}:
            self.place += 1
        year = self._year()
        return date(year, month, ordinal) if year else self._near(month, ordinal)

    def _monthday(self, number: int) -> date:
        """The 15th: of this month, or of the next."""
        today = self.now.date()
        if number > today.day and number <= monthrange(today.year, today.month)[1]:
            return today.replace(day=number)
        following = add(datetime.combine(today.replace(day=1), NINE), 1, "month").date()
        return following.replace(day=number)

    def _year(self) -> int | None:
        begun = self.place
        while self._at().word in {"of", "de", "in", "del"}:
            self.place += 1
        token = self._at()
        if token.number is not None and token.minute is None and 1000 <= token.number <= 9999:
            self.place += 1
            return token.number
        for name, way in (("next", 1), ("last", -1), ("this", 0)):
            if token.is_(name) and UNITS.get(self._at(1).word) == "year":
                self.place += 2
                return self.now.year + way
        self.place = begun
        return None

    def _near(self, month: int, number: int) -> date:
        """A day of this year, or of the next if it is over; with `back` of the last if it is to come."""
        today = self.now.date()
        for year in range(today.year, today.year + (-9 if self._back else 9), -1 if self._back else 1):
            try:
                found = date(year, month, number)
            except ValueError:
                continue
            if found <= today if self._back else found >= today:
                return found
        raise ValueError

    def _holiday(self) -> date | None:
        ahead = self._at()
        which = next((name for name in ("next", "last") if ahead.is_(name)), "")
        if which:
            self.place += 1
        name = HOLIDAYS.get(self._at().word)
        if name is None:
            return None
        self.place += 1
        year = self._year()
        if year is not None:
            return holiday(name, year)
        today, back = self.now.date(), self._back or which == "last"
        found = holiday(name, today.year)
        if found < today and not back:
            return holiday(name, today.year + 1)
        return holiday(name, today.year - 1) if found > today and back else found

    def _edge(self) -> date | None:
        """ "the end of the month", "before the end of the year"."""
        while self._at().is_("before") or self._at().word == "the":
            self.place += 1
        if not self._at().is_("end"):
            return None
        self.place += 1
        while self._at().is_("filler") or self._at().is_("this"):
            self.place += 1
        unit = UNITS.get(self._at().word)
        if unit not in {"week", "month", "year"}:
            return None
        self.place += 1
        today = self.now.date()
        if unit == "week":
            return today + timedelta(days=6 - today.weekday())
        if unit == "month":
            return today.replace(day=monthrange(today.year, today.month)[1])
        return today.replace(month=12, day=31)

    def _recurring(self) -> Moment | None:
        """ "every Monday at 9", "every two weeks", "daily at noon"."""
        place = next((number for number, token in enumerate(self._tokens) if recurs(token)), None)
        if place is None:
            return None
        rest = [*self._tokens]
        rule, taken = read_rule(self._tokens, place)
        del rest[place : place + taken]
        reader = _Reader("", self.now)
        reader._tokens = rest
        reader._fixed, reader._fixed_time = self._fixed, self._fixed_time
        days = [each for each in rule.partition("BYDAY=")[2].split(",") if each]
        if reader.ended and reader._fixed is None:
            at, exact = self._begin(NINE, days), False
        else:
            at, exact, _ = reader.moment()
            hour = at.time()
            if reader.told is not None and reader._plain:  # "every day at 8" is the morning's
                hour = reader.told.replace(hour=reader.told.hour + 12 * (1 <= reader.told.hour < 7))
            at = self._begin(hour, days) if reader.free else at
        return Moment(at, exact, rule)

    def _begin(self, hour: time, days: Sequence[str]) -> datetime:
        """The first time of a rule at an hour."""
        at = datetime.combine(self.now.date(), hour)
        while at <= self.now or (days and CODES[at.weekday()] not in days):
            at += timedelta(days=1)
        return at


def _part_follows(*following: Token) -> bool:
    """Whether a number stands before "in the evening" and the like."""
    for token in following:
        if token.word in PARTS:
            return True
        if token.word not in {"in", "the", "at", "de", "la", "por", "am", "uhr"}:
            return False
    return False


def _in_part(clock: time, part: int) -> time:
    """An hour as the part of the day says which: eight in the evening."""
    if part >= 12 and part < 24 and clock.hour < 12 and not (part == 20 and clock.hour < 5):
        return clock.replace(hour=clock.hour + 12)
    return clock.replace(hour=0) if part == 24 and clock.hour == 12 else clock
