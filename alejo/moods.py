"""What is felt in a text, what is kept of how a user feels, and what is told of it. Plugins find it in `alejo.types`.

All that is kept is sums, so what a message added can be taken out again to the last digit, in any order, without
anybody's judgement: valence and arousal are sums of what is weighed, in which a share is halved with every half-life.
"""

from __future__ import annotations

import math

from alejo.verdicts import Value

MOST_TOPICS = 64
MOST_SESSIONS = 64
MOST_NAMES = 32  # of feelings and of counts
TOPICS_OF_ONE = 8
TOPIC_CHARACTERS = 64
_HOUR = 3_600_000_000
_NOTHING = 1e-9  # of a weight: what rounding leaves
_PLAIN = 0.1  # a mean valence nearer to 0 leans nowhere


class Emotion(Value, frozen=True):
    """A named emotion, its strength from 0 to 1, and the words that carried it."""

    name: str
    strength: float
    words: tuple[str, ...] = ()


class Appraisal(Value, frozen=True):
    """What was felt in a text: valence from -1 to 1, arousal from 0 to 1, emotions strongest first."""

    valence: float
    arousal: float
    emotions: tuple[Emotion, ...] = ()


class Sums(Value, frozen=True):
    """Sums of weight, weighed valence and weighed arousal."""

    weight: float = 0.0
    valence: float = 0.0
    arousal: float = 0.0

    def plus(self, kept: float, weight: float, valence: float, arousal: float) -> Sums:
        """These, of which the part `kept` is left, and one more with its weight, which is below 0 to take it out."""
        total = self.weight * kept + weight
        if total < _NOTHING:
            return Sums()
        return Sums(total, self.valence * kept + weight * valence, self.arousal * kept + weight * arousal)

    @property
    def leaning(self) -> int:
        """-1, 0 or 1: whether what was felt was unpleasant, neither, or pleasant."""
        mean = self.valence / self.weight if self.weight else 0.0
        return (mean > _PLAIN) - (mean < -_PLAIN)


class Counted(Value, frozen=True):
    """What was felt in all messages of a topic or a session: how many, from when to when, and plain sums."""

    count: int
    valence: float
    arousal: float
    first_at: int
    last_at: int


class Impression(Value, frozen=True):
    """What stays of one turn, which the user's emotions are the sum of. Valence -1 to 1, arousal and weight 0 to 1.

    `weight` is how much it counts for the mood; `feelings` are named ones with their strengths, `topics` what it was
    about. `counts` is what else adds up, by names: the host's are in `COUNTS`, a plugin may have its own.
    """

    at: int = 0
    session_id: str = ""
    weight: float = 0.0
    valence: float = 0.0
    arousal: float = 0.0
    feelings: dict[str, float] = {}
    topics: tuple[str, ...] = ()
    counts: dict[str, float] = {}

    @property
    def sound(self) -> bool:
        """Whether its numbers have a meaning and it is not too large."""
        return (
            0 <= self.weight <= 1
            and -1 <= self.valence <= 1
            and 0 <= self.arousal <= 1
            and max(len(self.feelings), len(self.counts)) <= MOST_NAMES
            and all(0 <= strength <= 1 for strength in self.feelings.values())
            and all(map(math.isfinite, self.counts.values()))
            and len(self.topics) <= TOPICS_OF_ONE
            and all(0 < len(topic) <= TOPIC_CHARACTERS for topic in self.topics)
            and all(len(name) <= TOPIC_CHARACTERS for name in (*self.feelings, *self.counts))
        )


# Turns, facts that the user told of themselves, corrections of what was remembered, and reminders that came in time.
COUNTS = ("turns", "disclosures", "corrections", "promises")


class Correction(Value, frozen=True):
    """What the user changed, added to what is reckoned. The mood's part, of `at`, is halved with its half-life."""

    valence: float = 0.0
    arousal: float = 0.0
    at: int = 0
    trust: float = 0.0
    familiarity: float = 0.0


