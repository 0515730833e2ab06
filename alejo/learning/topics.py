"""What a session was about, in its own words, and which memories of it say what the user prefers.

A topic is a word, or two that stand together, weighed by how many messages say it and how long it is: words of grammar
are left out, and what only one message of many says. Preferences are memories, as the memory plugin judged them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from alejo import _core
from alejo.reflection import Piece
from alejo.storage.rows import time_key
from alejo.storage.store import Store, Writer
from alejo.storage.tables import MEMORIES, MEMORIES_BY_TIME, TOPICS, SessionTopics, Topic
from alejo.types import Memory, Message, Role, Scope

from .stages import Made

MOST = 8
_PREFERENCES = frozenset({"preference", "instruction"})
_FEW = 4  # messages, of which each may name a topic alone
_LEAST = 3  # letters
_READ = 4_000  # characters of each message: what comes later seldom is what it is about
_PAIR = 1.5  # what two words that stand together weigh more than the commoner of them
_WORDS = re.compile(r"[^\W\d_]+(?:[-'\u2019][^\W\d_]+)*")
_STEP = 256
_MOST_PREFERENCES = 256


class Topics:
    """Notes topics and preferences of sessions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def learn(self, scope: Scope, pieces: Sequence[Piece]) -> Made:
        """The stage's work."""
        rows = {}
        for job, messages in pieces:
            preferences = await self._preferences(scope, job.session_id, messages)
            rows[job.session_id] = SessionTopics(job.session_id, topics(messages), preferences)

        async def effects(writer: Writer) -> None:
            for session_id, row in rows.items():
                writer.put(TOPICS, bytes.fromhex(session_id), row)

        return Made(effects, {each: len(row.topics) + len(row.preferences) for each, row in rows.items()})

    async def _preferences(self, scope: Scope, session_id: str, messages: Sequence[Message]) -> tuple[str, ...]:
        """The memories of the user's preferences that came from these messages, but for what was derived from them."""
        if not messages:
            return ()
        times = [message.sent_at for message in messages]
        after, end = time_key(min(times)), time_key(max(times) + 1)
        found: dict[str, Memory] = {}
        while len(found) < _MOST_PREFERENCES:
            rows = await self._store.scan(scope, MEMORIES_BY_TIME, after=after, limit=_STEP)
            for row in rows:
                memory = await self._memory(scope, row.value) if row.key < end else None
                if memory is not None and memory.session_id == session_id and memory.kind in _PREFERENCES:
                    found[memory.id] = memory
            if len(rows) < _STEP or rows[-1].key >= end:
                break
            after = rows[-1].key
        return tuple(each for each, memory in found.items() if not found.keys() & set(memory.sources))

    async def _memory(self, scope: Scope, memory_id: str) -> Memory | None:
        row = await self._store.get(scope, MEMORIES, bytes.fromhex(memory_id))
        return None if row is None else row.value


def topics(messages: Sequence[Message], most: int = MOST) -> tuple[Topic, ...]:
    """What the user's messages are about, most said first, by those of others too."""
    told = [message for message in messages if message.text and not message.text.startswith("/")]
    where: defaultdict[str, dict[str, None]] = defaultdict(dict)  # ids of messages, by the topic's terms
    spelled: defaultdict[str, Counter[str]] = defaultdict(Counter)
    asked: set[str] = set()
    for message in told:
        for term, text in _terms(message.text[:_READ]):
            where[term][message.id] = None
            spelled[term][text] += 1
            if message.role is Role.USER:
                asked.add(term)
    least = 2 if len(told) > _FEW else 1
    return _best({term: ids for term, ids in where.items() if term in asked and len(ids) >= least}, spelled, most)


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """Words and pairs of neighbours that may be topics: what their forms have in common, and as they are written."""
    before = ("", "")
    for word in _WORDS.findall(text):
        term = _term(word)
        if term:
            yield term, word
            if before[0]:
                yield f"{before[0]} {term}", f"{before[1]} {word}"
        before = (term, word)


def _best(where: dict[str, dict[str, None]], spelled: dict[str, Counter[str]], most: int) -> tuple[Topic, ...]:
    def weight(term: str) -> float:
        return len(where[term]) * (_PAIR if " " in term else min(len(term), 8) / 8)

    chosen: list[Topic] = []
    parts: set[str] = set()
    for term in sorted(where, key=lambda term: (-weight(term), term)):
        words = set(term.split())
        if words & parts:
            continue  # said already, alone or with another word
        parts |= words
        chosen.append(Topic(spelled[term].most_common(1)[0][0], tuple(where[term])))
        if len(chosen) == most:
            break
    return tuple(chosen)


def _term(word: str) -> str:
    """What all forms of a word have in common; "" for a word of grammar."""
    if len(word) < _LEAST or word.casefold() in _grammar():
        return ""
    found = _core.tokens(word)
    return found[0] if found else ""


@cache
def _grammar() -> frozenset[str]:
    return frozenset((Path(__file__).parent / "grammar.txt").read_text("utf-8").split())
