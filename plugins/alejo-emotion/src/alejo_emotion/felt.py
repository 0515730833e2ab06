"""What the words of a text that the lexicon knows feel like where they stand.

The manner is that of rule-based lexicon methods (C. Hutto and E. Gilbert, "VADER", ICWSM 2014): each word's feeling is
turned by a negation and scaled by the words before it. The words, values and factors are our own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

import msgspec

from .lexicon import Entry, Modifier, lexicon

TURNED = -0.55  # "not happy" is less sad than "sad"
ALPHA = 0.6  # one strong word gives about 0.7
SHOUTED = 1.25
# "Never been this happy", "couldn't be more sad": these words after one of those negations make it stronger.
HEIGHTENED = frozenset({"this", "so", "more"})
HEIGHTENING = frozenset({"never", "can't", "cannot", "couldn't"})
# What a turned feeling leaves behind.
TURNED_INTO = {True: (("disappointment", 0.7), ("disapproval", 0.4)), False: (("approval", 0.5), ("relief", 0.4))}
_STRENGTHS, _VALENCES = 4, 5  # above 0, that a summary tells apart
NOTHING = "nothing"
_KEPT = 4096  # words and phrases as they stand, of which it is kept what they feel like


class Carried(msgspec.Struct, frozen=True, gc=False):
    """The feeling that a word or phrase carries where it stands, and how a summary tells of it."""

    valence: float
    arousal: float
    emotions: tuple[tuple[str, float], ...]
    told: str


class Felt(msgspec.Struct, frozen=True, gc=False):
    """A word or phrase of a text that carries a feeling: its first token, how many it has, and the feeling."""

    at: int
    size: int
    carried: Carried


def found(text: str) -> list[Felt]:
    """The words and phrases that the lexicon knows, in their order, the longest where several begin with a word."""
    felt = []
    for phrase, at, size, shouted, before in lexicon().finder.found(text):
        carried = _carried(phrase, shouted, before)
        if carried is not None:
            felt.append(Felt(at, size, carried))
    return felt


def summary(felt: Sequence[Felt]) -> str:
    """What was found, for a classifier: as words, each emotion, once more with how strong it is, and the valence."""
    if not felt:
        return NOTHING
    valence = squashed(sum([each.carried.valence for each in felt]))
    return f"{' '.join([each.carried.told for each in felt])} valence{(1 + valence) * _VALENCES:.0f}"


def squashed(total: float) -> float:
    """A sum of valences, brought into -1 to 1."""
    return total / math.sqrt(total * total + ALPHA)


@cache
def _entries() -> tuple[tuple[str, Entry], ...]:
    return tuple(lexicon().entries.items())


@lru_cache(_KEPT)
def _carried(phrase: int, shouted: bool, before: tuple[tuple[int, int], ...]) -> Carried | None:
    """What a phrase of the lexicon carries, which may be no feeling; for the rest see `PhraseFinder.found`."""
    form, entry = _entries()[phrase]
    if not entry.emotions:
        return None
    # Laughter and pictures of faces are not what a negation before them speaks of.
    turns = form[0].isalpha() and entry.emotions[0][0] != "amusement"
    modifiers = lexicon().modifiers
    negated, factor = _before([(modifiers[number], back) for number, back in before]) if turns else (False, 1.0)
    factor = min(2.0, factor * (SHOUTED if shouted else 1.0))
    valence, arousal, emotions = entry.valence * factor, entry.arousal * factor, entry.emotions
    if negated:
        valence, arousal = valence * TURNED, arousal * 0.7
        if abs(entry.valence) >= 0.2:
            emotions = TURNED_INTO[entry.valence > 0]
    strength = max(abs(valence), arousal)
    scaled = tuple((name, min(1.0, share * strength)) for name, share in emotions)
    told = " ".join(f"{name} {name}{strong * _STRENGTHS:.0f}" for name, strong in scaled)
    return Carried(valence, min(1.0, arousal), scaled, told)


def _before(before: Iterable[tuple[Modifier, int]]) -> tuple[bool, float]:
    """Whether the words before turn a feeling, and by what they scale it; each with how many words before it ends."""
    negated, factor, heightened = False, 1.0, False
    for modifier, back in before:
        heightened = heightened or (back == 1 and modifier.words in HEIGHTENED)
        # "No" speaks of the very next word: "no good", but "no, thank you" and "no way I am happy" are other things.
        if modifier.negates and (modifier.words != "no" or back == 1):
            if modifier.words in HEIGHTENING and heightened:
                factor *= 1.2
            else:
                negated = not negated
        factor *= modifier.factor
    return negated, factor
