"""What a text shows of itself, in the languages there are words for."""

from __future__ import annotations

import pytest

from alejo.memory import signs


@pytest.mark.parametrize(
    "text", ["Where?", 'She said "why?"', "你好吗\uff1f", "كيف حالك؟", "Seen this? [photo: a dog]"]
)
def test_a_question_is_known_by_its_mark(text: str) -> None:
    """Whatever its script, in quotes, and before a picture."""
    assert signs.asks(text)
    assert not signs.asks(f"{text} I see.")


@pytest.mark.parametrize(
    ("text", "when", "name"),
    [
        ("When did I move?", True, False),
        ("and how long did it take?", True, False),
        ("In what month was it?", True, False),
        ("Wann war das?", True, False),
        ("¿Cuándo fue?", True, False),
        ("Who came?", False, True),
        ("What is the name of my cat?", False, True),
        ("¿Dónde vive?", False, True),
        ("Wer kam?", False, False),
        ("What did I say when I left?", False, False),
    ],
)
def test_what_is_asked_for_is_known_by_how_it_begins(text: str, when: bool, name: bool) -> None:
    """A time, somebody or some place; not in German, where every noun has a capital."""
    assert (signs.asks_when(text), signs.asks_name(text)) == (when, name)


@pytest.mark.parametrize(
    ("text", "number", "place"),
    [
        ("How many cats do I have?", True, False),
        ("Wie oft war ich dort?", True, False),
        ("¿Cuántos gatos tengo?", True, False),
        ("Where did Ann go?", False, True),
        ("In which city do I live?", False, True),
        ("Wohin zog er?", False, True),
        ("¿De dónde viene?", False, True),
        ("Who would know how?", False, False),
    ],
)
def test_what_is_asked_for_may_be_a_number_or_a_place(text: str, number: bool, place: bool) -> None:
    """Wherever the question says so."""
    assert (signs.asks_number(text), signs.asks_place(text)) == (number, place)


@pytest.mark.parametrize(
    ("text", "number", "place"),
    [
        ("We have three cats", True, False),
        ("Es waren 40 Gäste", True, False),
        ("We moved to the Hague", False, True),
        ("Vivimos cerca de Lugo, en Galicia", False, True),
        ("I like tea in the morning", False, False),
    ],
)
def test_a_number_and_a_place_are_known_by_their_words(text: str, number: bool, place: bool) -> None:
    """A place is a name behind a word that says where."""
    assert (signs.numbered(text), signs.placed(text)) == (number, place)


@pytest.mark.parametrize("text", ["I left last Friday", "vor drei Tagen, seit Montag", "hace dos semanas"])
def test_a_time_is_known_by_its_words(text: str) -> None:
    """In each language."""
    assert signs.dated(text)
    assert not signs.dated("The tea is green")


def test_names_have_capitals_inside_a_sentence() -> None:
    """The first word of a sentence counts for nothing."""
    assert signs.names("Then Ann met Bob. They left.") == 2
