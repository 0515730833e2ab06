"""Arguments of commands from words: numbers, yes and no, one of several, lists and times, as a schema wants them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec
from rapidfuzz import fuzz, process

from alejo.types import CommandSpec

from .grammar import fold
from .languages import Language, fold_all, language_of

_LIKE = 80  # of 100, how much a word must be like one of those allowed
_TRUE = frozenset({"yes", "true", "on", "ja", "wahr", "an", "si", "verdadero", "हां"})
_FALSE = frozenset({"no", "false", "off", "nein", "falsch", "aus", "falso", "नहीं"})
_LISTED = re.compile(r"(?<!\s)\s*(?:,|;|\band\b|\bund\b|\by\b|\bऔर\b)\s*", re.IGNORECASE)
_DURATION = re.compile(r"P(?=.)(?:\d+[YMWD])*(?:T(?:\d+[HMS])+)?")
_UNITS = {"second": "S", "minute": "M", "hour": "H", "day": "D", "week": "W", "month": "M", "year": "Y"}
_UNITS |= {"sekunde": "S", "stunde": "H", "tag": "D", "woche": "W", "monat": "M", "jahr": "Y"}
_UNITS |= {"segundo": "S", "minuto": "M", "hora": "H", "dia": "D", "semana": "W", "mes": "M", "ano": "Y"}
_UNITS |= {"सेकंड": "S", "मिनट": "M", "घंटे": "H", "घंटा": "H", "दिन": "D", "हफ्ते": "W", "महीने": "M", "साल": "Y"}
_TIMED = frozenset(
    {"second", "minute", "hour", "sekunde", "stunde", "segundo", "minuto", "hora", "सेकंड", "मिनट", "घंटे", "घंटा"}
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


Times = Callable[[str, str], str]  # words and a form of JSON Schema as ISO 8601; raises ValueError


class Unfit(ValueError):
    """Words that are no value of the sort that is wanted."""


def properties(spec: CommandSpec) -> dict[str, Any]:
    """The schemas of a command's arguments, by name."""
    found = msgspec.json.decode(spec.schema, type=dict[str, Any]).get("properties", {}) if spec.schema else {}
    return {name: each if isinstance(each, dict) else {} for name, each in found.items()}


def iso(words: str, form: str, now: datetime = _EPOCH) -> str:
    """A date, time or both of ISO 8601 as it is written. Raises ValueError.

    Times get the offset that RFC 3339, and so JSON Schema, wants of them: where they have none, that of where `now` is.
    """
    words = words.strip()
    if form == "date":
        return date.fromisoformat(words).isoformat()
    if form == "date-time":
        return placed(datetime.fromisoformat(words), now).isoformat()
    told = placed(datetime.combine(now, time.fromisoformat(words)), now)
    return told.isoformat().partition("T")[2]


def placed(at: datetime, now: datetime) -> datetime:
    """A time of the wall as one of where `now` is; one with an offset as it is."""
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)


def typed(spec: CommandSpec, words: Mapping[str, str], language: Language, times: Times = iso) -> dict[str, Any]:
    """The arguments as a command's schema wants them; texts where it has none. Raises Unfit."""
    wanted = properties(spec)
    return {name: _value(text, wanted.get(name, {}), language, times) for name, text in words.items()}


def encoded(spec: CommandSpec, arguments: Mapping[str, Any]) -> str:
    """The arguments as a desk takes them: JSON, or for a command without a schema the first text."""
    if spec.schema:
        named = properties(spec)
        return msgspec.json.encode(
            {name: value for name, value in arguments.items() if not named or name in named}
        ).decode()
    return next((value for value in arguments.values() if isinstance(value, str) and value), "")


