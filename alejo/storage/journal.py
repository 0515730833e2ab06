"""The journal: sessions, the messages in them, and the steps a session may take.

A message's key is its session, the time it was said and its number, so that a session lists in the order things were
said even when they were recorded later. The session's row counts its messages; every append expects the row it read.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import msgspec

from alejo import paging
from alejo.clock import Clock
from alejo.errors import FailedPrecondition, NotFound
from alejo.ids import Ids, raw
from alejo.storage.rows import time_key
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import MESSAGES, SESSIONS
from alejo.types import Image, Message, Role, Scope, Session, SessionState

S = SessionState
TRANSITIONS: dict[SessionState, frozenset[SessionState]] = {
    S.CREATED: frozenset({S.ACTIVE, S.COMPLETED}),
    S.ACTIVE: frozenset({S.PAUSED, S.COMPLETED}),
    S.PAUSED: frozenset({S.RESUMED, S.COMPLETED}),
    S.RESUMED: frozenset({S.PAUSED, S.COMPLETED}),
    S.COMPLETED: frozenset({S.ARCHIVED}),
    S.ARCHIVED: frozenset(),
}
# What a session becomes when something is said in it.
SPOKEN = {S.CREATED: S.ACTIVE, S.ACTIVE: S.ACTIVE, S.PAUSED: S.RESUMED, S.RESUMED: S.RESUMED}

IMMEDIATE = 10
_HOT_SESSIONS = 1024
_HOT_MESSAGES = 16  # or as many as are immediate, where these are more or all are long
_HOT_CHARACTERS = 32_768
_LOCKS = 4096
_FEW = 32  # messages that are read at a time, as they may hold pictures


def message_key(session_id: str, sent_at: int, seq: int) -> bytes:
    """Where a message is kept: session, time, number."""
    return bytes.fromhex(session_id) + time_key(sent_at) + seq.to_bytes(8, "big")


def bare(images: Iterable[Image]) -> tuple[Image, ...]:
    """Pictures without their data."""
    return tuple(msgspec.structs.replace(image, data=b"") for image in images)


def step(session: Session, state: SessionState, now: int) -> Session:
    """The session in another state. Raises FailedPrecondition when the table has no such step."""
    if state != session.state and state not in TRANSITIONS[session.state]:
        raise FailedPrecondition(f"A session that is {session.state.name.lower()} cannot become {state.name.lower()}.")
    return msgspec.structs.replace(session, state=state, updated_at=now)


class _Hot(NamedTuple):
    """A session being spoken in: its row and its last messages as of that row, and whether any has pictures."""

    row: Row[Session]
    messages: tuple[Message, ...]
    pictures: bool
    used: float = 0.0

    def before(self, message: Message, limit: int) -> list[Message] | None:
        """What was said before its last message, if it is that one and all that is asked for is here."""
        there = self.messages
        if not there or there[-1].id != message.id:
            return None
        enough = limit < len(there) or len(there) == self.row.value.message_count
        return list(there[-limit - 1 : -1]) if enough else None


class Journal:
    """Reads and appends messages. `lock` orders the appends to one session within this process."""

    def __init__(self, store: Store, ids: Ids, clock: Clock, *, immediate: int = IMMEDIATE) -> None:
        self._immediate = immediate
        self._kept = max(immediate, _HOT_MESSAGES)
        self._store = store
        self._ids = ids
        self._clock = clock
        self._locks: dict[tuple[Scope, str], asyncio.Lock] = {}
        self._hot: OrderedDict[tuple[Scope, str], _Hot] = OrderedDict()

    def lock(self, scope: Scope, session_id: str) -> asyncio.Lock:
        """The lock to hold from reading a session's row to the commit that changes it.

        It saves turns of one session from refusing each other; what keeps them right is that each batch expects the
        row it read. So a lock that nobody holds may be dropped and made anew.
        """
        place = (scope, session_id)
        lock = self._locks.get(place)
        if lock is None:
            if len(self._locks) >= _LOCKS:
                self._locks = {each: held for each, held in self._locks.items() if held.locked()}
            lock = self._locks[place] = asyncio.Lock()
        return lock

    @asynccontextmanager
    async def locked(self, scope: Scope, session_ids: Iterable[str]) -> AsyncIterator[None]:
        """Holds the locks of many sessions, taken in one order by all."""
        async with AsyncExitStack() as stack:
            for session_id in sorted(session_ids):
                await stack.enter_async_context(self.lock(scope, session_id))
            yield

    async def session(self, scope: Scope, session_id: str, field: str = "session_id") -> Row[Session]:
        """A session's row. Raises NotFound, or InvalidArgument naming `field`."""
        row = await self._store.get(scope, SESSIONS, raw(session_id, field))
        if row is None:
            raise NotFound("session", session_id)
        return row

    def append(
        self,
        writer: Writer,
        session: Session,
        text: str,
        role: Role,
        *,
        speaker: str = "",
        images: tuple[Image, ...] = (),
        sent_at: int | None = None,
        metadata: dict[str, str] | None = None,
        request_key: bytes = b"",
    ) -> tuple[Session, Message]:
        """Adds a message to the batch and returns the session as it then is; its row is the caller's to put.

        Raises FailedPrecondition when nothing more may be said in the session.
        """
        state = SPOKEN.get(session.state)
        if state is None:
            raise FailedPrecondition(f"The session is {session.state.name.lower()}; nothing more is said in it.")
        now = self._clock.now()
        message = Message(
            self._ids.new(),
            session.id,
            session.message_count + 1,
            role,
            text,
            now if sent_at is None else sent_at,
            now,
            speaker,
            images,
            metadata or {},
            False,
            request_key,
        )
        writer.put(MESSAGES, message_key(session.id, message.sent_at, message.seq), message)
        return msgspec.structs.replace(session, state=state, updated_at=now, message_count=message.seq), message

    async def message(self, scope: Scope, session_id: str, sent_at: int, seq: int) -> Message | None:
        """One message, or None."""
        row = await self._store.get(scope, MESSAGES, message_key(session_id, sent_at, seq))
        return None if row is None else row.value

    async def before(self, scope: Scope, message: Message, limit: int) -> list[Message]:
        """What was said before a message in its session, newest last: at most `limit`, and 3 MiB; no pictures."""
        hot = self._hot.get((scope, message.session_id))
        at_hand = hot.before(message, limit) if hot is not None else None
        # What was redacted since, here or by another process, has written the session's row anew.
        if at_hand is not None and hot is not None and await self._is_now(scope, hot):
            return at_hand
        session, seq = bytes.fromhex(message.session_id), message.seq
        found: list[Message] = []
        after = message_key(message.session_id, message.sent_at, seq)
        few = min(limit, _FEW)
        while len(found) < limit and (
            rows := await self._store.scan(scope, MESSAGES, session, after=after, limit=few, reverse=True)
        ):
            found += [msgspec.structs.replace(row.value, images=bare(row.value.images)) for row in rows]
            after = rows[-1].key
        found = found[:limit]
        return found[: paging.fitting([each.text for each in found])][::-1]

    async def current(self, scope: Scope, session_id: str) -> Row[Session]:
        """A session's row as this process last saw it: for a batch that expects it. Raises NotFound."""
        hot = self._hot.get((scope, session_id))
        return hot.row if hot is not None else await self.session(scope, session_id)

    async def recent(self, scope: Scope, row: Row[Session]) -> tuple[Message, ...]:
        """The last messages, 10 unless set otherwise, by the time they were said, oldest first."""
        session = row.value
        hot = self._hot.get((scope, session.id))
        if hot is not None and hot.row.version == row.version:
            return hot.messages[-self._immediate :]
        rows = await self._store.scan(scope, MESSAGES, row.key, limit=self._immediate, reverse=True)
        messages = tuple(row.value for row in reversed(rows))
        self._keep_hot(scope, _Hot(row, messages, any(message.images for message in messages)))
        return messages

    async def _is_now(self, scope: Scope, hot: _Hot) -> bool:
        return await self._store.version(scope, SESSIONS, hot.row.key) == hot.row.version

    def said(self, scope: Scope, session: Session, version: int, message: Message) -> None:
        """Notes a committed message and its session's row, so that the next turn need not read them back."""
        hot = self._hot.get((scope, session.id))
        if session.message_count == 1:
            before: tuple[Message, ...] = ()
        elif hot is None or hot.row.value.message_count != message.seq - 1:
            return self.forget_hot(scope, session.id)
        else:
            before = hot.messages
        if before and before[-1].sent_at > message.sent_at:
            return self.forget_hot(scope, session.id)
        row = Row(bytes.fromhex(session.id), session, version)
        return self._keep_hot(scope, _Hot(row, (*before, message)[-self._kept :], bool(message.images)))

    def _keep_hot(self, scope: Scope, hot: _Hot) -> None:
        place = (scope, hot.row.value.id)
        if _long(hot.messages):
            hot = hot._replace(messages=hot.messages[-self._immediate :])
        if hot.pictures or _long(hot.messages):
            self._hot.pop(place, None)  # too large to be kept in memory for many sessions
            return
        self._hot[place] = hot._replace(used=self._clock.monotonic())
        self._hot.move_to_end(place)
        if len(self._hot) > _HOT_SESSIONS:
            self._hot.popitem(last=False)

    def cool(self, idle: float) -> None:
        """Drops the copies in memory of sessions in which nothing was said for so many seconds."""
        since = self._clock.monotonic() - idle
        while self._hot and next(iter(self._hot.values())).used <= since:
            self._hot.popitem(last=False)

    def forget_hot(self, scope: Scope, session_id: str) -> None:
        """Drops the copy in memory: after a conflict, a redaction, a deletion, a change of state."""
        self._hot.pop((scope, session_id), None)


def _long(messages: Iterable[Message]) -> bool:
    return sum([len(message.text) for message in messages]) > _HOT_CHARACTERS
