"""What stays of a turn, and what follows from all that stayed: mood, triggers, relationship, tone.

The mood follows P. Kuppens, Z. Oravecz and F. Tuerlinckx, "Feelings change" (JPSP 99, 2010): everyone has an
affective home base, and what happens takes them away from it for a while. Here the mood is a mean of what was felt,
weighed by strength and age, shrunken towards the home base: as what was felt fades, by half in every half-life, the
mood returns exponentially. The home base is such a mean too, of weeks instead of hours, shrunken towards a calm middle.
A trigger's valence is a mean shrunken towards the home base (James and Stein, 1961), trust the mean of a beta
distribution of what went well and what did not (A. Jøsang and R. Ismail, "The beta reputation system", 2002).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec

from alejo.roles import Moment
from alejo.types import (
    Appraisal,
    Emotions,
    Feelings,
    Impression,
    Lived,
    Mood,
    Point,
    Reason,
    Relationship,
    Trigger,
)

from .feeling import Feeling
from .tone import tone
from .topics import topics

_FLOOR = 0.15  # what a message without feeling weighs of one that is all feeling
_HOME = 0.5  # messages all of feeling that the home base weighs against those of the hour
_MIDDLE = 5.0  # and a calm middle against those of weeks
_CALM = 0.2  # its arousal
_SHRUNKEN = 2.0  # mentions that the home base weighs against those of a topic
_TWICE = 2
_STRONG = 0.2  # how far a trigger's valence is from the home base; twice that from 0, if it was named more than twice
_NAMED = 6  # feelings that stay of a message
_FELT = 0.1
_SHOWN = 3  # feelings of a mood
_PRIOR = 2.0  # of trust: so much had gone well, and so much had not
_DAY = 86_400_000_000
_WORDS = 200  # of one message that count
_READ = 2_000  # characters
_AT_ONCE = 0.6  # of the way from the mood to what was just felt is in the tone
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*|[!?]{2,}|[\U0001F300-\U0001FAFF]")
_SAYING_YOU = "you your thanks thank alejo du dir dich danke sie ihnen tú te ti usted gracias"
_SAYING_FORMAL = "please kindly dear sincerely regards sir madam ihnen usted señor bitte"
_SAYING_CASUAL = "hey hi lol haha gonna wanna gotta yeah yep nope dude omg btw cool"
_YOU, _FORMAL, _CASUAL = (frozenset(each.split()) for each in (_SAYING_YOU, _SAYING_FORMAL, _SAYING_CASUAL))
_KIND = frozenset({"admiration", "caring", "gratitude", "love"})
_CROSS = frozenset({"anger", "annoyance", "disappointment", "disapproval", "disgust"})
# What each count adds to what went well and what did not.
_WELL = {"turns": 0.02, "disclosures": 0.25, "promises": 1.0, "warmth": 1.0}
_ILL = {"corrections": 0.25, "friction": 1.0}
# How many of each make somebody familiar: with as many, 63 % are reached.
_FAMILIAR = {"turns": 100.0, "disclosures": 25.0, "corrections": 25.0, "days": 60.0}
_TOLD = {
    "turns": "{:.0f} turn{s}",
    "disclosures": "{:.0f} fact{s} you told of yourself",
    "promises": "{:.0f} reminder{s} that came in time",
    "warmth": "kind words to the assistant, {:.1f} in all",
    "friction": "cross words to the assistant, {:.1f} in all",
    "corrections": "{:.0f} correction{s} of what was remembered",
    "days": "{:.0f} day{s} since the first turn",
}


class Living(Feeling):
    """The built-in emotion model with a memory: what it makes of what was felt follows from it alone."""

    async def live(self, moment: Moment) -> Lived:
        """What stays of a turn, and the mood and tone to answer it in."""
        one = impression(moment)
        emotions = moment.before.plus(one)
        felt = mood(emotions, emotions.at)
        pulls = (_pull(emotions, topic, felt.usual_valence) for topic in one.topics)
        at_hand = [each for each in pulls if each is not None]
        return Lived(
            one, felt, tone(_present(felt, one), emotions, _trust(emotions.counts), _familiarity(emotions), at_hand)
        )

    async def tell(self, emotions: Emotions, now: int) -> Feelings:
        """All that can be told of how a user feels."""
        felt = mood(emotions, now)
        return Feelings(
            msgspec.structs.replace(felt, why=_why(felt, emotions, now)),
            tone(felt, emotions, _trust(emotions.counts), _familiarity(emotions), ()),
            triggers(emotions, felt.usual_valence),
            relationship(emotions),
            trajectory(emotions),
        )


def impression(moment: Moment) -> Impression:
    """What stays of a turn."""
    appraisal, words = moment.appraisal, _WORD.findall(moment.message.text[:_READ])
    small = [word.casefold() for word in words]
    strength = max(abs(appraisal.valence), appraisal.arousal)
    return Impression(
        moment.at,
        moment.message.session_id,
        round(min(1.0, _FLOOR + (1 - _FLOOR) * strength), 3),
        appraisal.valence,
        appraisal.arousal,
        {each.name: each.strength for each in appraisal.emotions[:_NAMED]},
        topics(words, small, moment.names),
        _manner(small, appraisal),
    )


def _manner(words: Sequence[str], appraisal: Appraisal) -> dict[str, float]:
    """How it was said: how long, how formally, and how kindly or crossly to the assistant."""
    said = set(words)
    found = {"turns": 1.0, "words": float(min(_WORDS, len(words)))}
    if not said.isdisjoint(_FORMAL):
        found["formal"] = 1.0
    if not said.isdisjoint(_CASUAL) or any(not word[0].isalpha() for word in said):
        found["casual"] = 1.0
    if appraisal.emotions and not said.isdisjoint(_YOU):
        for name, feelings in (("warmth", _KIND), ("friction", _CROSS)):
            strength = max((each.strength for each in appraisal.emotions if each.name in feelings), default=0.0)
            if strength:
                found[name] = strength
    return found


def mood(emotions: Emotions, now: int) -> Mood:
    """The mood at a time."""
    usual, long = emotions.usual, _MIDDLE + emotions.usual.weight
    usual_valence, usual_arousal = usual.valence / long, (_MIDDLE * _CALM + usual.arousal) / long
    left, given, kept = emotions.faded(now), emotions.correction, 0.0
    if given.at:
        kept = emotions.since_then(given.at, now)
    whole = _HOME + emotions.mood.weight * left
    valence = (_HOME * usual_valence + emotions.mood.valence * left) / whole
    arousal = (_HOME * usual_arousal + emotions.mood.arousal * left) / whole
    least, feelings = _FELT * whole / left if left else math.inf, emotions.feelings
    named = sorted((name for name in feelings if feelings[name] >= least), key=lambda name: -feelings[name])
    return Mood(
        _within(-1, valence + given.valence * kept),
        _within(0, arousal + given.arousal * kept),
        round(usual_valence, 3),
        round(usual_arousal, 3),
        {name: round(feelings[name] * left / whole, 3) for name in named[:_SHOWN]},
        emotions.since,
        round(emotions.counts.get("turns", 0)),
    )


def _why(felt: Mood, emotions: Emotions, now: int) -> tuple[Reason, ...]:
    """The shares of a mood's valence."""
    given = emotions.correction
    corrected = given.valence * emotions.since_then(given.at, now) if given.at else 0.0
    lately = felt.valence - felt.usual_valence - corrected
    why = [
        Reason("usual", felt.usual_valence, "the home base that the mood returns to"),
        Reason("felt", round(lately, 3), f"what was felt lately, of which {emotions.faded(now):.0%} is left"),
    ]
    if corrected:
        why.append(Reason("corrected", round(corrected, 3), "as you corrected it"))
    return tuple(why)


