"""How to speak with somebody: four numbers and a sentence, made of words of our own alone."""

from __future__ import annotations

from collections.abc import Sequence

from alejo.types import Emotions, Mood, Tone

_LOW = -0.25
_GLAD = 0.25
_AGITATED = 0.5
_UNUSUAL = 0.2
_LEANING = 0.1
_USUAL_WORDS = 15.0  # of a message, until so many others have been seen
_SEEN = 3.0
_SHORT = 0.65
_BY_FEELING = {
    "gently": "They seem low: be gentle and unhurried, and acknowledge it before you help",
    "calmly": "They seem upset: stay calm, be direct, and do not argue",
    "steadily": "They seem uneasy: be steady and concrete, one step at a time",
    "gladly": "They seem glad: share in it",
    "warmly": "They are being kind: take it warmly, without fuss",
}
_MANNERS = {
    **dict.fromkeys(("sadness", "grief", "remorse", "disappointment", "embarrassment"), "gently"),
    **dict.fromkeys(("anger", "annoyance", "disapproval", "disgust"), "calmly"),
    **dict.fromkeys(("fear", "nervousness", "confusion"), "steadily"),
    **dict.fromkeys(("joy", "excitement", "amusement", "pride", "relief", "optimism", "desire"), "gladly"),
    **dict.fromkeys(("gratitude", "love", "caring", "admiration", "approval"), "warmly"),
}


def tone(mood: Mood, emotions: Emotions, trust: float, familiarity: float, at_hand: Sequence[float]) -> Tone:
    """The tone for a mood. `at_hand` are the valences of triggers in what was said last."""
    trust, familiarity = trust + emotions.correction.trust, familiarity + emotions.correction.familiarity
    low, glad = max(0.0, -mood.valence), max(0.0, mood.valence)
    counts = emotions.counts
    words = (counts.get("words", 0.0) + _SEEN * _USUAL_WORDS) / (counts.get("turns", 0.0) + _SEEN)
    agitated = mood.arousal >= _AGITATED and mood.valence <= _LOW
    formal, casual = 1 + counts.get("formal", 0.0), 1 + counts.get("casual", 0.0)
    brevity = _part(1 / (1 + words / _USUAL_WORDS) + 0.15 * agitated)
    return Tone(
        _part(0.4 + 0.25 * familiarity + 0.3 * (trust - 0.5) + 0.4 * low + 0.2 * glad),
        _part(formal / (formal + casual) - 0.2 * familiarity),
        brevity,
        _part(0.4 + 0.5 * glad * mood.arousal + 0.2 * glad - 0.3 * low),
        _guidance(mood, at_hand, short=brevity >= _SHORT),
    )


def _guidance(mood: Mood, at_hand: Sequence[float], *, short: bool) -> str:
    parts = []
    if mood.valence <= _LOW or mood.valence >= _GLAD:
        fitting = [_MANNERS[name] for name in mood.feelings if name in _MANNERS]
        good = {"gladly", "warmly"}
        chosen = [each for each in fitting if (each in good) == (mood.valence > 0)]
        usual = "gladly" if mood.valence > 0 else "gently"
        parts.append(_BY_FEELING[chosen[0] if chosen else usual])
        if mood.valence < mood.usual_valence - _UNUSUAL and mood.valence < 0:
            parts.append("they are lower than is usual for them")
    if any(each < -_LEANING for each in at_hand):
        parts.append("what they speak of has often weighed on them, so tread carefully")
    elif any(each > _LEANING for each in at_hand):
        parts.append("what they speak of has often made them glad")
    if short:
        parts.append("keep it short, as they do")
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _part(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 2)
