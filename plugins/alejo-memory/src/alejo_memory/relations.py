"""The relations of facts, as relations.toml has them: their words, how many objects they have, how they are said."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from alejo.types import Cardinality, FactDraft

SELF = "user"


class Relation(msgspec.Struct, frozen=True):
    """One relation."""

    cardinality: Cardinality
    text: str
    past: str = ""
    negated: str = ""
    object: str = ""
    kind: str = "fact"


def _read() -> tuple[dict[str, Relation], dict[str, str]]:
    data = tomllib.loads(Path(__file__).with_name("relations.toml").read_text("utf-8"))
    relations: dict[str, Relation] = {}
    words: dict[str, str] = {}
    for name, given in data["relations"].items():
        fields: dict[str, Any] = {key: value for key, value in given.items() if key not in {"also", "cardinality"}}
        relations[name] = Relation(Cardinality[given["cardinality"].upper()], **fields)
        words |= {also.casefold(): name for also in (name, *given.get("also", ()))}
    for cardinality in ("one", "many"):
        for role in data["roles"][cardinality]:
            relations[role] = Relation(Cardinality[cardinality.upper()], data["roles"]["text"], object=role)
            words.setdefault(role, role)
    return relations, words


_RELATIONS, _WORDS = _read()


def complete(draft: FactDraft) -> FactDraft:
    """The draft with its relation in our word for it, and with what was left open as that relation has it."""
    name = _WORDS.get(" ".join(draft.relation.split()).casefold(), draft.relation)
    relation = _RELATIONS.get(name)
    if relation is None:
        return draft
    return msgspec.structs.replace(
        draft,
        relation=name,
        cardinality=draft.cardinality or relation.cardinality,
        object_kind=draft.object_kind or relation.object,
        kind=relation.kind if draft.kind == "fact" else draft.kind,
        text=draft.text or _say(relation, name, draft),
    )


def _say(relation: Relation, name: str, draft: FactDraft) -> str:
    subject = f"The {draft.subject}" if draft.subject.split("'")[0] == SELF else draft.subject
    words = relation.past if relation.past and draft.valid_to is not None else relation.text
    said = words.format(subject=subject, relation=name, object=draft.object)
    if not draft.negated:
        return said
    return relation.negated.format(subject=subject, object=draft.object) if relation.negated else f"Not so: {said}"