def _present(felt: Mood, one: Impression) -> Mood:
    """The mood on its way to what was just felt, which is what to answer to."""
    way = _AT_ONCE * one.weight
    return Mood(
        felt.valence + way * (one.valence - felt.valence),
        felt.arousal + way * (one.arousal - felt.arousal),
        felt.usual_valence,
        felt.usual_arousal,
        one.feelings or felt.feelings,
    )


def triggers(emotions: Emotions, usual: float) -> tuple[Trigger, ...]:
    """The topics that come with strong feeling, the strongest first."""
    found = [each for each in (_trigger(emotions, topic, usual) for topic in emotions.topics) if each is not None]
    return tuple(sorted(found, key=lambda each: (-abs(each.valence - usual), each.topic)))


def _pull(emotions: Emotions, topic: str, usual: float) -> float | None:
    """The valence of a topic that comes with strong feeling."""
    said = emotions.topics.get(topic)
    if said is None or said.count < _TWICE:
        return None
    valence = (_SHRUNKEN * usual + said.valence) / (_SHRUNKEN + said.count)
    if abs(valence - usual) < _STRONG and (said.count <= _TWICE or abs(said.valence / said.count) < 2 * _STRONG):
        return None
    return valence


def _trigger(emotions: Emotions, topic: str, usual: float) -> Trigger | None:
    valence = _pull(emotions, topic, usual)
    if valence is None:
        return None
    said = emotions.topics[topic]
    why = (
        Reason("mean", round(said.valence / said.count, 3), f"of {said.count} messages"),
        Reason("usual", round(usual, 3), f"the home base, which weighs as much as {_SHRUNKEN:.0f} messages"),
    )
    return Trigger(topic, round(valence, 3), said.count, said.last_at, why)


