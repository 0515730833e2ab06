"""Turns on disk: found again by their request id, received with the user's message, finished with the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from alejo.clock import Clock
from alejo.conversation.desk import TurnDesk
from alejo.conversation.moods import Moods
from alejo.conversation.senses import Senses
from alejo.errors import AlejoError, AlreadyExists, Conflict, NotFound, Unavailable
from alejo.ids import Ids, raw
from alejo.memory.recall import sound, versioned
from alejo.memory.remember import Remember
from alejo.queue.promises import Promises
from alejo.roles import Told
from alejo.sessions import Sessions
from alejo.storage import audit
from alejo.storage.journal import Journal
from alejo.storage.redaction import FORGOTTEN, note_quote, scrub
from alejo.storage.requests import Requests, digest, key
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import MEMORIES, REMINDERS, SESSIONS, TURNS, Recalled, TurnRow
from alejo.types import (
    Answer,
    Ask,
    Degraded,
    Focus,
    Hit,
    JobState,
    Memory,
    Message,
    Percept,
    Role,
    Ruling,
    Scope,
    Session,
    Workspace,
)

_TRIES = 8
_QUOTE = 8  # characters of a picture that are known again in an answer
_PRUNE_EVERY = 64
DONE = "done"


class Underway:
    """A turn being answered: its row, session and user message, what was said before, and its first commit."""

    __slots__ = (
        "ask",
        "committed",
        "earlier",
        "formed",
        "memories",
        "message",
        "missing",
        "scope",
        "seen",
        "session",
        "turn",
        "turn_id",
        "version",
    )

    turn: TurnRow
    session: Session
    message: Message
    turn_id: str

    def __init__(self, scope: Scope, ask: Ask) -> None:
        self.scope = scope
        self.ask = ask
        self.earlier: tuple[Message, ...] = ()
        self.memories: tuple[Memory, ...] = ()
        self.formed: tuple[Memory, ...] = ()  # with the answer: what was seen
        self.missing: list[Degraded] = []
        self.committed: asyncio.Future[None] | None = None
        self.version = 0  # of the turn's row, so that nobody else's word on it is overwritten
        self.seen = 0  # of the session's row, as of which it is known what was said before


class Turns:
    """The rows of turns."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        sessions: Sessions,
        requests: Requests,
        remembering: Remember,
        promises: Promises,
        moods: Moods,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._store = store
        self._journal = journal
        self._sessions = sessions
        self._requests = requests
        self._remember = remembering
        self._promises = promises
        self._moods = moods
        self._ids = ids
        self._clock = clock

    async def find(self, scope: Scope, ask: Ask) -> Answer | Row[TurnRow] | None:
        """The stored answer of this request, its unfinished turn, or None. Raises AlreadyExists for another body."""
        row = await self._store.get(scope, TURNS, key(ask.request_id))
        if row is None:
            return None
        if row.value.body != body(ask):
            raise another_body()
        return await self._replay(scope, row.value) if row.value.state == DONE else row

    async def done(self, scope: Scope, request_id: str) -> Answer:
        """The stored answer of a request. Raises NotFound, for a turn that has none too."""
        row = await self._store.get(scope, TURNS, key(request_id))
        if row is None or row.value.state != DONE:
            raise NotFound("turn", request_id)
        return await self._replay(scope, row.value)

    async def _replay(self, scope: Scope, turn: TurnRow) -> Answer:
        user = await self._journal.message(scope, turn.session_id, turn.user_sent_at, turn.user_seq)
        answer = await self._journal.message(scope, turn.session_id, turn.answer_sent_at, turn.answer_seq)
        if user is None or answer is None:
            raise NotFound("turn", turn.id)  # its session was deleted
        hits = []
        for each in turn.recalled:
            row = await sound(self._store, scope, each.memory_id)
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
            turn.model,
            await self._promises.reached(scope, turn.session_id, turn.answer_seq),
            turn.verdicts,
            workspace=await self._attended(scope, turn.workspace),
        )

    async def told(self, scope: Scope, earlier: Sequence[Message]) -> Told | None:
        """The last of the turns, of which these messages are, that is over."""
        for message in reversed(earlier):
            if message.role is not Role.ASSISTANT or not message.request_key:
                continue
            row = await self._store.get(scope, TURNS, message.request_key)
            if row is None or row.value.state != DONE:
                continue
            said = await self._replay(scope, row.value)
            return Told(
                said.user_message,
                said.message,
                said.recalled,
                said.appraisal,
                said.percepts,
                said.degraded,
                said.commands,
                said.verdicts,
                said.model,
            )
        return None

    async def said(self, scope: Scope, message: Message, limit: int) -> list[Message]:
        """The messages of a session before one, newest last."""
        return await self._journal.before(scope, message, limit)

    async def foci(self, scope: Scope, last: Message) -> tuple[Focus, ...]:
        """What was attended to in the turn of a session's last message, if it has an answer."""
        row = await self._store.get(scope, TURNS, last.request_key) if last.request_key else None
        workspace = row.value.workspace if row is not None else None
        return workspace.foci if workspace is not None else ()

    async def _attended(self, scope: Scope, workspace: Workspace | None) -> Workspace | None:
        """A workspace as it was kept, without memories that are gone."""
        if workspace is None:
            return None
        foci = []
        for focus in workspace.foci:
            candidate = focus.candidate
            if candidate.about != "memory" or await sound(self._store, scope, candidate.reference) is not None:
                foci.append(focus)
        return msgspec.structs.replace(workspace, foci=tuple(foci))

    async def asked(self, scope: Scope, answer: Message) -> bool:
        """Whether an answer asked the user to confirm what they want."""
        row = await self._store.get(scope, TURNS, answer.request_key) if answer.request_key else None
        return row is not None and any(verdict.ruling is Ruling.ASK for verdict in row.value.verdicts)

    async def receive(
        self, scope: Scope, ask: Ask, before: Row[TurnRow] | None, *, beside: bool, fresh: bool
    ) -> Underway:
        """Commits the user's message; a turn that was cut short goes on under the same message.

        With `beside` the commit is under way when this returns, in `committed`, else it is done. Raises NotFound or
        FailedPrecondition for the session, Unavailable when another process is answering this turn.
        """
        if before is not None:
            return await self._resume(scope, before)
        underway = Underway(scope, ask)
        underway.turn_id = ask.request_id if fresh else self._ids.new()
        lock = self._journal.lock(scope, ask.session_id) if ask.session_id else None
        if lock is not None:
            await lock.acquire()
        try:
            writer = await self._prepare(underway)
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        commit = self._commit(underway, writer, lock)
        if beside:
            underway.committed = asyncio.ensure_future(commit)
        else:
            await commit
        return underway

    async def _resume(self, scope: Scope, before: Row[TurnRow]) -> Underway:
        turn = before.value
        message = await self._journal.message(scope, turn.session_id, turn.user_sent_at, turn.user_seq)
        if message is None:
            raise NotFound("session", turn.session_id)
        row = await self._journal.session(scope, turn.session_id)
        session, recent = row.value, await self._journal.recent(scope, row)
        underway = Underway(scope, Ask(message.text, session.id, turn.request_id))
        underway.turn, underway.session, underway.message, underway.version = turn, session, message, before.version
        underway.seen = row.version
        underway.earlier = tuple(each for each in recent if each.seq < message.seq)
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
        underway.memories, underway.missing = await self._remember.keep(scope, writer, message)
        underway.turn = TurnRow(
            underway.turn_id,
            ask.request_id,
            session.id,
            body(ask),
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
                    underway.version = underway.seen = await writer.commit()
                except Conflict:
                    # Another process was faster, with this session or with this very request.
                    self._journal.forget_hot(underway.scope, underway.session.id)
                    if await self._store.get(underway.scope, TURNS, key(underway.ask.request_id)):
                        break
                    writer = await self._prepare(underway)
                    continue
                self._journal.said(underway.scope, underway.session, underway.version, underway.message)
                return
            raise Unavailable("The turn is being answered elsewhere; send it again with the same request id.")
        finally:
            if lock is not None:
                lock.release()

    async def finish(self, underway: Underway, senses: Senses, desk: TurnDesk, text: str) -> Answer:
        """Commits the answer with all it leaves behind.

        Raises FailedPrecondition if the session ended meanwhile, NotFound if it was deleted. Where another process was
        faster, its answer is the answer.
        """
        scope = underway.scope
        async with self._journal.lock(scope, underway.turn.session_id):
            for attempt in range(_TRIES):
                # What this row guards is read after it: what changes later makes the commit a conflict.
                row = await self._journal.current(scope, underway.turn.session_id)
                if attempt:
                    done = await self._look_again(underway, senses, desk, text)
                    if done is not None:
                        return done
                if row.version != underway.seen:
                    await self._reread(underway, desk, text)
                    underway.seen = row.version
                writer, session, answer = await self._compose(underway, senses, desk, text, row)
                try:
                    version = await writer.commit()
                except Conflict:
                    self._journal.forget_hot(scope, underway.turn.session_id)
                    continue
                self._journal.said(scope, session, version, answer)
                if desk.forgotten:
                    answer = msgspec.structs.replace(answer, text=text)
                return self._answer(underway, answer, senses, desk)
        raise Unavailable("The session is being written elsewhere; send the turn again with the same request id.")

    async def _compose(
        self, underway: Underway, senses: Senses, desk: TurnDesk, text: str, row: Row[Session]
    ) -> tuple[Writer, Session, Message]:
        scope, turn, place = underway.scope, underway.turn, key(underway.turn.request_id)
        writer = await self._store.writer(scope)
        writer.expect(SESSIONS, row.key, row.version)
        writer.expect(TURNS, place, underway.version)
        session, answer = self._journal.append(
            writer,
            row.value,
            FORGOTTEN if desk.hollow else scrub(text, desk.forgotten),
            Role.ASSISTANT,
            sent_at=max(self._clock.now(), underway.message.sent_at),
            request_key=place,
        )
        writer.put(SESSIONS, row.key, session)
        writer.put(TURNS, place, _done(underway, senses, desk, answer))
        underway.formed = self._remember.seen(writer, underway.message, senses.percepts)
        self._account(writer, desk, answer)
        for words in {each for percept in senses.percepts for each in _shown(percept)}:
            if words in answer.text:
                note_quote(writer, underway.message.id, answer)
                break
        if not desk.forgotten:  # else what it was about may be what was forgotten
            self._moods.keep(writer, place, senses, desk.commands)
        audit.record(writer, "turn", turn.id, answer.recorded_at)
        for verdict in desk.review.verdicts:
            audit.record(writer, f"verdict.{verdict.ruling}", f"{turn.id} {verdict.rule}", answer.recorded_at)
        await self._promises.said(writer, scope, session)
        if session.message_count % _PRUNE_EVERY == 0:
            await self._requests.prune(scope, writer)
        return writer, session, answer

    def _account(self, writer: Writer, desk: TurnDesk, answer: Message) -> None:
        """Notes what the answer quotes, so that forgetting it takes the quote too."""
        for subject in desk.handed:
            if desk.quotes(subject, answer.text):
                # A memory or reminder must still be there, or its words are not for the disk.
                for table, versions in ((MEMORIES, desk.versions), (REMINDERS, desk.reminded)):
                    if subject in versions:
                        writer.expect(table, bytes.fromhex(subject), versions[subject])
                note_quote(writer, subject, answer)

    def _answer(self, underway: Underway, answer: Message, senses: Senses, desk: TurnDesk) -> Answer:
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
            _degraded(underway, senses),
            tuple(desk.commands),
            model=None if desk.models is None else desk.models.use,
            reflection=JobState.QUEUED if self._promises.reflects else None,
            verdicts=tuple(desk.review.verdicts),
            workspace=senses.workspace,
        )

    async def _look_again(self, underway: Underway, senses: Senses, desk: TurnDesk, text: str) -> Answer | None:
        """After a conflict: the answer of whoever was faster, or None with what was forgotten meanwhile taken out.

        `text` is what is to be answered.
        """
        scope, turn = underway.scope, underway.turn
        row = await self._store.get(scope, TURNS, key(turn.request_id))
        if row is None:
            raise NotFound("session", turn.session_id)
        if row.value.state == DONE:
            return await self._replay(scope, row.value)
        underway.version = row.version
        for subject in list(desk.versions):
            memory = await sound(self._store, scope, subject)
            if memory is None:
                desk.lose(subject, text)
            else:
                desk.versions[subject] = memory.version
        for subject in list(desk.reminded):
            reminder = await self._store.sound(scope, REMINDERS, bytes.fromhex(subject))
            if reminder is None:
                desk.lose(subject, text)
            else:
                desk.reminded[subject] = reminder.version
        message = await self._journal.message(scope, turn.session_id, turn.user_sent_at, turn.user_seq)
        if message is None:
            raise NotFound("session", turn.session_id)
        desk.reread(message, text)
        if message.redacted:
            senses.appraisal, senses.lived, senses.workspace = None, None, None
            senses.percepts, senses.recalled = (), ()
        underway.message = message
        gone = set(desk.forgotten)
        senses.recalled = tuple(hit for hit in senses.recalled if hit.memory.text not in gone)
        senses.workspace = await self._attended(scope, senses.workspace)
        return None

    async def _reread(self, underway: Underway, desk: TurnDesk, text: str) -> None:
        """Looks at the messages that were handed out of this session: they may have lost words since."""
        for each in desk.shown:
            message = await self._journal.message(underway.scope, each.session_id, each.sent_at, each.seq)
            if message is None:
                raise NotFound("session", each.session_id)
            desk.reread(message, text)

    async def end(self, underway: Underway, state: str) -> None:
        """Notes that a turn failed or was interrupted, if its message is on disk and nobody has answered it."""
        place = key(underway.turn.request_id)
        try:
            if underway.committed is not None:
                await underway.committed
            for _ in range(_TRIES):
                row = await self._store.get(underway.scope, TURNS, place)
                if row is None or row.value.state == DONE:
                    return
                writer = await self._store.writer(underway.scope, begin=False)
                writer.expect(TURNS, place, row.version)
                writer.put(TURNS, place, msgspec.structs.replace(row.value, state=state))
                audit.record(writer, f"turn.{state}", row.value.id, self._clock.now())
                try:
                    await writer.commit()
                except Conflict:
                    continue
                return
        except AlejoError:
            return  # what is on disk stands as "received", which a retry continues just the same


