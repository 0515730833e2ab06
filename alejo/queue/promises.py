"""What happens in a session is promised to be worked through, in the commit of what happened."""

from __future__ import annotations

import asyncio

from alejo.queue.register import Register
from alejo.queue.stored import StoredQueue
from alejo.storage.store import Writer
from alejo.storage.tables import SESSION_LOGS, TOPICS
from alejo.types import JobState, Scope, Session

REFLECTION = "reflection"  # what was said becomes what is known
LEARNING = "learning"  # a session that ended is learned from


class Promises:
    """Adds promises to batches; the commit raises Conflict when somebody took or changed what waits.

    `made` is set when the first one is. What was said lingers for so many seconds, as more may be said: both are worked
    through together then.
    """

    def __init__(self, queue: StoredQueue, register: Register, linger: float = 0.0) -> None:
        self.made = asyncio.Event()
        self.reflects = bool(queue.lines.kinds.get(REFLECTION))
        self._queue = queue
        self._register = register
        self._linger = linger

    async def reached(self, scope: Scope, session_id: str, seq: int) -> JobState | None:
        """How it stands with the reflection on a message; None if there is none."""
        return await self._register.reached(scope, session_id, REFLECTION, seq) if self.reflects else None

    async def said(self, writer: Writer, scope: Scope, session: Session) -> None:
        """Something was said: all of the session is to be reflected on."""
        await self._promise(writer, scope, session, REFLECTION, self._linger)

    async def ended(self, writer: Writer, scope: Scope, session: Session) -> None:
        """The session ended: all of it is to be learned from."""
        await self._promise(writer, scope, session, LEARNING)

    async def deleted(self, writer: Writer, scope: Scope, session_id: str) -> None:
        """The session is deleted: its jobs end, and what was counted of it goes."""
        await self._queue.cancel(writer, scope, session_id)
        writer.delete(SESSION_LOGS, bytes.fromhex(session_id))
        writer.delete(TOPICS, bytes.fromhex(session_id))

    async def _promise(self, writer: Writer, scope: Scope, session: Session, kind: str, linger: float = 0.0) -> None:
        if session.message_count and self._queue.lines.kinds.get(kind):
            await self._queue.enqueue(writer, scope, session.id, kind, session.message_count, linger=linger)
            self.made.set()
