"""Telling ALEJO of a conversation that is held elsewhere, in three calls: start, log, end.

Nothing is answered. What is logged is on disk when the call returns; when the session ends it is learned from.
"""

from __future__ import annotations

from typing import cast

from alejo.errors import InvalidArgument
from alejo.memory import Memories
from alejo.sessions import Sessions
from alejo.types import Message, MessageDraft, Role, Scope, Session, SessionState

_ROLES = {role.name.lower(): role for role in Role}


class Track:
    """A session that is told of. `id` is its identifier."""

    def __init__(self, sessions: Sessions, memories: Memories, scope: Scope, session: Session) -> None:
        self.id = session.id
        self._sessions = sessions
        self._memories = memories
        self._scope = scope

    async def log(self, role: str, content: str, *, at: int | None = None, speaker: str = "") -> Message:
        """Notes a message: `role` is user, assistant, system or tool, `at` when it was said, in µs, now by default.

        Raises InvalidArgument, or FailedPrecondition when the session has ended.
        """
        known = _ROLES.get(role)
        if known is None:
            raise InvalidArgument.field("role", f"is none of {', '.join(_ROLES)}")
        if not content.strip():
            raise InvalidArgument.field("content", "is required")
        draft = MessageDraft(self.id, content, known, speaker, sent_at=at)
        kept = await self._memories.remember(self._scope, draft)
        return cast("Message", kept.message)  # a draft of a message makes one

    async def end(self) -> Session:
        """Ends the session. Ended before, it stays so."""
        session = await self._sessions.get(self._scope, self.id)
        if session.state in (SessionState.COMPLETED, SessionState.ARCHIVED):
            return session
        return await self._sessions.update(self._scope, self.id, state=SessionState.COMPLETED)


async def start(sessions: Sessions, memories: Memories, scope: Scope, title: str = "", origin: str = "") -> Track:
    """Begins a session, or goes on with the one of an origin, its identity elsewhere."""
    session, _ = await sessions.create(scope, title=title, origin=origin)
    return Track(sessions, memories, scope, session)
