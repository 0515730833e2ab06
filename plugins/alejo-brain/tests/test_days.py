"""Days and times as people write them, and the calendar's questions."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest
from alejo_brain.commands.date import Date
from alejo_brain.commands.days import Moment, add, day, easter, moment
from alejo_brain.commands.lexicon import Unread
from hypothesis import given
from hypothesis import strategies as st

from alejo.testing import ListDesk, turn

NOW = datetime(2023, 5, 9, 14, 3)  # a Tuesday
MOMENTS = {
    "in 20 minutes": "2023-05-09 14:23",
    "in half an hour": "2023-05-09 14:33",
    "in an hour and a half": "2023-05-09 15:33",
    "in two weeks": "2023-05-23 14:03",
    "6pm": "2023-05-09 18:00",
    "at 3": "2023-05-09 15:00",
    "at 7": "2023-05-09 19:00",
    "at half past four": "2023-05-09 16:30",
    "quarter to six": "2023-05-09 17:45",
    "tonight at 8": "2023-05-09 20:00",
    "tomorrow at 9": "2023-05-10 09:00",
    "thursday": "2023-05-11 09:00",
    "next Monday morning": "2023-05-15 09:00",
    "on Thursday at 8 in the evening": "2023-05-11 20:00",
    "after lunch": "2023-05-10 13:00",
    "an hour before midnight": "2023-05-09 23:00",
    "before the end of the month": "2023-05-31 09:00",
    "on 3 May at 10:30": "2024-05-03 10:30",
    "2024-02-01 08:00": "2024-02-01 08:00",
    "day after tomorrow": "2023-05-11 09:00",
    "am Freitag": "2023-05-12 09:00",
    "Sonntagabend": "2023-05-14 18:00",
    "nächste Woche Dienstag": "2023-05-16 09:00",
    "morgen um 9 Uhr": "2023-05-10 09:00",
    "halb acht": "2023-05-09 19:30",
    "in einer halben Stunde": "2023-05-09 14:33",
    "on Christmas Eve at 18:00": "2023-12-24 18:00",
    "heute Abend": "2023-05-09 18:00",
    "heute Abend um 11": "2023-05-09 23:00",
    "um 8 Uhr heute Abend": "2023-05-09 20:00",
    "morgen früh um 7": "2023-05-10 07:00",
    "übermorgen früh um halb 8": "2023-05-11 07:30",
    "heute früh um 7": "2023-05-09 07:00",
    "am Montagmorgen um 8": "2023-05-15 08:00",
    "am 24.12. um 18 Uhr": "2023-12-24 18:00",
    "कल सुबह 9 बजे": "2023-05-10 09:00",
    "शाम 5 बजे": "2023-05-09 17:00",
    "दो घंटे में": "2023-05-09 16:03",
    "आधे घंटे बाद": "2023-05-09 14:33",
    "सोमवार को": "2023-05-15 09:00",
    "रोज़ रात 9 बजे": "2023-05-09 21:00",
    "daily at 9 in the evening": "2023-05-09 21:00",
    "en media hora": "2023-05-09 14:33",
    "el viernes": "2023-05-12 09:00",
    "en Nochebuena a las 18:00": "2023-12-24 18:00",
    "en Nochevieja a las 23": "2023-12-31 23:00",
    "mañana a las 9": "2023-05-10 09:00",
    "a las ocho y media": "2023-05-09 20:30",
    "este viernes a las 5 de la tarde": "2023-05-12 17:00",
}
RULES = {
    "every Monday at 9": ("2023-05-15 09:00", "FREQ=WEEKLY;BYDAY=MO"),
    "every Monday and Thursday at noon": ("2023-05-11 12:00", "FREQ=WEEKLY;BYDAY=MO,TH"),
    "every day at 8": ("2023-05-10 08:00", "FREQ=DAILY"),
    "every two weeks": ("2023-05-10 09:00", "FREQ=WEEKLY;INTERVAL=2"),
    "every weekday at 7:30": ("2023-05-10 07:30", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
    "daily at noon": ("2023-05-10 12:00", "FREQ=DAILY"),
    "jeden Morgen um 7": ("2023-05-10 07:00", "FREQ=DAILY"),
    "jeden Montag um 9 Uhr": ("2023-05-15 09:00", "FREQ=WEEKLY;BYDAY=MO"),
    "todos los días a las 7": ("2023-05-10 07:00", "FREQ=DAILY"),
}
ANSWERS = {
    "what day is in 45 days": "23 June 2023 is a Friday.",
    "how many days until 3 May": "360 days until 3 May 2024, a Friday.",
    "What weekday was the 9th of November 1989": "9 November 1989 was a Thursday.",
    "what date is ninety days after the first of March": "30 May 2024 is a Thursday.",
    "what the date was last Sunday": "7 May 2023 was a Sunday.",
    "when is easter next year": "31 March 2024 is a Sunday.",
    "how long is it from 3 March to 18 June": "107 days from 3 March 2024 to 18 June 2024.",
    "days since 1 January": "1 January 2023, a Sunday, was 128 days ago.",
    "how many weeks are left in this year": "33 weeks until 31 December 2023, a Sunday.",
    "how many hours until tomorrow": "7 hours until 10 May 2023, a Wednesday.",
    "Is 2028 a leap year": "2028 is a leap year.",
    "what calendar week are we in": "It is week 19 of 2023.",
    "how old is someone born on 7 May 1961": "62 years old.",
    "when do the clocks go back": "In Europe/Vienna the clocks change next on Sunday, 29 October 2023 at 02:00.",
    "what's the date": "Today is Tuesday, 9 May 2023.",
    "time": "It is 16:03 Europe/Vienna on Tuesday, 9 May 2023.",
    "What time is it in Tokyo right now": "It is 23:03 in Tokyo on Tuesday, 9 May 2023.",
    "Wie sp\u00e4t ist es in Moskau": "In Moskau ist es 17:03 am Dienstag, 9. Mai 2023.",
    "what time is it in Atlantis": "I know no time zone for atlantis.",
    "welcher tag ist heute": "Heute ist Dienstag, 9. Mai 2023.",
    "Auf welchen Wochentag fällt der 3. Oktober": "3. Oktober 2023 ist ein Dienstag.",
    "Cuántos días faltan para Navidad": "230 días hasta 25 de diciembre de 2023, lunes.",
    "qué día de la semana cae el 12 de octubre": "12 de octubre de 2023 es jueves.",
}


@pytest.mark.parametrize(("text", "at"), MOMENTS.items())
def test_moments_to_come(text: str, at: str) -> None:
    """What names a time is read, in English, German and Spanish, as what is to come."""
    assert f"{moment(text, NOW).at:%Y-%m-%d %H:%M}" == at


@pytest.mark.parametrize(("text", "wanted"), RULES.items())
def test_moments_that_recur(text: str, wanted: tuple[str, str]) -> None:
    """What recurs is read as its first time and its rule."""
    read = moment(text, NOW)
    assert (f"{read.at:%Y-%m-%d %H:%M}", read.rule) == wanted


@pytest.mark.parametrize(
    "text", ["", "whenever", "banana", "25:99", "on 31 February", "in 999999999999 years", "every"]
)
def test_what_names_no_time_is_not_guessed(text: str) -> None:
    """Words that name no time, or one that no calendar has, are not read as any."""
    with pytest.raises(Unread):
        moment(text, NOW)


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(["every", "next", "at", "9", "half", "of", "monday", "may", "in", "two", "3", "pm", ".", ":"])
    ).map(" ".join)
)
def test_any_text_is_read_or_not(text: str) -> None:
    """Whatever is written, it is a time that a calendar has, or it is not read."""
    try:
        assert isinstance(moment(text, NOW), Moment)
    except Unread:
        return


@given(st.dates(date(2023, 5, 9), date(2090, 1, 1)))
def test_a_date_is_itself(day_: date) -> None:
    """Every date is read as itself, however it is written."""
    for form in (f"{day_:%Y-%m-%d}", f"{day_.day} {day_:%B} {day_.year}", f"{day_:%B} {day_.day}, {day_.year}"):
        assert day(form, NOW) == day_


@given(
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.integers(-500, 500),
    st.sampled_from(["day", "week", "month", "year"]),
)
def test_adding_goes_there(start: date, count: int, unit: str) -> None:
    """Days and weeks are so many days; months and years keep the day, or take the last that there is."""
    begun = datetime.combine(start, NOW.time())
    there = add(begun, count, unit)
    if unit in {"day", "week"}:
        assert there - begun == timedelta(days=count * (7 if unit == "week" else 1))
    else:
        assert (there.year * 12 + there.month) - (start.year * 12 + start.month) == count * (
            12 if unit == "year" else 1
        )
        assert there.day == start.day or (there + timedelta(days=1)).day == 1


@pytest.mark.parametrize(("year", "wanted"), [(1818, (3, 22)), (1943, (4, 25)), (2000, (4, 23)), (2024, (3, 31))])
def test_easter(year: int, wanted: tuple[int, int]) -> None:
    """Easter is where the tables have it, at its earliest and latest too."""
    assert easter(year) == date(year, *wanted)


@pytest.mark.parametrize(("question", "wanted"), ANSWERS.items())
async def test_the_calendar_answers(question: str, wanted: str) -> None:
    """Questions about days are answered where the user is, in their language."""
    asked = turn(question, ListDesk(), zone="Europe/Vienna")
    assert await Date().run(json.dumps({"question": question}), asked) == wanted


@pytest.mark.parametrize("question", ["what  time\nis it", " what time is it   ?"])
async def test_blanks_change_no_question(question: str) -> None:
    """However words are set apart, they are the same question."""
    asked = turn("what time is it", ListDesk(), zone="Europe/Vienna")
    wanted = await Date().run(json.dumps({"question": "what time is it"}), asked)
    assert await Date().run(json.dumps({"question": question}), asked) == wanted


@given(st.text(max_size=120))
def test_any_question_has_an_answer(question: str) -> None:
    """No question does harm: what is not understood is said to be."""
    import asyncio  # noqa: PLC0415 - only here

    assert asyncio.run(Date().run(json.dumps({"question": question}), turn(question, ListDesk())))
