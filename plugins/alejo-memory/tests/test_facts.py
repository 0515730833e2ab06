"""What people state of themselves is read; what is asked, supposed, quoted or reported is not."""

from __future__ import annotations

import alejo_memory
import pytest
from alejo_memory import Judgement
from alejo_memory.relations import complete
from hypothesis import given
from hypothesis import strategies as st

from alejo import testing
from alejo.types import Cardinality, FactDraft, Message, Role

AT = 1_683_640_980_000_000


def message(text: str, *, speaker: str = "", role: Role = Role.USER) -> Message:
    return Message("m", "s", 1, role, text, AT, AT, speaker)


async def read(text: str, *, speaker: str = "", role: Role = Role.USER) -> list[tuple[str, str, str]]:
    """The facts of a message, those that are denied with "not" before the relation."""
    drafts = await Judgement().facts(message(text, speaker=speaker, role=role))
    return [(one.subject, f"not {one.relation}" if one.negated else one.relation, one.object) for one in drafts]


STATED = [
    ("My name is Anna.", "name", "Anna"),
    ("hi, my name's anna", "name", "anna"),
    ("Everyone calls me Annie.", "also known as", "Annie"),
    ("I live in New York now.", "lives in", "New York"),
    ("By the way, I\u2019m currently living in Rome", "lives in", "Rome"),
    ("I moved to Berlin last month.", "lives in", "Berlin"),
    ("I've lived in Lisbon since 2018.", "lives in", "Lisbon"),
    ("I no longer live in Rome.", "not lives in", "Rome"),
    ("I'm originally from Sweden, you know.", "is from", "Sweden"),
    ("I was born in Leeds", "was born in", "Leeds"),
    ("I work at Siemens.", "works at", "Siemens"),
    ("I work for a bakery near the station", "works at", "a bakery"),
    ("I quit my job at Siemens.", "not works at", "Siemens"),
    ("I work as a software engineer.", "works as", "software engineer"),
    ("I'm a nurse at the local hospital.", "works as", "nurse"),
    ("I speak Spanish.", "speaks", "Spanish"),
    ("I'm 34 years old", "age", "34"),
    ("I just turned 40!", "age", "40"),
    ("My birthday is on 3 May.", "birthday", "3 May"),
    ("My birthday is March 14th.", "birthday", "March 14th"),
    ("I'm happily married to Tom.", "is married to", "Tom"),
    ("My sister's name is Eva.", "sister", "Eva"),
    ("My little brother is called Jim.", "brother", "Jim"),
    ("I have a dog called Luna.", "dog", "Luna"),
    ("My cat, Tiger, is asleep.", "cat", "Tiger"),
    ("I'm allergic to peanuts.", "is allergic to", "peanuts"),
    ("I'm vegan", "diet", "vegan"),
    ("I love hiking in the mountains!", "likes", "hiking in the mountains"),
    ("I love camping trips with my family.", "likes", "camping trips"),
    ("I can't stand loud music.", "not likes", "loud music"),
    ("I don't like jazz.", "not likes", "jazz"),
    ("I prefer tea to coffee.", "prefers", "tea to coffee"),
    ("Ich hei\u00dfe J\u00f6rg.", "name", "J\u00f6rg"),
    ("Ich wohne jetzt in K\u00f6ln.", "lives in", "K\u00f6ln"),
    ("Ich bin letztes Jahr nach M\u00fcnchen gezogen.", "lives in", "M\u00fcnchen"),
    ("Ich arbeite bei der Sparkasse.", "works at", "Sparkasse"),
    ("Ich bin Krankenpfleger.", "works as", "Krankenpfleger"),
    ("Ich bin 41 Jahre alt.", "age", "41"),
    ("Mein Geburtstag ist am 3. Mai.", "birthday", "3 Mai"),
    ("Meine Schwester hei\u00dft Eva.", "sister", "Eva"),
    ("Mein Neffe Jonas hat sich verletzt.", "nephew", "Jonas"),
    ("Ich bin allergisch gegen N\u00fcsse.", "is allergic to", "N\u00fcsse"),
    ("Ich bin mit Karl verheiratet.", "is married to", "Karl"),
    ("Ich mag keinen Spinat.", "not likes", "Spinat"),
    ("Ich trinke gern Tee.", "likes", "Tee"),
    ("Me llamo Luc\u00eda.", "name", "Luc\u00eda"),
    ("Vivo en Madrid desde 2019.", "lives in", "Madrid"),
    ("Me he mudado a Sevilla.", "lives in", "Sevilla"),
    ("Ya no vivo en Madrid.", "not lives in", "Madrid"),
    ("Soy de Zaragoza.", "is from", "Zaragoza"),
    ("Soy enfermera.", "works as", "enfermera"),
    ("Tengo 28 a\u00f1os.", "age", "28"),
    ("Mi hermana se llama Eva.", "sister", "Eva"),
    ("Tengo un perro que se llama Trasto.", "dog", "Trasto"),
    ("Soy al\u00e9rgica a los cacahuetes.", "is allergic to", "cacahuetes"),
    ("No me gusta el ruido.", "not likes", "el ruido"),
]


