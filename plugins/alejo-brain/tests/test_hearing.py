"""Commands in natural language: which is meant, with which arguments, and what is none."""

from __future__ import annotations

import json
import random
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import alejo_brain
import alejo_memory
import pytest
from alejo_brain.commands import COMMANDS
from alejo_brain.hearing import Call, _times, called, question
from alejo_brain.intent import intents
from alejo_brain.interpreting import SURE, UNSURE, _beginnings, _sentences, interpret
from alejo_brain.languages import agreed, languages
from alejo_brain.others import Others
from alejo_brain.quoting import Quotes
from alejo_brain.spans import SLOTS
from alejo_brain.values import Unfit, iso, typed
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo import testing
from alejo.clock import FakeClock
from alejo.hooks import hookimpl
from alejo.roles import Command, Turn
from alejo.types import CommandSpec

OWN = "remember recall forget correct list summarize prefer about_me mood why remind calculate date help".split()  # noqa: SIM905
LIGHTS = CommandSpec(
    "lights",
    "Switches lights.",
    effects=("world",),
    schema=json.dumps({
        "type": "object",
        "properties": {
            "room": {"enum": ["kitchen", "living room", "garden"]},
            "on": {"type": "boolean"},
            "percent": {"type": "integer"},
            "colours": {"type": "array", "items": {"type": "string"}},
            "time": {"type": "string", "format": "duration"},
            "until": {"type": "string", "format": "date"},
        },
        "required": ["room"],
    }),
    phrases=(
        "turn the lights in the {room} {on}",
        "dim the {room} to {percent} percent",
        "light the {room} in {colours} for {time}",
        "leave the {room} dark until {until}",
    ),
)  # fmt: skip
THROW = json.dumps({"type": "object", "properties": {name: {"type": "integer"} for name in ("count", "sides")}})
SPECS = (
    *(command.spec for command in COMMANDS if command.spec.name in OWN),
    CommandSpec("dice", "Rolls."),
    CommandSpec("weather", "Tells."),
    CommandSpec("throw", "Throws.", schema=THROW),
    LIGHTS,
)

