"""Everything about a user, as lines."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec

from alejo import __version__
from alejo.clock import Clock
from alejo.storage import audit, impressions
from alejo.storage.store import Row, Store
from alejo.storage.tables import (
    AUDIT,
    CHANGES,
    EMOTIONS,
    FEEDBACK,
    FELT,
    IMPRESSIONS,
    MEMORIES,
    MESSAGES,
    ORIGINS,
    PAIRS,
    PREFERENCES,
    QUOTES,
    RECALLS,
    REMINDERS,
    REQUESTS,
    SESSIONS,
    TOPICS,
    TURNS,
    VERSIONS,
    WEIGHTS,
    WEIGHTS_IN_USE,
    T,
    Table,
    TurnRow,
)
from alejo.types import Candidate, Correction, Memory, Scope, Session

from .lines import FORMAT, End, Header, Quote, line

_STEP = 1000
_FEW = 32  # of messages, which may hold pictures
_ID = 16


class Export:
    """One user's lines, from the header to the end.

    It is read while others write. What was acknowledged before it began, and not changed since, is in it; what is
    written meanwhile is in it whole or not at all, and the last line says that something was. No message is in it that
    its session's line does not count, and no id of a forgotten memory but where the audit says that it was forgotten,
    and where the id of what it came from, or of a request, must stay taken.
    """

    def __init__(self, store: Store, clock: Clock, scope: Scope) -> None:
        self._store = store
        self._clock = clock
        self._scope = scope
        self._lines = 0
        self._refused = store.refused
        self._counts: dict[str, int] = {}  # the messages of each session
        self._there: set[str] = set()  # the ids of the memories

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Every line, with its newline. The export is in the user's audit."""
        writer = await self._store.writer(self._scope)
        audit.record(writer, "export", "", self._clock.now())
        await writer.commit()
        await impressions.settle(self._store, self._scope)
        before = await self._marks()
        yield self._line(Header(FORMAT, __version__, self._clock.now()))
        for part in (self._sessions(), self._memories(), self._turns(), self._liked(), self._felt(), self._rest()):
            async for each in part:
                yield each
        changed = await self._marks() != before
        yield line(End(self._lines, self._store.refused - self._refused, changed))

    def _line(self, value: Any, key: bytes = b"") -> bytes:
        self._lines += 1
        return line(value, key)

    async def _rows(self, table: Table[T], step: int = _STEP) -> AsyncIterator[Row[T]]:
        """A table's rows in order; what cannot be opened is counted by the store and left out."""
        after, more = b"", True
        while more:
            rows, after = await self._store.salvage(self._scope, table, after=after, limit=step)
            more = bool(after)
            for row in rows:
                yield row

    async def _marks(self) -> list[bytes]:
        """The last things that were written."""
        last = [await self._store.scan(self._scope, table, limit=1, reverse=True) for table in (CHANGES, AUDIT)]
        return [row.key for rows in last for row in rows]

    async def _sessions(self) -> AsyncIterator[bytes]:
        messages = self._rows(MESSAGES, _FEW)
        message = await anext(messages, None)
        async for row in self._rows(SESSIONS):
            session: Session = row.value
            self._counts[session.id] = session.message_count
            yield self._line(session)
            while message is not None and message.key[:_ID] <= row.key:
                if message.key[:_ID] == row.key and message.value.seq <= session.message_count:
                    yield self._line(message.value)
                message = await anext(messages, None)

    async def _memories(self) -> AsyncIterator[bytes]:
        async for row in self._rows(MEMORIES):
            memory: Memory = row.value
            if memory.message_seq <= self._counts.get(memory.session_id, memory.message_seq):
                self._there.add(memory.id)
                yield self._line(memory)
        async for version in self._rows(VERSIONS):
            if version.value.memory.id in self._there:
                yield self._line(version.value)
        async for recall in self._rows(RECALLS):
            if recall.key.hex() in self._there:
                yield self._line(recall.value, recall.key)

    async def _turns(self) -> AsyncIterator[bytes]:
        async for row in self._rows(TURNS):
            turn = row.value
            if max(turn.user_seq, turn.answer_seq) <= self._counts.get(turn.session_id, 0):
                yield self._line(self._without_gone(turn))

    def _without_gone(self, turn: TurnRow) -> TurnRow:
        """A turn without the ids of memories that are forgotten since."""
        space = turn.workspace
        if space is not None:
            foci = tuple(each for each in space.foci if self._is_there(each.candidate))
            space = msgspec.structs.replace(space, foci=foci)
        recalled = tuple(each for each in turn.recalled if each.memory_id in self._there)
        percepts = tuple(
            msgspec.structs.replace(each, similar=tuple(like for like in each.similar if like in self._there))
            for each in turn.percepts
        )
        model = turn.model
        if model is not None and model.memory_id not in self._there:
            model = msgspec.structs.replace(model, memory_id="")
        return msgspec.structs.replace(turn, recalled=recalled, workspace=space, percepts=percepts, model=model)

    def _is_there(self, candidate: Candidate) -> bool:
        return candidate.about != "memory" or candidate.reference in self._there

    async def _liked(self) -> AsyncIterator[bytes]:
        async for row in self._rows(FEEDBACK):
            likings = tuple(each for each in row.value.likings if each.memory_id in self._there)
            yield self._line(msgspec.structs.replace(row.value, likings=likings), row.key)

    async def _felt(self) -> AsyncIterator[bytes]:
        """What was felt, and what the user corrected: the sums follow from these."""
        async for sums in self._rows(EMOTIONS):
            if sums.value.correction != Correction():
                yield self._line(sums.value.correction, sums.key)
        waiting = [row async for row in self._rows(FELT)]  # before what is summed up, which it may be by then
        async for row in self._rows(IMPRESSIONS):
            yield self._line(row.value, row.key)
        for felt in waiting:
            if await self._store.sound(self._scope, IMPRESSIONS, felt.value.turn) is None:
                yield self._line(felt.value.impression, felt.value.turn)

    async def _rest(self) -> AsyncIterator[bytes]:
        async for preferred in self._rows(PREFERENCES):
            yield self._line(preferred.value, preferred.key)
        async for quote in self._rows(QUOTES):
            yield self._line(Quote(quote.key[:_ID].hex(), quote.key[_ID:].hex(), quote.value.hex()))
        themselves: tuple[Table[Any], ...] = (REMINDERS, TOPICS, WEIGHTS)
        for table in themselves:
            async for each in self._rows(table):
                yield self._line(each.value)
        tables: tuple[Table[Any], ...] = (PAIRS, WEIGHTS_IN_USE)
        for table in tables:
            async for kept in self._rows(table):
                yield self._line(kept.value, kept.key)
        async for origin in self._rows(ORIGINS):
            yield self._line(origin.value, origin.key)
        async for request in self._rows(REQUESTS):
            yield self._line(request.value, request.key)
        async for entry in self._rows(AUDIT):
            yield self._line(entry.value, audit.identity(entry.key))
