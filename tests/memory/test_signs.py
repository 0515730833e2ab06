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


@pytest.mark.parametrize("text", ["I left last Friday", "vor drei Tagen, seit Montag", "hace dos semanas"])
def test_a_time_is_known_by_its_words(text: str) -> None:
    """In each language."""
    assert signs.dated(text)
    assert not signs.dated("The tea is green")


def test_names_have_capitals_inside_a_sentence() -> None:
    """The first word of a sentence counts for nothing."""
    assert signs.names("Then Ann met Bob. They left.") == 2
