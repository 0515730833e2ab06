"""What the brain answers without a model: `alejo bench brain --data PATH`, a file or folder in the format of LoCoMo, or
benchmarks/corpora/recall without it.

Each conversation is told to an assistant of its own user and reflected on to the end; each question is put to the local
brain at the desk of a turn that is not kept, so that no question finds another. It is asked at the moment the data
tell, else a day after the last message.

    token_f1    LoCoMo's: words without case, marks and articles, stemmed (here by the core's Snowball stemmer), of what
                is said in plain words, or else of what is quoted; of category 1 for each part between commas. 0 where
                nothing is known
    support     whether a quoted message is one of those that answer, and the brain does not say it knows nothing
    refused     whether it says it knows nothing
    answer_ms   processor time of an answer, what it recalls besides the turn's own recall included

`CASE, margin M` is what would be refused by nothing but that another's words fit better by M than those of who is asked
about (alejo_brain.answering).

Cases are LoCoMo's categories, of which the fifth has no answer, or the languages and kinds of our own corpus; `swapped`
is its questions about one of two speakers, asked of the other one, and `foreign` those of another user. Figures are
means with the interval that holds 95 % of 2,000 draws of the questions. `--quick` takes two conversations.
"""

from __future__ import annotations

import asyncio
import math
import re
import statistics
import string
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from time import process_time
from typing import Any, cast

import click
import msgspec
import numpy as np
from alejo_brain.answering import Reply, about, lead, reply
from alejo_brain.asked import read

import alejo
from alejo import __version__
from alejo._core import tokens
from alejo.conversation.senses import RECALLED
from alejo.roles import Desk, Turn
from alejo.types import Hit, Memory, Mention, Message, Page, Role, Scope, Session, SessionState

from . import corpora, found, recall_ours
from .corpora import Conversation, Corpus, Question
from .report import Row, figures, row

__all__ = ["run"]

SWAPPED, FOREIGN = "swapped", "foreign"
UNANSWERABLE = frozenset({"5", SWAPPED, FOREIGN})
MARGINS = (-1.0, 0.0, 1.0, 2.0, 4.0)
METRICS = ("token_f1", "support", "refused")
_LISTS, _OPEN = "1", "3"
_QUICK = 2
_DAY = 86_400_000_000
_ARTICLES = re.compile(r"\b(?:a|an|the|and)\b")
_MARKS = str.maketrans("", "", string.punctuation)


class Asked(msgspec.Struct, frozen=True):
    """A question that was put, its answer, whether that quotes a turn that holds it, and the seconds it took."""

    question: Question
    reply: Reply
    supported: bool
    seconds: float
    lead: float

    @property
    def said(self) -> str:
        """The answer's own words, or else those it quotes first."""
        return self.reply.said or next((hit.memory.text for hit in self.reply.hits), "")


def run(options: Any) -> list[Row]:
    """Every figure."""
    corpus = corpora.read(options.data)
    if options.quick:
        corpus = Corpus(corpus.name, corpus.conversations[:_QUICK])
    if corpus.name == "own":
        corpus = Corpus(corpus.name, tuple(map(swapped, foreign(corpus.conversations))))
    click.echo(f"brain: {corpus.name}, {corpora.count(corpus.conversations)}", err=True)
    with tempfile.TemporaryDirectory(prefix="alejo-bench-") as folder:
        asked = asyncio.run(ask(corpus, Path(folder)))
    return list(rows(corpus, asked))


def swapped(conversation: Conversation) -> Conversation:
    """The conversation with each question about one of its two speakers asked of the other as well."""
    names = sorted({turn.speaker for turn in conversation.turns.values()})
    if len(names) != 2 or not all(names):
        return conversation
    others = []
    for each in conversation.questions:
        named = [name for name in names if re.search(rf"\b{name}\b", each.text)]
        if len(named) == 1:
            text = re.sub(rf"\b{named[0]}\b", next(name for name in names if name not in named), each.text)
            others.append(msgspec.structs.replace(each, text=text, cases=(SWAPPED,)))
    return msgspec.structs.replace(conversation, questions=(*conversation.questions, *others))


def foreign(conversations: Sequence[Conversation]) -> list[Conversation]:
    """The conversations; those of a user with an assistant as a user has them, who has no name, and with the questions
    of the next such user of the same language, to whom alone their answers were told."""
    alone = [each for each in conversations if any(t.role is Role.ASSISTANT for t in each.turns.values())]
    made = {}
    for each in alone:
        peers = [one for one in alone if one.language == each.language]
        other = peers[(peers.index(each) + 1) % len(peers)]
        asked = [msgspec.structs.replace(one, cases=(FOREIGN,)) for one in other.questions if other is not each]
        sessions = [
            msgspec.structs.replace(one, turns=tuple(msgspec.structs.replace(t, speaker="") for t in one.turns))
            for one in each.sessions
        ]
        questions = (*each.questions, *asked)
        made[each.id] = msgspec.structs.replace(each, sessions=tuple(sessions), questions=questions)
    return [made.get(each.id, each) for each in conversations]


