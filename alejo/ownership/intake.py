"""Bringing an export in: what is not there yet is added as it was, with its identifiers and times."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import msgspec

from alejo.clock import Clock
from alejo.errors import Conflict
from alejo.outcomes import Tally
from alejo.storage import audit, impressions
from alejo.storage.journal import message_key
from alejo.storage.requests import key as request_key
from alejo.storage.rows import put_memory, put_reminder, time_key
from alejo.storage.store import Store, Writer
from alejo.storage.tables import (
    AUDIT,
    EMOTIONS,
    FACTS,
    FEEDBACK,
    FEEDBACK_BY_TIME,
    IMPRESSIONS,
    MEMORIES,
    MESSAGES,
    ORIGINS,
    PAIRS,
    PREFERENCES,
    QUOTED,
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
    AuditEntry,
    Table,
)
from alejo.storage.versions import version_key
from alejo.types import Correction, Impression, Memory, Message, Reminder, Scope, Session

from .lines import FORMAT, MOST_BYTES, Quote, read, wrong

_ONE = b"\0"  # the key of a table's one row
_ROWS = 500
_BYTES = 1 << 20
_TRIES = 8
_RESET = "emotions.reset"
_GONE = frozenset({"memory.forget", "reminder.forget", "session.delete"})


_KEYED: dict[str, Table[Any]] = {
    "recall": RECALLS,
    "origin": ORIGINS,
    "request": REQUESTS,
    "feedback": FEEDBACK,
    "impression": IMPRESSIONS,
}


_ONES: dict[str, Table[Any]] = {
    "preferences": PREFERENCES,
    "weights_in_use": WEIGHTS_IN_USE,
    "correction": EMOTIONS,
}


class _Item(NamedTuple):
    """A row to put if there is none."""

    kind: str
    table: Table[Any]
    key: bytes
    value: Any


class Intake:
    """Takes the bytes of one export in, however they are cut. Each call of `take` leaves what it took on disk.

    What is there already stays as it is, so the same export brought in twice, or again after it was cut short, adds
    nothing twice. A session that is there has its messages. What was forgotten or deleted here does not come back.
    Raises InvalidArgument naming the line, and leaves what stood before it.
    """

    def __init__(self, store: Store, clock: Clock, scope: Scope) -> None:
        self._store = store
        self._clock = clock
        self._scope = scope
        self._rest = b""
        self._line = 0
        self._items: dict[tuple[str, bytes], _Item] = {}
        self._size = 0
        self._gone: set[str] | None = None
        self._reset_at = 0  # when all that was felt was deleted
        self._session: Session | None = None  # the one whose messages come, put behind them
        self._skipped = ""  # the session that is there, or gone
        self.added: Counter[str] = Counter()
        self.there: Counter[str] = Counter()
        self.forgotten: Counter[str] = Counter()
        self.ended = False

    def tally(self) -> Tally:
        """What became of the lines so far."""
        return Tally(dict(self.added), dict(self.there), dict(self.forgotten), self.ended)

    async def take(self, data: bytes) -> Tally:
        """Takes a part of the export; what it completed is on disk when this returns."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_BYTES:
            raise wrong(f"line {self._line + 1}", f"has more than {MOST_BYTES:,} bytes")
        for each in lines:
            self._line += 1
            if each.strip():
                await self._read(each)
        await self._flush()
        return self.tally()

    async def end(self) -> Tally:
        """What was brought in. Raises InvalidArgument when the last line was no end: the export was cut."""
        if self._rest.strip():
            await self.take(b"\n")
        if not self.ended:
            raise wrong(f"line {self._line + 1}", "is missing: the export was cut; all before it was taken")
        writer = await self._store.writer(self._scope)
        audit.record(writer, "import", "", self._clock.now())
        await writer.commit()
        return self.tally()

    async def _read(self, data: bytes) -> None:
        place = f"line {self._line}"
        kind, key, value = read(data, place)
        if self._gone is None:
            await self._header(kind, value, place)
        elif self.ended or kind == "export":
            raise wrong(place, "type: nothing stands behind the end")
        elif kind == "end":
            self._close()
            self.ended = True
        else:
            if kind != "message":
                self._close()
            await self._add(kind, key, value, place)
        if len(self._items) >= _ROWS or self._size >= _BYTES:
            await self._flush()

    async def _header(self, kind: str, value: Any, place: str) -> None:
        if kind != "export":
            raise wrong(place, "type: an export begins with its header")
        if value.version > FORMAT:
            raise wrong(place, f"version: {value.version} is newer than this ALEJO knows ({FORMAT})")
        await impressions.settle(self._store, self._scope)  # so that each is found by its turn
        self._gone = set()
        async for entry in self._entries():
            if entry.action in _GONE:
                self._gone.add(entry.subject)
            elif entry.action == _RESET:
                self._reset_at = max(self._reset_at, entry.at)

    async def _entries(self) -> AsyncIterator[AuditEntry]:
        after, more = b"", True
        while more:
            rows, after = await self._store.salvage(self._scope, AUDIT, after=after)
            more = bool(after)
            for row in rows:
                yield row.value

    async def _add(self, kind: str, key: bytes, value: Any, place: str) -> None:
        if kind == "session":
            await self._begin(value)
        elif kind == "message":
            self._message(value, place)
        elif self._stays_away(kind, key, value):
            self.forgotten[kind] += 1
        elif kind == "impression" and not value.sound:
            raise wrong(place, "impression: a number has no meaning, or there is too much of it")
        elif kind == "audit" and await self._own(key, value):
            self.there[kind] += 1
        elif kind == "version" and not await self._remembered(bytes.fromhex(value.memory.id)):
            raise wrong(place, "memory.id: no such memory stands before it")
        else:
            try:
                self._put(kind, *_place(kind, key, value), value)
            except ValueError as error:
                raise wrong(place, f"key: {error}") from None

    def _stays_away(self, kind: str, key: bytes, value: Any) -> bool:
        gone = self._gone or set()
        if kind == "recall":
            return key.hex() in gone
        if kind == "pair":
            return key[:16].hex() in gone
        if kind == "impression" and 0 < value.at <= self._reset_at:
            return True
        if kind in {"memory", "reminder"}:
            return value.id in gone or value.session_id in gone
        if kind == "version":
            return value.memory.id in gone or value.memory.session_id in gone
        return value.subject in gone if kind == "quote" else getattr(value, "session_id", "") in gone

    async def _remembered(self, key: bytes) -> bool:
        return (MEMORIES.name, key) in self._items or await self._store.get(self._scope, MEMORIES, key) is not None

    async def _own(self, key: bytes, entry: AuditEntry) -> bool:
        """Whether an entry was made here, and comes back."""
        row = await self._store.get(self._scope, AUDIT, key) if key else None
        return row is not None and row.value == entry

    async def _begin(self, session: Session) -> None:
        if session.id in (self._gone or ()):
            self._skipped = session.id
            self.forgotten["session"] += 1
        elif await self._store.get(self._scope, SESSIONS, bytes.fromhex(session.id)):
            self._skipped = session.id
            self.there["session"] += 1
        else:
            self._session = session

    def _message(self, message: Message, place: str) -> None:
        if self._session is not None and message.session_id == self._session.id:
            if not 0 < message.seq <= self._session.message_count:
                raise wrong(place, f"seq: is not one of the {self._session.message_count} of its session")
            self._put("message", MESSAGES, message_key(message.session_id, message.sent_at, message.seq), message)
        elif message.session_id == self._skipped:
            gone = message.session_id in (self._gone or ())
            (self.forgotten if gone else self.there)["message"] += 1
        else:
            raise wrong(place, "session_id: is not that of the session before it")

    def _close(self) -> None:
        """Puts the session behind its messages: one that is there is there whole."""
        if self._session is not None:
            self._put("session", SESSIONS, bytes.fromhex(self._session.id), self._session)
        self._session, self._skipped = None, ""

    def _put(self, kind: str, table: Table[Any], key: bytes, value: Any) -> None:
        if (table.name, key) in self._items:
            self.there[kind] += 1
            return
        if isinstance(value, Impression):
            value = msgspec.structs.replace(value, at=min(value.at, self._clock.now()))  # what is later fades nothing
        self._items[table.name, key] = _Item(kind, table, key, value)
        if isinstance(value, Memory | Message):
            self._size += len(value.text)
        if isinstance(value, Message):
            self._size += sum(len(image.data) for image in value.images)

    async def _flush(self) -> None:
        items, self._items, self._size = list(self._items.values()), {}, 0
        for _ in range(_TRIES if items else 0):
            writer = await self._store.writer(self._scope)
            added: list[_Item] = []
            there: list[_Item] = []
            for item in items:
                known = await self._store.get(self._scope, item.table, item.key)
                (there if known else added).append(item)
                if not known:
                    writer.expect(item.table, item.key, None)
                    _write(writer, item)
            felt = [item.value for item in added if isinstance(item.value, Impression | Correction)]
            await impressions.bring(self._store, self._scope, writer, felt)
            if any(isinstance(item.value, Memory) and item.value.fact for item in items):
                writer.put(FACTS, _ONE, self._clock.now())  # so that who states one meanwhile looks again
            try:
                await writer.commit()
            except Conflict:  # somebody else wrote one of them meanwhile
                continue
            self.added.update(item.kind for item in added)
            self.there.update(item.kind for item in there)
            return
        if items:
            raise Conflict("This is being written by somebody else; try again.")


