"""Sessions: made, listed, changed, deleted. The steps a session may take are in TRANSITIONS."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from alejo import paging
from alejo.cache import Cache
from alejo.clock import TIME_ZONE, Clock, time_zone
from alejo.errors import Conflict, InvalidArgument, NotFound
from alejo.ids import Ids, raw
from alejo.queue.promises import Promises
from alejo.storage import audit, impressions
from alejo.storage.journal import TRANSITIONS, Journal, step
from alejo.storage.redaction import Redaction, take_quotes
from alejo.storage.removal import Removal
from alejo.storage.requests import Requests, digest
from alejo.storage.rows import find_origin, origin_key, put_origin
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import (
    EPISODES,
    FEEDBACK,
    MEMORIES,
    MESSAGES,
    ORIGINS,
    PAIRS,
    QUOTED,
    REMINDERS,
    REMINDERS_OF,
    SESSIONS,
    TURNS,
    Origin,
)
from alejo.storage.versions import Versions
from alejo.types import Memory, Message, Page, Reminder, Scope, Session, SessionState

__all__ = ["TRANSITIONS", "Sessions"]

_ENDED = frozenset({SessionState.COMPLETED, SessionState.ARCHIVED})
_STEP = 256
_TRIES = 8


def _check(labels: Mapping[str, str]) -> None:
    """Raises InvalidArgument if the label that names a time zone names none."""
    name = labels.get(TIME_ZONE)
    if name is not None and time_zone(name) is None:
        raise InvalidArgument.field(
            f"metadata[{TIME_ZONE}]", "is no time zone; name one of the IANA database, such as Europe/Vienna"
        )


class Sessions:
    """The sessions of every user, each reached through a scope."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        requests: Requests,
        versions: Versions,
        promises: Promises,
        ids: Ids,
        clock: Clock,
        cache: Cache,
        ended: Callable[[Scope, Session], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._requests = requests
        self._versions = versions
        self._promises = promises
        self._ids = ids
        self._clock = clock
        self._cache = cache
        self._ended = ended

    async def create(
        self,
        scope: Scope,
        *,
        request_id: str = "",
        title: str = "",
        parent_id: str = "",
        metadata: Mapping[str, str] | None = None,
        origin: str = "",
    ) -> tuple[Session, bool]:
        """Makes a session; (session, True) when the request id or origin has made it before. Raises NotFound."""
        labels = dict(metadata or {})
        _check(labels)
        body = digest(("create", title, parent_id, labels, origin))
        for _ in range(_TRIES):
            known = await self._requests.find(scope, request_id, "session", body)
            if known is not None:
                return (await self._journal.session(scope, known)).value, True
            stale = await find_origin(self._store, scope, origin)
            there = await self._store.get(scope, SESSIONS, bytes.fromhex(stale.value.id)) if stale else None
            if there:
                return there.value, True
            if parent_id:
                await self._journal.session(scope, parent_id, "parent_id")
            writer = await self._store.writer(scope)
            session = self.new(writer, title=title, parent_id=parent_id, metadata=labels, origin=origin)
            writer.put(SESSIONS, bytes.fromhex(session.id), session)
            # What an origin stood for may have been deleted; then it is imported anew.
            put_origin(writer, origin, Origin("session", session.id), stale.version if stale else None)
            self._requests.add(writer, request_id, "session", body, session.id)
            await self._requests.prune(scope, writer)
            try:
                await writer.commit()
            except Conflict:
                continue
            return session, False
        raise Conflict("The session is being made by somebody else; try again.")

    def new(
        self,
        writer: Writer,
        *,
        title: str = "",
        parent_id: str = "",
        metadata: dict[str, str] | None = None,
        origin: str = "",
    ) -> Session:
        """A new session, noted in the batch's audit; its row is the caller's to put."""
        now = self._clock.now()
        session = Session(self._ids.new(), SessionState.CREATED, now, now, title, parent_id, 0, metadata or {}, origin)
        audit.record(writer, "session.create", session.id, now)
        return session

    async def get(self, scope: Scope, session_id: str) -> Session:
        """One session. Raises NotFound."""
        return (await self._journal.session(scope, session_id)).value

    async def list(self, scope: Scope, page: Page, states: Sequence[SessionState] = ()) -> tuple[list[Session], str]:
        """A page of the user's sessions, newest first, and the token of the next page."""
        question = ("sessions", sorted(set(states)))
        after = last = paging.cursor(question, page.token)
        found: list[Session] = []
        step = max(page.size + 1, _STEP)
        while rows := await self._store.scan(scope, SESSIONS, after=after, limit=step, reverse=True):
            for row in rows:
                if states and row.value.state not in states:
                    continue
                if len(found) == page.size:
                    return found, paging.token(question, last)
                found.append(row.value)
                last = row.key
            after = rows[-1].key
            await asyncio.sleep(0)  # a long list must not stop the others
        return found, ""

    async def update(
        self,
        scope: Scope,
        session_id: str,
        *,
        request_id: str = "",
        title: str | None = None,
        state: SessionState | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Session:
        """Changes what is not None. Raises NotFound, or FailedPrecondition for a step the table does not have."""
        labels = None if metadata is None else dict(metadata)
        _check(labels or {})
        body = digest(("update", session_id, title, state, labels))
        for _ in range(_TRIES):
            done = await self._requests.find(scope, request_id, "session.update", body)
            if done is not None:
                return await self.get(scope, session_id)
            async with self._journal.lock(scope, session_id):
                row = await self._journal.session(scope, session_id)
                before, session = row.value, msgspec.structs.replace(row.value, updated_at=self._clock.now())
                if title is not None:
                    session = msgspec.structs.replace(session, title=title)
                if labels is not None:
                    session = msgspec.structs.replace(session, metadata=labels)
                if state is not None:
                    session = step(session, state, session.updated_at)
                writer = await self._store.writer(scope)
                writer.expect(SESSIONS, row.key, row.version)
                writer.put(SESSIONS, row.key, session)
                self._requests.add(writer, request_id, "session.update", body, True)
                audit.record(writer, "session.update", session.id, session.updated_at)
                if session.state in _ENDED and before.state not in _ENDED:
                    await self._promises.ended(writer, scope, session)
                try:
                    await writer.commit()
                except Conflict:
                    continue
                finally:
                    self._journal.forget_hot(scope, session_id)
            if session.state in _ENDED and before.state != session.state:
                self._ended(scope, session)
            return session
        raise Conflict("The session is being changed by somebody else; try again.")

    async def delete(self, scope: Scope, session_id: str, *, request_id: str = "") -> tuple[int, int]:
        """Deletes a session with its messages, memories and reminders; returns how many of the first two.

        Raises NotFound. Answers elsewhere that quoted one lose those words. The session's own row goes last and only if
        nothing was written in the session meanwhile, so that nothing is left behind and a delete cut short can be sent
        again.
        """
        body = digest(("delete", session_id))
        messages = memories = 0
        while True:
            # The session is read first: whoever finds it gone because of this very request then finds its answer.
            row = await self._store.get(scope, SESSIONS, raw(session_id, "session_id"))
            done = await self._requests.find(scope, request_id, "session.delete", body)
            if done is not None:
                await self._cache.forget(scope)  # whoever did it may have been killed before
                return done[0], done[1]
            if row is None:
                raise NotFound("session", session_id)
            memories += await self._delete_memories(scope, session_id)
            await self._delete_reminders(scope, session_id)
            messages += await self._delete_messages(scope, session_id)
            writer = await self._store.writer(scope)
            writer.expect(SESSIONS, row.key, row.version)
            writer.delete(SESSIONS, row.key)
            await self._promises.deleted(writer, scope, session_id)
            for each in await self._store.scan(scope, EPISODES, row.key):
                writer.delete(EPISODES, each.key)
            if row.value.origin:
                writer.delete(ORIGINS, origin_key(row.value.origin))
            self._requests.add(writer, request_id, "session.delete", body, (messages, memories))
            audit.record(writer, "session.delete", session_id, self._clock.now())
            writer.frees = True
            try:
                await writer.commit()
            except Conflict:
                continue
            finally:
                self._journal.forget_hot(scope, session_id)
            await self._cache.forget(scope)  # some of it held what was deleted
            return messages, memories

    async def _delete_messages(self, scope: Scope, session_id: str) -> int:
        prefix, count = raw(session_id, "session_id"), 0
        while rows := await self._store.scan(scope, MESSAGES, prefix, limit=_STEP):
            await impressions.drop(self._store, scope, {row.value.request_key for row in rows} - {b""})
            writer = await self._store.writer(scope)
            for row in rows:
                writer.delete(MESSAGES, row.key)
                writer.delete(PAIRS, prefix + row.value.seq.to_bytes(8, "big"))
                writer.delete(REMINDERS_OF, bytes.fromhex(row.value.id))
                if await self._store.get(scope, QUOTED, bytes.fromhex(row.value.id)):
                    await take_quotes(self._store, scope, writer, row.value.id)
                if row.value.request_key:
                    writer.delete(TURNS, row.value.request_key)
                    writer.delete(FEEDBACK, row.value.request_key)
            writer.frees = True
            await writer.commit()
            count += len(rows)
        return count

    async def _delete_memories(self, scope: Scope, session_id: str) -> int:
        count, after, more = 0, b"", True
        while more:
            rows, after = await self._store.salvage(scope, MEMORIES, after=after, limit=_STEP)
            more = bool(after)
            here = [row for row in rows if row.value.session_id == session_id]
            count += len(here)
            if here:
                await self._remove(scope, here)
        return count

    async def _delete_reminders(self, scope: Scope, session_id: str) -> None:
        after, more = b"", True
        while more:
            rows, after = await self._store.salvage(scope, REMINDERS, after=after, limit=_STEP)
            more = bool(after)
            here = [row for row in rows if row.value.session_id == session_id]
            if here:
                await self._remove(scope, (), here)

    async def _remove(
        self, scope: Scope, memories: Sequence[Row[Memory]], reminders: Sequence[Row[Reminder]] = ()
    ) -> None:
        sessions: set[str] = set()
        while True:
            async with self._journal.locked(scope, sessions):
                writer = await self._store.writer(scope)
                redaction = Redaction(self._store, self._journal, scope, writer, self._clock.now())
                removal = Removal(self._store, self._versions, scope, writer)
                rows = await self._store.many(scope, MEMORIES, [row.key for row in memories])  # as they are by now
                for row in await removal.family([row for row in rows if row is not None], whole=True):
                    await redaction.memory(row.value)
                    await removal.drop(row, self._clock.now())
                for each in await self._store.many(scope, REMINDERS, [row.key for row in reminders]):
                    if each is not None:
                        await redaction.reminder(each)
                await redaction.apply()
                writer.frees = True
                try:
                    await writer.commit()
                except Conflict:  # a session with a quote of it was written
                    sessions |= redaction.sessions
                    continue
                return

    async def messages(
        self, scope: Scope, session_id: str, page: Page, *, descending: bool = False
    ) -> tuple[builtins.list[Message], str]:
        """A page of a session's messages by the time they were said; it also ends at 3 MiB. Raises NotFound."""
        question: tuple[Any, ...] = ("messages", session_id, descending)
        after = paging.cursor(question, page.token)
        row = await self._journal.session(scope, session_id)
        rows = await self._store.scan(scope, MESSAGES, row.key, after=after, limit=page.size + 1, reverse=descending)
        found: builtins.list[Message] = []
        room = paging.PAGE_BYTES
        for index, each in enumerate(rows[: page.size]):
            room -= paging.weight(each.value.text) + sum(len(image.data) for image in each.value.images)
            if room < 0 and found:
                return found, paging.token(question, rows[index - 1].key)
            found.append(each.value)
        return found, paging.token(question, rows[page.size - 1].key) if len(rows) > page.size else ""
