"""What becomes of hand-written talks: episodes, facts and ways, in English, German and Spanish."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pytest
from alejo_memory import Episodic, Procedural, Semantic
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo.roles import Reflector, Work
from alejo.types import (
    Appraisal,
    Episode,
    EpisodeDraft,
    FactDraft,
    Findings,
    Mention,
    Message,
    ProcedureDraft,
    Role,
    Said,
    Session,
    SessionState,
)

NOON = 1_700_000_000_000_000
MINUTE = 60_000_000
SESSION = Session("5" * 32, SessionState.ACTIVE, NOON, NOON)
Line = str | tuple[str, str]


def said(seq: int, line: Line, times: Sequence[Mention] = (), felt: float = 0.0, pause: int = 0) -> Said:
    """A line of the user's, of "assistant", or of a speaker by name, a minute after the one before."""
    speaker, text = line if isinstance(line, tuple) else ("", line)
    role = Role.ASSISTANT if speaker == "assistant" else Role.USER
    name = "" if speaker == "assistant" else speaker
    message = Message(f"{seq:032x}", SESSION.id, seq, role, text, NOON + seq * MINUTE + pause, NOON, name)
    kept = () if role is Role.ASSISTANT else (f"{seq + 1000:032x}",)
    appraisal = Appraisal(-felt, felt) if felt else None
    return Said(message, kept, tuple(times), appraisal, vector(text))


def vector(text: str) -> bytes:
    """A vector by the words of a text."""
    numbers = array("f", [0.01] * 64)
    for word in text.casefold().split():
        numbers[sum(word.encode()) % 64] += 1
    return numbers.tobytes()


def work(*lines: Line, earlier: Sequence[Said] = (), episode: Episode | None = None, told: int = 0) -> Work:
    first = len(earlier) + 1
    new = tuple(said(seq, line) for seq, line in enumerate(lines, first))
    return Work(SESSION, new, tuple(earlier), episode, told)


async def facts(*lines: Line) -> list[tuple[str, str, str]]:
    found = await Semantic().reflect(work(*lines))
    return [(draft.subject, draft.relation, draft.object) for draft in found.facts]


async def ways(*lines: Line) -> list[ProcedureDraft]:
    return list((await Procedural().reflect(work(*lines))).procedures)


@pytest.mark.parametrize(("lines", "fact"), [
    ([("assistant", "Where do you work?"), "At the harbour."], ("user", "works at", "the harbour")),
    ([("assistant", "What's your sister's name?"), "Eva."], ("user", "sister", "Eva")),
    ([("assistant", "Are you vegetarian?"), "Yes, since May."], ("user", "diet", "vegetarian")),
    ([("assistant", "Do you like olives?"), "No, not really."], ("user", "likes", "olives")),
    ([("Cleo", "Where do you live now?"), ("Mia", "In Porto.")], ("Mia", "lives in", "Porto")),
    (["I adopted a parrot from the shelter."], ("user", "adopted", "a parrot from the shelter")),
    ([("Mia", "I'm teaching my aunt the cello.")], ("Mia", "is teaching", "their aunt the cello")),
    ([("Cleo", "Hello!"), ("Mia", "I met you in Rome at the station.")], ("Mia", "met", "Cleo in Rome at the station")),
    ([("Cleo", "Hi there!"), ("Mia", "Good to see you, Cle!")], ("Cleo", "also known as", "Cle")),
    ([("assistant", "Wo arbeitest du?"), "Bei Siemens."], ("user", "works at", "Siemens")),
    ([("assistant", "Wie heißt deine Schwester?"), "Eva."], ("user", "sister", "Eva")),
    (["Ich habe im Tierheim einen alten Hund adoptiert."], ("user", "hat", "im Tierheim einen alten Hund adoptiert")),
    ([("Jana", "Ich habe mein Fahrrad verkauft.")], ("Jana", "hat", "Janas Fahrrad verkauft")),
    ([("assistant", "¿Dónde vives?"), "En Sevilla."], ("user", "lives in", "Sevilla")),
    (["Compré una bicicleta azul en el mercado."], ("user", "compró", "una bicicleta azul en el mercado")),
])  # fmt: skip
async def test_a_fact_is_read_in_its_context(lines: list[Line], fact: tuple[str, str, str]) -> None:
    """An answer is read with its question, "you" and "my" are people, and a clause says what its speaker did."""
    assert fact in await facts(*lines)


@pytest.mark.parametrize("lines", [
    [("assistant", "Where do you work?"), "Why do you ask?"],
    [("assistant", "Where do you work?"), "I won't tell."],
    [("assistant", "What's your favourite part of it?"), "Thanks, Gina."],
    ["I guess so."], ["I was happy."], ["If I had a boat, I would sail to Crete."], ["Did I sell my boat?"],
    ["Let me know about the boat."], ["Taking risks is key for sailors."], ["I love it!"],
    ['He said "I sold my boat to Karl".'], ["Das Wetter ist schön."],
    ["María vive en Cádiz."], ["Así es la vida, amigo."],
])  # fmt: skip
async def test_what_states_nothing_makes_no_fact(lines: list[Line]) -> None:
    """Questions, moods, suppositions, quotes and what is of others are no facts of who says them."""
    assert await facts(*lines) == []