def _place(kind: str, key: bytes, value: Any) -> tuple[Table[Any], bytes]:
    """Where a line's row is kept. Raises ValueError for a key that cannot be one."""
    if kind in _SAYING:
        table, place = _SAYING[kind]
        return table, place(value)
    if kind == "audit":
        return AUDIT, audit.brought(value, key)
    if kind in _ONES:
        if key != _ONE:
            raise ValueError(f"is not where {kind} are")
        return _ONES[kind], key
    if kind == "pair":
        if len(key) != 24 or any(len(each) != 32 or each[:16] != key[:16] for each in (*value.question, *value.answer)):
            raise ValueError("has 24 bytes, and its messages are of the same session")
        return PAIRS, key
    if len(key) != 16:
        raise ValueError("has 16 bytes")
    return _KEYED[kind], key


def _quote_key(quote: Quote) -> bytes:
    key = bytes.fromhex(quote.subject) + bytes.fromhex(quote.request)
    if len(key) != 32 or len(bytes.fromhex(quote.answer)) != 32:
        raise ValueError("subject, request and answer have 16, 16 and 32 bytes")
    return key


# What says itself where it is kept.
_SAYING: dict[str, tuple[Table[Any], Callable[[Any], bytes]]] = {
    "memory": (MEMORIES, lambda memory: bytes.fromhex(memory.id)),
    "version": (VERSIONS, lambda version: version_key(version.memory.id, version.number)),
    "turn": (TURNS, lambda turn: request_key(turn.request_id)),
    "quote": (QUOTES, _quote_key),
    "reminder": (REMINDERS, lambda reminder: bytes.fromhex(reminder.id)),
    "topics": (TOPICS, lambda topics: bytes.fromhex(topics.session_id)),
    "weights": (WEIGHTS, lambda weights: _number(weights.number)),
}


def _number(number: int) -> bytes:
    if not 0 < number < 1 << 63:
        raise ValueError("number counts from 1")
    return number.to_bytes(8, "big")


def _write(writer: Writer, item: _Item) -> None:
    value = item.value
    if isinstance(value, Memory):
        put_memory(writer, msgspec.structs.replace(value, version=0))
    elif isinstance(value, Reminder):
        put_reminder(writer, msgspec.structs.replace(value, version=0))
    elif item.kind == "quote":
        writer.put(QUOTES, item.key, bytes.fromhex(value.answer))
        writer.put(QUOTED, item.key[:16], b"")
    elif item.kind == "feedback":
        writer.put(FEEDBACK, item.key, value)
        writer.put(FEEDBACK_BY_TIME, time_key(value.at) + item.key, item.key)
    elif item.kind != "correction":  # a part of its row
        writer.put(item.table, item.key, value)
