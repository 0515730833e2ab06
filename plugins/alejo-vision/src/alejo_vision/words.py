"""A percept in a sentence: what sort of picture it seems to be, and how it looks."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from alejo.types import Percept

from . import measures

SHARP, BLURRED = 150.0, 25.0
_PAGE = 32  # words that make a picture a page of text
_AMOUNT = re.compile(r"(?<![\d.,])\d{1,6}[.,]\d{2}(?![\d.,])")

# What names a sort of document, in the languages that receipts come in most here; the first that is there counts.
_SORTS = (
    ("An invoice", re.compile(r"\b(?:invoice|rechnung(?:snummer)?|factura|facture|fattura)\b", re.IGNORECASE)),
    (
        "A receipt",
        re.compile(
            r"\b(?:receipt|total|sub-?total|cash|change|vat|mwst|summe|gesamt(?:betrag)?|bar|kassenbon|quittung|beleg|"
            r"recibo|ticket|importe|iva|efectivo|re[cç]u|tva|montant|scontrino|totale)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "A letter",
        re.compile(
            r"^(?:dear|hello|hi|sehr geehrte[rs]?|liebe[rs]?|hallo|(?:estimad|querid)[oa]s?|hola|ch[eè]re?|car[oa])\b",
            re.IGNORECASE | re.MULTILINE,
        ),
    ),
)
_PRICED = frozenset({"An invoice", "A receipt"})


def summary(seen: Percept) -> str:
    """One sentence that says what was seen, without the words that were read."""
    names = [measures.name(_shade(colour)) for colour in seen.colours]
    several = list(dict.fromkeys(names))[:3]
    said = [f"{sort(seen.text) or 'A'}{', a' if sort(seen.text) else ''} {_size(seen)} picture"]
    if several:
        said.append(f"mostly {' and '.join(several[:2])}" if len(names) > 1 else f"all {several[0]}")
    if seen.sharpness >= SHARP:
        said.append("sharp")
    elif seen.sharpness < BLURRED:
        said.append("soft or blurred" if len(names) > 1 else "without detail")
    if seen.barcodes:
        said.append(f"with {_count(len(seen.barcodes), 'barcode')}")
    if seen.faces:
        said.append(f"perhaps with {_count(seen.faces, 'face')}")
    if seen.taken_at is not None:
        day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=seen.taken_at)
        said.append(f"taken on {day.day} {day:%B} {day:%Y}")
    return f"{', '.join(said)}."


def sort(text: str) -> str:
    """What sort of document a text seems to be from: "A receipt", for example; "" for none that is known."""
    priced = len(_AMOUNT.findall(text)) >= 2
    for name, told in _SORTS:
        if told.search(text) and (priced or name not in _PRICED):
            return name
    return "A page of text" if len(text.split()) >= _PAGE else ""


def _size(seen: Percept) -> str:
    return f"{seen.width} by {seen.height} {seen.format.upper()}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shade(colour: str) -> measures.Colour:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
