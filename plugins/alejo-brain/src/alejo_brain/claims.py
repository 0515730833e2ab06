"""What a text claims: whether it denies, leaves open or speaks of what was, as its words say."""

from __future__ import annotations

from typing import NamedTuple

from .extracting import split
from .tongues import Tongue


class Claim(NamedTuple):
    """`doubted`: it says so under a condition, or says what somebody thinks; `past`: it says how it was."""

    denied: bool
    doubted: bool
    past: bool


def claim(text: str, tongue: Tongue) -> Claim:
    """The claim of a sentence or message."""
    words = frozenset(word.low for word in split(text.replace("\u2019", "'"), tongue))
    return Claim(*(not words.isdisjoint(each) for each in (tongue.negations, tongue.doubts, tongue.formerly)))