@pytest.mark.parametrize(("line", "role"), [
    ("My kids are Tom, Ann and Lee.", "child"),
    ("Meine Kinder heißen Tom, Ann und Lee.", "child"),
    ("Mis hijos se llaman Tom, Ann y Lee.", "child"),
])  # fmt: skip
async def test_a_list_is_taken_apart(line: str, role: str) -> None:
    """Of several who are named at once each is a fact."""
    assert await facts(line) == [("user", role, name) for name in ("Tom", "Ann", "Lee")]


async def test_a_fact_bears_the_date_of_what_happened() -> None:
    """What happened "yesterday" is said with its date, in the words that tell its beginning."""
    line = said(1, "I sold my boat to Karl yesterday.", [Mention("yesterday", NOON, NOON + MINUTE, "13 November 2023")])
    (fact,) = (await Semantic().reflect(Work(SESSION, (line,)))).facts
    assert (fact.text, fact.since) == ("The user sold their boat to Karl yesterday [13 November 2023].", "yesterday")


@pytest.mark.parametrize(("line", "topic", "context"), [
    ("Always answer in metric units.", "units", ""),
    ("Call me Sam.", "name", ""),
    ("From now on, please answer in German.", "language", ""),
    ("When I ask about recipes, use grams.", "units", "i ask about recipes"),
    ("Keep it short, please.", "", ""),
    ("Never mention my ex again.", "", ""),
    ("Nenn mich Kai.", "name", ""),
    ("Bitte antworte immer auf Deutsch.", "language", ""),
    ("Wenn ich nach Rezepten frage, verwende Gramm.", "units", "ich nach rezepten frage"),
    ("Llámame Pepe.", "name", ""),
    ("Responde siempre en español, por favor.", "language", ""),
])  # fmt: skip
async def test_an_instruction_has_a_topic_and_a_context(line: str, topic: str, context: str) -> None:
    """What is wanted is told with what it is about, and when it applies."""
    (way,) = await ways(line)
    assert (way.kind, way.context) == ("instruction", context)
    assert way.text == line.replace("From now on, please", "Please").replace(" ab jetzt", "").replace(
        " from now on", ""
    )
    assert way.topic == topic or (line.startswith("Keep") and way.topic == "length")


@pytest.mark.parametrize(("first", "second"), [
    ("Book the blue bike.", "No, I meant the red one."),
    ("Buch das blaue Rad.", "Nein, ich meinte das rote."),
    ("Reserva la bici azul.", "No, quise decir la roja."),
])  # fmt: skip
async def test_a_correction_names_what_it_corrects(first: str, second: str) -> None:
    """What was meant stands beside what was said."""
    (way,) = await ways(first, second)
    assert (way.kind, way.text, len(way.sources)) == ("correction", f"{first} → {second}", 2)


@pytest.mark.parametrize(("before", "after"), [
    ("Every Friday I go swimming.", "I go swimming on Mondays now."),
    ("Jeden Freitag gehe ich schwimmen.", "Montags gehe ich schwimmen."),
    ("Todos los lunes voy a natación.", "Los martes voy a natación."),
])  # fmt: skip
async def test_a_routine_is_known_by_what_is_done(before: str, after: str) -> None:
    """A routine on another day is the same routine, which supersedes it."""
    one, other = await ways(before, after)
    assert one.kind == other.kind == "routine"
    assert one.topic == other.topic


@pytest.mark.parametrize(
    "line",
    [
        "Always the same!",
        "Call me tomorrow?",
        "I stopped swimming on Fridays.",
        "Every dog has its day.",
        "Remind me to call the vet tomorrow at 9.",
        "Erinnere mich morgen um 9 an den Tierarzt.",
        "Recuérdame llamar al veterinario mañana.",
        "Nie wieder!",
        "Cada loco con su tema.",
    ],
)
async def test_what_is_no_way_is_none(line: str) -> None:
    """Exclamations, questions, what is over, sayings and reminders are no ways of doing things."""
    assert await ways(line) == []


GARDEN = [
    ("Mia", "I dug a new bed for the roses in my garden."),
    ("Cleo", "Did the roses in the garden survive the frost?"),
    ("Mia", "Most roses survived, but the garden lost the old lilac."),
    ("Cleo", "I planted lilac and roses in Kew Garden last spring."),
    ("Mia", "The garden roses want more water than the lilac."),
    ("Cleo", "I water roses in the garden twice a day."),
]
TRAIN = [
    ("Mia", "I booked the night train to Vienna with Karl."),
    ("Cleo", "The night train to Vienna leaves from platform nine."),
    ("Mia", "I bought the train ticket to Vienna for 49 euros."),
    ("Cleo", "Night train tickets to Vienna were cheaper in winter."),
    ("Mia", "Karl wants the upper berth in the night train."),
    ("Cleo", "I never slept in a night train to Vienna."),
]


