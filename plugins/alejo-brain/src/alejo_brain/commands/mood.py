"""How the user seems to feel, of what the emotion plugin keeps."""

from __future__ import annotations

from alejo.roles import Turn
from alejo.types import Mood

from .describing import described
from .replies import heard

_STRONG, _PLAIN = 0.6, 0.1  # valence
_AGITATED, _AWAKE = 0.6, 0.3  # arousal
_OTHERWISE = 0.2  # so much beside the usual valence is said
_NAMED = 3


class HowYouFeel:
    """Says how the user has seemed to feel lately."""

    spec = described(
        "mood",
        "says how you seem to feel lately, by what you wrote",
        "how do I seem to feel?",
        ("how do i seem to feel", "how am i doing lately", "what is my mood"),
    )

    async def run(self, arguments: str, turn: Turn) -> str:
        """The mood, since when, how it is beside the usual, and what was felt most; that nothing is kept, if so."""
        locale, mood = await heard(turn), turn.mood
        if mood is None or not mood.appraisals:
            return locale.say("mood_none")
        felt = [locale.named("felt", name) for name in list(mood.feelings)[:_NAMED]]
        return locale.say(
            "mood",
            count=mood.appraisals,
            valence=locale.say(f"valence_{_valence(mood)}"),
            arousal=locale.say(f"arousal_{_arousal(mood)}"),
            since=locale.say("mood_since", date=locale.day(locale.local(mood.since))) if mood.since else "",
            usual=locale.say(f"usual_{usual}") if (usual := _beside(mood)) else "",
            felt=locale.say("mood_felt", listed=", ".join(felt)) if felt else "",
        )


def _valence(mood: Mood) -> str:
    if abs(mood.valence) < _PLAIN:
        return "even"
    name = "good" if mood.valence > 0 else "bad"
    return f"very_{name}" if abs(mood.valence) >= _STRONG else name


def _arousal(mood: Mood) -> str:
    return "agitated" if mood.arousal >= _AGITATED else "awake" if mood.arousal >= _AWAKE else "calm"


def _beside(mood: Mood) -> str:
    """Better or worse than usual, or nothing to speak of."""
    beside = mood.valence - mood.usual_valence
    return "" if abs(beside) < _OTHERWISE else "better" if beside > 0 else "worse"
