"""Commands in natural language: which is meant, with which arguments, and what is none."""

from __future__ import annotations

import json
from typing import Any

import alejo_brain
import alejo_memory
import pytest
from alejo_brain.grammar import ANY, DIGIT, Tokens, firsts
from alejo_brain.hearing import Call, called, question
from alejo_brain.interpreting import SURE, UNSURE, _beginnings, interpret
from alejo_brain.languages import languages
from alejo_brain.values import Unfit, typed
from hypothesis import given, settings
from hypothesis import strategies as st

from alejo import testing
from alejo.hooks import hookimpl
from alejo.roles import Command, Turn
from alejo.types import CommandSpec

OWN = "remember recall forget correct list summarize prefer about_me why remind calculate date help".split()  # noqa: SIM905
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
SPECS = (
    *(CommandSpec(name, name) for name in OWN),
    CommandSpec("dice", "Rolls."),
    CommandSpec("weather", "Tells."),
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
    ("give me a short summary of our conversation", "summarize", {}),
    ("Merk dir, dass ich Tee mag", "remember", {"text": "ich Tee mag"}),
    ("Was ist dreiundzwanzig mal vier?", "calculate", {"expression": "23*4"}),
    ("Erinnere mich morgen um acht an den Zahnarzt", "remind", {"when": "morgen um acht", "text": "den Zahnarzt"}),
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
    "dim the cellar to nine percent",
    "/usr/bin is a folder",
    "",
]
SAID = [
    ("/remember Luna\u2019s vet is Dr. Kim", Call("remember", "Luna\u2019s vet is Dr. Kim")),
    ("/recall", Call("recall", "")),
    ("dice 2d6", Call("dice", "2d6")),
    ("/dice 2d6", Call("dice", "2d6")),
    ("Dice", Call("dice", "")),
    ("/nonsense here", Call("nonsense", "here")),
    ("/lights garden off 30", Call("lights", '{"room":"garden","on":false,"percent":30}')),
    ('/lights {"room": "garden"}', Call("lights", '{"room": "garden"}')),
    ("/lights cellar", Call("lights", '{"room":"cellar"}')),
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


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_of_a_long_message_only_so_much_is_read(text: str) -> None:
    """The beginnings of commands that are looked at are few and short, however long a message is made for it."""
    for language in languages().values():
        beginnings = list(_beginnings(text, language, language.usual))
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


async def test_a_yes_is_to_the_answer_right_before() -> None:
    """A yes in another session, or to something else, runs nothing."""
    async with testing.assistant(alejo_brain, alejo_memory, trusted=True) as assistant:
        await assistant.chat(UNSURE_OF)
        assert (await assistant.chat("yes")).commands == ()


@settings(max_examples=200)
@given(st.data())
def test_what_may_be_said_first_is_known(data: st.DataObject) -> None:
    """No command is asked for by what begins with a word that is not among those it may begin with."""
    language = languages()[data.draw(st.sampled_from(sorted(languages())))]
    words = sorted(
        {word for begin in language._begin.values() for word in begin if word[0] != "<"} | {"24", "2nd", "(", "#"}
    )
    chosen = data.draw(st.lists(st.sampled_from(words), min_size=1, max_size=5))
    tokens = Tokens(" ".join(chosen), 0, 200)
    if tokens.words:
        known = {command for command, _ in language.may_be(tokens.words[0])}
        assert {form.command for form in language.forms if form.pattern.match(tokens, 0) is not None} <= known


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("(remember|note) {text}", {"remember", "note"}),
        ("please? (do|<me>)* keep {text}", {"please", "do", "me", "us", "keep"}),
        ("{text} please", {ANY}),
        ("(a|b)?", {"a", "b", ANY}),
        ("([n]|two)+ hours", {DIGIT, "two"}),
        ("24 hours", {DIGIT}),
        ("{when: on <me>} x", {"on"}),
    ],
)
def test_patterns_begin_with_certain_words(source: str, expected: set[str]) -> None:
    """What may stand first in a pattern: behind what may be missing, too."""
    assert firsts(source, {"me": frozenset({"me", "us"})}) == expected


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
