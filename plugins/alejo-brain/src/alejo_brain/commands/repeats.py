"""Rules by which something recurs, as RFC 5545 writes them: "every Monday", "jeden zweiten Tag", "cada dos semanas"."""

from __future__ import annotations

from collections.abc import Sequence

from .lexicon import PARTS, UNITS, WEEKDAYS, Token, Unread

CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = {"day": "DAILY", "week": "WEEKLY", "month": "MONTHLY", "year": "YEARLY"}
_ADVERBS = ("daily", "weekly", "monthly", "yearly")
_WORKDAYS = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
_FURTHEST = 16  # words of a rule
_MOST = 999


def recurs(token: Token) -> bool:
    """Whether a word begins a rule."""
    return token.is_("every") or any(map(token.is_, _ADVERBS))


def read_rule(tokens: Sequence[Token], place: int) -> tuple[str, int]:
    """The rule that begins with a word, and how many words it has. Raises Unread."""
    for name in _ADVERBS:
        if tokens[place].is_(name):
            return f"FREQ={name.upper()}", 1
    begin = place + 1
    while begin < len(tokens) and tokens[begin].word in {"los", "las"}:  # todos los lunes
        begin += 1
    rest = tokens[begin : place + _FURTHEST]
    rule, taken = _days(rest) or _parts(rest) or _units(rest)
    return rule, begin - place + taken


def _days(rest: Sequence[Token]) -> tuple[str, int] | None:
    """Days of the week."""
    if rest and rest[0].is_("weekday"):
        return _WORKDAYS, 1
    days, taken = [], 0
    for each in rest:
        if each.word in WEEKDAYS:
            days.append(CODES[WEEKDAYS[each.word]])
        elif not days or each.word not in {"and", "und", "y"}:
            break
        taken += 1
    return (f"FREQ=WEEKLY;BYDAY={','.join(days)}", taken) if days else None


def _parts(rest: Sequence[Token]) -> tuple[str, int] | None:
    """ "every morning": the part of the day says the time as well, so it is left to be read."""
    return ("FREQ=DAILY", 0) if rest and rest[0].word in PARTS else None


def _units(rest: Sequence[Token]) -> tuple[str, int]:
    """ "every two weeks". Raises Unread."""
    taken = 1 if len(rest) > 1 and rest[0].number is not None else 0
    count = rest[0].number if taken and rest[0].number is not None else 1
    unit = UNITS.get(rest[taken].word, "") if taken < len(rest) else ""
    if unit == "fortnight":
        unit, count = "week", 2 * count
    if unit not in _FREQUENCIES or not 1 <= count <= _MOST:
        raise Unread
    return f"FREQ={_FREQUENCIES[unit]}" + (f";INTERVAL={count}" if count > 1 else ""), taken + 1
