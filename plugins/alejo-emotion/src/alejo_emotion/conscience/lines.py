"""Whom somebody in danger may call in the country they are in: `lines.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("lines.toml")


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The crisis line of a country with its number, its emergency number, and the time zones that are its own."""

    line: str
    emergency: str
    zones: str


@cache
def lines() -> dict[str, Line]:
    """The lines that ship, by country."""
    return msgspec.convert(tomllib.loads(FILE.read_text(encoding="utf-8")), dict[str, Line])


@cache
def country(language: str, zone: str) -> str:
    """Where somebody is, as ISO 3166 says it, by the region of their language's tag, else by their time zone; or ""."""
    for part in language.replace("_", "-").split("-")[1:]:
        if len(part) == 2 and part.isalpha():
            return part.upper()
    return next((code for code, each in lines().items() if zone in each.zones.split()), "")
