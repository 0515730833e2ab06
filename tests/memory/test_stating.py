"""When what is stated is true: since and until when, as its words tell, and beside what was stated before."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from alejo import Assistant
from alejo.clock import FakeClock
from alejo.types import MessageDraft

from ..conftest import ADA
from .test_facts import add, lives, objects


@pytest.mark.parametrize(
    ("since", "until", "over", "begin", "end"),
    [
        ("from 2015 to 2020", "from 2015 to 2020", True, 2015, 2021),
        ("2015", "2020", True, 2015, 2021),
        ("2015", "2018 and from 2020 to 2022", True, 2015, 2023),
        ("", "2020", True, None, 2021),
        ("2015", "nobody knows when", True, 2015, None),
        ("", "2099", False, None, 2100),
        ("", "2015", False, None, None),
        ("2015", "2090", 2099, 2015, 2091),
    ],
)
async def test_words_tell_when_it_began_and_ended(
    bare: Assistant, clock: FakeClock, since: str, until: str, over: bool | int, begin: int | None, end: int | None
) -> None:
    """The last time that is named is included; what is over is so by when it was said, what is not ends later."""

    def year(number: int | None) -> int | None:
        return None if number is None else round(datetime(number, 1, 1, tzinfo=UTC).timestamp() * 1e6)

    said = clock.now()
    made = await add(
        bare,
        lives("Oslo", since=since, until=until, valid_to=said if over is True else year(over or None), sent_at=said),
    )
    assert made.fact is not None
    assert made.fact.valid_from == (year(begin) if over or begin else said)
    assert made.fact.valid_to == (year(end) or (said if over else None))


async def test_a_correction_of_the_past_leaves_the_present(bare: Assistant, clock: FakeClock) -> None:
    """What is said to have been otherwise takes the place of what was believed of that time alone."""
    said = clock.now()
    await add(bare, lives("Lisbon", since="2022", sent_at=said))
    await add(bare, lives("Kiel", since="in 1990", until="in 1990", valid_to=said, sent_at=said, corrects=True))
    assert await objects(bare) == ["Lisbon", "Kiel"]
    await add(bare, lives("Bonn", since="in 1990", until="in 1990", valid_to=said, sent_at=said, corrects=True))
    assert await objects(bare) == ["Lisbon", "Bonn"]
    await add(bare, lives("Porto", sent_at=said, corrects=True))
    assert await objects(bare) == ["Porto", "Bonn"]


async def test_what_was_once_closes_only_what_it_overlaps(bare: Assistant, clock: FakeClock) -> None:
    """A past of its own leaves the present as it is; one that goes on into another ends where that begins."""
    said = clock.now()
    await add(bare, lives("Lisbon", since="2022", sent_at=said))
    await add(bare, lives("Oslo", since="2015", until="2020", valid_to=said, sent_at=said))
    change = await bare.facts.add(ADA, lives("Bergen", since="2018", until="2021", valid_to=said, sent_at=said))
    assert [memory.fact.object for memory in change.changed if memory.fact] == ["Oslo"]
    at = [round(datetime(year, 7, 1, tzinfo=UTC).timestamp() * 1e6) for year in (2014, 2016, 2019, 2021, 2022)]
    assert [await objects(bare, as_of=each) for each in at] == [[], ["Oslo"], ["Bergen"], ["Bergen"], ["Lisbon"]]
    assert await objects(bare, as_of=said) == ["Lisbon"]


@pytest.mark.parametrize("how", ["label", "session", "preference"])
async def test_words_tell_times_where_they_were_said(bare: Assistant, clock: FakeClock, how: str) -> None:
    """What was "yesterday" in Tokyo is that day of Tokyo, by the message's label, its session's, or what is preferred.

    It is kept as a day of UTC, so that it is the same day for whoever asks elsewhere.
    """
    tokyo, plain = {"time_zone": "Asia/Tokyo"}, {"time_zone": "UTC"}
    early = datetime(2023, 5, 9, 23, 30, tzinfo=UTC)  # the tenth in Tokyo
    if how == "preference":
        await bare.profiles.update(ADA, tokyo)
    session, _ = await bare.sessions.create(
        ADA, metadata=tokyo if how == "session" else {} if how != "label" else plain
    )
    kept = await bare.memories.remember(
        ADA,
        MessageDraft(
            session.id,
            "I have been living in Oslo since yesterday.",
            sent_at=round(early.timestamp() * 1e6),
            metadata=tokyo if how == "label" else {},
        ),
    )
    message = kept.message
    assert message
    drafts = [lives("Oslo", since="yesterday", metadata=message.metadata, sent_at=message.sent_at)]
    statements = bare.facts.statements(ADA, writer := await bare.store.writer(ADA))
    made = await statements.derive(drafts, message, kept.memories)
    await statements.write(clock.now())
    await writer.commit()
    fact = (await bare.memories.get(ADA, made[0])).fact
    assert fact
    assert fact.valid_from == round(datetime(2023, 5, 9, tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("since", "until", "begin", "end"),
    [("today", "", None, None), ("yesterday", "", "2023-05-09", None), ("2015", "yesterday", "2015-01-01", "said")],
)
async def test_a_day_has_begun_where_it_was_said(
    bare: Assistant, since: str, until: str, begin: str | None, end: str | None
) -> None:
    """While it is yesterday in UTC, today has begun in Tokyo; nothing begins, or is over, later than it was said."""
    said = round(datetime(2023, 5, 9, 23, 30, tzinfo=UTC).timestamp() * 1e6)
    draft = lives("Oslo", since=since, until=until, valid_to=said if until else None, sent_at=said)
    made = await add(bare, msgspec.structs.replace(draft, metadata={"time_zone": "Asia/Tokyo"}))
    assert made.fact is not None
    day = None if begin is None else round(datetime.fromisoformat(f"{begin}T00:00+00:00").timestamp() * 1e6)
    assert made.fact.valid_from == (said if day is None else day)
    assert made.fact.valid_to == (said if end else None)
