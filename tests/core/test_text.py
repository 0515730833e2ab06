"""Tokenising, as Python sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo._core import InvalidValue, debug_build, estimate_tokens, tokens

LANGUAGES = [
    "",
    "ar",
    "da",
    "de",
    "el",
    "en",
    "es",
    "fi",
    "fr",
    "hu",
    "it",
    "nb",
    "nl",
    "pt",
    "ro",
    "ru",
    "sv",
    "ta",
    "tr",
    "mul",
    "mul",
]


def test_the_core_under_test_is_an_optimised_one() -> None:
    """A debug build would make every figure of this project worthless."""
    assert not debug_build()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("Where did the kids' mother go?", "My mother went to Lisbon."),
        ("Which children won?", "Each child is winning!"),
        ("What's Luna\u2019s favourite food?", "Luna's favourite: mango"),
        ("CAFÉ", "cafe\u0301"),
        ("我的狗叫什么", "狗叫露娜"),
        ("แมวชื่ออะไร", "แมวของฉันชื่อลูน่า"),
        ("何を食べる", "寿司を食べた"),
        ("고양이 이름", "우리 고양이는 루나"),
    ],
)
def test_a_question_shares_terms_with_its_answer(asked: str, said: str) -> None:
    """Grammar, case, apostrophes and missing spaces do not part a question from its answer."""
    assert set(tokens(asked)) & set(tokens(said))


def test_stopwords_and_contractions_say_nothing_in_english_alone() -> None:
    """English function words vanish with language en and stay with another."""
    assert tokens("I don't know what they've been doing in May") == ["know", "may"]
    assert tokens("what they have", "") == ["what", "they", "have"]


def test_a_stemmer_is_chosen_by_language() -> None:
    """Each language brings its own words to one form; a region does not matter."""
    assert tokens("Katzen und Häuser", "de") == tokens("katze UND haus", "de-AT")
    assert tokens("les maisons", "fr")[-1] == tokens("la maison", "fr")[-1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("Wann habe ich das Fahrrad gekauft?", "Ich kaufe mir zwei Fahrräder"),
        ("¿Cuándo fue la reunión?", "Las reuniones son en enero"),
        ("Où sont les élèves ?", "un eleve est là"),
        ("Wo war ich im Mai?", "08 May 2023"),
    ],
)
def test_each_text_is_freed_of_its_own_grammar(asked: str, said: str) -> None:
    """With language mul the function words of a text tell whose grammar its words lose; accents may be left out."""
    assert set(tokens(asked, "mul")) & set(tokens(said, "mul"))


@pytest.mark.parametrize("code", ["xx", "english", "-", "e n", "\0"])
def test_an_unknown_language_is_refused(code: str) -> None:
    """A language without a stemmer is a ValueError that lists what there is, never a silent fallback."""
    with pytest.raises(InvalidValue, match="known are ar, da") as caught:
        tokens("text", code)
    assert isinstance(caught.value, ValueError)


@given(st.text(max_size=60), st.sampled_from(LANGUAGES))
def test_any_text_is_welcome(text: str, language: str) -> None:
    """No text breaks the tokeniser in any language, and no term is empty."""
    assert all(tokens(text, language))


def test_a_lone_surrogate_is_refused() -> None:
    """What is not a Unicode text raises UnicodeEncodeError."""
    with pytest.raises(UnicodeEncodeError):
        tokens("\ud800")


def test_tokens_are_estimated() -> None:
    """A sentence costs about as many tokens as models count in it, in whatever script."""
    assert abs(estimate_tokens("I think Anna wanted to see the old harbour.") - 10) <= 2
    assert abs(estimate_tokens("Мой брат недавно переехал в новую квартиру.") - 20) <= 5
    assert estimate_tokens("") == 0
