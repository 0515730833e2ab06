"""The reminders of every user, each reached through a scope."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Awaitable, Callable, Container, Iterator, Sequence

import msgspec

from alejo import paging
from alejo.clock import Clock, time_zone
from alejo.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from alejo.ids import Ids, raw
from alejo.reminders.bell import Bell
from alejo.reminders.recurrence import Recurrence
from alejo.storage import audit
from alejo.storage.journal import Journal, message_key
from alejo.storage.requests import Requests, digest
from alejo.storage.rows import put_reminder, reminder_key, remove_reminder, time_key
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import MESSAGES, REMINDERS, REMINDERS_BY_TIME, SESSIONS
from alejo.types import Message, Page, Reminder, ReminderState, Scope

TEXT = 1024  # characters
MOST = 1_000  # pending, of one user
TOLD = 20  # that fell due, told at a time
_TRIES = 8
_DELIVER = "reminder.deliver"
_STEP = 256
_KEPT = 30 * 86_400_000_000  # µs that those which ended are kept
_PENDING, _ENDED = b"\0", b"\1"
_BEYOND = 9  # bytes of a place before the identifier


# Hears within the batch that a reminder, as it was, was heard at a time.
Kept = Callable[[Scope, Writer, Reminder, int], Awaitable[None]]


class Listener:
    """One who listens: is told each that falls due once."""

    def __init__(self, reminders: Reminders, scope: Scope) -> None:
        self._reminders = reminders
        self._scope = scope
        self._told: set[bytes] = set()

    async def news(self) -> builtins.list[Reminder]:
        """Those that are due, were not acknowledged and were not told here, at most 20; nothing, when that is all."""
        found = await self._reminders.due(self._scope, self._told)
        self._told.update(map(reminder_key, found))
        return found


class Reminders:
    """Create, list, acknowledge, dismiss; `bell` rings when one falls due.

    One that fell due is told again and again, to everybody who listens and with every answer, until it is acknowledged
    or dismissed: so a kill at any time loses none.
    """

    def __init__(
        self, store: Store, journal: Journal, requests: Requests, ids: Ids, clock: Clock, kept: Kept | None = None
    ) -> None:
        self._kept = kept
        self._store = store
        self._journal = journal
        self._requests = requests
        self._ids = ids
        self._clock = clock
        self.bell = Bell(self.next_due, clock)

    async def create(
        self,
        scope: Scope,
        text: str,
        due: int,
        *,
        recurrence: str = "",
        zone: str = "",
        request_id: str = "",
        source: Message | None = None,
    ) -> Reminder:
        """Makes a reminder, once for each request id; it is on disk when this returns.

        `source` is the message that asks for it: when that is forgotten, so is the reminder; and when it is answered
        anew after a kill, what it says of the time may mean another, so the request id stands for it whatever `due`.
        Raises InvalidArgument,
        FailedPrecondition when there are too many or the message is forgotten, NotFound if its session is deleted.
        """
        asked: tuple[object, ...] = (source.id,) if source else ("", due, zone)
        body = digest(("reminder.create", text, recurrence, *asked))
        for _ in range(_TRIES):
            done = await self._requests.find(scope, request_id, "reminder.create", body)
            if done is not None:
                return await self.get(scope, done)
            self._check(text, due, recurrence, zone)
            writer = await self._store.writer(scope)
            await self._make_room(scope, writer)
            now = self._clock.now()
            reminder = Reminder(
                self._ids.new(),
                text,
                due,
                now,
                source.session_id if source else "",
                source.id if source else "",
                recurrence=recurrence.upper(),
                time_zone=zone,
                first_due=due,
            )
            if source is not None:
                await self._bind(scope, writer, source)
            put_reminder(writer, reminder)
            self._requests.add(writer, request_id, "reminder.create", body, reminder.id)
            audit.record(writer, "reminder.create", reminder.id, now)
            try:
                return self._changed(scope, reminder, await writer.commit())
            except Conflict:
                if source is not None:
                    self._journal.forget_hot(scope, source.session_id)
        raise _busy()

    async def get(self, scope: Scope, reminder_id: str) -> Reminder:
        """One reminder. Raises NotFound."""
        row = await self._row(scope, reminder_id)
        return msgspec.structs.replace(row.value, version=row.version)

    async def list(
        self, scope: Scope, page: Page, states: Sequence[ReminderState] = ()
    ) -> tuple[builtins.list[Reminder], str]:
        """A page of them: those that are pending by when they fall due, then the others by when they ended."""
        question = ("reminders", sorted(states))
        after = paging.cursor(question, page.token)
        found: builtins.list[Reminder] = []
        only = _PENDING if tuple(states) == (ReminderState.PENDING,) else b""
        while places := await self._store.scan(scope, REMINDERS_BY_TIME, only, after=after, limit=_STEP):
            for place, reminder in await self._read(scope, places):
                if states and reminder.state not in states:
                    continue
                if len(found) == page.size:
                    return found, paging.token(question, after)
                found.append(reminder)
                after = place
            after = places[-1].key
        return found, ""

    async def due(self, scope: Scope, told: Container[bytes] = ()) -> builtins.list[Reminder]:
        """Those that have fallen due and were not acknowledged, the longest due first, at most 20.

        Without those whose place is among `told`.
        """
        end, after = _PENDING + time_key(self._clock.now() + 1), b""
        found: builtins.list[Row[bytes]] = []
        limit = 1  # mostly the first is not due, which is asked with every turn
        while len(found) < TOLD:
            rows = await self._store.scan(scope, REMINDERS_BY_TIME, _PENDING, after=after, limit=limit)
            found += [row for row in rows if row.key < end and row.key not in told]
            if len(rows) < limit or rows[-1].key >= end:
                break
            after, limit = rows[-1].key, TOLD
        return [reminder for _, reminder in await self._read(scope, found[:TOLD])]

    @contextlib.contextmanager
    def listening(self, scope: Scope, ring: Callable[[], None]) -> Iterator[Listener]:
        """Calls `ring` when something may be due, first at once; what it is, the listener tells."""
        with self.bell.listening(scope, ring):
            yield Listener(self, scope)

    async def next_due(self, scope: Scope, moment: int) -> int | None:
        """When the first one after a moment falls due, or fell; None if none does."""
        after = _PENDING + time_key(moment + 1)
        rows = await self._store.scan(scope, REMINDERS_BY_TIME, _PENDING, after=after, limit=1)
        return int.from_bytes(rows[0].key[1:_BEYOND], "big") - int.from_bytes(time_key(0), "big") if rows else None

    async def acknowledge(self, scope: Scope, reminder_id: str, due: int | None = None) -> Reminder:
        """Notes that one was heard that fell due, at `due` if given: it is not told again, or is next when it recurs.

        What is not due, or was due at another time, stays as it is. Raises NotFound.
        """

        def heard(reminder: Reminder, now: int) -> Reminder | None:
            if reminder.state is not ReminderState.PENDING or reminder.due > now or due not in (None, reminder.due):
                return None
            following = _following(reminder, now)
            if following is not None:
                return msgspec.structs.replace(reminder, due=following, delivered_at=now)
            return msgspec.structs.replace(reminder, state=ReminderState.DELIVERED, delivered_at=now, ended_at=now)

        return (await self._change(scope, reminder_id, _DELIVER, heard))[0]

    async def dismiss(self, scope: Scope, reminder_id: str) -> tuple[Reminder, bool]:
        """Takes one back, all that would recur with it; and whether it was pending until then. Raises NotFound."""

        def gone(reminder: Reminder, now: int) -> Reminder | None:
            if reminder.state is ReminderState.DISMISSED:
                return None
            return msgspec.structs.replace(reminder, state=ReminderState.DISMISSED, ended_at=now)

        return await self._change(scope, reminder_id, "reminder.dismiss", gone)

    async def _change(
        self, scope: Scope, reminder_id: str, action: str, change: Callable[[Reminder, int], Reminder | None]
    ) -> tuple[Reminder, bool]:
        for _ in range(_TRIES):
            row, now = await self._row(scope, reminder_id), self._clock.now()
            after = change(row.value, now)
            if after is None:
                return msgspec.structs.replace(row.value, version=row.version), False
            writer = await self._store.writer(scope)
            writer.expect(REMINDERS, row.key, row.version)
            put_reminder(writer, after, row.value)
            audit.record(writer, action, reminder_id, now)
            if action == _DELIVER and self._kept is not None:
                await self._kept(scope, writer, row.value, now)
            try:
                pending = row.value.state is ReminderState.PENDING
                return self._changed(scope, after, await writer.commit()), pending
            except Conflict:
                continue
        raise _busy()

    def _changed(self, scope: Scope, reminder: Reminder, version: int) -> Reminder:
        self.bell.look(scope)
        return msgspec.structs.replace(reminder, version=version)

    async def _row(self, scope: Scope, reminder_id: str) -> Row[Reminder]:
        row = await self._store.get(scope, REMINDERS, raw(reminder_id, "reminder_id"))
        if row is None:
            raise NotFound("reminder", reminder_id)
        return row

    async def _read(self, scope: Scope, places: Sequence[Row[bytes]]) -> builtins.list[tuple[bytes, Reminder]]:
        rows = await self._store.many(scope, REMINDERS, [place.value for place in places])
        return [
            (place.key, msgspec.structs.replace(row.value, version=row.version))
            for place, row in zip(places, rows, strict=True)
            if row is not None
        ]

    def _check(self, text: str, due: int, recurrence: str, zone: str) -> None:
        if not text.strip():
            raise InvalidArgument.field("text", "is required")
        if len(text) > TEXT:
            raise InvalidArgument.field("text", f"must have at most {TEXT:,} characters")
        if due <= self._clock.now():
            raise InvalidArgument.field("due_at", "must be in the future")
        known = time_zone(zone) if zone else None
        if zone and known is None:
            raise InvalidArgument.field("time_zone", "is no time zone of the IANA's database")
        if recurrence:
            Recurrence(recurrence)
            if known is None:
                raise InvalidArgument.field("time_zone", "is required, as the reminder recurs")

    async def _make_room(self, scope: Scope, writer: Writer) -> None:
        """Takes some of those out that ended long ago. Raises FailedPrecondition when too many are pending."""
        oldest = _ENDED + time_key(self._clock.now() - _KEPT)
        ended = await self._store.scan(scope, REMINDERS_BY_TIME, _ENDED, limit=_STEP)
        for _, reminder in await self._read(scope, [row for row in ended if row.key < oldest]):
            writer.expect(REMINDERS, bytes.fromhex(reminder.id), reminder.version)
            remove_reminder(writer, reminder)
        if len(await self._store.scan(scope, REMINDERS_BY_TIME, _PENDING, limit=MOST)) == MOST:
            raise FailedPrecondition(f"There are {MOST:,} reminders to come; dismiss some first.")

    async def _bind(self, scope: Scope, writer: Writer, source: Message) -> None:
        """Makes the batch meet whoever forgets the message or deletes its session, or refuse."""
        place = message_key(source.session_id, source.sent_at, source.seq)
        said = await self._store.get(scope, MESSAGES, place)
        session = await self._journal.session(scope, source.session_id)
        if said is None or said.value.redacted:
            raise FailedPrecondition("The message that asks for this has been forgotten.")
        writer.expect(MESSAGES, place, said.version)
        writer.expect(SESSIONS, session.key, session.version)
        writer.put(SESSIONS, session.key, session.value)
        self._journal.forget_hot(scope, source.session_id)


def _following(reminder: Reminder, now: int) -> int | None:
    """When one that recurs falls due after now."""
    zone = time_zone(reminder.time_zone) if reminder.recurrence else None
    try:
        return Recurrence(reminder.recurrence).after(reminder.first_due, now, zone) if zone is not None else None
    except InvalidArgument:  # it was brought in from elsewhere
        return None


def _busy() -> Conflict:
    return Conflict("The reminders are being changed by somebody else; try again.")
