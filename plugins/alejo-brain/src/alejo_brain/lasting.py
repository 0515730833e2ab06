"""Since when, until when and how long a fact holds, in words: as finely as its times are known, and no finer.

The times of facts are days of the calendar, wherever they were said, and kept as those of UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

from alejo.types import Fact, Memory

from .phrases import day, moment
from .tongues import Tongue

_DAY = 86_400_000_000
_MONTH, _YEAR = 30.44, 365.25  # days
_TWELVE, _LONG = 12, 24  # months: a year, and as many as are told in years
_MONTHS, _YEARS = 60, 700  # days from which on months, and years, are counted


def lasted(kind: str, memory: Memory, now: int, tongue: Tongue, *, ended: bool = True) -> str:
    """What answers a question for times of a fact, "since", "until", "when" or "long"; "" where it is not known.

    `ended` is whether its end, if it has one, is known.
    """
    fact = memory.fact
    if fact is None:
        return ""
    # What was said to be so, or to be over, without a time, was so or over at some time before.
    begin = None if fact.valid_from == memory.sent_at else fact.valid_from
    end = None if not ended or fact.valid_to == memory.sent_at else fact.valid_to
    since = "" if begin is None else _point(begin, tongue)
    until = "" if end is None else _point(end, tongue, within=_stated(fact))
    over = fact.valid_to is not None and fact.valid_to <= now
    if kind == "long" and begin is not None and (until or not over):
        length = _length(begin, end if end is not None and over else now, tongue, stated=over and _stated(fact))
        return f"{length}, {_range(since, until if over else '', tongue)}"
    if kind == "when" or (kind == "long" and over and begin is None):
        return _range(since, until, tongue)
    return {"since": since, "until": until}.get(kind, "")


def _stated(fact: Fact) -> bool:
    """Whether it ends as it was told, the time that was named included, and not where something else began."""
    return fact.stated_to == fact.valid_to


def _range(since: str, until: str, tongue: Tongue) -> str:
    if since == until:
        return since
    which = "range" if since and until else "since" if since else "until"
    return tongue.dates[which].format(begin=since, end=until)


def _fine(at: int) -> str:
    """The finest unit that a time is known in, as it is the first moment of one."""
    told = moment(at, UTC)
    if told.time() != time() or told.day > 1:
        return "day"
    return "month" if told.month > 1 else "year"


def _point(at: int, tongue: Tongue, *, within: bool = False) -> str:
    """A time as its year, month or day; `within`: the one that ends then."""
    told, fine = moment(at - 1 if within else at, UTC), _fine(at)
    if fine == "day":
        return day(told.date(), tongue)
    month = tongue.dates["months"].split()[told.month - 1]
    return str(told.year) if fine == "year" else tongue.dates["monthly"].format(month=month, year=told.year)


def _length(begin: int, end: int, tongue: Tongue, *, stated: bool) -> str:
    """About how long it is from one time to another; from 2015 to 2020 it is five years, whenever in them it was."""
    units = {_fine(begin), _fine(end)} if stated else {"day"}
    if "day" not in units:
        last = moment(end - 1, UTC)
        first = datetime(last.year, 1 if units == {"year"} else last.month, 1, tzinfo=UTC)
        end = max(round(first.timestamp() * 1e6), begin + (365 if units == {"year"} else 30) * _DAY)
    elif (fine := _fine(begin)) != "day" and (months := _months(begin, end, fine)):
        whole = months if fine == "year" or months == _TWELVE or months >= _LONG else 0
        return _counted(round(whole / _TWELVE), 2, tongue) if whole else _counted(months, 1, tongue)
    days = max(1, round((end - begin) / _DAY))
    years = round(days / _YEAR)
    if days >= _YEARS or (years == 1 and abs(days - _YEAR) < _MONTH / 2):
        count, unit = years, 2
    else:
        count, unit = (round(days / _MONTH), 1) if days >= _MONTHS else (days, 0)
    return _counted(count, unit, tongue)


def _months(begin: int, end: int, fine: str) -> int:
    """How many months of the calendar lie between, as far as they are known: of years by their numbers alone."""
    first, last = moment(begin, UTC), moment(end, UTC)
    years = _TWELVE * (last.year - first.year)
    return years if fine == "year" else years + last.month - first.month


def _counted(count: int, unit: int, tongue: Tongue) -> str:
    words = tongue.dates["units"].split()[2 * unit + (count != 1)]
    return tongue.dates["length"].format(count=count, unit=words)