READ: list[tuple[str, str, dict[str, Any]]] = [
    ("remember that my dog is called Luna", "remember", {"text": "my dog is called Luna"}),
    ("Could you please remember that I like tea?", "remember", {"text": "I like tea"}),
    ("don\u2019t forget that I am allergic to nuts!", "remember", {"text": "I am allergic to nuts"}),
    ("What do you know about my dog", "recall", {"query": "my dog"}),
    ("what did I tell you about Bonn?", "recall", {"query": "Bonn"}),
    ("please forget what I told you about Bonn, I was wrong", "forget", {"query": "Bonn"}),
    ("delete everything you know about Bonn", "forget", {"query": "Bonn"}),
    ("That's wrong, she is called Ann, not Anne", "correct", {"old": "Anne", "new": "Ann"}),
    ("list my reminders", "list", {"kind": "reminders"}),
    ("What do you know about me?", "about_me", {}),
    ("What can you do?", "help", {}),
    ("What time is it?", "date", {"question": "What time is it"}),
    ("how much is twelve times 3?", "calculate", {"expression": "12*3"}),
    ("what is 20% of 45.50", "calculate", {"expression": "45.50*20/100"}),
    ("remind me tomorrow at 9 to call mum", "remind", {"when": "tomorrow at 9", "text": "call mum"}),
    ("remnid me to water the plants in two hours", "remind", {"when": "in two hours", "text": "water the plants"}),
    ("Why did you say that?", "why", {}),
    ("please answer in French from now on", "prefer", {"name": "language", "value": "French"}),
    ("no emojis please", "prefer", {"name": "emoji", "value": "no"}),
    ("Set my time zone to Asia/Tokyo", "prefer", {"name": "time_zone", "value": "Asia/Tokyo"}),
    ("Change my timezone to Tokyo, please.", "prefer", {"name": "time_zone", "value": "Tokyo"}),
    ("my time zone is America/New_York", "prefer", {"name": "time_zone", "value": "America/New_York"}),
    ("Stell meine Zeitzone auf Wien um", "prefer", {"name": "time_zone", "value": "Wien"}),
    ("Meine Zeitzone ist Europe/Vienna.", "prefer", {"name": "time_zone", "value": "Europe/Vienna"}),
    ("Cambia mi zona horaria a Europe/Madrid", "prefer", {"name": "time_zone", "value": "Europe/Madrid"}),
    ("mi zona horaria es Europe/Madrid", "prefer", {"name": "time_zone", "value": "Europe/Madrid"}),
    ("give me a short summary of our conversation", "summarize", {}),
    ("Merk dir, dass ich Tee mag", "remember", {"text": "ich Tee mag"}),
    ("Was ist dreiundzwanzig mal vier?", "calculate", {"expression": "23*4"}),
    ("Erinnere mich morgen um acht an den Zahnarzt", "remind", {"when": "morgen um acht", "text": "den Zahnarzt"}),
    (
        "Remind me on Christmas Eve at 18:00 to sing",
        "remind",
        {"when": "on Christmas Eve at 18:00", "text": "sing"},
    ),
    (
        "Remind me to call Ann on New Year's Eve at 23:00",
        "remind",
        {"when": "on New Year's Eve at 23:00", "text": "call Ann"},
    ),
    (
        "Erinnere mich am Montag um 8:30 Uhr, die Miete zu zahlen",
        "remind",
        {"when": "am Montag um 8:30 Uhr", "text": "die Miete zu zahlen"},
    ),
    (
        "Erinnere mich daran, am Montag um 8:30 Uhr die Miete zu zahlen",
        "remind",
        {"when": "am Montag um 8:30 Uhr", "text": "die Miete zu zahlen"},
    ),
    (
        "Erinnere mich heute Abend um 11, die T\u00fcr abzuschlie\u00dfen",
        "remind",
        {"when": "heute Abend um 11", "text": "die T\u00fcr abzuschlie\u00dfen"},
    ),
    (
        "Kannst du mich \u00fcbermorgen fr\u00fch um halb 8 erinnern, zwei Brote zu kaufen?",
        "remind",
        {"when": "\u00fcbermorgen fr\u00fch um halb 8", "text": "zwei Brote zu kaufen"},
    ),
    ("Erinnere mich daran, die Arbeit abzugeben", "remind", {"text": "die Arbeit abzugeben"}),
    (
        "Erinnere mich Heiligabend um 18 Uhr ans Singen",
        "remind",
        {"when": "Heiligabend um 18 Uhr", "text": "Singen"},
    ),
    (
        "Recu\u00e9rdame en Nochebuena a las 18:00 cantar",
        "remind",
        {"when": "en Nochebuena a las 18:00", "text": "cantar"},
    ),
    ("¿Qué sabes de mí?", "about_me", {}),
    ("Cu\u00e1nto es 1.200 entre 4", "calculate", {"expression": "1200/4"}),
    ("\u092e\u0926\u0926", "help", {}),
    ("Turn the lights in the living room on, please", "lights", {"room": "living room", "on": True}),
    ("could you dim the kitchn to twenty-five percent", "lights", {"room": "kitchen", "percent": 25}),
    (
        "light the garden in red, green and blue for 90 minutes",
        "lights",
        {"room": "garden", "colours": ["red", "green", "blue"], "time": "PT90M"},
    ),
    ("leave the garden dark until 2026-05-01", "lights", {"room": "garden", "until": "2026-05-01"}),
]
NONE = [
    "My dog is called Luna.",
    "What is my dog called?",
    "Remember when we went to Rome?",
    "Do you like tea?",
    "I remember that day",
    "I forget things easily",
    "Time flies",
    "Help me move the sofa on Saturday",
    "The list of guests is long",
    "Weather was lovely today",
    "What is the date of my birthday?",
    "Notes are on the table",
    "remember me?",
    "forget it",
    'She shouted "remember that I told you so" and left',
    "I told him to forget what I said about Bonn",
    "We won 3-1",
    "call me later",
    "My time zone is six hours ahead of yours",
    "I set my time zone to Tokyo and missed the call",
    "Gestern habe ich meine Zeitzone auf Wien gestellt",
    "Mi zona horaria es complicada",
    "dim the cellar to nine percent",
    "/usr/bin is a folder",
    "",
]
SAID = [
    ("/remember Luna\u2019s vet is Dr. Kim", Call("remember", '{"text":"Luna\u2019s vet is Dr. Kim"}')),
    ("/recall", Call("recall", "")),
    ("dice 2d6", Call("dice", "2d6")),
    ("/dice 2d6", Call("dice", "2d6")),
    ("Dice", Call("dice", "")),
    ("/nonsense here", Call("nonsense", "here")),
    ("/lights garden off 30", Call("lights", '{"room":"garden","on":false,"percent":30}')),
    ('/lights {"room": "garden"}', Call("lights", '{"room": "garden"}')),
    ("/lights cellar", Call("lights", '{"room":"cellar"}')),
    ("/lights garden 30 red", Call("lights", '{"room":"garden","percent":30,"colours":["red"]}')),
    ("/throw 2 6", Call("throw", '{"count":2,"sides":6}')),
    ("/throw 2d6", Call("throw", '{"count":"2d6"}')),
    ("/throw 2 d6", Call("throw", '{"count":2,"sides":"d6"}')),
    ("throw 2 6 9", Call("throw", '{"count":2,"sides":"6 9"}')),
]


