"""How a command is described: its arguments as a JSON Schema, and the object that they arrive as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from alejo.types import CommandSpec

_TEXT = 4096  # characters of an argument


def described(
    name: str,
    description: str,
    usage: str,
    phrases: tuple[str, ...] = (),
    /,
    *,
    writes: bool = False,
    **arguments: str | Mapping[str, Any],
) -> CommandSpec:
    """A spec whose arguments are texts, told in words, or what a schema of their own says. None has to be given."""
    properties = {
        each: {"type": "string", "maxLength": _TEXT, "description": told} if isinstance(told, str) else told
        for each, told in arguments.items()
    }
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    effects = ("writes",) if writes else ("reads",)
    return CommandSpec(name, description, usage, effects, msgspec.json.encode(schema).decode(), phrases)


def given(arguments: str) -> dict[str, str]:
    """The arguments that were given, without white space around them."""
    return {name: text.strip() for name, text in msgspec.json.decode(arguments or "{}", type=dict[str, str]).items()}
