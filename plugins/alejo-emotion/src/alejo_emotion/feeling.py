"""From words to valence, arousal and named emotions; what no single word tells, a classifier of the text does.

The manner is that of rule-based lexicon methods (C. Hutto and E. Gilbert, "VADER", ICWSM 2014): each word's feeling
is turned by a negation and scaled by the words before it, and the sum is brought into -1..1 by x / sqrt(x² + a). The
words, values and factors are our own; the emotions' names are those of GoEmotions (D. Demszky et al., ACL 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from alejo.types import Appraisal, Emotion

from .classifier import classifier
from .lexicon import Entry, Lexicon, lexicon, tokens

REACH = 3  # how many words back a negation or an intensifier still counts
TURNED = -0.55  # "not happy" is less sad than "sad"
ALPHA = 0.6  # one strong word gives about 0.7
SHOUTED = 1.25
BREAKS = frozenset(".,;:?…\n")
# "Never been this happy", "couldn't be more sad": these words after one of those negations make it stronger.
HEIGHTENED = frozenset({"this", "so", "more"})
HEIGHTENING = frozenset({"never", "can't", "cannot", "couldn't"})
CONTRAST = frozenset({"but", "however", "although", "though", "yet"})
# What a turned feeling leaves behind.
BESIDE = 0.3  # of what the classifier says counts beside words of the lexicon
CALM = 0.4  # the arousal of an emotion that is sure and that no word of the lexicon tells
_GOOD = "admiration amusement approval caring desire excitement gratitude joy love optimism pride relief"
_BAD = "anger annoyance disappointment disapproval disgust embarrassment fear grief nervousness remorse sadness"
GOOD, BAD = frozenset(_GOOD.split()), frozenset(_BAD.split())
TURNED_INTO = {True: (("disappointment", 0.7), ("disapproval", 0.4)), False: (("approval", 0.5), ("relief", 0.4))}


class Felt(msgspec.Struct):
    """One word or phrase of a text with the feeling it carries there."""

    words: str
    at: int
    valence: float
    arousal: float
    emotions: tuple[tuple[str, float], ...]


class Said(msgspec.Struct, frozen=True):
    """A text's tokens as written and lower-case; capitals shout only beside words that are calm."""

    written: list[str]
    lower: list[str]
    calm: bool

    @classmethod
    def of(cls, text: str) -> Said:
        """The tokens of a text."""
        written = tokens(text)
        return cls(written, [token.lower() for token in written], any(token.islower() for token in written))

    def shouts(self, at: int) -> bool:
        """Whether a word stands out by its capitals."""
        return self.calm and len(self.written[at]) > 1 and self.written[at].isupper()


class Feeling:
    """The built-in emotion model: deterministic, and linear in the text's length but for the words it names."""

    async def appraise(self, text: str) -> Appraisal:
        """Valence from -1 to 1, arousal from 0 to 1, and emotions with the words that carried them. Never raises."""
        said = Said.of(text)
        felt = _found(said, lexicon())
        shown = classifier().found(text)
        marks = min(3, max((len(token) for token in said.written if token[0] == "!"), default=0))
        if not felt:
            arousal = min(1.0, 0.1 * marks + CALM * max((p for _, p in shown), default=0.0))
            return Appraisal(_leaning(shown), round(arousal, 3), _named(felt, shown, said))
        _weigh_contrast(felt, said.lower)
        total = sum(item.valence for item in felt) * (1 + 0.06 * marks)
        strongest = sorted((item.arousal for item in felt), reverse=True)[:3]
        arousal = min(1.0, sum(strongest) / len(strongest) + 0.08 * marks)
        return Appraisal(
            valence=round(total / math.sqrt(total * total + ALPHA), 3),
            arousal=round(arousal, 3),
            emotions=_named(felt, shown, said),
        )


def _found(said: Said, known: Lexicon) -> list[Felt]:
    felt: list[Felt] = []
    at = 0
    while at < len(said.lower):
        size, entry = _longest(said.lower, at, known)
        if entry is not None and entry.emotions:
            felt.append(_felt(said, at, size, entry, known=known))
        at += size
    return felt


