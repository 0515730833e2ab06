"""Expressions of time, resolved."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo.memory.when import Span, _may_speak, _spoken, resolve
from alejo.memory.when.grammar import TOKEN, Language, fold

TABLE = Path(__file__).parents[2] / "benchmarks" / "corpora" / "temporal" / "expressions.jsonl"
CASES = [json.loads(line) for line in TABLE.read_text("utf-8").splitlines()]
SHIPPED = sorted((Path(__file__).parents[2] / "alejo" / "memory" / "when").glob("*.toml"))
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2025, 7, 16, 12, tzinfo=UTC)


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def said(text: str, at: datetime = NOON) -> list[tuple[str, str, str]]:
    """What a text names, as local times of Berlin."""
    return [(*(_local(each) for each in span[:2]), span.text) for span in resolve(text, micros(at), BERLIN)]


def _local(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1_000_000, BERLIN).strftime("%Y-%m-%d %H:%M")


def birthday(case: dict[str, str]) -> Callable[[str], Span | None]:
    def known(name: str) -> Span | None:
        if name != "birthday" or "birthday" not in case:
            return None
        day = datetime.fromisoformat(f"2000-{case['birthday']}").replace(tzinfo=ZoneInfo(case["time_zone"]))
        return Span(micros(day), micros(day + timedelta(days=1)), name)

    return known


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['now'][:10]} {case['text']}")
def test_the_table(case: dict[str, str]) -> None:
    """An expression means what the table says, seen from its moment and zone, and ordinary words mean no time."""
    now = micros(datetime.fromisoformat(case["now"]))
    spans = resolve(case["text"], now, ZoneInfo(case["time_zone"]), birthday(case))
    wanted = [tuple(micros(datetime.fromisoformat(case[end])) for end in ("start", "end"))] if case["start"] else []
    assert [span[:2] for span in spans] == wanted


def test_the_table_is_large() -> None:
    """At least 120 expressions are in the table, of three languages."""
    assert len([case for case in CASES if case["start"]]) >= 120
    assert {case["language"] for case in CASES} == {"de", "en", "es"}


@pytest.mark.parametrize(
    "text",
    [
        "I may march on, whatever May says",
        "wait a second, this is the second of three",
        "the fall hurt my knee and spring water helped",
        "We were teammates for four years in high school",
        "the last minute of the match, the last straw",
        "a one-year-old and two thirty-year-olds",
        "the will of the people: 50 of 2077 voted",
        "We meet twice a week, every Friday",
        "May the fourth be with you? It rhymes.",
        "Our cat is called Sunday and our dog August",
        "the 3 musketeers and 5 others",
        "Guten Morgen, der zweite Stock ist im Umbau",
        "Jeden Morgen trinkt der alte Mann Kaffee",
        "das letzte Wort und der erste Schritt",
        "Buenos días, por la noche hace frío",
        "la segunda mano y el último tren",
    ],
)
def test_ordinary_sentences_name_no_time(text: str) -> None:
    """Words that only look like times, or tell how long or how often, are left alone."""
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "start", "end", "words"),
    [
        ("I saw her yesterday and it was fun", "2025-07-15 00:00", "2025-07-16 00:00", "yesterday"),
        ("It was in last week's news", "2025-07-07 00:00", "2025-07-14 00:00", "in last week"),
        ("on 2024-02-29 we met", "2024-02-29 00:00", "2024-03-01 00:00", "on 2024-02-29"),
        ("a few days ago", "2025-07-11 00:00", "2025-07-15 00:00", "a few days ago"),
        ("the first week of last month", "2025-06-02 00:00", "2025-06-09 00:00", "the first week of last month"),
        ("the Sunday before Easter", "2025-04-13 00:00", "2025-04-14 00:00", "the Sunday before Easter"),
        ("in the second week of May last year", "2024-05-06 00:00", "2024-05-13 00:00", None),
        ("from the 3rd to the 9th of June 2023", "2023-06-03 00:00", "2023-06-10 00:00", None),
        ("Das war am 5. Mai 2024 im Büro", "2024-05-05 00:00", "2024-05-06 00:00", "am 5. Mai 2024"),
        ("am Montagabend", "2025-07-14 18:00", "2025-07-15 00:00", None),
        ("heute Morgen", "2025-07-16 06:00", "2025-07-16 12:00", None),
        ("MORGEN kommt sie", "2025-07-17 00:00", "2025-07-18 00:00", "MORGEN"),
        ("el lunes que viene", "2025-07-21 00:00", "2025-07-22 00:00", None),
        ("el 3 de mayo de 2024", "2024-05-03 00:00", "2024-05-04 00:00", None),
    ],
)
def test_words_and_their_range(text: str, start: str, end: str, words: str | None) -> None:
    """A range comes with the words that name it, as they were written."""
    assert said(text) == [(start, end, words or text)]


def test_one_text_may_name_several_times() -> None:
    """Every expression of a text is given, in the order of the words; each sentence has its own tense."""
    found = said("We met in March. We will meet again in March, or on 4 May 2026.")
    assert [each[0][:7] for each in found] == ["2025-03", "2026-03", "2026-05"]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("My exam is on Friday.", "2025-07-18 00:00"),
        ("My exam's on Friday.", "2025-07-18 00:00"),
        ("The party is on Monday", "2025-07-21 00:00"),
        ("The concert starts at 8 pm on Friday", "2025-07-18 20:00"),
        ("She said the exam is on Monday.", "2025-07-21 00:00"),
        ("Classes start on Monday", "2025-07-21 00:00"),
        ("My rent is due on the 3rd", "2025-08-03 00:00"),
        ("I have an exam on Monday", "2025-07-21 00:00"),
        ("Remind me on Monday to call Anna", "2025-07-21 00:00"),
        ("Remind me to call Anna on Monday", "2025-07-21 00:00"),
        ("Meine Prüfung ist am Freitag", "2025-07-18 00:00"),
        ("Am Freitag ist meine Prüfung", "2025-07-18 00:00"),
        ("Das Konzert findet am Montag statt", "2025-07-21 00:00"),
        ("Ich habe am Montag eine Prüfung", "2025-07-21 00:00"),
        ("Erinnere mich am Montag an den Müll", "2025-07-21 00:00"),
        ("Mi examen es el viernes", "2025-07-18 00:00"),
        ("El tren sale el lunes", "2025-07-21 00:00"),
        ("Recuérdame el lunes llamar a Ana", "2025-07-21 00:00"),
    ],
)
def test_what_is_announced_is_to_come(text: str, start: str) -> None:
    """The day on which something takes place, in the present, is the coming one."""
    assert [each[0] for each in said(text)] == [start]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("Lunch on Monday with Bob", "2025-07-14 00:00"),
        ("The report was due on Monday", "2025-07-14 00:00"),
        ("When did the class start on Monday?", "2025-07-14 00:00"),
        ("Did I have an exam on Monday?", "2025-07-14 00:00"),
        ("Remind me what I did on Monday", "2025-07-14 00:00"),
        ("Er ist am Montag gekommen", "2025-07-14 00:00"),
        ("Ich habe am Montag gearbeitet", "2025-07-14 00:00"),
        ("Ich erinnere mich, dass wir am Montag dort waren", "2025-07-14 00:00"),
        ("El lunes fue mi examen", "2025-07-14 00:00"),
        ("Recuérdame qué hice el lunes", "2025-07-14 00:00"),
    ],
)
def test_what_was_is_not_announced(text: str, start: str) -> None:
    """What is told of the past, or without a verb, is of the day that was."""
    assert [each[0] for each in said(text)] == [start]


def test_what_is_announced_may_be_running() -> None:
    """What has begun and is not over is not put off to the next year or week."""
    assert [said(text)[0][0][:10] for text in ("My exam is on Wednesday", "It is on 16 July", "It is in July")] == [
        "2025-07-16",
        "2025-07-16",
        "2025-07-01",
    ]


def test_the_words_around_a_time_are_those_near_it() -> None:
    """What is said of the future far away in an endless sentence says nothing of it, so that no text takes long."""
    near, far = (f"I will {'and so on ' * count}on Monday" for count in (20, 40))
    assert [said(text)[0][0][:10] for text in (near, far)] == ["2025-07-21", "2025-07-14"]
    assert len(said("on Monday " * 3000)) == 3000


def test_what_needs_an_unknown_day_is_left_out() -> None:
    """An expression about a birthday that nobody told is not resolved, nor taken for less than it says."""
    assert said("How was I feeling two weeks before my birthday?") == []
    assert said("Have I slept since my birthday?") == []


SCRAPS = """the last next in on at of two weeks ago May 5th before after my birthday Friday . , 2024 29 February from to
between and Christmas early morning 3 pm since until 9999 years letzten vor drei Tagen am Sonntag hace días pasado
semana \u0130 half week first 31 mid - day 1990s"""


@given(
    st.one_of(st.text(max_size=200), st.lists(st.sampled_from(SCRAPS.split()), max_size=16).map(" ".join)),
    st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 4_000_000_000_000_000),
    st.sampled_from(["UTC", "Europe/Berlin", "Africa/Cairo", "America/Havana", "Pacific/Apia"]),
)
def test_any_text_at_any_moment(text: str, moment: int, zone: str) -> None:
    """Whatever is said and whenever: no error, every range has a length, and its words are in the text in order."""
    place = 0
    for span in resolve(text, moment, ZoneInfo(zone), lambda _: Span(moment, moment, "")):
        assert span.start < span.end
        place = text.index(span.text, place)
        assert span.text


@given(st.text())
def test_folding_keeps_places(text: str) -> None:
    """A folded text is as long as it was, so that places in it are places in the text."""
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_rule_is_reachable(path: Path) -> None:
    """Each language compiles, and knows words by which it is told from others."""
    language = Language(path)
    others = [Language(other) for other in SHIPPED if other != path]
    assert all(stage.pattern for stage in language.stages)
    assert language.triggers
    assert all(language.common - other.common for other in others)


LATIN = """
common = "quid et in"
future = "cras"
past = "fuit"
weak = []
[classes.offset]
heri = -1
[[stages]]
rules = '''
time.offset  {offset}
'''
"""


def test_a_language_is_data_alone(tmp_path: Path) -> None:
    """A file is all a language needs."""
    (tmp_path / "la.toml").write_text(LATIN)
    found = Language(tmp_path / "la.toml").read(["quid", "fecisti", "heri"], datetime(2025, 7, 16, 12), lambda _: None)
    assert [(first, last, period.make(datetime(2025, 7, 16))) for first, last, period, _ in found] == [
        (2, 2, (datetime(2025, 7, 15), datetime(2025, 7, 16)))
    ]


@pytest.mark.parametrize(
    ("old", "new", "why"), [("{offset}", "{day}", "no class 'day'"), (".offset  ", ".tomorrow  ", "means nothing")]
)
def test_a_language_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    """A rule with an unknown class or meaning is named."""
    (tmp_path / "la.toml").write_text(LATIN.replace(old, new))
    with pytest.raises(ValueError, match=why):
        assert Language(tmp_path / "la.toml").stages


WORDS = sorted({word for path in SHIPPED for word in Language(path).triggers})


@given(
    st.lists(st.sampled_from(WORDS) | st.sampled_from(["the", "'s", "'", "_", "1", "…", "ÉTÉ"]), max_size=4), st.data()
)
def test_a_first_look_misses_nothing(words: list[str], data: st.DataObject) -> None:
    """What any language knows as a word of time, however it is written, is looked at closely."""
    text = fold(data.draw(st.sampled_from([" ", "", "-", "'", "_"])).join(words))
    assert _may_speak(text) or not _spoken(text, TOKEN.findall(text))