@pytest.mark.parametrize(("text", "command", "arguments"), READ)
def test_a_command_is_read_with_its_arguments(text: str, command: str, arguments: dict[str, Any]) -> None:
    """Paraphrases, typing mistakes and four languages give the command and its typed arguments."""
    reading = interpret(text, SPECS)
    assert reading is not None
    assert {name: value for name, value in reading.arguments.items() if value != ""} == arguments
    assert (reading.command, reading.confidence >= SURE) == (command, True)


@pytest.mark.parametrize("text", NONE)
def test_what_only_looks_like_a_command_is_none(text: str) -> None:
    """Statements, questions, quotations and words that fit no argument stay what they are."""
    assert interpret(text, SPECS) is None
    assert called(text, SPECS) is None


@pytest.mark.parametrize(("text", "call"), SAID)
def test_a_name_with_words_is_a_call(text: str, call: Call) -> None:
    """What stands after a slash is a command's name and its words, in the order of its schema or as JSON."""
    assert called(text, SPECS) == call


def test_only_what_is_offered_is_read() -> None:
    """A command that nobody offers is not read."""
    assert interpret("remember that my dog is called Luna", [CommandSpec("dice", "Rolls.")]) is None


@pytest.mark.parametrize(("name", "words"), [
    ("room", "cellar"), ("on", "maybe"), ("percent", "many"), ("percent", "2.5"), ("time", "a while"),
    ("time", "1.5 hours"), ("until", "soon"),
])  # fmt: skip
def test_words_of_another_sort_fit_no_argument(name: str, words: str) -> None:
    """What is not of the sort that the schema wants is no value."""
    with pytest.raises(Unfit):
        typed(LIGHTS, {name: words}, languages()["en"])


def test_blanks_are_no_part_of_a_list() -> None:
    """However many they are."""
    words = {"colours": f"red{' ' * 32_000}, green{' ' * 32_000}x"}
    assert typed(LIGHTS, words, languages()["en"]) == {"colours": ["red", f"green{' ' * 32_000}x"]}


