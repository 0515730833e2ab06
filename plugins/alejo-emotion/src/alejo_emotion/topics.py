"""What a message is about, as far as its words alone tell: what it names as somebody's, and names inside a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST = 4
_READ = 400  # words
_LEAST = 3  # letters
_LONGEST = 64
_SELF = "user's "
# After these words stands what is spoken of; of languages other than English only what says whose it is.
_BEFORE_IT = (
    "my our his her their the about "
    "mein meine meinen meinem meiner meines unser unsere unseren unserem "
    "mi mis nuestro nuestra nuestros nuestras mon ma mes notre nos meu minha "
    "मेरा मेरी मेरे हमारा हमारी हमारे"
)
# What stands between such a word and its noun, and what is no topic though it stands there.
_WHICH = (
    "new old own best first last next big little small great good bad whole main older younger elder former late dear "
    "lovely poor favorite favourite other same only entire very most my our his her their the a an"
)
_PLAIN = (
    "and but that this these those what when where which who whom how why with for from into than then them they you "
    "way thing things time times day days week month year years lot bit one ones end rest moment minute hour kind sort "
    "idea fact point part side case reason morning evening afternoon night today tomorrow yesterday weekend world "
    "people person everyone something anything nothing everything self life mind opinion name question answer "
    "user to be is am are was were been being go going get getting do doing have having it its not all any some"
)
_CALENDAR = (
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday"
)
_BEFORE, _PASSED = frozenset(_BEFORE_IT.split()), frozenset(_WHICH.split())
_NO_TOPIC = frozenset(_PLAIN.split()) | _PASSED | frozenset(_CALENDAR.split())


def topics(words: Sequence[str], small: Sequence[str], known: Iterable[str] = ()) -> tuple[str, ...]:
    """At most four topics of a text's words, `small` as they are in small letters: `known` names first."""
    found: dict[str, None] = {}
    for name in known:
        _note(found, name.casefold().removeprefix(_SELF))
    named = False  # whether the word may be what the one before it names
    for place, (word, lower) in enumerate(zip(words[:_READ], small, strict=False)):
        if named or (place and word[0].isupper() and len(word) > _LEAST):
            _note(found, lower)
        named = lower in _BEFORE or (named and lower in _PASSED)
    return tuple(found)[:MOST]


def _note(found: dict[str, None], word: str) -> None:
    word = word.removesuffix("'s").removesuffix("\u2019s")
    if _LEAST <= len(word) <= _LONGEST and word not in _NO_TOPIC:
        found[word] = None
