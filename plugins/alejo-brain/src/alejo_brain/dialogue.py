"""How the brain speaks with a person: in which mode, and never in the same words three times.

direct       answers, and no more: the default
reflective   says back what was said, connects it with what was told before, and asks one open question
exploratory  offers two or three things that are related, and a next step

Which one is the user's preference (`mode`), or else what they said last of it ("be more reflective with me"), for as
long as that is remembered. It is adapted to the person: who writes briefly, or is to be answered so,
is not mirrored; who left the last questions unanswered is asked none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, tzinfo
from itertools import pairwise
from statistics import median

import msgspec

from alejo.roles import Turn
from alejo.types import Hit, Message, Role

from .choosing import RELATED
from .phrases import dated, here, month, numbered, quoted
from .reading import QUESTION_MARKS, asks
from .tongues import Tongue, preferred
from .ways import MODES, ways
from .words import telling_words

STRONG = 0.5  # valence beyond which a feeling is spoken of
_BACK = 12  # messages that are looked back at
_LATELY = 2  # answers in which a sentence does not come again
_UNANSWERED = 2  # questions, from which on none is asked
_TAKEN = 4  # words of a message that answers a question
_BRIEF = 4  # words of a message, in the median
_TERSE = 0.75  # a tone's brevity
_MIRRORED = 40  # words
_OFFERED = 3
_LONG = 240  # characters of a memory that is not offered
_WORD = re.compile(r"[^\W_]+")


class Manner(msgspec.Struct, frozen=True):
    """How to speak in one turn. `asks`: a question is welcome; `brief`: few words are; `lately`: the last answers.

    `long`: many words are, and `bullets`: each sentence in a line of its own; `name` is what the user is called,
    `zone` where they are.
    """

    tongue: Tongue
    mode: str = MODES[0]
    asks: bool = True
    brief: bool = False
    lately: tuple[str, ...] = ()
    long: bool = False
    bullets: bool = False
    name: str = ""
    zone: tzinfo = UTC

    def say(self, which: str, **words: str) -> str:
        """A sentence of the language, the first of its kind that was not said of late."""
        variants = [each.format(**words) for each in self.tongue.says[which]]
        last = {each: place for place, answer in enumerate(self.lately) for each in variants if each in answer}
        return min(variants, key=lambda each: last.get(each, -1))


async def manner(turn: Turn) -> Manner:
    """The manner of a turn, from what the user prefers and what was said in the session."""
    earlier = await turn.desk.said(_BACK)
    answers = tuple(message.text for message in earlier if message.role is Role.ASSISTANT)
    said = [message.text for message in earlier if message.role is Role.USER]
    told = [len(_words(text)) for text in said]
    shape = ways(turn, await turn.desk.ways())
    terse = turn.tone is not None and turn.tone.brevity >= _TERSE
    return Manner(
        preferred(turn.preferences.language, turn.message.text, said),
        turn.mode if turn.mode in MODES else shape.mode or MODES[0],
        _welcome(earlier, turn.message) and not shape.silent,
        shape.brief or (not shape.long and (terse or (len(told) >= _TAKEN and median(told) < _BRIEF))),
        answers[-_LATELY:],
        shape.long,
        shape.bullets,
        shape.name,
        here(turn),
    )


def _welcome(earlier: Sequence[Message], message: Message) -> bool:
    """Whether the last questions of the brain were taken up."""
    said = [*earlier, message]
    replies = [
        len(_words(reply.text)) >= _TAKEN and not asks(reply.text)
        for asked, reply in pairwise(said)
        if asked.role is Role.ASSISTANT and asked.text.endswith(QUESTION_MARKS) and reply.role is Role.USER
    ]
    return len(replies) < _UNANSWERED or any(replies[-_UNANSWERED:])


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def heavy(turn: Turn, tongue: Tongue) -> bool:
    """Whether a message is strongly unhappy, or speaks of what hurts."""
    felt = turn.appraisal is not None and turn.appraisal.valence <= -STRONG
    return felt or tongue.painful.search(turn.message.text) is not None


def painless(hits: Sequence[Hit], tongue: Tongue) -> list[Hit]:
    """The memories that may be brought up unasked."""
    return [hit for hit in hits if tongue.painful.search(hit.memory.text) is None]


def mirrored(turn: Turn, manner: Manner) -> list[str]:
    """The message as it is said back, in the reflective mode."""
    text = turn.message.text.strip()
    if manner.mode != "reflective" or manner.brief or len(_words(text)) > _MIRRORED:
        return []
    turned = manner.tongue.turned(text, "user")
    asking = asks(text) or any(mark in text for mark in QUESTION_MARKS)
    said = manner.say("wonder" if asking else "mirror", words=f'"{text}"', turned=turned[:1].lower() + turned[1:])
    return [said if said.endswith((".", "!", '"')) else f"{said}."]


def connected(turn: Turn, manner: Manner, hits: Sequence[Hit]) -> list[str]:
    """When it was first told of, in another month than this, in the reflective mode."""
    if manner.mode != "reflective":
        return []
    close = [hit.memory for hit in painless(hits, manner.tongue) if hit.coverage >= RELATED and not hit.memory.speaker]
    first = min(close, key=lambda memory: memory.sent_at, default=None)
    if first is None or first.session_id == turn.session.id:
        return []
    return [manner.say("first", month=month(first, manner.zone, manner.tongue), quote=quoted(first))]


def onward(turn: Turn, manner: Manner, hits: Sequence[Hit], quoted_ids: Sequence[str] = ()) -> list[str]:
    """What ends an answer: one open question in the reflective mode, what is related in the exploratory one."""
    if manner.mode == "reflective" and manner.asks:
        return [manner.say(_open(turn))]
    if manner.mode != "exploratory":
        return []
    fresh = [hit.memory for hit in painless(hits, manner.tongue) if hit.memory.id not in quoted_ids]
    offered = [memory for memory in fresh if len(memory.text) <= _LONG][:_OFFERED]
    items = (
        [manner.say("related", items=numbered([dated(each, manner.zone, manner.tongue) for each in offered]))]
        if offered
        else []
    )
    topic = _topic(turn.message.text)
    return [*items, manner.say("next", topic=topic)] if topic else items


def _open(turn: Turn) -> str:
    if asks(turn.message.text):
        return "asking"
    valence = turn.appraisal.valence if turn.appraisal else 0.0
    return "sore" if valence <= -STRONG else "glad" if valence >= STRONG else "open"


def _topic(text: str) -> str:
    """The word of a message that says most: a name, else the longest."""
    telling = telling_words(text)
    words = [word for word in _words(text)[1:] or _words(text) if word.isalpha() and telling_words(word) & telling]
    return max(words, key=lambda word: (word[0].isupper(), len(word)), default="")