def worded(spec: CommandSpec, words: str, times: Times = iso) -> str:
    """The arguments of the words after a command's name: JSON as it is, else in the order of the schema.

    The last argument that is a text takes all words that are left. What does not fit is left to the host to refuse,
    as the first argument that might have taken it.
    """
    if not spec.schema or words.lstrip().startswith("{") or not words:
        return words
    wanted, left, given = properties(spec), words.split(), {}
    refused = ""  # the first argument that the words which are left do not fit
    english = language_of("en")
    texts = [name for name, schema in wanted.items() if schema.get("type") == "string" and "enum" not in schema]
    for place, (name, schema) in enumerate(wanted.items()):
        if not left:
            break
        takes_all = place == len(wanted) - 1 or name in texts[-1:] or (name in texts and len(texts) == len(wanted))
        taken = left if takes_all else left[:1]
        try:
            given[name] = _value(" ".join(taken), schema, english, times)
        except Unfit:
            if name not in spec_required(spec):
                refused = refused or name
                continue
            given[name] = " ".join(taken)
        left, refused = left[len(taken) :], ""
    if left and refused:
        given[refused] = " ".join(left)
    return msgspec.json.encode(given).decode()


def spec_required(spec: CommandSpec) -> Sequence[str]:
    """The names of the arguments that must be given."""
    required: Sequence[str] = msgspec.json.decode(spec.schema).get("required", ()) if spec.schema else ()
    return required


def _value(words: str, schema: Mapping[str, Any], language: Language, times: Times) -> Any:
    if "enum" in schema:
        return _one_of(words, schema["enum"])
    match schema.get("type", "string"):
        case "integer" | "number" as kind:
            return _number(words, language, whole=kind == "integer")
        case "boolean":
            return _truth(words)
        case "array":
            inner = schema.get("items", {})
            return [
                _value(part, inner if isinstance(inner, dict) else {}, language, times)
                for part in _LISTED.split(words)
                if part
            ]
        case "string":
            return _formed(words, schema.get("format", ""), language, times)
    raise Unfit


def _one_of(words: str, allowed: Sequence[Any]) -> Any:
    """The allowed value that the words are, or are nearly."""
    texts = {fold_all(str(each)): each for each in allowed if isinstance(each, (str, int, float))}
    found = process.extractOne(fold_all(words), list(texts), scorer=fuzz.ratio, score_cutoff=_LIKE)
    if found is None:
        raise Unfit
    return texts[found[0]]


def _number(words: str, language: Language, *, whole: bool) -> int | float:
    parts = fold_all(words).replace("-", " - ").split()
    sign = -1 if parts[:1] in (["-"], ["minus"]) else 1
    parts = [part for part in parts[sign < 0 :] if part != "-"]
    found = language.numbers.number(parts)
    if found is None or found[1] < len(parts):
        raise Unfit
    value = float(found[0])
    if whole and not value.is_integer():
        raise Unfit
    return sign * (int(value) if whole or value.is_integer() else value)


def _truth(words: str) -> bool:
    folded = fold(words.strip(" .!"))
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise Unfit


def _formed(words: str, form: str, language: Language, times: Times) -> str:
    """A text in one of the forms of JSON Schema; one without a form is as it is."""
    try:
        match form:
            case "date" | "date-time" | "time":
                return times(words, form)
            case "duration":
                return _duration(words, language)
    except ValueError:
        raise Unfit from None
    return words


def _duration(words: str, language: Language) -> str:
    """A duration as of ISO 8601: "PT90M" for "90 minutes"."""
    if _DURATION.fullmatch(words.strip()):
        return words.strip()
    *amount, unit = fold_all(words).split()
    found = language.numbers.number(amount) if amount not in (["a"], ["an"]) else ("1", 1)
    for name in (unit, unit.rstrip("s"), unit.rstrip("n"), unit.removesuffix("en"), unit.removesuffix("es")):
        if found is not None and fold(name) in map(fold, _UNITS) and "." not in found[0]:
            letter = next(letter for each, letter in _UNITS.items() if fold(each) == fold(name))
            return f"P{'T' if name in _TIMED else ''}{found[0]}{letter}"
    raise Unfit
