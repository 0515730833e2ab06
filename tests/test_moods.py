"""The sums of what was felt: whatever is added can be taken out again, in any order."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from alejo.moods import MOST_SESSIONS, MOST_TOPICS, Counted, Emotions, Impression, Sums, halved

HOUR = 3_600_000_000
START = 1_700_000_000_000_000
NAMES = st.sampled_from(("joy", "fear", "anger"))
PARTS = st.floats(0, 1).map(lambda part: round(part, 3))


@st.composite
def impressions(draw: st.DrawFn) -> Impression:
    """What a turn may leave."""
    return Impression(
        START + draw(st.integers(0, 500)) * HOUR,
        draw(st.sampled_from(("s1", "s2", "s3"))),
        draw(PARTS),
        draw(st.floats(-1, 1)),
        draw(PARTS),
        draw(st.dictionaries(NAMES, PARTS)),
        tuple(draw(st.sets(st.sampled_from(("boss", "luna", "rent")), max_size=2))),
        {"turns": 1.0, **draw(st.dictionaries(st.sampled_from(("warmth", "words")), PARTS))},
    )


def same(one: Emotions, other: Emotions) -> bool:
    """Whether two are the same but for rounding, when they were read, and the times of what is gone."""
    now = max(one.at, other.at)
    return all(
        (
            close(one.mood, other.mood, one.faded(now), other.faded(now)),
            close(
                one.usual,
                other.usual,
                halved(now - one.at, one.usual_half_life),
                halved(now - other.at, one.usual_half_life),
            ),
            near(
                {name: amount * one.faded(now) for name, amount in one.feelings.items()},
                {name: amount * other.faded(now) for name, amount in other.feelings.items()},
            ),
            near(one.counts, other.counts),
            counted(one.topics, other.topics),
            counted(one.sessions, other.sessions),
        )
    )


def close(one: Sums, other: Sums, kept: float, left: float) -> bool:
    pairs = ((one.weight, other.weight), (one.valence, other.valence), (one.arousal, other.arousal))
    return all(math.isclose(mine * kept, yours * left, abs_tol=1e-6) for mine, yours in pairs)


def near(one: dict[str, float], other: dict[str, float]) -> bool:
    names = one.keys() | other.keys()
    return all(math.isclose(one.get(name, 0.0), other.get(name, 0.0), abs_tol=1e-6) for name in names)


def counted(one: dict[str, Counted], other: dict[str, Counted]) -> bool:
    return one.keys() == other.keys() and all(
        mine.count == other[name].count and math.isclose(mine.valence, other[name].valence, abs_tol=1e-6)
        for name, mine in one.items()
    )


def summed(those: list[Impression]) -> Emotions:
    found = Emotions()
    for one in those:
        found = found.plus(one)
    return found


@given(st.lists(impressions(), max_size=12), st.data())
def test_what_is_taken_out_was_never_there(those: list[Impression], data: st.DataObject) -> None:
    """Sums without some of their impressions are the sums of the others, whichever and in whatever order."""
    leaving = [one for one in those if data.draw(st.booleans())]
    found = summed(those)
    for one in data.draw(st.permutations(leaving)):
        found = found.minus(one)
    rest = list(those)
    for one in leaving:
        rest.remove(one)
    assert same(found, summed(rest))


@given(st.lists(impressions(), max_size=8), st.randoms())
def test_the_order_is_no_matter(those: list[Impression], chance: object) -> None:
    """Impressions add up to the same in whatever order they come."""
    other = list(those)
    chance.shuffle(other)  # type: ignore[attr-defined]  # a random.Random
    assert same(summed(those), summed(other))


def test_what_was_felt_fades_by_half() -> None:
    """After a half-life half of the weight of what was felt is left of the mood, and far more of what is usual."""
    first = Emotions().plus(Impression(START, "s", 1.0, 0.8, 0.5))
    later = first.plus(Impression(START + first.mood_half_life, "s"))
    assert math.isclose(later.mood.weight, 0.5)
    assert math.isclose(later.mood.valence, 0.4)
    assert later.usual.weight > 0.99
    assert math.isclose(first.faded(START + 2 * first.mood_half_life), 0.25)


def test_sums_are_bounded() -> None:
    """However much is felt, only the topics named most often and the newest sessions are kept."""
    found = Emotions()
    for number in range(500):
        topics = ("luna", f"topic{number}", f"other{number}")
        found = found.plus(Impression(START + number, f"s{number}", 0.5, 0.1, 0.1, {f"f{number}": 0.5}, topics))
    assert MOST_TOPICS // 2 < len(found.topics) <= MOST_TOPICS
    assert found.topics["luna"].count == 500
    assert list(found.sessions) == [f"s{number}" for number in range(500 - MOST_SESSIONS, 500)]
    assert len(found.feelings) <= 32


def test_a_topic_that_found_no_room_is_not_taken_out_twice() -> None:
    """Taking out what was said before a topic left the sums leaves what was said of it since."""
    early = Impression(START, "s", 0.5, -0.5, 0.1, topics=("luna",))
    found = Emotions().plus(early)
    for number in range(MOST_TOPICS):
        found = found.plus(Impression(START + 1 + number, "s", 0.5, 0.1, 0.1, topics=(f"topic{number}",)))
    assert "luna" not in found.topics
    late = found.plus(Impression(START + HOUR, "s", 0.5, 0.5, 0.1, topics=("luna",)))
    assert late.minus(early).topics["luna"].count == 1


def test_an_impression_has_limits() -> None:
    """Numbers without a meaning and more than there is room for are not sound."""
    assert Impression(weight=0.5, topics=("luna",)).sound
    for wrong in (
        Impression(weight=math.nan),
        Impression(valence=2.0),
        Impression(arousal=-0.1),
        Impression(counts={"words": math.inf}),
        Impression(feelings={"joy": 7.0}),
        Impression(topics=tuple(f"topic{number}" for number in range(9))),
        Impression(topics=("x" * 65,)),
    ):
        assert not wrong.sound
