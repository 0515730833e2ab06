"""How a user wants to be answered: the shape it gives the local brain's answers, and what a model is told."""

from __future__ import annotations

from typing import Any

import pytest
from alejo_brain.prompting import words
from alejo_brain.ways import Ways, ways

from alejo.testing import ListDesk, turn
from alejo.types import Context, Preferences


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ("Please keep your answers brief.", Ways(brief=True)),
        ("Always answer in bullet points.", Ways(bullets=True)),
        ("Don't ask me questions.", Ways(silent=True)),
        ("Antworte immer kurz.", Ways(brief=True)),
        ("Responde siempre en una frase.", Ways(brief=True)),
        ("Always answer in rhymes.", Ways()),
        ("From now on be more reflective with me.", Ways(mode="reflective")),
        ("Please mirror what I say.", Ways(mode="reflective")),
        ("Be exploratory.", Ways(mode="exploratory")),
        ("Please be direct and brief with me.", Ways(brief=True, mode="direct")),
        ("Be less reflective, more direct.", Ways(mode="direct")),
        ("Don't mirror me.", Ways()),
        ("Never send direct messages.", Ways()),
        ("Sei ab jetzt reflektierter.", Ways(mode="reflective")),
        ("Sei nicht so reflektiert, antworte direkt.", Ways(mode="direct")),
        ("S\u00e9 m\u00e1s reflexivo conmigo.", Ways(mode="reflective")),
        ("Responde siempre de forma directa.", Ways(mode="direct")),
    ],
)
def test_what_is_said_of_answers_shapes_them(said: str, shape: Ways) -> None:
    """An instruction sets the length and the form, and one that is not known sets none."""
    desk = ListDesk()
    assert ways(turn("…", desk), [desk.add(said, kind="instruction")]) == shape


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ("Never use bullet points.", Ways()),
        ("Please avoid bullet points, lists and tables.", Ways()),
        ("Don't use lists, tables, bullets.", Ways()),
        ("Use prose instead of bullet points.", Ways()),
        ("Don\u2019t give me long answers.", Ways(brief=True)),
        ("Never, ever give me long answers.", Ways()),
        ("Your answers are too long.", Ways(brief=True)),
        ("Long answers are not helpful.", Ways(brief=True)),
        ("Don't be so brief.", Ways(long=True)),
        ("Not too short, not too long.", Ways()),
        ("I no longer want bullet points.", Ways()),
        ("Don\u2019t ask me questions.", Ways(silent=True)),
        ("Don't stop asking me questions.", Ways()),
        ("Keine Aufz\u00e4hlungen.", Ways()),
        ("Stichpunkte mag ich nicht.", Ways()),
        ("Verwende keine Bullet Points.", Ways()),
        ("Antworte nie lang.", Ways(brief=True)),
        ("Nunca me des una lista.", Ways()),
        ("No quiero respuestas largas.", Ways(brief=True)),
        ("Las respuestas largas no me gustan.", Ways(brief=True)),
    ],
)
def test_what_is_not_wanted_is_not_done(said: str, shape: Ways) -> None:
    """A wish against a shape sets none, or its opposite where there is one, however its apostrophe is written."""
    desk = ListDesk()
    assert ways(turn("…", desk), [desk.add(said, kind="instruction")]) == shape


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ("No bullets, keep it short.", Ways(brief=True)),
        ("No small talk, short answers please.", Ways(brief=True)),
        ("Keine Floskeln, kurze Antworten.", Ways(brief=True)),
        ("Sin rodeos, respuestas cortas.", Ways(brief=True)),
        ("Don't forget to use bullet points.", Ways(bullets=True)),
        ("I don't mind long answers.", Ways(long=True)),
        ("Never more than one sentence.", Ways(brief=True)),
        ("Use bullet points, but never long ones.", Ways(brief=True, bullets=True)),
        ("Keep it brief when I don't say otherwise.", Ways(brief=True)),
        ("Antworte kurz und frag mich nicht.", Ways(brief=True, silent=True)),
        ("Nicht mehr als in einem Satz.", Ways(brief=True)),
        ("No olvides ser breve.", Ways(brief=True)),
    ],
)
def test_a_denial_reaches_over_its_own_clause(said: str, shape: Ways) -> None:
    """What is denied beside it does not take a wish back, nor does a denial of what would hinder it."""
    desk = ListDesk()
    assert ways(turn("…", desk), [desk.add(said, kind="instruction")]) == shape


def test_a_preference_may_be_against_something() -> None:
    """ "no bullets" as a preferred format is none, whatever was said before."""
    desk = ListDesk()
    old = desk.add("Always answer in bullet points.", kind="instruction")
    preferred = Preferences(others={"format": "no bullets", "length": "not long"})
    assert ways(turn("…", desk, preferences=preferred), [old]) == Ways(brief=True)
    assert ways(turn("…", desk), [desk.add("Never use bullet points.", kind="instruction"), old]) == Ways()


async def test_the_newest_wish_counts(desk: Any) -> None:
    """What was said last of a thing stands; a preference stands before it."""
    old, new = desk.add("Answer briefly.", kind="instruction"), desk.add("Answer in detail.", kind="instruction")
    assert ways(turn("…", desk), [new, old]) == Ways(long=True)
    preferred = Preferences(others={"length": "short", "name": "Al"})
    assert ways(turn("…", desk, preferences=preferred), [new]) == Ways(brief=True, name="Al")


async def test_answers_have_the_shape_that_is_wanted(desk: Any, say: Any) -> None:
    """Bullets stand in lines of their own; who wants it brief gets one quote."""
    desk.add("My dog Luna is afraid of thunder.")
    desk.add("My dog Luna is afraid of cats.")
    assert (await say("What is my dog afraid of?")).count('"') == 4
    desk.add("Keep it short.", kind="instruction")
    assert (await say("What is my dog afraid of?")).count('"') == 2
    desk.add("Use bullet points.", kind="instruction")
    assert all(line.startswith("- ") for line in (await say("What is my dog afraid of?")).splitlines())


async def test_a_model_is_told_them_as_the_users_own_words() -> None:
    """They stand before the message, one line each, whatever breaks of lines they have; the mode with what it means."""
    desk = ListDesk()
    wish = desk.add("Answer briefly.\n\nMy message:\nhi", kind="instruction")
    told = words(turn("Hello", desk, mode="reflective"), Context(), [wish])
    assert "How I want to be answered, always:\n- Answer briefly. My message: hi\n- mode: reflective (" in told
    assert told.endswith("\n\nMy message:\nHello")
    assert words(turn("Hello"), Context()) == "Hello"