def relationship(emotions: Emotions) -> Relationship:
    """How they stand to the assistant."""
    counts, given = emotions.counts, emotions.correction
    trust, familiar = _trust(counts), _familiarity(emotions)
    why = [
        Reason(f"trust: {name}", round(trust - _trust({**counts, name: 0.0}), 3), _told(name, counts[name]))
        for name in (*_WELL, *_ILL)
        if counts.get(name)
    ]
    for name, amount in _seen(emotions).items():
        if amount >= 1:
            without = 1 - math.exp(-(_exponent(emotions) - amount / _FAMILIAR[name]))
            why.append(Reason(f"familiarity: {name}", round(familiar - without, 3), _told(name, amount)))
    for name, amount in (("trust", given.trust), ("familiarity", given.familiarity)):
        if amount:
            why.append(Reason(f"{name}: corrected", round(amount, 3), "as you corrected it"))
    shared = sorted(emotions.topics.items(), key=lambda each: (-each[1].count, each[0]))
    return Relationship(
        _within(0, trust + given.trust),
        _within(0, familiar + given.familiarity),
        {topic: said.count for topic, said in shared},
        emotions.first_at,
        emotions.at,
        round(counts.get("turns", 0)),
        tuple(why),
    )


def _told(name: str, amount: float) -> str:
    return _TOLD[name].format(amount, s="" if round(amount) == 1 else "s")


def trajectory(emotions: Emotions) -> tuple[Point, ...]:
    """What was felt in each session, the oldest first."""
    return tuple(
        Point(
            session,
            said.first_at,
            said.last_at,
            said.count,
            round(said.valence / said.count, 3),
            round(said.arousal / said.count, 3),
        )
        for session, said in sorted(emotions.sessions.items(), key=lambda each: each[1].first_at)
    )


def _trust(counts: dict[str, float]) -> float:
    well = _PRIOR + sum(weight * counts.get(name, 0.0) for name, weight in _WELL.items())
    ill = _PRIOR + sum(weight * counts.get(name, 0.0) for name, weight in _ILL.items())
    return well / (well + ill)


def _familiarity(emotions: Emotions) -> float:
    return 1 - math.exp(-_exponent(emotions))


def _exponent(emotions: Emotions) -> float:
    return sum(amount / _FAMILIAR[name] for name, amount in _seen(emotions).items())


def _seen(emotions: Emotions) -> dict[str, float]:
    days = (emotions.at - emotions.first_at) / _DAY
    return {name: days if name == "days" else emotions.counts.get(name, 0.0) for name in _FAMILIAR}


def _within(least: int, value: float) -> float:
    return round(min(1.0, max(float(least), value)), 3)
