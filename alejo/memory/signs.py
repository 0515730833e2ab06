"""Signs in a text, read without understanding it: whether it asks, and for what; whether it tells a time,
a number or a place; its names.

The words are data by language: English, German and Spanish. A text of another language shows what marks and capitals
show.
"""

from __future__ import annotations

import re

_MARKS = ("?", "\uff1f", "\u061f", "\u2e2e", "\u037e", "\u055e", "\u1367")  # Latin to Armenian and Ethiopic
_ASIDE = re.compile(r"(?:\s*\[[^\[\]]*\])+\s*$")  # what a picture shows, as it stands behind what was said
_CLOSING = " \t\n\"'\u201d\u2019)*\u00bb"

_MONTHS = (
    "january february march april june july august september october november december "
    "januar februar märz juni juli oktober dezember jänner "
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)
# Words that tell a time by themselves.
_TIMES = (
    "yesterday today tonight tomorrow recently just since ago "
    "gestern vorgestern heute übermorgen neulich kürzlich seit "
    "ayer anteayer anoche hoy hace desde "
)
_NAMED = frozenset((_TIMES + _MONTHS).split())
# Words that do before others.
_ENDINGS = ("", "n", "m", "r", "s")
_SPANS = (
    ("last next this past", r"(?:week|month|year|night|weekend|summer|winter|spring|fall|autumn|\w+day)"),
    (r"\d+ one two three four five six seven eight nine ten few", r"(?:day|week|month|year)s?"),
    ("couple", r"of\s+(?:day|week|month|year)s?"),
    (
        " ".join(each + end for each in ("letzte", "nächste", "diese", "vorige", "kommende") for end in _ENDINGS),
        r"(?:woche|monat|jahr|nacht|wochenende|sommer|winter|\w+tag)",
    ),
    (r"\d+ einem einer zwei drei vier fünf sechs sieben acht neun zehn paar", r"(?:tage|woche|monat|jahr)\w{0,2}"),
    (
        "semana mes año noche verano invierno lunes martes miércoles jueves viernes sábado domingo",
        r"(?:pasad[oa]|que\s+viene)",
    ),
    (r"\d+ un una dos tres cuatro cinco seis siete ocho nueve diez", r"(?:día|semana|mes|año)(?:e?s)?"),
)
_BEFORE = frozenset(word for before, _ in _SPANS for word in before.split() if word.isalpha())
_SPAN = re.compile(
    "|".join(rf"\b(?:{before.replace(' ', '|')})\s+{after}\b" for before, after in _SPANS), re.IGNORECASE
)
_WORD = re.compile(r"\w+")
_FIGURE = re.compile(r"\d")
_FIRST = r"^\W*(?:(?:and|so|but|since|until|und|seit|bis|y|desde|hasta)\s+)*"
_ASKS_WHEN = re.compile(
    _FIRST + r"(?:when|how\s+long|(?:(?:in|on|at)\s+)?(?:what|which)\s+(?:date|day|month|year|time|week)|"
    r"wann|wie\s+lange?|(?:in\s+|an\s+)?welche[mnrs]?\s+(?:tag|datum|monat|jahr|woche)|um\s+wie\s*viel\s+uhr|"
    r"cu[aá]ndo|(?:hace\s+)?cu[aá]nto\s+(?:tiempo\s+)?(?:hace|llev\w+|dur\w+)|(?:en\s+)?qu[eé]\s+(?:d[ií]a|fecha|mes|año|hora|semana))\b",
    re.IGNORECASE,
)
# Not German, where every noun has a capital.
_ASKS_NAME = re.compile(
    _FIRST + r"(?:who|whose|whom|where|which|what(?:'s|\s+(?:is|was|are|were))\s+the\s+(?:name|title)|"
    r"(?:a\s+|de\s+|con\s+|en\s+|por\s+)?(?:qui[eé]n(?:es)?|d[oó]nde|cu[aá]l(?:es)?|c[oó]mo\s+se\s+llama\w*))\b"
    r"|\b(?:called|named)\W*$",
    re.IGNORECASE,
)
_NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve twenty thirty hundred once twice "
    "couple several few ein zwei drei vier fünf sechs sieben acht neun zehn "
    "dos tres cuatro cinco seis siete ocho nueve diez"
)
_COUNTED = frozenset(_NUMBERS.split())
_PLACE = re.compile(
    r"\b(?:in|at|near|to|from|by|around|im|am|nach|aus|bei|en|a|desde|cerca)\s+(?:the\s+|el\s+|la\s+|der\s+|dem\s+)?"
    r"[A-Z\u00c0-\u00de][a-z\u00df-\u00ff]"
)
_ASKS_NUMBER = re.compile(
    r"\bhow\s+(?:many|much|old|often|long)\b|\bwie\s*(?:viele?|alt|oft|lange)\b|\bcu[aá]nt[oa]s?\b", re.IGNORECASE
)
_ASKS_PLACE = re.compile(
    r"\bwhere\b|\b(?:which|what)\s+(?:city|country|state|place|town)\b|\bwo(?:hin|her)?\b|\bd[oó]nde\b", re.IGNORECASE
)
_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z\u00c0-\u00de]\w")


def asks(text: str) -> bool:
    """Whether a text ends in a question."""
    return _ASIDE.sub("", text).rstrip(_CLOSING).endswith(_MARKS)


def dated(text: str) -> bool:
    """Whether a text tells when something was."""
    words = _WORD.findall(text.casefold())
    if not _NAMED.isdisjoint(words):
        return True
    # A search for what begins nowhere would take longer than all else that is read of a text.
    return (_FIGURE.search(text) is not None or not _BEFORE.isdisjoint(words)) and _SPAN.search(text) is not None


def names(text: str) -> int:
    """How many capitals stand inside sentences: somebody's or some place's name."""
    return len(_NAME.findall(text))


def numbered(text: str) -> bool:
    """Whether a text tells a number."""
    return any(word.isdecimal() or word in _COUNTED for word in _WORD.findall(text.casefold()))


def placed(text: str) -> bool:
    """Whether a text tells a place: a name behind a word of place."""
    return _PLACE.search(text) is not None


def asks_number(text: str) -> bool:
    """Whether a question asks how many, how old or how long."""
    return _ASKS_NUMBER.search(text) is not None


def asks_place(text: str) -> bool:
    """Whether a question asks for a place."""
    return _ASKS_PLACE.search(text) is not None


def asks_when(text: str) -> bool:
    """Whether a question asks for a time."""
    return _ASKS_WHEN.search(text) is not None


def asks_name(text: str) -> bool:
    """Whether a question asks for somebody or some place."""
    return _ASKS_NAME.search(text) is not None
