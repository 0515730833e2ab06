"""Questions that facts answer: now, at a time, before something else, of somebody else, in three languages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from alejo_brain.knowing import known, wanted
from alejo_brain.tongues import tongues

from alejo.testing import ListDesk, turn
from alejo.testing.desk import DAY, NOW
from alejo.types import Cardinality, Fact, Memory, Standing

MOVED = NOW - 400 * DAY


def fact(desk: ListDesk, relation: str, thing: str, *, subject: str = "user", **fields: Any) -> Memory:
    """A fact at a desk, from what the user told."""
    said = desk.add(f"{subject}: {relation} {thing}, as I said", days_ago=3)
    ours = {name: fields.pop(name) for name in Fact.__struct_fields__ if name in fields}
    made = Fact(subject, relation, thing, **ours)
    stated = desk.add(f"The {subject} {relation} {thing}.", kind="fact")
    memory = msgspec.structs.replace(stated, fact=made, sources=(said.id,), **fields)
    desk.kept[-1] = memory
    return memory


@pytest.fixture
def home() -> ListDesk:
    """A user who moved from Porto to Lisbon, and has a sister."""
    desk = ListDesk()
    lisbon = fact(desk, "lives in", "Lisbon", valid_from=MOVED)
    fact(desk, "lives in", "Porto", valid_to=MOVED, superseded_by=lisbon.id)
    fact(desk, "sister", "Ana")
    fact(desk, "lives in", "Rome", subject="Ana")
    return desk


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where do I live?", "Lisbon"),
        ("where do i live now", "Lisbon"),
        ("Wo wohne ich?", "Lisbon"),
        ("¿Dónde vivo?", "Lisbon"),
        ("Where did I live in 2021?", "Porto"),
        ("Where did I live before Lisbon?", "Porto"),
        ("What's my sister called?", "Ana"),
        ("Wie heißt meine Schwester?", "Ana"),
        ("¿Cómo se llama mi hermana?", "Ana"),
        ("Where does my sister live?", "Rome"),
    ],
)
async def test_a_fact_answers_as_of_the_time_asked(home: ListDesk, question: str, answer: str) -> None:
    """One answer, quoted from what the user said, and never what is no longer so."""
    tongue = next(each for each in tongues().values() if wanted(question, each))
    found = await known(turn(question, home), tongue)
    assert found is not None
    assert found.said == answer
    assert [hit.memory.kind for hit in found.hits] == ["statement"]


@pytest.mark.parametrize("question", ["Where did I live?", "Where do I work?", "How old am I?", "Why do I live here?"])
async def test_what_no_fact_tells_is_left_to_memories(home: ListDesk, question: str) -> None:
    """Without a fact, or a time where it is the past that is asked about, there is no such answer."""
    assert await known(turn(question, home), tongues()["en"]) is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where was I born?", "Bonn"),
        ("When was I born?", "3 May"),
        ("When was my birthday?", "3 May"),
        ("Wann habe ich Geburtstag?", "3 May"),
        ("Wo wohnt meine Tante?", "Kiel"),
        ("¿En qué trabajo?", "baker"),
        ("¿A qué soy alérgico?", "nuts"),
    ],
)
async def test_what_is_asked_of_today_is_not_taken_for_the_past(question: str, answer: str) -> None:
    """Being born, an aunt and the first person of today do not look like something that is over."""
    desk = ListDesk()
    for relation, thing in (("was born in", "Bonn"), ("birthday", "3 May"), ("aunt", "Eva"), ("works as", "baker")):
        fact(desk, relation, thing)
    fact(desk, "is allergic to", "nuts")
    fact(desk, "lives in", "Kiel", subject="Eva")
    tongue = next(each for each in tongues().values() if wanted(question, each))
    found = await known(turn(question, desk), tongue)
    assert found is not None
    assert found.said == answer


@pytest.mark.parametrize("question", ["Wo wohnte ich?", "Wo habe ich gewohnt?", "¿Dónde vivía?", "¿Dónde viví?"])
async def test_the_past_without_a_time_is_left_to_memories(home: ListDesk, question: str) -> None:
    """Whoever asks where they lived, and not when, is not told where they live."""
    tongue = next(each for each in tongues().values() if wanted(question, each))
    assert await known(turn(question, home), tongue) is None


async def test_what_was_never_true_answers_nothing() -> None:
    """A fact that was corrected was not so before what took its place."""
    desk = ListDesk()
    lisbon = fact(desk, "lives in", "Lisbon")
    fact(desk, "lives in", "Porto", standing=Standing.REPLACED, superseded_by=lisbon.id)
    assert await known(turn("Where did I live before Lisbon?", desk), tongues()["en"]) is None
    assert await known(turn("Where did I live in 2021?", desk), tongues()["en"]) is not None
    found = await known(turn("Where do I live?", desk), tongues()["en"])
    assert found is not None
    assert found.said == "Lisbon"


async def test_an_exception_counts_while_it_lasts() -> None:
    """Within a longer stay, a shorter one elsewhere answers for its own months alone."""
    desk = ListDesk()
    one = Cardinality.ONE
    fact(desk, "lives in", "Oslo", valid_from=1_262_304_000_000_000, cardinality=one)  # 2010
    summer = {"valid_from": 1_622_505_600_000_000, "valid_to": 1_630_454_400_000_000}  # June to August 2021
    fact(desk, "lives in", "Paris", cardinality=one, **summer)
    for question, answer in (("Where did I live in July 2021?", "Paris"), ("Where did I live in May 2021?", "Oslo")):
        found = await known(turn(question, desk), tongues()["en"])
        assert found is not None
        assert found.said == answer


async def test_of_two_sisters_none_is_meant(home: ListDesk) -> None:
    """What is asked of one of several is not told of any."""
    fact(home, "sister", "Eva")
    assert await known(turn("Where does my sister live?", home), tongues()["en"]) is None


def at(year: int, month: int = 1, day: int = 1) -> int:
    return round(datetime(year, month, day, tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("times", "question", "answer"),
    [
        ((at(2015), at(2020)), "How long did I live in Oslo?", "About 4 years, from 2015 to 2019"),
        ((at(2015), at(2016)), "How long did I live in Oslo?", "About 1 year, 2015"),
        ((at(2020, 3), at(2020, 7)), "How long did I live in Oslo?", "About 3 months, from March 2020 to June 2020"),
        ((at(2020, 3, 4), at(2020, 3, 14)), "How long did I live in Oslo?", "About 10 days, from 4 March 2020 to 13"),
        (
            (at(2015, 6), at(2018, 4)),
            "Wie lange habe ich in Oslo gewohnt?",
            "Etwa 3 Jahre, von Juni 2015 bis M\u00e4rz",
        ),
        ((at(2015, 6), at(2018, 4)), "When did I move to Oslo?", "June 2015"),
        ((at(2015, 6), at(2018, 4)), "\u00bfHasta cu\u00e1ndo viv\u00ed en Oslo?", "Marzo de 2018"),
        ((at(2015), None), "When did I live in Oslo?", "Since 2015"),
        ((None, at(2019)), "How long did I live in Oslo?", "Until 2018"),
    ],
)
async def test_times_are_told_as_finely_as_they_are_known(
    times: tuple[int | None, int | None], question: str, answer: str
) -> None:
    """A year stays a year and a month a month, and how long it was is counted in what both ends are known in."""
    desk = ListDesk()
    begin, end = times
    fact(desk, "lives in", "Oslo", valid_from=begin, valid_to=end, stated_to=end)
    tongue = next(each for each in tongues().values() if wanted(question, each))
    found = await known(turn(question, desk), tongue)
    assert found is not None
    assert found.said.startswith(answer)


async def test_what_ends_where_something_begins_ends_then(home: ListDesk) -> None:
    """The beginning of what came after is not itself a part of what it ended."""
    fact(home, "works at", "Siemens", valid_from=at(2015), valid_to=at(2020), superseded_by="m0")
    found = await known(turn("How long did I work at Siemens?", home), tongues()["en"])
    assert found is not None
    assert found.said == "About 5 years, from 2015 to 2020"


@pytest.mark.parametrize(
    "question", ["When did I move to Lisbon?", "How long did I live in Rome?", "When did I leave Rome?"]
)
async def test_a_time_that_was_not_told_is_left_to_memories(question: str) -> None:
    """That something is so, or is over, says not since when: when it was said is no answer."""
    desk = ListDesk()
    said = fact(desk, "lives in", "Lisbon").sent_at
    fact(desk, "lives in", "Lisbon", valid_from=said)
    fact(desk, "lives in", "Rome", valid_to=said)
    assert await known(turn(question, desk), tongues()["en"]) is None


async def test_what_ended_where_something_else_was_told_ended_nobody_knows_when() -> None:
    """The day on which "I live in Lisbon now" was said is not the day on which Rome was left."""
    desk = ListDesk()
    said = 1_683_504_000_000_000  # 8 May 2023
    lisbon = fact(desk, "lives in", "Lisbon", valid_from=said, sent_at=said)
    rome = {"valid_from": 1_262_304_000_000_000, "valid_to": said, "superseded_by": lisbon.id}
    fact(desk, "lives in", "Rome", **rome)
    for question in ("When did I leave Rome?", "How long did I live in Rome?"):
        found = await known(turn(question, desk), tongues()["en"])
        assert found is None or "2023" not in found.said