@given(st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_hearing_never_fails(text: str) -> None:
    """Any text is heard without an error."""
    reading = interpret(text, SPECS)
    assert reading is None or UNSURE <= reading.confidence <= 1
    called(text, SPECS)


WORDS = [*'forget please and not , : " 7 times ? . ( याद'.split(), "remind me to", "what is", "remember that"]  # noqa: SIM905


@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
@settings(max_examples=60, deadline=None)
def test_words_of_commands_in_any_order_are_heard(text: str) -> None:
    """No order of the words that commands are made of makes an error."""
    called(text, SPECS)


HOSTILE = ["forget x" + " " * 32_000 + "y", "recall " + "!" * 32_000 + "y", "ok " * 10_000, "what " + "a " * 16_000]
HOSTILE += ["remember that " + "? " * 16_000, " " * 32_000 + "time", "what" + " " * 32_000 + "time is", "hey," * 8_000]
HOSTILE += ["(" * 32_000, "7 + " * 8_000, "7 times " * 4_000, '"' * 32_000, "no, not x, " * 2_900, "\n.\n" * 10_000]
HOSTILE += [
    "1" + "*" * 32_000,
    "Chapter 1\n" + "*" * 40 + " a",
    "1" + " " * 32_000 + "a",
    "1 " * 16_000,
    "1*(" * 10_000,
]
HOSTILE += ["1" + "* " * 16_000, ("1" + "*" * 50 + " " * 50 + "(" * 50) * 200, "1" + "**" * 2000 + " " * 2000 + "x"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_of_a_long_message_only_so_much_is_read(text: str) -> None:
    """The beginnings of commands that are looked at are few and short, however long a message is made for it."""
    for language in languages().values():
        quotes = Quotes(text)
        beginnings = list(_beginnings(text, _sentences(text, quotes), quotes, language, Others(SPECS)))
        assert len(beginnings) <= 2000
        assert max((len(each.tokens.folded) for each in beginnings), default=0) <= 3000
    called(text, SPECS)


class Lights:
    """A command of another plugin, which keeps what it was given."""

    spec = LIGHTS

    async def run(self, arguments: str, turn: Turn) -> str:
        """Says it."""
        return f"Done: {arguments}"

    @hookimpl
    def alejo_register_commands(self) -> list[Command]:
        """Itself."""
        return [self]


async def test_a_plugins_command_runs_from_natural_language() -> None:
    """In a whole assistant, what is said becomes typed arguments of another plugin's command."""
    async with testing.assistant(alejo_brain, alejo_memory, Lights, trusted=True) as assistant:
        answer = await assistant.chat("Could you dim the garden to forty percent, please?")
        assert answer.commands == ("lights",)
        assert answer.message.text == 'Done: {"room":"garden","percent":40}'
        wrong = await assistant.chat("/lights cellar")
        assert wrong.commands == ()
        assert "arguments.room" in wrong.message.text


def test_every_command_can_be_asked_back() -> None:
    """Each language has words for a question about each command."""
    for language in languages().values():
        assert {*language.known, "other"} == set(language.ask)
        for text, _, _ in READ:
            reading = interpret(text, SPECS)
            assert reading is not None
            assert question(reading._replace(language=language.code))


UNSURE_OF = "I would rather you did not keep my old address"
BACK = "Do you want me to forget what I know about my old address?"


@pytest.mark.parametrize(("answer", "commands", "begins"), [
    ("Yes, please!", ("forget",), "I forgot"),
    ("no", (), "All right, I leave it."),
    ("My dog is called Luna.", (), ""),
])  # fmt: skip
async def test_what_is_unsure_is_asked_back(answer: str, commands: tuple[str, ...], begins: str) -> None:
    """One question names the reading; yes runs it, no leaves it, anything else is taken for what it says."""
    async with testing.assistant(alejo_brain, alejo_memory, trusted=True) as assistant:
        await assistant.remember("My old address is 5 Mill Lane.")
        asked = await assistant.chat(UNSURE_OF)
        assert (asked.message.text, asked.commands) == (BACK, ())
        settled = await assistant.chat(answer, session_id=asked.session_id)
        assert settled.commands == commands
        assert settled.message.text.startswith(begins)
        again = await assistant.chat("yes", session_id=asked.session_id)
        assert again.commands == ()


@pytest.mark.parametrize("text", [
    "Forget Luna.", "Delete Luna, please", "I want you to forget Luna", "Vergiss Luna", "Vergiss bitte Luna!",
    "Ich m\u00f6chte, dass du Luna vergisst.", "Olvida a Luna.",
])  # fmt: skip
async def test_a_name_alone_is_forgotten_once_that_is_sure(text: str) -> None:
    """A short order may be said to mean something else; nobody who meant it is answered with "Noted"."""
    async with testing.assistant(alejo_brain, alejo_memory, trusted=True) as assistant:
        told = await assistant.chat("My cat is called Luna.")
        answer = await assistant.chat(text, session_id=told.session_id)
        if not answer.commands:
            assert answer.message.text.endswith("?")
            answer = await assistant.chat("yes", session_id=told.session_id)
        assert answer.commands == ("forget",)
        assert not await assistant.recall("Luna")


@pytest.mark.parametrize(
    "text", ["Forget it.", "Vergiss es einfach", "Olv\u00eddalo", "I want you to forget it", "Vergiss mich"]
)
def test_what_names_nothing_is_not_to_be_forgotten(text: str) -> None:
    """What people say without meaning a memory."""
    assert interpret(text, [CommandSpec("forget", "Forgets.")]) is None


GUESSED = [
    ("could you pls store my blood presure from tonight, 138 over 84", "remember"),
    ("Kindly note one thing, Gupta Traders has taken 40 cartons on credit.", "remember"),
    ("wake me up w a msg in 2 hours to revise chem", "remind"),
    ("Small mistake from my side only, Gupta took 14 cartons and not 40.", "correct"),
]


@pytest.mark.parametrize(("text", "command"), GUESSED)
@pytest.mark.parametrize(
    ("effects", "is_sure"),
    [(("reads",), True), (("reads", "writes"), False), (("world",), False), (("writes",), False)],
)
def test_what_no_pattern_says_is_run_only_if_it_reads(
    text: str, command: str, effects: tuple[str, ...], *, is_sure: bool
) -> None:
    """A command that is only likely is asked back by what it does, whatever it is called."""
    reading = interpret(text, [CommandSpec(command, "Does it.", effects=effects)])
    assert reading is not None
    assert (reading.command, reading.confidence >= SURE) == (command, is_sure)


WALK = "We walked along the river and looked at the boats for hours. "


@pytest.mark.parametrize(("text", "command"), GUESSED)
@pytest.mark.parametrize("before", [WALK, WALK * 14])
def test_arguments_are_from_the_sentence_that_is_the_command(before: str, text: str, command: str) -> None:
    """However much is said before it, what no pattern says is found where it was likely."""
    alone, within = interpret(text, SPECS), interpret(before + text, SPECS)
    assert alone is not None
    assert within is not None
    assert {name: str(words).rstrip(".") for name, words in within.arguments.items()} == alone.arguments


@pytest.mark.parametrize(("text", "command"), GUESSED)
@pytest.mark.parametrize(
    "written",
    [
        'Ada wrote "{}" and I laughed.',
        '"{}"',
        "Look: “Hi Bo. {} Bye!”",
        "„{}“ stand da",
        f'Ada wrote "{WALK * 7}{{}} {WALK}" and I laughed.',
        f'"{{}} {WALK * 80}" is what she wrote.',
    ],
)
def test_what_is_quoted_is_no_command(text: str, command: str, written: str) -> None:
    """Whoever said it, the user did not."""
    assert interpret(written.format(text), SPECS) is None


def test_what_is_quoted_may_be_an_argument() -> None:
    """The command is the user's own, some of its words are not."""
    reading = interpret('Kindly note one thing, "Gupta Traders has taken 40 cartons on credit."', SPECS)
    assert reading is not None
    assert reading.arguments == {"text": "Gupta Traders has taken 40 cartons on credit"}


@pytest.mark.parametrize("walks", [2, 6, 60])
@pytest.mark.parametrize(
    ("text", "slot"),
    [('Remember "{}"', "text"), ('note: "{}"', "text"), ('What did I tell you about "{}"?', "query")],
)
def test_what_is_quoted_is_an_argument_as_a_whole(text: str, slot: str, walks: int) -> None:
    """However many sentences and characters it has, and without its marks."""
    reading = interpret(text.format(WALK * walks), SPECS)
    assert reading is not None
    assert reading.arguments == {slot: (WALK * walks).strip(" .")}


def test_a_command_behind_a_long_quotation_is_heard() -> None:
    """What is quoted does not take the place of what is said."""
    reading = interpret(f'Ada wrote "{WALK * 9}" and so remind me tomorrow at 9 to call her', SPECS)
    assert reading is not None
    assert reading.arguments == {"text": "call her", "when": "tomorrow at 9"}


def test_of_a_long_sentence_no_word_is_lost() -> None:
    """It is read only so far, and taken whole."""
    told = f"my dog is called Luna and {'runs and ' * 120}sleeps"
    reading = interpret(f"remember that {told}", SPECS)
    assert reading is not None
    assert reading.arguments == {"text": told}


async def test_a_yes_is_to_the_answer_right_before() -> None:
    """A yes in another session, or to something else, runs nothing."""
    async with testing.assistant(alejo_brain, alejo_memory, trusted=True) as assistant:
        await assistant.chat(UNSURE_OF)
        assert (await assistant.chat("yes")).commands == ()


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("set my mode to reflective", "reflective"),
        ("Switch to exploratory mode please", "exploratory"),
        ("stell den Modus auf reflektierend", "reflective"),
        ("cambia a modo directo", "direct"),
    ],
)
def test_a_mode_of_dialogue_is_asked_for(text: str, mode: str) -> None:
    """By its name, in each language that has modes."""
    reading = interpret(text, [CommandSpec("prefer", "prefers")])
    assert reading is not None
    assert reading.arguments == {"name": "mode", "value": mode}
    assert reading.confidence >= SURE