async def test_episodes_are_parts_of_one_topic() -> None:
    """Where the topic changes an episode ends; each tells in few words who said what, by its own messages alone."""
    found = (await Episodic().reflect(work(*GARDEN, *TRAIN))).episodes
    assert [len(draft.sources) for draft in found] == [6, 6]
    assert [draft.open for draft in found] == [False, True]
    garden, train = found
    assert "Kew Garden" in garden.summary
    assert "Vienna" not in garden.summary
    assert "49 euros" in train.summary
    assert "Mia: " in train.summary
    assert "vienna" in train.title
    assert all(len(draft.summary.split()) <= 60 for draft in found)


async def test_a_pause_ends_an_episode() -> None:
    """What is said more than an hour later is another episode, whatever its topic."""
    early = [said(seq, line) for seq, line in enumerate(GARDEN, 1)]
    late = [said(seq, line, pause=90 * MINUTE) for seq, line in enumerate(GARDEN, 7)]
    found = (await Episodic().reflect(Work(SESSION, (*early, *late)))).episodes
    assert [len(draft.sources) for draft in found] == [6, 6]


async def test_the_last_episode_grows() -> None:
    """What is said next joins the open episode under its id, and what was closed is left alone."""
    one = (await Episodic().reflect(work(*GARDEN[:3]))).episodes[0]
    earlier = [said(seq, line) for seq, line in enumerate(GARDEN[:3], 1)]
    last = Episode("e" * 32, one.title, one.summary, one.sources)
    more = work(*GARDEN[3:], earlier=earlier, episode=last, told=3)
    (grown,) = (await Episodic().reflect(more)).episodes
    assert (grown.replaces, grown.open, len(grown.sources)) == (last.id, True, 6)


async def test_few_messages_wait_for_more() -> None:
    """Two messages are no episode yet; with a third they are one."""
    assert (await Episodic().reflect(work(*GARDEN[:2]))).episodes == ()
    earlier = [said(seq, line) for seq, line in enumerate(GARDEN[:2], 1)]
    (made,) = (await Episodic().reflect(work(GARDEN[2], earlier=earlier))).episodes
    assert len(made.sources) == 3


async def test_strong_feelings_matter() -> None:
    """An episode in which much was felt matters more."""
    calm = [said(seq, line) for seq, line in enumerate(GARDEN, 1)]
    moved = [said(seq, line, felt=0.9) for seq, line in enumerate(GARDEN, 1)]
    one, other = [(await Episodic().reflect(Work(SESSION, tuple(each)))).episodes[0] for each in (calm, moved)]
    assert one.importance < other.importance <= 1


async def test_answers_of_the_assistant_are_nobodys_words() -> None:
    """What was not kept is part of nothing, as nothing would take it along when it is forgotten."""
    lines = [line for said_ in TRAIN for line in (said_, ("assistant", "Zanzibar is lovely."))]
    for reflector in (Episodic(), Semantic(), Procedural()):
        found = await reflector.reflect(work(*lines))
        assert "Zanzibar" not in repr(found)


SAID = """I my me you we am was have don't Friday every always no meant ich habe mein jeden yo tengo mi siempre call
answer [1] ? . ! , ; : -- … 7 May yesterday Ana Karl garden ß İ \u2019 \U0001f600"""
WORDS = st.sampled_from([*SAID.split(), "\n"])
TEXTS = st.one_of(st.text(max_size=120), st.lists(WORDS, max_size=25).map(" ".join))


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["", "Mia", "Cleo", "assistant"]), TEXTS), min_size=1, max_size=30),
    st.integers(0, 29),
)
async def test_whatever_is_said_what_is_found_fits(lines: list[tuple[str, str]], split: int) -> None:
    """Of any words, in any two portions, findings are of these messages, within bounds, and made of kept words."""
    every = [said(seq, line) for seq, line in enumerate(lines, 1)]
    earlier, new = every[: split % len(every)], every[split % len(every) :]
    ids = {each.message.id for each in every}
    kept = {each.message.id for each in every if each.memories}
    reflectors: list[Reflector] = [Episodic(), Semantic(), Procedural()]
    for reflector in reflectors:
        found = await reflector.reflect(Work(SESSION, tuple(new), tuple(earlier)))
        drafts: list[EpisodeDraft | FactDraft | ProcedureDraft] = [*found.episodes, *found.facts, *found.procedures]
        for draft in drafts:
            assert draft.sources
            assert set(draft.sources) <= ids
            assert kept & set(draft.sources)
        assert all(len(each.summary.split()) <= 60 and each.summary and each.title for each in found.episodes)
        assert all(0 < len(each.subject) <= 256 and 0 < len(each.relation) <= 64 for each in found.facts)
        assert all(len(each.topic) <= 24 and len(each.context) <= 40 for each in found.procedures)
        assert found == await reflector.reflect(Work(SESSION, tuple(new), tuple(earlier)))
        assert isinstance(found, Findings)
