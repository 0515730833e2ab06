"""The arguments of commands: what a command's spec says of them, and whether given ones are so."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import jsonschema_rs
import msgspec

from alejo.errors import InvalidArgument
from alejo.types import CommandSpec

from .states import Refusal

_SCHEMA = 65_536  # characters
_PHRASES = 64
_PHRASE = 200  # characters
_TOLD = 8  # wrong fields of one call
_WORDS = 200  # characters of what is wrong with one
_SLOT = re.compile(r"\{(\w+)\}")
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=1 << 20)  # matched in linear time, whatever a plugin writes


def check_arguments(spec: CommandSpec, text: str) -> str:
    """The arguments as the command gets them: for one with a schema, a JSON object, "{}" where there are none.

    Raises InvalidArgument naming the fields that are wrong, without their values.
    """
    if not spec.schema:
        return text
    text = text.strip() or "{}"
    try:
        given = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidArgument.field("arguments", f"{spec.name} takes a JSON object.") from None
    wrong = [_told(error) for error in itertools.islice(_validator(spec.schema).iter_errors(given), _TOLD)]
    if wrong:
        raise InvalidArgument("; ".join(f"{path}: {what}" for path, what in wrong), wrong)
    return text


def spoken(spec: CommandSpec, text: str) -> str:
    """The arguments as a person would type them: of a JSON object its values, one behind the other."""
    if not spec.schema:
        return text
    words: list[str] = []
    waiting: list[Any] = [msgspec.json.decode(text)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            waiting += reversed(list(value.values()) if isinstance(value, dict) else value)
        elif value is not None:
            words.append(str(value))
    return " ".join(words)


async def reworded(text: str, change: Callable[[str], Awaitable[str]]) -> str:
    """JSON with every text in it changed, but for names; what is no JSON is changed as a whole."""

    async def changed(value: Any) -> Any:
        if isinstance(value, str):
            return await change(value)
        if isinstance(value, list):
            return [await changed(each) for each in value]
        if isinstance(value, dict):
            return {name: await changed(each) for name, each in value.items()}
        return value

    try:
        given = msgspec.json.decode(text)
        told = await changed(given)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return await change(text)
    return text if told == given else msgspec.json.encode(told).decode()


def check_schema(spec: CommandSpec) -> None:
    """Raises Refusal when a spec's schema is not one of an object, or its phrases do not fit it."""
    names = None
    if spec.schema:
        try:
            names = _names(spec.schema)
        except (ValueError, RecursionError) as error:
            why = getattr(error, "message", str(error))[:_WORDS].rstrip(".")
            place = ".".join(map(str, getattr(error, "instance_path", ())))
            raise Refusal(
                f"The schema of the command {spec.name} is none: {f'{place}: ' if place else ''}{why}.",
                'Write it as JSON Schema, draft 2020-12: {"type": "object", "properties": {…}}.',
            ) from None
    for phrase in spec.phrases[:_PHRASES]:
        _check_phrase(spec.name, phrase, names)
    if len(spec.phrases) > _PHRASES:
        raise Refusal(f"The command {spec.name} has more than {_PHRASES} phrases.")


def _names(schema: str) -> Collection[str]:
    """The arguments that a schema names. Raises ValueError when it is none, or none of an object."""
    if len(schema) > _SCHEMA:
        raise ValueError(f"it has more than {_SCHEMA:,} characters")
    read = msgspec.json.decode(schema, type=dict[str, Any])
    jsonschema_rs.Draft202012Validator(read, offline=True, pattern_options=_PATTERNS)
    if read.get("type") != "object":
        raise ValueError("its type is not object")
    names: Collection[str] = read.get("properties", {})
    return names


def _check_phrase(command: str, phrase: str, names: Collection[str] | None) -> None:
    hint = 'Write how people ask for it, such as "throw {count} dice", with slots that the schema names.'
    slots = _SLOT.findall(phrase)
    rest = _SLOT.sub(" ", phrase)
    if len(phrase) > _PHRASE or "{" in rest or "}" in rest or not any(map(str.isalnum, rest)):
        raise Refusal(f"The command {command} has a phrase that is none: {phrase[:_PHRASE]!r}.", hint)
    if len(set(slots)) < len(slots) or (names is None and len(slots) > 1):
        raise Refusal(f"A phrase of the command {command} has too many slots: {phrase!r}.", hint)
    strange = [slot for slot in slots if names is not None and slot not in names]
    if strange:
        raise Refusal(f"A phrase of the command {command} has the slot {strange[0]}, which its schema lacks.", hint)


@functools.lru_cache(maxsize=1024)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        msgspec.json.decode(schema), offline=True, validate_formats=True, pattern_options=_PATTERNS, mask="it"
    )


def _told(error: jsonschema_rs.ValidationError) -> tuple[str, str]:
    """The path of a wrong field, and what is wrong with it."""
    kind = error.kind
    missing = [kind.property] if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required) else []
    path = ".".join(["arguments", *map(str, error.instance_path), *missing])
    return path, "it is missing." if missing else f"{error.message[:_WORDS]}."
