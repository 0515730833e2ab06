"""When what recurs is due next, beside a calendar that is walked day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo.errors import InvalidArgument
from alejo.reminders.recurrence import Recurrence

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
VIENNA = ZoneInfo("Europe/Vienna")
ZONES = st.sampled_from(["Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"])
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1))
RULES = st.builds(
    lambda frequency, interval, days: (frequency, interval, sorted(days) if frequency == "WEEKLY" else []),
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 5),
    st.sets(st.integers(0, 6), max_size=3),
)


def moment(wall: datetime, zone: ZoneInfo) -> int:
    return round(wall.replace(tzinfo=zone).timestamp() * 1_000_000)


def written(frequency: str, interval: int, days: list[int]) -> str:
    by = f";BYDAY={','.join(DAYS[day] for day in days)}" if days else ""
    return f"FREQ={frequency};INTERVAL={interval}{by}"


def falls(rule: tuple[str, int, list[int]], first: date, day: date) -> bool:
    """Whether a day is one of the rule's, as the words of RFC 5545 say it."""
    frequency, interval, days = rule
    months = (day.year - first.year) * 12 + day.month - first.month
    if frequency == "DAILY":
        return (day - first).days % interval == 0
    if frequency == "WEEKLY":
        weeks = ((day - timedelta(day.weekday())) - (first - timedelta(first.weekday()))).days // 7
        return weeks % interval == 0 and day.weekday() in (days or [first.weekday()])
    step = interval * (12 if frequency == "YEARLY" else 1)
    return months % step == 0 and day.day == first.day


@given(RULES, TIMES, st.timedeltas(timedelta(0), timedelta(900)), ZONES)
def test_the_next_time_is_the_first_day_of_the_rule(
    rule: tuple[str, int, list[int]], wall: datetime, later: timedelta, name: str
) -> None:
    """The next time is on the first day that the rule names after the moment, at the same time of the wall."""
    zone = ZoneInfo(name)
    first, now = moment(wall, zone), moment(wall, zone) + round(later.total_seconds()) * 1_000_000
    due = Recurrence(written(*rule)).after(first, now, zone)
    began = datetime.fromtimestamp(first / 1e6, zone)
    day = began.date()
    for _ in range(366 * 9 * 5):
        at = round(datetime.combine(day, began.time(), zone).timestamp() * 1_000_000)
        if at > now and day > began.date() and falls(rule, began.date(), day):
            assert due == pytest.approx(at, abs=1)
            return
        day += timedelta(1)
    assert due is None or due > now


def test_nine_is_nine_in_winter_and_in_summer() -> None:
    """What recurs daily keeps its time of the wall when the clocks are set."""
    first = moment(datetime(2026, 3, 28, 9), VIENNA)
    due = Recurrence("freq=daily").after(first, first, VIENNA)
    assert due is not None
    assert datetime.fromtimestamp(due / 1e6, UTC).hour == 7
    assert due - first == 23 * 3_600_000_000


def test_a_day_that_a_month_lacks_is_passed_over() -> None:
    """What is due on the 31st is due on the next 31st there is."""
    first = moment(datetime(2026, 1, 31, 8), VIENNA)
    due = Recurrence("FREQ=MONTHLY").after(first, first, VIENNA)
    assert due == moment(datetime(2026, 3, 31, 8), VIENNA)


def test_no_calendar_is_left() -> None:
    """What would be due beyond the year 9999 is due no more."""
    first = moment(datetime(9990, 5, 1), VIENNA)
    assert Recurrence("FREQ=YEARLY;INTERVAL=20").after(first, first, VIENNA) is None
    assert Recurrence("FREQ=DAILY").after(1 << 61, 1 << 61, VIENNA) is None


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "nonsense",
        "FREQ=SECONDLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1000",
        "FREQ=DAILY;BYDAY=MO",
        "FREQ=WEEKLY;BYDAY=2MO",
        "FREQ=DAILY;COUNT=3",
        "FREQ=DAILY;" * 50,
    ],
)
def test_other_rules_are_refused(rule: str) -> None:
    """What is no rule, or more than is known here, is refused by the name of its field."""
    with pytest.raises(InvalidArgument) as refused:
        Recurrence(rule)
    assert refused.value.violations[0][0] == "recurrence"


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    """No text does anything else than be read or be refused."""
    try:
        Recurrence(text)
    except InvalidArgument:
        return
