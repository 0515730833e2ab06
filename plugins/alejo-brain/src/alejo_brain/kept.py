"""What was made of a text, kept for when the text comes again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar, TypeVarTuple

LONG = 600  # characters of a text of which nothing is kept: some thousand of those would fill the memory

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def kept(most: int) -> Callable[[Callable[[str, *Ts], T]], Callable[[str, *Ts], T]]:
    """Keeps what a function makes of texts, of so many at most, those that were last asked for."""

    def of(make: Callable[[str, *Ts], T]) -> Callable[[str, *Ts], T]:
        known = lru_cache(most)(make)

        def made(text: str, *others: *Ts) -> T:
            return (known if len(text) <= LONG else make)(text, *others)

        return made

    return of
