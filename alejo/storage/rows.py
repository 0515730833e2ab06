"""Writes that take several rows: a memory with its place in time and its change, a reminder with its places, an origin
with what it became.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from alejo.storage.blobs import withdraw
from alejo.storage.store import Row, Store, Writer
from alejo.storage.tables import (
    CHANGES,
    DERIVED,
    MEMORIES,
    MEMORIES_BY_TIME,
    ORIGINS,
    RECALLS,
    REMINDERS,
    REMINDERS_BY_TIME,
    REMINDERS_OF,
    Change,
    Origin,
)
from alejo.types import Memory, Reminder, Scope

_EPOCH = 1 << 62  # keeps times before 1970 in order


def time_key(sent_at: int) -> bytes:
    """A time in µs as 8 bytes that sort."""
    return (sent_at + _EPOCH).to_bytes(8, "big")


def put_memory(writer: Writer, memory: Memory, derived: Collection[str] = ()) -> None:
    """Adds to a batch all it takes to keep a memory, new or changed (its `sent_at` never changes).

    A batch that derives it from others expects these as they were read; those in `derived` it was derived from before,
    and the batch expects it as it was then.
    """
    place = bytes.fromhex(memory.id)
    for source in (bytes.fromhex(each) for each in memory.sources if each not in derived):
        writer.put(DERIVED, source, b"")
        writer.put(DERIVED, source + place, b"")
    writer.put(MEMORIES, place, memory)
    writer.put(MEMORIES_BY_TIME, time_key(memory.sent_at) + place, memory.id)
    writer.append(CHANGES, Change("put", memory.id))


def remove_memory(writer: Writer, memory: Memory) -> None:
    """Adds to a batch all it takes to delete a memory."""
    place = bytes.fromhex(memory.id)
    for source in map(bytes.fromhex, memory.sources):
        writer.delete(DERIVED, source + place)
    writer.delete(MEMORIES, place)
    writer.delete(MEMORIES_BY_TIME, time_key(memory.sent_at) + place)
    writer.delete(RECALLS, place)
    writer.append(CHANGES, Change("delete", memory.id))
    withdraw(writer)  # what was made of it


def put_reminder(writer: Writer, reminder: Reminder, before: Reminder | None = None) -> None:
    """Adds to a batch all it takes to keep a reminder, new or changed from `before`."""
    place = bytes.fromhex(reminder.id)
    if before is not None:
        writer.delete(REMINDERS_BY_TIME, reminder_key(before))
    elif reminder.message_id:
        writer.put(REMINDERS_OF, bytes.fromhex(reminder.message_id), b"")
        writer.put(REMINDERS_OF, bytes.fromhex(reminder.message_id) + place, b"")
    writer.put(REMINDERS, place, reminder)
    writer.put(REMINDERS_BY_TIME, reminder_key(reminder), place)


def remove_reminder(writer: Writer, reminder: Reminder) -> None:
    """Adds to a batch all it takes to delete a reminder."""
    place = bytes.fromhex(reminder.id)
    writer.delete(REMINDERS, place)
    writer.delete(REMINDERS_BY_TIME, reminder_key(reminder))
    if reminder.message_id:
        writer.delete(REMINDERS_OF, bytes.fromhex(reminder.message_id) + place)


def reminder_key(reminder: Reminder) -> bytes:
    """Where a reminder stands among the user's: those that are pending by when they fall due, then the others."""
    ended = reminder.ended_at
    when = b"\0" + time_key(reminder.due) if ended is None else b"\1" + time_key(ended)
    return when + bytes.fromhex(reminder.id)


def origin_key(origin: str) -> bytes:
    """Where an identity of another system is kept."""
    return hashlib.sha256(origin.encode()).digest()[:16]


async def find_origin(store: Store, scope: Scope, origin: str) -> Row[Origin] | None:
    """What an identity of another system became, or None."""
    return await store.get(scope, ORIGINS, origin_key(origin)) if origin else None


def put_origin(writer: Writer, origin: str, value: Origin, replaces: int | None) -> None:
    """Binds an origin in a batch; `replaces` is the version of a row whose object is gone."""
    if origin:
        writer.expect(ORIGINS, origin_key(origin), replaces)
        writer.put(ORIGINS, origin_key(origin), value)
