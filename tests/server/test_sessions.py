"""Sessions over the wire, with the real rooms behind it."""

from __future__ import annotations

from pathlib import Path

import grpc

from alejo.v1 import memory_pb2
from alejo.v1 import sessions_pb2 as pb

from .house import house, refused, within

SERVICE = "alejo.v1.SessionsService"


async def test_a_session_lives(tmp_path: Path) -> None:
    """Create, Get, Update, ListMessages, List and Delete tell of the same session."""
    async with house(tmp_path, parrot=False) as home:
        create = home.unary(f"{SERVICE}/CreateSession", pb.CreateSessionResponse)
        request = pb.CreateSessionRequest(request_id="r", title="Lisbon", metadata={"from": "test"}, origin="x:1")
        made = await within(create(request))
        assert not made.existed
        assert (await within(create(request))).existed
        session = made.session
        assert session.state == pb.SESSION_STATE_CREATED
        update = home.unary(f"{SERVICE}/UpdateSession", pb.UpdateSessionResponse)
        changed = await within(
            update(pb.UpdateSessionRequest(session={"id": session.id, "title": ""}, update_mask={"paths": ["title"]}))
        )
        assert changed.session.title == ""
        assert changed.session.metadata == {"from": "test"}
        remember = home.unary("alejo.v1.MemoryService/Remember", memory_pb2.RememberResponse)
        for text in ("one", "two", "three"):
            await within(remember(memory_pb2.RememberRequest(message={"session_id": session.id, "text": text})))
        listing = home.unary(f"{SERVICE}/ListMessages", pb.ListMessagesResponse)
        texts, token = [], ""
        while True:
            page = await within(
                listing(pb.ListMessagesRequest(session_id=session.id, page_size=2, page_token=token, descending=True))
            )
            texts += [message.text for message in page.messages]
            token = page.next_page_token
            if not token:
                break
        assert texts == ["three", "two", "one"]
        got = await within(
            home.unary(f"{SERVICE}/GetSession", pb.GetSessionResponse)(pb.GetSessionRequest(session_id=session.id))
        )
        assert got.session.message_count == 3
        found = await within(
            home.unary(f"{SERVICE}/ListSessions", pb.ListSessionsResponse)(
                pb.ListSessionsRequest(states=[got.session.state])
            )
        )
        assert list(found.sessions) == [got.session]
        gone = await within(
            home.unary(f"{SERVICE}/DeleteSession", pb.DeleteSessionResponse)(
                pb.DeleteSessionRequest(session_id=session.id)
            )
        )
        assert gone.messages_deleted == 3
        refusal = await refused(
            home.unary(f"{SERVICE}/GetSession", pb.GetSessionResponse)(pb.GetSessionRequest(session_id=session.id))
        )
        assert refusal.code is grpc.StatusCode.NOT_FOUND


async def test_a_token_of_another_list_is_refused(tmp_path: Path) -> None:
    """A page token given with other filters is INVALID_ARGUMENT and names the field."""
    async with house(tmp_path, parrot=False) as home:
        refusal = await refused(
            home.unary(f"{SERVICE}/ListSessions", pb.ListSessionsResponse)(pb.ListSessionsRequest(page_token="AAAA"))
        )
        assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refusal.details["BadRequest"].field_violations[0].field == "page_token"