@pytest.mark.parametrize(("text", "relation", "thing"), STATED)
async def test_a_simple_statement_is_a_fact(text: str, relation: str, thing: str) -> None:
    """What somebody plainly says of themselves is read, in three languages."""
    assert await read(text) == [("user", relation, thing)]


SAID = [
    "Do I live in Rome?",
    "Where do I live",
    "If I live in Rome, I like pizza.",
    "I wish I live in Rome",
    "Maybe I live in a dream, and I love pizza.",
    'He said "I live in Rome".',
    "He told me \u201cI work at Siemens\u201d yesterday.",
    "> I live in Rome",
    "She lives in Rome.",
    "He says I live in Rome.",
    "They think my name is Anna",
    "I love it!",
    "I love that you chose pottery.",
    "I love the way it turned out!",
    "I love your turtles so much!",
    "I hate people who lie.",
    "I love escaping to that world.",
    "I'd love to live in Rome.",
    "I would like pizza.",
    "I'm 30 minutes late.",
    "I'm a bit tired.",
    "I'm no writer.",
    "I work at the moment on a book.",
    "I love Mondays. /s",
    "My name is on the list.",
    "Wenn ich in Rom wohne, mag ich Pizza.",
    "Wohne ich in Rom?",
    "Ich mag das.",
    "Me encanta.",
    "Si vivo en Roma, me gusta la pizza.",
    "",
]


@pytest.mark.parametrize("text", SAID)
async def test_nothing_else_is_a_fact(text: str) -> None:
    """Questions, suppositions, others' words and remarks on the moment state nothing."""
    assert await read(text) == []


async def test_a_speaker_speaks_of_themselves() -> None:
    """The subject is whoever speaks: the named speaker, whom a line names, or the user; an assistant states nothing."""
    text = "I moved to Oslo last week."
    assert await read(text, speaker="Caroline") == [("Caroline", "lives in", "Oslo")]
    assert await read(f"Caroline: {text}") == [("Caroline", "lives in", "Oslo")]
    assert await read(f"Note: {text}") == [("user", "lives in", "Oslo")]
    assert await read(text, role=Role.ASSISTANT) == []
    assert await read("My brother lives in Oslo.", speaker="Mel") == [("Mel's brother", "lives in", "Oslo")]
    assert await read("I'm Mel. My name is Mel.", speaker="Mel") == []


async def test_a_message_may_state_much() -> None:
    """Every clause is read, what stands twice once, and lists are taken apart where each thing counts."""
    assert await read("I live in Rome and I work at Siemens. I'm allergic to nuts and shellfish! I live in Rome.") == [
        ("user", "lives in", "Rome"),
        ("user", "works at", "Siemens"),
        ("user", "is allergic to", "nuts"),
        ("user", "is allergic to", "shellfish"),
    ]


async def test_time_and_correction_are_told() -> None:
    """Words of time go to the host, what is over ends by now, and a no before it makes it a correction."""
    (moved,) = await Judgement().facts(message("I moved to Berlin two years ago."))
    assert (moved.since, moved.cardinality, moved.object_kind) == ("two years ago", Cardinality.ONE, "place")
    (over,) = await Judgement().facts(message("I used to live in Paris."))
    assert (over.valid_to, over.text) == (AT, "The user lived in Paris.")
    (corrected,) = await Judgement().facts(message("No, I live in Bonn."))
    assert corrected.corrects
    (changed,) = await Judgement().facts(message("No, I moved to Bonn."))
    assert not changed.corrects
    assert moved.text == "The user lives in Berlin."


