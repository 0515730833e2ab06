"""ALEJO as it ships, through its public library: messages imported with their speakers and times, then questions by
their text alone. Where the data tell the time zone of a session and the moment of a question, it lives in that zone and
at that moment, as it would with a user; nothing else of the data reaches it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

import alejo
from alejo._core import estimate_tokens
from alejo.clock import SystemClock
from alejo.types import Context, Hit, Memory, Message, MessageDraft, Page, Scope

from . import plans
from .corpora import Conversation, Corpus, Question

BUDGET = 500  # tokens of a context
_MOST = 50  # items that are looked at
_BATCH = 250
_DAY = 86_400_000_000
_GLANCE = 0.05  # seconds

Turns = Mapping[str, Mapping[str, str]]  # by conversation: which turn a message, or a memory of it, is


class Answer(msgspec.Struct, frozen=True):
    """What one question found: items in order, the seconds that took, and a context with the turns it shows in time."""

    items: tuple[str, ...]
    seconds: float
    context: str = ""
    shown: frozenset[str] = frozenset()


class Calendar(SystemClock):
    """The system's clock, or the moment a question is asked at."""

    moment: int | None = None

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        return super().now() if self.moment is None else self.moment


@asynccontextmanager
async def opened(
    folder: Path, clock: Calendar, change: plans.Change | None = None, *plugins: object
) -> AsyncIterator[alejo.Assistant]:
    """The assistant over a folder, as it ships, or with other plans, or with more plugins."""
    chosen, given = plans.settings(folder, change, *plugins)
    async with alejo.open(settings=chosen, clock=clock, given_plugins=given) as assistant:
        yield assistant


async def fill(corpus: Corpus, folder: Path) -> Turns:
    """Imports every conversation as a user."""
    clock = Calendar()
    async with opened(folder, clock) as assistant:
        return {each.id: await _import(assistant, clock, each) for each in corpus.conversations}


async def _import(assistant: alejo.Assistant, clock: Calendar, conversation: Conversation) -> dict[str, str]:
    scope, found = Scope("bench", conversation.id), dict[str, str]()
    if any(each.asked is not None for each in conversation.questions):
        clock.moment = max(turn.sent_at for turn in conversation.turns.values()) + _DAY
    for session in conversation.sessions:
        made, _ = await assistant.sessions.create(scope, metadata=session.metadata)
        for start in range(0, len(session.turns), _BATCH):
            turns = session.turns[start : start + _BATCH]
            drafts = [("", MessageDraft(made.id, t.text, t.role, t.speaker, sent_at=t.sent_at)) for t in turns]
            for turn, kept in zip(turns, await assistant.memories.remember_many(scope, drafts), strict=True):
                if isinstance(kept, Exception):
                    raise kept
                if kept.message is not None:
                    found[kept.message.id] = turn.id
                found |= dict.fromkeys((memory.id for memory in kept.memories), turn.id)
    clock.moment = None
    return found


async def ask(
    corpus: Corpus, folder: Path, turns: Turns, change: plans.Change | None = None, *plugins: object
) -> list[Answer]:
    """Asks every question, in the corpus's order."""
    clock, answers = Calendar(), list[Answer]()
    async with opened(folder, clock, change, *plugins) as assistant:
        for each in corpus.conversations:
            scope = Scope("bench", each.id)
            clock.moment = each.questions[0].asked
            await assistant.memories.recall(scope, "anything", Page(1))  # the index of a user is loaded at their first
            # A plugin makes its vectors in the background, and nothing tells from outside that all are made.
            while (await assistant.indexes.get(scope)).pending:  # noqa: ASYNC110
                await asyncio.sleep(_GLANCE)
            for question in each.questions:
                clock.moment = question.asked
                answers.append(await _ask(assistant, scope, question, turns[each.id]))
    return answers


async def _ask(assistant: alejo.Assistant, scope: Scope, question: Question, turns: Mapping[str, str]) -> Answer:
    began = time.perf_counter()
    hits, _, _ = await assistant.memories.recall(scope, question.text, Page(_MOST))
    seconds = time.perf_counter() - began
    context, _ = await assistant.memories.context(scope, question.text, token_budget=BUDGET)
    items = [turns.get(place, "") for hit in hits for place in places(hit)]
    return Answer(tuple(items[:_MOST]), seconds, context.text, _shown(context, turns))


def places(value: Any) -> Iterator[str]:
    """The messages that a hit stands for, first its own, then whatever it carries along; "" where there is none.

    What was derived from other memories carries those along, by their ids.
    """
    match value:
        case Hit():
            yield from places(value.memory)
            for name in value.__struct_fields__:
                if name != "memory":
                    yield from places(getattr(value, name))
        case Memory():
            yield value.message_id
            yield from value.sources
        case Message():
            yield value.id
        case tuple() | list():
            for each in value:
                yield from places(each)
        case _:
            return


def _shown(context: Context, turns: Mapping[str, str]) -> frozenset[str]:
    """The turns whose words end within the budget, whatever stands before them counted too."""
    text, end, found = context.text, 0, set[str]()
    for item in context.items:
        place = text.find(item.text, end)
        end = place + len(item.text) if place >= 0 else len(text)
        if estimate_tokens(text[:end]) <= BUDGET:
            found.add(turns.get(item.message_id, ""))
    return frozenset(found)
