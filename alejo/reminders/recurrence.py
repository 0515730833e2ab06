"""When what recurs is due next: rules as of RFC 5545, of the parts FREQ, INTERVAL and BYDAY.

FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; INTERVAL is 1 to 999; BYDAY names days of a WEEKLY rule, such as "MO,WE".
Times are those of the wall: what recurs at nine does so in winter and in summer. A month or year that has no such day
is passed over; weeks begin on Monday.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from alejo.clock import local
from alejo.errors import InvalidArgument

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MONTHS = {"MONTHLY": 1, "YEARLY": 12}
_INTERVAL = re.compile(r"[1-9]\d{0,2}")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLES = 100  # of a MONTHLY or YEARLY rule that are looked at: a leap day comes back within 8 years of its interval


class Recurrence:
    """A rule. Raises InvalidArgument naming `recurrence` for one that is none."""

    def __init__(self, rule: str) -> None:
        parts = dict(part.partition("=")[::2] for part in rule.upper().split(";"))
        self._frequency = parts.pop("FREQ", "")
        interval = parts.pop("INTERVAL", "1")
        days = parts.pop("BYDAY", "")
        if self._frequency not in {"DAILY", "WEEKLY", *_MONTHS}:
            raise _wrong("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")
        if not _INTERVAL.fullmatch(interval):
            raise _wrong("INTERVAL must be from 1 to 999")
        if days and (self._frequency != "WEEKLY" or not set(days.split(",")) <= set(_DAYS)):
            raise _wrong(f"BYDAY names days of a WEEKLY rule: {', '.join(_DAYS)}")
        if parts:
            raise _wrong(f"{', '.join(parts)} is no part of a rule that is known here")
        self._interval = int(interval)
        self._days = sorted({_DAYS.index(day) for day in days.split(",")}) if days else []

    def after(self, first: int, moment: int, zone: ZoneInfo) -> int | None:
        """The first time it is due after a moment, in µs, if it was due at `first`; None where no calendar holds it."""
        began, now = local(first, zone), local(moment, zone)
        if began is None or now is None:
            return None
        try:
            # A clock that is set back shows a time twice, so the day that is found may be one too early for the moment.
            since = max(began, now).date() - timedelta(days=1)
            while True:
                day = self._day(began.date(), since)
                if day is None:
                    return None
                due = (datetime.combine(day, began.time(), zone) - _EPOCH) // _MICROSECOND
                if due > max(first, moment):
                    return due
                since = day
        except (OverflowError, ValueError):
            return None

    def _day(self, first: date, since: date) -> date | None:
        """The first day of the rule after `since`, counted from the first of all."""
        if self._frequency == "DAILY":
            passed = max(0, (since - first).days + 1)
            return first + timedelta(days=-(-passed // self._interval) * self._interval)
        if self._frequency == "WEEKLY":
            return self._weekday(first, since)
        return self._monthday(first, since)

    def _weekday(self, first: date, since: date) -> date:
        monday = first - timedelta(days=first.weekday())
        days = self._days or [first.weekday()]
        weeks = max(0, (since - monday).days // 7) // self._interval * self._interval
        while True:
            for day in days:
                found = monday + timedelta(weeks=weeks, days=day)
                if found > since and found >= first:
                    return found
            weeks += self._interval

    def _monthday(self, first: date, since: date) -> date | None:
        months = self._interval * _MONTHS[self._frequency]
        passed = max(0, (since.year - first.year) * 12 + since.month - first.month)
        begin = passed // months * months
        for ahead in range(begin, begin + _CYCLES * months, months):
            year, month = divmod(first.year * 12 + first.month - 1 + ahead, 12)
            if year > date.max.year:
                return None
            if first.day <= monthrange(year, month + 1)[1]:
                found = date(year, month + 1, first.day)
                if found > since:
                    return found
        return None


def _wrong(why: str) -> InvalidArgument:
    return InvalidArgument.field("recurrence", why)
