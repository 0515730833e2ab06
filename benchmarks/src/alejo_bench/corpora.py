"""Conversations with questions whose answers stand in known turns, in the formats such data come in.

LoCoMo       a sample with `conversation` and `qa`, a list of such, or a folder of such files; two speakers
LongMemEval  a list of questions, each with a haystack of sessions; turns that hold the answer say `has_answer`
our own      a user with an assistant, or two people, as in benchmarks/corpora/recall; the default

An item is one turn. What a format tells of its questions becomes their cases, which only the figures know.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from alejo.cli.formats import locomo
from alejo.errors import InvalidArgument
from alejo.types import Role

ROOT = Path(__file__).resolve().parents[3]
OWN = ROOT / "benchmarks" / "corpora" / "recall"
ANSWERS = ROOT / "benchmarks" / "corpora" / "answers"

_EVIDENCE = re.compile(r"D:?(\d+):(\d+)")
_Role = Literal["user", "assistant"]
_ANSWERED = range(1, 5)  # LoCoMo's categories that have an answer; the fifth asks for what was never said


class Turn(msgspec.Struct, frozen=True):
    """An item: what one speaker said at once. `sent_at` is in µs."""

    id: str
    text: str
    speaker: str
    role: Role
    sent_at: int

    @property
    def line(self) -> str:
        """The turn as one text, for whoever knows no speakers."""
        return f"{self.speaker or self.role.name.lower()}: {self.text}"


class Session(msgspec.Struct, frozen=True):
    """Turns that were said together, and what the data tell about the occasion."""

    turns: tuple[Turn, ...]
    metadata: dict[str, str] = {}


class Question(msgspec.Struct, frozen=True):
    """What is asked, when in µs and what answers it if the data say so, and the turns that hold the answer."""

    text: str
    gold: frozenset[str]
    cases: tuple[str, ...]
    asked: int | None = None
    answer: str = ""


class Conversation(msgspec.Struct, frozen=True):
    """All that one user has said, and the questions about it."""

    id: str
    sessions: tuple[Session, ...]
    questions: tuple[Question, ...]
    language: str = "en"

    @property
    def turns(self) -> dict[str, Turn]:
        """Every turn by its id, in order."""
        return {turn.id: turn for session in self.sessions for turn in session.turns}


class Corpus(msgspec.Struct, frozen=True):
    """What is measured in one run."""

    name: str
    conversations: tuple[Conversation, ...]

    @property
    def cases(self) -> list[str]:
        """Every case there is a question for: those of the data in their order, then their unions."""
        found = sorted({case for each in self.conversations for one in each.questions for case in one.cases})
        return sorted(found, key=lambda case: ("-" in case or case == "all", case == "all"))

    def part(self, every: int) -> Corpus:
        """The same with one question of so many."""
        thinned = (msgspec.structs.replace(one, questions=one.questions[::every]) for one in self.conversations)
        return Corpus(self.name, tuple(thinned))


def read(path: Path | None) -> Corpus:
    """The corpus of a file or folder, of its own format. Raises ClickException naming the file and what is wrong."""
    found: list[tuple[str, Conversation]] = []
    place = path or OWN
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    for file in files:
        try:
            found += _read(json.loads(file.read_text("utf-8")), file.name)
        except (OSError, ValueError, msgspec.ValidationError, InvalidArgument) as error:
            raise click.ClickException(f"{file}: {error}") from None
    names = {name for name, _ in found}
    if len(names) != 1:
        what = f"formats of several kinds ({', '.join(sorted(names))})" if names else "no conversations"
        raise click.ClickException(f"{place}: {what}; one run measures one kind.")
    conversations = tuple(each for _, each in found if each.questions)
    if len({each.id for each in conversations}) < len(conversations):
        raise click.ClickException(f"{place}: two conversations have the same id.")
    return Corpus(names.pop(), conversations)


def _read(tree: Any, name: str) -> list[tuple[str, Conversation]]:
    samples = tree if isinstance(tree, list) else [tree]
    first = samples[0] if samples and isinstance(samples[0], dict) else {}
    if "haystack_sessions" in first:
        return [("longmemeval", each) for each in map(_longmemeval, msgspec.convert(samples, list[_Haystack]))]
    if "questions" in first:
        return [("own", each) for each in map(_own, msgspec.convert(samples, list[_User]))]
    if locomo.fits(tree):
        return [("locomo", _locomo(each, f"{name}-{number}")) for number, each in enumerate(samples)]
    raise ValueError("is none of the known formats: LoCoMo, LongMemEval, or that of benchmarks/corpora/recall")


class _Asked(msgspec.Struct):
    question: str
    category: int
    evidence: list[str] = []
    answer: str | float = ""


def _locomo(sample: dict[str, Any], name: str) -> Conversation:
    """As `alejo import` reads it, so the words are those a user would have; labels and origins are left out."""
    sessions = [
        Session(
            tuple(
                Turn(draft.metadata["dia_id"], draft.text, draft.speaker, draft.role, draft.sent_at or 0)
                for draft in each.messages
            )
        )
        for each in locomo.parse(sample, name)
    ]
    there = {turn.id for session in sessions for turn in session.turns}
    questions = []
    for each in msgspec.convert(sample.get("qa"), list[_Asked]):
        found = _EVIDENCE.finditer(" ".join(each.evidence))
        gold = frozenset(f"D{int(one[1])}:{int(one[2])}" for one in found) & there
        if gold:
            cases = (str(each.category), *(["1-4"] if each.category in _ANSWERED else []), "all")
            questions.append(Question(each.question, gold, cases, answer=str(each.answer)))
    return Conversation(str(sample.get("sample_id") or name), tuple(sessions), tuple(questions))


class _Said(msgspec.Struct):
    role: _Role
    content: str
    has_answer: bool = False


class _Haystack(msgspec.Struct):
    question_id: str
    question_type: str
    question: str
    question_date: str
    haystack_dates: list[str]
    haystack_sessions: list[list[_Said]]


def _longmemeval(item: _Haystack) -> Conversation:
    sessions, gold = [], set()
    for number, (date, said) in enumerate(zip(item.haystack_dates, item.haystack_sessions, strict=True)):
        moment = _moment(datetime.datetime.strptime(date, "%Y/%m/%d (%a) %H:%M").replace(tzinfo=datetime.UTC))
        gold |= {f"{number}:{place}" for place, each in enumerate(said) if each.has_answer}
        turns = [
            Turn(f"{number}:{place}", each.content, "", Role[each.role.upper()], moment)
            for place, each in enumerate(said)
        ]
        sessions.append(Session(tuple(turns)))
    asked = datetime.datetime.strptime(item.question_date, "%Y/%m/%d (%a) %H:%M").replace(tzinfo=datetime.UTC)
    question = Question(item.question, frozenset(gold), (item.question_type, "all"), _moment(asked))
    return Conversation(item.question_id, tuple(sessions), (question,) if gold else ())


class _OwnTurn(msgspec.Struct):
    id: str
    text: str
    role: _Role = "user"
    speaker: str = ""


class _OwnSession(msgspec.Struct):
    id: str
    started: datetime.datetime
    turns: list[_OwnTurn]


class _OwnQuestion(msgspec.Struct):
    id: str
    text: str
    kind: str
    evidence: list[str]
    answer: str = ""
    asked: datetime.datetime | None = None


class _User(msgspec.Struct):
    id: str
    language: str
    time_zone: str
    sessions: list[_OwnSession]
    questions: list[_OwnQuestion]
    user: str = ""
    assistant: str = ""


def _own(item: _User) -> Conversation:
    names = {"user": item.user, "assistant": item.assistant}
    sessions = [
        Session(
            tuple(
                Turn(
                    turn.id,
                    turn.text,
                    turn.speaker or names[turn.role],
                    Role[turn.role.upper()],
                    _moment(session.started),
                )
                for turn in session.turns
            ),
            {"time_zone": item.time_zone},
        )
        for session in item.sessions
    ]
    there = {turn.id for session in sessions for turn in session.turns}
    questions = [
        Question(
            each.text,
            frozenset(each.evidence),
            (item.language, each.kind, "all"),
            _moment(each.asked) if each.asked else None,
            each.answer,
        )
        for each in item.questions
    ]
    if astray := sorted({place for each in questions for place in each.gold} - there):
        raise ValueError(f"evidence {astray[0]} is no turn")
    return Conversation(item.id, tuple(sessions), tuple(questions), item.language)


def _moment(time: datetime.datetime) -> int:
    return round(time.timestamp()) * 1_000_000


def count(conversations: Sequence[Conversation]) -> str:
    """What there is, for people."""
    turns = sum(len(each.turns) for each in conversations)
    questions = sum(len(each.questions) for each in conversations)
    return f"{len(conversations)} conversations, {turns:,} turns, {questions:,} questions"
