"""What sort of thing a message is, read from its words alone."""

from __future__ import annotations

import enum
import re
from functools import lru_cache

QUESTION_MARKS = ("?", "\uff1f", "\u061f", "\u2e2e", "\u037e")  # Latin, full-width, Arabic, reversed, Greek

_SENTENCES = re.compile(r"(?<=[.!?…\u3002\uff01\uff1f\u061f])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_SELF = "i i'm i've i'd i'll my mine me myself we we're we've we'd we'll our ours us"
FIRST_PERSON = frozenset(_SELF.split())

_AUXILIARY = (
    r"(?:is|are|was|were|am|do|does|did|can|could|will|would|shall|should|may|might|has|have|had|"
    r"isn'?t|aren'?t|wasn'?t|weren'?t|don'?t|doesn'?t|didn'?t|can'?t|won'?t)"
)
_SUBJECT = r"(?:i|you|he|she|it|we|they|my|your|his|her|our|their|the|there|this|that|these|those|anyone|anybody|any)"
_ASKING = re.compile(
    rf"""^(?:so\s+|and\s+|but\s+|hey\s+|ok(?:ay)?\s+)?(?:
        (?:what|who|whom|whose|which|where|when|why|how)\b(?:'s|'re|'d|(?:\s+\S+){{0,3}}?\s+{_AUXILIARY})\b
        (?!\s+not\b)
      | {_AUXILIARY}\s+{_SUBJECT}\b
      | (?:tell|show)\s+me\b | (?:do|does|did)\s+\w+\s+\w+
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# "When I was young …", "What a day" and "How lovely" begin like questions and are none.
_NOT_ASKING = re.compile(
    r"^(?:so\s+|and\s+|but\s+)?(?:(?:when|where|whenever|wherever)\s+(?:i|we|my|our)\b|what\s+an?\b|how\s+\w+\s*!)",
    re.IGNORECASE,
)

_PLEASE = (
    r"^\W*(?:(?:hey|hi|hello|ok|okay|so|well|alejo)\W+)*"
    r"(?:(?:please|kindly|can\s+you|could\s+you|would\s+you)\W+)*"
)
_COMMAND = re.compile(
    _PLEASE
    + r"""(?:
        /\w
      | (?:remember|memori[sz]e|keep\s+in\s+mind|don'?t\s+forget|do\s+not\s+forget)\b(?!\s+(?:when|how|the\s+time)\b)
      | (?:make\s+a\s+)?note(?:\s+to\s+(?:self|myself)|\s+that)?\s*:
      | (?:make\s+a\s+)?note\s+that\b
      | forget\b
      | (?:delete|erase)\s+(?:the\s+memory|what\s+you\s+(?:know|remember))\b
      | recall\b
      | (?:tell\s+me\s+)?what\s+(?:do\s+|can\s+)?you\s+(?:remember|know|recall)\b
      | what\s+did\s+i\s+(?:say|tell\s+you)\s+about\b
      | (?:list|show)\s+(?:me\s+)?(?:all\s+)?(?:of\s+)?(?:my\s+|your\s+)?(?:memories|notes)\b
      | list\s*[.!]?$
      | help(?:\s+me)?\s*[.!?]*$
      | what\s+(?:can\s+you\s+do|commands\b)
      | what(?:'s|\s+is)?\s+(?:the\s+)?(?:current\s+)?(?:time|date|day)(?:\s+is\s+(?:it|today))?
        (?:\s+(?:now|today))?\s*[.!?]*$
      | what(?:'s|\s+is)\s+today'?s?\s+date\b
      | (?:time|date)\s*[.!?]*$
    )""",
    re.IGNORECASE | re.VERBOSE,
)

# Asked of the assistant and nothing else, in other languages and other words: what is to be forgotten is not kept.
_FORGETTING = re.compile(
    r"""\W*(?:(?:bitte|please|por\s+favor|alejo|hey|oye|also|ok(?:ay)?)\W+)*(?:
        (?:delete|erase|wipe)\s+(?:everything|all|anything|whatever|what|my\s+memor|your\s+memor)\b
      | (?:delete|erase|unlearn)\s+\w+\W*$
      | i(?:\s+(?:want|need|would\s+like)|'d\s+like)\s+you\s+to\s+(?:please\s+)?(?:forget|delete|erase|unlearn)\b
      | vergiss\s+(?:bitte\W+)?(?:alles|was|dass)\b
      | vergiss\s+(?:bitte\W+)?(?!(?:\w+\W+){0,2}nicht\b)\w+(?:\W+\w+){0,2}\W*$
      | ich\s+(?:will|möchte)\W+dass\s+du\b[^.!?\n]*\bvergisst\b
      | l(?:ö|oe)sche?\s+(?:bitte\W+)?(?:alles|was|die\s+erinnerung|deine?\s+(?:erinnerung|notiz))
      | olvida\s+(?:todo|que|lo)\b
      | olvida\s+al?\s+\w+\W*$
      | (?:borra|elimina)\s+(?:todo|lo\s+que|el\s+recuerdo|los\s+recuerdos)\b
    )[^.!?\n]*[.!?\s]*""",
    re.IGNORECASE | re.VERBOSE,
)

_COURTESIES = (
    "hi hello hey hiya howdy yo greetings good morning afternoon evening night day there alejo everyone all"
    " thanks thank you thx ty cheers much very so many lot a lots appreciated welcome please sorry"
    " bye goodbye cya see later soon tomorrow then farewell take care"
    " ok okay k yes yeah yep yup no nope nah sure right alright fine cool great nice wow oh ah hm hmm haha lol"
    " perfect awesome excellent good got it understood exactly indeed really"
    " ja nein danke bitte hallo sí gracias hola vale"
)
_COURTEOUS = frozenset(_COURTESIES.split())


class Sort(enum.Enum):
    """The sorts of messages that are treated differently."""

    NOTHING = "nothing"
    COMMAND = "command"
    COURTESY = "courtesy"
    QUESTION = "question"
    STATEMENT = "statement"


def plain(text: str) -> str:
    """A text with one kind of apostrophe, as the patterns here and in `strategy` spell it."""
    return text.replace("\u2019", "'")


@lru_cache(maxsize=8)  # kind, importance and more are read of the same text, one after the other
def words(text: str) -> tuple[str, ...]:
    """The words of a text, lower-case."""
    return tuple(_WORDS.findall(plain(text).lower()))


def sentences(text: str) -> list[str]:
    """The sentences of a text, split after their closing marks."""
    return [part for piece in _SENTENCES.split(text) if (part := piece.strip())]


def asks(sentence: str) -> bool:
    """Whether a sentence is a question, with or without its mark."""
    sentence = plain(sentence)
    if sentence.rstrip(" \t\"'\u201d)*").endswith(QUESTION_MARKS):
        return True
    return _ASKING.match(sentence) is not None and _NOT_ASKING.match(sentence) is None


def first_person(text: str) -> bool:
    """Whether somebody speaks of themselves."""
    return not FIRST_PERSON.isdisjoint(words(text))


def is_courtesy(text: str) -> bool:
    """Whether a text is a greeting, thanks or agreement and nothing else."""
    spoken = words(text)
    return len(spoken) <= 8 and all(word in _COURTEOUS for word in spoken)


def sort(text: str) -> Sort:
    """What sort of message a text is. A question beside a statement about oneself is a statement."""
    if not words(text):
        return Sort.NOTHING
    if _COMMAND.match(plain(text)) or _FORGETTING.fullmatch(plain(text)):
        return Sort.COMMAND
    if is_courtesy(text):
        return Sort.COURTESY
    parts = sentences(text)
    others = [part for part in parts if not asks(part)]
    if len(others) == len(parts) or any(first_person(part) for part in others):
        return Sort.STATEMENT
    return Sort.QUESTION
