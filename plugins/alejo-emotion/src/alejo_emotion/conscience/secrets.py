"""Finds passwords, keys, cards and the like in a text, and takes them out.

Numbers are taken for cards by the formula of ISO/IEC 7812-1 (Luhn), for bank accounts by the remainder of ISO 13616,
for Spanish identity numbers by their letter (the remainder by 23). What no format tells is a key by the words before it
and by how mixed it is (C. Shannon's entropy, in bits a character).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

import re2

_ISSUERS = "23456"  # of cards, by their first digit
_LABELS = (
    r"passwords?|passwort|kennwort|passcode|passphrase|contraseña|clave|telephone password|pwd|pin|cvv2?|cvc|"
    r"(?:recovery|seed) phrase|api[_ -]?key|secret(?: key)?|access[_ -]?token|auth[_ -]?token|token|"
    r"(?:gate|door|alarm|safe|entry|access|locker|lockbox|garage|login) code|código de (?:la )?(?:alarma|puerta|caja)|"
    r"code (?:for|of|to|on) (?:my|our|the) (?:safe|locker|lockbox|alarm|door|gate|garage|shed)|wi-?fi key|"
    r"wlan-?(?:schlüssel|passwort|kennwort)|db_pass(?:word)?|"
    r"(?:tür|alarm|zugangs|tresor)code|code der alarmanlage|geheimzahl|zugangsdaten|pw|passwd|otp|client[_ -]?secret|"
    r"sort code|account(?: number)?|passport(?: no\.?| number)?|ausweisnummer|steuer-id|ssn|dni"
)
_BETWEEN = (
    r"(?:'s\b|\s+(?:(?:is|are|was|be|reads|lautet|ist|es|of (?:my|our|the) [a-z]+|de la caja fuerte|number|no)\b\.?))*"
    r"\s*[:=]?\s*"
)
_SAID = r"(?:\s(?:is|are|was|be|reads|ist|lautet|es|está)\b|[:=])"
# Only blanks group digits: what hyphens join is one word, taken whole.
_VALUE = r"(\d(?: \d){3,15}\b|\d{3}(?: \d{3}){1,4}\b|\"[^\"]+\"|'[^']+'|\.?[^\s,;.:=][^\s,;]*)"

Span = tuple[int, int, str]


def _compiled(pattern: str) -> Any:
    return re2.compile(pattern)


_BLOCK = _compiled(r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)")
_TOKEN = _compiled(
    r"\b(?:(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,}|gh[opsur]_[A-Za-z0-9]{20,}|glpat-[\w-]{16,}|"
    r"xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}|"
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|whsec_[A-Za-z0-9]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|shp(?:at|ca|ss)_[a-f0-9]{20,}|"
    r"dop_v1_[a-f0-9]{32,}|ya29\.[\w-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}|https://hooks\.slack\.com/services/[\w/]{20,})"
)
_MIXED = _compiled(
    r"(?i)\b(?:token|key|secret|bearer|schlüssel|clave|llave)\b[^\n]{0,24}?[\s:='\"]([A-Za-z0-9_+/=.-]{16,})"
)
_PERSON = _compiled(r"\b(?:\d{8}|[XYZ]\d{7})-?[A-Z]\b")
_INSURED = _compiled(r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b")
_LOGIN_IN_URL = _compiled(r"\b[a-z][a-z0-9+.-]*://[^\s:/@]+:([^\s@/]+)@")
_LOGIN_IN_CALL = _compiled(r"\s-u\s+[^\s:]+:(\S+)")
_LOGIN = _compiled(r"(?i)\b(?:use|login|log in with|zugang|usuario)\b[^/\n]{0,40}?\S\s/\s(\S+)")
_LABELLED = _compiled(rf"(?i)\b(?:{_LABELS})\b{_BETWEEN}{_VALUE}")
# Said with words between: "the PIN for the new card is …".
_LABELLED_FAR = _compiled(rf"(?i)\b(?:{_LABELS})\b(?:\s+[\w'-]+){{1,9}}?{_SAID}\s*{_VALUE}")
_CARD_SAID = _compiled(r"(?i)\b(?:card|\w*karten?|kartennummer|tarjeta)\b[^\d\n]{0,16}((?:\d[ -]?){14,18}\d)\b")
_ACCOUNT_SAID = _compiled(r"(?i)\biban\b[\s:=]*(?:is |ist |es )?([a-z]{2}\d{2}(?: ?[a-z0-9]{2,4}){3,8})\b")
# Words in Devanagari have no edge that RE2 knows, and what is said of them stands behind or between.
_LABELLED_HINDI = _compiled(r"(?:पासवर्ड|पिन|ओटीपी)(?:\s+(?:है|नंबर))*\s*[:=]?\s*([^\s,;।]+)")
_PHRASE = _compiled(r"(?i)\b(?:recovery|seed) phrase[^:]{0,30}:\s*((?:[a-z]{3,8}\s+){11,23}[a-z]{3,8})")
_DIGITS = _compiled(r"\b(?:\d[ -]?){12,18}\d\b")
_ACCOUNT = _compiled(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_ENTROPY = 3.2
# What every secret has: a digit, the name of its kind, what stands around a login, or a length that few words have.
_LONG = 14
_SIGN = _compiled(rf"[0-9]|(?i)\b(?:{_LABELS})\b|(?:recovery|seed) phrase|पासवर्ड|पिन|ओटीपी|://|\s-u\s|\s/\s|-----BEGIN")
_SOCIAL = _compiled(r"\b\d{3}-\d{2}-\d{4}\b")


def spans(text: str) -> list[Span]:
    """Where secrets stand, in order and apart from each other, and what each is."""
    if _SIGN.search(text) is None and max(map(len, text.split()), default=0) < _LONG:
        return []
    found = sorted((each for finder in FINDERS for each in finder(text)), key=lambda each: (each[0], -each[1], each[2]))
    apart: list[Span] = []
    for begin, end, kind in found:
        if not apart or begin >= apart[-1][1]:
            apart.append((begin, end, kind))
    return apart


def redacted(text: str) -> str:
    """The text with the kind of each secret in its place; the same text if there is none."""
    for begin, end, kind in reversed(spans(text)):
        text = f"{text[:begin]}[{kind}]{text[end:]}"
    return text


def _all(pattern: Any, kind: str, group: int = 0) -> Callable[[str], Iterator[Span]]:
    def finder(text: str) -> Iterator[Span]:
        for match in pattern.finditer(text):
            yield (*match.span(group), kind)

    return finder


def _labelled(text: str) -> Iterator[Span]:
    near = chain(_LABELLED.finditer(text), _LABELLED_HINDI.finditer(text))
    for match, far in chain(zip(near, repeat(False)), zip(_LABELLED_FAR.finditer(text), repeat(True))):
        value = match[1].strip("\"'").rstrip(".)!?")
        named = not far and (":" in match[0] or "=" in match[0] or " is " in match[0].lower())
        if _secretive(value, named=named) and (not far or any(c.isdigit() for c in value)):
            begin = match.start(1) + match[1].index(value)
            yield begin, begin + len(value), "secret"


def _secretive(value: str, *, named: bool) -> bool:
    """Whether a word can be a secret: no common one has digits, marks inside, or a capital after "is"."""
    if len(value) < 3 or "(" in value or value.startswith(("os.", "http", "env")):
        return False
    mixed = any(c.isdigit() for c in value) or any(c in "-_!@#$%^&*+~" for c in value[1:-1])
    return mixed or (named and value[0].isupper() and value[1:].islower() is False)


def _mixed(text: str) -> Iterator[Span]:
    for match in _MIXED.finditer(text):
        value = match[1].rstrip(".")
        counts = Counter(value).values()
        entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
        if entropy >= _ENTROPY and any(c.isdigit() for c in value) and any(c.isalpha() for c in value):
            yield match.start(1), match.start(1) + len(value), "key"


def _persons(text: str) -> Iterator[Span]:
    for match in _PERSON.finditer(text):
        first, *digits = match[0].replace("-", "")[:-1]
        number = int((str("XYZ".index(first)) if first in "XYZ" else first) + "".join(digits))
        if match[0][-1] == _LETTERS[number % 23]:
            yield match.start(), match.end(), "identity number"


def _cards(text: str) -> Iterator[Span]:
    for match in _DIGITS.finditer(text):
        digits = [int(c) for c in match[0] if c.isdigit()]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
        if match[0][0] in _ISSUERS and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0:
            yield match.start(), match.end(), "card number"


def _accounts(text: str) -> Iterator[Span]:
    for match in _ACCOUNT.finditer(text):
        plain = match[0].replace(" ", "")
        if 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1:
            yield match.start(), match.end(), "account number"


FINDERS: tuple[Callable[[str], Iterator[Span]], ...] = (
    _all(_BLOCK, "private key"),
    _all(_TOKEN, "key"),
    _all(_LOGIN_IN_URL, "password", 1),
    _all(_LOGIN_IN_CALL, "password", 1),
    _all(_LOGIN, "password", 1),
    _all(_PHRASE, "recovery phrase", 1),
    _all(_ACCOUNT_SAID, "account number", 1),
    _all(_CARD_SAID, "card number", 1),
    _all(_SOCIAL, "social security number"),
    _all(_INSURED, "insurance number"),
    _labelled,
    _mixed,
    _persons,
    _cards,
    _accounts,
)