def _done(underway: Underway, senses: Senses, desk: TurnDesk, answer: Message) -> TurnRow:
    return msgspec.structs.replace(
        underway.turn,
        state=DONE,
        answer_seq=answer.seq,
        answer_sent_at=answer.sent_at,
        recalled=tuple(Recalled(h.memory.id, h.score, h.coverage, h.evidence, h.measured) for h in senses.recalled),
        appraisal=senses.appraisal,
        percepts=senses.percepts,
        degraded=_degraded(underway, senses),
        commands=tuple(desk.commands),
        model=None if desk.models is None else desk.models.use,
        verdicts=tuple(desk.review.verdicts),
        workspace=senses.workspace,
    )


def _shown(percept: Percept) -> list[str]:
    """The words of a picture that an answer may quote."""
    words = (percept.caption, *percept.text.splitlines(), *(each.text for each in percept.barcodes))
    return [each for each in words if len(each) >= _QUOTE]


def _degraded(underway: Underway, senses: Senses) -> tuple[Degraded, ...]:
    return tuple(senses.degraded + [each for each in underway.missing if each not in senses.degraded])


def body(ask: Ask) -> bytes:
    """What tells this turn from another with the same request id."""
    return digest((ask.session_id, ask.text, ask.images, ask.sent_at, ask.metadata))


def another_body() -> AlreadyExists:
    """The error of a request id that stands for another message."""
    return AlreadyExists("This request id was used before for another message.")
