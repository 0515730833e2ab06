"""What commands are given: arguments that fit their schema, or an error that names the field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alejo import testing
from alejo.errors import InvalidArgument
from alejo.hooks import hookimpl
from alejo.plugins import check_arguments, reworded, spoken
from alejo.plugins.arguments import check_schema
from alejo.plugins.states import Refusal
from alejo.roles import Command, Turn
from alejo.types import CommandSpec, PluginState

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 1, "pattern": "^(a+)+$"},
        "count": {"type": "integer", "minimum": 1},
        "colours": {"type": "array", "items": {"enum": ["red", "blue"]}},
        "day": {"type": "string", "format": "date"},
    },
    "required": ["text"],
    "additionalProperties": False,
}
PAINT = CommandSpec("paint", "Paints.", schema=json.dumps(SCHEMA), phrases=("paint {text} {count} times", "paint"))


class Paint:
    """A command with typed arguments."""

    spec = PAINT

    async def run(self, arguments: str, turn: Turn) -> str:
        """Says what it was given."""
        return ", ".join(f"{name} {value!r}" for name, value in sorted(json.loads(arguments).items()))

    @hookimpl
    def alejo_register_commands(self) -> list[Command]:
        """Itself."""
        return [self]


@pytest.mark.parametrize(("arguments", "fields"), [
    ("", ["arguments.text"]),
    ("{}", ["arguments.text"]),
    ("red", ["arguments"]),
    ("[]", ["arguments"]),
    ('{"text": NaN}', ["arguments"]),
    ('{"text": ""}', ["arguments.text", "arguments.text"]),
    ('{"text": "a", "count": "two"}', ["arguments.count"]),
    ('{"text": "a", "count": 0}', ["arguments.count"]),
    ('{"text": "a", "colours": ["red", "green"]}', ["arguments.colours.1"]),
    ('{"text": "a", "day": "tomorrow"}', ["arguments.day"]),
    ('{"text": "a", "size": 1}', ["arguments"]),
    ("[" * 100_000, ["arguments"]),
    ('{"text": ' * 100_000, ["arguments"]),
])  # fmt: skip
def test_a_wrong_field_is_named(arguments: str, fields: list[str]) -> None:
    """What does not fit is refused with the path of each field that is wrong."""
    with pytest.raises(InvalidArgument) as refused:
        check_arguments(PAINT, arguments)
    assert [path for path, _ in refused.value.violations] == fields


@given(st.text(min_size=1, alphabet="bcdefgh"))
def test_a_value_is_not_repeated(value: str) -> None:
    """What is wrong is told without the words that were given."""
    wrong = f"<{value}>"
    with pytest.raises(InvalidArgument) as refused:
        check_arguments(PAINT, json.dumps({"text": wrong, "count": wrong, "day": wrong}))
    assert wrong not in refused.value.message


@given(st.text())
def test_without_a_schema_words_stay_as_they_are(words: str) -> None:
    """A command that says nothing of its arguments gets the text."""
    assert check_arguments(CommandSpec("say", "Says it."), words) == words


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
async def test_every_text_of_json_is_reworded(value: Any) -> None:
    """Names and all else stay; what is no JSON is a text itself."""
    seen: list[str] = []

    async def change(text: str) -> str:
        seen.append(text)
        return f"{text}!"

    text = json.dumps(value)
    told = json.loads(await reworded(text, change))
    assert texts(told) == [f"{each}!" for each in seen]
    assert texts(value) == seen
    assert await reworded(f"{text}}}", change) == f"{text}}}!"


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    return (
        [value]
        if isinstance(value, str)
        else [each for one in value for each in texts(one)]
        if isinstance(value, list)
        else []
    )


async def test_a_host_checks_before_it_calls() -> None:
    """A command runs with what fits, and is not called with what does not."""
    async with testing.host(Paint) as host:
        assert await host.run("paint", '{"text": "aa", "count": 2}') == "count 2, text 'aa'"
        with pytest.raises(InvalidArgument, match=r"arguments\.text: it is missing"):
            await host.run("paint")


async def test_a_desk_checks_before_it_runs() -> None:
    """Within a turn it is the same, and the command that was not called is not said to have run."""
    async with testing.assistant(Paint) as assistant:
        answer = await assistant.chat('paint {"text": "aa"}')
        assert (answer.message.text, answer.commands) == ("text 'aa'", ("paint",))
        with pytest.raises(InvalidArgument, match=r"arguments\.text"):
            await assistant.chat("paint {}")


REFUSED: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "no JSON": ("{", (), "The schema of the command do is none"),
    "no object": ("[]", (), "is none"),
    "a value": ('{"type": "string"}', (), "its type is not object"),
    "no type": ("{}", (), "its type is not object"),
    "a wrong type": ('{"type": "object", "properties": {"x": {"type": "text"}}}', (), "is none: properties.x.type"),
    "a wrong pattern": ('{"type": "object", "properties": {"x": {"pattern": "("}}}', (), "properties.x.pattern"),
    "from elsewhere": ('{"type": "object", "$ref": "http://example.org/x"}', (), "Retrieval is disabled"),
    "from a file": ('{"type": "object", "$ref": "file:///etc/passwd"}', (), "Retrieval is disabled"),
    "endless": ('{"type": "object", "not": ' * 5000 + "{}" + "}" * 5000, (), "65,536 characters"),
    "deep": ('{"type": "object", "not": ' * 2000 + "{}" + "}" * 2000, (), "is none"),
    "a strange slot": ('{"type": "object"}', ("do {it}",), "has the slot it, which its schema lacks"),
    "an open slot": ('{"type": "object"}', ("do {it",), "has a phrase that is none"),
    "nothing but a slot": ("", ("{it}",), "has a phrase that is none"),
    "two texts": ("", ("do {this} and {that}",), "too many slots"),
    "many phrases": ("", ("do it",) * 65, "more than 64 phrases"),
    "a long phrase": ("", ("do " * 70,), "has a phrase that is none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_spec_that_makes_no_sense_is_refused(case: str) -> None:
    """A schema that is none, and phrases that do not fit it, are refused with what is wrong."""
    schema, phrases, reason = REFUSED[case]
    with pytest.raises(Refusal) as refused:
        check_schema(CommandSpec("do", "Does it.", schema=schema, phrases=phrases))
    assert reason in refused.value.reason
    assert len(refused.value.reason) < 400


async def test_a_plugin_with_a_wrong_schema_is_rejected() -> None:
    """The plugin's status says why."""

    class Odd(Paint):
        spec = CommandSpec("odd", "Is odd.", schema='{"type": "object", "properties": 3}')

    async with testing.host(Odd) as host:
        assert host.status().state is PluginState.REJECTED
        assert host.status().reason.startswith("The schema of the command odd is none: properties: ")


def test_arguments_are_judged_as_they_would_be_typed() -> None:
    """Of an object the values are told in their order, without JSON around them; words as they are."""
    given = {"text": "burn it", "count": 2, "colours": ["red", "blue"], "day": None}
    assert spoken(PAINT, json.dumps(given)) == "burn it 2 red blue"
    assert spoken(CommandSpec("say", "Says it."), '{"a": 1}') == '{"a": 1}'