TIMED = [
    ("I lived in Oslo from 2015 to 2020.", "lives in Oslo", "from 2015 to 2020", "from 2015 to 2020"),
    ("From 2015 to 2020, I lived in Oslo.", "lives in Oslo", "from 2015 to 2020", "from 2015 to 2020"),
    ("I lived in Oslo (2015-2020).", "lives in Oslo", "2015", "2020"),
    ("I lived in Oslo from 2015 until now.", "lives in Oslo", "2015", ""),
    ("I was living in Oslo in the 1990s.", "lives in Oslo", "in the 1990s", "in the 1990s"),
    ("We lived in Oslo until 2020.", "lives in Oslo", "", "2020"),
    ("In 2022 we moved to Lisbon.", "lives in Lisbon", "in 2022", ""),
    ("2022 sind wir nach Lissabon gezogen.", "lives in Lissabon", "2022", ""),
    ("Wir haben von 2015 bis 2020 in Oslo gewohnt.", "lives in Oslo", "von 2015 bis 2020", "von 2015 bis 2020"),
    ("My sister lived in Paris until 2021.", "lives in Paris", "", "2021"),
    ("In 2022 I moved to Lisbon.", "lives in Lisbon", "in 2022", ""),
    ("In 2022, I moved to Lisbon.", "lives in Lisbon", "in 2022", ""),
    ("Two years ago I moved to Lisbon.", "lives in Lisbon", "two years ago", ""),
    ("Yesterday I moved to Rome.", "lives in Rome", "yesterday", ""),
    ("Ayer me mud\u00e9 a Roma.", "lives in Roma", "ayer", ""),
    ("since March I've been living in Rome", "lives in Rome", "since March", ""),
    ("I've lived in Rome for three years.", "lives in Rome", "three years ago", ""),
    ("I worked at Siemens until last year", "works at Siemens", "", "last year"),
    ("Until last year I worked at a bakery.", "works at a bakery", "", "last year"),
    ("I started at Siemens in 2019.", "works at Siemens", "in 2019", ""),
    ("I worked as a nurse from 2010 to 2015.", "works as nurse", "from 2010 to 2015", "from 2010 to 2015"),
    ("I was married to Tom until 2015.", "is married to Tom", "", "2015"),
    ("Ich habe von 2015 bis 2020 in Oslo gewohnt.", "lives in Oslo", "von 2015 bis 2020", "von 2015 bis 2020"),
    ("Von 2015 bis 2020 wohnte ich in Oslo.", "lives in Oslo", "von 2015 bis 2020", "von 2015 bis 2020"),
    ("2022 bin ich nach Lissabon gezogen.", "lives in Lissabon", "2022", ""),
    ("Ich bin gestern nach Rom gezogen.", "lives in Rom", "gestern", ""),
    ("Wir sind vorgestern nach Linz umgezogen.", "lives in Linz", "vorgestern", ""),
    ("Ich bin erst heute fr\u00fch nach Rom gezogen.", "lives in Rom", "erst heute fr\u00fch", ""),
    ("Ich bin neulich nach Rom gezogen.", "lives in Rom", "neulich", ""),
    ("Ich bin am Montag nach Rom gezogen.", "lives in Rom", "am Montag", ""),
    ("Ich zog vor kurzem nach Rom.", "lives in Rom", "vor kurzem", ""),
    ("Heute bin ich nach Rom gezogen.", "lives in Rom", "heute", ""),
    ("Vor kurzem bin ich nach Rom gezogen.", "lives in Rom", "vor kurzem", ""),
    ("Am Montag bin ich nach Rom gezogen.", "lives in Rom", "am Montag", ""),
    ("Ich habe bis letztes Jahr bei Siemens gearbeitet.", "works at Siemens", "", "letztes Jahr"),
    ("Seit M\u00e4rz wohne ich in Rom.", "lives in Rom", "seit M\u00e4rz", ""),
    ("Ich wohne seit drei Jahren in Rom.", "lives in Rom", "vor drei Jahren", ""),
    ("Viv\u00ed en Oslo de 2015 a 2020.", "lives in Oslo", "de 2015 a 2020", "de 2015 a 2020"),
    ("En 2022 me mud\u00e9 a Lisboa.", "lives in Lisboa", "en 2022", ""),
    ("Trabaj\u00e9 en Siemens hasta el a\u00f1o pasado.", "works at Siemens", "", "el a\u00f1o pasado"),
    ("Desde marzo vivo en Roma.", "lives in Roma", "desde marzo", ""),
    ("Llevo tres a\u00f1os viviendo en Roma.", "lives in Roma", "hace tres a\u00f1os", ""),
]