class Emotions(Value, frozen=True):
    """How a user feels, as sums of impressions as of `at`, the newest of them.

    `mood` and `feelings` fade with the half-life of the mood, `usual` with that of what is usual for them, both in µs.
    `topics` and `sessions` are 64 at most, `since` is when the mood began to lean as it does.
    """

    at: int = 0
    mood: Sums = Sums()
    usual: Sums = Sums()
    feelings: dict[str, float] = {}
    topics: dict[str, Counted] = {}
    sessions: dict[str, Counted] = {}
    counts: dict[str, float] = {}
    first_at: int = 0
    since: int = 0
    correction: Correction = Correction()
    mood_half_life: int = 3 * _HOUR
    usual_half_life: int = 30 * 24 * _HOUR

    def plus(self, one: Impression) -> Emotions:
        """These and one more impression, whatever their order."""
        return self._joined(one, 1)

    def minus(self, one: Impression) -> Emotions:
        """These without an impression that is among them."""
        return self._joined(one, -1)

    def faded(self, now: int) -> float:
        """The part of the mood that is left at a time."""
        return halved(now - self.at, self.mood_half_life)

    def since_then(self, at: int, now: int) -> float:
        """The part that is left at a time of what the mood was changed by at another."""
        return halved(now - at, self.mood_half_life)

    def _joined(self, one: Impression, sign: int) -> Emotions:
        at = max(self.at, one.at)
        weight, valence, arousal = sign * one.weight, one.valence, one.arousal
        kept, left = halved(at - self.at, self.mood_half_life), halved(at - one.at, self.mood_half_life)
        mood = self.mood.plus(kept, weight * left, valence, arousal)
        still, part = halved(at - self.at, self.usual_half_life), halved(at - one.at, self.usual_half_life)
        feelings = {name: strength * kept for name, strength in self.feelings.items()} if kept < 1 else self.feelings
        return Emotions(
            at,
            mood,
            self.usual.plus(still, weight * part, valence, arousal),
            _summed(feelings, one.feelings, weight * left),
            _least_left(self._counted(self.topics, one.topics, one, sign), MOST_TOPICS),
            _oldest_left(
                self._counted(self.sessions, (one.session_id,) if one.session_id else (), one, sign), MOST_SESSIONS
            ),
            _summed(self.counts, one.counts, sign),
            min(self.first_at or one.at, one.at),
            at if mood.leaning != self.mood.leaning else self.since,
            self.correction,
            self.mood_half_life,
            self.usual_half_life,
        )

    @staticmethod
    def _counted(known: dict[str, Counted], names: tuple[str, ...], one: Impression, sign: int) -> dict[str, Counted]:
        found = dict(known) if names else known
        for name in names:
            before = found.pop(name, None)
            if before is None:
                if sign > 0:
                    found[name] = Counted(1, one.valence, one.arousal, one.at, one.at)
            elif sign > 0 or one.at >= before.first_at:
                if before.count + sign > 0:
                    found[name] = Counted(
                        before.count + sign,
                        before.valence + sign * one.valence,
                        before.arousal + sign * one.arousal,
                        min(before.first_at, one.at),
                        max(before.last_at, one.at),
                    )
            else:
                found[name] = before  # it left these sums when there was no room
        return found


def halved(span: int, half_life: int) -> float:
    """What is left of 1 after a span: 2^(-span / half-life)."""
    return 1.0 if span <= 0 else math.exp2(-span / half_life)


def _summed(sums: dict[str, float], more: dict[str, float], factor: float) -> dict[str, float]:
    if not more:
        return sums
    found = dict(sums)
    for name, amount in more.items():
        total = found.get(name, 0.0) + factor * amount
        if abs(total) > _NOTHING and (name in found or len(found) < MOST_NAMES):
            found[name] = total
        else:
            found.pop(name, None)
    return found


def _least_left(found: dict[str, Counted], most: int) -> dict[str, Counted]:
    """Three quarters of what there is room for, where there is more than that: what was said most often, and last."""
    if len(found) <= most:
        return found
    kept = sorted(found, key=lambda name: (found[name].count, found[name].last_at))[len(found) - most * 3 // 4 :]
    return {name: found[name] for name in kept}


def _oldest_left(found: dict[str, Counted], most: int) -> dict[str, Counted]:
    while len(found) > most:
        del found[min(found, key=lambda name: found[name].last_at)]
    return found


class Reason(Value, frozen=True):
    """One share of a number, and in words what it is."""

    name: str
    share: float
    detail: str = ""


class Mood(Value, frozen=True):
    """How a user feels at a time: valence -1 to 1 and arousal 0 to 1, what is usual for them, and named feelings.

    `feelings` have strengths from 0 to 1, the strongest first. `since` is when it began to lean as it does, 0 if it
    never did; `appraisals` is how many messages it rests on.
    """

    valence: float = 0.0
    arousal: float = 0.0
    usual_valence: float = 0.0
    usual_arousal: float = 0.0
    feelings: dict[str, float] = {}
    since: int = 0
    appraisals: int = 0
    why: tuple[Reason, ...] = ()


class Trigger(Value, frozen=True):
    """A topic that comes with strong feeling: the mean valence of what was said of it, how often, and when last."""

    topic: str
    valence: float
    count: int
    last_at: int
    why: tuple[Reason, ...] = ()


class Relationship(Value, frozen=True):
    """How a user stands to the assistant: trust and familiarity, 0 to 1, and shared topics, most often named first."""

    trust: float = 0.5
    familiarity: float = 0.0
    topics: dict[str, int] = {}
    first_at: int = 0
    last_at: int = 0
    turns: int = 0
    why: tuple[Reason, ...] = ()


class Tone(Value, frozen=True):
    """How to speak with them, each from 0 to 1, and a sentence that says it, in which no word of the user is."""

    warmth: float = 0.5
    formality: float = 0.5
    brevity: float = 0.5
    energy: float = 0.5
    guidance: str = ""


class Point(Value, frozen=True):
    """What was felt in one session: the means of its turns, how many, and from when to when."""

    session_id: str
    first_at: int
    last_at: int
    turns: int
    valence: float
    arousal: float


class Lived(Value, frozen=True):
    """What a turn leaves, and how things stand with it: the mood, and how to answer."""

    impression: Impression
    mood: Mood = Mood()
    tone: Tone = Tone()


class Feelings(Value, frozen=True):
    """All that is told of how a user feels. Triggers have the strongest first, the trajectory the oldest session."""

    mood: Mood = Mood()
    tone: Tone = Tone()
    triggers: tuple[Trigger, ...] = ()
    relationship: Relationship = Relationship()
    trajectory: tuple[Point, ...] = ()
