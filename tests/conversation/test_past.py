"""What people tell of their past, through chat: what was so at a time, since when, until when, and how long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alejo import Assistant
from alejo.clock import FakeClock

from ..conftest import ADA

# What is told on 21 November 2026, and what is answered then.
TOLD = {
    "en": ("I lived in Oslo from 2015 to 2020.", "In 2022 I moved to Lisbon.", "I worked at Siemens until last year."),
    "de": (
        "Ich habe von 2015 bis 2020 in Oslo gewohnt.",
        "2022 bin ich nach Lissabon gezogen.",
        "Ich habe bis letztes Jahr bei Siemens gearbeitet.",
    ),
    "es": ("Viví en Oslo de 2015 a 2020.", "En 2022 me mudé a Lisboa.", "Trabajé en Siemens hasta el año pasado."),
}
ASKED = [
    ("en", "Where did I live in 2018?", "Oslo."),
    ("en", "Where do I live now?", "Lisbon."),
    ("en", "Where did I live before Lisbon?", "Oslo."),
    ("en", "Where did I live after Oslo?", "Lisbon."),
    ("en", "Where did I live in 2021?", "The nearest I remember:"),
    ("en", "When did I move to Lisbon?", "2022."),
    ("en", "When did I live in Oslo?", "From 2015 to 2020."),
    ("en", "How long did I live in Oslo?", "About 5 years, from 2015 to 2020."),
    ("en", "How long have I been living in Lisbon?", "About 4 years, since 2022."),
    ("en", "Where did I work in 2019?", "Siemens."),
    ("en", "When did I leave Siemens?", "2025."),
    ("en", "How long did I work at Siemens?", "Until 2025."),
    ("en", "Where do I work?", "The nearest I remember:"),
    ("de", "Wo habe ich 2018 gewohnt?", "Oslo."),
    ("de", "Wo wohne ich jetzt?", "Lissabon."),
    ("de", "Wo habe ich vor Lissabon gewohnt?", "Oslo."),
    ("de", "Wann bin ich nach Lissabon gezogen?", "2022."),
    ("de", "Wie lange habe ich in Oslo gewohnt?", "Etwa 5 Jahre, von 2015 bis 2020."),
    ("de", "Wo habe ich letztes Jahr gearbeitet?", "Siemens."),
    ("es", "¿Dónde viví en 2018?", "Oslo."),
    ("es", "¿Dónde vivo ahora?", "Lisboa."),
    ("es", "¿Dónde vivía antes de Lisboa?", "Oslo."),
    ("es", "¿Desde cuándo vivo en Lisboa?", "2022."),
    ("es", "¿Cuánto tiempo viví en Oslo?", "Más o menos 5 años, de 2015 a 2020."),
    ("es", "¿Dónde trabajé el año pasado?", "Siemens."),
]


def later(clock: FakeClock) -> None:
    """Makes it that day."""
    clock.advance(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp() - clock.now() / 1e6)


@pytest.mark.parametrize("language", TOLD)
async def test_the_past_is_answered_from_what_was_told(assistant: Assistant, clock: FakeClock, language: str) -> None:
    """Each question has its answer, which quotes what was told, and never what was so at another time."""
    later(clock)
    for said in TOLD[language]:
        await assistant.chat(said, scope=ADA)
    for spoken, question, answer in ASKED:
        if spoken == language:
            text = (await assistant.chat(question, scope=ADA)).message.text
            assert text.startswith(f"{answer} "), (question, text)
            assert any(f'"{said}"' in text for said in TOLD[language]), (question, text)


async def test_only_what_is_over_now_is_no_home(assistant: Assistant, clock: FakeClock) -> None:
    """Who told where they lived once is not told that they live there, and as of then it is so."""
    later(clock)
    await assistant.chat("since March I've been living in Rome", scope=ADA)
    assert (await assistant.chat("Where do I live?", scope=ADA)).message.text.startswith("Rome. ")
    asked = await assistant.chat("How long have I lived in Rome?", scope=ADA)
    assert asked.message.text.startswith("About 8 months, since March 2026. ")
    await assistant.chat("From 2010 to 2012 my sister lived in Kiel.", scope=ADA)
    assert "Kiel. " in (await assistant.chat("Where did my sister live in 2011?", scope=ADA)).message.text
    asked = await assistant.chat("Where does my sister live now?", scope=ADA)
    assert asked.message.text.startswith("The nearest I remember:")


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("Ich bin gestern nach Rom gezogen.", "10. Dezember 2026."),
        ("Vorgestern bin ich nach Rom umgezogen.", "9. Dezember 2026."),
        ("Ich bin am Montag nach Rom gezogen.", "7. Dezember 2026."),
        ("Ich bin vor kurzem nach Rom gezogen.", "11. Dezember 2026."),
    ],
)
async def test_who_moved_lately_lives_there(assistant: Assistant, clock: FakeClock, said: str, when: str) -> None:
    """A home is another from the day on that is told, however it is told."""
    later(clock)
    await assistant.chat("Ich wohne in Graz.", scope=ADA)
    clock.advance(20 * 86_400)
    await assistant.chat(said, scope=ADA)
    assert (await assistant.chat("Wo wohne ich?", scope=ADA)).message.text.startswith("Rom. ")
    assert (await assistant.chat("Wann bin ich nach Rom gezogen?", scope=ADA)).message.text.startswith(f"{when} ")


@pytest.mark.parametrize(
    ("told", "asked", "answer"),
    [
        ("I moved to Oslo last week.", "When did I move to Oslo?", "The week before 21 November 2026. "),
        ("Ich bin gestern nach Oslo gezogen.", "Wann bin ich nach Oslo gezogen?", "20. November 2026. "),
        ("I have had a cold since yesterday.", "Since when do I have a cold?", "Since 20 November 2026. "),
        ("Seit gestern habe ich Husten.", "Seit wann habe ich Husten?", "Seit 20. November 2026. "),
    ],
)
async def test_a_time_is_told_no_finer_than_it_was(
    assistant: Assistant, clock: FakeClock, told: str, asked: str, answer: str
) -> None:
    """Some day of a week is not its first, and what goes on since a day has no end."""
    later(clock)
    await assistant.chat(told, scope=ADA)
    assert (await assistant.chat(asked, scope=ADA)).message.text.startswith(answer)
