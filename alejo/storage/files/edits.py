"""What people did to a user's files, as a batch, with all that a record takes beside itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from alejo.storage import Batch, Delete, Operation, Put, Record, audit
from alejo.storage.blobs import withdraw
from alejo.storage.keyring import PREFIX_BYTES
from alejo.storage.keys import PREFIXES
from alejo.storage.rows import put_memory, remove_memory, time_key
from alejo.storage.store import loose
from alejo.storage.tables import (
    CHANGES,
    DERIVED,
    FACTS,
    MEMORIES,
    MEMORIES_BY_TIME,
    MESSAGES,
    SESSIONS,
    VERSIONS,
    Change,
    Table,
)
from alejo.storage.versions import version_key
from alejo.types import Memory, Version

from .log import Files
from .pages import decode, encode
from .rows import Rows
from .tree import Place

ACTOR = "files"  # who edits, in the audit and the history of a memory
GUARD = b"\0"  # the one row of FACTS
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


def batches(edits: Edits, rows: Rows, prefix: bytes, now: int, versions: int) -> list[Batch]:
    """What takes the edits of a user over: one batch, unless they are too many for one.

    `now` is in µs, `versions` how many former versions of a memory are kept.
    """
    steps: list[Operation] = []
    token = audit.actor.set(ACTOR)
    try:
        _Taking(rows, prefix, now, versions, steps).take(edits)
    finally:
        audit.actor.reset(token)
    return [steps[start : start + _MOST] for start in range(0, len(steps), _MOST)]


class _Taking:
    """Writes into `steps` what the edits of a user come to."""

    def __init__(self, rows: Rows, prefix: bytes, now: int, versions: int, steps: list[Operation]) -> None:
        self._rows = rows
        self._prefix = prefix
        self._now = now
        self._keep = versions
        self._steps = steps
        self._writer = loose(prefix, steps)

    def take(self, edits: Edits) -> None:
        """Every edit, and what follows from it."""
        sessions: set[bytes] = set()
        done = {key for table, key in edits.gone if table == MEMORIES.name} | {edit.place[1] for edit in edits.put}
        for edit in edits.put:
            if edit.before is not None and edit.before != edit.place:
                self._steps.append(Delete(*edit.before))
            if edit.place[0] == MEMORIES.name:
                self._change(edit, done)
            else:
                self._steps.append(Put(*edit.place, encode(edit.value)))
        for table, key in edits.gone:
            if table == MEMORIES.name:
                self._forget(key)
            else:
                self._steps.append(Delete(table, key))
        for table, key in [edit.place for edit in edits.put] + edits.gone:
            if table == MESSAGES.name:
                sessions.add(key[: PREFIX_BYTES + 16])
        self._touch(sessions - {key for table, key in [edit.place for edit in edits.put] + edits.gone})

    def _touch(self, sessions: set[bytes]) -> None:
        """Writes sessions anew, so that every copy of their last messages, in any process, is out of date."""
        for key in sorted(sessions):
            row = self._rows.get(PREFIXES[SESSIONS.name] + key)
            if row is not None:
                self._steps.append(Put(SESSIONS.name, key, row.value))

    def _memory(self, identifier: bytes) -> Memory | None:
        row = self._rows.get(PREFIXES[MEMORIES.name] + self._prefix + identifier)
        return None if row is None else decode(MEMORIES.name, row.value)

    def _change(self, edit: Edit, done: set[bytes]) -> None:
        memory: Memory = edit.value
        former = self._memory(edit.place[1][PREFIX_BYTES:]) if edit.before else None
        if edit.before:
            self._leave_time(memory.id, former)
            withdraw(self._writer)
        put_memory(self._writer, memory)
        audit.record(self._writer, "memory.update" if edit.before else "remember", memory.id, self._now)
        if former is not None:
            self._note_version(former)
        if former is not None and former.text != memory.text:
            for each in self._derived(former):
                if self._prefix + bytes.fromhex(each.id) not in done:
                    put_memory(self._writer, msgspec.structs.replace(each, stale=True))
        if memory.fact or (former and former.fact):
            self._writer.put(FACTS, GUARD, self._now)

    def _note_version(self, former: Memory) -> None:
        place = bytes.fromhex(former.id)
        kept = self._scan(VERSIONS, place)
        number = int.from_bytes(kept[-1].key[-8:], "big") + 1 if kept else 1
        if self._keep:
            self._writer.put(
                VERSIONS, version_key(former.id, number), Version(number, former, self._now, "update", ACTOR)
            )
        for row in kept:
            if int.from_bytes(row.key[-8:], "big") <= number - self._keep:
                self._steps.append(Delete(VERSIONS.name, row.key))

    def _forget(self, key: bytes) -> None:
        """Deletes a memory and, as `Removal` does, those that were derived from it."""
        waiting, seen = [key[PREFIX_BYTES:]], set[bytes]()
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            memory = self._memory(place)
            if memory is not None:
                waiting += [bytes.fromhex(each.id) for each in self._derived(memory)]
                remove_memory(self._writer, memory)
            else:  # its file went while nobody looked, and its words with it
                self._leave_time(place.hex(), None)
                self._writer.delete(MEMORIES, place)
                self._writer.append(CHANGES, Change("delete", place.hex()))
                withdraw(self._writer)
            if memory is None or memory.fact:
                self._writer.put(FACTS, GUARD, self._now)
            for table in (VERSIONS, DERIVED):
                self._steps += [Delete(table.name, row.key) for row in self._scan(table, place)]
            audit.record(self._writer, "memory.forget", place.hex(), self._now)

    def _derived(self, source: Memory) -> list[Memory]:
        place = bytes.fromhex(source.id)
        found = [self._memory(row.key[PREFIX_BYTES + 16 :]) for row in self._scan(DERIVED, place)]
        return [each for each in found if each is not None and source.id in each.sources]

    def _leave_time(self, identifier: str, former: Memory | None) -> None:
        """Removes a memory's place in time: its row tells where that is, unless it was edited while nobody looked."""
        if former is not None:
            self._writer.delete(MEMORIES_BY_TIME, time_key(former.sent_at) + bytes.fromhex(identifier))
            return
        for row in self._scan(MEMORIES_BY_TIME, b""):
            if row.key.endswith(bytes.fromhex(identifier)):
                self._steps.append(Delete(MEMORIES_BY_TIME.name, row.key))

    def _scan(self, table: Table[Any], prefix: bytes) -> list[Record]:
        return self._rows.scan(table.name, self._prefix + prefix, b"", len(self._rows), reverse=False)
