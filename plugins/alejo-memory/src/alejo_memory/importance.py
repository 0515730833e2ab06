"""How much a text matters, by simple evidence found in its words."""

from __future__ import annotations

import re

from .reading import FIRST_PERSON, words

# Where a kind begins; a statement of no special kind begins at OTHER.
BASES = {"question": 0.1, "remark": 0.15, "instruction": 0.6, "preference": 0.5, "fact": 0.5, "note": 0.6}
OTHER = 0.3

_DATES = (
    "january february march april june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday yesterday tomorrow birthday anniversary"
)
_FEELINGS = (
    "love loved hate hated happy sad angry afraid scared worried proud excited thrilled sorry grateful lonely died "
    "death passed married wedding divorce born pregnant cancer ill hospital accident lost won miss promise secret "
    "important never always allergic"
)
_DATED = frozenset(_DATES.split())
_FELT = frozenset(_FEELINGS.split())
# A capital inside a sentence: somebody's or some place's name.
_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z][a-z\u00df-\u00ff]{2,}")


def importance_of(text: str, kind: str) -> float:
    """0 to 1: a base by kind, and a little for first person, names, dates or numbers, feelings, and length."""
    spoken = words(text)
    said = set(spoken)
    found = (
        0.1 * (not said.isdisjoint(FIRST_PERSON))
        + min(0.15, 0.05 * len(_NAME.findall(text)))
        + 0.1 * (not said.isdisjoint(_DATED) or any(map(str.isdecimal, said)))
        + min(0.15, 0.08 * len(said & _FELT))
        + min(0.1, len(spoken) / 300)
    )
    scale = 0.3 if kind == "question" else 1.0
    return round(min(1.0, BASES.get(kind, OTHER) + scale * found), 3)