@pytest.mark.parametrize(("text", "fact", "since", "until"), TIMED)
async def test_the_words_of_its_times_are_read(text: str, fact: str, since: str, until: str) -> None:
    """Wherever in a clause they stand, the words that tell when something began and when it ended go to the host."""
    (draft,) = await Judgement().facts(message(text))
    assert (f"{draft.relation} {draft.object}", draft.since, draft.until) == (fact, since, until)


@pytest.mark.parametrize(
    "text",
    [
        "I never lived in Oslo.",
        "I lived in Oslo all my life.",
        "When I lived in Oslo I had a cat.",
        "In the game I live in Paris.",
        "I worked for a while on a book.",
        "Ich habe nie in Oslo gewohnt.",
        "Ich war gestern bei Siemens.",
        "Heute arbeite ich bei Anna.",
        "Neulich war ich bei Siemens.",
        "Am Montag bin ich Vegetarier.",
    ],
)
async def test_what_was_not_so_is_no_fact_of_the_past(text: str) -> None:
    """A past that was not, is not over, or is named in passing states nothing."""
    assert await read(text) == []


@pytest.mark.parametrize("words", ["im ", "seit im ", "from 2015 to ", "I ", "in 2015 ", "hace un a\u00f1o "])
async def test_words_of_time_without_end_are_read_at_once(words: str) -> None:
    """Repeated without sense they take no more than their length, or this test does not end."""
    for ahead in ("Ich habe ", "I lived in Oslo ", "llevo ", ""):
        for text in (ahead + words * 60, f"{ahead}{words * 60}in"):
            await read(text[:400])


@pytest.mark.parametrize(
    ("relation", "name", "cardinality"),
    [("Resides  in", "lives in", Cardinality.ONE), ("SISTER", "sister", Cardinality.MANY), ("owes", "owes", None)],
)
def test_a_relation_has_one_word(relation: str, name: str, cardinality: Cardinality | None) -> None:
    """Other words for a relation become ours, with its cardinality; one that is not known stays as it is."""
    draft = complete(FactDraft("user", relation, "x"))
    assert (draft.relation, draft.cardinality) == (name, cardinality)
    kept = complete(FactDraft("user", relation, "x", cardinality=Cardinality.FIXED, text="So it is."))
    assert (kept.cardinality, kept.text) == (Cardinality.FIXED, "So it is.")


def test_what_is_not_so_is_said_so() -> None:
    """A denied fact is a sentence that denies it."""
    assert complete(FactDraft("user", "likes", "tea", negated=True)).text == "The user does not like tea."
    assert complete(FactDraft("Ada", "sister", "Eva", negated=True)).text == "Not so: Ada's sister is Eva."


@given(st.text(max_size=300))
async def test_any_text_can_be_read(text: str) -> None:
    """Whatever is said, what is read of it stands in it."""
    for draft in await Judgement().facts(message(text)):
        assert draft.object.casefold() in text.replace("\u2019", "'").casefold()


async def test_the_host_takes_the_facts() -> None:
    """They pass the host's checks, from another loop too."""
    async with testing.host(alejo_memory) as host:
        (draft,) = await host.call("memory", "facts", testing.message("My dog is called Luna."))
        assert (draft.relation, draft.object) == ("dog", "Luna")
        assert (await host.call("memory", "complete_fact", draft)).text == "The user's dog is Luna."
