"""SessionsService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alejo.v1 import sessions_pb2 as pb
from alejo.wire import read, write

if TYPE_CHECKING:
    from alejo.sessions import Sessions

    from .call import Call


class SessionsCalls:
    """The life of sessions, over the wire."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def create_session(self, call: Call, request: pb.CreateSessionRequest) -> pb.CreateSessionResponse:
        """Makes a session."""
        session, existed = await self._sessions.create(
            call.scope,
            request_id=request.request_id,
            title=request.title,
            parent_id=request.parent_id,
            metadata=dict(request.metadata),
            origin=request.origin,
        )
        return pb.CreateSessionResponse(session=write.session(session), existed=existed)

    async def get_session(self, call: Call, request: pb.GetSessionRequest) -> pb.GetSessionResponse:
        """One session."""
        return pb.GetSessionResponse(session=write.session(await self._sessions.get(call.scope, request.session_id)))

    async def list_sessions(self, call: Call, request: pb.ListSessionsRequest) -> pb.ListSessionsResponse:
        """The user's sessions."""
        found, token = await self._sessions.list(call.scope, read.page(request), read.states(request.states))
        return pb.ListSessionsResponse(sessions=[write.session(one) for one in found], next_page_token=token)

    async def update_session(self, call: Call, request: pb.UpdateSessionRequest) -> pb.UpdateSessionResponse:
        """Changes a session."""
        session = await self._sessions.update(
            call.scope, request.session.id, request_id=request.request_id, **read.session_changes(request)
        )
        return pb.UpdateSessionResponse(session=write.session(session))

    async def delete_session(self, call: Call, request: pb.DeleteSessionRequest) -> pb.DeleteSessionResponse:
        """Deletes a session."""
        messages, memories = await self._sessions.delete(call.scope, request.session_id, request_id=request.request_id)
        return pb.DeleteSessionResponse(messages_deleted=messages, memories_deleted=memories)

    async def list_messages(self, call: Call, request: pb.ListMessagesRequest) -> pb.ListMessagesResponse:
        """The messages of a session."""
        found, token = await self._sessions.messages(
            call.scope, request.session_id, read.page(request), descending=request.descending
        )
        return pb.ListMessagesResponse(messages=[write.message(one) for one in found], next_page_token=token)
