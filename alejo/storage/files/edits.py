"""What people did to a user's files, as a batch, with all that a record takes beside itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from alejo.storage import Append, Batch, Delete, Operation, Put
from alejo.storage.keyring import PREFIX_BYTES
from alejo.storage.keys import PREFIXES
from alejo.storage.rows import time_key
from alejo.storage.tables import AUDIT, CHANGES, MEMORIES, MEMORIES_BY_TIME, MESSAGES, SESSIONS, AuditEntry, Change
from alejo.types import Memory

from .log import Files
from .pages import decode, encode
from .rows import Rows
from .tree import Place

_MOST = 50_000  # operations; the last number in a batch is 65,535


class Refusal(NamedTuple):
    """A file that is no record, why, and the line that says so."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


class Edit(NamedTuple):
    """A record as its files now tell it. `before` is where it was in storage, if it was."""

    before: Place | None
    place: Place
    value: Any
    files: Files


class Edits(NamedTuple):
    """What was done to a user's files: records that came or changed, and records that went."""

    put: list[Edit]
    gone: list[Place]


def batches(edits: Edits, rows: Rows, prefix: bytes, now: int) -> list[Batch]:
    """What takes the edits of a user over: one batch, unless they are too many for one. `now` is in µs."""
    steps = list(_steps(edits, rows, prefix, now))
    return [steps[start : start + _MOST] for start in range(0, len(steps), _MOST)]


def _steps(edits: Edits, rows: Rows, prefix: bytes, now: int) -> Iterator[Operation]:
    sessions: set[bytes] = set()
    for edit in edits.put:
        table, key = edit.place
        if edit.before is not None and edit.before != edit.place:
            yield Delete(*edit.before)
        yield Put(table, key, encode(edit.value))
        if table == MEMORIES.name:
            yield from _times(rows, prefix, key[PREFIX_BYTES:])
            yield Put(
                MEMORIES_BY_TIME.name, prefix + time_key(edit.value.sent_at) + key[PREFIX_BYTES:], encode(edit.value.id)
            )
            yield from _told(prefix, "put", "memory.update" if edit.before else "remember", edit.value.id, now)
        elif table == MESSAGES.name:
            sessions.add(key[: PREFIX_BYTES + 16])
    for table, key in edits.gone:
        yield Delete(table, key)
        if table == MEMORIES.name:
            yield from _times(rows, prefix, key[PREFIX_BYTES:])
            yield from _told(prefix, "delete", "memory.forget", key[PREFIX_BYTES:].hex(), now)
        elif table == MESSAGES.name:
            sessions.add(key[: PREFIX_BYTES + 16])
    done = set(edits.gone) | {edit.place for edit in edits.put}
    for key in sorted(sessions):
        # Written anew, so that every copy of its last messages, in any process, is out of date.
        row = rows.get(PREFIXES[SESSIONS.name] + key)
        if row is not None and (SESSIONS.name, key) not in done:
            yield Put(SESSIONS.name, key, row.value)


def _told(prefix: bytes, op: str, action: str, identifier: str, now: int) -> Iterator[Operation]:
    change, entry = encode(Change(op, identifier)), encode(AuditEntry(action, identifier, now, "files"))
    yield Append(CHANGES.name, prefix, lambda _: change)
    yield Append(AUDIT.name, prefix, lambda _: entry)


def _times(rows: Rows, prefix: bytes, identifier: bytes) -> Iterator[Operation]:
    """Removes a memory's places in time: its row tells where it is, unless its file was changed while nobody looked."""
    row = rows.get(PREFIXES[MEMORIES.name] + prefix + identifier)
    if row is not None:
        before: Memory = decode(MEMORIES.name, row.value)
        yield Delete(MEMORIES_BY_TIME.name, prefix + time_key(before.sent_at) + identifier)
        return
    for each in rows.scan(MEMORIES_BY_TIME.name, prefix, b"", len(rows), reverse=False):
        if each.key.endswith(identifier):
            yield Delete(MEMORIES_BY_TIME.name, each.key)