async def ask(corpus: Corpus, folder: Path) -> list[Asked]:
    """Asks every question, in the corpus's order."""
    asked = []
    async for _, question, turn, told in turns(corpus, folder):
        began = process_time()
        said = await reply(turn)
        seconds = process_time() - began
        hits, speaker = await about(read(question.text), turn)
        ahead = math.inf if speaker is None else lead(hits, speaker)
        places = {told.get(place, "") for hit in said.hits for place in recall_ours.places(hit)}
        asked.append(Asked(question, said, said.knows and not places.isdisjoint(question.gold), seconds, ahead))
    return asked


async def turns(corpus: Corpus, folder: Path) -> AsyncIterator[tuple[int, Question, Turn, Mapping[str, str]]]:
    """Tells everything, reflects, and gives a turn for every question, with the number of its conversation and which
    turn of the data each message is."""
    told = await recall_ours.fill(corpus, folder)
    clock = recall_ours.Calendar()
    async with recall_ours.opened(folder, clock) as assistant:
        assistant.reflection.start()
        await assistant.reflection.settled()
        for number, each in enumerate(corpus.conversations):
            last = max(turn.sent_at for turn in each.turns.values()) + _DAY
            for question in each.questions:
                clock.moment = question.asked or last
                yield number, question, await _turn(assistant, Scope("bench", each.id), question.text), told[each.id]


class _Desk:
    """What the brain needs of a desk to answer."""

    def __init__(self, assistant: alejo.Assistant, scope: Scope) -> None:
        self._memories, self._facts, self._scope = assistant.memories, assistant.facts, scope
        self._clock = assistant.clock

    async def recall(self, query: str, limit: int = 10) -> Sequence[Hit]:
        """Memories that match, best first."""
        return (await self._memories.recall(self._scope, query, Page(limit)))[0]

    async def times(self, memories: Sequence[Memory]) -> Sequence[tuple[Mention, ...]]:
        """What each memory names of time."""
        return await self._memories.times(self._scope, memories)

    async def facts(self, limit: int = 50) -> Sequence[Memory]:
        """Facts that hold about the user."""
        return (await self._facts.list(self._scope, Page(limit), entity="user", as_of=self._clock.now()))[0]

    async def stated(self, about: str = "", limit: int = 200, as_of: int | None = None) -> Sequence[Memory]:
        """All facts about the user or another, or those that were true at a time."""
        entity = about or "user"
        return (await self._facts.list(self._scope, Page(limit), entity=entity, as_of=as_of, superseded=True))[0]


async def _turn(assistant: alejo.Assistant, scope: Scope, text: str) -> Turn:
    """A turn with what it recalls, of a message that is not kept."""
    now = assistant.clock.now()
    session = Session("", SessionState.ACTIVE, now, now)
    message = Message("", "", 1, Role.USER, text, now, now)
    recalled, _ = await assistant.memories.recall_for(scope, text, RECALLED, "")
    desk = cast("Desk", _Desk(assistant, scope))
    return Turn(session, message, tuple(recalled), None, (), (), (), now, desk)


def rows(corpus: Corpus, asked: Sequence[Asked]) -> Iterator[Row]:
    """The figures of every case, and what an answer takes."""
    for case in (case for case in corpus.cases if case != "all" or corpus.name == "own"):
        here = [each for each in asked if case in each.question.cases]
        values = np.array([(f1(each), each.supported, not each.reply.knows) for each in here], float)
        bounds = found.intervals(values, found.draws(len(here)))
        for name, interval in zip(METRICS, bounds, strict=True):
            if name == "refused" or case not in UNANSWERABLE:
                yield figures("brain", case, "alejo", __version__, name, "share", interval, len(here))
        for margin in MARGINS if case in ("1-4", "5", SWAPPED) else ():
            share = statistics.mean(each.lead < -margin for each in here)
            yield row("brain", f"{case}, margin {margin}", "alejo", __version__, "refused", "share", [share])
    taken = statistics.median(each.seconds for each in asked)
    yield row("brain", "all", "alejo", __version__, "answer_ms", "ms", [taken * 1000])


def f1(asked: Asked) -> float:
    """LoCoMo's score of an answer."""
    if not asked.reply.knows:
        return 0.0
    gold = asked.question.answer
    if _LISTS in asked.question.cases:
        parts = asked.said.split(",")
        return statistics.mean(max(token_f1(part, each) for part in parts) for each in gold.split(","))
    return token_f1(asked.said, gold.split(";")[0] if _OPEN in asked.question.cases else gold)


def token_f1(said: str, gold: str) -> float:
    """The harmonic mean of the shares of words in common."""
    ours, theirs = words(said), words(gold)
    same = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * same / (len(ours) + len(theirs)) if same else 0.0


def words(text: str) -> list[str]:
    """The words of an answer as they are compared."""
    return [_stem(word) for word in _ARTICLES.sub(" ", text.lower().translate(_MARKS)).split()]


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    return next(iter(tokens(word, "en")), word)  # function words have none and stay as they are
