"""Taking personal data out of texts: each piece is replaced by a word in brackets for what it was.

By form: e-mail addresses, URLs with a name in them, telephone numbers, payment cards (by their check digit, ISO/IEC
7812), bank accounts (IBAN, by its check digits, ISO 13616), numbers of identity (of the social security of the USA and
Spain's, and whatever is called a number of an id, passport, tax or insurance), IP addresses, streets with a number. By
knowledge: names of a user's entities. What no pattern knows stays in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_CARD = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_PHONE = re.compile(r"(?<![\w.])(?<!\d[ ./-])(?:\+|00)?\(?\d(?:[ ()./-]{0,2}\d){6,14}(?![ ()./-]?\d|\w)")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,3}(?:[ ,.]\d{3})+")
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")),
    ("link", re.compile(r"\bhttps?://\S*[@~]\S*|\b(?:https?://)?(?:www\.)?(?:linkedin|facebook|instagram|x|twitter)\.com/\S+")),
    ("id", re.compile(r"\b\d{3}-\d{2}-\d{4}\b|\b\d{8}-?[A-Z]\b|\b[XYZ]-?\d{7}-?[A-Z]\b")),
    (
        "id",
        re.compile(
            r"(?i:\b(?:passport|social security|identity|id|tax|insurance|licen[cs]e|ausweis|pass|steuer|dni|nie|"
            r"pasaporte)"
            r"(?:\s*-?\s*(?:no|nr|number|nummer|n[úu]mero))?\.?\s*(?:is|ist|es|:|#)?\s*)"
            r"(?=[A-Z0-9-]*\d[A-Z0-9-]*\d)[A-Z0-9][A-Z0-9-]{5,17}\b"
        ),
    ),
    ("ip", re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b", re.IGNORECASE)),
    (
        "address",
        re.compile(
            r"\b\d{1,5}[a-z]?\s+(?:[A-Z][\w.'-]*\s+){1,4}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|"
            r"Court|Ct|Square|Sq|Place|Pl|Way|Terrace)\b|"
            r"\b[A-ZÄÖÜ][\wäöüß.-]*(?:\s[A-ZÄÖÜ][\wäöüß.-]*)?\s?(?:[Ss]traße|[Ss]trasse|[Ss]tr\.|[Gg]asse|[Ww]eg|[Pp]latz|[Aa]llee|[Rr]ing)\s+\d{1,4}\s?[a-z]?\b|"
            r"\b(?:Calle|C/|Avenida|Avda\.?|Plaza|Paseo|Rue|Via)\s+(?:[\wáéíóúñü.'-]+\s+){1,5}?(?:n[.º°]\s*)?\d{1,4}\b"
        ),
    ),
)  # fmt: skip


def remover(names: Iterable[str]) -> Callable[[str], str]:
    """What takes personal data out of a text: that of a form, and these names wherever they stand as words."""
    spelled = sorted({name.strip() for name in names if len(name.strip()) > 1}, key=len, reverse=True)
    known = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, spelled))})(?!\w)", re.IGNORECASE) if spelled else None

    def remove(text: str) -> str:
        for name, form in _FORMS[:2]:
            text = form.sub(f"[{name}]", text)
        text = _IBAN.sub(lambda found: "[account]" if _iban(found[0]) else found[0], text)
        text = _CARD.sub(lambda found: "[card]" if _luhn(found[0]) else found[0], text)
        for name, form in _FORMS[2:]:
            text = form.sub(f"[{name}]", text)
        text = _PHONE.sub(lambda found: found[0] if _DATE.fullmatch(found[0]) else "[phone]", text)
        return known.sub("[name]", text) if known else text

    return remove


def _luhn(text: str) -> bool:
    digits = [int(each) for each in text if each.isdigit()]
    doubled = [sum(divmod(2 * each, 10)) for each in digits[-2::-2]]
    return (sum(digits[::-2]) + sum(doubled)) % 10 == 0


def _iban(text: str) -> bool:
    plain = text.replace(" ", "")
    return int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1
