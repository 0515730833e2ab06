"""From words to valence, arousal and named emotions; what no single word tells, a classifier of the text does.

The sum of what words feel like is brought into -1..1 by x / sqrt(x² + a), as in VADER (C. Hutto and E. Gilbert, ICWSM
2014). The emotions' names are those of GoEmotions (D. Demszky et al., ACL 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

from alejo import PhraseFinder
from alejo.types import Appraisal, Emotion

from .classifier import classifier
from .felt import Felt, found, squashed

CONTRAST = frozenset({"but", "however", "although", "though", "yet"})
BESIDE = 0.3  # of what the classifier says counts beside words of the lexicon
CALM = 0.4  # the arousal of an emotion that is sure and that no word of the lexicon tells
_GOOD = "admiration amusement approval caring desire excitement gratitude joy love optimism pride relief"
_BAD = "anger annoyance disappointment disapproval disgust embarrassment fear grief nervousness remorse sadness"
GOOD, BAD = frozenset(_GOOD.split()), frozenset(_BAD.split())


class Feeling:
    """The built-in emotion model: deterministic, and linear in the text's length but for the words it names."""

    async def appraise(self, text: str) -> Appraisal:
        """Valence from -1 to 1, arousal from 0 to 1, and emotions with the words that carried them. Never raises."""
        said, felt = PhraseFinder.tokens(text), found(text)
        shown = classifier().found(text, felt)
        marks = min(3, max((len(token) for token in said if token[0] == "!"), default=0))
        if not felt:
            arousal = min(1.0, 0.1 * marks + CALM * max((p for _, p in shown), default=0.0))
            return Appraisal(_leaning(shown), round(arousal, 3), _named(felt, 0.0, shown, said))
        total = sum(_weighed(felt, said)) * (1 + 0.06 * marks)
        strongest = sorted((each.carried.arousal for each in felt), reverse=True)[:3]
        arousal = min(1.0, sum(strongest) / len(strongest) + 0.08 * marks)
        return Appraisal(
            valence=round(squashed(total), 3),
            arousal=round(arousal, 3),
            emotions=_named(felt, total, shown, said),
        )


def _weighed(felt: Sequence[Felt], said: Sequence[str]) -> list[float]:
    """The valences. What follows the last "but" counts more than what came before it."""
    valences = [each.carried.valence for each in felt]
    turn = max((at for at, token in enumerate(said) if token.lower() in CONTRAST), default=len(said))
    if felt[-1].at < turn:
        return valences
    return [valence * (0.6 if each.at < turn else 1.3) for valence, each in zip(valences, felt, strict=True)]


def _leaning(shown: Sequence[tuple[str, float]]) -> float:
    """The valence of emotions without a word of the lexicon: the surest good one less the surest bad one."""
    good = max((p for name, p in shown if name in GOOD), default=0.0)
    bad = max((p for name, p in shown if name in BAD), default=0.0)
    return round(good - bad, 3)


def _named(
    felt: Sequence[Felt], total: float, shown: Sequence[tuple[str, float]], said: Sequence[str]
) -> tuple[Emotion, ...]:
    """The emotions of words of the lexicon, and those of the text as a whole that no such word tells.

    `total` is the valence of these words, in which only good and bad are told apart.
    """
    without: dict[str, float] = {}
    words: dict[str, dict[str, None]] = {}
    for each in felt:
        carrying = " ".join(said[each.at : each.at + each.size])
        for name, strength in each.carried.emotions:
            without[name] = without.get(name, 1.0) * (1 - strength)
            words.setdefault(name, {})[carrying] = None
    for name, probability in shown:
        if name in words or (total > 0 and name in BAD) or (total < 0 and name in GOOD):
            continue  # of "not happy" it sees that it is happy
        carried = classifier().because(said, name)
        if carried:
            without[name] = 1 - probability * (BESIDE if felt else 1)
            words[name] = dict.fromkeys(carried)
    named = [Emotion(name, round(1 - rest, 3), tuple(words[name])) for name, rest in without.items()]
    return tuple(sorted(named, key=lambda emotion: (-emotion.strength, emotion.name)))
