"""What is so, read across messages: what people tell of themselves, what they answer, and who goes by what name.

What a message simply states is a fact as soon as it is kept; see `facts`. Here its other clauses become facts, an
answer is read as the statement that it makes of its question, "you" is whoever is spoken to, a list is taken apart.
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from alejo.roles import Work
from alejo.types import FactDraft, Findings, Role, Said

from .facts import stated
from .reading import asks, first_person, is_courtesy, plain, sentences
from .relations import SELF, complete
from .telling import Telling, told

_SURE, _ANSWERED, _ALIAS = 0.8, 0.8, 0.7  # how sure: of a clause, of an answer with its question, of a short name
_DENSE = 0.45  # words that tell something, of all: what has fewer is no fact that is worth its room
_IMPORTANT, _TELLING = 0.3, 0.5  # how much a fact matters at least, and for what part of its words tell something
_MOST = 64  # facts of one call
_BRIEF = 8  # words of an answer that is read with its question
_LISTED = re.compile(r",\s*(?:and\s+|und\s+|y\s+|e\s+)?|\s+(?:and|und|y|e)\s+")
_CALLED = re.compile(r",\s*[A-Z]\w+\?$")  # who is asked
_NICK = re.compile(r"(?:^|[,!.]\s*|^\w+ )(?P<nick>[A-Z][^\W\d_]{2,})\s*[,!.]")


class _Rule(NamedTuple):
    """How a question makes a statement of an answer; or of each name of a list, which may be who somebody is."""

    match: re.Pattern[str]
    says: str
    yes: str
    no: str
    role: str


class _Answers(NamedTuple):
    questions: list[_Rule]
    lists: list[_Rule]
    yes: re.Pattern[str]
    no: re.Pattern[str]
    strip: re.Pattern[str]


@cache
def _answers() -> list[_Answers]:
    found = []
    for path in sorted((Path(__file__).parent / "answers").glob("*.toml")):
        data = tomllib.loads(path.read_text("utf-8"))
        rules = [
            [
                _Rule(
                    re.compile(each["match"], re.IGNORECASE),
                    *(each.get(key, "") for key in ("says", "yes", "no", "role")),
                )
                for each in data.get(kind, ())
            ]
            for kind in ("questions", "lists")
        ]
        words = (re.compile(data[key], re.IGNORECASE) for key in ("yes", "no", "strip"))
        found.append(_Answers(rules[0], rules[1], *words))
    return found


class Semantic:
    """The reflector of what is so."""

    name = "semantic"
    wants = ("times",)

    async def reflect(self, work: Work) -> Findings:
        """See Reflector."""
        drafts: list[FactDraft] = []
        before = list(work.earlier)
        for said in work.messages:
            await asyncio.sleep(0)  # many of them must not stop the others
            if said.memories and (said.message.role is Role.USER or said.message.speaker):
                drafts += _facts(said, before)
            before.append(said)
        return Findings(facts=tuple(drafts[:_MOST]))


def _facts(said: Said, before: Sequence[Said]) -> Iterator[FactDraft]:
    """What follows from a message and those before it."""
    other = _other(said, before)
    yield from _clauses(said, other)
    question = before[-1] if before and before[-1].message.speaker != said.message.speaker else None
    question = question or (before[-1] if before and before[-1].message.role is not said.message.role else None)
    if question is not None:
        yield from _answered(said, question)
    yield from _lists(said)
    for nick in dict.fromkeys(_NICK.findall(plain(said.message.text)) if other else ()):
        if other.startswith(nick) and nick != other:
            alias = FactDraft(other, "also known as", nick, confidence=_ALIAS, sources=(said.message.id,))
            yield complete(alias)


def _other(said: Said, before: Sequence[Said]) -> str:
    """Who is spoken to, if that is just one other who has spoken by name."""
    names = {each.message.speaker for each in before} - {"", said.message.speaker}
    return names.pop() if said.message.speaker and len(names) == 1 else ""


def _clauses(said: Said, other: str) -> Iterator[FactDraft]:
    message = said.message
    known = [draft.object.casefold() for draft in stated(message)]
    for telling in told(message.text, message.speaker, said.times, other):
        worth = telling.weight / (len(telling.relation.split()) + len(telling.object.split()))
        if worth >= _DENSE and not any(each in telling.sentence.casefold() for each in known):
            yield _draft(telling, message.speaker or SELF, said, worth)


def _draft(telling: Telling, subject: str, said: Said, worth: float) -> FactDraft:
    since = next((time.words for time in said.times if f"{time.words} [" in telling.object), "")
    return FactDraft(
        subject,
        telling.relation,
        telling.object[:1024],
        confidence=_SURE,
        object_kind="value",
        text=telling.text,
        sources=(said.message.id,),
        since=since,
        importance=round(min(1.0, _IMPORTANT + _TELLING * worth), 3),
    )


def _answered(said: Said, question: Said) -> Iterator[FactDraft]:
    """What an answer states together with its question."""
    asked = next((each for each in reversed(sentences(plain(question.message.text))) if asks(each)), "")
    if not asked:
        return
    asked = _CALLED.sub("?", asked)
    answer = plain(said.message.text).strip()
    for answers in _answers():
        for rule in answers.questions:
            found = rule.match.search(asked)
            statement = _statement(rule, answers, found, answer) if found else ""
            if statement:
                ids = (question.message.id, said.message.id)
                yield from _read(said, statement, ids)
                return


def _statement(rule: _Rule, answers: _Answers, found: re.Match[str], answer: str) -> str:
    groups = {name: value or "" for name, value in found.groupdict().items()}
    first = next((each for each in sentences(answer) if not is_courtesy(each.split(",")[0])), "") or answer
    if rule.yes and answers.yes.match(first):
        return rule.yes.format(**groups)
    if rule.no and answers.no.match(first):
        return rule.no.format(**groups)
    brief = answers.strip.sub("", first).strip(" .!,")
    whole = first_person(brief) or is_courtesy(brief) or asks(first)  # it says by itself what it says
    if not rule.says or not brief or len(brief.split()) > _BRIEF or whole or answers.no.match(first):
        return ""
    return rule.says.format(answer=brief, **groups)


def _lists(said: Said) -> Iterator[FactDraft]:
    """What is said of several at once, each by itself."""
    for sentence in sentences(plain(said.message.text)):
        for answers in _answers():
            for rule in answers.lists:
                found = rule.match.search(sentence)
                names = [name.strip(" .!") for name in _LISTED.split(found["names"])] if found else []
                for name in names if len(names) > 1 else ():
                    if rule.role:
                        draft = FactDraft(said.message.speaker or SELF, rule.role, name, sources=(said.message.id,))
                        yield complete(msgspec.structs.replace(draft, confidence=_ANSWERED))
                    else:
                        yield from _read(said, rule.says.format(answer=name), (said.message.id,))


def _read(said: Said, statement: str, sources: tuple[str, ...]) -> Iterator[FactDraft]:
    """The facts of a statement that was not made in these words."""
    message = msgspec.structs.replace(said.message, text=statement)
    found = list(stated(message))
    for draft in found:
        yield msgspec.structs.replace(draft, confidence=_ANSWERED, sources=sources)
    for telling in () if found else told(statement, message.speaker, said.times):
        yield msgspec.structs.replace(_draft(telling, message.speaker or SELF, said, _DENSE), sources=sources)
