"""What was done, by whom, when: one row in the same commit as the deed. Never what was said."""

from __future__ import annotations

from contextvars import ContextVar

from alejo.storage.store import Writer
from alejo.storage.tables import AUDIT, AuditEntry

# The key that calls, set by the server for the length of a call; empty for the local user and the library.
actor: ContextVar[str] = ContextVar("alejo_actor", default="")


def record(writer: Writer, action: str, subject: str, at: int) -> None:
    """Adds an entry to a batch. `action` is a stable word such as "turn", `subject` an identifier, `at` in µs."""
    writer.append(AUDIT, AuditEntry(action, subject, at, actor.get()))
