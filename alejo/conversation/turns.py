"""Turns on disk: found again by their request id, received with the user's message, finished with the answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import msgspec

from alejo.clock import Clock
from alejo.conversation.desk import TurnDesk
from alejo.conversation.senses import Senses
from alejo.errors import AlejoError, AlreadyExists, Conflict, NotFound, Unavailable
from alejo.ids import Ids, raw
from alejo.memory.recall import versioned
from alejo.memory.remember import Remember
from alejo.sessions import Sessions
from alejo.storage import audit
from alejo.storage.journal import Journal, message_key
from alejo.storage.requests import Requests, digest, key
from alejo.storage.store import Store, Writer
from alejo.storage.tables import MEMORIES, MESSAGES, QUOTES, SESSIONS, TURNS, Recalled, TurnRow
from alejo.types import Answer, Ask, Degraded, Hit, Memory, Message, Role, Scope, Session

_TRIES = 8
_PRUNE_EVERY = 64
FORGOTTEN = "[forgotten]"


class Underway:
    """A turn being answered: its row, session and user message, what was said before, and its first commit."""

    __slots__ = ("ask", "committed", "earlier", "memories", "message", "missing", "scope", "session", "turn")

    turn: TurnRow
    session: Session
    message: Message

    def __init__(self, scope: Scope, ask: Ask) -> None:
        self.scope = scope
        self.ask = ask
        self.earlier: tuple[Message, ...] = ()
        self.memories: tuple[Memory, ...] = ()
        self.missing: list[Degraded] = []
        self.committed: asyncio.Future[None] | None = None


class Turns:
    """The rows of turns."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        sessions: Sessions,
        requests: Requests,
        remembering: Remember,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._store = store
        self._journal = journal
        self._sessions = sessions
        self._requests = requests
        self._remember = remembering
        self._ids = ids
        self._clock = clock

    async def find(self, scope: Scope, ask: Ask) -> Answer | TurnRow | None:
        """The stored answer of this request, its unfinished turn, or None. Raises AlreadyExists for another body."""
        row = await self._store.get(scope, TURNS, key(ask.request_id))
        if row is None:
            return None
        if row.value.body != _body(ask):
            raise AlreadyExists("This request id was used before for another message.")
        return await self._replay(scope, row.value) if row.value.state == "done" else row.value

    async def _replay(self, scope: Scope, turn: TurnRow) -> Answer:
        user = await self._journal.message(scope, turn.session_id, turn.user_sent_at, turn.user_seq)
        answer = await self._journal.message(scope, turn.session_id, turn.answer_sent_at, turn.answer_seq)
        if user is None or answer is None:
            raise NotFound("turn", turn.id)  # its session was deleted
        hits = []
        for each in turn.recalled:
            row = await self._store.get(scope, MEMORIES, bytes.fromhex(each.memory_id))
            if row is not None:
                hits.append(Hit(versioned(row.value, row.version), each.score, each.coverage, each.evidence))
        return Answer(
            turn.id,
            turn.request_id,
            turn.session_id,
            user,
            answer,
            tuple(hits),
            turn.appraisal,
            turn.percepts,
            turn.degraded,
            turn.commands,
            True,
        )

    async def receive(self, scope: Scope, ask: Ask, before: TurnRow | None) -> Underway:
        """Starts the commit of the user's message; a turn that was cut short goes on under the same message.

        Raises NotFound or FailedPrecondition for the session.
        """
        if before is not None:
            return await self._resume(scope, before)
        underway = Underway(scope, ask)
        lock = self._journal.lock(scope, ask.session_id)
        if ask.session_id:
            await lock.acquire()
        try:
            writer = await self._prepare(underway)
        except BaseException:
            if ask.session_id:
                lock.release()
            raise
        underway.committed = asyncio.ensure_future(self._commit(underway, writer, lock if ask.session_id else None))
        return underway

    async def _resume(self, scope: Scope, before: TurnRow) -> Underway:
        message = await self._journal.message(scope, before.session_id, before.user_sent_at, before.user_seq)
        if message is None:
            raise NotFound("session", before.session_id)
        row = await self._journal.session(scope, before.session_id)
        session, recent = row.value, await self._journal.recent(scope, row)
        earlier = tuple(each for each in recent if each.seq < message.seq)
        underway = Underway(scope, Ask(message.text, session.id))
        underway.turn, underway.session, underway.message, underway.earlier = before, session, message, earlier
        return underway

    async def _prepare(self, underway: Underway) -> Writer:
        scope, ask = underway.scope, underway.ask
        writer = await self._store.writer(scope)
        if ask.session_id:
            raw(ask.session_id, "session_id")
            row = await self._journal.current(scope, ask.session_id)
            before = row.value
            underway.earlier = await self._journal.recent(scope, row)
            writer.expect(SESSIONS, row.key, row.version)
        else:
            before = self._sessions.new(writer)
        place = key(ask.request_id)
        session, message = self._journal.append(
            writer,
            before,
            ask.text,
            Role.USER,
            images=ask.images,
            sent_at=ask.sent_at,
            metadata=ask.metadata,
            request_key=place,
        )
        underway.session, underway.message = session, message
        underway.memories, underway.missing = await self._remember.keep(writer, message)
        underway.turn = TurnRow(
            self._ids.new(),
            ask.request_id,
            session.id,
            _body(ask),
            "received",
            message.recorded_at,
            message.seq,
            message.sent_at,
        )
        writer.put(SESSIONS, bytes.fromhex(session.id), session)
        writer.expect(TURNS, place, None)
        writer.put(TURNS, place, underway.turn)
        return writer

    async def _commit(self, underway: Underway, writer: Writer, lock: asyncio.Lock | None) -> None:
        try:
            for _ in range(_TRIES):
                try:
                    version = await writer.commit()
                except Conflict:
                    # Another process was faster, with this session or with this very request.
                    self._journal.forget_hot(underway.scope, underway.session.id)
                    if await self._store.get(underway.scope, TURNS, key(underway.ask.request_id)):
                        break
                    writer = await self._prepare(underway)
                    continue
                self._journal.said(underway.scope, underway.session, version, underway.message)
                return
            raise Unavailable("The turn is being answered elsewhere; send it again with the same request id.")
        finally:
            if lock is not None:
                lock.release()

    async def finish(self, underway: Underway, senses: Senses, desk: TurnDesk, text: str) -> Answer:
        """Commits the answer with all it leaves behind. Raises FailedPrecondition if the session ended meanwhile."""
        scope, turn = underway.scope, underway.turn
        place = key(turn.request_id)
        degraded = tuple(dict.fromkeys([*senses.degraded, *underway.missing]))
        async with self._journal.lock(scope, turn.session_id):
            for _ in range(_TRIES):
                row = await self._journal.current(scope, turn.session_id)
                writer = await self._store.writer(scope)
                writer.expect(SESSIONS, row.key, row.version)
                stored = _scrub(text, desk.forgotten)
                session, answer = self._journal.append(writer, row.value, stored, Role.ASSISTANT, request_key=place)
                writer.put(SESSIONS, row.key, session)
                done = msgspec.structs.replace(
                    turn,
                    state="done",
                    answer_seq=answer.seq,
                    answer_sent_at=answer.sent_at,
                    recalled=tuple(Recalled(h.memory.id, h.score, h.coverage, h.evidence) for h in senses.recalled),
                    appraisal=senses.appraisal,
                    percepts=senses.percepts,
                    degraded=degraded,
                    commands=tuple(desk.commands),
                )
                writer.put(TURNS, place, done)
                self._account(writer, underway, senses, desk, answer)
                audit.record(writer, "turn", turn.id, answer.recorded_at)
                if session.message_count % _PRUNE_EVERY == 0:
                    await self._requests.prune(scope, writer)
                try:
                    version = await writer.commit()
                except Conflict:
                    self._journal.forget_hot(scope, session.id)
                    continue
                self._journal.said(scope, session, version, answer)
                if desk.forgotten:
                    self._journal.forget_hot(scope, session.id)
                    answer = msgspec.structs.replace(answer, text=text)
                return _answer(underway, answer, senses, degraded, desk)
        raise Unavailable("The session is being written elsewhere; send the turn again with the same request id.")

    def _account(self, writer: Writer, underway: Underway, senses: Senses, desk: TurnDesk, answer: Message) -> None:
        """Notes which memories the answer quotes, so that forgetting one takes the quote too."""
        handed = desk.handed | {hit.memory.id: hit.memory.text for hit in senses.recalled}
        answer_key = message_key(answer.session_id, answer.sent_at, answer.seq)
        for memory_id, words in handed.items():
            if words and words in answer.text:
                writer.put(QUOTES, bytes.fromhex(memory_id) + answer.request_key, answer_key)
        message = underway.message
        if desk.forgotten and (bare := _scrub(message.text, desk.forgotten)) != message.text:
            place = message_key(message.session_id, message.sent_at, message.seq)
            writer.put(MESSAGES, place, msgspec.structs.replace(message, text=bare))

    async def end(self, underway: Underway, state: str) -> None:
        """Notes that a turn failed or was interrupted, if its message is on disk."""
        try:
            if underway.committed is not None:
                await underway.committed
            writer = await self._store.writer(underway.scope)
            turn = msgspec.structs.replace(underway.turn, state=state)
            writer.put(TURNS, key(turn.request_id), turn)
            audit.record(writer, f"turn.{state}", turn.id, self._clock.now())
            await writer.commit()
        except AlejoError:
            return  # what is on disk stands as "received", which a retry continues just the same


def _answer(
    underway: Underway, answer: Message, senses: Senses, degraded: tuple[Degraded, ...], desk: TurnDesk
) -> Answer:
    turn = underway.turn
    return Answer(
        turn.id,
        turn.request_id,
        turn.session_id,
        underway.message,
        answer,
        senses.recalled,
        senses.appraisal,
        senses.percepts,
        degraded,
        tuple(desk.commands),
    )


def _scrub(text: str, phrases: Sequence[str]) -> str:
    """The text without what was just forgotten, whatever its case."""
    for phrase in phrases:
        text = re.sub(re.escape(phrase.strip().rstrip(".!")), FORGOTTEN, text, flags=re.IGNORECASE)
    return text


def _body(ask: Ask) -> bytes:
    return digest((ask.session_id, ask.text, ask.images, ask.sent_at, ask.metadata))