@pytest.mark.parametrize(
    "text", ["Please forget everything you know about me", "forget all you know", "forget everything"]
)
def test_to_forget_everything_is_no_question(text: str) -> None:
    """It is a command, whatever else begins like it."""
    reading = interpret(text, [CommandSpec("forget", "forgets"), CommandSpec("about_me", "tells")])
    assert reading is not None
    assert (reading.command, reading.arguments) == ("forget", {"query": "everything"})


def test_times_are_said_as_people_say_them() -> None:
    """A date or a time of another plugin's command is read from words, as of where the user is."""
    at = _times(datetime(2026, 4, 30, 12, tzinfo=ZoneInfo("Europe/Vienna")))
    assert called("leave the garden dark until tomorrow", SPECS, at) == Call(
        "lights", '{"room":"garden","until":"2026-05-01"}'
    )
    assert (at("tomorrow at 5pm", "date-time"), at("at 5pm", "time")) == ("2026-05-01T17:00:00+02:00", "17:00:00+02:00")
    assert (at("17:05", "time"), at("2026-12-01 08:00", "date-time")) == ("17:05:00+02:00", "2026-12-01T08:00:00+01:00")
    assert at("2026-12-01T08:00-05:00", "date-time") == "2026-12-01T08:00:00-05:00"
    assert iso("2026-12-01T08:00", "date-time") == "2026-12-01T08:00:00+00:00"
    with pytest.raises(ValueError, match="blue"):
        at("blue", "date")


