"""What was done, by whom, when: one row in the same commit as the deed. Never what was said."""

from __future__ import annotations

import hashlib
from contextvars import ContextVar

import msgspec

from alejo.storage.store import Writer
from alejo.storage.tables import AUDIT, AuditEntry

_BEFORE = bytes(8)  # no commit has the sequence 0
_APPENDED = 10  # sequence and place

# The key that calls, set by the server for the length of a call; empty for the local user and the library.
actor: ContextVar[str] = ContextVar("alejo_actor", default="")


def record(writer: Writer, action: str, subject: str, at: int) -> None:
    """Adds an entry to a batch. `action` is a stable word such as "turn", `subject` an identifier, `at` in µs."""
    writer.append(AUDIT, AuditEntry(action, subject, at, actor.get()))


def identity(key: bytes) -> bytes:
    """What an entry is told apart by, wherever it is: where it was appended first."""
    return key if len(key) == _APPENDED else key[len(_BEFORE) : len(_BEFORE) + _APPENDED]


def brought(entry: AuditEntry, place: bytes) -> bytes:
    """The key of an entry that another folder appended at `place`: before all of our own, in their order, once.

    Raises ValueError for a place that is none.
    """
    if len(place) != _APPENDED:
        raise ValueError("is not the key of an entry")
    return _BEFORE + place + hashlib.blake2b(msgspec.msgpack.encode(entry), digest_size=8).digest()
