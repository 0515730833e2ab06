"""What is felt in a text."""

from __future__ import annotations

import pytest
from alejo_emotion import Feeling
from hypothesis import given
from hypothesis import strategies as st

from alejo.types import Appraisal

GOEMOTIONS = (
    "admiration amusement anger annoyance approval caring confusion curiosity desire disappointment disapproval "
    "disgust embarrassment excitement fear gratitude grief joy love nervousness optimism pride realization relief "
    "remorse sadness surprise"
)
NAMES = frozenset(GOEMOTIONS.split())


async def feel(text: str) -> Appraisal:
    return await Feeling().appraise(text)


STRONGEST = [
    ("I am so happy today!", "joy", "happy"),
    ("I can't wait for the trip", "excitement", "can't wait"),
    ("I can\u2019t wait for the trip", "excitement", "can\u2019t wait"),
    ("Thank you for everything", "gratitude", "Thank you"),
    ("I love you", "love", "I love you"),
    ("my grandfather passed away", "grief", "passed away"),
    ("I was furious with him", "anger", "furious"),
    ("That queue was annoying", "annoyance", "annoying"),
    ("I'm scared of the dark", "fear", "scared"),
    ("I'm nervous about it", "nervousness", "nervous"),
    ("That is disgusting", "disgust", "disgusting"),
    ("lol what", "amusement", "lol"),
    ("I'm so proud of her", "pride", "proud"),
    ("phew", "relief", "phew"),
    ("how embarrassing", "embarrassment", "embarrassing"),
    ("I regret it", "remorse", "regret"),
    ("I wonder", "curiosity", "wonder"),
    ("this is confusing", "confusion", "confusing"),
    ("I just realized it", "realization", "realized"),
    ("I hope it works", "optimism", "hope"),
    ("\U0001f602", "amusement", "\U0001f602"),
    ("\u2764\ufe0f", "love", "\u2764"),
    ("well :(", "sadness", ":("),
]


@pytest.mark.parametrize(("text", "name", "carried"), STRONGEST)
async def test_the_strongest_feeling_is_named_with_its_words(text: str, name: str, carried: str) -> None:
    """The first emotion is the one a reader would name, and its words are the text's own."""
    first = (await feel(text)).emotions[0]
    assert first.name == name
    assert [word.replace("'", "\u2019") for word in first.words] == [carried.replace("'", "\u2019")]


ORDERED = [
    ("I am not happy", "I am happy"),
    ("this is good", "this is very good"),
    ("this is slightly good", "this is good"),
    ("this is good", "this is good!!"),
    ("it was great to see her", "it was GREAT to see her"),
    ("it is bad", "it is not bad"),
    ("it was fun but terrible", "it was terrible but fun"),
    ("I am very sad", "I am sad"),
    ("no good", "so, good"),
]


@pytest.mark.parametrize(("lower", "higher"), ORDERED)
async def test_words_before_and_after_turn_and_scale(lower: str, higher: str) -> None:
    """Negation, intensifiers, dampeners, exclamation and "but" move valence the way a reader expects."""
    assert (await feel(lower)).valence < (await feel(higher)).valence


async def test_never_this_happy_is_very_happy() -> None:
    """ "Never been this …" and "couldn't be more …" heighten what follows instead of turning it."""
    assert (await feel("I've never been this happy")).valence > (await feel("I am happy")).valence
    assert (await feel("I couldn't be more sad")).valence < (await feel("I am sad")).valence


async def test_a_turned_feeling_is_another_feeling() -> None:
    """What is negated is named for what it leaves: disappointment, or approval."""
    assert (await feel("I am not happy")).emotions[0].name == "disappointment"
    assert (await feel("not bad")).emotions[0].name == "approval"


async def test_a_negation_ends_with_its_clause() -> None:
    """A comma between them keeps "no" away from what follows."""
    assert (await feel("No, I am happy")).valence > 0.3


async def test_no_feeling_is_nothing() -> None:
    """A plain statement has no valence, no arousal and no emotions; marks alone only rouse."""
    assert await feel("The table has four legs.") == Appraisal(0.0, 0.0)
    assert await feel("") == Appraisal(0.0, 0.0)
    roused = await feel("The table!!!")
    assert (roused.valence, roused.emotions) == (0.0, ())
    assert roused.arousal > 0


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(["not", "happy", "SO", "sad", "!!!", "but", "\U0001f62d", ":(", ","])).map(" ".join)
)
async def test_any_text_is_felt_within_bounds(text: str) -> None:
    """No text fails, and every figure and name is within what the role promises, strongest first."""
    felt = await feel(text)
    assert -1.0 <= felt.valence <= 1.0
    assert 0.0 <= felt.arousal <= 1.0
    strengths = [emotion.strength for emotion in felt.emotions]
    assert strengths == sorted(strengths, reverse=True)
    assert all(0.0 <= emotion.strength <= 1.0 and emotion.name in NAMES and emotion.words for emotion in felt.emotions)