class Alarm:
    """A command of another plugin that takes times, and keeps what it was given."""

    spec = CommandSpec(
        "zappelify",
        "Zaps.",
        schema=json.dumps({
            "type": "object",
            "properties": {
                "due": {"type": "string", "format": "date-time"},
                "daily": {"type": "string", "format": "time"},
            },
        }),
        phrases=("zappelify for {due}", "zappelify daily at {daily}"),
    )  # fmt: skip

    async def run(self, arguments: str, turn: Turn) -> str:
        """Says it."""
        return f"Done: {arguments}"

    @hookimpl
    def alejo_register_commands(self) -> list[Command]:
        """Itself."""
        return [self]


@pytest.mark.parametrize(("zone", "offset", "day"), [
    ("UTC", "+00:00", "2023-11-15"),
    ("America/New_York", "-05:00", "2023-11-15"),
    ("Asia/Kolkata", "+05:30", "2023-11-16"),
])  # fmt: skip
async def test_times_have_the_offset_of_where_the_user_is(zone: str, offset: str, day: str) -> None:
    """The host takes them by RFC 3339, which knows no time without one; in Kolkata it is tomorrow already."""
    options = {"clock": FakeClock(), "context__time_zone": zone}
    async with testing.assistant(alejo_brain, alejo_memory, Alarm, trusted=True, **options) as assistant:
        for text, given in (
            ("zappelify for tomorrow at 5pm", f'{{"due":"{day}T17:00:00{offset}"}}'),
            ("/zappelify 2026-05-01T08:00Z", '{"due":"2026-05-01T08:00:00+00:00"}'),
            ("zappelify daily at 5pm", f'{{"daily":"17:00:00{offset}"}}'),
        ):
            answer = await assistant.chat(text)
            assert (answer.message.text, answer.commands) == (f"Done: {given}", ("zappelify",))