def _longest(lower: list[str], at: int, known: Lexicon) -> tuple[int, Entry | None]:
    for size in range(min(known.longest.get(lower[at], 0), len(lower) - at), 0, -1):
        entry = known.entries.get(tuple(lower[at : at + size]))
        if entry is not None:
            return size, entry
    return 1, None


def _felt(said: Said, at: int, size: int, entry: Entry, *, known: Lexicon) -> Felt:
    # Laughter and pictures of faces are not what a negation before them speaks of.
    turns = said.lower[at][0].isalpha() and entry.emotions[0][0] != "amusement"
    negated, factor = _before(said.lower, at, known) if turns else (False, 1.0)
    factor = min(2.0, factor * (SHOUTED if said.shouts(at) else 1.0))
    valence, arousal, emotions = entry.valence * factor, entry.arousal * factor, entry.emotions
    if negated:
        valence, arousal = valence * TURNED, arousal * 0.7
        if abs(entry.valence) >= 0.2:
            emotions = TURNED_INTO[entry.valence > 0]
    strength = max(abs(valence), arousal)
    scaled = tuple((name, min(1.0, share * strength)) for name, share in emotions)
    return Felt(" ".join(said.written[at : at + size]), at, valence, min(1.0, arousal), scaled)


def _before(lower: list[str], at: int, known: Lexicon) -> tuple[bool, float]:
    """Whether the words before turn a feeling, and by what they scale it."""
    negated, factor = False, 1.0
    for back in range(at - 1, max(-1, at - 1 - REACH), -1):
        word = lower[back]
        if word in BREAKS or word[0] == "!":
            break
        # "No" speaks of the very next word: "no good", but "no, thank you" and "no way I am happy" are other things.
        if word in known.negations and (word != "no" or back == at - 1):
            if word in HEIGHTENING and lower[at - 1] in HEIGHTENED:
                factor *= 1.2
            else:
                negated = not negated
        factor *= known.factors.get((lower[back - 1], word) if back else (word,), known.factors.get((word,), 1.0))
    return negated, factor


def _weigh_contrast(felt: list[Felt], lower: list[str]) -> None:
    """What follows the last "but" counts more than what came before it."""
    turns = [at for at, token in enumerate(lower) if token in CONTRAST]
    if not turns or felt[-1].at < turns[-1]:
        return
    for item in felt:
        item.valence *= 0.6 if item.at < turns[-1] else 1.3


def _leaning(shown: Sequence[tuple[str, float]]) -> float:
    """The valence of emotions without a word of the lexicon: the surest good one less the surest bad one."""
    good = max((p for name, p in shown if name in GOOD), default=0.0)
    bad = max((p for name, p in shown if name in BAD), default=0.0)
    return round(good - bad, 3)


def _named(felt: list[Felt], shown: Sequence[tuple[str, float]], said: Said) -> tuple[Emotion, ...]:
    """The emotions of words of the lexicon, and those of the text as a whole that no such word tells."""
    without: dict[str, float] = {}
    words: dict[str, dict[str, None]] = {}
    for item in felt:
        for name, strength in item.emotions:
            without[name] = without.get(name, 1.0) * (1 - strength)
            words.setdefault(name, {})[item.words] = None
    total = sum(item.valence for item in felt)
    for name, probability in shown:
        if name in words or (total > 0 and name in BAD) or (total < 0 and name in GOOD):
            continue  # of "not happy" it sees that it is happy
        carried = classifier().because(said.written, name)
        if carried:
            without[name] = 1 - probability * (BESIDE if felt else 1)
            words[name] = dict.fromkeys(carried)
    named = [Emotion(name, round(1 - rest, 3), tuple(words[name])) for name, rest in without.items()]
    return tuple(sorted(named, key=lambda emotion: (-emotion.strength, emotion.name)))