@pytest.mark.parametrize(
    ("word", "agrees"), [("ja", True), ("no", False), ("s\u00ed, por favor", True), ("nein", False)]
)
def test_yes_and_no_are_known_in_each_language(word: str, agrees: bool) -> None:
    """Whatever language the question was asked in."""
    assert agreed(word) is agrees


def test_phrases_of_others_are_tried_by_their_telling_words() -> None:
    """A telling word, mistyped by a letter or two that changed places, names the command; others name none."""
    found = Others(SPECS)
    assert found.named(["the", "lihgts"]) == found.named(["ligths"]) == {"lights"}
    assert found.named(["the", "sky", "was", "grey"]) == set()
    assert found.word("lihgts") == "lights"


@pytest.mark.parametrize("command", SLOTS)
def test_arguments_are_words_of_the_message(command: str) -> None:
    """What no pattern finds is marked word by word: whatever is found stands in the text."""
    for text in ("so could you somehow hold on to it, my locker is 4471", "x", "", "? !", "my locker " * 100):
        for name, words in intents().spans.found(command, text).items():
            assert name in SLOTS[command]
            assert words
            assert words in text


@pytest.mark.parametrize(
    "text",
    [
        "How do I seem to feel?",
        "How am I doing lately?",
        "what's my mood been like",
        "Wie war meine Stimmung diese Woche?",
        "¿Cómo ha sido mi humor últimamente?",
        "मेरा मूड कैसा रहा है",
    ],
)
def test_a_question_about_how_the_user_feels_is_heard(text: str) -> None:
    """It is about what was felt, and none about what is known."""
    reading = interpret(text, SPECS)
    assert reading is not None
    assert (reading.command, reading.confidence >= SURE) == ("mood", True)


CORRECTING = "Small mistake from my side only, Gupta took 14 cartons and not 40."
TALK = [
    "Don't be. What's the rent?",
    "We got a present from my cousin. Not a real boat, a voucher for a boat. He thinks like that.",
    "It was a small flat with many rules. No shoes, no guests, no music after ten. So I moved out.",
    "Explain it in theory and I am gone, show me one and I get it. Remember that when you teach somebody.",
]


@pytest.mark.parametrize("text", TALK)
def test_talk_in_the_form_of_a_command_changes_nothing(text: str) -> None:
    """What has no more than the form of something to be kept or put right is not run unasked."""
    heard = called(text, SPECS)
    assert heard is None or isinstance(heard, str)


async def test_only_what_was_told_is_corrected() -> None:
    """What may be a correction is asked back where a memory has the words, and let be where none has."""
    async with testing.assistant(alejo_brain, alejo_memory, trusted=True) as assistant:
        unasked = await assistant.chat(CORRECTING)
        assert "instead of" not in unasked.message.text
        await assistant.remember("Gupta took 40 cartons.")
        asked = await assistant.chat(CORRECTING)
        assert (asked.message.text[:15], asked.commands) == ("Do you want me ", ())


@pytest.mark.parametrize("seed", range(40))
def test_what_begins_with_remember_is_kept_whatever_it_is(seed: int) -> None:
    """No word that nobody knows makes a plain request be asked back."""
    word = "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz", k=12))
    for text in (f"Remember my {word} is at five", f"Recuerda que {word} vive en Madrid."):
        assert getattr(called(text, SPECS), "name", None) == "remember"
